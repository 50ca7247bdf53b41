import { expect, it } from 'vitest';
import { type Mark, neighbour } from '../src/course.ts';
import { grouped } from '../src/panels/Scrubber.tsx';
import { snapshot, wired } from './fixtures.ts';

const mark = (seq: number, at: number, kind: Mark['kind'] = 'fault'): Mark => ({
  seq,
  at,
  kind,
  text: `${kind} ${seq}`,
});

it('jumps to the fault or violation before and after, also at the same moment', () => {
  const marks = [mark(3, 10), mark(5, 20, 'member'), mark(6, 20), mark(7, 20, 'violation'), mark(9, 30)];
  const cases: [number, number, 1 | -1, number | undefined][] = [
    [0, 0, 1, 3],
    [10, 3, 1, 6],
    [20, 6, 1, 7],
    [20, 7, 1, 9],
    [30, 9, 1, undefined],
    [30, 9, -1, 7],
    [20, 7, -1, 6],
    [20, 6, -1, 3],
    [10, 3, -1, undefined],
  ];
  for (const [now, last, by, seq] of cases) expect(neighbour(marks, now, last, by)?.seq).toBe(seq);
});

it('draws marks that would lie on each other as one', () => {
  const groups = grouped([mark(1, 100), mark(2, 101), mark(3, 101, 'member'), mark(4, 900)], 1_000);
  expect(groups.map((group) => [group.place, group.kind, group.marks.length])).toEqual([
    [10, 'fault', 2],
    [10, 'member', 1],
    [90, 'fault', 1],
  ]);
});

it('sends the latest wish only, once for each frame, and pauses', () => {
  const { session, sent, receive } = wired();
  receive({ type: 'ready' });
  const frame = () =>
    receive({
      type: 'frame',
      motion: { now: 1, flights: [], inFlight: 0 },
      snapshot: snapshot({ course: { end: 5_000, marks: [mark(1, 100)], fork: null } }),
      placement: null,
    });
  frame();
  for (const at of [10, 20, 9_000]) session.time.seek(at);
  expect(session.playing.value).toBe(false);
  session.tick(1_000);
  session.time.seek(30);
  session.tick(1_016);
  expect(sent.filter((m) => m.type === 'seek')).toEqual([{ type: 'seek', at: 5_000 }]);
  frame();
  session.tick(1_032);
  session.tick(1_048);
  expect(sent.filter((m) => m.type === 'seek').map((m) => m.at)).toEqual([5_000, 30]);
  frame();
  session.time.last();
  session.tick(1_064);
  const [, , last] = sent.filter((m) => m.type === 'seek');
  expect(last?.at).toBeGreaterThan(5_000);
});
