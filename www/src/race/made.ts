// Traces that are made, each the same every time.

export const MADE = {
  scans: 'Made: popular keys, and scans',
  loop: 'Made: a loop over 200 keys',
  shift: 'Made: popularity that moves',
} as const;
export type Made = keyof typeof MADE;

/** Requests of those that are made. */
const REQUESTS = 20_000;

/** A key a line. */
export function made(name: Made): string {
  const popular = zipf(400);
  const keys: string[] = [];
  for (let at = 0; keys.length < REQUESTS; at += 1) {
    if (name === 'loop') keys.push(`block:${at % 200}`);
    else if (name === 'shift') keys.push(`page:${(popular() + 60 * Math.floor(at / 2_500)) % 1_000}`);
    else {
      keys.push(`page:${popular()}`);
      // A report reads what nobody else asks for, once.
      if (at % 1_200 === 1_199) for (let row = 0; row < 400; row += 1) keys.push(`report:${at}:${row}`);
    }
  }
  return `${keys.slice(0, REQUESTS).join('\n')}\n`;
}

/** Numbers below `keys`: the second half as often as the first, the third a third as often. */
function zipf(keys: number): () => number {
  const sums: number[] = [];
  for (let rank = 1; rank <= keys; rank += 1) sums.push((sums.at(-1) ?? 0) + 2 ** 20 / rank);
  let state = 1;
  return () => {
    // Mulberry32: whole numbers only, so that every machine draws the same.
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    const point = (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (sums.at(-1) ?? 0);
    return sums.findIndex((sum) => sum > point);
  };
}
