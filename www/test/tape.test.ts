import { expect, it } from 'vitest';
import { MOST_EVENTS, Tape } from '../src/diagram/tape.ts';

/** Events from one number to another, a millisecond apart: each a message from n1 to n2 or back. */
function recorded(first: number, last: number) {
  const numbers = new Float64Array((last - first + 1) * 6);
  const words: string[] = [];
  for (let seq = first, at = 0; seq <= last; seq += 1, at += 6) {
    const odd = seq % 2;
    numbers.set([seq, seq * 1_000, seq * 1_000 - 700, 1 + odd, 2 - odd, 1], at);
    words.push(odd ? 'replicate' : 'replicated', `k${seq % 50}`);
  }
  return { latest: last, numbers, words };
}

it('keeps what is recorded, and lets go of what was gone back on', () => {
  const tape = new Tape();
  tape.take(recorded(1, 10));
  expect(tape.length).toBe(10);
  expect(tape.event(2)).toEqual({
    seq: 3,
    at: 3_000,
    sent: 2_300,
    from: 2,
    to: 1,
    shape: 'arrow',
    kind: 'replicate',
    key: 'k3',
  });
  tape.take({ latest: 4, numbers: new Float64Array(0), words: [] });
  expect(tape.length).toBe(4);
  tape.take(recorded(5, 8));
  expect([tape.length, tape.event(7)?.seq, tape.event(8)]).toEqual([8, 8, null]);
  expect(tape.rowAt(2_300)).toBe(1.5);
  tape.clear();
  expect(tape.length).toBe(0);
});

it('filters by every word: node, kind, key', () => {
  const tape = new Tape();
  tape.take(recorded(1, 100));
  tape.filterBy('n2 K7');
  expect(tape.length).toBe(2);
  tape.take(recorded(101, 200));
  expect(tape.length).toBe(4);
  tape.filterBy('replicated');
  expect(tape.length).toBe(100);
  tape.take({ latest: 100, numbers: new Float64Array(0), words: [] });
  expect(tape.length).toBe(50);
  tape.filterBy('n3');
  expect(tape.length).toBe(0);
});

it('is bounded, and keeps the latest', () => {
  const tape = new Tape();
  for (let first = 1; first < 300_000; first += 5_000) tape.take(recorded(first, first + 4_999));
  expect(tape.length).toBeLessThanOrEqual(MOST_EVENTS);
  expect(tape.length).toBeGreaterThan(MOST_EVENTS / 2);
  const last = tape.event(tape.length - 1);
  expect([last?.seq, last?.key]).toEqual([300_000, 'k0']);
  const first = tape.event(0);
  expect(first?.key).toBe(`k${(first?.seq ?? 0) % 50}`);
});
