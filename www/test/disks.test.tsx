import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, expect, it } from 'vitest';
import type { Block, DiskView, Snapshot } from '../src/frame.ts';
import { Disks } from '../src/panels/Disks.tsx';
import { SessionContext } from '../src/state/context.ts';
import { Session } from '../src/state/session.ts';
import type { ToWorker } from '../src/worker/protocol.ts';
import { node, snapshot } from './fixtures.ts';

const host = document.createElement('div');
document.body.append(host);
afterEach(() => act(() => render(null, host)));

const block = (part: Partial<Block>): Block => ({
  number: 1,
  kind: 'put',
  key: 'k',
  bytes: 40,
  synced: true,
  solid: true,
  ...part,
});

const disk = (part: Partial<DiskView>): DiskView => ({
  node: 1,
  bytes: 40,
  solid: 40,
  records: 1,
  begins: 1,
  starts: 0,
  refused: false,
  snapshots: [],
  saving: null,
  blocks: [block({})],
  ...part,
});

const saved = (first: number, named = true) => ({ first, until: first, entries: 3, bytes: 310, named });

function draw(disks: readonly DiskView[], part: Partial<Snapshot> = {}) {
  const posted: ToWorker[] = [];
  const session = new Session({ post: (message) => posted.push(message), listen: () => {} });
  session.snapshot.value = snapshot({ disks, ...part });
  session.log.value = part.log ?? [];
  act(() => render(null, host));
  act(() =>
    render(
      <SessionContext.Provider value={session}>
        <Disks />
      </SessionContext.Provider>,
      host,
    ),
  );
  return { session, posted };
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
  const { session } = draw([disk({ bytes: 160, solid: 80, records: 9, blocks })]);
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
    disk({ solid: 0, blocks: [block({ solid: false })] }),
    disk({ node: 2, bytes: 9_000_000, solid: 9_000_000, records: null, starts: null, blocks: [] }),
  ]);
  expect(host.textContent).toContain('The disk said that it had synced, and has not.');
  expect(host.textContent).toContain('8.6 MiB, all synced');
  expect(host.textContent).toContain('Too long to draw record by record.');
});

const states = () => [...host.querySelectorAll('.snapshots .state')].map((state) => state.textContent);
const row = (seq: number, kind: string, text: string, at = seq) => ({ seq, at, place: 1, kind, key: '', text });

it('shows what each snapshot is good for, and where in the log it stands', () => {
  const blocks = [block({ number: 12 }), block({ number: 13 }), block({ number: 14 })];
  draw([disk({ records: 3, begins: 12, starts: 12, snapshots: [saved(12), saved(14)], blocks })]);
  expect(states()).toEqual(['whole: a start reads it, then the log from 12', 'damaged: a start passes over it']);
  expect(host.querySelectorAll('.snapshots .bad')).toHaveLength(1);
  expect(host.textContent).toContain('11 dropped');
  const signs = [...host.querySelectorAll('.blocks .block')].map((sign) => sign.textContent);
  expect(signs).toEqual(['▣', '+', '+', '▣', '+']);
  // One that is newer than all records, and whose name a crash may take.
  draw([disk({ starts: 15, snapshots: [saved(12), saved(15, false)], blocks })]);
  expect(states()).toEqual(['replaced by the next', 'its name is not on disk: a crash may take it']);
  expect(host.querySelector('.blocks li:last-child')?.textContent).toBe('▣');
});

it('shows how far a snapshot is, and takes one when asked', () => {
  const { stage, ...rest } = { ...saved(7), stage: 'walks' as const };
  draw([disk({ saving: { ...rest, stage } })]);
  expect(states()).toEqual(['3 of 24 entries']);
  expect(host.querySelector('progress')?.value).toBe(3);
  expect(host.querySelector<HTMLButtonElement>('.save')?.disabled).toBe(true);
  draw([disk({ saving: { ...rest, stage: 'waits' } })]);
  expect(host.querySelector('progress')?.value).toBe(24);
  draw([disk({ snapshots: [saved(7, false)], saving: { ...rest, stage: 'named' } })]);
  expect(states()).toEqual(['has its name: the folder is synced']);
  const { posted } = draw([disk({})]);
  act(() => host.querySelector<HTMLButtonElement>('.save')?.click());
  expect(posted.at(-1)).toEqual({ type: 'command', text: 'n1 save' });
  draw([disk({})], { nodes: [node(1, { up: false })] });
  expect(host.querySelector<HTMLButtonElement>('.save')?.disabled).toBe(true);
});

it('says what a start has read, and what came after', () => {
  const said = () => host.querySelector('[role=status]')?.textContent?.trim();
  const log = [
    row(1, 'disk', 'n1 begins a snapshot'),
    row(2, 'disk', 'n1 goes down with half a snapshot, which has no name'),
    row(3, 'disk', 'n1 found its newest snapshot damaged', 4),
    row(4, 'recovered', 'n1 read 3 records from its log'),
  ];
  draw([disk({})], { log: log.slice(0, 2) });
  expect(said()).toBe('n1 goes down with half a snapshot, which has no name.');
  draw([disk({})], { log });
  expect(said()).toBe('n1 found its newest snapshot damaged. n1 read 3 records from its log.');
  draw([disk({ refused: true })], { log: [...log, row(5, 'disk', 'n1 begins a snapshot')] });
  expect(said()).toContain('would refuse what is there');
  expect(said()).toContain('n1 read 3 records from its log. n1 begins a snapshot.');
});
