import { render } from 'preact';
import './style/base.css';
import './style/layout.css';
import './style/scene.css';
import './style/stores.css';
import './style/panels.css';
import './style/command.css';
import './style/key.css';
import './style/trace.css';
import './style/transport.css';
import './style/scrubber.css';
import './style/branches.css';
import './style/promises.css';
import './style/log.css';
import './style/diagram.css';
import './style/disks.css';
import './style/keys.css';
import './style/lesson.css';
import './style/share.css';
import './style/faults.css';
import './style/embed.css';
import { App } from './App.tsx';
import { keepOffline } from './offline.ts';
import { apply, stored } from './panels/TopBar.tsx';
import { fromAddress } from './share/address.ts';
import { asked } from './share/embed.ts';
import { type Port, Session } from './state/session.ts';
import type { FinderAnswer } from './worker/finder-protocol.ts';
import type { FromWorker } from './worker/protocol.ts';

apply(stored());

const worker = new Worker(new URL('./worker/worker.ts', import.meta.url), { type: 'module', name: 'vitrine' });
const port: Port = {
  post: (message) => worker.postMessage(message),
  listen: (receive) => {
    worker.onmessage = (event: MessageEvent<FromWorker>) => receive(event.data);
    worker.onerror = (event) =>
      receive({
        type: 'problem',
        about: 'start',
        text: `The engine stopped: ${event.message || 'the worker did not start'}. Reload the page.`,
      });
  },
};
const root = document.getElementById('app');
const begun = await fromAddress(location.hash);
const session = new Session(port, begun.first);
const { embed, seed } = asked(location.search);
if (embed) document.documentElement.dataset.embed = '';
if (seed !== null) session.settings.value = { ...session.settings.value, seed };
session.problem.value = begun.problem;
session.truth.begin = () => {
  const finder = new Worker(new URL('./worker/finder.ts', import.meta.url), { type: 'module', name: 'finder' });
  return {
    post: (request) => finder.postMessage(request),
    listen: (receive) => {
      finder.onmessage = (event: MessageEvent<FinderAnswer>) => receive(event.data);
    },
    end: () => finder.terminate(),
  };
};
if (root) render(<App session={session} />, root);
void keepOffline();
