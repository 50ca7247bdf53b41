// The snapshots of a node: those that have their names, which of them a start begins with, and how far one is that is
// being taken.

import type { DiskView, Stage } from '../frame.ts';
import { bytes, count } from '../state/format.ts';

const STAGES: Readonly<Record<Stage, string>> = {
  turns: 'waits for the segment before it to end',
  walks: 'goes through the store',
  syncs: 'written: the file is synced',
  waits: 'waits until the log behind it is on disk',
  named: 'has its name: the folder is synced',
  drops: 'on disk: the log before it is dropped',
};

/** `held` are the entries of the node. */
export function Snapshots({ disk, held }: { disk: DiskView; held: number }) {
  const { snapshots, saving } = disk;
  if (snapshots.length === 0 && saving === null) return null;
  // It has its name, and stands among the others.
  const named = saving?.stage === 'named' || saving?.stage === 'drops';
  return (
    <ul class="snapshots">
      {snapshots.map((saved) => {
        const [state, bad] = stateOf(disk, saved);
        return (
          <li key={saved.first} class={`${bad ? 'bad' : ''}${saved.named ? '' : ' loose'}`}>
            <b>▣ Snapshot {saved.first}</b>{' '}
            <span>
              {things(saved.entries, 'entry', 'entries')}, {bytes(saved.bytes)}
            </span>{' '}
            <span class="state">{named && saving.first === saved.first ? STAGES[saving.stage] : state}</span>
          </li>
        );
      })}
      {saving && !named && (
        <li class="loose">
          <b>▣ Snapshot {saving.first}</b>{' '}
          <progress
            aria-label={`Snapshot ${saving.first}`}
            max={Math.max(held, 1)}
            value={saving.stage === 'walks' || saving.stage === 'turns' ? saving.entries : Math.max(held, 1)}
          />{' '}
          <span class="state">
            {saving.stage === 'walks' ? `${count(saving.entries)} of ${count(held)} entries` : STAGES[saving.stage]}
          </span>
        </li>
      )}
    </ul>
  );
}

/** What a start makes of one, and whether that is bad. */
function stateOf(disk: DiskView, saved: DiskView['snapshots'][number]): readonly [string, boolean] {
  const { starts } = disk;
  if (!saved.named) return ['its name is not on disk: a crash may take it', false];
  if (starts === null) return [`the log from ${saved.first} on is read over it`, false];
  if (saved.first > starts) return ['damaged: a start passes over it', true];
  if (saved.first < starts) return ['replaced by the next', false];
  return [`whole: a start reads it, then the log from ${saved.first}`, false];
}

const things = (many: number, one: string, more: string) => `${count(many)} ${many === 1 ? one : more}`;
