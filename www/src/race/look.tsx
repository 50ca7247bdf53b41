// How the racers are told apart: by colour, by dash and by mark, each enough by itself.

import { RACERS } from './protocol.ts';

interface Look {
  readonly colour: string;
  readonly dash: string | undefined;
  /** A path around the origin, about 9 units wide. */
  readonly mark: string;
  readonly hollow?: true;
}

export const LOOKS: readonly Look[] = [
  { colour: 'var(--owner-1)', dash: undefined, mark: 'M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z' },
  { colour: 'var(--owner-2)', dash: '8 3', mark: 'M0 -5L5 0L0 5L-5 0Z' },
  { colour: 'var(--owner-3)', dash: '3 2.5', mark: 'M-3.7 -3.7H3.7V3.7H-3.7Z' },
  { colour: 'var(--owner-4)', dash: '10 3 2.5 3', mark: 'M0 -4.8L4.8 3.8H-4.8Z' },
  { colour: 'var(--ink)', dash: '1.5 3', mark: 'M-3.6 -3.6L3.6 3.6M3.6 -3.6L-3.6 3.6', hollow: true },
];

export function Mark({ racer, x = 0, y = 0 }: { racer: number; x?: number; y?: number }) {
  const look = LOOKS[racer];
  if (!look) return null;
  return (
    <path
      class={look.hollow ? 'mark hollow' : 'mark'}
      d={look.mark}
      transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}
      style={{ '--racer': look.colour }}
    />
  );
}

/** A piece of its line with its mark, and its name. */
export function Name({ racer }: { racer: number }) {
  const look = LOOKS[racer];
  return (
    <span class="racer" style={{ '--racer': look?.colour }}>
      <svg viewBox="-14 -6 28 12" width="28" height="12" aria-hidden="true">
        <path class="run" d="M-14 0H14" stroke-dasharray={look?.dash} />
        <Mark racer={racer} />
      </svg>
      {RACERS[racer]}
    </span>
  );
}
