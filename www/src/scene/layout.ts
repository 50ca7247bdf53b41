// Where things are drawn: pure functions from a cluster to geometry, in the units of a square of `SIZE`.

import { CLIENTS, type Place, type Placement, SLOTS } from '../frame.ts';

export const SIZE = 480;
export const CENTRE = SIZE / 2;
/** The radius in the middle of the outermost band. */
export const RING = 222;
/** Links of more nodes than this are drawn only where they matter: cut, or at the selected node. */
export const LINKS_UP_TO = 8;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Disc extends Point {
  readonly place: Place;
  readonly radius: number;
}

/** A curve from a place to another: a quadratic Bézier. */
export interface Lane {
  readonly from: Point;
  readonly bend: Point;
  readonly to: Point;
}

/** The clients in the middle, the nodes evenly around them, the first at the top. */
export function discs(nodes: readonly Place[]): Map<Place, Disc> {
  const many = nodes.length;
  const orbit = many > 12 ? 168 : many > 6 ? 160 : 150;
  const radius = many <= 6 ? 34 : Math.max(11, Math.min(34, (Math.PI * orbit) / many - 5));
  const placed = new Map<Place, Disc>();
  placed.set(CLIENTS, { place: CLIENTS, x: CENTRE, y: CENTRE, radius: 25 });
  nodes.forEach((place, index) => {
    const angle = many === 1 ? -Math.PI / 2 : -Math.PI / 2 + (2 * Math.PI * index) / many;
    placed.set(place, { place, radius, ...polar(orbit, angle) });
  });
  return placed;
}

/** As much of a name as a disc has room for in letters of that size. */
export function fitted(name: string, radius: number, size: number): string {
  const most = Math.max(3, Math.floor((2 * radius - 6) / (0.58 * size)));
  return name.length > most ? `${name.slice(0, most - 1)}…` : name;
}

/** The lane of messages from a disc to another. Each direction keeps to its own side, and none crosses the clients. */
export function lane(from: Disc, to: Disc): Lane {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  const across = { x: -(to.y - from.y) / length, y: (to.x - from.x) / length };
  const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
  const clients = from.place === CLIENTS || to.place === CLIENTS;
  const clearance = Math.hypot(middle.x - CENTRE, middle.y - CENTRE);
  const side = clients ? 16 : clearance < 45 ? 110 : 22;
  const bend = { x: middle.x + across.x * side, y: middle.y + across.y * side };
  return { from: edge(from, bend), bend, to: edge(to, bend) };
}

/** The straight line between two discs that a person can cut: drawn between the two lanes. */
export function link(a: Disc, b: Disc): { readonly path: string; readonly middle: Point } {
  const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  const through = Math.hypot(middle.x - CENTRE, middle.y - CENTRE) < 45;
  const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  // Through the middle it would run under the clients: it bends around them.
  const side = through ? 80 : 0;
  const bend = { x: middle.x - ((b.y - a.y) / length) * side, y: middle.y + ((b.x - a.x) / length) * side };
  const [from, to] = [edge(a, bend), edge(b, bend)];
  return { path: curve({ from, bend, to }), middle: along({ from, bend, to }, 0.5) };
}

/** The point at `t` from 0 to 1 of a lane. */
export function along({ from, bend, to }: Lane, t: number): Point {
  const u = 1 - t;
  return {
    x: u * u * from.x + 2 * u * t * bend.x + t * t * to.x,
    y: u * u * from.y + 2 * u * t * bend.y + t * t * to.y,
  };
}

export function curve({ from, bend, to }: Lane): string {
  return `M${round(from.x)} ${round(from.y)}Q${round(bend.x)} ${round(bend.y)} ${round(to.x)} ${round(to.y)}`;
}

/** How far a message has come, from 0 to 1. */
export function progress(sentAt: number, arrivesAt: number, now: number): number {
  return arrivesAt <= sentAt ? 1 : Math.min(1, Math.max(0, (now - sentAt) / (arrivesAt - sentAt)));
}

/** The angle of a slot, clockwise from the top. */
export function slotAngle(slot: number): number {
  return -Math.PI / 2 + (2 * Math.PI * slot) / SLOTS;
}

export interface Band {
  /** 0 is who answers now, outermost; then the replicas in the ring's order. */
  readonly copy: number;
  readonly radius: number;
  readonly width: number;
  /** One path of arcs for each node; -1 is nobody. */
  readonly arcs: ReadonlyMap<Place, string>;
}

/** The bands of the ring: at any angle, reading inwards, who answers for that slot and who keeps its copies. */
export function bands({ copies, owners, primaries }: Placement): Band[] {
  const drawn: Band[] = [];
  let outer = RING + 9;
  for (let copy = 0; copy < Math.min(copies, 4); copy += 1) {
    const width = copy === 0 ? 16 : 7;
    const radius = outer - width / 2;
    outer -= width + 2;
    const ownerOf = (slot: number) =>
      copy === 0 ? primaries[slot] : nthReplica(owners, primaries, copies, slot, copy);
    const drawnArcs = arcs(ownerOf, radius);
    // Nobody answering is worth seeing; that most slots have no further owner while a few move is not.
    if (copy > 0) drawnArcs.delete(-1);
    drawn.push({ copy, radius, width, arcs: drawnArcs });
  }
  return drawn;
}

/** The owners of a slot with the acting primary taken first. */
function nthReplica(owners: Int16Array, primaries: Int16Array, copies: number, slot: number, copy: number) {
  const row = owners.subarray(slot * copies, (slot + 1) * copies);
  const primary = primaries[slot] ?? -1;
  const acting = row.indexOf(primary);
  return acting < 0 ? row[copy] : row[copy <= acting ? copy - 1 : copy];
}

function arcs(ownerOf: (slot: number) => number | undefined, radius: number): Map<Place, string> {
  const paths = new Map<Place, string[]>();
  let start = 0;
  for (let slot = 1; slot <= SLOTS; slot += 1) {
    const owner = ownerOf(start) ?? -1;
    if (slot < SLOTS && ownerOf(slot) === owner) continue;
    const path = paths.get(owner) ?? [];
    paths.set(owner, path);
    path.push(arc(start, slot, radius));
    start = slot;
  }
  return new Map([...paths].map(([place, parts]) => [place, parts.join('')]));
}

function arc(start: number, end: number, radius: number): string {
  // An arc of the whole circle has its ends in one place, and would vanish: it is drawn in halves.
  if (end - start > SLOTS / 2) {
    const half = (start + end) >> 1;
    return arc(start, half, radius) + arc(half, end, radius);
  }
  const [a, b] = [polar(radius, slotAngle(start)), polar(radius, slotAngle(end))];
  return `M${round(a.x)} ${round(a.y)}A${radius} ${radius} 0 0 1 ${round(b.x)} ${round(b.y)}`;
}

/** An arc around a disc that shows how full its store is. */
export function gauge(disc: Disc, filled: number): string {
  const radius = disc.radius;
  const share = Math.min(0.9999, Math.max(0, filled));
  const end = -Math.PI / 2 + 2 * Math.PI * share;
  const x = disc.x + radius * Math.cos(end);
  const y = disc.y + radius * Math.sin(end);
  const large = share > 0.5 ? 1 : 0;
  return `M${round(disc.x)} ${round(disc.y - radius)}A${radius} ${radius} 0 ${large} 1 ${round(x)} ${round(y)}`;
}

export function polar(radius: number, angle: number): Point {
  return { x: CENTRE + radius * Math.cos(angle), y: CENTRE + radius * Math.sin(angle) };
}

function edge(disc: Disc, towards: Point): Point {
  const length = Math.hypot(towards.x - disc.x, towards.y - disc.y) || 1;
  const reach = disc.radius + 3;
  return { x: disc.x + ((towards.x - disc.x) / length) * reach, y: disc.y + ((towards.y - disc.y) / length) * reach };
}

const round = (n: number) => Math.round(n * 100) / 100;
