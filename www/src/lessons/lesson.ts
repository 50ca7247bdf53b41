// What a lesson is made of. Its run is a script that the tests of the engine run as well.

/** One of the promises that the README lists. */
export type Promise_ = `P${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}`;

export interface Lesson {
  /** As its script: `tests/lessons/NAME.script`. */
  readonly name: string;
  readonly title: string;
  /** A line for the list. */
  readonly about: string;
  readonly promise: { readonly name: Promise_ | null; readonly says: string };
  /** Paragraphs. */
  readonly claim: readonly string[];
  readonly question: string;
  readonly choices: readonly Choice[];
  readonly watch: readonly string[];
  readonly verdict: readonly string[];
  /** Where it is written down, and where it is done: files of the repository. */
  readonly read: readonly string[];
  /** The mistake that somebody could make. */
  readonly mutant: LessonMutant | null;
  /** The eviction race goes on from here. */
  readonly race?: true;
  readonly turn: Turn;
}

export interface LessonMutant {
  /** Its name in `engine/src/mutant.rs`. */
  readonly name: string;
  /** The promise that the lesson's run breaks with it, or null where it only comes to something else. */
  readonly breaks: Promise_ | 'Ring' | null;
  /** What it does here. */
  readonly says: string;
}

export interface Choice {
  readonly text: string;
  readonly right?: true;
  readonly because: string;
}

/** What the person does in the end, and how the page sees that it is done. */
export interface Turn {
  readonly say: string;
  /** Lines that can be put into the command field. */
  readonly lines: readonly string[];
  /** A row of the log, as `n1 crashed`, after the script has ended. */
  readonly done: RegExp;
  readonly praise: string;
}
