// A worker of its own that looks for a failure: the page and its run go on meanwhile. Whoever wants it no more ends it.

import init, { Finder } from '../wasm/vitrine_finder.js';
import wasmUrl from '../wasm/vitrine_finder_bg.wasm?url';
import type { FinderAnswer, FinderRequest } from './finder-protocol.ts';

/** Events in one go, and milliseconds between two reports. */
const EVENTS = 5_000;
const REPORTED_EVERY = 120;
/** Seeds that are tried. */
const MOST_SEEDS = 400;

const scope = self as unknown as Worker;
const post = (message: FinderAnswer) => scope.postMessage(message);

scope.onmessage = async (event: MessageEvent<FinderRequest>) => {
  const { from, mutant } = event.data;
  let first = from;
  try {
    await init({ module_or_path: wasmUrl });
    const finder = new Finder(from, mutant);
    let told = 0;
    while (finder.step(EVENTS)) {
      const [seed = 0, share = 0, shrinking = 0, left = 0, commands = 0] = finder.progress();
      first = seed;
      if (seed - from >= MOST_SEEDS) {
        post({ type: 'nothing', tried: MOST_SEEDS });
        return;
      }
      if (performance.now() - told < REPORTED_EVERY) continue;
      told = performance.now();
      post({ type: 'progress', seed, share, shrinking: shrinking === 1, left, commands, broken: finder.broken() });
    }
    const [seed = 0] = finder.progress();
    post({ type: 'found', seed, broken: finder.broken(), script: finder.script() });
  } catch (problem) {
    // An assertion of the engine's own ends its memory with it.
    const words = problem instanceof Error ? problem.message : String(problem);
    post({ type: 'ended', seed: first, why: words });
  }
};
