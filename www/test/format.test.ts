import { expect, it } from 'vitest';
import * as format from '../src/state/format.ts';

it.each([
  [0, '0.000 ms'],
  [1_234, '1.234 ms'],
  [9_999_999, '9 999.999 ms'],
  [12_345_678, '12.346 s'],
])('clock of %i µs', (micros, expected) => expect(format.clock(micros)).toBe(expected));

it.each([
  [12, '12 ms'],
  [-1, 'expired'],
  [1_500, '1.5 s'],
  [120_000, '2 min'],
  [7_200_000, '2 h'],
])('span of %i ms', (ms, expected) => expect(format.span(ms)).toBe(expected));

it('groups thousands and says ratios', () => {
  expect(format.count(133_996)).toBe('133 996');
  expect(format.moment(1_234_567)).toBe('1 234.567');
  expect(format.percent(29_074, 133_996)).toBe('21.7 %');
  expect(format.percent(0, 0)).toBe('–');
  expect(format.bytes(3_072)).toBe('3.0 KiB');
});

it('names every speed, from slow to as fast as it can', () => {
  const real = format.SPEEDS.slice(0, -1) as number[];
  expect(real).toEqual([...real].sort((a, b) => a - b));
  expect(format.SPEEDS.at(-1)).toBeNull();
  expect(format.speedName(1 / 500)).toBe('1/500 of real time');
  expect(format.speedShort(4)).toBe('4×');
  expect(format.speedShort(null)).toBe('max');
});
