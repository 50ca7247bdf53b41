// Time: play, pause, step, how fast, and the seed that makes a run repeatable.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { useSession } from '../state/context.ts';
import { clock, count, SPEEDS, speedName, speedShort } from '../state/format.ts';
import { Scrubber } from './Scrubber.tsx';

export function Transport() {
  const session = useSession();
  const playing = session.playing.value;
  const speed = SPEEDS[session.speed.value] ?? null;
  return (
    <section class="transport" aria-label="Time">
      <Scrubber />
      <div class="buttons">
        <button type="button" onClick={() => session.step(-1)} aria-label="Step back" title="One event back (,)">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M3 2.5h2v11H3zM13 2.5v11L6 8z" />
          </svg>
        </button>
        <button
          type="button"
          class="primary"
          onClick={() => session.togglePlay()}
          aria-label={playing ? 'Pause' : 'Play'}
          title={playing ? 'Pause (Space)' : 'Play (Space)'}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d={playing ? 'M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z' : 'M4 2v12l9-6z'} />
          </svg>
        </button>
        <button type="button" onClick={() => session.step(1)} aria-label="Step" title="One event on (.)">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="M11 2.5h2v11h-2zM3 2.5v11L10 8z" />
          </svg>
        </button>
      </div>
      <Clock />
      <label class="speed">
        <span>Speed</span>
        <input
          type="range"
          min={0}
          max={SPEEDS.length - 1}
          step={1}
          value={session.speed.value}
          aria-valuetext={session.scripts.paced.value ? 'as the script asks' : speedName(speed)}
          onInput={(event) => {
            session.scripts.paced.value = false;
            session.speed.value = Number(event.currentTarget.value);
          }}
        />
        <output>{session.scripts.paced.value ? 'auto' : speedShort(speed)}</output>
      </label>
      <Seed />
      <p
        class="print"
        title="The fingerprint of the run so far: the same seed and the same commands give the same, on any machine"
      >
        <span>Fingerprint</span>
        <code data-fingerprint>{session.snapshot.value?.fingerprint ?? ''}</code>
      </p>
    </section>
  );
}

/** The clock is written past Preact: sixty times a second, and nothing depends on it. */
function Clock() {
  const session = useSession();
  const time = useRef<HTMLTimeElement>(null);
  useEffect(() => {
    const show = () => {
      if (time.current) time.current.textContent = clock(session.motion.now);
    };
    show();
    return session.watchMotion(show);
  }, [session]);
  return (
    <p class="clock">
      <time ref={time} title="Simulated time" />
      <span data-steps>{count(session.snapshot.value?.steps ?? 0)} events</span>
    </p>
  );
}

const MOST = 2n ** 64n - 1n;

function Seed() {
  const session = useSession();
  const wrong = useSignal(false);
  const set = (text: string) => {
    wrong.value = !/^\d{1,20}$/.test(text) || BigInt(text) > MOST;
    if (!wrong.value) session.build({ ...session.settings.value, seed: String(BigInt(text)) });
  };
  return (
    <label class="seed">
      <span>Seed</span>
      <input
        type="text"
        inputMode="numeric"
        value={session.settings.value.seed}
        aria-invalid={wrong.value}
        title={
          wrong.value
            ? `A seed is a whole number from 0 to ${MOST}`
            : 'The same seed gives the same run. Enter starts it anew.'
        }
        onKeyDown={(event) => {
          if (event.key === 'Enter') set(event.currentTarget.value.trim());
        }}
        onChange={(event) => {
          const text = event.currentTarget.value.trim();
          if (text !== session.settings.value.seed) set(text);
        }}
      />
      <button
        type="button"
        class="small"
        onClick={() => session.build(session.settings.value)}
        title="Start this seed again"
      >
        Restart run
      </button>
    </label>
  );
}
