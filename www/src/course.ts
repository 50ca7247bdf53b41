// Time as the page shows it: how far the run has been, what is marked on the way, and its two branches. Plain data.

export const MARK_KINDS = ['fault', 'member', 'violation'] as const;
export type MarkKind = (typeof MARK_KINDS)[number];

/** Something on the time line. */
export interface Mark {
  /** The number of its event. */
  readonly seq: number;
  /** Simulated microseconds. */
  readonly at: number;
  readonly kind: MarkKind;
  readonly text: string;
}

/** The run in time. */
export interface Course {
  /** How far it has been, in simulated microseconds. */
  readonly end: number;
  /** In order; null when they are those given last. */
  readonly marks: readonly Mark[] | null;
  readonly fork: Fork | null;
}

/** The branch that is not in front. */
export interface Fork {
  /** Where the two parted. */
  readonly at: number;
  /** How far the other one has been. */
  readonly end: number;
  /** The one in front is the newer. */
  readonly newer: boolean;
  readonly comparison: Comparison;
}

/** In what the two differ. */
export interface Comparison {
  /** Both are at the same moment: otherwise the other one is still on its way. */
  readonly level: boolean;
  /** Where they first differ: here and there. Null where they never do. */
  readonly first: readonly [Parting, Parting] | null;
  /** Keys that differ now, in all. */
  readonly keys: number;
  readonly unlike: readonly Unlike[];
}

export interface Parting {
  /** The number of the event; null when nothing more happens. */
  readonly seq: number | null;
  readonly at: number;
  readonly text: string;
}

export interface Unlike {
  /** A node's number. */
  readonly node: number;
  /** Empty when it is about the node itself. */
  readonly key: string;
  readonly here: string;
  readonly there: string;
}

/** What the page asks of the worker about time. */
export type CourseRequest =
  | { readonly type: 'seek'; readonly at: number }
  | { readonly type: 'seek-event'; readonly seq: number }
  | { readonly type: 'fork' }
  | { readonly type: 'swap' }
  | { readonly type: 'join-branches' };

export const NO_COURSE: Course = { end: 0, marks: [], fork: null };

/** The mark before or after a moment, or the event of that number, among those a person jumps between. */
export function neighbour(marks: readonly Mark[], now: number, last: number, by: 1 | -1): Mark | undefined {
  const wanted = marks.filter((mark) => mark.kind !== 'member');
  if (by === 1) return wanted.find((mark) => mark.at > now || (mark.at === now && mark.seq > last));
  return wanted.filter((mark) => mark.at < now || (mark.at === now && mark.seq < last)).at(-1);
}
