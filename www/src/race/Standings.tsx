// How every racer stands: what the chart shows, as a table.

import { count, percent } from '../state/format.ts';
import { LOOKS, Name } from './look.tsx';
import { BELADY, RACERS } from './protocol.ts';
import type { RaceState } from './state.ts';
import { regret } from './words.ts';

export function Standings({ state }: { state: RaceState }) {
  const last = state.last.value;
  const [asked, hits] = [last?.asked ?? 0, last?.hits ?? []];
  const bound = asked === 0 ? 0 : (hits[BELADY] ?? 0) / asked;
  const first = asked > 0 ? (state.standing.value?.first ?? []) : [];
  return (
    <table class="standings">
      <caption class="unseen">How the race stands</caption>
      <thead>
        <tr>
          <th scope="col">Policy</th>
          <th scope="col">Hit ratio</th>
          <th scope="col" class="number">
            Hits
          </th>
          <th scope="col" class="number">
            Misses
          </th>
        </tr>
      </thead>
      <tbody>
        {RACERS.map((name, racer) => {
          const got = hits[racer] ?? 0;
          const leads = first.includes(racer);
          return (
            <tr key={name} class={leads ? 'first' : ''} data-racer={name}>
              <th scope="row">
                <Name racer={racer} />
                {leads && <span class="cup"> {state.phase.value === 'over' ? 'wins' : 'leads'}</span>}
                {racer === BELADY && <span class="cup"> bound</span>}
              </th>
              <td>
                <span class="bar" aria-hidden="true" style={{ '--racer': LOOKS[racer]?.colour, '--bound': bound }}>
                  <span style={{ width: `${asked === 0 ? 0 : (100 * got) / asked}%` }} />
                </span>
                <b>{percent(got, asked)}</b>
                {state.gone.value && <small>{regret(state.gone.value[racer] ?? null)}</small>}
              </td>
              <td class="number" data-hits>
                {count(got)}
              </td>
              <td class="number">{count(asked - got)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
