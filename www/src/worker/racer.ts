// Runs a race in slices and says how it stands. Knows no wasm and no worker: both come in as interfaces.

import { type Curve, type FromRacer, type Gone, RACERS, type Sample, type ToRacer } from '../race/protocol.ts';
import type { Workload } from './protocol.ts';
import { SLICE } from './runner.ts';

/** The engine's race: `web/src/race.rs` says what its numbers are. */
export interface Heat {
  requests(): number;
  keys(): number;
  sizes(): Uint32Array;
  advance(most: number): boolean;
  asked(): number;
  hits(): Uint32Array;
  gone(): Float64Array;
  /** Over the same requests, from the start; no sizes are a dozen. */
  again(sizes: Uint32Array): Heat;
  free(): void;
}

/** Every call that can be wrong throws an `Error` whose message is for the person. */
export interface Track {
  start(name: string): void;
  feed(bytes: Uint8Array): number;
  finish(): number;
  workload(workload: Workload, seed: string): void;
  race(sizes: Uint32Array): Heat;
  /** The key of a request, counted from 0. */
  key(request: number): string;
}

export interface RaceHost {
  post(message: FromRacer): void;
  /** Milliseconds. */
  clock(): number;
  /** The bytes of a file, unpacked. */
  unpack(file: File, chunk: (bytes: Uint8Array, read: number) => Promise<void>): Promise<void>;
  /** Lets messages in. */
  rest(): Promise<void>;
}

/** Points of the line of a whole race. */
export const SAMPLES = 240;
/** Requests to caches between looks at the clock. */
const BATCH = 10_000;
/** Milliseconds between two messages about what runs. */
const TELL_EVERY = 30;

export class Racer {
  /** Holds the requests; every race is another one over them. */
  private course: Heat | null = null;
  private running: Heat | null = null;
  private run = 0;
  private paused = false;
  private seconds = 0;
  private capacity = 0;
  private wake = () => {};

  constructor(
    private readonly track: Track,
    private readonly host: RaceHost,
  ) {}

  async receive(message: ToRacer): Promise<void> {
    try {
      await this.act(message);
    } catch (problem) {
      const text = problem instanceof Error ? problem.message : String(problem);
      this.host.post({ type: 'problem', run: message.run, text });
    }
  }

  private async act(message: ToRacer): Promise<void> {
    if (message.type === 'pause') {
      if (message.run === this.run) this.pause(message.on);
      return;
    }
    if (message.type === 'hurry') {
      if (message.run === this.run) this.seconds = 0;
      return;
    }
    this.run = message.run;
    this.paused = false;
    this.wake();
    this.running?.free();
    this.running = null;
    switch (message.type) {
      case 'read':
        await this.read(message.file, message.run);
        break;
      case 'workload': {
        const { kind, keys } = message.workload;
        this.forget();
        this.track.workload(message.workload, message.seed);
        this.ready(`workload: ${kind}, ${keys} keys, seed ${message.seed}`, message.run);
        break;
      }
      case 'race':
        this.seconds = message.seconds;
        this.capacity = message.capacity;
        await this.race(message.run);
        break;
      case 'curve':
        await this.curve(message.run);
        break;
    }
  }

  private pause(on: boolean): void {
    this.paused = on;
    if (!on) this.wake();
  }

  private forget(): void {
    this.course?.free();
    this.course = null;
  }

  private async read(file: File, run: number): Promise<void> {
    this.forget();
    const tell = (requests: number, bytesRead: number) =>
      this.host.post({ type: 'reading', run, reading: { name: file.name, requests, bytesRead, bytes: file.size } });
    this.track.start(file.name);
    tell(0, 0);
    let told = this.host.clock();
    await this.host.unpack(file, async (bytes, read) => {
      if (run !== this.run) throw new Error('another trace is read');
      const requests = this.track.feed(bytes);
      if (this.host.clock() - told < TELL_EVERY) return;
      told = this.host.clock();
      tell(requests, read);
    });
    if (run !== this.run) return;
    this.track.finish();
    this.ready(file.name, run);
  }

  private ready(name: string, run: number): void {
    // The smallest race there is: what matters is the requests that it holds.
    this.course = this.track.race(Uint32Array.of(1));
    const course = { name, requests: this.course.requests(), keys: this.course.keys() };
    this.host.post({ type: 'course', run, course });
  }

  /** Another race over the requests. */
  private begin(sizes: Uint32Array): Heat {
    if (this.course === null) throw new Error('there is no trace to race on');
    this.running = this.course.again(sizes);
    return this.running;
  }

  private async race(run: number): Promise<void> {
    const heat = this.begin(Uint32Array.of(this.capacity));
    const requests = heat.requests();
    const apart = Math.max(1, Math.ceil(requests / SAMPLES));
    let samples: Sample[] = [];
    /** Milliseconds that it has run, pauses left out. */
    let ran = 0;
    const tell = (still: boolean, over: boolean) => {
      const asked = heat.asked();
      if (still && asked % apart !== 0 && !over) samples.push({ asked, hits: [...heat.hits()] });
      this.host.post({ type: 'race', run, samples, gone: still && !over ? this.gone(heat) : null, over });
      samples = [];
    };
    await this.slices(heat, run, tell, (room, elapsed) => {
      ran += elapsed;
      const due = this.seconds === 0 ? requests : Math.min(requests, (requests * ran) / (this.seconds * 1_000));
      while (heat.asked() < Math.floor(due) && room()) {
        const asked = heat.asked();
        const over = heat.advance(Math.min(Math.floor(due) - asked, apart - (asked % apart), BATCH / RACERS.length));
        if (over || heat.asked() % apart === 0) samples.push({ asked: heat.asked(), hits: [...heat.hits()] });
        if (over) return true;
      }
      return false;
    });
  }

  private async curve(run: number): Promise<void> {
    const heat = this.begin(new Uint32Array());
    const sizes = [...heat.sizes()];
    const batch = Math.max(1, Math.floor(BATCH / (RACERS.length * Math.max(1, sizes.length))));
    const tell = (_still: boolean, over: boolean) => {
      const flat = [...heat.hits()];
      const hits = RACERS.map((_, racer) => flat.slice(racer * sizes.length, (racer + 1) * sizes.length));
      const curve: Curve = { sizes, requests: heat.requests(), asked: heat.asked(), hits, over };
      this.host.post({ type: 'curve', run, curve });
    };
    await this.slices(heat, run, tell, (room) => {
      while (room()) if (heat.advance(batch)) return true;
      return false;
    });
  }

  /** Slice after slice until it is over, or something else is asked for. */
  private async slices(
    heat: Heat,
    run: number,
    tell: (still: boolean, over: boolean) => void,
    slice: (room: () => boolean, elapsed: number) => boolean,
  ): Promise<void> {
    let [last, told] = [this.host.clock(), Number.NEGATIVE_INFINITY];
    while (run === this.run) {
      if (this.paused) {
        tell(true, false);
        await new Promise<void>((resume) => {
          this.wake = resume;
        });
        last = this.host.clock();
        continue;
      }
      const began = this.host.clock();
      // A worker that was not given time does not make up for it in one leap.
      const elapsed = Math.min(100, began - last);
      last = began;
      const over = slice(() => this.host.clock() - began < SLICE, elapsed);
      if (over || this.host.clock() - told >= TELL_EVERY) {
        told = this.host.clock();
        tell(over, over);
      }
      if (over) {
        this.running = null;
        heat.free();
        return;
      }
      await this.host.rest();
    }
  }

  private gone(heat: Heat): (Gone | null)[] {
    const flat = heat.gone();
    return RACERS.map((_, racer) => {
      const [request = Number.NaN, again = Number.NaN] = flat.subarray(2 * racer, 2 * racer + 2);
      if (Number.isNaN(request)) return null;
      return { key: this.track.key(request), again: Number.isFinite(again) ? again : null };
    });
  }
}
