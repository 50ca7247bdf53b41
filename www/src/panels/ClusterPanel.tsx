import { useSignal } from '@preact/signals';
import { useSession } from '../state/context.ts';
import { FIRST } from '../state/session.ts';
import type { ReadLevel, Settings, WriteLevel } from '../worker/protocol.ts';
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
  const { nodes, replicas, capacity, virtualNodes, writeLevel, readLevel, lossPerMille } = draft.value;
  const build = (event: Event) => {
    event.preventDefault();
    session.build({ ...draft.value, replicas: Math.min(replicas, nodes), seed: session.settings.value.seed });
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
        <details class="more">
          <summary>Levels, ring, network</summary>
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
