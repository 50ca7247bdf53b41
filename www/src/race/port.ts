// The worker of a race: the page's worker once more, under the name by which it races.

import type { FromRacer } from './protocol.ts';
import type { RacePort } from './state.ts';

export function racePort(): RacePort {
  const worker = new Worker(new URL('../worker/worker.ts', import.meta.url), { type: 'module', name: 'race' });
  return {
    post: (message) => worker.postMessage(message),
    listen: (receive) => {
      worker.onmessage = (event: MessageEvent<FromRacer>) => receive(event.data);
      worker.onerror = (event) =>
        receive({
          type: 'problem',
          run: 0,
          text: `The engine stopped: ${event.message || 'the worker did not start'}. Reload the page.`,
        });
    },
  };
}
