// The promises, checked while the run goes on: held, or broken where, and what led to that.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { useSession } from '../state/context.ts';
import { clock, count } from '../state/format.ts';
import { type Broken, PROMISES } from '../truth.ts';
import { Moments } from './Moments.tsx';
import { Said } from './Said.tsx';

export function PromisePanel() {
  const session = useSession();
  const { checked, broken } = session.truth.now.value;
  const stop = session.truth.stop.value;
  const open = useSignal(false);
  const first = PROMISES.map((_, index) => broken.find((one) => one.promise === index));
  const bad = first.filter(Boolean).length;
  const looked = checked.reduce((sum, times) => sum + times, 0);
  return (
    <section class={bad > 0 ? 'panel promises bad' : 'panel promises'} aria-labelledby="promises-title">
      <h2 id="promises-title">
        Promises
        <span class="verdict">
          {bad > 0
            ? `✕ ${bad} of ${PROMISES.length} broken`
            : looked > 0
              ? `✓ held, ${brief(looked)} checks`
              : 'not checked'}
        </span>
      </h2>
      {stop && <Stopped broken={stop} />}
      <details
        class="more"
        open={open.value}
        onToggle={(event) => {
          open.value = event.currentTarget.open;
        }}
      >
        <summary>P1 to P9, one by one</summary>
        {open.value && (
          <ul>
            {PROMISES.map((promise, index) => {
              const one = first[index];
              return (
                <li key={promise.name} class={one ? 'broken' : ''}>
                  <p>
                    <b>{promise.name}</b> {promise.short}
                    <span class="state">
                      {one ? `✕ at ${clock(one.at)}` : checked[index] ? `✓ ${brief(checked[index] ?? 0)}` : '–'}
                    </span>
                  </p>
                  <p class="hint">{promise.means}</p>
                  {one && (
                    <p class="acts">
                      <Said text={one.what} />
                      <Go broken={one} />
                    </p>
                  )}
                </li>
              );
            })}
          </ul>
        )}
      </details>
    </section>
  );
}

/** The run has stopped here. */
function Stopped({ broken }: { broken: Broken }) {
  const session = useSession();
  const promise = PROMISES[broken.promise];
  const causes = session.truth.causes.value;
  const alert = useRef<HTMLParagraphElement>(null);
  // Whoever has asked for it further down is taken to it; a lesson says it itself.
  useEffect(() => {
    if (!session.scripts.mistaken.value) alert.current?.scrollIntoView?.({ block: 'nearest' });
  }, [broken, session]);
  return (
    <>
      <p class="problem" role="alert" ref={alert}>
        <b>
          {promise?.name} {promise?.short}
        </b>{' '}
        is broken at {clock(broken.at)}: <Said text={broken.what} />
      </p>
      <p class="acts">
        <Go broken={broken} />
        <button type="button" class="link" onClick={() => session.step(-1)}>
          step back
        </button>
      </p>
      {causes && causes.seq === broken.seq && causes.events.length > 1 && (
        <>
          <h3 id="causes-title">What led to it</h3>
          <Moments rows={causes.events} last={causes.seq} title="causes-title" />
        </>
      )}
    </>
  );
}

function Go({ broken }: { broken: Broken }) {
  const session = useSession();
  if (broken.seq === 0) return null;
  const go = () => {
    session.time.seekEvent(broken.seq);
    if (broken.key) session.select(broken.key);
    session.truth.stop.value = broken;
    session.truth.ask(broken.seq);
  };
  return (
    <button type="button" class="link" onClick={go}>
      go there
    </button>
  );
}

/** A count in few characters. */
function brief(n: number): string {
  return n < 100_000 ? count(n) : n < 1e7 ? `${count(n / 1_000)} k` : `${count(n / 1e6)} M`;
}
