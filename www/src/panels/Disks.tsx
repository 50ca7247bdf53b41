// The nodes' disks: the latest records of their logs as blocks, the line up to which they are synced, the snapshots
// that stand in place of what was dropped, and what the last start read.

import { useComputed } from '@preact/signals';
import { BLOCKS, type Block, type BlockKind, type DiskView, type LogRow, nameOf, type Place } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { bytes, count } from '../state/format.ts';
import { Snapshots } from './Snapshots.tsx';

/** What stands in a block: a kind is told by its sign, its shape and its words. */
const SIGNS: Readonly<Record<BlockKind, readonly [string, string]>> = {
  put: ['+', 'stores'],
  remove: ['−', 'deletes'],
  touch: ['~', 'moves the deadline of'],
  forget: ['↓', 'lets go of'],
  floor: ['▴', 'raises a floor'],
  synced: ['│', 'says how far it was synced'],
  torn: ['⌇', 'torn: no whole record'],
  damaged: ['✗', 'damaged: was synced, and is not as it was'],
};

export function Disks() {
  const session = useSession();
  const disks = session.snapshot.value?.disks ?? [];
  const notes = useComputed(() => notesOf(session.log.value));
  if (disks.length === 0) return null;
  return (
    <section class="panel disks" aria-labelledby="disks-title">
      <h2 id="disks-title">Logs on disk</h2>
      {disks.map((disk) => (
        <DiskRow key={disk.node} disk={disk} note={notes.value.get(disk.node)} />
      ))}
      <details class="more">
        <summary>What the blocks mean</summary>
        <ul class="signs">
          {BLOCKS.map((kind) => (
            <li key={kind}>
              <span class={`block ${kind}`} aria-hidden="true">
                {SIGNS[kind][0]}
              </span>{' '}
              {SIGNS[kind][1]}
              {kind === 'touch' || kind === 'forget' || kind === 'put' || kind === 'remove' ? ' a key' : ''}
            </li>
          ))}
          <li>
            <span class="block saved" aria-hidden="true">
              ▣
            </span>{' '}
            a snapshot: all that the node held there
          </li>
        </ul>
        <p class="hint">
          Full blocks are on the disk. Dashed ones are in the system’s memory: of them a crash leaves what it likes. A
          start reads the newest whole snapshot, and then the log from there on; what was before is dropped.
        </p>
      </details>
    </section>
  );
}

/** What a node last said of its disk: what its start has read, and what came after that. */
function notesOf(rows: readonly LogRow[]): Map<Place, string> {
  const [read, last] = [new Map<Place, LogRow>(), new Map<Place, LogRow>()];
  for (const row of rows) {
    if (row.kind === 'recovered') read.set(row.place, row);
    if (row.kind.startsWith('disk')) last.set(row.place, row);
  }
  const notes = new Map<Place, string>();
  for (const place of new Set([...read.keys(), ...last.keys()])) {
    const [began, later] = [read.get(place), last.get(place)];
    // What a start finds damaged is said in the moment in which it reads the rest.
    const both = [began, later && (!began || later.at >= began.at) ? later : undefined];
    const said = both.flatMap((row) => (row ? [row] : [])).sort((a, b) => a.seq - b.seq);
    notes.set(place, said.map((row) => `${row.text}.`).join(' '));
  }
  return notes;
}

function DiskRow({ disk, note }: { disk: DiskView; note: string | undefined }) {
  const session = useSession();
  const loose = disk.blocks.filter((block) => !block.solid).length;
  const name = nameOf(disk.node);
  const hidden = disk.records === null ? null : disk.records - disk.blocks.length;
  const lied = disk.blocks.some((block) => block.synced && !block.solid);
  const node = session.snapshot.value?.nodes.find(({ id }) => id === disk.node);
  return (
    <article class="disk" aria-label={`Log of ${name}`} style={{ '--owner': hue(disk.node) }}>
      <p class="figures">
        <b class="named" title={name}>
          <span class="chip" aria-hidden="true" />
          {name}
        </b>
        <span>
          {bytes(disk.bytes)},{' '}
          {disk.solid === disk.bytes ? 'all synced' : `${bytes(disk.bytes - disk.solid)} not synced`}
        </span>
        <button
          type="button"
          class="small save"
          title={`Takes a snapshot, as the line “${name} save” does`}
          aria-label={`Save now: ${name}`}
          disabled={!node?.up || disk.saving !== null}
          onClick={() => session.command(`${name} save`)}
        >
          Save now
        </button>
      </p>
      <Snapshots disk={disk} held={node?.entries ?? 0} />
      {disk.records === null ? (
        <p class="hint">Too long to draw record by record.</p>
      ) : (
        <ol class="blocks" aria-label={`Records of ${name}, the oldest first`}>
          {disk.begins > 1 && <li class="earlier">{count(disk.begins - 1)} dropped</li>}
          {hidden !== null && hidden > 0 && <li class="earlier">{count(hidden)} earlier</li>}
          {disk.blocks.map((block, index) => {
            const before = disk.blocks[index - 1];
            const line = !block.solid && (!before || before.solid);
            return (
              // A record has no name of its own but its place.
              <li key={(hidden ?? 0) + index} class={line ? 'line' : ''}>
                {disk.snapshots.map(
                  ({ first }) =>
                    first <= block.number &&
                    first > (before?.number ?? disk.begins - 1) && <Mark key={first} first={first} />,
                )}
                <BlockSign block={block} />
              </li>
            );
          })}
          {disk.snapshots.map(
            ({ first }) =>
              first > (disk.blocks.at(-1)?.number ?? 0) && (
                <li key={`s${first}`}>
                  <Mark first={first} />
                </li>
              ),
          )}
        </ol>
      )}
      <p class="hint" role="status">
        {lied ? 'The disk said that it had synced, and has not. ' : ''}
        {loose > 0 ? `A crash now may lose ${loose === 1 ? '1 record' : `${loose} records`}. ` : ''}
        {disk.refused ? 'A start now would refuse what is there, and begin with nothing. ' : ''}
        {note ?? ''}
      </p>
    </article>
  );
}

/** Where in the log a snapshot stands. */
const Mark = ({ first }: { first: number }) => (
  <span class="block saved" role="img" title={`snapshot ${first}`} aria-label={`snapshot ${first}`}>
    ▣
  </span>
);

function BlockSign({ block }: { block: Block }) {
  const session = useSession();
  const [sign, says] = SIGNS[block.kind];
  const about = block.key ? ` ${block.key}` : '';
  const words = `${says}${about}, ${block.bytes} bytes${block.solid ? '' : ', a crash may lose it'}`;
  const look = `block ${block.kind}${block.solid ? '' : ' loose'}`;
  const title = `${block.number}: ${words}`;
  return block.key ? (
    <button
      type="button"
      class={look}
      title={title}
      aria-label={words}
      aria-pressed={session.selectedKey.value === block.key}
      onClick={() => session.select(block.key)}
    >
      {sign}
    </button>
  ) : (
    <span class={look} title={title} role="img" aria-label={words}>
      {sign}
    </span>
  );
}
