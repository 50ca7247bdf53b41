// The events of a run, as many as a person scrolls through, in typed arrays: their memory is what it is from the start.

import { CLIENTS, nameOf, type Place } from '../frame.ts';

/** Events that are kept; older ones are let go a quarter at a time. */
export const MOST_EVENTS = 131_072;

export const SHAPES = ['point', 'arrow', 'lost'] as const;
export type Shape = (typeof SHAPES)[number];

/** What the worker has recorded since the last time. */
export interface Recorded {
  /** The number of the latest event: what is kept beyond it was gone back on. */
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

  /** Rows to scroll through. */
  get length(): number {
    return this.shown;
  }

  /** Nothing is kept. */
  clear(): void {
    this.kept = 0;
    this.shown = 0;
    this.words = [''];
    this.known = new Map([['', 0]]);
  }

  take({ latest, numbers, words }: Recorded): void {
    const first = numbers[0] ?? latest + 1;
    // Somebody went on to another moment: what lies between is not known.
    if (this.kept > 0 && numbers.length > 0 && first > (this.seq[this.kept - 1] ?? 0) + 1) this.clear();
    while (this.kept > 0 && (this.seq[this.kept - 1] ?? 0) >= first) this.kept -= 1;
    while (this.shown > 0 && (this.rows[this.shown - 1] ?? 0) >= this.kept) this.shown -= 1;
    for (let at = 0, word = 0; at + WIDTH <= numbers.length; at += WIDTH, word += 2) {
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
    let [low, high] = [0, this.shown];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.at[this.rows[middle] ?? 0] ?? 0) < moment) low = middle + 1;
      else high = middle;
    }
    return low - 0.5;
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
