// Hit ratios by the size of the cache: the curve, how far it has come, and its table.

import { count, percent } from '../state/format.ts';
import { SizeChart } from './Charts.tsx';
import { Name } from './look.tsx';
import { RACERS } from './protocol.ts';
import type { RaceState } from './state.ts';
import { standing } from './state.ts';
import { names } from './words.ts';

export function CurvePart({ state }: { state: RaceState }) {
  const curve = state.curve.value;
  const busy = state.phase.value === 'running' || state.phase.value === 'paused';
  return (
    <>
      <h3 id="sizes-title">
        Hit ratio by size of the cache
        <button
          type="button"
          class="small"
          aria-disabled={!state.course.value || busy || state.curving.value}
          onClick={() => state.drawCurve()}
        >
          {state.curving.value ? 'Drawing…' : curve ? 'Draw again' : 'Draw it'}
        </button>
      </h3>
      {state.curving.value && <progress aria-label="The curve" max={curve?.requests ?? 1} value={curve?.asked ?? 0} />}
      {curve === null ? (
        <p class="blank hint">
          {state.curving.value
            ? 'Every policy at a dozen sizes…'
            : 'Every policy at a dozen sizes, up to all keys. It is drawn when the race is over, or now.'}
        </p>
      ) : (
        <>
          <p class="names" aria-hidden="true">
            {RACERS.map((name, racer) => (
              <Name key={name} racer={racer} />
            ))}
          </p>
          <SizeChart
            curve={curve}
            capacity={state.capacity.value}
            says="Hit ratio by size of the cache: a button for each size says its ratios"
            onChoose={(size) => {
              state.capacity.value = size;
            }}
          />
          <details class="more" open>
            <summary>The curve as a table</summary>
            <div class="scroll" role="region" aria-label="The curve as a table" tabindex={0}>
              <table class="sizes">
                <thead>
                  <tr>
                    <th scope="col">Entries</th>
                    {RACERS.map((name) => (
                      <th key={name} scope="col" class="number">
                        {name}
                      </th>
                    ))}
                    <th scope="col">Best</th>
                  </tr>
                </thead>
                <tbody>
                  {curve.sizes.map((size, index) => {
                    const hits = curve.hits.map((row) => row[index] ?? 0);
                    const { first, second } = standing(hits);
                    return (
                      <tr key={size}>
                        <th scope="row" class="number">
                          {count(size)}
                        </th>
                        {hits.map((got, racer) => (
                          <td key={RACERS[racer]} class="number" data-hits={got}>
                            {percent(got, curve.asked)}
                          </td>
                        ))}
                        <td>{second === null ? 'all level' : names(first)}</td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            </div>
          </details>
        </>
      )}
    </>
  );
}
