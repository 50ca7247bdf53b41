import { useSignal } from '@preact/signals';
import { type ClusterMap, nameOf } from '../frame.ts';
import { useSession } from '../state/context.ts';
import { FIRST } from '../state/session.ts';
import type { Fsync, Policy, ReadLevel, Settings, WriteLevel } from '../worker/protocol.ts';
import { ChoiceField, NumberField } from './fields.tsx';

const WRITES: Readonly<Record<WriteLevel, string>> = {
  one: 'one: the primary has it',
  live: 'live: every live replica has it',
  quorum: 'quorum: a majority has it',
  all: 'all: all replicas have it',
};
const READS: Readonly<Record<ReadLevel, string>> = {
  primary: 'primary: the one in charge',
  one: 'one: whoever holds a copy',
  quorum: 'quorum: a majority agrees',
};

const FSYNCS: Readonly<Record<Fsync, string>> = {
  off: 'off: no log, memory only',
  always: 'always: an answer waits for the disk',
  everysec: 'everysec: once a second',
  never: 'never: when the system likes',
};

const EVICTED: Readonly<Record<Policy, string>> = {
  lru: 'LRU: the one used longest ago',
  sieve: 'SIEVE: the next one not used since',
  's3-fifo': 'S3-FIFO: a newcomer not used again',
  'w-tinylfu': 'W-TinyLFU: the less often used of two',
};

/** What to build. The same settings and the same seed give the same run, event by event. */
export function ClusterPanel() {
  const session = useSession();
  const draft = useSignal<Settings>(FIRST);
  const built = session.settings.value;
  const known = useSignal(built);
  if (known.value !== built) {
    known.value = built;
    draft.value = built;
  }
  const change = (part: Partial<Settings>) => {
    draft.value = { ...draft.value, ...part };
  };
  const { nodes, replicas, capacity, virtualNodes, writeLevel, readLevel } = draft.value;
  const { lossPerMille, fsync, saveAbove, policy, standIn } = draft.value;
  const build = (event: Event) => {
    event.preventDefault();
    session.build({
      ...draft.value,
      replicas: Math.min(replicas, nodes),
      saveAbove: fsync === 'off' ? 0 : saveAbove,
      seed: session.settings.value.seed,
    });
  };
  return (
    <section class="panel" aria-labelledby="cluster-title">
      <form onSubmit={build}>
        <h2 id="cluster-title">
          Cluster
          <button type="submit" class="small">
            Build
          </button>
        </h2>
        <div class="trio">
          <NumberField label="Nodes" value={nodes} min={1} max={32} onChange={(nodes) => change({ nodes })} />
          <NumberField
            label="Copies, N"
            value={replicas}
            min={1}
            max={8}
            onChange={(replicas) => change({ replicas })}
          />
          <NumberField
            label="Capacity"
            value={capacity}
            min={1}
            max={100_000}
            onChange={(capacity) => change({ capacity })}
          />
        </div>
        <ChoiceField
          label="When a node is full, out goes"
          value={policy}
          choices={EVICTED}
          onChange={(policy) => change({ policy })}
        />
        <Members />
        <details class="more">
          <summary>Levels, log, ring, network</summary>
          <NumberField
            label="Virtual nodes"
            value={virtualNodes}
            min={1}
            max={512}
            onChange={(virtualNodes) => change({ virtualNodes })}
          />
          <ChoiceField
            label="A write is done when"
            value={writeLevel}
            choices={WRITES}
            onChange={(writeLevel) => change({ writeLevel })}
          />
          <ChoiceField
            label="A read is answered by"
            value={readLevel}
            choices={READS}
            onChange={(readLevel) => change({ readLevel })}
          />
          <ChoiceField
            label="Log on disk, fsync"
            value={fsync}
            choices={FSYNCS}
            onChange={(fsync) => change({ fsync })}
          />
          {fsync !== 'off' && (
            <NumberField
              label="Snapshot at a log of"
              unit="bytes; 0: only by hand"
              value={saveAbove}
              min={0}
              max={MOST_LOG}
              onChange={(saveAbove) => change({ saveAbove })}
            />
          )}
          <NumberField
            label="Others stand in after"
            unit="ms down; 0: never"
            value={standIn}
            min={0}
            max={60_000}
            onChange={(standIn) => change({ standIn })}
          />
          <NumberField
            label="Lost messages"
            unit="of 1,000"
            value={lossPerMille}
            min={0}
            max={900}
            onChange={(lossPerMille) => change({ lossPerMille })}
          />
        </details>
      </form>
    </section>
  );
}

/** A log of more is longer than any that a page comes to. */
const MOST_LOG = 100_000_000;

/** As many as the page has colours and room for. */
const MOST_NODES = 32;

/** The running cluster's members: one more, or the chosen one less, with nothing lost. */
function Members() {
  const session = useSession();
  const snapshot = session.snapshot.value;
  if (!snapshot) return null;
  const { nodes, map } = snapshot;
  const chosen = nodes.find((node) => node.id === session.selectedNode.value) ?? nodes.at(-1);
  const going = chosen === undefined || chosen.leaving || nodes.filter((node) => !node.leaving).length < 2;
  return (
    <div class="members">
      <p class="hint" role="status">
        {progress(map)}
      </p>
      <button
        type="button"
        class="small"
        disabled={nodes.length + map.waiting >= MOST_NODES}
        title="A new machine joins: its share of the slots moves to it while the old owners answer"
        onClick={() => session.addNode()}
      >
        Add a node
      </button>
      <button
        type="button"
        class="small named"
        disabled={going}
        title="Its slots move to the others first, then it goes; choose a node in the picture to take out that one"
        onClick={() => chosen && session.removeNode(chosen.id)}
      >
        Take out {chosen ? nameOf(chosen.id) : ''}
      </button>
    </div>
  );
}

function progress({ edition, phase, waiting }: ClusterMap): string {
  const more = waiting > 0 ? `; ${waiting} more waiting` : '';
  switch (phase) {
    case 'steady':
      return waiting > 0 ? `Map ${edition}: a change was asked for` : `Map ${edition}: nothing moves`;
    case 'filling':
      return `Map ${edition}: new owners are being filled${more}`;
    case 'handing over':
      return `Map ${edition}: the new owners take over${more}`;
  }
}
