import type { RefObject } from 'preact';
import type { Session } from '../state/session.ts';
import { faultsOf } from './faults.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['Space', 'play or pause'],
  ['.', 'one event on'],
  [',', 'one event back'],
  ['[ ]', 'to the fault or violation before, after'],
  ['Home End', 'to the beginning, to how far it has been'],
  ['F', 'fork: two branches from this moment; again to switch between them'],
  ['+ −', 'faster, slower'],
  ['1 … 9', 'crash or restart that node'],
  ['c r p …', 'with a node chosen: what “Break something” lists'],
  ['/', 'type a command'],
  ['L', 'the ten lessons'],
  ['D', 'the diagram of space and time'],
  ['V', 'the eviction race'],
  ['Esc', 'let go of the chosen key or node'],
  ['?', 'this list'],
];

/** The list of keys. */
export function Keys({ dialog }: { dialog: RefObject<HTMLDialogElement | null> }) {
  return (
    <dialog ref={dialog} class="keys" aria-labelledby="keys-title">
      <h2 id="keys-title">Keys</h2>
      <dl>
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" class="primary">
          Close
        </button>
      </form>
    </dialog>
  );
}

/** What a key does anywhere on the page; false when it does nothing. Keys typed into a field stay there. */
export function press(event: KeyboardEvent, session: Session, showKeys: () => void): boolean {
  const target = event.target as HTMLElement | null;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (target?.closest('input:not([type=range]), textarea, select')) return false;
  // A dialog has the keys for itself, also where nothing in it has the focus.
  if (document.querySelector('dialog[open]')) return false;
  // A focused button or link keeps its own Space.
  if (event.key === ' ' && target?.closest('button, a, summary, [role=button]')) return false;
  // A slider keeps its own ends.
  if (/^(Home|End)$/.test(event.key) && target?.closest('input, .scroll')) return false;
  switch (event.key) {
    case ' ':
      session.togglePlay();
      return true;
    case '.':
      session.step(1);
      return true;
    case ',':
      session.step(-1);
      return true;
    case '[':
      session.time.jump(-1);
      return true;
    case ']':
      session.time.jump(1);
      return true;
    case 'Home':
      session.time.seek(0);
      return true;
    case 'End':
      session.time.last();
      return true;
    case 'f':
    case 'F':
      session.time.forkOrSwap();
      return true;
    case '+':
    case '=':
      session.faster(1);
      return true;
    case '-':
      session.faster(-1);
      return true;
    case 'd':
    case 'D':
      session.diagram.value = true;
      return true;
    case 'v':
    case 'V':
      session.race.value = { file: null };
      return true;
    case 'l':
    case 'L':
      session.scripts.listed.value = true;
      return true;
    case '/':
      document.querySelector<HTMLInputElement>('.command input')?.focus();
      return true;
    case '?':
      showKeys();
      return true;
    case 'Escape':
      session.select(null);
      session.selectedNode.value = null;
      return true;
  }
  const chosen = session.selectedNode.value;
  if (chosen !== null) {
    const other = session.snapshot.value?.nodes.find((node) => node.id !== chosen)?.id ?? null;
    const groups = faultsOf(chosen, other, session.settings.value.fsync !== 'off');
    const fault = groups.flatMap((group) => group.faults).find(({ key }) => key === event.key);
    if (fault) session.command(fault.line);
    if (fault) return true;
  }
  if (/^[1-9]$/.test(event.key)) {
    const node = session.snapshot.value?.nodes[Number(event.key) - 1];
    if (node) session.toggleNode(node.id);
    return node !== undefined;
  }
  return false;
}
