import type { RefObject } from 'preact';
import type { Session } from '../state/session.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['Space', 'play or pause'],
  ['.', 'one event on'],
  [',', 'one event back'],
  ['[ ]', 'to the fault or violation before, after'],
  ['Home End', 'to the beginning, to how far it has been'],
  ['F', 'fork: two branches from this moment; again to switch between them'],
  ['+ −', 'faster, slower'],
  ['1 … 9', 'crash or restart that node'],
  ['/', 'type a command'],
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
  if (target?.closest('input:not([type=range]), textarea, select, dialog[open]')) return false;
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
      session.time.seek(session.time.end.value);
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
  if (/^[1-9]$/.test(event.key)) {
    const node = session.snapshot.value?.nodes[Number(event.key) - 1];
    if (node) session.toggleNode(node.id);
    return node !== undefined;
  }
  return false;
}
