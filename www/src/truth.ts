// What is promised, whether it has held, and the mistakes that can be put back. Plain data.

import type { LogRow } from './frame.ts';

export interface Promised {
  readonly name: string;
  readonly short: string;
  readonly means: string;
}

/** In the engine's order: P1 to P8, the placement of slots, and P9 last. */
export const PROMISES: readonly Promised[] = [
  { name: 'P1', short: 'no invention', means: 'A read returns only what some client wrote to that key, whole.' },
  {
    name: 'P2',
    short: 'no loss',
    means: 'An acknowledged write is where its answer says, until something explains its going.',
  },
  { name: 'P3', short: 'no ghosts', means: 'What was deleted, expired or overwritten does not come back.' },
  {
    name: 'P4',
    short: 'one truth',
    means: 'Replicas that have reconciled hold the same version of a key, or nothing.',
  },
  { name: 'P5', short: 'order', means: 'Reads and writes of a key through its primary have an order.' },
  { name: 'P6', short: 'TTL', means: 'A value is never served later than its deadline and the clock skew.' },
  { name: 'P7', short: 'bounded memory', means: 'Accounted bytes never exceed the limit by more than one entry.' },
  { name: 'P8', short: 'progress', means: 'Every request ends, and once faults stop nothing is left under way.' },
  { name: 'Ring', short: 'placement', means: 'Slots stay where the map puts them, whoever is alive.' },
  { name: 'P9', short: 'replay', means: 'The same seed and commands give the same run, bit for bit.' },
];
export const REPLAY = PROMISES.length - 1;

export interface Broken {
  /** An index into `PROMISES`. */
  readonly promise: number;
  /** The number of its event; 0 when it is not known. */
  readonly seq: number;
  readonly at: number;
  /** Empty when it is about none. */
  readonly key: string;
  readonly what: string;
}

export interface Truth {
  /** How often each of `PROMISES` was looked at. */
  readonly checked: readonly number[];
  readonly broken: readonly Broken[];
  /** The run has just stopped where a promise was broken. */
  readonly stopped: boolean;
  /** The mistakes of this build, by their names. */
  readonly mutants: readonly string[];
}

export interface Causes {
  /** Of the violation. */
  readonly seq: number;
  readonly events: readonly LogRow[];
}

/** What the page asks of the worker about it. */
export type TruthRequest =
  | { readonly type: 'causes'; readonly seq: number }
  | { readonly type: 'mutant'; readonly name: string };

export interface TruthAnswer {
  readonly type: 'causes';
  readonly causes: Causes;
}

export const NO_TRUTH: Truth = { checked: PROMISES.map(() => 0), broken: [], stopped: false, mutants: [] };
