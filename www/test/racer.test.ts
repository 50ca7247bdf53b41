import { describe, expect, it } from 'vitest';
import type { FromRacer, Sample } from '../src/race/protocol.ts';
import { FIRST_WORKLOAD } from '../src/state/session.ts';
import { type Heat, Racer, SAMPLES } from '../src/worker/racer.ts';
import { SLICE } from '../src/worker/runner.ts';

/** An engine whose racers hit every tenth request, every ninth and so on, and whose clock the test turns. */
function open({ requests = 1_000, cost = 1 } = {}) {
  const posted: FromRacer[] = [];
  let clock = 0;
  let [alive, advances] = [0, 0];
  /** What is done while the racer rests. */
  let between: (() => void) | null = null;
  const heat = (sizes: Uint32Array): Heat => {
    let asked = 0;
    alive += 1;
    return {
      requests: () => requests,
      keys: () => 77,
      sizes: () => (sizes.length ? sizes : Uint32Array.of(1, 2, 3)),
      advance: (most) => {
        expect(most).toBeGreaterThan(0);
        advances += 1;
        clock += cost;
        asked = Math.min(requests, asked + most);
        return asked === requests;
      },
      asked: () => asked,
      hits: () => Uint32Array.from({ length: 5 * (sizes.length || 3) }, (_, i) => Math.floor(asked / (100 - i))),
      gone: () => Float64Array.of(4, 9, 5, Number.POSITIVE_INFINITY, Number.NaN, Number.NaN, 1, 2, 1, 2),
      again: (sizes) => {
        if (sizes[0] === 99) throw new Error('the caches of this race hold too much');
        return heat(sizes);
      },
      free: () => {
        alive -= 1;
      },
    };
  };
  const racer = new Racer(
    {
      start: () => {},
      feed: (bytes) => bytes.length,
      finish: () => requests,
      workload: () => {},
      race: heat,
      key: (request) => `key of ${request}`,
    },
    {
      post: (message) => posted.push(message),
      clock: () => clock,
      unpack: async (_file, chunk) => chunk(new Uint8Array(8), 8),
      rest: async () => {
        clock += 4;
        between?.();
      },
    },
  );
  return {
    racer,
    posted,
    alive: () => alive,
    advances: () => advances,
    clock: () => clock,
    meanwhile: (act: (() => void) | null) => {
      between = act;
    },
    races: () => posted.filter((message) => message.type === 'race'),
    samples: () => posted.flatMap((message): Sample[] => (message.type === 'race' ? [...message.samples] : [])),
  };
}

const file = new File(['12345678'], 't.txt');

describe('a racer', () => {
  it('reads a trace, and races over it in slices', async () => {
    const { racer, posted, alive, samples, races } = open({ requests: 100_000 });
    await racer.receive({ type: 'read', run: 1, file });
    const course = { name: 't.txt', requests: 100_000, keys: 77 };
    expect(posted.at(-1)).toEqual({ type: 'course', run: 1, course });
    await racer.receive({ type: 'race', run: 2, capacity: 5, seconds: 0 });
    expect(races().at(-1)).toMatchObject({ over: true, run: 2, gone: null });
    expect(samples().at(-1)).toEqual({ asked: 100_000, hits: [1000, 1010, 1020, 1030, 1041] });
    // As many as there is room for, evenly.
    expect(samples().length).toBeLessThanOrEqual(SAMPLES);
    expect(samples().length).toBeGreaterThan(SAMPLES / 2);
    expect(new Set(samples().map(({ asked }, i) => asked / (i + 1))).size).toBeLessThanOrEqual(2);
    // The one that holds the requests stays.
    expect(alive()).toBe(1);
  });

  it('never holds the worker for longer than a slice', async () => {
    const { racer, clock, meanwhile, posted } = open({ requests: 200_000, cost: 5 });
    await racer.receive({ type: 'workload', run: 1, workload: FIRST_WORKLOAD, seed: '7' });
    expect(posted.at(-1)).toMatchObject({ course: { name: 'workload: zipf, 60 keys, seed 7' } });
    for (const type of ['race', 'curve'] as const) {
      const rests: number[] = [clock()];
      meanwhile(() => rests.push(clock()));
      await racer.receive({ type, run: 2, capacity: 5, seconds: 0 });
      const spans = rests.map((at, i) => at - (rests[i - 1] ?? at));
      expect(rests.length).toBeGreaterThan(20);
      // A slice ends with the call during which it was used up; then it rests for 4.
      expect(Math.max(...spans)).toBeLessThanOrEqual(SLICE + 5 + 4);
    }
  });

  it('takes the seconds that it is given, pauses left out, unless it is hurried', async () => {
    const { racer, clock, meanwhile, races, samples } = open();
    await racer.receive({ type: 'read', run: 1, file });
    let began = clock();
    await racer.receive({ type: 'race', run: 2, capacity: 5, seconds: 2 });
    expect(clock() - began).toBeGreaterThanOrEqual(1_990);
    expect(clock() - began).toBeLessThan(2_300);
    const whole = samples().length;
    expect(whole).toBe(200);
    began = clock();
    meanwhile(() => {
      if (clock() - began > 500) void racer.receive({ type: 'hurry', run: 3 });
    });
    await racer.receive({ type: 'race', run: 3, capacity: 5, seconds: 1_000 });
    expect(clock() - began).toBeLessThan(1_000);
    expect(races().at(-1)).toMatchObject({ run: 3, over: true });
    expect(samples().length).toBe(2 * whole);
  });

  it('says whom everybody let go while it is paused, and goes on', async () => {
    const { racer, meanwhile, posted, races, samples } = open();
    await racer.receive({ type: 'read', run: 1, file });
    let rested = 0;
    meanwhile(() => {
      rested += 1;
      if (rested === 10) void racer.receive({ type: 'pause', run: 2, on: true });
      // One that is meant for another race does nothing.
      if (rested === 11) void racer.receive({ type: 'pause', run: 1, on: true });
    });
    const over = racer.receive({ type: 'race', run: 2, capacity: 5, seconds: 1 });
    await new Promise((later) => setTimeout(later, 20));
    const paused = posted.at(-1);
    expect(rested).toBe(10);
    expect(paused).toMatchObject({ type: 'race', over: false });
    expect(paused?.type === 'race' && paused.gone).toEqual([
      { key: 'key of 4', again: 9 },
      { key: 'key of 5', again: null },
      null,
      { key: 'key of 1', again: 2 },
      { key: 'key of 1', again: 2 },
    ]);
    const stood = samples().at(-1)?.asked ?? 0;
    expect(stood).toBeGreaterThan(0);
    await racer.receive({ type: 'pause', run: 2, on: false });
    await over;
    expect(races().at(-1)).toMatchObject({ over: true });
    const asked = samples().map(({ asked }) => asked);
    expect(asked).toEqual([...new Set(asked)].sort((a, b) => a - b));
  });

  it('drops what it does when something else is asked for, paused or not', async () => {
    const { racer, meanwhile, alive, races, posted } = open();
    await racer.receive({ type: 'read', run: 1, file });
    let rested = 0;
    meanwhile(() => {
      rested += 1;
      if (rested === 5) void racer.receive({ type: 'stop', run: 3 });
    });
    await racer.receive({ type: 'race', run: 2, capacity: 5, seconds: 9 });
    expect([races().some(({ over }) => over), alive()]).toEqual([false, 1]);
    meanwhile(() => void racer.receive({ type: 'pause', run: 4, on: true }));
    const paused = racer.receive({ type: 'race', run: 4, capacity: 5, seconds: 9 });
    await new Promise((later) => setTimeout(later, 10));
    meanwhile(null);
    await racer.receive({ type: 'curve', run: 5 });
    await paused;
    expect([posted.at(-1)?.run, alive()]).toEqual([5, 1]);
    const last = posted.at(-1);
    expect(last?.type === 'curve' && [last.curve.sizes, last.curve.over, last.curve.hits[4]]).toEqual([
      [1, 2, 3],
      true,
      [11, 11, 11],
    ]);
  });

  it('says what is wrong, and goes on', async () => {
    const { racer, posted } = open();
    await racer.receive({ type: 'race', run: 1, capacity: 5, seconds: 0 });
    expect(posted.at(-1)).toEqual({ type: 'problem', run: 1, text: 'there is no trace to race on' });
    await racer.receive({ type: 'read', run: 2, file });
    await racer.receive({ type: 'race', run: 3, capacity: 99, seconds: 0 });
    expect(posted.at(-1)).toMatchObject({ type: 'problem', run: 3 });
    await racer.receive({ type: 'race', run: 4, capacity: 5, seconds: 0 });
    expect(posted.at(-1)).toMatchObject({ type: 'race', over: true });
  });
});
