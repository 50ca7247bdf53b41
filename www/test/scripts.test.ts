import { expect, it } from 'vitest';
import type { Played, Snapshot } from '../src/frame.ts';
import { LESSONS } from '../src/lessons/all.ts';
import { scriptOf } from '../src/lessons/scripts.ts';
import { NO_TRUTH } from '../src/truth.ts';
import { LAST_LINE } from '../src/worker/protocol.ts';
import { opened, snapshot, wired } from './fixtures.ts';

function begin(name: string) {
  const { session, sent, receive } = wired();
  const lesson = LESSONS.find((known) => known.name === name);
  if (!lesson) throw new Error(`no lesson ${name}`);
  session.scripts.begin(lesson);
  receive({ type: 'opened', opened: opened('', { end: 500 }) });
  let seq = 0;
  let world = 1;
  const frame = (part: Partial<Played> | null, text = '', more: Partial<Snapshot> = {}) => {
    seq += 1;
    const log = text ? [{ seq, at: 501, place: -1, kind: 'told', key: 'k', text }] : [];
    const played = part && { line: 0, held: false, over: false, pace: 2, expected: [], ...part };
    const motion = { now: 1, flights: [], inFlight: 0 };
    receive({ type: 'frame', motion, snapshot: snapshot({ world, played, log, ...more }), placement: null });
  };
  const another = () => {
    world += 1;
  };
  return { session, scripts: session.scripts, sent, frame, another };
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
  expect(scripts.isLeft, 'no picture of it has come').toBe(false);
  expect(scripts.isBusy).toBe(true);
  frame(null);
  expect(scripts.isLeft).toBe(true);
  scripts.again();
  frame({ line: 0 });
  expect(scripts.isLeft).toBe(false);
});

it('makes the mistake of a lesson in its run, stops where a promise is broken, and goes back to the lesson', () => {
  const { session, scripts, sent, frame, another } = begin('deleted');
  scripts.to('run');
  scripts.rest();
  frame({ line: 999, held: true, over: true });
  scripts.to('break');
  sent.length = 0;
  scripts.err();
  const script = { type: 'open', text: scriptOf('deleted') };
  const toItsEnd = { type: 'go', line: LAST_LINE };
  expect(sent).toEqual([{ type: 'mutant', name: 'CollectTombstones' }, script, toItsEnd]);
  expect([scripts.mistaken.value, session.playing.value]).toEqual([true, true]);
  frame({ line: 999, held: true, over: true });
  expect(session.playing.value, 'that was the run before').toBe(true);
  another();
  const broken = { promise: 2, seq: 77, at: 400, key: 'session', what: 'it is back' };
  frame({ line: 9 }, '', { truth: { ...NO_TRUTH, broken: [broken], stopped: true } });
  expect([session.truth.stop.value, session.playing.value]).toEqual([broken, false]);
  sent.length = 0;
  scripts.mend();
  const toTheEnd = { type: 'seek', at: Number.MAX_SAFE_INTEGER };
  expect(sent).toEqual([{ type: 'mutant', name: '' }, script, toItsEnd, toTheEnd, { type: 'leave' }]);
  expect([scripts.mistaken.value, session.truth.stop.value, session.playing.value]).toEqual([false, null, true]);
});

it('plays a mistake that breaks no promise to the end, and says what was expected', () => {
  const { session, scripts, sent, frame, another } = begin('clocks');
  scripts.to('break');
  scripts.err();
  another();
  const expected = [
    { line: 3, wrong: null },
    { line: 9, wrong: 'expected c2 stored, and it is: unavailable' },
    { line: 20, wrong: 'expected fingerprint 1, and it is: 2' },
  ];
  frame({ line: 5, expected: expected.slice(0, 1) });
  expect([scripts.unmet.value, session.playing.value]).toEqual([[], true]);
  frame({ line: 20, held: true, over: true, expected });
  expect(scripts.unmet.value).toEqual(['expected c2 stored, and it is: unavailable']);
  expect(session.playing.value).toBe(false);
  // Another part of the lesson is about the run without it.
  sent.length = 0;
  scripts.to('verdict');
  expect(sent[0]).toEqual({ type: 'mutant', name: '' });
  expect(scripts.mistaken.value).toBe(false);
  scripts.to('break');
  scripts.err();
  sent.length = 0;
  scripts.end();
  expect(sent[0]).toEqual({ type: 'mutant', name: '' });
  expect([session.truth.mutant.value, scripts.mistaken.value]).toEqual(['', false]);
});
