// usage: node tools/speed.mjs [SECONDS]
//
// How fast the page's simulator runs: five nodes at 200 requests a second each, every check on, in this Node, whose V8 is
// the one that compiles WebAssembly in Chromium. Prints JSON: simulated seconds a second of the clock, and a second of the
// processor, which on a busy machine is what says something; and events.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const wasm = join(import.meta.dirname, '..', 'src', 'wasm');
const { initSync, Playground, Settings } = await import(join(wasm, 'vitrine_web.js'));
initSync({ module: readFileSync(join(wasm, 'vitrine_web_bg.wasm')) });

const simulated = Number(process.argv[2] ?? 30);
const settings = new Settings();
settings.nodes = 5;
settings.replicas = 3;
settings.capacity = 10_000;
const playground = new Playground(settings);
playground.workload('zipf', 5_000, 1_000, 30, 0);

const advance = (until) => {
  while (playground.now() < until) playground.run(until, 250);
};
// What is compiled lazily is compiled by then, and the stores have something in them.
advance(2e6);
const before = playground.steps();
const began = performance.now();
const used = process.cpuUsage();
advance(2e6 + simulated * 1e6);
const seconds = (performance.now() - began) / 1_000;
const { user, system } = process.cpuUsage(used);
const events = playground.steps() - before;
const rateIn = (seconds) => Math.round((simulated / seconds) * 10) / 10;
const [rate, processorRate] = [rateIn(seconds), rateIn((user + system) / 1e6)];
console.log(JSON.stringify({ simulated, rate, processorRate, events, eventsASecond: Math.round(events / seconds) }));
