// The time line: where the run is, how far it has been, what is marked on the way; and its other branch below it.

import { useComputed } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Mark, MarkKind } from '../course.ts';
import { useSession } from '../state/context.ts';
import { clock, count, moment } from '../state/format.ts';
import type { Session } from '../state/session.ts';
import { worded } from '../state/version.ts';

export function Scrubber() {
  const session = useSession();
  const { time } = session;
  const track = useRef<HTMLDivElement>(null);
  const end = Math.max(1, time.end.value);
  const fork = time.fork.value;
  useEffect(() => {
    // Past Preact, as the clock: sixty times a second.
    const show = () => {
      const element = track.current;
      if (!element) return;
      const all = Math.max(1, time.end.value, session.motion.now);
      element.style.setProperty('--at', String(session.motion.now / all));
    };
    show();
    return session.watchMotion(show);
  }, [session, time]);
  const groups = useComputed(() => grouped(time.marks.value, Math.max(1, time.end.value)));
  const last = session.log.value.at(-1);
  const now = session.snapshot.value?.now ?? 0;
  const go = (event: PointerEvent) => {
    const box = track.current?.getBoundingClientRect();
    if (box && box.width > 0) time.seek(((event.clientX - box.left) / box.width) * end);
  };
  return (
    <div class={fork ? 'course forked' : 'course'}>
      <div
        ref={track}
        class="scrubber"
        role="slider"
        tabIndex={0}
        aria-label="Moment of the run"
        aria-valuemin={0}
        aria-valuemax={Math.round(end / 1000)}
        aria-valuenow={Math.min(Math.round(now / 1000), Math.round(end / 1000))}
        aria-valuetext={`${moment(now)} of ${moment(end)} milliseconds${last ? `; ${worded(last.text)}` : ''}`}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          go(event);
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) go(event);
        }}
        onKeyDown={(event) => {
          if (!moved(event.key, session, end)) return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <span class="line" />
        <span class="passed" />
        {groups.value.map(({ place, kind, marks }) => (
          <span key={`${kind} ${place}`} class={`mark ${kind}`} style={{ left: `${place}%` }} title={words(marks)} />
        ))}
        <span class="thumb" />
        {fork && (
          <span
            class="branch"
            style={{ left: `${(100 * fork.at) / end}%`, right: `${Math.max(0, 100 - (100 * fork.end) / end)}%` }}
          />
        )}
      </div>
      <div class="jumps">
        <button
          type="button"
          class="quiet small"
          onClick={() => time.jump(-1)}
          aria-label="To the fault before"
          title="To the fault or violation before ([)"
        >
          ⇤
        </button>
        <button
          type="button"
          class="quiet small"
          onClick={() => time.jump(1)}
          aria-label="To the next fault"
          title="To the next fault or violation (])"
        >
          ⇥
        </button>
        <button
          type="button"
          class="small"
          onClick={() => time.forkOrSwap()}
          title={
            fork
              ? 'Bring the other branch to the front (F)'
              : 'Two branches from this moment: what you do next happens in one of them (F)'
          }
        >
          {fork ? `Switch to ${fork.newer ? 'A' : 'B'}` : 'Fork'}
        </button>
      </div>
    </div>
  );
}

/** The keys of a slider, while it has the focus. */
function moved(key: string, { time, motion }: Session, end: number): boolean {
  const by: Record<string, number> = {
    ArrowLeft: -1,
    ArrowDown: -1,
    ArrowRight: 1,
    ArrowUp: 1,
    PageDown: -10,
    PageUp: 10,
  };
  const steps = by[key];
  if (steps === undefined) return false;
  time.seek(motion.now + (steps * end) / 100);
  return true;
}

function words([first, ...more]: readonly Mark[]): string {
  const others = more.length > 0 ? `, and ${count(more.length)} more` : '';
  return first ? `${clock(first.at)}: ${worded(first.text)}${others}` : '';
}

/** Marks that would be drawn over each other, as one: two hundred places. */
export function grouped(marks: readonly Mark[], end: number) {
  const groups = new Map<string, { place: number; kind: MarkKind; marks: Mark[] }>();
  for (const mark of marks) {
    const place = Math.min(100, Math.round((200 * mark.at) / end) / 2);
    const group = groups.get(`${mark.kind} ${place}`);
    if (group) group.marks.push(mark);
    else groups.set(`${mark.kind} ${place}`, { place, kind: mark.kind, marks: [mark] });
  }
  return [...groups.values()];
}
