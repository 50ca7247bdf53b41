import { expect, it } from 'vitest';
import { LOG_ROWS } from '../src/state/session.ts';
import { node, snapshot, wired } from './fixtures.ts';

function open() {
  const { session, sent, receive } = wired();
  const frame = (part: Parameters<typeof snapshot>[0] = {}) =>
    receive({ type: 'frame', motion: { now: 1, flights: [], inFlight: 0 }, snapshot: snapshot(part), placement: null });
  return { session, sent, receive, frame };
}

it('builds a cluster with a workload as soon as the engine is there', () => {
  const { sent, receive } = open();
  expect(sent).toEqual([]);
  receive({ type: 'ready' });
  expect(sent[0]).toMatchObject({ type: 'build', settings: { nodes: 3 }, workload: { kind: 'zipf' } });
});

it('asks for one frame at a time, and moves time by what has passed', () => {
  const { session, sent, receive, frame } = open();
  session.tick(0);
  expect(sent).toEqual([]);
  receive({ type: 'ready' });
  session.tick(1_000);
  session.tick(1_016);
  expect(sent.filter((m) => m.type === 'frame')).toHaveLength(1);
  frame();
  session.tick(1_020);
  expect(sent.at(-1)).toEqual({ type: 'frame', advance: (20 * 1_000) / 500 });
  frame();
  session.togglePlay();
  session.tick(1_040);
  expect(sent.at(-1)).toEqual({ type: 'frame', advance: 0 });
});

it('pauses to step', () => {
  const { session, sent } = open();
  session.step(1);
  expect(session.playing.value).toBe(false);
  expect(sent.at(-1)).toEqual({ type: 'step', by: 1 });
});

it('keeps the log in order, without doubles, bounded, and of one world', () => {
  const { session, frame } = open();
  const rows = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({
      seq: from + i,
      at: from + i,
      place: 1,
      kind: 'hit',
      key: '',
      text: '',
    }));
  frame({ now: 100, log: rows(1, 11) });
  frame({ now: 100, log: rows(6, 16) });
  expect(session.log.value.map((r) => r.seq)).toEqual(rows(1, 16).map((r) => r.seq));
  frame({ now: 5, log: [] });
  expect(session.log.value.at(-1)?.seq).toBe(5);
  frame({ now: 9_999, log: rows(6, 2_000) });
  expect(session.log.value).toHaveLength(LOG_ROWS);
  frame({ world: 2, now: 1, log: rows(1, 2) });
  expect(session.log.value).toHaveLength(1);
});

it('says what a person clicks as script lines', () => {
  const { session, sent, frame } = open();
  frame({ nodes: [node(1), node(2, { up: false })], cuts: [{ from: 2, to: 1 }] });
  const said = (act: () => void) => {
    act();
    return sent.at(-1);
  };
  expect(said(() => session.toggleNode(1))).toEqual({ type: 'command', text: 'n1 crash' });
  expect(said(() => session.toggleNode(2))).toEqual({ type: 'command', text: 'n2 restart' });
  expect(said(() => session.toggleLink(1, 2))).toEqual({ type: 'command', text: 'heal n1 n2' });
  frame({ nodes: [node(1), node(2)] });
  expect(said(() => session.toggleLink(1, 2))).toEqual({ type: 'command', text: 'cut n1 n2' });
});

it('forgets a chosen node that has left', () => {
  const { session, frame } = open();
  frame({ nodes: [node(1), node(2)] });
  session.selectedNode.value = 2;
  frame({ nodes: [node(1), node(2, { leaving: true })] });
  expect(session.selectedNode.value).toBe(2);
  frame({ nodes: [node(1)] });
  expect(session.selectedNode.value).toBeNull();
});

it('writes and reads at the chosen levels unless the line names its own', () => {
  const { session, sent } = open();
  session.settings.value = { ...session.settings.value, writeLevel: 'quorum', readLevel: 'one' };
  const cases: [string, string][] = [
    ['c1 set k v', 'c1 set k v write=quorum'],
    ['c1@n2 del k', 'c1@n2 del k write=quorum'],
    ['c1 set k v write=all', 'c1 set k v write=all'],
    ['c1 get k', 'c1 get k read=one'],
    ['n1 crash', 'n1 crash'],
    ['nonsense', 'nonsense'],
  ];
  for (const [typed, text] of cases) {
    session.command(typed);
    expect(sent.at(-1)).toEqual({ type: 'command', text });
  }
});

it('shows problems in words, and lets go of a trace that is none', () => {
  const { session, receive } = open();
  const trace = { name: 'a.csv', requests: 1, bytesRead: 1, bytes: 9, whole: false };
  receive({ type: 'trace', trace });
  receive({ type: 'problem', about: 'command', text: 'unknown command' });
  expect(session.problem.value).toBe('unknown command');
  expect(session.trace.value).toEqual(trace);
  receive({ type: 'problem', about: 'trace', text: 'line 3 has no key' });
  expect(session.trace.value).toBeNull();
});
