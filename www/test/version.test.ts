import { expect, it } from 'vitest';
import { severity } from '../src/state/severity.ts';
import { pieces, versionWords, worded } from '../src/state/version.ts';

it.each([
  ['19b76daa80f-0-1', 'n1’s #0 of 0.015 s'],
  ['19b76daacd2-c-20', 'n32’s #12 of 1.234 s'],
  // A clock may be behind the beginning of the run.
  ['19b76daa79c-1-2', 'n2’s #1 of -0.100 s'],
  ['nothing', 'nothing'],
  ['not-a-version', 'not-a-version'],
])('says %s in words', (raw, words) => expect(versionWords(raw)).toBe(words));

it('finds versions in a text, and leaves keys alone that look like some', () => {
  const text = '"19b76daa80f-0-1" at 19b76daa80f-0-1 came back: [n2] know of 19b76daacd2-0-2';
  expect(worded(text)).toBe('"19b76daa80f-0-1" at n1’s #0 of 0.015 s came back: [n2] know of n2’s #0 of 1.234 s');
  expect(pieces(text).map((piece) => piece.raw)).toEqual([undefined, '19b76daa80f-0-1', undefined, '19b76daacd2-0-2']);
  expect(worded('c1@n1 set dead-beef-1 v')).toBe('c1@n1 set dead-beef-1 v');
});

it.each([
  ['violation', 5_000, 'broken'],
  ['crashed', 5_000, 'danger'],
  ['disk fails', 5_000, 'danger'],
  ['reconciled', 9_000_000, 'mended'],
  ['reconciled', 0, 'usual'],
  ['new map', 5_000, 'changed'],
  // A message of that name.
  ['map', 5_000, 'usual'],
  ['stored', 5_000, 'usual'],
])('means of %s at %i that it is %s', (kind, at, expected) => expect(severity({ kind, at })).toBe(expected));
