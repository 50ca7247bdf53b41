// Runs the simulator in slices and answers the page's frames. Knows no wasm and no worker: both come in as interfaces.

import type { Fate } from '../fate.ts';
import type { Explained, LogRow, Motion, Placement, Replay, Snapshot } from '../frame.ts';
import type { FromWorker, Opened, Settings, ToWorker, Workload } from './protocol.ts';

/** One simulated cluster. Every call that can be wrong throws an `Error` whose message is for the person. */
export interface Engine {
  build(settings: Settings): void;
  /** Simulated microseconds. */
  now(): number;
  /** Carries out events up to a moment, at most `most` of them, and says how many. */
  run(until: number, most: number): number;
  stepForward(): boolean;
  stepBack(): boolean;
  seek(at: number): void;
  seekEvent(seq: number): void;
  fork(): void;
  swap(): void;
  joinBranches(): void;
  /** The last `run` ended where a promise was broken. */
  stopped(): boolean;
  causes(seq: number): readonly LogRow[];
  /** What has become of a key by now. */
  fate(key: string): Fate;
  setMutant(name: string): void;
  command(text: string): void;
  workload(workload: Workload | null): void;
  motion(): Motion;
  snapshot(explain: string | null): Omit<Snapshot, 'world'> & { readonly explained: Explained | null };
  /** Null when it is the one given last. */
  placement(): Placement | null;
  /** Takes the lines of a trace in; ends with `finishTrace`. */
  startTrace(name: string): void;
  feedTrace(bytes: Uint8Array): number;
  finishTrace(): number;
  replay(): void;
  replayed(): Replay | null;
  /** Runs a script to its end, and goes back to its beginning. */
  open(text: string): Opened;
  /** The run up to now. */
  script(): string;
  /** The script that was opened goes on to the end of that line, and is held there. */
  go(line: number): void;
  record(on: boolean): void;
  /** Nothing is held any longer. */
  leave(): void;
  /** Simulated microseconds a millisecond that the script asks for; null when none is stepped through. */
  pace(): number | null;
}

export interface Host {
  post(message: FromWorker): void;
  /** Milliseconds. */
  clock(): number;
  /** The bytes of a file, unpacked. */
  unpack(file: File, chunk: (bytes: Uint8Array, read: number) => Promise<void>): Promise<void>;
}

/**
 * A slice holds the worker for so many milliseconds: as long as a frame of 60 a second leaves. Where the page draws
 * slower than that, it would stand idle in between, and takes the larger part of a frame, up to a bound.
 */
export const SLICE = 12;
export const LONGEST_SLICE = 48;
const PART = 0.75;
/** Events between looks at the clock. */
export const BATCH = 200;
/** Milliseconds between snapshots while it plays. */
export const SNAPSHOT_EVERY = 90;
/** A new cluster is shown after no more simulated microseconds than these. */
const MOST_AHEAD = 200_000;
/** Microseconds that one unbounded call may go ahead: the engine's own bound on events ends it sooner. */
const FAR = 3_600_000_000;

export class Runner {
  private world = 0;
  private selected: string | null = null;
  private lastSnapshot = Number.NEGATIVE_INFINITY;
  private name = '';
  private mistake = '';
  /** When the last slice began. */
  private begun = Number.POSITIVE_INFINITY;
  private reading = 0;

  constructor(
    private readonly engine: Engine,
    private readonly host: Host,
  ) {}

  async receive(message: ToWorker): Promise<void> {
    try {
      await this.act(message);
    } catch (problem) {
      this.host.post({ type: 'problem', about: message.type, text: words(problem) });
      // The page waits for the frame that it asked for.
      if (message.type === 'frame') this.answer();
    }
  }

  private async act(message: ToWorker): Promise<void> {
    switch (message.type) {
      case 'build':
        this.engine.build(message.settings);
        this.world += 1;
        this.engine.workload(message.workload);
        while (this.engine.now() < Math.min(message.after, MOST_AHEAD)) this.engine.run(message.after, BATCH);
        break;
      case 'frame':
        this.advance(this.paced(message.real) ?? message.advance);
        this.answer();
        return;
      case 'step':
        if (message.by === 1) this.engine.stepForward();
        else this.engine.stepBack();
        break;
      case 'seek':
        this.engine.seek(message.at);
        break;
      case 'seek-event':
        this.engine.seekEvent(message.seq);
        break;
      case 'fork':
        this.engine.fork();
        break;
      case 'swap':
        this.engine.swap();
        this.world += 1;
        break;
      case 'join-branches':
        this.engine.joinBranches();
        break;
      case 'causes':
        this.host.post({ type: 'causes', causes: { seq: message.seq, events: this.engine.causes(message.seq) } });
        return;
      case 'fate':
        this.host.post({ type: 'fate', fate: this.engine.fate(message.key) });
        return;
      case 'mutant':
        this.engine.setMutant(message.name);
        this.mistake = message.name;
        this.world += 1;
        break;
      case 'command':
        this.engine.command(message.text);
        break;
      case 'workload':
        this.engine.workload(message.workload);
        break;
      case 'explain':
        this.selected = message.key;
        break;
      case 'trace':
        await this.read(message.file);
        return;
      case 'replay':
        this.engine.build(message.settings);
        this.world += 1;
        this.engine.replay();
        break;
      case 'open': {
        const opened = this.engine.open(message.text);
        this.world += 1;
        this.host.post({ type: 'opened', opened });
        break;
      }
      case 'go':
        this.engine.go(message.line);
        break;
      case 'record':
        this.engine.record(message.on);
        break;
      case 'leave':
        this.engine.leave();
        break;
      case 'script':
        this.host.post({ type: 'script', text: this.engine.script(), mistake: this.mistake });
        break;
    }
    this.lastSnapshot = Number.NEGATIVE_INFINITY;
  }

  private paced(real: number | undefined): number | null {
    const pace = real === undefined ? null : this.engine.pace();
    return pace === null || real === undefined ? null : pace * real;
  }

  private advance(by: number | null): void {
    if (by === 0) return;
    const started = this.host.clock();
    const slice = Math.min(LONGEST_SLICE, Math.max(SLICE, PART * (started - this.begun)));
    this.begun = started;
    const until = this.engine.now() + (by ?? FAR);
    while (this.engine.now() < until) {
      const carried = this.engine.run(until, BATCH);
      if (this.engine.stopped()) {
        this.lastSnapshot = Number.NEGATIVE_INFINITY;
        break;
      }
      if (carried < BATCH || this.host.clock() - started >= slice) break;
    }
  }

  private answer(): void {
    const clock = this.host.clock();
    const due = clock - this.lastSnapshot >= SNAPSHOT_EVERY;
    if (due) this.lastSnapshot = clock;
    const snapshot = due ? { ...this.engine.snapshot(this.selected), world: this.world } : null;
    const replay = snapshot?.replay ? { ...snapshot.replay, name: this.name } : null;
    this.host.post({
      type: 'frame',
      motion: this.engine.motion(),
      snapshot: snapshot && { ...snapshot, replay },
      placement: this.engine.placement(),
    });
  }

  private async read(file: File): Promise<void> {
    this.reading += 1;
    const mine = this.reading;
    const tell = (requests: number, bytesRead: number, whole: boolean) =>
      this.host.post({
        type: 'trace',
        trace: { name: file.name, requests, bytesRead, bytes: file.size, whole },
      });
    this.engine.startTrace(file.name);
    tell(0, 0, false);
    let told = this.host.clock();
    let superseded = false;
    await this.host.unpack(file, async (bytes, read) => {
      superseded ||= mine !== this.reading;
      if (superseded) return;
      const requests = this.engine.feedTrace(bytes);
      if (this.host.clock() - told > SNAPSHOT_EVERY) {
        told = this.host.clock();
        tell(requests, read, false);
      }
    });
    if (superseded || mine !== this.reading) return;
    const requests = this.engine.finishTrace();
    this.name = file.name;
    tell(requests, file.size, true);
  }
}

function words(problem: unknown): string {
  return problem instanceof Error ? problem.message : String(problem);
}
