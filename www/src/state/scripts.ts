// A script that is being played, and the lesson that it is for: what step it is at, and when it goes on.

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { LogRow, Played, Snapshot } from '../frame.ts';
import { nameOf } from '../frame.ts';
import type { Lesson } from '../lessons/lesson.ts';
import { scriptOf } from '../lessons/scripts.ts';
import { type Step, steps } from '../lessons/steps.ts';
import { LAST_LINE, type ToWorker } from '../worker/protocol.ts';
import { SPEEDS } from './format.ts';
import type { Session } from './session.ts';

export const STAGES = ['predict', 'run', 'verdict', 'break'] as const;
export type Stage = (typeof STAGES)[number];

export class Scripts {
  readonly lesson: Signal<Lesson | null> = signal(null);
  readonly stage: Signal<Stage> = signal('predict');
  /** The choice that the person has made, of the lesson's question. */
  readonly choice: Signal<number | null> = signal(null);
  readonly steps: Signal<readonly Step[]> = signal([]);
  /** The steps before this one may be done. */
  readonly allowed: Signal<number> = signal(0);
  /** The list of lessons is open. */
  readonly listed: Signal<boolean> = signal(false);
  /** Time goes as fast as the script's lines ask for, until the person sets a speed. */
  readonly paced: Signal<boolean> = signal(false);
  /** The run of the lesson goes with its mistake made. */
  readonly mistaken: Signal<boolean> = signal(false);
  readonly turnDone: Signal<boolean> = signal(false);

  readonly played: ReadonlySignal<Played | null>;
  /** A picture of the script that was loaded has come: before that, nobody can have left it. */
  private readonly shown: Signal<boolean> = signal(false);
  private answered = false;
  /** What was expected so far and is not so, in words. */
  readonly unmet: ReadonlySignal<readonly string[]>;
  /** The part of the page to look at. */
  readonly part: ReadonlySignal<string | null>;

  constructor(
    private readonly session: Session,
    private readonly post: (message: ToWorker) => void,
  ) {
    this.played = computed(() => session.snapshot.value?.played ?? null);
    this.unmet = computed(() => {
      const wrong = this.played.value?.expected.flatMap(({ wrong }) => (wrong === null ? [] : [wrong])) ?? [];
      // Another fingerprint says no more than that it is another run.
      return wrong.filter((why) => !why.includes('fingerprint'));
    });
    this.part = computed(() => {
      if (this.lesson.value === null || this.stage.value !== 'run') return null;
      return this.steps.value[this.allowed.value - 1]?.look.part ?? null;
    });
  }

  /** Makes the run of a script, and holds it at its beginning. */
  private load(text: string): void {
    batch(() => {
      this.mistaken.value = false;
      this.shown.value = false;
      this.answered = false;
      this.session.truth.mend();
      this.session.select(null);
      this.steps.value = steps(text);
      this.allowed.value = 0;
      this.paced.value = true;
      this.session.playing.value = false;
    });
    this.session.openScript(text);
    this.post({ type: 'go', line: 0 });
  }

  begin(lesson: Lesson): void {
    batch(() => {
      this.listed.value = false;
      this.lesson.value = lesson;
      this.stage.value = 'predict';
      this.choice.value = null;
      this.turnDone.value = false;
      this.load(scriptOf(lesson.name));
    });
  }

  /** The lesson is over, and so is its mistake; the run stays. */
  leave(): void {
    if (this.lesson.value === null) return;
    batch(() => {
      this.lesson.value = null;
      this.paced.value = false;
      this.mistaken.value = false;
      this.session.truth.mend();
    });
  }

  /** Back to the cluster of the first screen. */
  end(): void {
    this.leave();
    this.session.anew();
  }

  to(stage: Stage): void {
    batch(() => {
      if (stage !== 'break' && this.mistaken.value) this.restore();
      this.stage.value = stage;
      if (stage === 'run' && this.allowed.value === 0) this.next();
      if (stage === 'break') this.yours();
    });
  }

  /** Is a step being done? */
  get isBusy(): boolean {
    const played = this.played.value;
    return this.allowed.value > 0 && (played === null ? !this.shown.value : !played.held);
  }

  /** Has the person done something of their own in the middle of it? */
  get isLeft(): boolean {
    return this.allowed.value > 0 && this.shown.value && this.played.value === null;
  }

  get isOver(): boolean {
    return this.played.value?.over === true && this.allowed.value === this.steps.value.length;
  }

  /** Does the next step. */
  next(): void {
    const step = this.steps.value[this.allowed.value];
    const last = step?.lines.at(-1);
    if (!step || !last) return;
    batch(() => {
      this.allowed.value += 1;
      this.session.playing.value = true;
      if (step.look.key !== undefined) this.session.select(step.look.key);
      if (step.look.node !== undefined) this.session.selectedNode.value = step.look.node;
    });
    this.post({ type: 'go', line: last.number });
  }

  /** The rest of the steps, one after the other. */
  rest(): void {
    this.allowed.value = this.steps.value.length;
    this.session.playing.value = true;
    this.post({ type: 'go', line: LAST_LINE });
  }

  again(): void {
    const { lesson } = this;
    if (lesson.value) this.load(scriptOf(lesson.value.name));
    this.next();
  }

  /** The script is over, and time goes on: what happens now is up to the person. */
  yours(): void {
    const { session } = this;
    batch(() => {
      this.turnDone.value = false;
      this.paced.value = false;
      session.speed.value = OWN_SPEED;
      session.playing.value = true;
    });
    this.post({ type: 'leave' });
  }

  /** The lesson's run once more, with its mistake made: it stops where a promise is broken, or else at its end. */
  err(): void {
    const lesson = this.lesson.value;
    if (!lesson?.mutant) return;
    this.session.truth.open(scriptOf(lesson.name), lesson.mutant.name, 'end');
    batch(() => {
      this.mistaken.value = true;
      this.paced.value = false;
      this.session.speed.value = OWN_SPEED;
    });
  }

  /** The lesson as it was: its run without the mistake, at its end, and from there it is the person's. */
  mend(): void {
    this.restore();
    this.yours();
  }

  private restore(): void {
    const lesson = this.lesson.value;
    if (!lesson) return;
    this.session.truth.open(scriptOf(lesson.name), '', 'end');
    batch(() => {
      this.mistaken.value = false;
      this.allowed.value = this.steps.value.length;
      this.session.playing.value = false;
    });
    this.post({ type: 'seek', at: Number.MAX_SAFE_INTEGER });
  }

  /** Play or pause: where the script is held, playing is doing the next step. True when that was all. */
  toggled(): boolean {
    if (this.played.value?.held !== true) return false;
    if (this.stage.value === 'run' && this.lesson.value !== null) this.next();
    else if (this.played.value.over) this.yours();
    return true;
  }

  /** The run of the script that was asked for is there: what is shown next is of it. */
  opened(): void {
    this.answered = true;
  }

  follow(snapshot: Snapshot): void {
    const { played } = snapshot;
    if (this.answered) this.shown.value = true;
    // One that was taken before the script was left says that it is held, and it is no longer.
    const yours = this.stage.value === 'break' && !this.mistaken.value;
    if (played?.held && !yours && this.session.playing.value && this.isCaughtUp(played)) {
      this.session.playing.value = false;
    }
    const done = this.lesson.value?.turn.done;
    const end = this.session.opened.value?.end;
    if (!done || end === undefined || this.stage.value !== 'break' || this.mistaken.value || this.turnDone.value)
      return;
    const says = (row: LogRow) => `${nameOf(row.place)} ${row.kind} ${row.key}: ${row.text}`;
    // What the script itself did is nothing that the person has done.
    if (snapshot.log.some((row) => row.at > end && done.test(says(row)))) this.turnDone.value = true;
  }

  /** Has it done all that it was allowed to do? It is held at once, before it has heard of more. */
  private isCaughtUp(played: Played): boolean {
    if (played.over) return true;
    const last = this.steps.value[this.allowed.value - 1]?.lines.at(-1);
    return last === undefined || played.line >= last.number;
  }
}

/** Real time: the seconds that a text speaks of are those of the person. */
const OWN_SPEED = SPEEDS.indexOf(1);
