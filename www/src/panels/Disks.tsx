// The nodes' logs: their latest records as blocks, the line up to which they are synced, and what the last start read.

import { useComputed } from '@preact/signals';
import { BLOCKS, type BlockKind, type DiskView, nameOf, type Place } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { bytes, count } from '../state/format.ts';

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
  /** What a node last said of its log. */
  const notes = useComputed(() => {
    const last = new Map<Place, string>();
    for (const row of session.log.value) {
      if (row.kind === 'recovered' || row.kind === 'disk') last.set(row.place, row.text);
    }
    return last;
  });
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
        </ul>
        <p class="hint">
          Full blocks are on the disk. Dashed ones are in the system’s memory: of them a crash leaves what it likes.
        </p>
      </details>
    </section>
  );
}

function DiskRow({ disk, note }: { disk: DiskView; note: string | undefined }) {
  const session = useSession();
  const loose = disk.blocks.filter((block) => !block.solid).length;
  const name = nameOf(disk.node);
  const hidden = disk.records === null ? null : disk.records - disk.blocks.length;
  const lied = disk.blocks.some((block) => block.synced && !block.solid);
  return (
    <article class="disk" aria-label={`Log of ${name}`} style={{ '--owner': hue(disk.node) }}>
      <p class="figures">
        <b>
          <span class="chip" aria-hidden="true" />
          {name}
        </b>
        <span>
          {bytes(disk.bytes)},{' '}
          {disk.solid === disk.bytes ? 'all synced' : `${bytes(disk.bytes - disk.solid)} not synced`}
        </span>
      </p>
      {disk.records === null ? (
        <p class="hint">Too long to draw record by record.</p>
      ) : (
        <ol class="blocks" aria-label={`Records of ${name}, the oldest first`}>
          {hidden !== null && hidden > 0 && <li class="earlier">{count(hidden)} earlier</li>}
          {disk.blocks.map((block, index) => {
            const [sign, says] = SIGNS[block.kind];
            const about = block.key ? ` ${block.key}` : '';
            const risk = block.solid ? '' : ', a crash may lose it';
            const words = `${says}${about}, ${block.bytes} bytes${risk}`;
            const line = !block.solid && (index === 0 || disk.blocks[index - 1]?.solid === true);
            return (
              // A record has no name of its own but its place.
              <li key={(hidden ?? 0) + index} class={line ? 'line' : ''}>
                {block.key ? (
                  <button
                    type="button"
                    class={`block ${block.kind}${block.solid ? '' : ' loose'}`}
                    title={words}
                    aria-label={words}
                    aria-pressed={session.selectedKey.value === block.key}
                    onClick={() => session.select(block.key)}
                  >
                    {sign}
                  </button>
                ) : (
                  <span
                    class={`block ${block.kind}${block.solid ? '' : ' loose'}`}
                    title={words}
                    role="img"
                    aria-label={words}
                  >
                    {sign}
                  </span>
                )}
              </li>
            );
          })}
        </ol>
      )}
      <p class="hint" role="status">
        {lied ? 'The disk said that it had synced, and has not. ' : ''}
        {loose > 0 ? `A crash now may lose ${loose === 1 ? '1 record' : `${loose} records`}.` : ''} {note ?? ''}
      </p>
    </article>
  );
}
