// What the page and the worker that looks for failures say to each other.

export interface FinderRequest {
  /** The first seed. */
  readonly from: number;
  /** A mistake that is made, or none. */
  readonly mutant: string;
}

export type FinderAnswer =
  | {
      readonly type: 'progress';
      readonly seed: number;
      /** How far the run of that seed is, from 0 to 1. */
      readonly share: number;
      /** One was found, and is made smaller; so many runs may still be made for that, so many commands are left. */
      readonly shrinking: boolean;
      readonly left: number;
      readonly commands: number;
      readonly broken: string;
    }
  | { readonly type: 'found'; readonly seed: number; readonly broken: string; readonly script: string }
  | { readonly type: 'nothing'; readonly tried: number }
  /** The engine stopped itself: an assertion of its own. */
  | { readonly type: 'ended'; readonly seed: number; readonly why: string };
