// The engine's races as the racer sees them.

import init, { Playground, Settings as WasmSettings } from '../wasm/vitrine_web.js';
import wasmUrl from '../wasm/vitrine_web_bg.wasm?url';
import type { Track } from './racer.ts';

export async function loadTrack(): Promise<Track> {
  await init({ module_or_path: wasmUrl });
  // Its cluster stands still: only what it knows of traces is used.
  const playground = new Playground(new WasmSettings());
  return {
    start: (name) => playground.trace_start(name),
    feed: (bytes) => playground.trace_feed(bytes),
    finish: () => playground.trace_finish(),
    workload: ({ kind, keys, writePercent, ttl }, seed) =>
      playground.trace_workload(kind, keys, writePercent, ttl, BigInt(seed)),
    race: (sizes) => playground.race(sizes),
    key: (request) => playground.trace_key(request),
  };
}
