import { expect, it } from 'vitest';
import { MOST_EVENTS, Tape } from '../src/diagram/tape.ts';

/** Events from one number to another, a millisecond apart: each a message from n1 to n2 or back. */
function recorded(first: number, last: number, key = 'k') {
  const numbers = new Float64Array((last - first + 1) * 6);
  const words: string[] = [];
  for (let seq = first, at = 0; seq <= last; seq += 1, at += 6) {
    const odd = seq % 2;
    numbers.set([seq, seq * 1_000, seq * 1_000 - 700, 1 + odd, 2 - odd, 1], at);
    words.push(odd ? 'replicate' : 'replicated', `${key}${seq % 50}`);
  }
  return { latest: last, numbers, words };
}

/** The run went to another moment, and nothing new was recorded. */
const at = (latest: number) => ({ latest, numbers: new Float64Array(0), words: [] });
const seqs = (tape: Tape) => Array.from({ length: tape.length }, (_, row) => tape.event(row)?.seq);

it('keeps what is recorded, also what is to come after somebody went back', () => {
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
  expect(tape.rowAt(2_300)).toBe(1.5);
  tape.take(at(4), 10_000);
  expect([tape.length, tape.past]).toEqual([10, 4]);
  // The run comes to it again.
  tape.take(recorded(5, 8), 10_000);
  expect([tape.length, tape.past, tape.event(10)]).toEqual([10, 8, null]);
  tape.take(recorded(9, 12), 12_000);
  expect([tape.length, tape.past]).toEqual([12, 12]);
  tape.clear();
  expect([tape.length, tape.past]).toEqual([0, 0]);
});

it('lets go of what does not come any more', () => {
  const tape = new Tape();
  tape.take(recorded(1, 10));
  tape.take(at(4), 10_000);
  // Somebody does something: the run goes no further than to here.
  tape.take(at(4), 4_000);
  expect(seqs(tape)).toEqual([1, 2, 3, 4]);
  tape.take(recorded(5, 10), 10_000);
  tape.take(at(4), 10_000);
  // It takes another course at its sixth event.
  tape.take(recorded(5, 5), 10_000);
  tape.take(recorded(6, 7, 'other'), 10_000);
  expect(seqs(tape)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(tape.event(5)?.key).toBe('other6');
});

it('begins anew where what lies between is not known', () => {
  const tape = new Tape();
  tape.take(recorded(100, 110));
  tape.take(recorded(120, 125));
  expect(seqs(tape)).toEqual([120, 121, 122, 123, 124, 125]);
  tape.take(at(50), 125_000);
  expect([tape.length, tape.past]).toEqual([6, 0]);
  tape.take(recorded(51, 53), 125_000);
  expect(seqs(tape)).toEqual([51, 52, 53]);
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
  tape.take(at(100), 100_000);
  expect([tape.length, tape.past]).toEqual([50, 50]);
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
