// Where the lines of a chart run: numbers in, pixels and words out. Draws nothing.

import type { Curve, Sample } from './protocol.ts';

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export type Point = readonly [number, number];

/** Hit ratios by requests: of all up to then, or of the last stretch of the trace. */
export function overTime(samples: readonly Sample[], racer: number, lately: boolean): Point[] {
  return samples.map(({ asked, hits }, index) => {
    const from = lately ? samples[index - LATELY] : undefined;
    const [requests, got] = [asked - (from?.asked ?? 0), (hits[racer] ?? 0) - (from?.hits[racer] ?? 0)];
    return [asked, requests === 0 ? 0 : got / requests];
  });
}

/** Samples of the last stretch: a twentieth of the trace. */
export const LATELY = 12;

/** Hit ratios by size. */
export function overSizes(curve: Curve, racer: number): Point[] {
  return curve.sizes.map((size, index) => [
    size,
    curve.asked === 0 ? 0 : (curve.hits[racer]?.[index] ?? 0) / curve.asked,
  ]);
}

/** From a value to a pixel. Sizes double from one mark to the next: they are drawn by their logarithm. */
export function scale(from: number, to: number, first: number, last: number, logarithmic = false) {
  const of = (value: number) => (logarithmic ? Math.log(Math.max(1, value)) : value);
  const [low, high] = [of(from), of(to)];
  return (value: number) =>
    high === low ? (first + last) / 2 : first + ((of(value) - low) / (high - low)) * (last - first);
}

export function path(points: readonly Point[], x: (value: number) => number, y: (value: number) => number): string {
  return points.map(([a, b], index) => `${index ? 'L' : 'M'}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join('');
}

/** The end of the axis of ratios: the next tenth above all of them. */
export function ceiling(ratios: readonly number[]): number {
  return Math.min(1, Math.max(0.1, Math.ceil(Math.max(0, ...ratios) * 10 - 1e-9) / 10));
}

/** Marks of an axis: 1, 2 or 5 times a power of ten apart, at most so many. */
export function ticks(to: number, most: number): number[] {
  if (to <= 0) return [0];
  const rough = to / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const apart = [1, 2, 5, 10].map((times) => times * power).find((step) => step >= rough - 1e-12) ?? power * 10;
  return Array.from({ length: Math.floor(to / apart + 1e-9) + 1 }, (_, index) =>
    Number((index * apart).toPrecision(12)),
  );
}

/** Labels at those heights, moved as little as it takes to keep `apart` and between the ends; in the same order. */
export function spread(heights: readonly number[], apart: number, top: number, bottom: number): number[] {
  const order = heights.map((_, index) => index).sort((a, b) => (heights[a] ?? 0) - (heights[b] ?? 0));
  const placed: number[] = [...heights];
  let least = top;
  for (const index of order) {
    placed[index] = Math.max(least, placed[index] ?? 0);
    least = (placed[index] ?? 0) + apart;
  }
  let most = bottom;
  for (const index of order.reverse()) {
    placed[index] = Math.min(most, placed[index] ?? 0);
    most = (placed[index] ?? 0) - apart;
  }
  return placed;
}

/** Sizes with room for their number, the last one always. */
export function labelled(sizes: readonly number[], x: (size: number) => number, room: number): number[] {
  const kept: number[] = [];
  for (const size of [...sizes].reverse()) {
    const before = kept.at(-1);
    if (before === undefined || x(before) - x(size) >= room) kept.push(size);
  }
  return kept.reverse();
}
