import { expect, it } from 'vitest';
import { LESSONS } from '../src/lessons/all.ts';
import { followAddress, fromAddress, linkTo } from '../src/share/address.ts';
import { encode } from '../src/share/link.ts';
import { wired } from './fixtures.ts';

it('reads a lesson by its name, and a run', async () => {
  for (const lesson of LESSONS) {
    expect(await fromAddress(new URL(linkTo(lesson)).hash)).toEqual({ first: lesson, problem: null });
  }
  expect(await fromAddress(await encode('run 1s'))).toEqual({ first: 'run 1s', problem: null });
  expect(await fromAddress('')).toEqual({ first: null, problem: null });
});

it('says which lessons there are to whoever asks for another', async () => {
  for (const name of ['nope', '', 'Fsync', '<b>']) {
    const { first, problem } = await fromAddress(`#lesson=${name}`);
    expect(first).toBeNull();
    expect(problem).toContain(
      `There is no lesson “${name}”. There are: routing, fsync, split-brain, clocks, versions, `,
    );
  }
  expect((await fromAddress(`#lesson=${'x'.repeat(4_000)}`)).problem?.length).toBeLessThan(200);
});

it('has the address say which lesson is taken, and no longer', () => {
  const { session } = wired();
  const end = followAddress(session);
  const [one, two] = LESSONS;
  if (!one || !two) throw new Error('no lessons');
  session.scripts.begin(one);
  expect(location.hash).toBe(`#lesson=${one.name}`);
  session.scripts.begin(two);
  expect(location.hash).toBe(`#lesson=${two.name}`);
  session.scripts.end();
  expect(location.hash).toBe('');
  // What somebody else has put there stays.
  session.scripts.begin(one);
  history.replaceState(null, '', '#v1:abc');
  session.scripts.end();
  expect(location.hash).toBe('#v1:abc');
  end();
});
