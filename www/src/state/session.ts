// What the page knows, and what a person can do: signals fed by the worker, and actions that ask it. Draws nothing.

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { Tape } from '../diagram/tape.ts';
import type { Fate } from '../fate.ts';
import {
  type Explained,
  type LogRow,
  type Motion,
  nameOf,
  type Place,
  type Placement,
  type Snapshot,
} from '../frame.ts';
import type { Lesson } from '../lessons/lesson.ts';
import { type StandIns, standIns } from '../scene/standing.ts';
import { originOf, withMistake } from '../share/link.ts';
import type { FromWorker, Opened, Settings, ToWorker, Trace, Workload } from '../worker/protocol.ts';
import { SPEEDS } from './format.ts';
import { Scripts } from './scripts.ts';
import { isKept } from './severity.ts';
import { Time } from './time.ts';
import { TruthState } from './truth.ts';

/** The other side: a worker, or a test. */
export interface Port {
  post(message: ToWorker): void;
  listen(receive: (message: FromWorker) => void): void;
}

export const FIRST: Settings = {
  seed: '7',
  nodes: 3,
  replicas: 2,
  capacity: 16,
  virtualNodes: 64,
  writeLevel: 'live',
  readLevel: 'primary',
  lossPerMille: 0,
  fsync: 'off',
  saveAbove: 0,
  policy: 'lru',
  standIn: 0,
};

export const FIRST_WORKLOAD: Workload = { kind: 'zipf', keys: 60, rate: 1_500, writePercent: 35, ttl: 500 };
/** The first screen begins where stores have something in them, that many simulated microseconds in. */
const WARM = 90_000;
export const FIRST_SPEED = SPEEDS.indexOf(1 / 500);

/** Bytes of a script that is opened. */
const MOST_SCRIPT = 1 << 20;

/** Rows of the log that are kept. */
export const LOG_ROWS = 400;
/** Of them those that are kept longer than the requests around them. */
const NOTABLE_ROWS = 100;

/** A running log: what a person filters by, and the rows. */
export class Session {
  readonly started: Signal<boolean> = signal(false);
  readonly playing: Signal<boolean> = signal(true);
  /** An index into `SPEEDS`. */
  readonly speed: Signal<number> = signal(FIRST_SPEED);
  readonly snapshot: Signal<Snapshot | null> = signal(null);
  readonly placement: Signal<Placement | null> = signal(null);
  readonly settings: Signal<Settings> = signal(FIRST);
  readonly workload: Signal<Workload> = signal(FIRST_WORKLOAD);
  readonly log: Signal<readonly LogRow[]> = signal([]);
  readonly trace: Signal<Trace | null> = signal(null);
  /** The file that the trace is read from. */
  readonly traceFile: Signal<File | null> = signal(null);
  readonly problem: Signal<string | null> = signal(null);
  /** The script that the run came from. */
  readonly opened: Signal<Opened | null> = signal(null);
  /** The run up to the moment at which it was asked for, to be shared. */
  readonly script: Signal<string | null> = signal(null);
  readonly selectedKey: Signal<string | null> = signal(null);
  /** What became of the chosen key, once somebody has asked. */
  readonly fate: Signal<Fate | null> = signal(null);
  readonly selectedNode: Signal<Place | null> = signal(null);
  readonly scripts: Scripts;
  /** The diagram of space and time is open. */
  readonly diagram: Signal<boolean> = signal(false);
  /** The eviction race is open, on that trace file where it is for one. */
  readonly race: Signal<{ readonly file: File | null } | null> = signal(null);
  readonly tape = new Tape();
  /** Counts what the tape has taken in. */
  readonly taped: Signal<number> = signal(0);
  /** The link that was touched last. */
  readonly selectedLink: Signal<readonly [Place, Place] | null> = signal(null);

  /** Going anywhere in the run, and its two branches. */
  readonly time: Time = new Time(this);

  /** The promises. */
  readonly truth: TruthState = new TruthState(this);

  readonly explained: ReadonlySignal<Explained | null> = computed(() => {
    const explained = this.snapshot.value?.explained ?? null;
    return explained?.key === this.selectedKey.value ? explained : null;
  });
  /** Who stands in for whom. */
  readonly standIns: ReadonlySignal<StandIns> = computed(() => {
    const snapshot = this.snapshot.value;
    return snapshot ? standIns(snapshot.nodes, this.placement.value, snapshot.map.copies) : new Map();
  });
  readonly allUp: ReadonlySignal<boolean> = computed(() => this.snapshot.value?.nodes.every((n) => n.up) ?? true);

  /** Not a signal: it changes with every drawn frame, and only the canvas and the clock read it. */
  motion: Motion = { now: 0, flights: [], inFlight: 0 };
  private readonly onMotion = new Set<(motion: Motion) => void>();
  private waiting = false;
  private lastFrame = 0;
  /** The world that was left for another: what is still said of it counts no more. */
  private left: number | null = null;

  /** `first` is what to begin with in place of the usual cluster: a script, or a lesson. */
  constructor(
    readonly port: Port,
    private readonly first: string | Lesson | null = null,
  ) {
    this.scripts = new Scripts(this, (message) => port.post(message));
    port.listen((message) => this.receive(message));
  }

  /** Asks for the frame after `real` milliseconds of the person's clock. At most one is asked for at a time. */
  tick(real: number): void {
    const elapsed = Math.min(100, Math.max(0, real - this.lastFrame));
    if (this.waiting || !this.started.value) return;
    this.lastFrame = real;
    this.waiting = true;
    this.time.send();
    const speed = SPEEDS[this.speed.value] ?? null;
    const advance = !this.playing.value ? 0 : speed === null ? null : elapsed * 1_000 * speed;
    const paced = this.scripts.paced.value && advance !== 0 ? { real: elapsed } : {};
    this.port.post({ type: 'frame', advance, ...paced });
  }

  watchMotion(watcher: (motion: Motion) => void): () => void {
    this.onMotion.add(watcher);
    return () => this.onMotion.delete(watcher);
  }

  togglePlay(): void {
    if (!this.playing.value && this.scripts.toggled()) return;
    this.playing.value = !this.playing.value;
  }

  step(by: 1 | -1): void {
    this.playing.value = false;
    this.port.post({ type: 'step', by });
  }

  /** By steps of the slider; it ends at its ends. */
  faster(by: number): void {
    this.scripts.paced.value = false;
    this.speed.value = Math.max(0, Math.min(SPEEDS.length - 1, this.speed.value + by));
  }

  /** One line of a script, such as `c1 set k v` or `n2 crash`. */
  command(text: string): void {
    this.problem.value = null;
    this.port.post({ type: 'command', text: this.withLevels(text) });
  }

  /** The chosen levels are those of lines that name none. */
  private withLevels(line: string): string {
    const { writeLevel, readLevel } = this.settings.value;
    if (/^c\d+(@n\d+)?\s+(set|del)\s/.test(line) && writeLevel !== 'live' && !/\swrite=/.test(line)) {
      return `${line} write=${writeLevel}`;
    }
    if (/^c\d+(@n\d+)?\s+get\s/.test(line) && readLevel !== 'primary' && !/\sread=/.test(line)) {
      return `${line} read=${readLevel}`;
    }
    return line;
  }

  toggleNode(place: Place): void {
    const node = this.snapshot.value?.nodes.find((n) => n.id === place);
    this.command(`${nameOf(place)} ${node?.up === false ? 'restart' : 'crash'}`);
  }

  /** A machine asks to be a member: slots move to it, and it answers for them once it has what is in them. */
  addNode(): void {
    this.command('join');
  }

  /** Its slots move to the others, and then it goes. */
  removeNode(place: Place): void {
    this.command(`${nameOf(place)} leave`);
  }

  isCut(a: Place, b: Place): boolean {
    return this.snapshot.value?.cuts.some((c) => (c.from === a && c.to === b) || (c.from === b && c.to === a)) ?? false;
  }

  toggleLink(a: Place, b: Place): void {
    this.selectedLink.value = [a, b];
    this.command(`${this.isCut(a, b) ? 'heal' : 'cut'} ${nameOf(a)} ${nameOf(b)}`);
  }

  /** Back to the cluster of the first screen, under load. */
  anew(): void {
    this.select(null);
    this.speed.value = FIRST_SPEED;
    this.playing.value = true;
    this.build(FIRST, WARM, this.workload.value);
  }

  build(settings: Settings, after = 0, workload?: Workload): void {
    batch(() => {
      this.scripts.paced.value = false;
      this.settings.value = settings;
      this.problem.value = null;
      this.opened.value = null;
      this.log.value = [];
      this.selectedNode.value = null;
    });
    // A person who stopped the load wants a quiet cluster.
    const load = workload ?? (this.snapshot.value?.busy === false ? null : this.workload.value);
    this.port.post({ type: 'build', settings, workload: load, after });
  }

  /** What is shown now is about to be another run. */
  leaveWorld(): void {
    this.left = this.snapshot.value?.world ?? null;
  }

  /** Keeps every event, for the diagram, or no longer. */
  record(on: boolean): void {
    this.tape.clear();
    this.taped.value += 1;
    this.port.post({ type: 'record', on });
  }

  run(workload: Workload | null): void {
    batch(() => {
      this.problem.value = null;
      if (workload) this.workload.value = workload;
      if (workload) this.playing.value = true;
    });
    this.port.post({ type: 'workload', workload });
  }

  select(key: string | null): void {
    if (key !== this.selectedKey.value) this.fate.value = null;
    this.selectedKey.value = key;
    this.port.post({ type: 'explain', key });
  }

  /** Asks what has become of the chosen key by now. */
  askFate(): void {
    this.problem.value = null;
    const key = this.selectedKey.value;
    if (key !== null) this.port.post({ type: 'fate', key });
  }

  /** Begins with a script, or with a lesson. */
  begin(first: string | Lesson): void {
    if (typeof first !== 'string') {
      this.scripts.begin(first);
      return;
    }
    this.scripts.leave();
    this.openShared(first);
  }

  /** A script that somebody has shared, with the mistake that its run was made with. */
  openShared(text: string): void {
    this.truth.use(originOf(text)?.mistake ?? '');
    this.openScript(text);
  }

  /** Makes the run of a script, from its beginning. */
  openScript(text: string): void {
    this.problem.value = null;
    this.port.post({ type: 'open', text });
  }

  /** Asks for the run up to now as a script. */
  askScript(): void {
    batch(() => {
      this.problem.value = null;
      this.script.value = null;
    });
    this.port.post({ type: 'script' });
  }

  /** A file that was dropped or chosen: a script, or else a trace; a trace of the race while that is open. */
  open(file: File): void {
    this.problem.value = null;
    if (this.race.value) {
      this.race.value = { file };
      return;
    }
    if (file.name.endsWith('.script') && file.size <= MOST_SCRIPT) {
      void file.text().then((text) => this.begin(text));
      return;
    }
    this.traceFile.value = file;
    this.port.post({ type: 'trace', file });
  }

  /** Feeds the trace to a new cluster: read a key, and on a miss write it. */
  replay(settings: Settings): void {
    batch(() => {
      this.settings.value = settings;
      this.problem.value = null;
      this.log.value = [];
      this.opened.value = null;
      this.speed.value = SPEEDS.length - 1;
      this.playing.value = true;
      this.selectedNode.value = null;
    });
    this.port.post({ type: 'replay', settings });
  }

  private receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.started.value = true;
        if (this.first !== null) this.begin(this.first);
        else this.usual(this.problem.value);
        break;
      case 'opened':
        batch(() => {
          this.opened.value = message.opened;
          this.scripts.opened();
          this.settings.value = message.opened.settings;
          this.log.value = [];
          this.selectedNode.value = null;
        });
        break;
      case 'script':
        this.script.value = withMistake(message.text, message.mistake);
        break;
      case 'frame':
        this.waiting = false;
        this.motion = message.motion;
        batch(() => {
          if (message.placement) this.placement.value = message.placement;
          if (message.snapshot) this.take(message.snapshot);
        });
        for (const watcher of this.onMotion) watcher(message.motion);
        break;
      case 'trace':
        this.trace.value = message.trace;
        break;
      case 'fate':
        if (message.fate.key === this.selectedKey.value) this.fate.value = message.fate;
        break;
      case 'causes':
        this.truth.causes.value = message.causes;
        break;
      case 'problem':
        this.problem.value = message.text;
        this.left = null;
        // There is no such mistake here: none is made.
        if (message.about === 'mutant') this.truth.mutant.value = '';
        if (message.about === 'trace') this.trace.value = null;
        // A first script that is none leaves the page with what it usually begins with.
        if (message.about === 'open' && this.snapshot.value === null) {
          this.usual(message.text);
        }
        break;
    }
  }

  /** What a page begins with that was asked for nothing, or for something that could not be. */
  private usual(problem: string | null): void {
    this.build(this.settings.value, WARM);
    this.problem.value = problem;
  }

  private take(snapshot: Snapshot): void {
    if (snapshot.world === this.left) return;
    this.left = null;
    const before = this.snapshot.value;
    // Stepping back takes back what the log said since.
    const kept = before?.world === snapshot.world ? this.log.value.filter((row) => row.at <= snapshot.now) : [];
    if (before?.world !== snapshot.world) this.tape.clear();
    if (snapshot.recorded) {
      this.tape.take(snapshot.recorded, snapshot.course.end);
      this.taped.value += 1;
    }
    this.snapshot.value = snapshot;
    this.time.take(snapshot.course);
    this.truth.take(snapshot.truth);
    this.scripts.follow(snapshot);
    // Who has left is nobody's choice any more.
    const chosen = this.selectedNode.value;
    if (chosen !== null && !snapshot.nodes.some((n) => n.id === chosen)) this.selectedNode.value = null;
    const last = kept.at(-1)?.seq ?? -1;
    const fresh = snapshot.log.filter((row) => row.seq > last);
    if (fresh.length > 0 || kept.length !== this.log.value.length) {
      this.log.value = trimmed([...kept, ...fresh]);
    }
  }
}

function trimmed(rows: readonly LogRow[]): readonly LogRow[] {
  const surplus = rows.length - LOG_ROWS;
  if (surplus <= 0) return rows;
  const old = rows.slice(0, surplus).filter(isKept);
  return [...old.slice(-NOTABLE_ROWS), ...rows.slice(surplus)];
}
