import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, describe, expect, it } from 'vitest';
import { CurvePart } from '../src/race/CurvePart.tsx';
import { ceiling, labelled, overSizes, overTime, path, scale, spread, ticks } from '../src/race/chart.ts';
import { made } from '../src/race/made.ts';
import type { FromRacer, Sample, ToRacer } from '../src/race/protocol.ts';
import { Standings } from '../src/race/Standings.tsx';
import { RaceState, standing } from '../src/race/state.ts';
import { regret, verdict } from '../src/race/words.ts';
import { FIRST_WORKLOAD } from '../src/state/session.ts';

const host = document.createElement('div');
document.body.append(host);
afterEach(() => act(() => render(null, host)));

/** A state, what it asks the worker, and the worker's side. */
function begin() {
  const sent: ToRacer[] = [];
  let receive: (message: FromRacer) => void = () => {};
  const state = new RaceState({
    post: (message) => sent.push(message),
    listen: (listener) => {
      receive = listener;
    },
  });
  const say = (message: FromRacer) => act(() => receive(message));
  const run = () => sent.at(-1)?.run ?? 0;
  const read = () => {
    state.open(new File(['a\n'], 't.txt'));
    say({ type: 'course', run: run(), course: { name: 't.txt', requests: 1_000, keys: 95 } });
  };
  return { state, sent, say, run, read };
}

const sample = (asked: number, ...hits: number[]): Sample => ({ asked, hits });

describe('the lines of a race', () => {
  it('are hits by requests, of all or of the last stretch', () => {
    const samples = Array.from({ length: 20 }, (_, i) => sample((i + 1) * 10, i < 10 ? 0 : (i - 9) * 10));
    expect(overTime(samples, 0, false).at(-1)).toEqual([200, 0.5]);
    expect(overTime(samples, 0, true).at(-1)).toEqual([200, 100 / 120]);
    expect(overTime(samples, 0, true).at(5)).toEqual([60, 0]);
    const curve = { sizes: [1, 2, 4], requests: 10, asked: 8, hits: [[0, 2, 8]], over: false };
    expect(overSizes(curve, 0)).toEqual([
      [1, 0],
      [2, 0.25],
      [4, 1],
    ]);
    const line = path(overSizes(curve, 0), scale(1, 4, 0, 100, true), scale(0, 1, 50, 0));
    expect(line).toBe('M0.0 50.0L50.0 37.5L100.0 0.0');
  });

  it('have axes that hold them', () => {
    const check = (ratios: number[], expected: number) => expect(ceiling(ratios)).toBe(expected);
    check([], 0.1);
    check([0], 0.1);
    check([0.1, 0.3], 0.3);
    check([0.301], 0.4);
    check([1], 1);
    expect(ticks(0.8, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8]);
    expect(ticks(12_000, 5)).toEqual([0, 5_000, 10_000]);
    expect(ticks(0, 5)).toEqual([0]);
    expect(labelled([1, 2, 3, 4, 8], (size) => size * 10, 20)).toEqual([2, 4, 8]);
  });

  it('have names that do not cover each other', () => {
    expect(spread([50, 10, 90], 15, 0, 100)).toEqual([50, 10, 90]);
    expect(spread([50, 51, 49], 15, 0, 100)).toEqual([64, 79, 49]);
    const low = spread([100, 100, 100, 100, 100], 15, 0, 100);
    expect([...low].sort((a, b) => a - b)).toEqual([40, 55, 70, 85, 100]);
  });
});

describe('what a race comes to', () => {
  it('is said in a sentence', () => {
    const check = (hits: number[], over: boolean, expected: string) =>
      expect(verdict(sample(1_000, ...hits), standing(hits), 1, over)).toContain(expected);
    check(
      [100, 150, 400, 370, 600],
      true,
      'S3-FIFO wins with 1 entry: 40.0 % hits, 3.0 points more than W-TinyLFU, 20.0',
    );
    check([100, 150, 400, 370, 600], false, 'S3-FIFO leads by 3.0 points after 1 000 requests.');
    check([400, 150, 400, 370, 600], true, 'LRU and S3-FIFO win together');
    check([400, 150, 400, 370, 600], false, 'LRU and S3-FIFO are level');
    check([400, 400, 400, 400, 400], true, 'All are level with 1 entry: 40.0 % hits, as many as anybody could have.');
    expect(regret(null)).toBe('let nobody go');
    expect(regret({ key: 'k', again: null })).toBe('let go k, never asked for again');
    expect(regret({ key: 'k', again: 1_234 })).toBe('let go k, asked for again 1 234 requests later');
  });

  it('is a table', () => {
    const { state, say, run, read } = begin();
    read();
    act(() => render(<Standings state={state} />, host));
    act(() => state.start());
    const gone = [{ key: 'a', again: null }, null, null, null, null];
    say({ type: 'race', run: run(), samples: [sample(10, 1, 2, 3, 4, 5)], gone, over: false });
    const cells = (racer: string) =>
      [...host.querySelectorAll(`[data-racer="${racer}"] :is(th, td)`)].map((cell) => cell.textContent);
    expect(cells('LRU')).toEqual(['LRU', '10.0 %let go a, never asked for again', '1', '9']);
    expect(cells('W-TinyLFU')).toEqual(['W-TinyLFU leads', '40.0 %let nobody go', '4', '6']);
    expect(cells('Belady')[0]).toBe('Belady bound');
  });
});

describe('the state of a race', () => {
  it('goes from reading to the race to the curve', () => {
    const { state, sent, say, run, read } = begin();
    state.open(new File(['a\n'], 't.txt'));
    expect(state.phase.value).toBe('reading');
    state.start();
    expect(sent).toHaveLength(1);
    read();
    expect([state.phase.value, state.capacity.value]).toEqual(['ready', 10]);
    state.capacity.value = 7;
    state.start();
    expect(sent.at(-1)).toEqual({ type: 'race', run: run(), capacity: 7, seconds: 6 });
    say({ type: 'race', run: run(), samples: [sample(4, 0, 0, 0, 0, 1)], gone: null, over: false });
    state.togglePause();
    expect([state.phase.value, sent.at(-1)]).toEqual(['paused', { type: 'pause', run: run(), on: true }]);
    state.drawCurve();
    expect(sent.at(-1)?.type).toBe('pause');
    state.hurry();
    expect([state.phase.value, sent.at(-1)]).toEqual(['running', { type: 'hurry', run: run() }]);
    say({ type: 'race', run: run(), samples: [sample(1_000, 1, 2, 3, 4, 5)], gone: null, over: true });
    expect([state.phase.value, state.samples.value.length]).toEqual(['over', 2]);
    expect([sent.at(-1)?.type, state.curving.value]).toEqual(['curve', true]);
    const curve = { sizes: [1], requests: 1_000, asked: 1_000, hits: [[1], [1], [1], [1], [1]], over: true };
    say({ type: 'curve', run: run(), curve });
    expect([state.curve.value, state.curving.value]).toEqual([curve, false]);
    // The curve is that of the trace: another race draws none.
    state.start(true);
    expect(sent.at(-1)).toMatchObject({ type: 'race', seconds: 0 });
    say({ type: 'race', run: run(), samples: [sample(1_000, 1, 2, 3, 4, 5)], gone: null, over: true });
    expect(sent.at(-1)?.type).toBe('race');
  });

  it('takes nothing from what was given up', () => {
    const { state, sent, say, run, read } = begin();
    read();
    state.start();
    const old = run();
    state.cancel();
    expect([state.phase.value, sent.at(-1)?.type]).toEqual(['ready', 'stop']);
    say({ type: 'race', run: old, samples: [sample(9, 1, 1, 1, 1, 1)], gone: null, over: true });
    expect([state.phase.value, state.samples.value]).toEqual(['ready', []]);
    state.drawCurve();
    state.cancel();
    expect([state.curving.value, state.curve.value, state.phase.value]).toEqual([false, null, 'ready']);
    state.chooseWorkload(FIRST_WORKLOAD, '7');
    expect([state.phase.value, state.course.value]).toEqual(['reading', null]);
    say({ type: 'problem', run: run() - 1, text: 'old' });
    expect(state.problem.value).toBe(null);
    say({ type: 'problem', run: run(), text: 't.csv: line 3: bad' });
    expect([state.problem.value, state.phase.value]).toEqual(['t.csv: line 3: bad', 'empty']);
    // What is wrong with the worker itself is always said.
    read();
    state.start();
    say({ type: 'problem', run: 0, text: 'The engine stopped' });
    expect([state.problem.value, state.phase.value]).toEqual(['The engine stopped', 'ready']);
  });

  it('takes the size that is chosen in the curve', () => {
    const { state, say, run, read } = begin();
    read();
    act(() => render(<CurvePart state={state} />, host));
    act(() => host.querySelector('button')?.click());
    const hits = [
      [1, 5],
      [2, 5],
      [3, 5],
      [2, 5],
      [4, 5],
    ];
    say({ type: 'curve', run: run(), curve: { sizes: [3, 30], requests: 10, asked: 10, hits, over: true } });
    const [small] = host.querySelectorAll('rect[role=button]');
    expect(small?.getAttribute('aria-label')).toBe(
      '3 entries: LRU 10.0 %, SIEVE 20.0 %, S3-FIFO 30.0 %, W-TinyLFU 20.0 %, Belady 40.0 %. Take this size',
    );
    act(() => {
      small?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    });
    expect(state.capacity.value).toBe(3);
    expect([...host.querySelectorAll('.sizes tbody tr')].map((row) => row.textContent)).toEqual([
      '310.0 %20.0 %30.0 %20.0 %40.0 %S3-FIFO',
      '3050.0 %50.0 %50.0 %50.0 %50.0 %all level',
    ]);
  });
});

describe('the traces that are made', () => {
  it('are the same every time, and different from each other', () => {
    const check = (name: 'scans' | 'loop' | 'shift', keys: number) => {
      const lines = made(name).trimEnd().split('\n');
      expect([name, lines.length, new Set(lines).size]).toEqual([name, 20_000, keys]);
      expect(made(name)).toBe(made(name));
    };
    check('loop', 200);
    check('scans', 5_200);
    check('shift', 789);
  });
});
