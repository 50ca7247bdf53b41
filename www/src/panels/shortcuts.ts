// The keys of the page: of each what it does, and what the list says. Draws nothing.

import type { Session } from '../state/session.ts';
import { faultsOf } from './faults.ts';

export interface Shortcut {
  /** As `KeyboardEvent.key` has them. */
  readonly keys: readonly string[];
  /** As the list shows them. */
  readonly shown: string;
  readonly says: string;
  readonly act: (session: Session) => void;
}

/** What they do everywhere. While a node is chosen, the keys of its faults come first. */
export const SHORTCUTS: readonly Shortcut[] = [
  { keys: [' '], shown: 'Space', says: 'play or pause', act: (session) => session.togglePlay() },
  { keys: ['.'], shown: '.', says: 'one event on', act: (session) => session.step(1) },
  { keys: [','], shown: ',', says: 'one event back', act: (session) => session.step(-1) },
  { keys: ['['], shown: '[', says: 'to the fault or violation before', act: ({ time }) => time.jump(-1) },
  { keys: [']'], shown: ']', says: 'to the next fault or violation', act: ({ time }) => time.jump(1) },
  { keys: ['Home'], shown: 'Home', says: 'to the beginning', act: ({ time }) => time.seek(0) },
  { keys: ['End'], shown: 'End', says: 'to how far the run has been', act: ({ time }) => time.last() },
  {
    keys: ['f', 'F'],
    shown: 'F',
    says: 'fork: two branches from this moment; again to switch between them',
    act: ({ time }) => time.forkOrSwap(),
  },
  { keys: ['+', '='], shown: '+', says: 'faster', act: (session) => session.faster(1) },
  { keys: ['-'], shown: '−', says: 'slower', act: (session) => session.faster(-1) },
  {
    keys: ['/'],
    shown: '/',
    says: 'type a command',
    act: () => document.querySelector<HTMLInputElement>('.command input')?.focus(),
  },
  {
    keys: ['l', 'L'],
    shown: 'L',
    says: 'the ten lessons',
    act: ({ scripts }) => {
      scripts.listed.value = true;
    },
  },
  {
    keys: ['d', 'D'],
    shown: 'D',
    says: 'the diagram of space and time; with Shift while a node is chosen, since d drains it',
    act: (session) => {
      session.diagram.value = true;
    },
  },
  {
    keys: ['v', 'V'],
    shown: 'V',
    says: 'the eviction race',
    act: (session) => {
      session.race.value = { file: null };
    },
  },
  {
    keys: ['Escape'],
    shown: 'Esc',
    says: 'let go of the chosen key or node',
    act: (session) => {
      session.select(null);
      session.selectedNode.value = null;
    },
  },
];

/** What a key does anywhere on the page; false when it does nothing. Keys typed into a field stay there. */
export function press(event: KeyboardEvent, session: Session, showKeys: () => void): boolean {
  const target = event.target as HTMLElement | null;
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (target?.closest('input:not([type=range], [type=radio], [type=checkbox]), textarea, select')) return false;
  // A dialog has the keys for itself, also where nothing in it has the focus.
  if (document.querySelector('dialog[open]')) return false;
  // What has the focus keeps its own Space.
  if (event.key === ' ' && target?.closest('button, a, summary, [role=button], input:not([type=range])')) return false;
  // A slider keeps its own ends.
  if (/^(Home|End)$/.test(event.key) && target?.closest('input, .scroll')) return false;
  if (event.key === '?') {
    showKeys();
    return true;
  }
  const line = faultLine(event.key, session);
  if (line !== null) {
    session.command(line);
    return true;
  }
  const shortcut = SHORTCUTS.find(({ keys }) => keys.includes(event.key));
  if (shortcut) {
    shortcut.act(session);
    return true;
  }
  const node = /^[1-9]$/.test(event.key) ? session.snapshot.value?.nodes[Number(event.key) - 1] : undefined;
  if (node) session.toggleNode(node.id);
  return node !== undefined;
}

/** The line of the fault that has that key; only a node that is chosen has any. */
function faultLine(key: string, session: Session): string | null {
  const chosen = session.selectedNode.value;
  const { lesson, stage } = session.scripts;
  // The steps of a lesson choose nodes to be looked at, and a fault would end them.
  if (chosen === null || (lesson.value && stage.value !== 'break')) return null;
  const other = session.snapshot.value?.nodes.find((node) => node.id !== chosen)?.id ?? null;
  const groups = faultsOf(chosen, other, session.settings.value.fsync !== 'off');
  return groups.flatMap((group) => group.faults).find((fault) => fault.key === key)?.line ?? null;
}
