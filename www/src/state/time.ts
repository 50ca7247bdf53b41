// Going anywhere in the run: one wish at a time is sent, the latest, however fast a person drags.

import { type Signal, signal } from '@preact/signals';
import { type Course, type CourseRequest, type Fork, type Mark, neighbour } from '../course.ts';
import type { Session } from './session.ts';

type Wish = Extract<CourseRequest, { type: 'seek' | 'seek-event' }>;

export class Time {
  /** How far the run has been, in simulated microseconds. */
  readonly end: Signal<number> = signal(0);
  readonly marks: Signal<readonly Mark[]> = signal([]);
  readonly fork: Signal<Fork | null> = signal(null);
  private wish: Wish | null = null;

  constructor(private readonly session: Session) {}

  /** To a moment, in simulated microseconds. */
  seek(at: number): void {
    this.want({ type: 'seek', at: Math.max(0, Math.min(this.end.value, Math.round(at))) });
  }

  /** To the latest moment there is: the worker may be further than its last picture said. */
  last(): void {
    this.want({ type: 'seek', at: Number.MAX_SAFE_INTEGER });
  }

  /** To just after an event. */
  seekEvent(seq: number): void {
    this.want({ type: 'seek-event', seq });
  }

  /** To the fault or violation before or after this moment. */
  jump(by: 1 | -1): void {
    const last = this.session.log.value.at(-1)?.seq ?? 0;
    const mark = neighbour(this.marks.value, this.session.motion.now, last, by);
    if (mark) this.seekEvent(mark.seq);
  }

  /** Makes a second branch here; where there is one, it comes to the front. */
  forkOrSwap(): void {
    this.session.port.post({ type: this.fork.value ? 'swap' : 'fork' });
  }

  /** Lets the other branch go. */
  join(): void {
    this.session.port.post({ type: 'join-branches' });
  }

  /** Passes the latest wish on, if there is one: once for each frame. */
  send(): void {
    if (this.wish) this.session.port.post(this.wish);
    this.wish = null;
  }

  /** What a snapshot says of it. */
  take(course: Course): void {
    this.end.value = course.end;
    if (course.marks) this.marks.value = course.marks;
    this.fork.value = course.fork;
  }

  private want(wish: Wish): void {
    this.session.playing.value = false;
    this.wish = wish;
  }
}
