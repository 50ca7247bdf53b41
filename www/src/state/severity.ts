// What a row of the log means for the promises: one is broken, one is in danger, a danger is over,
// or something was changed on purpose.

import type { LogRow } from '../frame.ts';

/** `usual` is what happens all the time, or is what should. */
export type Severity = 'broken' | 'danger' | 'mended' | 'changed' | 'usual';

/** By the kinds of `happened` in `web/src/picture.rs`; those that are not here are usual. */
const OF: Readonly<Record<string, Severity>> = {
  violation: 'broken',
  crashed: 'danger',
  paused: 'danger',
  cut: 'danger',
  clogged: 'danger',
  clock: 'danger',
  suspects: 'danger',
  'steps aside': 'danger',
  'disk fails': 'danger',
  started: 'mended',
  recovered: 'mended',
  resumed: 'mended',
  healed: 'mended',
  unclogged: 'mended',
  hears: 'mended',
  rejoined: 'mended',
  'comes back': 'mended',
  'disk works': 'mended',
  'clock right': 'mended',
  reconciled: 'mended',
  'new map': 'changed',
  left: 'changed',
  denied: 'changed',
  rerouted: 'changed',
  'disk saves': 'changed',
  'disk unsaved': 'changed',
};

/** Before anything has happened everybody starts and finds out what the others have: nothing was mended. */
const FRESH: ReadonlySet<string> = new Set(['started', 'reconciled', 'recovered', 'hears']);
const BEGUN = 60_000;

export function severity({ kind, at }: Pick<LogRow, 'kind' | 'at'>): Severity {
  if (at < BEGUN && FRESH.has(kind)) return 'usual';
  return OF[kind] ?? 'usual';
}

/** A sign beside the colour. */
export const SIGNS: Readonly<Record<Severity, string>> = {
  broken: '✕',
  danger: '!',
  mended: '✓',
  changed: '⇄',
  usual: '',
};

/** These stay in the log longer than what happens all the time. */
export const isKept = (row: LogRow): boolean => row.kind in OF;
