// What the page and its worker say to each other.

import type { CourseRequest } from '../course.ts';
import type { FateAnswer, FateRequest } from '../fate.ts';
import type { Motion, Placement, Snapshot } from '../frame.ts';
import type { TruthAnswer, TruthRequest } from '../truth.ts';

export type WriteLevel = 'one' | 'live' | 'quorum' | 'all';
export type ReadLevel = 'primary' | 'one' | 'quorum';

/** When a node's log is synced; off: nodes keep none. In the order of the engine's numbers. */
export const FSYNCS = ['off', 'always', 'everysec', 'never'] as const;
export type Fsync = (typeof FSYNCS)[number];

/** Who goes when a node is full, in the order of the engine's numbers. */
export const POLICIES = ['lru', 'sieve', 's3-fifo', 'w-tinylfu'] as const;
export type Policy = (typeof POLICIES)[number];

/** A cluster to build. */
export interface Settings {
  /** Decimal digits of an unsigned 64-bit number. */
  readonly seed: string;
  readonly nodes: number;
  readonly replicas: number;
  /** Entries a node may hold. */
  readonly capacity: number;
  readonly virtualNodes: number;
  readonly writeLevel: WriteLevel;
  readonly readLevel: ReadLevel;
  /** Lost messages, of a thousand. */
  readonly lossPerMille: number;
  readonly fsync: Fsync;
  /** Bytes of log at which a node takes a snapshot by itself; 0: only when it is told to. */
  readonly saveAbove: number;
  readonly policy: Policy;
  /** Milliseconds after which others stand in for a node that is down; 0: nobody does. */
  readonly standIn: number;
}

export const WORKLOADS = ['zipf', 'uniform', 'scan', 'hotkey', 'storm'] as const;

export interface Workload {
  readonly kind: (typeof WORKLOADS)[number];
  readonly keys: number;
  /** Requests a simulated second. */
  readonly rate: number;
  readonly writePercent: number;
  /** Milliseconds; 0 is for ever. */
  readonly ttl: number;
}

/** After the last line of any script. */
export const LAST_LINE = 0xffff_ffff;

export type ToWorker =
  | {
      readonly type: 'build';
      readonly settings: Settings;
      readonly workload: Workload | null;
      /** Simulated microseconds that it is shown after: a first screen has something in its stores. */
      readonly after: number;
    }
  /** Draw the next frame: simulated time moves on by `advance` microseconds, or as far as it can when it is `null`. */
  | {
      readonly type: 'frame';
      readonly advance: number | null;
      /** Milliseconds of the person, where the script that is stepped through says how fast time goes. */
      readonly real?: number;
    }
  | { readonly type: 'step'; readonly by: 1 | -1 }
  | { readonly type: 'command'; readonly text: string }
  | { readonly type: 'workload'; readonly workload: Workload | null }
  | { readonly type: 'explain'; readonly key: string | null }
  | { readonly type: 'trace'; readonly file: File }
  | { readonly type: 'replay'; readonly settings: Settings }
  /** Make the run of a script, and go to its beginning. */
  | { readonly type: 'open'; readonly text: string }
  /** The script that was opened goes on to the end of that line of its text, and is held there. */
  | { readonly type: 'go'; readonly line: number }
  /** The script is left behind: nothing is held any longer. */
  | { readonly type: 'leave' }
  /** Record every event from now on, or no longer. */
  | { readonly type: 'record'; readonly on: boolean }
  /** Say the run up to now as a script. */
  | { readonly type: 'script' }
  | CourseRequest
  | FateRequest
  | TruthRequest;

export type FromWorker =
  | FateAnswer
  | TruthAnswer
  | { readonly type: 'ready' }
  | {
      readonly type: 'frame';
      readonly motion: Motion;
      readonly snapshot: Snapshot | null;
      readonly placement: Placement | null;
    }
  | { readonly type: 'trace'; readonly trace: Trace }
  | { readonly type: 'opened'; readonly opened: Opened }
  /** `mistake` is the one that is made, or nothing. */
  | { readonly type: 'script'; readonly text: string; readonly mistake: string }
  | { readonly type: 'problem'; readonly about: ToWorker['type'] | 'start'; readonly text: string };

/** A trace file being read, or read. */
export interface Trace {
  readonly name: string;
  readonly requests: number;
  readonly bytesRead: number;
  readonly bytes: number;
  readonly whole: boolean;
}

/** A script that has been run once, and is now at its beginning. */
export interface Opened {
  readonly text: string;
  readonly settings: Settings;
  /** What it comes to in the end. */
  readonly fingerprint: string;
  /** When it ends, in simulated microseconds. */
  readonly end: number;
  /** The version of the engine that has run it. */
  readonly engine: string;
}
