// The worker: it loads the wasm, runs it when the page asks, and decides nothing.

import { load } from './engine.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { Runner } from './runner.ts';
import { unpack } from './unpack.ts';

const scope = self as unknown as Worker;

function post(message: FromWorker): void {
  // Arrays are handed over rather than copied; nothing here reads them again.
  const arrays =
    message.type === 'frame' && message.placement
      ? [message.placement.owners.buffer as ArrayBuffer, message.placement.primaries.buffer as ArrayBuffer]
      : [];
  scope.postMessage(message, arrays);
}

const waiting: ToWorker[] = [];
let receive = (message: ToWorker) => {
  waiting.push(message);
};
scope.onmessage = (event: MessageEvent<ToWorker>) => receive(event.data);

try {
  const runner = new Runner(await load(), { post, clock: () => performance.now(), unpack });
  receive = (message) => {
    void runner.receive(message);
  };
  post({ type: 'ready' });
  for (const message of waiting) receive(message);
} catch (problem) {
  const words = problem instanceof Error ? problem.message : String(problem);
  post({ type: 'problem', about: 'start', text: `The engine did not start: ${words}` });
}
