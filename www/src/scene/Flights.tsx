// Messages under way, on a canvas above the ring: many, moving, and nothing that a person needs to focus. Everything
// that they say stands in the log as well.

import { useEffect, useRef } from 'preact/hooks';
import { CLIENTS, type Flight, type Motion, type Place } from '../frame.ts';
import { useSession } from '../state/context.ts';
import { BEATS, CROWDED, GATHERED, type Group, gather, isCounted, tally, touches } from './crowd.ts';
import { GLYPHS } from './glyphs.ts';
import * as layout from './layout.ts';
import { density, hueIndex } from './palette.ts';

/** Labels that can be read at the same time. */
const LABELLED = 8;
/** Between two changes of the tally, in milliseconds: what changes at every frame cannot be read. */
const TALLIED = 250;

export function Flights({ discs }: { discs: ReadonlyMap<Place, layout.Disc> }) {
  const session = useSession();
  const canvas = useRef<HTMLCanvasElement>(null);
  const sum = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    const surface = canvas.current;
    const context = surface?.getContext('2d');
    if (!surface || !context) return;
    const still = window.matchMedia('(prefers-reduced-motion: reduce)');
    let colours = readColours(surface);
    let tallied = 0;
    const paint = (motion: Motion) => {
      const scale = sharpen(surface);
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, layout.SIZE, layout.SIZE);
      const chosen = session.selectedNode.value;
      draw(context, motion, discs, { colours, chosen, still: still.matches }, session.placement.value?.primaries);
      surface.dataset.flights = String(motion.inFlight);
      if (!sum.current || performance.now() < tallied + TALLIED) return;
      tallied = performance.now();
      sum.current.textContent = tally(motion.flights, motion.inFlight);
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
    const unlit = session.selectedNode.subscribe(() => paint(session.motion));
    return () => {
      stop();
      unlit();
      themes.disconnect();
      scheme.removeEventListener('change', restyle);
    };
  }, [session, discs]);
  return (
    <>
      <canvas class="flights" ref={canvas} aria-hidden="true" />
      <p class="tally" ref={sum} aria-hidden="true" />
    </>
  );
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
  const side = Math.round(surface.clientWidth * density(surface));
  if (surface.width !== side) {
    surface.width = side;
    surface.height = side;
  }
  return side / layout.SIZE;
}

interface Look {
  readonly colours: Colours;
  /** A node whose messages stand out. */
  readonly chosen: Place | null;
  readonly still: boolean;
}

function draw(
  context: CanvasRenderingContext2D,
  motion: Motion,
  discs: ReadonlyMap<Place, layout.Disc>,
  look: Look,
  primaries: Int16Array | undefined,
): void {
  const { colours, chosen, still } = look;
  const crowded = motion.inFlight > GATHERED;
  const flights = motion.inFlight > CROWDED ? motion.flights.filter((f) => !BEATS.has(f.kind)) : motion.flights;
  const stands = (flight: Flight) => !crowded || (chosen !== null && touches(flight, chosen));
  const readable = flights.filter((f) => f.label !== '' && !BEATS.has(f.kind)).length <= LABELLED;
  // Small discs have small groups around them.
  const room = discs.size > layout.LINKS_UP_TO ? 0.72 : 1;
  const dots = new Map<string, Path2D>();
  const above: (() => void)[] = [];
  for (const group of gather(flights, motion.now, stands)) {
    const { flight, count } = group;
    const from = discs.get(flight.from) ?? discs.get(CLIENTS);
    const to = discs.get(flight.to) ?? discs.get(CLIENTS);
    if (!from || !to || from === to) continue;
    const lane = layout.lane(from, to);
    // Someone who wants less motion sees where messages are under way, and not their way.
    const t = still ? 0.62 : group.t;
    const owner = flight.slot < 0 ? undefined : primaries?.[flight.slot];
    const colour = owner === undefined || owner < 0 ? colours.ink : (colours.owners[hueIndex(owner)] ?? colours.ink);
    if (stands(flight)) {
      above.push(() => {
        trail(context, lane, t, colour, still);
        glyph(context, flight, lane, { t, colour, size: 1 }, colours.paper);
        if (readable && flight.label) label(context, layout.along(lane, t), flight.label, colours);
      });
    } else if (count > 1) {
      const counted = isCounted(count, flights.length);
      above.unshift(() => bundle(context, group, lane, { t, colour, size: room }, counted, look));
    } else {
      const at = layout.along(lane, t);
      const radius = GLYPHS[flight.kind].hollow ? 1.6 : 2.3;
      const path = dots.get(colour) ?? new Path2D();
      dots.set(colour, path);
      path.moveTo(at.x + radius, at.y);
      path.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    }
  }
  context.globalAlpha = crowded && chosen !== null ? 0.35 : 0.9;
  for (const [colour, path] of dots) {
    context.fillStyle = colour;
    context.fill(path);
  }
  context.globalAlpha = 1;
  for (const paint of above) paint();
}

interface Spot {
  readonly t: number;
  readonly colour: string;
  readonly size: number;
}

/** Several messages as one: the more they are, the larger it is, and a number says how many. */
function bundle(
  context: CanvasRenderingContext2D,
  { flight, count }: Group,
  lane: layout.Lane,
  spot: Spot,
  counted: boolean,
  { colours, chosen }: Look,
): void {
  context.globalAlpha = chosen === null ? 1 : 0.35;
  const size = spot.size * Math.min(1.5, 0.55 + 0.16 * Math.log2(count));
  glyph(context, flight, lane, { ...spot, size }, colours.paper);
  if (counted) label(context, layout.along(lane, spot.t), String(count), colours);
  context.globalAlpha = 1;
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
  { t, colour, size }: Spot,
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
  context.scale(shape.scale * size, shape.scale * size);
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
