// The wasm's side of the promises: flat arrays become what the page shows.

import type { Fate } from '../fate.ts';
import type { LogRow } from '../frame.ts';
import { type Broken, PROMISES, type Truth } from '../truth.ts';
import type { Playground } from '../wasm/vitrine_web.js';

export class TruthReader {
  private readonly mutants: readonly string[];

  constructor(private readonly playground: Playground) {
    this.mutants = playground.mutants();
  }

  read(): Truth {
    const checked = [...this.playground.checked()];
    const another = checked.pop() ?? 0;
    const broken = this.broken();
    if (another > 0) {
      const what = `the run came to where it had been, and was another one then, ${another} times`;
      broken.push({ promise: PROMISES.length - 1, seq: 0, at: this.playground.now(), key: '', what });
    }
    return { checked, broken, stopped: this.playground.stopped(), mutants: this.mutants };
  }

  causes(seq: number): readonly LogRow[] {
    return rows(this.playground.causes(seq), this.playground.cause_words(seq));
  }

  fate(key: string): Omit<Fate, 'on'> {
    const fate = this.playground.fate(key);
    const events = rows(fate.log(), fate.words());
    const whole = fate.is_whole();
    fate.free();
    return { key, at: this.playground.now(), whole, events };
  }

  private broken(): Broken[] {
    const flat = this.playground.violations();
    const broken: Broken[] = [];
    for (let index = 0; index + 5 <= flat.length; index += 5) {
      const [promise, seq, at, key = '', what = ''] = flat.slice(index, index + 5);
      broken.push({ promise: Number(promise), seq: Number(seq), at: Number(at), key, what });
    }
    return broken;
  }
}

/** Rows of the log, as `log` and `log_words` of the wasm say them. */
export function rows(flat: Float64Array, words: readonly string[]): LogRow[] {
  return Array.from({ length: flat.length / 3 }, (_, index) => {
    const [seq = 0, at = 0, place = 0] = flat.subarray(index * 3, index * 3 + 3);
    const [kind = '', key = '', text = ''] = words.slice(index * 3, index * 3 + 3);
    return { seq, at, place, kind, key, text };
  });
}
