import { useComputed, useSignal } from '@preact/signals';
import { useSession } from '../state/context.ts';
import { FIRST_WORKLOAD } from '../state/session.ts';
import type { Workload } from '../worker/protocol.ts';
import { ChoiceField, NumberField } from './fields.tsx';

const KINDS: Readonly<Record<Workload['kind'], string>> = {
  zipf: 'Zipf: a few keys are popular',
  uniform: 'Uniform: every key alike',
  scan: 'Scan: one key after the other',
  hotkey: 'Hot key: one takes half',
  storm: 'TTL storm: all expire at once',
};

/** Clients that ask by themselves. */
export function WorkloadPanel() {
  const session = useSession();
  const draft = useSignal<Workload>(FIRST_WORKLOAD);
  const runs = useComputed(() => session.snapshot.value?.busy ?? false).value;
  const change = (part: Partial<Workload>) => {
    const next = { ...draft.value, ...part };
    // Nothing expires in a storm of nothing.
    draft.value = next.kind === 'storm' && next.ttl === 0 ? { ...next, ttl: FIRST_WORKLOAD.ttl } : next;
    // A workload that runs follows what is set.
    if (runs) session.run(draft.value);
  };
  const { kind, keys, rate, writePercent, ttl } = draft.value;
  return (
    <section class="panel" aria-labelledby="workload-title">
      <h2 id="workload-title">
        Workload
        <button type="button" class="small" onClick={() => session.run(runs ? null : draft.value)}>
          {runs ? 'Stop' : 'Run'}
        </button>
      </h2>
      <ChoiceField label="Keys are asked for" value={kind} choices={KINDS} onChange={(kind) => change({ kind })} />
      <div class="pair">
        <NumberField label="Keys" value={keys} min={1} max={1_000_000} onChange={(keys) => change({ keys })} />
        <NumberField
          label="Requests"
          unit="a second"
          value={rate}
          min={1}
          max={100_000}
          onChange={(rate) => change({ rate })}
        />
        <NumberField
          label="Writes"
          unit="%"
          value={writePercent}
          min={0}
          max={100}
          onChange={(writePercent) => change({ writePercent })}
        />
        <NumberField
          label={kind === 'storm' ? 'A storm every' : 'TTL up to'}
          unit={kind === 'storm' ? 'ms' : 'ms, 0: none'}
          value={ttl}
          min={kind === 'storm' ? 1 : 0}
          max={86_400_000}
          onChange={(ttl) => change({ ttl })}
        />
      </div>
    </section>
  );
}
