// Numbers as people read them.

/** Simulated microseconds since the start: the unit is chosen once for the size, so that a clock does not jump. */
export function clock(micros: number): string {
  const ms = micros / 1000;
  return ms < 10_000 ? `${moment(micros)} ms` : `${(ms / 1000).toFixed(3)} s`;
}

/** A moment in the log, always in milliseconds: a column that lines up. */
export function moment(micros: number): string {
  const [whole = '0', rest = ''] = (micros / 1000).toFixed(3).split('.');
  return `${group(whole)}.${rest}`;
}

export const count = (n: number): string => group(String(Math.round(n)));

export function percent(part: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`;
}

/** A span until an expiry, in milliseconds. */
export function span(ms: number): string {
  if (ms < 0) return 'expired';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}

export function bytes(n: number): string {
  if (n < 1_024) return `${n} B`;
  if (n < 1_048_576) return `${(n / 1_024).toFixed(1)} KiB`;
  return `${(n / 1_048_576).toFixed(1)} MiB`;
}

/** The simulated time that passes in a second of the person's; `null` is as fast as it can. */
export const SPEEDS: readonly (number | null)[] = [
  1 / 5_000,
  1 / 2_000,
  1 / 1_000,
  1 / 500,
  1 / 200,
  1 / 100,
  1 / 50,
  1 / 20,
  1 / 10,
  1 / 4,
  1,
  4,
  10,
  null,
];

export function speedName(speed: number | null): string {
  if (speed === null) return 'as fast as it can';
  return speed >= 1 ? `${speed} × real time` : `1/${Math.round(1 / speed)} of real time`;
}

export function speedShort(speed: number | null): string {
  if (speed === null) return 'max';
  return speed >= 1 ? `${speed}×` : `1/${count(Math.round(1 / speed))}`;
}

function group(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}
