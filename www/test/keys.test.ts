import { expect, it } from 'vitest';
import { faultsOf } from '../src/panels/faults.ts';
import { press, SHORTCUTS } from '../src/panels/shortcuts.ts';
import { FIRST } from '../src/state/session.ts';
import { snapshot, wired } from './fixtures.ts';

const FAULTS = faultsOf(2, 1, true)
  .flatMap((group) => group.faults)
  .flatMap(({ key, line }) => (key === null ? [] : [{ key, line }]));
const TAKEN = new Set(FAULTS.map(({ key }) => key));

/** What is sent for a key, where n2 is chosen, or no node is. */
function pressed(key: string, chosen: number | null) {
  const { session, sent } = wired();
  session.snapshot.value = snapshot();
  session.settings.value = { ...FIRST, fsync: 'always' };
  session.selectedNode.value = chosen;
  const acted = press(new KeyboardEvent('keydown', { key }), session, () => {});
  return { session, acted, sent };
}

it.each(FAULTS)('with a node chosen, $key does: $line', ({ key, line }) => {
  expect(pressed(key, 2).sent).toEqual([{ type: 'command', text: line }]);
});

it('leaves every other key a way to do what the list says, also with a node chosen', () => {
  expect(SHORTCUTS.filter(({ keys }) => keys.every((key) => TAKEN.has(key))).map(({ shown }) => shown)).toEqual([]);
  for (const { keys, shown, says } of SHORTCUTS) {
    // A letter that a fault has with a node chosen is told of in the list, with the way around it.
    expect(TAKEN.has(shown.toLowerCase()), shown).toBe(/with Shift while a node is chosen/.test(says));
    for (const key of keys) {
      const { acted, sent } = pressed(key, null);
      expect(acted, key).toBe(true);
      expect(sent.filter((message) => message.type === 'command')).toEqual([]);
    }
  }
  expect(FAULTS.filter(({ key }) => /^[1-9?]$/.test(key))).toEqual([]);
});

it('opens the diagram with D, also with a node chosen, and with d where none is', () => {
  expect(pressed('d', null).session.diagram.value).toBe(true);
  expect(pressed('D', 2).session.diagram.value).toBe(true);
  expect(pressed('d', 2).session.diagram.value).toBe(false);
});

it('does nothing with a key that means nothing', () => {
  expect(pressed('q', 2)).toMatchObject({ acted: false, sent: [] });
  expect(pressed('c', null)).toMatchObject({ acted: false, sent: [] });
});
