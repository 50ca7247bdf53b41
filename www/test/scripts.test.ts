import { expect, it } from 'vitest';
import type { Played } from '../src/frame.ts';
import { LESSONS } from '../src/lessons/all.ts';
import { snapshot, wired } from './fixtures.ts';

function begin(name: string) {
  const { session, sent, receive } = wired();
  const lesson = LESSONS.find((known) => known.name === name);
  if (!lesson) throw new Error(`no lesson ${name}`);
  session.scripts.begin(lesson);
  let seq = 0;
  const frame = (part: Partial<Played> | null, text = '') => {
    seq += 1;
    const log = text ? [{ seq, at: 1, place: -1, kind: 'told', key: 'k', text }] : [];
    const played = part && { line: 0, held: false, over: false, pace: 2, expected: [], ...part };
    const motion = { now: 1, flights: [], inFlight: 0 };
    receive({ type: 'frame', motion, snapshot: snapshot({ played, log }), placement: null });
  };
  return { session, scripts: session.scripts, sent, frame };
}

it('opens the script and holds it, and goes on a step at a time', () => {
  const { session, scripts, sent, frame } = begin('ttl');
  expect(sent.map((message) => message.type)).toEqual(['explain', 'open', 'go']);
  expect(sent.at(-1)).toEqual({ type: 'go', line: 0 });
  expect(session.playing.value).toBe(false);
  scripts.to('run');
  const last = scripts.steps.value[0]?.lines.at(-1)?.number ?? 0;
  expect(sent.at(-1)).toEqual({ type: 'go', line: last });
  expect(session.playing.value).toBe(true);
  frame({ line: 0, held: true });
  expect(session.playing.value, 'it has not heard of the step yet').toBe(true);
  frame({ line: last, held: true });
  expect(session.playing.value).toBe(false);
  session.togglePlay();
  expect(scripts.allowed.value, 'playing does the next step').toBe(2);
});

it('lets the page set the pace until the person does', () => {
  const { session, scripts, sent, frame } = begin('ttl');
  session.started.value = true;
  scripts.to('run');
  session.tick(10);
  expect(sent.at(-1)).toMatchObject({ type: 'frame', real: 10 });
  frame({});
  session.faster(1);
  session.tick(20);
  expect(sent.at(-1)).not.toHaveProperty('real');
});

it('goes on when the turn is the person’s, also where an older picture says that it is held', () => {
  const { session, scripts, frame } = begin('eviction');
  scripts.to('run');
  scripts.rest();
  frame({ line: 999, held: true, over: true }, 'c1@n1 hot:2 -> miss');
  expect(scripts.isOver).toBe(true);
  scripts.to('break');
  frame({ line: 999, held: true, over: true });
  expect(session.playing.value).toBe(true);
  frame(null, 'c9@n1 hot:1 -> miss');
  expect(scripts.turnDone.value).toBe(false);
  frame(null, 'c9@n1 hot:1 -> hit a');
  expect(scripts.turnDone.value).toBe(true);
});

it('says that the steps are over for who does something else', () => {
  const { scripts, frame } = begin('ttl');
  scripts.to('run');
  frame(null);
  expect(scripts.isLeft).toBe(true);
  scripts.again();
  frame({ line: 0 });
  expect(scripts.isLeft).toBe(false);
});
