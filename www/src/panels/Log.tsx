// What happened, newest first, as a table that a person can filter and read with any tool.

import { useComputed, useSignal } from '@preact/signals';
import { type LogRow, nameOf } from '../frame.ts';
import { hue } from '../scene/palette.ts';
import { useSession } from '../state/context.ts';
import { moment } from '../state/format.ts';
import { SIGNS, severity } from '../state/severity.ts';
import { worded } from '../state/version.ts';
import { Said } from './Said.tsx';

/** What the row says of it anyhow is left out: that it is one, and when. */
const VIOLATION = /^VIOLATION (.+?) at [\d.]+ ms: /;

/** Rows in the document: more than anyone reads, few enough to draw ten times a second. */
const SHOWN = 80;

export function Log() {
  const session = useSession();
  const filter = useSignal('');
  const rows = useComputed(() => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown: LogRow[] = [];
    const log = session.log.value;
    for (let i = log.length - 1; i >= 0 && shown.length < SHOWN; i -= 1) {
      const row = log[i] as LogRow;
      const text = `${nameOf(row.place)} ${row.kind} ${row.key} ${row.text} ${worded(row.text)}`.toLowerCase();
      if (wanted.every((word) => text.includes(word))) shown.push(row);
    }
    return shown;
  });
  return (
    <section class="log" aria-labelledby="log-title">
      <header>
        <h2 id="log-title">Log</h2>
        <input
          type="search"
          aria-label="Filter the log"
          placeholder="Filter: n2 replicate k7"
          value={filter.value}
          onInput={(event) => {
            filter.value = event.currentTarget.value;
          }}
        />
        <button
          type="button"
          class="small"
          title="Every message as an arrow (D)"
          onClick={() => {
            session.diagram.value = true;
          }}
        >
          Diagram
        </button>
      </header>
      <div class="scroll" tabindex={0} role="region" aria-label="Log, newest first">
        <table>
          <thead>
            <tr>
              <th scope="col">ms</th>
              <th scope="col">Where</th>
              <th scope="col">What</th>
              <th scope="col">Key</th>
              <th scope="col">In words</th>
            </tr>
          </thead>
          <tbody>
            {rows.value.map((row) => (
              <tr key={row.seq} class={severity(row)}>
                <td class="number">{moment(row.at)}</td>
                <td>
                  {/* No place has said it: whoever watches all of them has. */}
                  {row.kind !== 'violation' && (
                    <span class="named" title={nameOf(row.place)}>
                      <span class="chip" style={{ '--owner': hue(row.place) }} aria-hidden="true" />
                      {nameOf(row.place)}
                    </span>
                  )}
                </td>
                <td>
                  {SIGNS[severity(row)] && (
                    <span class="sign" aria-hidden="true">
                      {SIGNS[severity(row)]}
                    </span>
                  )}
                  {row.kind}
                </td>
                <td>
                  {row.key && (
                    <button type="button" class="link named" title={row.key} onClick={() => session.select(row.key)}>
                      {row.key}
                    </button>
                  )}
                </td>
                <td class="words">
                  <Said text={row.kind === 'violation' ? row.text.replace(VIOLATION, '$1: ') : row.text} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {rows.value.length === 0 && (
          <p class="empty">{filter.value ? 'Nothing in the log is like that.' : 'Nothing yet.'}</p>
        )}
      </div>
    </section>
  );
}
