// What the page and the worker of a race say to each other.

import type { Workload } from '../worker/protocol.ts';

/** Who races, in the order of the engine's numbers. The last one knows the future. */
export const RACERS = ['LRU', 'SIEVE', 'S3-FIFO', 'W-TinyLFU', 'Belady'] as const;
export const BELADY = RACERS.length - 1;

/** `run` is the page's number of what it asked for last: what comes with an older one is out of date. */
export type ToRacer = { readonly run: number } & (
  | { readonly type: 'read'; readonly file: File }
  /** The requests of a workload, as a cluster with that seed is asked them, in the place of a file. */
  | { readonly type: 'workload'; readonly workload: Workload; readonly seed: string }
  /** From the start, at that size; spread over so many seconds where the machine is faster. */
  | { readonly type: 'race'; readonly capacity: number; readonly seconds: number }
  /** At a dozen sizes, as fast as it goes. */
  | { readonly type: 'curve' }
  | { readonly type: 'pause'; readonly on: boolean }
  /** No longer spread over seconds. */
  | { readonly type: 'hurry' }
  /** What runs ends where it is. */
  | { readonly type: 'stop' }
);

export type FromRacer = { readonly run: number } & (
  | { readonly type: 'reading'; readonly reading: Reading }
  | { readonly type: 'course'; readonly course: Course }
  | {
      readonly type: 'race';
      /** Those that are new. */
      readonly samples: readonly Sample[];
      /** Whom each racer let go last; said while the race is paused. */
      readonly gone: readonly (Gone | null)[] | null;
      readonly over: boolean;
    }
  | { readonly type: 'curve'; readonly curve: Curve }
  | { readonly type: 'problem'; readonly text: string }
);

/** A file being read. */
export interface Reading {
  readonly name: string;
  readonly requests: number;
  readonly bytesRead: number;
  readonly bytes: number;
}

/** A trace that has been read. */
export interface Course {
  readonly name: string;
  readonly requests: number;
  readonly keys: number;
}

/** How the race stood after so many requests. */
export interface Sample {
  readonly asked: number;
  /** Of each racer. */
  readonly hits: readonly number[];
}

/** A key that a racer let go, and how many requests later it is asked for again; `null` is never. */
export interface Gone {
  readonly key: string;
  readonly again: number | null;
}

export interface Curve {
  /** Entries, the smallest first. */
  readonly sizes: readonly number[];
  readonly requests: number;
  readonly asked: number;
  /** Of each racer, at each size. */
  readonly hits: readonly (readonly number[])[];
  readonly over: boolean;
}
