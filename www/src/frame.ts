// What the page draws: the cluster at one moment of simulated time. Plain data; the worker fills it, nothing here
// decides.

import type { Course } from './course.ts';
import type { Recorded } from './diagram/tape.ts';
import type { Truth } from './truth.ts';

/** A place that sends or receives: a node by its number, or `CLIENTS`. */
export type Place = number;

/** Where requests come from and answers go to. */
export const CLIENTS: Place = -1;

export const MESSAGE_KINDS = [
  'request',
  'reply',
  'forward',
  'answer',
  'replicate',
  'replicated',
  'fetch',
  'fetched',
  'sync',
  'listed',
  'ping',
  'pong',
  'gossip',
] as const;
export type MessageKind = (typeof MESSAGE_KINDS)[number];

/** A message under way. Times in simulated microseconds. */
export interface Flight {
  readonly id: number;
  readonly from: Place;
  readonly to: Place;
  readonly kind: MessageKind;
  /** -1 when it is about no slot. */
  readonly slot: number;
  readonly sentAt: number;
  readonly arrivesAt: number;
  /** The key; empty when it has none, or when too many messages fly to be read. */
  readonly label: string;
}

/** What changes at every drawn frame. */
export interface Motion {
  /** Simulated microseconds. */
  readonly now: number;
  readonly flights: readonly Flight[];
  /** More fly than are in `flights`. */
  readonly inFlight: number;
}

export interface Entry {
  readonly key: string;
  readonly version: string;
  /** Milliseconds until it expires, by its node's clock; null when it never does. */
  readonly expiresIn: number | null;
  readonly bytes: number;
  /** 0 is the most recently used. */
  readonly rank: number;
}

export interface NodeView {
  readonly id: Place;
  readonly up: boolean;
  readonly entries: number;
  /** 0 when entries are not limited. */
  readonly entryLimit: number;
  readonly bytes: number;
  /** 0 when bytes are not limited. */
  readonly byteLimit: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
  readonly expirations: number;
  /** Slots that it answers for now. */
  readonly primarySlots: number;
  /** Its share of the slots, relative to the others'; with 0 it keeps none. */
  readonly weight: number;
  /** It goes as soon as its slots have moved. */
  readonly leaving: boolean;
  /** Whether others stand in for it. */
  readonly away: Away;
  /** Members that this node does not believe alive. */
  readonly suspects: readonly Place[];
  /** The most recently used first, then a gap when `entries` is more than there is room for, then the next to go. */
  readonly rows: readonly Entry[];
}

/** Others stand in for a node, or are about to, or it is about to have its slots to itself again. */
export const AWAY = ['no', 'stood in for', 'going', 'returning'] as const;
export type Away = (typeof AWAY)[number];

export interface LogRow {
  readonly seq: number;
  /** Simulated microseconds. */
  readonly at: number;
  readonly place: Place;
  readonly kind: string;
  readonly key: string;
  readonly text: string;
}

/** A link that does not carry messages, one way. */
export interface Cut {
  readonly from: Place;
  readonly to: Place;
}

/** What is wrong with a node that is up. */
export interface Condition {
  readonly node: Place;
  /** It stands still, and what it is sent waits. */
  readonly paused: boolean;
  /** Milliseconds by which its clock is ahead of the truth. */
  readonly ahead: number;
}

/** Where a key lives. */
export interface Explained {
  readonly key: string;
  readonly slot: number;
  /** Who answers for it now; null when no replica is up. */
  readonly primary: Place | null;
  readonly replicas: readonly {
    readonly node: Place;
    readonly up: boolean;
    readonly version: string | null;
    readonly expiresIn: number | null;
    readonly rank: number | null;
  }[];
}

/** How far the latest change of the members has come: new owners are filled, then they answer. */
export const PHASES = ['steady', 'filling', 'handing over'] as const;
export type Phase = (typeof PHASES)[number];

/** Who is a member, as the newest edition says. */
export interface ClusterMap {
  readonly edition: number;
  readonly phase: Phase;
  /** Of each slot, when nothing moves. */
  readonly copies: number;
  /** Changes that were asked for and have not begun. */
  readonly waiting: number;
}

/** Everything else, some ten times a second. */
export interface Snapshot {
  /** Counts worlds: a new one starts a new history. */
  readonly world: number;
  readonly now: number;
  /** Events carried out. */
  readonly steps: number;
  readonly nodes: readonly NodeView[];
  readonly map: ClusterMap;
  readonly cuts: readonly Cut[];
  /** Ways on which messages are held up. */
  readonly clogs: readonly Cut[];
  readonly conditions: readonly Condition[];
  readonly fingerprint: string;
  /** Rows since the last snapshot, oldest first. */
  readonly log: readonly LogRow[];
  readonly explained: Explained | null;
  readonly replay: Replay | null;
  readonly course: Course;
  readonly truth: Truth;
  /** The workload runs. */
  readonly busy: boolean;
  /** The script that is played. */
  readonly played: Played | null;
  /** Events since the last snapshot, while they are recorded. */
  readonly recorded: Recorded | null;
  /** Where nodes write logs. */
  readonly disks: readonly DiskView[];
}

export const BLOCKS = ['put', 'remove', 'touch', 'forget', 'floor', 'synced', 'torn', 'damaged'] as const;
export type BlockKind = (typeof BLOCKS)[number];

/** What happens next to a snapshot that is being taken. */
export const STAGES = ['turns', 'walks', 'syncs', 'waits', 'named', 'drops'] as const;
export type Stage = (typeof STAGES)[number];

/** A snapshot, or as much of one as there is. */
export interface SavedView {
  /** Its name: a start reads the log over it from that number on. */
  readonly first: number;
  /** The log has to reach as far as this. */
  readonly until: number;
  readonly entries: number;
  readonly bytes: number;
}

/** The log of a node, and its snapshots. */
export interface DiskView {
  readonly node: Place;
  readonly bytes: number;
  /** Of them, those that a crash leaves. */
  readonly solid: number;
  /** Null when they are too many to be counted. */
  readonly records: number | null;
  /** The number of the first record that was not dropped. */
  readonly begins: number;
  /** The snapshot that a start would begin with, or 0, for the log alone; null when it is too long to be read. */
  readonly starts: number | null;
  /** A start would refuse what is there. */
  readonly refused: boolean;
  /** The oldest first. */
  readonly snapshots: readonly (SavedView & { readonly named: boolean })[];
  /** The one that is being taken. */
  readonly saving: (SavedView & { readonly stage: Stage }) | null;
  /** The latest records, the oldest of them first. */
  readonly blocks: readonly Block[];
}

export interface Block {
  readonly number: number;
  readonly kind: BlockKind;
  /** Empty when it is about none. */
  readonly key: string;
  readonly bytes: number;
  /** Its node knows that it is on disk. */
  readonly synced: boolean;
  /** It is. */
  readonly solid: boolean;
}

/** How far a script has come. */
export interface Played {
  /** The line of its text that it is at. */
  readonly line: number;
  /** It waits to be told to go on. */
  readonly held: boolean;
  readonly over: boolean;
  /** Simulated microseconds that should pass in a millisecond of the person. */
  readonly pace: number;
  /** What it expected, by line, and how it is where it is not so. */
  readonly expected: readonly { readonly line: number; readonly wrong: string | null }[];
}

export interface Replay {
  readonly name: string;
  readonly requests: number;
  readonly done: number;
  readonly hits: number;
  readonly misses: number;
}

/**
 * Who owns which slot: `copies` owners a slot, the preferred primary first, -1 for nobody. While slots move they have
 * their new owners as well, last. Sent when it changes.
 */
export interface Placement {
  readonly copies: number;
  readonly owners: Int16Array;
  /** For each slot the node that answers for it now, or -1. */
  readonly primaries: Int16Array;
}

export const SLOTS = 16_384;

export const nameOf = (place: Place): string => (place === CLIENTS ? 'client' : `n${place}`);
