import type { RefObject } from 'preact';
import { useSession } from '../state/context.ts';
import { faultsOf } from './faults.ts';
import { SHORTCUTS } from './shortcuts.ts';

const MORE: readonly (readonly [string, string])[] = [
  ['1 … 9', 'crash or restart that node'],
  ['?', 'this list'],
];

/** The list of keys. */
export function Keys({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <dialog ref={dialog} class="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl>
        {[...SHORTCUTS.map(({ shown, says }) => [shown, says] as const), ...MORE].map(([key, does]) => (
          <Row key={key} name={key} does={does} />
        ))}
      </dl>
      <h3>With a node chosen</h3>
      <FaultKeys />
      <form method="dialog">
        <button type="submit" class="primary">
          Close
        </button>
      </form>
    </dialog>
  );
}

/** Of the node that is chosen, or of any. */
function FaultKeys() {
  const session = useSession();
  const nodes = session.snapshot.value?.nodes.map(({ id }) => id) ?? [];
  const node = session.selectedNode.value ?? nodes[0] ?? 1;
  const other = nodes.find((id) => id !== node) ?? null;
  const faults = faultsOf(node, other, session.settings.value.fsync !== 'off').flatMap((group) => group.faults);
  return (
    <dl class="faults-keys">
      {faults.map(({ key, says, line }) => key && <Row key={line} name={key} does={says} line={line} />)}
    </dl>
  );
}

function Row({ name, does, line }: { name: string; does: string; line?: string }) {
  return (
    <div>
      <dt>
        <kbd>{name}</kbd>
      </dt>
      <dd title={line}>{does}</dd>
    </div>
  );
}
