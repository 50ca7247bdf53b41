import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { RaceButton } from '../race/Door.tsx';
import { useSession } from '../state/context.ts';
import { count, percent } from '../state/format.ts';
import { NumberField } from './fields.tsx';

/** A recorded trace of requests, dropped on the page: read each key, and on a miss write it. */
export function TracePanel() {
  const session = useSession();
  const chooser = useRef<HTMLInputElement>(null);
  const nodes = useSignal(1);
  const capacity = useSignal(500);
  const trace = session.trace.value;
  const replay = session.snapshot.value?.replay ?? null;
  const run = () =>
    session.replay({
      ...session.settings.value,
      nodes: nodes.value,
      replicas: Math.min(2, nodes.value),
      capacity: capacity.value,
    });
  return (
    <section class="panel" aria-labelledby="trace-title">
      <h2 id="trace-title">
        Recorded trace
        <button type="button" class="small" onClick={() => chooser.current?.click()}>
          Open…
        </button>
      </h2>
      <input
        ref={chooser}
        type="file"
        class="unseen"
        tabIndex={-1}
        aria-label="Trace file"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file) session.open(file);
          event.currentTarget.value = '';
        }}
      />
      {!trace && (
        <p class="hint">
          Drop a file anywhere: a key a line, CSV, oracleGeneral or Twitter’s format; plain, .gz or .zst.
        </p>
      )}
      {!trace && <RaceButton class="wide" />}
      {trace && (
        <>
          <p class="file" aria-live="polite">
            <b>{trace.name}</b>
            <br />
            {trace.whole ? `${count(trace.requests)} requests` : `reading… ${count(trace.requests)} requests`}
          </p>
          {!trace.whole && <progress aria-label="Reading the file" max={trace.bytes} value={trace.bytesRead} />}
          <div class="pair">
            <NumberField label="Nodes" value={nodes.value} min={1} max={32} onChange={(n) => (nodes.value = n)} />
            <NumberField
              label="Capacity"
              unit="entries"
              value={capacity.value}
              min={1}
              max={100_000}
              onChange={(n) => (capacity.value = n)}
            />
          </div>
          <button type="button" class="primary wide" disabled={!trace.whole} onClick={run}>
            Replay it
          </button>
          {trace.whole && <RaceButton class="wide" file={session.traceFile.value} />}
        </>
      )}
      {replay && (
        <>
          <progress aria-label="Replayed" max={replay.requests} value={replay.done} />
          <dl class="results">
            <div>
              <dt>requests</dt>
              <dd data-result="requests">{count(replay.done)}</dd>
            </div>
            <div>
              <dt>hits</dt>
              <dd data-result="hits">{count(replay.hits)}</dd>
            </div>
            <div>
              <dt>misses</dt>
              <dd data-result="misses">{count(replay.misses)}</dd>
            </div>
            <div>
              <dt>miss ratio</dt>
              <dd data-result="ratio">{percent(replay.misses, replay.done)}</dd>
            </div>
          </dl>
          <p class="hint" role="status">
            {replay.done === replay.requests
              ? `Done: ${replay.name}.`
              : `${percent(replay.done, replay.requests)} of ${replay.name}`}
          </p>
        </>
      )}
    </section>
  );
}

/** Takes files dropped anywhere on the page. */
export function DropTarget() {
  const session = useSession();
  const over = useSignal(false);
  useEffect(() => {
    const files = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false;
    const enter = (event: DragEvent) => {
      if (!files(event)) return;
      event.preventDefault();
      over.value = true;
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) over.value = false;
    };
    const drop = (event: DragEvent) => {
      if (!files(event)) return;
      event.preventDefault();
      over.value = false;
      const file = event.dataTransfer?.files[0];
      if (file) session.open(file);
    };
    addEventListener('dragenter', enter);
    addEventListener('dragover', enter);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragenter', enter);
      removeEventListener('dragover', enter);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, [session, over]);
  if (!over.value) return null;
  return (
    // Above a dialog that is open.
    <div class="drop" popover="manual" ref={(drop) => drop?.showPopover?.()}>
      {session.race.value ? 'Drop a trace to race on it' : 'Drop a trace to replay it, or a script to run it'}
    </div>
  );
}
