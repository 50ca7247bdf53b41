// What the page knows of a race, and what a person can do with it: signals fed by the worker. Draws nothing.

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Workload } from '../worker/protocol.ts';
import {
  BELADY,
  type Course,
  type Curve,
  type FromRacer,
  type Gone,
  type Reading,
  type Sample,
  type ToRacer,
} from './protocol.ts';
import { type BuiltIn, builtIn } from './traces.ts';

/** The other side: a worker, or a test. */
export interface RacePort {
  post(message: ToRacer): void;
  listen(receive: (message: FromRacer) => void): void;
}

/** Where the requests come from. */
export type Source = BuiltIn | 'workload' | 'file';

/**
 * Nothing read; a file being read; read; the race runs, stands still, or is over. The curve is drawn apart from it:
 * after the race, or when nothing else is done.
 */
export type Phase = 'empty' | 'reading' | 'ready' | 'running' | 'paused' | 'over';

/** A race takes no less than that, so that it can be watched. */
export const SECONDS = 6;

export class RaceState {
  readonly source: Signal<Source> = signal('sprite');
  readonly phase: Signal<Phase> = signal('empty');
  readonly reading: Signal<Reading | null> = signal(null);
  readonly course: Signal<Course | null> = signal(null);
  /** Entries of every cache of the race that is to come. */
  readonly capacity: Signal<number> = signal(100);
  /** Entries of the race whose samples these are. */
  readonly raced: Signal<number> = signal(100);
  readonly samples: Signal<readonly Sample[]> = signal([]);
  readonly gone: Signal<readonly (Gone | null)[] | null> = signal(null);
  readonly curve: Signal<Curve | null> = signal(null);
  readonly curving: Signal<boolean> = signal(false);
  readonly problem: Signal<string | null> = signal(null);

  readonly last: ReadonlySignal<Sample | null> = computed(() => this.samples.value.at(-1) ?? null);
  readonly standing: ReadonlySignal<Standing | null> = computed(
    () => this.last.value && standing(this.last.value.hits),
  );

  private run = 0;

  constructor(private readonly port: RacePort) {
    port.listen((message) => this.receive(message));
  }

  /** One of the page's own traces. */
  async choose(name: BuiltIn): Promise<void> {
    const run = this.begin(name);
    try {
      const file = await builtIn(name);
      if (run === this.run) this.port.post({ type: 'read', run, file });
    } catch (problem) {
      if (run === this.run) this.fail(problem instanceof Error ? problem.message : String(problem));
    }
  }

  chooseWorkload(workload: Workload, seed: string): void {
    this.port.post({ type: 'workload', run: this.begin('workload'), workload, seed });
  }

  open(file: File): void {
    this.port.post({ type: 'read', run: this.begin('file'), file });
  }

  /** From the start of the trace; over at once where nothing is to move. */
  start(still = false): void {
    if (this.course.value === null) return;
    this.run += 1;
    batch(() => {
      this.phase.value = 'running';
      this.curving.value = false;
      if (this.curve.value?.over === false) this.curve.value = null;
      this.samples.value = [];
      this.gone.value = null;
      this.problem.value = null;
      this.raced.value = this.capacity.value;
    });
    this.port.post({ type: 'race', run: this.run, capacity: this.capacity.value, seconds: still ? 0 : SECONDS });
  }

  togglePause(): void {
    const on = this.phase.value === 'running';
    if (!on && this.phase.value !== 'paused') return;
    this.phase.value = on ? 'paused' : 'running';
    this.port.post({ type: 'pause', run: this.run, on });
  }

  /** No longer slower than the machine. */
  hurry(): void {
    if (this.phase.value === 'paused') this.togglePause();
    if (this.phase.value === 'running') this.port.post({ type: 'hurry', run: this.run });
  }

  /** The race or the curve ends here; a race that was not over is gone. */
  cancel(): void {
    if (!this.busy && !this.curving.value) return;
    this.run += 1;
    this.port.post({ type: 'stop', run: this.run });
    batch(() => {
      if (this.curving.value) this.curve.value = null;
      this.curving.value = false;
      if (!this.busy) return;
      this.phase.value = 'ready';
      this.samples.value = [];
      this.gone.value = null;
    });
  }

  drawCurve(): void {
    if (this.course.value === null || this.busy || this.curving.value) return;
    this.run += 1;
    batch(() => {
      this.curve.value = null;
      this.curving.value = true;
      this.problem.value = null;
    });
    this.port.post({ type: 'curve', run: this.run });
  }

  private get busy(): boolean {
    return this.phase.value === 'running' || this.phase.value === 'paused';
  }

  private begin(source: Source): number {
    this.run += 1;
    batch(() => {
      this.source.value = source;
      this.phase.value = 'reading';
      this.reading.value = null;
      this.course.value = null;
      this.samples.value = [];
      this.gone.value = null;
      this.curve.value = null;
      this.curving.value = false;
      this.problem.value = null;
    });
    return this.run;
  }

  private fail(text: string): void {
    batch(() => {
      this.problem.value = text;
      this.curving.value = false;
      if (this.phase.value === 'reading') this.phase.value = 'empty';
      else if (this.busy) this.phase.value = 'ready';
    });
  }

  private receive(message: FromRacer): void {
    // What is about something that was given up is not shown; what has no number is about the worker itself.
    if (message.run !== this.run && message.run !== 0) return;
    switch (message.type) {
      case 'reading':
        this.reading.value = message.reading;
        break;
      case 'course':
        batch(() => {
          this.course.value = message.course;
          this.capacity.value = Math.max(1, Math.round(message.course.keys / 10));
          this.phase.value = 'ready';
        });
        break;
      case 'race':
        batch(() => {
          if (message.samples.length > 0) this.samples.value = [...this.samples.value, ...message.samples];
          this.gone.value = message.gone;
          if (message.over) this.phase.value = 'over';
        });
        if (message.over && this.curve.value === null) this.drawCurve();
        break;
      case 'curve':
        batch(() => {
          this.curve.value = message.curve;
          if (message.curve.over) this.curving.value = false;
        });
        break;
      case 'problem':
        this.fail(message.text);
        break;
    }
  }
}

export interface Standing {
  /** Who of those that do not know the future has most hits; more than one where they are level. */
  readonly first: readonly number[];
  /** The best of the others; `null` where there is none. */
  readonly second: number | null;
}

export function standing(hits: readonly number[]): Standing {
  const order = hits.map((_, racer) => racer).filter((racer) => racer !== BELADY);
  order.sort((a, b) => (hits[b] ?? 0) - (hits[a] ?? 0));
  const most = hits[order[0] ?? 0];
  const first = order.filter((racer) => hits[racer] === most).sort((a, b) => a - b);
  return { first, second: order[first.length] ?? null };
}
