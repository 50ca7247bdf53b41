import { expect, it } from 'vitest';
import { FIRST } from '../src/state/session.ts';
import type { FromWorker } from '../src/worker/protocol.ts';
import { BATCH, type Engine, LONGEST_SLICE, Runner, SLICE } from '../src/worker/runner.ts';
import { opened, placement, snapshot } from './fixtures.ts';

/** An engine whose events come every microsecond, and whose clock the test turns. */
function open(part: Partial<Engine> = {}) {
  const posted: FromWorker[] = [];
  const said: string[] = [];
  let now = 0;
  let clock = 0;
  let fresh = true;
  const engine: Engine = {
    build: () => said.push('build'),
    now: () => now,
    run: (until, most) => {
      const carried = Math.min(most, Math.floor(until - now));
      now += carried;
      if (carried < most) now = until;
      clock += 1;
      return carried;
    },
    stepForward: () => said.push('forward') > 0,
    stepBack: () => said.push('back') > 0,
    seek: (at) => {
      now = at;
    },
    seekEvent: (seq) => said.push(`event ${seq}`),
    fork: () => said.push('fork'),
    swap: () => said.push('swap'),
    joinBranches: () => said.push('join'),
    stopped: () => false,
    causes: () => [],
    fate: (key) => ({ key, at: now, on: [], whole: true, events: [] }),
    setMutant: (name) => said.push(`mutant ${name}`),
    command: (text) => said.push(text),
    workload: (workload) => said.push(workload ? workload.kind : 'no workload'),
    motion: () => ({ now, flights: [], inFlight: 0 }),
    snapshot: () => snapshot({ now }),
    placement: () => {
      const given = fresh ? placement() : null;
      fresh = false;
      return given;
    },
    startTrace: (name) => said.push(`read ${name}`),
    feedTrace: (bytes) => bytes.length,
    finishTrace: () => 42,
    replay: () => said.push('replay'),
    replayed: () => null,
    go: (line) => said.push(`go ${line}`),
    leave: () => said.push('leave'),
    record: (on) => said.push(`record ${on}`),
    pace: () => null,
    open: (text) => opened(text),
    script: () => '# nothing',
    ...part,
  };
  const unpack = async (file: File, chunk: (bytes: Uint8Array, read: number) => Promise<void>) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    await chunk(bytes, bytes.length);
  };
  const runner = new Runner(engine, { post: (m) => posted.push(m), clock: () => clock, unpack });
  return { runner, posted, said, now: () => now, clock: () => clock, wait: (ms: number) => (clock += ms) };
}

it('moves time by what the frame asks, and no further', async () => {
  const { runner, now } = open();
  await runner.receive({ type: 'frame', advance: 50 });
  expect(now()).toBe(50);
  await runner.receive({ type: 'frame', advance: 0 });
  expect(now()).toBe(50);
});

it('stops a slice when its time is over, however much there is to do', async () => {
  const { runner, now, clock } = open();
  await runner.receive({ type: 'frame', advance: null });
  expect(clock()).toBe(SLICE);
  expect(now()).toBe(SLICE * BATCH);
});

it('takes a longer slice where the page draws slowly, up to a bound', async () => {
  const { runner, clock, wait } = open();
  const took = async (between: number) => {
    wait(between);
    const before = clock();
    await runner.receive({ type: 'frame', advance: null });
    return clock() - before;
  };
  expect(await took(0)).toBe(SLICE);
  expect(await took(4)).toBe(SLICE);
  expect(await took(40 - SLICE)).toBe(30);
  expect(await took(1_000)).toBe(LONGEST_SLICE);
});

it('answers each frame, sends the placement once and snapshots now and then', async () => {
  const { runner, posted, wait } = open();
  await runner.receive({ type: 'frame', advance: 0 });
  await runner.receive({ type: 'frame', advance: 0 });
  wait(1_000);
  await runner.receive({ type: 'frame', advance: 0 });
  const frames = posted.flatMap((m) => (m.type === 'frame' ? [m] : []));
  expect(frames.map((f) => f.snapshot !== null)).toEqual([true, false, true]);
  expect(frames.map((f) => f.placement !== null)).toEqual([true, false, false]);
});

it('shows at once what a person did', async () => {
  const { runner, posted, said } = open();
  await runner.receive({ type: 'frame', advance: 0 });
  await runner.receive({ type: 'command', text: 'n1 crash' });
  await runner.receive({ type: 'step', by: -1 });
  await runner.receive({ type: 'frame', advance: 0 });
  expect(said).toEqual(['n1 crash', 'back']);
  expect(posted.at(-1)).toMatchObject({ type: 'frame', snapshot: { nodes: [{}, {}, {}] } });
});

it('counts worlds, so that the log of one does not run on into the next', async () => {
  const { runner, posted } = open();
  for (const world of [1, 2]) {
    await runner.receive({ type: 'build', settings: FIRST, workload: null, after: 0 });
    await runner.receive({ type: 'frame', advance: 0 });
    expect(posted.at(-1)).toMatchObject({ snapshot: { world } });
  }
});

it('tells of errors in words, and still answers the frame', async () => {
  const fail = () => {
    throw new Error('n9 is not one of 3 nodes');
  };
  const { runner, posted } = open({ command: fail, run: fail });
  await runner.receive({ type: 'command', text: 'n9 crash' });
  expect(posted).toEqual([{ type: 'problem', about: 'command', text: 'n9 is not one of 3 nodes' }]);
  await runner.receive({ type: 'frame', advance: 10 });
  expect(posted.at(-1)?.type).toBe('frame');
});

it('reads a trace and says how much there is', async () => {
  const { runner, posted, said } = open();
  await runner.receive({ type: 'trace', file: new File(['a\nb\n'], 'a.txt') });
  expect(said).toEqual(['read a.txt']);
  expect(posted.at(-1)).toEqual({
    type: 'trace',
    trace: { name: 'a.txt', requests: 42, bytesRead: 4, bytes: 4, whole: true },
  });
});
