import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, expect, it } from 'vitest';
import type { Block, DiskView } from '../src/frame.ts';
import { Disks } from '../src/panels/Disks.tsx';
import { SessionContext } from '../src/state/context.ts';
import { Session } from '../src/state/session.ts';
import { snapshot } from './fixtures.ts';

const host = document.createElement('div');
document.body.append(host);
afterEach(() => act(() => render(null, host)));

const block = (part: Partial<Block>): Block => ({
  kind: 'put',
  key: 'k',
  bytes: 40,
  synced: true,
  solid: true,
  ...part,
});

function draw(disks: readonly DiskView[]) {
  const session = new Session({ post: () => {}, listen: () => {} });
  session.snapshot.value = snapshot({ disks });
  act(() =>
    render(
      <SessionContext.Provider value={session}>
        <Disks />
      </SessionContext.Provider>,
      host,
    ),
  );
  return session;
}

it('is not there where nodes write no log', () => {
  draw([]);
  expect(host.textContent).toBe('');
});

it('says what a crash may lose, and draws the line before it', () => {
  const blocks = [
    block({ key: 'a' }),
    block({ kind: 'synced', key: '' }),
    block({ key: 'b', solid: false, synced: false }),
    block({ kind: 'remove', key: 'a', solid: false, synced: false }),
  ];
  const session = draw([{ node: 1, bytes: 160, solid: 80, records: 9, blocks }]);
  expect(host.textContent).toContain('160 B, 80 B not synced');
  expect(host.textContent).toContain('A crash now may lose 2 records.');
  expect(host.textContent).toContain('5 earlier');
  const rows = [...host.querySelectorAll('.blocks li:not(.earlier)')];
  expect(rows.map((row) => row.classList.contains('line'))).toEqual([false, false, true, false]);
  const last = rows.at(-1)?.querySelector('button');
  expect(last?.getAttribute('aria-label')).toBe('deletes a, 40 bytes, a crash may lose it');
  act(() => last?.click());
  expect(session.selectedKey.value).toBe('a');
});

it('tells of a disk that lied, and of a log that is too long', () => {
  draw([
    { node: 1, bytes: 40, solid: 0, records: 1, blocks: [block({ solid: false })] },
    { node: 2, bytes: 9_000_000, solid: 9_000_000, records: null, blocks: [] },
  ]);
  expect(host.textContent).toContain('The disk said that it had synced, and has not.');
  expect(host.textContent).toContain('8.6 MiB, all synced');
  expect(host.textContent).toContain('Too long to draw record by record.');
});
