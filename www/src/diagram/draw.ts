// One screen of the diagram: a line for each place, a row for each event, messages as arrows from where they were sent.

import { CLIENTS, nameOf, type Place } from '../frame.ts';
import { hueIndex } from '../scene/palette.ts';
import { moment } from '../state/format.ts';
import type { Tape } from './tape.ts';

/** Pixels of an event. */
export const ROW = 18;
/** Room for the moments on the left, and for what happens on the right, in so many characters. */
const WIDE = { left: 84, right: 190, most: 30 };
/** On a phone the lines between need the room. */
const NARROW = { left: 70, right: 142, most: 22 };
const edges = (width: number) => (width < 560 ? NARROW : WIDE);
/** Rows below the screen whose arrows may begin on it. */
const AHEAD = 400;
/** How much is seen of what is to come, where somebody went back. */
const FAINT = 0.38;

export interface Colours {
  readonly ink: string;
  readonly soft: string;
  readonly line: string;
  readonly bad: string;
  readonly accent: string;
  readonly owners: readonly string[];
}

export function readColours(surface: HTMLElement): Colours {
  const style = getComputedStyle(surface);
  const probe = document.createElement('span');
  surface.parentElement?.append(probe);
  const of = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color || style.color;
  };
  const owners = ['--nobody', ...Array.from({ length: 8 }, (_, i) => `--owner-${i + 1}`)].map(of);
  const colours = {
    ink: of('--ink'),
    soft: of('--soft'),
    line: of('--line'),
    bad: of('--bad'),
    accent: of('--accent'),
    owners,
  };
  probe.remove();
  return colours;
}

/** Where the line of a place is. */
export function columns(places: readonly Place[], width: number): Map<Place, number> {
  const room = columnRoom(places, width);
  return new Map(places.map((place, index) => [place, edges(width).left + room * (index + 0.5)]));
}

/** How wide each of them is. */
export function columnRoom(places: readonly Place[], width: number): number {
  const { left, right } = edges(width);
  return Math.max(40, width - left - right) / places.length;
}

export interface Screen {
  readonly width: number;
  readonly height: number;
  /** Pixels that are scrolled away above it. */
  readonly top: number;
  readonly chosen: number | null;
}

export function draw(
  context: CanvasRenderingContext2D,
  tape: Tape,
  places: readonly Place[],
  { width, height, top, chosen }: Screen,
  colours: Colours,
): void {
  context.clearRect(0, 0, width, height);
  const lines = columns(places, width);
  const { left, right, most } = edges(width);
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  context.lineWidth = 1.5;
  for (const [place, x] of lines) stroke(context, colourOf(place, colours), 0.45, x, 0, x, height);
  const first = Math.max(0, Math.floor(top / ROW));
  const last = Math.min(tape.length - 1, Math.ceil((top + height) / ROW));
  const y = (row: number) => (row + 0.5) * ROW - top;
  const past = tape.past;
  for (let row = first; row <= Math.min(tape.length - 1, last + AHEAD); row += 1) {
    const event = tape.event(row);
    if (!event) continue;
    context.globalAlpha = row < past || row === chosen ? 1 : FAINT;
    const [from, to] = [lines.get(event.from), lines.get(event.to)];
    const bottom = y(row);
    if (event.shape === 'arrow' && from !== undefined && to !== undefined && from !== to) {
      const begins = y(tape.rowAt(event.sent));
      if (row > last && begins > height) continue;
      context.lineWidth = row === chosen ? 3 : 1.5;
      arrow(context, row === chosen ? colours.accent : colourOf(event.from, colours), from, begins, to, bottom);
    } else if (row <= last && event.shape === 'lost' && from !== undefined && to !== undefined && from !== to) {
      const middle = (from + to) / 2;
      stroke(context, colours.bad, 1, from, bottom, middle, bottom);
      stroke(context, colours.bad, 1, middle - 4, bottom - 4, middle + 4, bottom + 4);
      stroke(context, colours.bad, 1, middle - 4, bottom + 4, middle + 4, bottom - 4);
    } else if (row <= last) {
      const at = to ?? from ?? left;
      context.fillStyle = row === chosen ? colours.accent : colourOf(event.to, colours);
      context.beginPath();
      context.arc(at, bottom, row === chosen ? 6 : 4, 0, 2 * Math.PI);
      context.fill();
    }
    if (row > last) continue;
    context.fillStyle = row === chosen ? colours.accent : colours.soft;
    context.textAlign = 'right';
    context.fillText(moment(event.at), left - 10, bottom);
    context.textAlign = 'left';
    context.fillStyle = row === chosen ? colours.accent : colours.ink;
    const who = event.from === event.to ? nameOf(event.to) : `${nameOf(event.from)} → ${nameOf(event.to)}`;
    context.fillText(short(`${who}  ${event.kind} ${event.key}`, most), width - right + 8, bottom);
  }
  context.globalAlpha = 1;
  // Where the run is.
  if (past < tape.length) stroke(context, colours.accent, 1, 0, past * ROW - top, width, past * ROW - top);
}

function colourOf(place: Place, colours: Colours): string {
  return place === CLIENTS ? colours.ink : (colours.owners[hueIndex(place)] ?? colours.ink);
}

function stroke(
  context: CanvasRenderingContext2D,
  colour: string,
  alpha: number,
  ...[fromX, fromY, toX, toY]: [number, number, number, number]
): void {
  const before = context.globalAlpha;
  context.globalAlpha = alpha * before;
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
  context.globalAlpha = before;
}

function arrow(
  context: CanvasRenderingContext2D,
  colour: string,
  ...[fromX, fromY, toX, toY]: [number, number, number, number]
): void {
  stroke(context, colour, 1, fromX, fromY, toX, toY);
  const angle = Math.atan2(toY - fromY, toX - fromX);
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(toX, toY);
  for (const side of [-0.4, 0.4]) {
    context.lineTo(toX - 9 * Math.cos(angle + side), toY - 9 * Math.sin(angle + side));
  }
  context.fill();
}

const short = (text: string, most: number) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
