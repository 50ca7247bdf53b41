// What is known of the promises, and what a person does about them: mistakes switched on, failures looked for.

import { batch, type Signal, signal } from '@preact/signals';
import { type Broken, type Causes, NO_TRUTH, type Truth } from '../truth.ts';
import type { FinderAnswer, FinderRequest } from '../worker/finder-protocol.ts';
import { LAST_LINE } from '../worker/protocol.ts';
import { SPEEDS } from './format.ts';
import type { Session } from './session.ts';

/** The other side of a search: a worker, or a test. */
export interface Search {
  post(request: FinderRequest): void;
  listen(receive: (answer: FinderAnswer) => void): void;
  end(): void;
}

export class TruthState {
  readonly now: Signal<Truth> = signal(NO_TRUTH);
  /** What the run stopped at. */
  readonly stop: Signal<Broken | null> = signal(null);
  readonly causes: Signal<Causes | null> = signal(null);
  /** The mistake that is made, or nothing. */
  readonly mutant: Signal<string> = signal('');
  readonly finding: Signal<FinderAnswer | null> = signal(null);
  /** How a search is begun: set where there are workers. */
  begin: (() => Search) | null = null;
  private search: Search | null = null;
  /** When the run stops, it goes back to just before. */
  private before = false;

  constructor(private readonly session: Session) {}

  /** What led to a broken promise. */
  ask(seq: number): void {
    this.session.port.post({ type: 'causes', seq });
  }

  /** Makes a mistake from now on, or none; the run begins anew with all that was done. */
  setMutant(name: string): void {
    batch(() => {
      this.mutant.value = name;
      this.forget();
      this.session.playing.value = true;
    });
    this.session.leaveWorld();
    this.session.port.post({ type: 'mutant', name });
  }

  /** No mistake is made any more, for a run that is about to begin. */
  mend(): void {
    this.use('');
  }

  /** That mistake is made, or none, for a run that is about to begin. */
  use(mutant: string): void {
    if (this.mutant.value === mutant) return;
    this.mutant.value = mutant;
    this.forget();
    this.session.leaveWorld();
    this.session.port.post({ type: 'mutant', name: mutant });
  }

  /** Opens a script in place of the run, and plays it: on and on, to its end, or to just before a promise is broken. */
  open(text: string, mutant: string, until: 'ever' | 'end' | 'broken' = 'ever'): void {
    batch(() => {
      this.mutant.value = mutant;
      this.forget();
      this.session.speed.value = FAST;
      this.session.playing.value = true;
      this.before = until === 'broken';
    });
    this.session.leaveWorld();
    this.session.port.post({ type: 'mutant', name: mutant });
    this.session.openScript(text);
    if (until === 'end') this.session.port.post({ type: 'go', line: LAST_LINE });
  }

  find(from: number): void {
    this.cancel();
    const search = this.begin?.();
    if (!search) return;
    this.search = search;
    this.finding.value = { type: 'progress', seed: from, share: 0, shrinking: false, left: 0, commands: 0, broken: '' };
    search.listen((answer) => {
      if (this.search !== search) return;
      this.finding.value = answer;
      if (answer.type !== 'progress') this.over();
      if (answer.type === 'found' && answer.script) this.open(answer.script, this.mutant.value, 'broken');
    });
    search.post({ from, mutant: this.mutant.value });
  }

  cancel(): void {
    if (this.finding.value?.type === 'progress') this.finding.value = null;
    this.over();
  }

  /** What a snapshot says of it. */
  take(truth: Truth): void {
    // Several may be broken by one event: it is about the first of them.
    const before = new Set(this.now.value.broken.map((broken) => broken.promise));
    const news = truth.broken.find((broken) => !before.has(broken.promise)) ?? truth.broken.at(-1);
    const stopped = truth.stopped && this.session.playing.value ? news : undefined;
    this.now.value = truth;
    // Gone back to before it, it is not broken yet.
    const stop = this.stop.value;
    if (stop && !this.before && !truth.broken.some((broken) => broken.what === stop.what)) this.stop.value = null;
    if (!stopped) return;
    this.stop.value = stopped;
    this.session.playing.value = false;
    if (stopped.key) this.session.select(stopped.key);
    if (this.before) {
      this.before = false;
      this.session.step(-1);
      return;
    }
    if (stopped.seq > 0) this.ask(stopped.seq);
  }

  private forget(): void {
    this.now.value = { ...this.now.value, broken: [] };
    this.stop.value = null;
    this.causes.value = null;
    this.before = false;
    this.session.problem.value = null;
    this.session.log.value = [];
  }

  private over(): void {
    this.search?.end();
    this.search = null;
  }
}

/** Ten times real time, at which a minute's script takes some seconds. */
const FAST = SPEEDS.indexOf(10);
