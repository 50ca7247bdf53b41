// What the page's query asks for: `?embed` is the small form for a frame in another page, `?seed=42` a seed.

const MOST = 2n ** 64n - 1n;

export interface Asked {
  readonly embed: boolean;
  /** Decimal digits of an unsigned 64-bit number. */
  readonly seed: string | null;
}

export function asked(query: string): Asked {
  const parameters = new URLSearchParams(query);
  const seed = parameters.get('seed') ?? '';
  const good = /^\d{1,20}$/.test(seed) && BigInt(seed) <= MOST;
  return { embed: parameters.has('embed'), seed: good ? String(BigInt(seed)) : null };
}
