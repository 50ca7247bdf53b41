// The wasm's side of time: flat arrays become marks, branches and their differences.

import { type Comparison, type Course, MARK_KINDS, type Mark, type Parting, type Unlike } from '../course.ts';
import type { Playground } from '../wasm/vitrine_web.js';

export class CourseReader {
  private edition = -1;

  constructor(private readonly playground: Playground) {}

  /** Another run, or another branch in front: its marks are new to the page. */
  renew(): void {
    this.edition = -1;
  }

  read(): Course {
    return { end: this.playground.end(), marks: this.marks(), fork: this.fork() };
  }

  private marks(): readonly Mark[] | null {
    const edition = this.playground.marks_edition();
    if (edition === this.edition) return null;
    this.edition = edition;
    const flat = this.playground.marks();
    const words = this.playground.mark_words();
    return words.map((text, index) => {
      const [seq = 0, at = 0, kind = 0] = flat.subarray(index * 3, index * 3 + 3);
      return { seq, at, kind: MARK_KINDS[kind] ?? 'fault', text };
    });
  }

  private fork(): Course['fork'] {
    const [at, now = 0, end = 0, newer = 0] = this.playground.forked();
    if (at === undefined) return null;
    return { at, end, newer: newer === 1, comparison: this.comparison(now) };
  }

  private comparison(now: number): Comparison {
    const flat = this.playground.first_difference();
    const words = this.playground.first_difference_words();
    const parting = (index: number): Parting => {
      const seq = flat[index * 2] ?? Number.NaN;
      return { seq: Number.isNaN(seq) ? null : seq, at: flat[index * 2 + 1] ?? 0, text: words[index] ?? '' };
    };
    const [keys = '0', ...rest] = this.playground.unlike();
    const unlike: Unlike[] = [];
    for (let at = 0; at + 4 <= rest.length; at += 4) {
      const [node = '', key = '', here = '', there = ''] = rest.slice(at, at + 4);
      unlike.push({ node: Number(node), key, here, there });
    }
    return {
      level: Math.abs(now - this.playground.now()) < 1,
      first: flat.length === 4 ? [parting(0), parting(1)] : null,
      keys: Number(keys),
      unlike,
    };
  }
}
