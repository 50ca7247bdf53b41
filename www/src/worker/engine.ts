// The simulator as the runner sees it: flat arrays from the wasm become frames. Each array is a copy outside of the
// wasm's memory, which may move when it grows.

import type { Recorded } from '../diagram/tape.ts';
import {
  AWAY,
  BLOCKS,
  type ClusterMap,
  type Condition,
  type DiskView,
  type Entry,
  type Explained,
  type Flight,
  type LogRow,
  MESSAGE_KINDS,
  type Motion,
  type NodeView,
  PHASES,
  type Placement,
  type Played,
  type Replay,
  SLOTS,
  STAGES,
} from '../frame.ts';
import init, { Playground, Settings as WasmSettings } from '../wasm/vitrine_web.js';
import wasmUrl from '../wasm/vitrine_web_bg.wasm?url';
import { CourseReader } from './course.ts';
import { FSYNCS, type Opened, POLICIES, type Settings, type Workload } from './protocol.ts';
import type { Engine } from './runner.ts';
import { rows, TruthReader } from './truth.ts';

/** Rows of a store that are sent: the most recent, more of them where the nodes are few, and the next to go. */
const HEAD = 14;
const HEAD_OF_FEW = 60;
const TAIL = 3;
/** More nodes than these are many. */
const MANY = 3;

export async function load(): Promise<Engine> {
  await init({ module_or_path: wasmUrl });
  return new Simulator();
}

class Simulator implements Engine {
  private playground = new Playground(new WasmSettings());
  private course = new CourseReader(this.playground);
  private truth = new TruthReader(this.playground);
  private logged = 0;
  private recording = false;
  private placed = -1;

  build(settings: Settings): void {
    const wanted = new WasmSettings();
    wanted.seed = BigInt(settings.seed);
    wanted.nodes = settings.nodes;
    wanted.replicas = settings.replicas;
    wanted.capacity = settings.capacity;
    wanted.virtual_nodes = settings.virtualNodes;
    wanted.loss_per_mille = settings.lossPerMille;
    wanted.fsync = FSYNCS.indexOf(settings.fsync);
    wanted.save_above = settings.saveAbove;
    wanted.policy = POLICIES.indexOf(settings.policy);
    wanted.stand_in = settings.standIn;
    this.playground.build(wanted, settings.writeLevel, settings.readLevel);
    this.renew();
  }

  now(): number {
    return this.playground.now();
  }

  run(until: number, most: number): number {
    return this.playground.run(until, most);
  }

  stepForward(): boolean {
    return this.playground.step_forward();
  }

  stepBack(): boolean {
    const moved = this.playground.step_back();
    // What the log said since then will be said again.
    this.logged = Math.min(this.logged, this.playground.latest());
    return moved;
  }

  seek(at: number): void {
    this.playground.seek(at);
    this.logged = 0;
  }

  seekEvent(seq: number): void {
    this.playground.seek_event(seq);
    this.logged = 0;
  }

  fork(): void {
    this.playground.fork();
  }

  swap(): void {
    this.playground.swap();
    this.renew();
  }

  joinBranches(): void {
    this.playground.join_branches();
  }

  stopped(): boolean {
    return this.playground.stopped();
  }

  causes(seq: number) {
    return this.truth.causes(seq);
  }

  fate(key: string) {
    const has = this.explain(key)?.replicas.filter((replica) => replica.version !== null) ?? [];
    return { ...this.truth.fate(key), on: has.map((replica) => replica.node) };
  }

  setMutant(name: string): void {
    this.playground.set_mutant(name);
    this.renew();
  }

  /** Nothing of what was told before is about this run. */
  private renew(): void {
    this.logged = 0;
    this.placed = -1;
    this.course.renew();
  }

  command(text: string): void {
    this.playground.command(text);
  }

  workload(workload: Workload | null): void {
    if (workload === null) {
      this.playground.stop_workload();
      return;
    }
    const { kind, keys, rate, writePercent, ttl } = workload;
    this.playground.workload(kind, keys, rate, writePercent, ttl);
  }

  motion(): Motion {
    const flat = this.playground.flights();
    const labels = this.playground.flight_labels();
    const flights: Flight[] = [];
    for (let at = 2, index = 0; at + 7 <= flat.length; at += 7, index += 1) {
      const [id = 0, from = 0, to = 0, kind = 0, slot = -1, sentAt = 0, arrivesAt = 0] = flat.subarray(at, at + 7);
      const name = MESSAGE_KINDS[kind] ?? 'request';
      flights.push({ id, from, to, kind: name, slot, sentAt, arrivesAt, label: labels[index] ?? '' });
    }
    return { now: flat[0] ?? 0, inFlight: flat[1] ?? 0, flights };
  }

  snapshot(explain: string | null) {
    const replayed = this.replayed();
    return {
      now: this.now(),
      steps: this.playground.steps(),
      nodes: this.nodes(),
      map: this.map(),
      cuts: pairs(this.playground.cuts()),
      clogs: pairs(this.playground.clogs()),
      conditions: this.conditions(),
      fingerprint: this.playground.fingerprint(),
      log: this.log(),
      explained: explain === null ? null : this.explain(explain),
      replay: replayed,
      course: this.course.read(),
      truth: this.truth.read(),
      busy: this.playground.busy(),
      played: this.played(),
      disks: this.disks(),
      recorded: this.recorded(),
    };
  }

  placement(): Placement | null {
    const edition = this.playground.placement_edition();
    if (edition === this.placed) return null;
    this.placed = edition;
    const owners = this.playground.owners();
    return { copies: owners.length / SLOTS, owners, primaries: this.playground.primaries() };
  }

  startTrace(name: string): void {
    this.playground.trace_start(name);
  }

  feedTrace(bytes: Uint8Array): number {
    return this.playground.trace_feed(bytes);
  }

  finishTrace(): number {
    return this.playground.trace_finish();
  }

  replay(): void {
    this.playground.replay();
    this.renew();
  }

  replayed(): Replay | null {
    const [requests, done = 0, hits = 0, misses = 0] = this.playground.replayed();
    return requests === undefined ? null : { name: '', requests, done, hits, misses };
  }

  open(text: string): Opened {
    const [fingerprint, end] = this.playground.open(text).split(' ');
    const built = this.playground.settings();
    const { seed, nodes, replicas, capacity } = built;
    this.renew();
    const settings: Settings = {
      seed: String(seed),
      nodes,
      replicas,
      capacity,
      virtualNodes: built.virtual_nodes,
      writeLevel: 'live',
      readLevel: 'primary',
      lossPerMille: built.loss_per_mille,
      fsync: FSYNCS[built.fsync] ?? 'off',
      saveAbove: built.save_above,
      policy: POLICIES[built.policy] ?? 'lru',
      standIn: built.stand_in,
    };
    return { text, settings, fingerprint: fingerprint ?? '', end: Number(end), engine: Playground.engine() };
  }

  script(): string {
    return this.playground.script();
  }

  go(line: number): void {
    this.playground.go(line);
  }

  leave(): void {
    this.playground.leave_script();
  }

  pace(): number | null {
    return this.playground.played()[3] ?? null;
  }

  private played(): Played | null {
    const [line, held, over, pace = 1] = this.playground.played();
    if (line === undefined) return null;
    const words = this.playground.expected();
    const expected = Array.from({ length: words.length / 2 }, (_, i) => ({
      line: Number(words[2 * i]),
      wrong: words[2 * i + 1] || null,
    }));
    return { line, held: held === 1, over: over === 1, pace, expected };
  }

  record(on: boolean): void {
    this.recording = on;
    this.playground.record(on);
  }

  private recorded(): Recorded | null {
    if (!this.recording) return null;
    const flat = this.playground.tape();
    return { latest: flat[0] ?? 0, numbers: flat.subarray(1), words: this.playground.tape_words() };
  }

  private disks(): DiskView[] {
    const flat = this.playground.disks();
    if (flat.length === 0) return [];
    const keys = this.playground.disk_keys();
    const disks: DiskView[] = [];
    let at = 0;
    const next = (many: number) => {
      at += many;
      return flat.subarray(at - many, at);
    };
    for (let record = 0; at + DISK <= flat.length; ) {
      const [node = 0, bytes = 0, solid = 0, records = Number.NaN, begins = 1, starts = 0, refused, ...rest] =
        next(DISK);
      const [many = 0, isSaving, shown = 0] = rest;
      const snapshots = Array.from({ length: many }, () => {
        const [first = 0, until = 0, entries = 0, bytes = 0, mark = 0] = next(SAVED);
        return { first, until, entries, bytes, mark };
      });
      const last = isSaving === 1 ? snapshots.pop() : undefined;
      const blocks = Array.from({ length: shown }, (_, i) => {
        const [number = 0, kind = 0, bytes = 0, bits = 0] = next(BLOCK);
        const key = keys[record + i] ?? '';
        return { number, kind: BLOCKS[kind] ?? 'damaged', key, bytes, synced: bits % 2 === 1, solid: bits >= 2 };
      });
      record += shown;
      disks.push({
        node,
        bytes,
        solid,
        records: orNull(records),
        begins,
        starts: orNull(starts),
        refused: refused === 1,
        snapshots: snapshots.map(({ mark, ...saved }) => ({ ...saved, named: mark === 1 })),
        saving: last ? { ...last, stage: STAGES[last.mark] ?? 'turns' } : null,
        blocks,
      });
    }
    return disks;
  }

  private nodes(): NodeView[] {
    const flat = this.playground.nodes();
    const rows = this.rows(flat.length > MANY * NODE ? HEAD : HEAD_OF_FEW);
    const nodes: NodeView[] = [];
    for (let at = 0; at + NODE <= flat.length; at += NODE) {
      const n = flat.subarray(at, at + NODE);
      const [id = 0, up, entries = 0, entryLimit = 0, bytes = 0, byteLimit = 0] = n;
      const [hits = 0, misses = 0, evictions = 0, expirations = 0, primarySlots = 0] = n.subarray(6);
      const [suspected = 0, weight = 0, leaving, away = 0] = n.subarray(11);
      nodes.push({
        id,
        up: up === 1,
        entries,
        entryLimit,
        bytes,
        byteLimit,
        hits,
        misses,
        evictions,
        expirations,
        primarySlots,
        weight,
        leaving: leaving === 1,
        away: AWAY[away] ?? 'no',
        suspects: members(suspected),
        rows: rows.get(id) ?? [],
      });
    }
    return nodes;
  }

  private map(): ClusterMap {
    const [edition = 0, phase = 0, copies = 0, waiting = 0] = this.playground.map();
    return { edition, phase: PHASES[phase] ?? 'steady', copies, waiting };
  }

  private rows(head: number): Map<number, Entry[]> {
    const flat = this.playground.rows(head, TAIL);
    const keys = this.playground.row_keys(head, TAIL);
    const rows = new Map<number, Entry[]>();
    for (let at = 0, index = 0; at + ROW <= flat.length; at += ROW, index += 1) {
      const [node = 0, rank = 0, expiresIn = Number.NaN, bytes = 0, unix = 0, counter = 0, by = 0] = flat.subarray(
        at,
        at + ROW,
      );
      const of = rows.get(node) ?? [];
      rows.set(node, of);
      of.push({
        key: keys[index] ?? '',
        rank,
        expiresIn: orNull(expiresIn),
        bytes,
        version: version(unix, counter, by),
      });
    }
    return rows;
  }

  private conditions(): Condition[] {
    const flat = this.playground.conditions();
    return Array.from({ length: flat.length / 3 }, (_, i) => ({
      node: flat[3 * i] ?? 0,
      paused: flat[3 * i + 1] === 1,
      ahead: flat[3 * i + 2] ?? 0,
    }));
  }

  private log(): LogRow[] {
    const fresh = rows(this.playground.log(this.logged), this.playground.log_words(this.logged));
    this.logged = this.playground.latest();
    return fresh;
  }

  private explain(key: string): Explained | null {
    const flat = this.playground.explain(key);
    if (flat.length < 2) return null;
    const [slot = 0, primary = -1] = flat;
    const replicas = [];
    for (let at = 2; at + REPLICA <= flat.length; at += REPLICA) {
      const [node = 0, up, held, unix = 0, counter = 0, by = 0, expiresIn = Number.NaN, rank = Number.NaN] =
        flat.subarray(at, at + REPLICA);
      const has = held === 1;
      replicas.push({
        node,
        up: up === 1,
        version: has ? version(unix, counter, by) : null,
        expiresIn: has ? orNull(expiresIn) : null,
        rank: has ? orNull(rank) : null,
      });
    }
    return { key, slot, primary: primary < 0 ? null : primary, replicas };
  }
}

/** Numbers that a node, a row and a replica take in their arrays; `web/src/picture.rs` lists them. */
const NODE = 15;
const ROW = 7;
const REPLICA = 8;
/** The same of a disk, a snapshot and a record: `web/src/disks.rs`. */
const DISK = 10;
const SAVED = 5;
const BLOCK = 4;

const pairs = (flat: Uint16Array) =>
  Array.from({ length: flat.length / 2 }, (_, i) => ({ from: flat[2 * i] ?? 0, to: flat[2 * i + 1] ?? 0 }));

const orNull = (n: number) => (Number.isNaN(n) ? null : n);

/** As an `ETag` of the cache prints it. */
const version = (unix: number, counter: number, node: number) =>
  [unix, counter, node].map((part) => part.toString(16)).join('-');

/** The members in a set of bits, the lowest being n1. */
function members(bits: number): number[] {
  return Array.from({ length: 32 }, (_, i) => i + 1).filter((id) => Math.floor(bits / 2 ** (id - 1)) % 2 === 1);
}
