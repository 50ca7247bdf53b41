// The colours of owners: eight hues that the colour-blind can tell apart (after Okabe and Ito), then patterns on them.

import { CLIENTS, type Place } from '../frame.ts';

export const HUES = 8;

/** How many times what the style sheet calls a pixel is one of the screen: the page is larger on a wall. */
export const enlarged = (surface: Element): number => surface.currentCSSZoom || 1;

/** Dots of a canvas for each of its pixels: as sharp as the screen, up to a bound. */
export const density = (surface: Element): number => Math.min(2, (window.devicePixelRatio || 1) * enlarged(surface));

/** The CSS colour of an owner. */
export function hue(place: Place): string {
  return place === CLIENTS ? 'var(--ink)' : place < 0 ? 'var(--nobody)' : `var(--owner-${hueIndex(place)})`;
}

/** 1 to 8. Nodes are counted from 1. */
export function hueIndex(place: Place): number {
  return ((place + HUES - 1) % HUES) + 1;
}

/** 0 is plain; nodes past the eighth share a hue, and differ in the dashes of their arcs. */
export function patternIndex(place: Place): number {
  return Math.floor(Math.max(0, place - 1) / HUES) % 4;
}

/** The dashes of an arc of that pattern. */
export const DASHES: readonly (string | undefined)[] = [undefined, '3 1.5', '1 1', '5 1 1 1'];
