import { expect, it } from 'vitest';
import { decode, encode, type Migration, originOf, pageOf, withMistake } from '../src/share/link.ts';
import { judge } from '../src/share/Share.tsx';
import { opened } from './fixtures.ts';

const SCRIPT = '# vitrine 0.1.0 fingerprint 00112233445566aa\ncluster nodes=3 seed=7\nc1 set ключ v\nrun 2s\n';

it('a link gives the script back, whatever is in it', async () => {
  for (const script of [SCRIPT, '', 'x'.repeat(100_000), '\u{1f511} + / =']) {
    const link = await encode(script);
    expect(link).toMatch(/^#v2:[\w-]*$/);
    expect(await decode(link)).toBe(script);
  }
});

it('what is no link is none, and what is half of one says so', async () => {
  for (const hash of ['', '#', '#log', '#v1', '#v1:ü', '#w1:abcd', '#v1:ab cd']) expect(await decode(hash)).toBeNull();
  const link = await encode(SCRIPT);
  for (const broken of [link.slice(0, -9), `${link.slice(0, 12)}AAAA${link.slice(16)}`, '#v1:', '#v1:A']) {
    await expect(decode(broken)).rejects.toThrow('not whole');
  }
  await expect(decode('#v3:AAAA')).rejects.toThrow('too old');
  await expect(decode(await encode('x'.repeat(2_000_000)))).rejects.toThrow('not whole');
});

it('an older link is brought up to date, step by step', async () => {
  // A link of the first form, as it was made: it still opens.
  const link = (await encode('one')).replace('#v2:', '#v1:');
  expect(await decode(link)).toBe('one');
  const steps: [number, Migration][] = [
    [1, (text) => `${text}, two`],
    [2, (text) => `${text}, three`],
  ];
  expect(await decode(link, 3, new Map(steps))).toBe('one, two, three');
  await expect(decode(link, 3, new Map(steps.slice(1)))).rejects.toThrow('does not read any more');
});

it('says who wrote a script, and nothing where nobody says so', () => {
  expect(originOf(SCRIPT)).toEqual({ engine: '0.1.0', fingerprint: '00112233445566aa', mistake: '' });
  for (const none of ['', 'cluster nodes=2', '# vitrine 0.1.0', '# vitrine 0.1.0 fingerprint 12']) {
    expect(originOf(none)).toBeNull();
  }
});

it('says in its first line which mistake a run was made with, and where none was, nothing', async () => {
  expect(withMistake(SCRIPT, '')).toBe(SCRIPT);
  const made = withMistake(SCRIPT, 'RelativeTtl');
  expect(made.split('\n')[0]).toBe('# vitrine 0.1.0 fingerprint 00112233445566aa mistake RelativeTtl');
  expect(made.split('\n').slice(1)).toEqual(SCRIPT.split('\n').slice(1));
  expect(originOf((await decode(await encode(made))) ?? '')?.mistake).toBe('RelativeTtl');
  expect(judge(opened(made)).words).toContain('with a mistake in the engine: A relative TTL on replay.');
  expect(judge(opened(SCRIPT)).words).not.toContain('mistake');
});

it('says whether a run is the same here', () => {
  const check = (part: Parameters<typeof opened>[1], kind: string, words: RegExp, engine: string | null) => {
    const verdict = judge(opened(SCRIPT, part));
    expect(verdict).toMatchObject({ kind, engine });
    expect(verdict.words).toMatch(words);
  };
  check({}, 'same', /the same here/, null);
  check({ fingerprint: 'ffff000000000000' }, 'other', /0011.* there, ffff.* here/, null);
  check({ engine: '0.2.0' }, 'same', /engine 0\.1\.0; this page has 0\.2\.0.*the same here/, '0.1.0');
  check({ engine: '0.2.0', fingerprint: 'ffff000000000000' }, 'other', /ffff.* here, not to 0011/, '0.1.0');
  expect(judge(opened('cluster nodes=2')).kind).toBe('new');
});

it('finds the page of another engine in the list beside the page, and follows nothing else', async () => {
  const list = [
    { engine: '0.0.9', path: '0.0.9' },
    { engine: '0.0.8', path: '../../elsewhere' },
  ];
  const serve = (async () => new Response(JSON.stringify(list))) as typeof fetch;
  expect(await pageOf('0.0.9', serve)).toBe('engines/0.0.9/');
  expect(await pageOf('0.0.8', serve)).toBeNull();
  expect(await pageOf('0.0.7', serve)).toBeNull();
  expect(await pageOf('0.0.9', (async () => new Response('nothing')) as typeof fetch)).toBeNull();
});
