import { render } from 'preact';
import { act } from 'preact/test-utils';
import { afterEach, describe, expect, it } from 'vitest';
import type { Snapshot } from '../src/frame.ts';
import { ClusterPanel } from '../src/panels/ClusterPanel.tsx';
import { Log } from '../src/panels/Log.tsx';
import { Stores, visible } from '../src/panels/Stores.tsx';
import { press } from '../src/panels/shortcuts.ts';
import { Scene } from '../src/scene/Scene.tsx';
import { SessionContext } from '../src/state/context.ts';
import { Session } from '../src/state/session.ts';
import type { ToWorker } from '../src/worker/protocol.ts';
import { node, placement, snapshot } from './fixtures.ts';

const host = document.createElement('div');
document.body.append(host);

function draw(part: Partial<Snapshot>, what: preact.ComponentChild) {
  const sent: ToWorker[] = [];
  const session = new Session({ post: (m) => sent.push(m), listen: () => {} });
  session.snapshot.value = snapshot(part);
  session.log.value = snapshot(part).log;
  session.placement.value = placement();
  act(() => render(<SessionContext.Provider value={session}>{what}</SessionContext.Provider>, host));
  return {
    session,
    sent,
    text: () => host.textContent ?? '',
    all: (css: string) => [...host.querySelectorAll<HTMLElement>(css)],
  };
}

afterEach(() => act(() => render(null, host)));

describe('stores', () => {
  it('list the most recent first and mark who goes next', () => {
    const { all, text } = draw({}, <Stores />);
    expect(all('.store')).toHaveLength(3);
    const rows = [...(all('.store')[0]?.querySelectorAll('.rows li') ?? [])];
    expect(rows.at(0)?.textContent).toContain('k7');
    expect(rows.some((r) => r.textContent === '10 more')).toBe(true);
    expect(rows.at(-1)?.textContent).toContain('next out');
    expect(text()).toContain('24 of 24');
  });

  it('say in words that a node is down, and offer to restart it', () => {
    const { all, sent, text } = draw({ nodes: [node(1), node(2, { up: false, rows: [], entries: 0 })] }, <Stores />);
    expect(text()).toContain('down');
    const restart = all('button').find((b) => b.getAttribute('aria-label') === 'Start n2');
    act(() => restart?.click());
    expect(sent.at(-1)).toEqual({ type: 'command', text: 'n2 restart' });
  });

  it('ask about a key that is clicked', () => {
    const { all, sent, session } = draw({}, <Stores />);
    act(() => all('.rows button')[0]?.click());
    expect(sent.at(-1)).toEqual({ type: 'explain', key: 'k7' });
    expect(session.selectedKey.value).toBe('k7');
  });

  it('show all of a small store', () => {
    const small = node(1, { entries: 5, rows: node(1).rows.slice(0, 5) });
    expect(visible(small, { head: 2, tail: 2 }).map((r) => r.rank)).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('the scene', () => {
  it('has a button for every node and link, with its state in words', () => {
    const { all, sent } = draw(
      { nodes: [node(1), node(2), node(3, { up: false })], cuts: [{ from: 1, to: 2 }] },
      <Scene />,
    );
    expect(all('[role=button]').every((e) => e.getAttribute('tabindex') === '0')).toBe(true);
    const labels = all('[role=button]').map((e) => e.getAttribute('aria-label'));
    expect(labels).toContain('Node n3, down');
    expect(labels).toContain('Link n1 to n2: cut from n1 to n2; heal it');
    expect(labels).toContain('Link n2 to n3: whole; cut it');
    const link = all('.link').find((e) => e.getAttribute('aria-label')?.startsWith('Link n2 to n3'));
    act(() => {
      link?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
    });
    expect(sent.at(-1)).toEqual({ type: 'command', text: 'cut n2 n3' });
  });

  it('draws no web of links for many nodes', () => {
    const many = Array.from({ length: 32 }, (_, i) => node(i + 1));
    expect(draw({ nodes: many }, <Scene />).all('.link')).toHaveLength(0);
  });
});

describe('the log', () => {
  it('is a table, newest first, and filters by every word', () => {
    const { all } = draw({}, <Log />);
    expect(all('tbody tr')).toHaveLength(12);
    expect(all('tbody tr')[0]?.textContent).toContain('k11');
    const filter = all('input[type=search]')[0] as HTMLInputElement;
    act(() => {
      filter.value = 'delivered n2';
      filter.dispatchEvent(new Event('input', { bubbles: true }));
    });
    expect(all('tbody tr').length).toBe(4);
  });
});

describe('the cluster form', () => {
  it('says what a field takes, and builds only what is right', () => {
    const { all, sent, text } = draw({}, <ClusterPanel />);
    const [nodes] = all('input') as HTMLInputElement[];
    const enter = (value: string) =>
      act(() => {
        if (!nodes) return;
        nodes.value = value;
        nodes.dispatchEvent(new Event('change', { bubbles: true }));
      });
    enter('33');
    expect(text()).toContain('Nodes takes a whole number from 1 to 32');
    enter('5');
    expect(text()).not.toContain('takes a whole number');
    act(() => {
      all('form')[0]?.dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }));
    });
    expect(sent.at(-1)).toMatchObject({ type: 'build', settings: { nodes: 5 } });
  });
});

describe('the members', () => {
  const buttons = (all: (selector: string) => Element[]) => all('.members button') as HTMLButtonElement[];

  it('say what moves, and let one more in or the chosen one go', () => {
    const map = { edition: 5, phase: 'filling', copies: 2, waiting: 1 } as const;
    const { all, sent, session, text } = draw({ map }, <ClusterPanel />);
    expect(text()).toContain('Map 5: new owners are being filled; 1 more waiting');
    act(() => buttons(all)[0]?.click());
    expect(sent.at(-1)).toEqual({ type: 'command', text: 'join' });
    act(() => buttons(all)[1]?.click());
    expect(sent.at(-1)).toEqual({ type: 'command', text: 'n3 leave' });
    act(() => {
      session.selectedNode.value = 2;
    });
    expect(text()).toContain('Take out n2');
    act(() => buttons(all)[1]?.click());
    expect(sent.at(-1)).toEqual({ type: 'command', text: 'n2 leave' });
  });

  it('are not asked to go twice, nor the last one at all', () => {
    const leaving = draw({ nodes: [node(1), node(2), node(3, { leaving: true })] }, <ClusterPanel />);
    expect(buttons(leaving.all).map((button) => button.disabled)).toEqual([false, true]);
    const alone = draw({ nodes: [node(1), node(2, { leaving: true })] }, <ClusterPanel />);
    act(() => {
      alone.session.selectedNode.value = 1;
    });
    expect(buttons(alone.all).map((button) => button.disabled)).toEqual([false, true]);
  });
});

describe('keys', () => {
  it('act on the page, and never on what is typed', () => {
    const { session, sent } = draw({}, <input aria-label="field" />);
    const on = (target: Element, key: string) => {
      const event = new KeyboardEvent('keydown', { key, bubbles: true });
      Object.defineProperty(event, 'target', { value: target });
      return press(event, session, () => {});
    };
    const field = host.querySelector('input') as HTMLInputElement;
    expect(on(field, ' ')).toBe(false);
    expect(session.playing.value).toBe(true);
    expect(on(document.body, ' ')).toBe(true);
    expect(session.playing.value).toBe(false);
    expect(on(document.body, ',')).toBe(true);
    expect(sent.at(-1)).toEqual({ type: 'step', by: -1 });
    expect(on(document.body, '2')).toBe(true);
    expect(sent.at(-1)).toEqual({ type: 'command', text: 'n2 crash' });
    expect(on(document.body, '9')).toBe(false);
    expect(on(document.body, 'x')).toBe(false);
  });
});
