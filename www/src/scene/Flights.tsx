// Messages under way, on a canvas above the ring: many, moving, and nothing that a person needs to focus. Everything
// that they say stands in the log as well.

import { useEffect, useRef } from 'preact/hooks';
import { CLIENTS, type Flight, type MessageKind, type Motion, type Place } from '../frame.ts';
import { useSession } from '../state/context.ts';
import { GLYPHS } from './glyphs.ts';
import * as layout from './layout.ts';
import { hueIndex } from './palette.ts';

/** Messages that are drawn at most; the rest are counted. */
export const DRAWN = 300;
/** When more than these fly, heartbeats are left out. */
const CROWDED = 40;
/** What only shows that nodes are there. */
const BEATS: ReadonlySet<MessageKind> = new Set(['ping', 'pong', 'gossip']);
/** Labels that can be read at the same time. */
const LABELLED = 8;

export function Flights({ discs }: { discs: ReadonlyMap<Place, layout.Disc> }) {
  const session = useSession();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const surface = canvas.current;
    const context = surface?.getContext('2d');
    if (!surface || !context) return;
    const still = window.matchMedia('(prefers-reduced-motion: reduce)');
    let colours = readColours(surface);
    const paint = (motion: Motion) => {
      const scale = sharpen(surface);
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, layout.SIZE, layout.SIZE);
      draw(context, motion, discs, colours, still.matches, session.placement.value?.primaries);
      surface.dataset.flights = String(motion.inFlight);
    };
    const restyle = () => {
      colours = readColours(surface);
      paint(session.motion);
    };
    const scheme = window.matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', restyle);
    const themes = new MutationObserver(restyle);
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    const stop = session.watchMotion(paint);
    paint(session.motion);
    return () => {
      stop();
      themes.disconnect();
      scheme.removeEventListener('change', restyle);
    };
  }, [session, discs]);
  return <canvas class="flights" ref={canvas} aria-hidden="true" />;
}

interface Colours {
  readonly ink: string;
  readonly paper: string;
  readonly owners: readonly string[];
}

function readColours(surface: HTMLElement): Colours {
  const style = getComputedStyle(surface);
  const of = (name: string) => style.getPropertyValue(name).trim() || '#888';
  return {
    ink: of('--ink'),
    paper: of('--paper'),
    owners: ['--nobody', ...Array.from({ length: 8 }, (_, i) => `--owner-${i + 1}`)].map(of),
  };
}

/** Makes the canvas as sharp as the screen, and says how many of its pixels a unit takes. */
function sharpen(surface: HTMLCanvasElement): number {
  const side = Math.round(surface.clientWidth * Math.min(2, window.devicePixelRatio || 1));
  if (surface.width !== side) {
    surface.width = side;
    surface.height = side;
  }
  return side / layout.SIZE;
}

function draw(
  context: CanvasRenderingContext2D,
  motion: Motion,
  discs: ReadonlyMap<Place, layout.Disc>,
  colours: Colours,
  still: boolean,
  primaries: Int16Array | undefined,
): void {
  const labels = motion.flights.filter((f) => f.label !== '' && !BEATS.has(f.kind));
  const readable = labels.length <= LABELLED;
  for (const flight of motion.flights.slice(0, DRAWN)) {
    if (motion.inFlight > CROWDED && BEATS.has(flight.kind)) continue;
    const from = discs.get(flight.from) ?? discs.get(CLIENTS);
    const to = discs.get(flight.to) ?? discs.get(CLIENTS);
    if (!from || !to || from === to) continue;
    const lane = layout.lane(from, to);
    // Someone who wants less motion sees where messages are under way, and not their way.
    const t = still ? 0.62 : layout.progress(flight.sentAt, flight.arrivesAt, motion.now);
    const owner = flight.slot < 0 ? undefined : primaries?.[flight.slot];
    const colour = owner === undefined || owner < 0 ? colours.ink : (colours.owners[hueIndex(owner)] ?? colours.ink);
    trail(context, lane, t, colour, still);
    glyph(context, flight, lane, t, colour, colours.paper);
    if (readable && flight.label) label(context, layout.along(lane, t), flight.label, colours);
  }
}

function trail(context: CanvasRenderingContext2D, lane: layout.Lane, t: number, colour: string, still: boolean): void {
  const start = still ? 0 : Math.max(0, t - 0.22);
  const pieces = 6;
  context.strokeStyle = colour;
  context.lineCap = 'round';
  for (let piece = 0; piece < pieces; piece += 1) {
    const a = layout.along(lane, start + ((t - start) * piece) / pieces);
    const b = layout.along(lane, start + ((t - start) * (piece + 1)) / pieces);
    context.globalAlpha = (0.5 * (piece + 1)) / pieces;
    context.lineWidth = 1 + (2 * piece) / pieces;
    context.beginPath();
    context.moveTo(a.x, a.y);
    context.lineTo(b.x, b.y);
    context.stroke();
  }
  context.globalAlpha = 1;
}

const PATHS = new Map<string, Path2D>();

function glyph(
  context: CanvasRenderingContext2D,
  flight: Flight,
  lane: layout.Lane,
  t: number,
  colour: string,
  paper: string,
): void {
  const shape = GLYPHS[flight.kind];
  const at = layout.along(lane, t);
  const ahead = layout.along(lane, Math.min(1, t + 0.02));
  const behind = layout.along(lane, Math.max(0, t - 0.02));
  const path = PATHS.get(shape.path) ?? new Path2D(shape.path);
  PATHS.set(shape.path, path);
  context.save();
  context.translate(at.x, at.y);
  context.rotate(Math.atan2(ahead.y - behind.y, ahead.x - behind.x));
  context.scale(shape.scale, shape.scale);
  context.lineJoin = 'round';
  context.lineWidth = 4;
  context.strokeStyle = paper;
  context.stroke(path);
  context.lineWidth = shape.hollow ? 2.2 : 1;
  context.fillStyle = shape.hollow ? paper : colour;
  context.strokeStyle = colour;
  context.fill(path);
  context.stroke(path);
  context.restore();
}

function label(context: CanvasRenderingContext2D, at: layout.Point, text: string, colours: Colours): void {
  const short = text.length > 14 ? `${text.slice(0, 13)}…` : text;
  context.font = '600 10.5px ui-monospace, "JetBrains Mono", Menlo, Consolas, monospace';
  context.textAlign = 'center';
  context.lineWidth = 3.5;
  context.lineJoin = 'round';
  context.strokeStyle = colours.paper;
  context.strokeText(short, at.x, at.y - 10);
  context.fillStyle = colours.ink;
  context.fillText(short, at.x, at.y - 10);
}
