// The two charts of a race: hit ratios as the trace goes by, and by the size of the cache.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { count, percent } from '../state/format.ts';
import { type Box, ceiling, labelled, overSizes, overTime, type Point, path, scale, spread, ticks } from './chart.ts';
import { LOOKS, Mark } from './look.tsx';
import { BELADY, type Curve, RACERS, type Sample } from './protocol.ts';

const HEIGHT = 270;

/** The width that there is, as it changes. */
function useWidth() {
  const holder = useRef<HTMLDivElement>(null);
  const width = useSignal(520);
  useEffect(() => {
    const element = holder.current;
    if (!element || typeof ResizeObserver === 'undefined') return;
    const watcher = new ResizeObserver(([entry]) => {
      if (entry) width.value = Math.max(260, Math.floor(entry.contentRect.width));
    });
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [width]);
  return { holder, width: width.value };
}

interface TimeProps {
  readonly samples: readonly Sample[];
  readonly requests: number;
  readonly lately: boolean;
  /** In words, for whoever does not see it. */
  readonly says: string;
}

export function TimeChart({ samples, requests, lately, says }: TimeProps) {
  const { holder, width } = useWidth();
  const box: Box = { left: 38, right: width - 84, top: 10, bottom: HEIGHT - 24 };
  const lines = RACERS.map((_, racer) => overTime(samples, racer, lately));
  const top = ceiling(samples.length === 0 ? [1] : lines.flat().map(([, ratio]) => ratio));
  const x = scale(0, Math.max(1, requests), box.left, box.right);
  const y = scale(0, top, box.bottom, box.top);
  const ends = lines.map((line) => line.at(-1));
  const heights = spread(
    ends.map((end) => y(end?.[1] ?? 0)),
    15,
    box.top + 2,
    box.bottom - 2,
  );
  const head = ends[0] ? x(ends[0][0]) : box.left;
  return (
    <div ref={holder} class="chart">
      <svg width={width} height={HEIGHT} role="img" aria-label={says}>
        <Grid box={box} top={top} y={y} />
        <text class="tick" x={box.right + 16} y={HEIGHT - 8}>
          requests
        </text>
        {ticks(requests, width > 480 ? 5 : 3).map((at) => (
          <text key={at} class="tick" x={x(at)} y={HEIGHT - 8} text-anchor={at === 0 ? 'start' : 'middle'}>
            {count(at)}
          </text>
        ))}
        {samples.length > 0 && (
          <>
            <Bound line={lines[BELADY] ?? []} x={x} y={y} box={box} />
            <Lines lines={lines} x={x} y={y} />
            {ends.map((end, racer) => {
              const height = heights[racer] ?? 0;
              return (
                end && (
                  <g key={racer}>
                    <path class="leader" d={`M${head + 6} ${y(end[1]).toFixed(1)}L${head + 13} ${height.toFixed(1)}`} />
                    <Mark racer={racer} x={head} y={y(end[1])} />
                    <text class="name" x={head + 16} y={height + 4}>
                      {RACERS[racer]}
                    </text>
                  </g>
                )
              );
            })}
          </>
        )}
      </svg>
    </div>
  );
}

interface SizesProps {
  readonly curve: Curve;
  /** Entries of the race beside it. */
  readonly capacity: number;
  readonly says: string;
  readonly onChoose: (size: number) => void;
}

export function SizeChart({ curve, capacity, says, onChoose }: SizesProps) {
  const { holder, width } = useWidth();
  const box: Box = { left: 38, right: width - 22, top: 10, bottom: HEIGHT - 24 };
  const lines = RACERS.map((_, racer) => overSizes(curve, racer));
  const [least = 1, most = 1] = [curve.sizes[0], curve.sizes.at(-1)];
  const x = scale(least, most, box.left + 8, box.right, true);
  const y = scale(0, ceiling(lines.flat().map(([, ratio]) => ratio)), box.bottom, box.top);
  // The word for them stands on the left.
  const words = labelled(curve.sizes, x, 46).filter((size) => x(size) > 62);
  /** Half of the way to the neighbours belongs to a size. */
  const span = (index: number) => {
    const at = (i: number) => x(curve.sizes[i] ?? 1);
    const low = index === 0 ? box.left : (at(index - 1) + at(index)) / 2;
    const high = index === curve.sizes.length - 1 ? box.right + 14 : (at(index) + at(index + 1)) / 2;
    return { x: low, width: Math.max(1, high - low) };
  };
  return (
    <div ref={holder} class="chart">
      <svg width={width} height={HEIGHT} role="group" aria-label={says}>
        <Grid box={box} top={ceiling(lines.flat().map(([, ratio]) => ratio))} y={y} />
        <Bound line={lines[BELADY] ?? []} x={x} y={y} box={box} says />
        {capacity >= least && capacity <= most && (
          <path class="here" d={`M${x(capacity).toFixed(1)} ${box.top}V${box.bottom}`} />
        )}
        <Lines lines={lines} x={x} y={y} />
        {lines.map((line, racer) =>
          line.map(([size, ratio]) => <Mark key={`${racer} ${size}`} racer={racer} x={x(size)} y={y(ratio)} />),
        )}
        <text class="tick" x={0} y={HEIGHT - 8}>
          entries
        </text>
        {words.map((size) => (
          <text key={size} class="tick" x={x(size)} y={HEIGHT - 8} text-anchor="middle">
            {count(size)}
          </text>
        ))}
        {curve.over &&
          curve.sizes.map((size, index) => {
            const ratios = RACERS.map(
              (name, racer) => `${name} ${percent(curve.hits[racer]?.[index] ?? 0, curve.asked)}`,
            );
            return (
              <rect
                key={size}
                class="size"
                {...span(index)}
                y={box.top}
                height={box.bottom - box.top + 22}
                role="button"
                tabindex={0}
                aria-pressed={size === capacity}
                aria-label={`${count(size)} entries: ${ratios.join(', ')}. Take this size`}
                onClick={() => onChoose(size)}
                onKeyDown={(event) => {
                  if (event.key !== 'Enter' && event.key !== ' ') return;
                  event.preventDefault();
                  onChoose(size);
                }}
              >
                <title>{`${count(size)} entries: ${ratios.join(', ')}`}</title>
              </rect>
            );
          })}
      </svg>
    </div>
  );
}

type Scale = (value: number) => number;

function Grid({ box, top, y }: { box: Box; top: number; y: Scale }) {
  return (
    <g>
      {ticks(top, 5).map((ratio) => (
        <g key={ratio}>
          <path class="grid" d={`M${box.left} ${y(ratio).toFixed(1)}H${box.right}`} />
          <text class="tick" x={box.left - 5} y={y(ratio) + 4} text-anchor="end">
            {`${Math.round(ratio * 100)} %`}
          </text>
        </g>
      ))}
    </g>
  );
}

/** Nobody gets above the bound: what is there is shaded. */
function Bound({ line, x, y, box, says }: { line: readonly Point[]; x: Scale; y: Scale; box: Box; says?: true }) {
  const [first, last] = [line[0], line.at(-1)];
  if (!first || !last) return null;
  const over = `V${box.top}H${x(first[0]).toFixed(1)}Z`;
  const room = y(first[1]) - box.top > 50;
  return (
    <>
      <path class="beyond" d={`${path(line, x, y)}${over}`} />
      {says && room && (
        <text class="beyond-says" x={x(first[0]) + 8} y={box.top + 16}>
          nobody gets here
        </text>
      )}
    </>
  );
}

function Lines({ lines, x, y }: { lines: readonly (readonly Point[])[]; x: Scale; y: Scale }) {
  return (
    <>
      {lines.map((line, racer) => (
        <path
          key={racer}
          class="run"
          d={path(line, x, y)}
          stroke-dasharray={LOOKS[racer]?.dash}
          style={{ '--racer': LOOKS[racer]?.colour }}
        />
      ))}
    </>
  );
}
