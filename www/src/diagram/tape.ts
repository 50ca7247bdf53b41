// The events of a run, as many as a person scrolls through, in typed arrays: their memory is what it is from the start.

import { CLIENTS, nameOf, type Place } from '../frame.ts';

/** Events that are kept; older ones are let go a quarter at a time. */
export const MOST_EVENTS = 131_072;

export const SHAPES = ['point', 'arrow', 'lost'] as const;
export type Shape = (typeof SHAPES)[number];

/** What the worker has recorded since the last time. */
export interface Recorded {
  /** The number of the latest event: what is kept beyond it is still to come, since somebody went back. */
  readonly latest: number;
  /** Of each event: number, moment, when its message was sent, from, to, shape. */
  readonly numbers: Float64Array;
  /** Of each event: kind and key. */
  readonly words: readonly string[];
}

export interface TapeEvent {
  readonly seq: number;
  /** Simulated microseconds. */
  readonly at: number;
  readonly sent: number;
  readonly from: Place;
  readonly to: Place;
  readonly shape: Shape;
  readonly kind: string;
  readonly key: string;
}

const WIDTH = 6;

export class Tape {
  private readonly seq = new Float64Array(MOST_EVENTS);
  private readonly at = new Float64Array(MOST_EVENTS);
  private readonly sent = new Float64Array(MOST_EVENTS);
  private readonly from = new Int16Array(MOST_EVENTS);
  private readonly to = new Int16Array(MOST_EVENTS);
  private readonly shape = new Uint8Array(MOST_EVENTS);
  private readonly kind = new Uint16Array(MOST_EVENTS);
  private readonly key = new Uint32Array(MOST_EVENTS);
  private words: string[] = [''];
  private known = new Map<string, number>([['', 0]]);
  private filter: readonly string[] = [];
  /** The events that the filter lets through. */
  private readonly rows = new Uint32Array(MOST_EVENTS);
  private shown = 0;
  private kept = 0;
  private latest = 0;

  /** Rows to scroll through. */
  get length(): number {
    return this.shown;
  }

  /** Rows of what has happened by now; those after them are to come. */
  get past(): number {
    return this.first((index) => (this.seq[index] ?? 0) > this.latest);
  }

  /** Nothing is kept. */
  clear(): void {
    this.kept = 0;
    this.shown = 0;
    this.latest = 0;
    this.words = [''];
    this.known = new Map([['', 0]]);
  }

  /** `end` is how far the run goes, in simulated microseconds: what is kept beyond it does not come any more. */
  take({ latest, numbers, words }: Recorded, end = Number.POSITIVE_INFINITY): void {
    const first = numbers[0] ?? latest + 1;
    const [oldest = 0, newest = 0] = [this.seq[0], this.seq[this.kept - 1]];
    // Somebody went to another moment, and what lies between is not known.
    if (this.kept > 0 && numbers.length > 0 && (first > newest + 1 || first < oldest)) this.clear();
    while (this.kept > 0 && this.isOver(this.kept - 1, latest, end)) this.kept -= 1;
    this.hide();
    this.latest = latest;
    for (let at = 0, word = 0; at + WIDTH <= numbers.length; at += WIDTH, word += 2) {
      const again = (numbers[at] ?? 0) - (this.seq[0] ?? 0);
      if (again < this.kept && this.kept > 0) {
        if (this.isSame(again, numbers.subarray(at, at + WIDTH), words[word], words[word + 1])) continue;
        // It is another run from here on.
        this.kept = again;
        this.hide();
      }
      if (this.kept === MOST_EVENTS) this.forget();
      const index = this.kept;
      this.seq[index] = numbers[at] ?? 0;
      this.at[index] = numbers[at + 1] ?? 0;
      this.sent[index] = numbers[at + 2] ?? 0;
      this.from[index] = numbers[at + 3] ?? 0;
      this.to[index] = numbers[at + 4] ?? 0;
      this.shape[index] = numbers[at + 5] ?? 0;
      this.kind[index] = this.number(words[word] ?? '');
      this.key[index] = this.number(words[word + 1] ?? '');
      this.kept += 1;
      this.show(index);
    }
  }

  /** Only events that have every one of these words: nodes, kinds, keys. */
  filterBy(text: string): void {
    this.filter = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.shown = 0;
    for (let index = 0; index < this.kept; index += 1) this.show(index);
  }

  event(row: number): TapeEvent | null {
    const index = this.rows[row];
    if (index === undefined || row < 0 || row >= this.shown) return null;
    return {
      seq: this.seq[index] ?? 0,
      at: this.at[index] ?? 0,
      sent: this.sent[index] ?? 0,
      from: this.from[index] ?? CLIENTS,
      to: this.to[index] ?? CLIENTS,
      shape: SHAPES[this.shape[index] ?? 0] ?? 'point',
      kind: this.words[this.kind[index] ?? 0] ?? '',
      key: this.words[this.key[index] ?? 0] ?? '',
    };
  }

  /** The row, as a fraction, at which that moment is; events are in the order of their moments. */
  rowAt(moment: number): number {
    return this.first((index) => (this.at[index] ?? 0) >= moment) - 0.5;
  }

  /** Is an event that was kept one that the run does not come to? */
  private isOver(index: number, latest: number, end: number): boolean {
    return (this.seq[index] ?? 0) > latest && (this.at[index] ?? 0) > end;
  }

  private isSame(index: number, [seq, at, sent, from, to, shape]: Float64Array, kind = '', key = ''): boolean {
    return (
      this.seq[index] === seq &&
      this.at[index] === at &&
      this.sent[index] === sent &&
      this.from[index] === from &&
      this.to[index] === to &&
      this.shape[index] === shape &&
      this.words[this.kind[index] ?? 0] === kind &&
      this.words[this.key[index] ?? 0] === key
    );
  }

  /** The first row whose event is so; all rows after it are so too. */
  private first(is: (index: number) => boolean): number {
    let [low, high] = [0, this.shown];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (is(this.rows[middle] ?? 0)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Rows whose events are not kept any more go. */
  private hide(): void {
    while (this.shown > 0 && (this.rows[this.shown - 1] ?? 0) >= this.kept) this.shown -= 1;
  }

  private show(index: number): void {
    if (this.filter.length > 0) {
      const [from, to] = [nameOf(this.from[index] ?? 0), nameOf(this.to[index] ?? 0)];
      const [kind, key] = [this.words[this.kind[index] ?? 0] ?? '', this.words[this.key[index] ?? 0] ?? ''];
      const has = (word: string) => from === word || to === word || kind.includes(word) || key.toLowerCase() === word;
      if (!this.filter.every(has)) return;
    }
    this.rows[this.shown] = index;
    this.shown += 1;
  }

  private number(word: string): number {
    const known = this.known.get(word);
    if (known !== undefined) return known;
    this.words.push(word);
    this.known.set(word, this.words.length - 1);
    return this.words.length - 1;
  }

  /** The oldest quarter goes, and words that nothing says any more. */
  private forget(): void {
    const gone = MOST_EVENTS / 4;
    for (const numbers of [this.seq, this.at, this.sent, this.from, this.to, this.shape, this.kind, this.key]) {
      numbers.copyWithin(0, gone);
    }
    this.kept -= gone;
    const old = this.words;
    this.words = [''];
    this.known = new Map([['', 0]]);
    this.shown = 0;
    for (let index = 0; index < this.kept; index += 1) {
      this.kind[index] = this.number(old[this.kind[index] ?? 0] ?? '');
      this.key[index] = this.number(old[this.key[index] ?? 0] ?? '');
      this.show(index);
    }
  }
}
