import { render } from 'preact';
import '../src/style/base.css';
import '../src/style/layout.css';
import '../src/style/scene.css';
import '../src/style/panels.css';
import { App } from '../src/App.tsx';
import { CLIENTS } from '../src/frame.ts';
import { Session } from '../src/state/session.ts';
import { flight, node, placement, snapshot } from './fixtures.ts';

const q = new URLSearchParams(location.search);
const n = Number(q.get('n') ?? 3);
document.documentElement.dataset.theme = q.get('theme') ?? 'light';
let receive: any;
const nodes = Array.from({ length: n }, (_, i) =>
  node(i + 1, q.has('down') && i === 1 ? { up: false, rows: [], entries: 0 } : {}),
);
const session = new Session({
  post(m) {
    if (m.type === 'frame')
      setTimeout(
        () =>
          receive({
            type: 'frame',
            motion: {
              now: 12_345,
              inFlight: 5,
              flights: [
                flight(1, { from: CLIENTS, to: 1, kind: 'request', label: 'k7', sentAt: 12_000, arrivesAt: 12_700 }),
                flight(2, {
                  from: 1,
                  to: 2,
                  kind: 'forward',
                  label: 'k12',
                  slot: 5000,
                  sentAt: 12_100,
                  arrivesAt: 12_500,
                }),
                flight(3, {
                  from: 2,
                  to: 3,
                  kind: 'replicate',
                  label: 'k3',
                  slot: 9000,
                  sentAt: 11_900,
                  arrivesAt: 12_900,
                }),
                flight(4, {
                  from: 3,
                  to: 2,
                  kind: 'replicated',
                  label: 'k9',
                  slot: 15000,
                  sentAt: 11_900,
                  arrivesAt: 12_600,
                }),
                flight(5, {
                  from: 3,
                  to: CLIENTS,
                  kind: 'reply',
                  label: 'k1',
                  slot: 100,
                  sentAt: 12_200,
                  arrivesAt: 12_600,
                }),
                flight(6, { from: 1, to: 3, kind: 'ping', label: '', slot: -1, sentAt: 12_200, arrivesAt: 12_500 }),
              ],
            },
            snapshot: snapshot({
              nodes,
              cuts: q.has('cut')
                ? [
                    { from: 1, to: 3 },
                    { from: 3, to: 1 },
                  ]
                : [],
              explained: session.selectedKey.value
                ? {
                    key: session.selectedKey.value,
                    slot: 4000,
                    primary: 2,
                    replicas: [
                      { node: 2, up: true, version: '19b76ab-0-2', expiresIn: 40, rank: 3 },
                      { node: 3, up: true, version: null, expiresIn: null, rank: null },
                    ],
                  }
                : null,
            }),
            placement: session.placement.value ? null : placement(n, Math.min(2, n), n * 30),
          }),
        5,
      );
  },
  listen(r) {
    receive = r;
  },
});
render(<App session={session} />, document.getElementById('app')!);
receive({ type: 'ready' });
if (q.has('key')) session.select(q.get('key'));
