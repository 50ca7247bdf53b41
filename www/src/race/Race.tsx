// The eviction race: policies side by side on one trace, over the whole page. Fetched when it is asked for.

import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { NumberField } from '../panels/fields.tsx';
import { useSession } from '../state/context.ts';
import { count } from '../state/format.ts';
import { TimeChart } from './Charts.tsx';
import { CurvePart } from './CurvePart.tsx';
import { racePort } from './port.ts';
import { Standings } from './Standings.tsx';
import { RaceState, type Source } from './state.ts';
import { BUILT_IN } from './traces.ts';
import { verdict } from './words.ts';
import './race.css';

export function Race() {
  const session = useSession();
  const state = useMemo(() => new RaceState(racePort()), []);
  const dialog = useRef<HTMLDialogElement>(null);
  const wish = session.race.value;
  useEffect(() => {
    if (wish === null) {
      dialog.current?.close();
      if (state.phase.value === 'running') state.togglePause();
      return;
    }
    if (!dialog.current?.open) dialog.current?.showModal();
    if (wish.file) state.open(wish.file);
    else if (state.phase.value === 'empty' && state.problem.value === null) void state.choose('sprite');
  }, [wish, state]);
  return (
    <dialog
      ref={dialog}
      class="race"
      aria-labelledby="race-title"
      onClose={() => {
        session.race.value = null;
      }}
    >
      <Head state={state} />
      <Controls state={state} />
      <Verdict state={state} />
      <div class="halves">
        <section aria-labelledby="time-title">
          <TimePart state={state} />
          <Standings state={state} />
          <p class="hint">
            A request that finds its key is a hit, and one that does not writes it; sizes of values and deadlines are
            left aside. Belady knows the future: no cache of that size has more hits. A pause shows whom each let go
            last.
          </p>
        </section>
        <section aria-labelledby="sizes-title">
          <CurvePart state={state} />
        </section>
      </div>
    </dialog>
  );
}

function Head({ state }: { state: RaceState }) {
  const session = useSession();
  const chooser = useRef<HTMLInputElement>(null);
  const source = state.source.value;
  const { kind, keys } = session.workload.value;
  const choose = (name: Source) => {
    if (name === 'file') chooser.current?.click();
    else if (name === 'workload') state.chooseWorkload(session.workload.value, session.settings.value.seed);
    else void state.choose(name);
  };
  return (
    <header>
      <h2 id="race-title">The eviction race</h2>
      <label>
        <span class="unseen">Trace</span>
        <select
          value={source}
          onChange={(event) => {
            choose(event.currentTarget.value as Source);
          }}
        >
          {Object.entries(BUILT_IN).map(([name, says]) => (
            <option key={name} value={name}>
              {says}
            </option>
          ))}
          <option value="workload">{`The workload that is set: ${kind}, ${count(keys)} keys`}</option>
          {source === 'file' && (
            <option value="file">{state.course.value?.name ?? state.reading.value?.name ?? 'A file'}</option>
          )}
        </select>
      </label>
      <button type="button" onClick={() => chooser.current?.click()}>
        Open a trace…
      </button>
      <input
        ref={chooser}
        type="file"
        class="unseen"
        tabIndex={-1}
        aria-label="Trace file of the race"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) state.open(file);
          event.currentTarget.value = '';
        }}
      />
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </header>
  );
}

function Controls({ state }: { state: RaceState }) {
  const course = state.course.value;
  const phase = state.phase.value;
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const busy = phase === 'running' || phase === 'paused';
  const most = course?.keys ?? 1;
  const choose = (entries: number) => {
    state.capacity.value = entries;
  };
  const again = phase === 'over' && state.raced.value === state.capacity.value;
  return (
    <div class="controls">
      <NumberField
        label="Entries"
        unit={course ? `of ${count(most)} keys` : 'of each cache'}
        value={state.capacity.value}
        min={1}
        max={Math.max(1, most)}
        onChange={choose}
      />
      <input
        type="range"
        aria-label="Size of the cache"
        aria-valuetext={`${count(state.capacity.value)} entries`}
        min={0}
        max={STEPS}
        value={Math.round((STEPS * Math.log(state.capacity.value)) / Math.log(Math.max(2, most)))}
        disabled={!course}
        onInput={(event) =>
          choose(Math.max(1, Math.min(most, Math.round(most ** (Number(event.currentTarget.value) / STEPS)))))
        }
      />
      <div class="buttons">
        {busy ? (
          <button type="button" class="primary" onClick={() => state.togglePause()}>
            {phase === 'running' ? 'Pause' : 'Go on'}
          </button>
        ) : (
          <button type="button" class="primary" disabled={!course} onClick={() => state.start(still)}>
            {again ? 'Race again' : 'Start the race'}
          </button>
        )}
        {/* Not disabled: who has pressed one keeps the focus. */}
        <button type="button" aria-disabled={!busy} onClick={() => state.hurry()}>
          To the end
        </button>
        <button type="button" aria-disabled={!busy && !state.curving.value} onClick={() => state.cancel()}>
          Cancel
        </button>
      </div>
    </div>
  );
}

/** Positions of the slider: each is a few percent larger than the one before. */
const STEPS = 200;

/** How it stands, or what is wrong, in a sentence. Only what lasts is read out by itself. */
function Verdict({ state }: { state: RaceState }) {
  const phase = state.phase.value;
  const [last, standing, course, reading] = [
    state.last.value,
    state.standing.value,
    state.course.value,
    state.reading.value,
  ];
  const over = phase === 'over';
  let text =
    'Choose a trace, or drop a file here: a key a line, CSV, oracleGeneral or Twitter’s format; plain, .gz or .zst.';
  if (phase === 'reading') text = `Reading ${reading?.name ?? 'the trace'}… ${count(reading?.requests ?? 0)} requests`;
  else if (last && standing) text = verdict(last, standing, state.raced.value, over);
  else if (phase === 'running') text = 'And they are off.';
  else if (course) {
    text = `${course.name}: ${count(course.requests)} requests for ${count(course.keys)} keys. Who misses least?`;
  }
  const done = last && course ? last.asked : 0;
  return (
    <>
      {state.problem.value && (
        <p class="problem" role="alert">
          {state.problem.value}
        </p>
      )}
      <p
        class={over ? 'verdict over' : 'verdict'}
        role="status"
        aria-live={phase === 'running' || phase === 'reading' ? 'off' : 'polite'}
      >
        {text}
      </p>
      {phase === 'reading' ? (
        <progress aria-label="Reading the file" max={reading?.bytes || 1} value={reading?.bytesRead ?? 0} />
      ) : (
        <progress aria-label="The race" max={course?.requests ?? 1} value={done} />
      )}
    </>
  );
}

function TimePart({ state }: { state: RaceState }) {
  const lately = useSignal(false);
  const asked = state.last.value?.asked ?? 0;
  const says = `Hit ratio of each racer over ${count(asked)} requests: the table below has it in numbers`;
  return (
    <>
      <h3 id="time-title">
        Hit ratio as the trace goes by
        <label class="lately">
          <input
            type="checkbox"
            checked={lately.value}
            onChange={(event) => {
              lately.value = event.currentTarget.checked;
            }}
          />
          Only lately
        </label>
      </h3>
      <TimeChart
        samples={state.samples.value}
        requests={state.course.value?.requests ?? 0}
        lately={lately.value}
        says={says}
      />
    </>
  );
}
