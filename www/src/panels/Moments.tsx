// Events that somebody may go to, one below the other.

import { type LogRow, nameOf } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { moment } from '../state/format.ts';
import { Said } from './Said.tsx';

/** `last` is the number of the one that it is all about. */
export function Moments({ rows, last, title }: { rows: readonly LogRow[]; last?: number; title: string }) {
  const session = useSession();
  return (
    <ol class="causes" aria-labelledby={title}>
      {rows.map((row) => (
        <li key={row.seq} class={row.seq === last ? 'last' : ''}>
          <button type="button" onClick={() => session.time.seekEvent(row.seq)} title="Go to just after it">
            <span class="number">{moment(row.at)}</span>
            <span class="chip" style={{ '--owner': hue(row.place) }} aria-hidden="true" />
            <span class="unseen">{nameOf(row.place)}: </span>
            <span>
              <Said text={row.text} />
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}
