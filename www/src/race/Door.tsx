// Fetches the race when it is asked for the first time, and keeps it from then on.

import { useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { useSession } from '../state/context.ts';

export function RaceDoor() {
  const session = useSession();
  const inside = useSignal<{ readonly Race: ComponentType } | null>(null);
  const wanted = session.race.value !== null && inside.value === null;
  useEffect(() => {
    if (!wanted) return;
    import('./Race.tsx').then(
      (module) => {
        inside.value = module;
      },
      () => {
        session.race.value = null;
        session.problem.value = 'The race could not be fetched: is there a network?';
      },
    );
  }, [wanted, session, inside]);
  const Race = inside.value?.Race;
  return Race ? <Race /> : null;
}

export function RaceButton({ class: style, file = null }: { class: string; file?: File | null }) {
  const session = useSession();
  return (
    <button
      type="button"
      class={style}
      title="Every eviction policy on one trace (V)"
      onClick={() => {
        session.race.value = { file };
      }}
    >
      {file ? 'Race policies on it' : 'Race policies'}
    </button>
  );
}
