// Frames made by hand, for tests of what is drawn.

import { NO_COURSE } from '../src/course.ts';
import { CLIENTS, type Entry, type Flight, type NodeView, type Placement, SLOTS, type Snapshot } from '../src/frame.ts';
import { FIRST, Session } from '../src/state/session.ts';
import { NO_TRUTH } from '../src/truth.ts';
import type { FromWorker, Opened, ToWorker } from '../src/worker/protocol.ts';

export function entry(key: string, rank: number, expiresIn: number | null = null): Entry {
  return { key, version: `19b76ab0${rank.toString(16)}-0-1`, expiresIn, bytes: 96 + key.length, rank };
}

export function node(id: number, part: Partial<NodeView> = {}): NodeView {
  const rows = Array.from({ length: 17 }, (_, rank) =>
    entry(`k${(id * 7 + rank * 5) % 61}`, rank < 14 ? rank : rank + 7, rank % 4 ? null : 40 * rank + 5),
  );
  return {
    id,
    up: true,
    entries: 24,
    entryLimit: 24,
    bytes: 3_120,
    byteLimit: 0,
    hits: 310,
    misses: 44,
    evictions: 12,
    expirations: 3,
    primarySlots: 5_461,
    weight: 1,
    leaving: false,
    away: 'no',
    suspects: [],
    rows,
    ...part,
  };
}

export function snapshot(part: Partial<Snapshot> = {}): Snapshot {
  return {
    world: 1,
    now: 12_345,
    steps: 987,
    nodes: [node(1), node(2), node(3)],
    map: { edition: 1, phase: 'steady', copies: 2, waiting: 0 },
    cuts: [],
    clogs: [],
    conditions: [],
    fingerprint: '1f3c9a5be0d24477',
    log: Array.from({ length: 12 }, (_, i) => ({
      seq: i + 1,
      at: 12_000 + i * 25,
      place: i % 3 === 0 ? CLIENTS : (i % 3) + 1,
      kind: ['asked', 'delivered', 'node'][i % 3] ?? '',
      key: `k${i}`,
      text: `c1@n${(i % 3) + 1} set k${i} v${i}`,
    })),
    explained: null,
    replay: null,
    course: NO_COURSE,
    truth: NO_TRUTH,
    busy: true,
    played: null,
    disks: [],
    recorded: null,
    ...part,
  };
}

/** Slots dealt out in `runs` stretches to `nodes` nodes in turn. */
export function placement(nodes = 3, copies = 2, runs = 90): Placement {
  const owners = new Int16Array(SLOTS * copies);
  const primaries = new Int16Array(SLOTS);
  for (let slot = 0; slot < SLOTS; slot += 1) {
    const run = Math.floor((slot * runs) / SLOTS);
    for (let copy = 0; copy < copies; copy += 1) owners[slot * copies + copy] = ((run * 7 + copy) % nodes) + 1;
    primaries[slot] = owners[slot * copies] ?? -1;
  }
  return { copies, owners, primaries };
}

export function flight(id: number, part: Partial<Flight> = {}): Flight {
  return { id, from: 1, to: 2, kind: 'replicate', slot: 100, sentAt: 12_000, arrivesAt: 13_000, label: 'k7', ...part };
}

export function opened(text: string, part: Partial<Opened> = {}): Opened {
  return { text, settings: FIRST, fingerprint: '00112233445566aa', end: 2_000_000, engine: '0.1.0', ...part };
}

/** A session with no worker: what it sends, and how it is told something. */
export function wired() {
  const sent: ToWorker[] = [];
  const listeners: ((message: FromWorker) => void)[] = [];
  const session = new Session({
    post: (message) => sent.push(message),
    listen: (listener) => listeners.push(listener),
  });
  const receive = (message: FromWorker) => {
    for (const listener of listeners) listener(message);
  };
  return { session, sent, receive };
}
