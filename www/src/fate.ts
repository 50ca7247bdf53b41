// What became of a key: the events that made its copies, and those that took them. Plain data.

import { type LogRow, nameOf, type Place } from './frame.ts';
import { worded } from './state/version.ts';

export interface Fate {
  readonly key: string;
  /** Up to that moment, in simulated microseconds. */
  readonly at: number;
  /** Who has it then, of those who should. */
  readonly on: readonly Place[];
  /** Nothing of it is older than the first event. */
  readonly whole: boolean;
  readonly events: readonly LogRow[];
}

export interface FateRequest {
  readonly type: 'fate';
  readonly key: string;
}

export interface FateAnswer {
  readonly type: 'fate';
  readonly fate: Fate;
}

/** What takes a copy away, by the kind of its event. */
const TAKES: ReadonlySet<string> = new Set([
  'removed',
  'expired',
  'evicted',
  'dropped',
  'moved',
  'left out',
  'crashed',
  'left',
]);

/** Where the key is, or what took its last copy. */
export function verdict({ events, on, whole }: Fate): string {
  if (on.length > 0) return `It is on ${on.map(nameOf).join(' and ')}.`;
  const last = events.findLast((row) => TAKES.has(row.kind));
  if (last) return `Nobody has it. The last that took a copy: ${worded(last.text)}.`;
  return whole ? 'Nobody has written it.' : 'Nobody has it, and in what was looked through nobody had.';
}
