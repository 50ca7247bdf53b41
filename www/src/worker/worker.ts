// The worker: it loads the wasm, runs it when the page asks, and decides nothing. By its name it runs the cluster, or
// a race beside it: two workers of one script, so that neither waits for the other.

import type { FromRacer, ToRacer } from '../race/protocol.ts';
import { load } from './engine.ts';
import type { FromWorker, ToWorker } from './protocol.ts';
import { Racer } from './racer.ts';
import { Runner } from './runner.ts';
import { loadTrack } from './track.ts';
import { unpack } from './unpack.ts';

const scope = self as unknown as Worker & { readonly name: string };
const clock = () => performance.now();

/** Messages that come while the wasm is loaded wait for it. */
async function serve<Message>(begin: () => Promise<(message: Message) => Promise<void>>): Promise<void> {
  const waiting: Message[] = [];
  scope.onmessage = (event: MessageEvent<Message>) => waiting.push(event.data);
  const receive = await begin();
  scope.onmessage = (event: MessageEvent<Message>) => void receive(event.data);
  for (const message of waiting) void receive(message);
}

const didNotStart = (problem: unknown) =>
  `The engine did not start: ${problem instanceof Error ? problem.message : String(problem)}`;

function cluster(): void {
  const post = (message: FromWorker) => {
    // Arrays are handed over rather than copied; nothing here reads them again.
    const arrays =
      message.type === 'frame' && message.placement
        ? [message.placement.owners.buffer as ArrayBuffer, message.placement.primaries.buffer as ArrayBuffer]
        : [];
    scope.postMessage(message, arrays);
  };
  serve<ToWorker>(async () => {
    const runner = new Runner(await load(), { post, clock, unpack });
    post({ type: 'ready' });
    return (message) => runner.receive(message);
  }).catch((problem) => post({ type: 'problem', about: 'start', text: didNotStart(problem) }));
}

function race(): void {
  const post = (message: FromRacer) => scope.postMessage(message);
  // Lets what was said meanwhile be heard. A timer would stand still for four milliseconds, a third of a slice.
  const { port1, port2 } = new MessageChannel();
  const rest = () =>
    new Promise<void>((rested) => {
      port1.onmessage = () => rested();
      port2.postMessage(null);
    });
  serve<ToRacer>(async () => {
    const racer = new Racer(await loadTrack(), { post, clock, unpack, rest });
    return (message) => racer.receive(message);
  }).catch((problem) => post({ type: 'problem', run: 0, text: didNotStart(problem) }));
}

if (scope.name === 'race') race();
else cluster();
