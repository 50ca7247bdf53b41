// What a race comes to, in sentences.

import { count, percent } from '../state/format.ts';
import { BELADY, type Gone, RACERS, type Sample } from './protocol.ts';
import type { Standing } from './state.ts';

/** A difference of two ratios, in points of a hundred. */
export const points = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} points`;

export function names(racers: readonly number[]): string {
  const all = racers.map((racer) => RACERS[racer] ?? '');
  return all.length < 2 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}

/** Who is ahead, or has won, with how much. */
export function verdict({ asked, hits }: Sample, { first, second }: Standing, entries: number, over: boolean): string {
  const best = hits[first[0] ?? 0] ?? 0;
  const ahead = second === null ? 0 : best - (hits[second] ?? 0);
  const size = `${count(entries)} ${entries === 1 ? 'entry' : 'entries'}`;
  const many = first.length > 1;
  if (!over) {
    if (many) return `${names(first)} are level after ${count(asked)} requests.`;
    return `${names(first)} leads by ${points(ahead, asked)} after ${count(asked)} requests.`;
  }
  const bound = (hits[BELADY] ?? 0) - best;
  const below = bound === 0 ? 'as many as anybody could have' : `${points(bound, asked)} below Belady’s bound`;
  if (second === null) return `All are level with ${size}: ${percent(best, asked)} hits, ${below}.`;
  if (many) return `${names(first)} win together with ${size}: ${percent(best, asked)} hits, ${below}.`;
  const margin = `${points(ahead, asked)} more than ${RACERS[second]}`;
  return `${names(first)} wins with ${size}: ${percent(best, asked)} hits, ${margin}, ${below}.`;
}

/** Whom a racer let go last, and whether that was a pity. */
export function regret(gone: Gone | null): string {
  if (gone === null) return 'let nobody go';
  const when = gone.again === null ? 'never asked for again' : `asked for again ${count(gone.again)} requests later`;
  return `let go ${gone.key}, ${when}`;
}
