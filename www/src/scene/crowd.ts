// Many messages in one picture: those that are alike travel as one, and who is lone is a dot.

import { type Flight, MESSAGE_KINDS, type MessageKind, type Place } from '../frame.ts';
import { count } from '../state/format.ts';
import * as layout from './layout.ts';

/** When more than these fly, heartbeats are left out. */
export const CROWDED = 40;
/** When more than these fly, they are gathered. */
export const GATHERED = 150;
/** Messages on one lane are gathered within such a part of its way; where there are very many, within a half. */
const LEGS = 5;
const LEGS_OF_MANY = 2;
export const MANY = 1_000;
/** A group says its number where it has so many, or such a part of all: numbers must not cover each other. */
const COUNTED = 5;
const COUNTED_PART = 100;
/** Kinds that the tally names. */
const NAMED = 3;

/** What only shows that nodes are there. */
export const BEATS: ReadonlySet<MessageKind> = new Set(['ping', 'pong', 'gossip']);

/** Messages that are drawn as one. */
export interface Group {
  /** One of them: all have its lane and its kind. */
  readonly flight: Flight;
  /** How far they have come, from 0 to 1: the mean. */
  readonly t: number;
  readonly count: number;
}

/** Gathers messages of one kind that are on the same part of the same lane. Who is `alone` is left as it is. */
export function gather(flights: readonly Flight[], now: number, alone: (flight: Flight) => boolean): Group[] {
  const legs = flights.length > MANY ? LEGS_OF_MANY : LEGS;
  const gathered = new Map<number, { flight: Flight; sum: number; count: number }>();
  const groups: Group[] = [];
  for (const flight of flights) {
    const t = layout.progress(flight.sentAt, flight.arrivesAt, now);
    if (alone(flight)) {
      groups.push({ flight, t, count: 1 });
      continue;
    }
    const leg = Math.min(legs - 1, Math.floor(t * legs));
    const lane = (flight.from + 1) * 65_536 + flight.to + 1;
    const key = (lane * MESSAGE_KINDS.length + MESSAGE_KINDS.indexOf(flight.kind)) * legs + leg;
    const group = gathered.get(key);
    if (!group) gathered.set(key, { flight, sum: t, count: 1 });
    else {
      group.sum += t;
      group.count += 1;
    }
  }
  for (const { flight, sum, count } of gathered.values()) groups.push({ flight, t: sum / count, count });
  return groups;
}

/** Is a group of so many one of those whose number is said, among so many messages? */
export const isCounted = (count: number, all: number) => count >= Math.max(COUNTED, all / COUNTED_PART);

/** Does a message come from that node, or go to it? */
export const touches = (flight: Flight, node: Place) => flight.from === node || flight.to === node;

/** How many are under way, and of which kinds most are; nothing where each can be seen. */
export function tally(flights: readonly Flight[], inFlight: number): string {
  if (inFlight <= GATHERED) return '';
  const counts = new Map<MessageKind, number>();
  for (const { kind } of flights) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, NAMED);
  return `${count(inFlight)} messages under way: ${most.map(([kind, many]) => `${count(many)} ${kind}`).join(', ')}`;
}
