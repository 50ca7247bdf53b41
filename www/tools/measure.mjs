// Measures what going back costs: a ten-minute run of five nodes, 200 requests a second each, then random seeks in it.
// `npm run measure [MINUTES [SEEKS [KEYS]]]`, after `scripts/build-wasm`; prints one JSON object. It is the page's own
// WebAssembly, under Node; cluster and load are otherwise those that the page begins with.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initSync, Playground, Settings } from '../src/wasm/vitrine_web.js';

const MINUTE = 60_000_000;
const minutes = Number(process.argv[2] ?? 10);
const seeks = Number(process.argv[3] ?? 300);
const keys = Number(process.argv[4] ?? 60);

const { memory } = initSync({
  module: readFileSync(join(import.meta.dirname, '..', 'src', 'wasm', 'vitrine_web_bg.wasm')),
});
const settings = new Settings();
Object.assign(settings, { seed: 7n, nodes: 5, replicas: 2, capacity: keys > 60 ? keys : 16 });
const page = new Playground(settings);
page.workload('zipf', keys, 1_000, 35, 500);

const began = performance.now();
for (let fault = 1; page.now() < minutes * MINUTE; fault += 1) {
  // Somebody goes and comes back twice a minute: a run without marks is no run to go back in.
  const until = Math.min(minutes * MINUTE, fault * 15_000_000);
  while (page.now() < until) page.run(until, 250);
  page.command(fault % 2 === 1 ? 'n2 crash' : 'n2 restart');
}
const ran = (performance.now() - began) / 1_000;

// A generator of its own: the same moments every time.
let state = 12_345;
const random = () => {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return state / 2 ** 32;
};
const end = page.end();
const events = page.steps();
/** By the clock and by the processor: on a busy machine the clock also counts what others do. */
const measured = (act) => {
  const spent = [];
  const times = Array.from({ length: seeks }, () => {
    const start = performance.now();
    const before = process.cpuUsage();
    act();
    // What the page then asks for, to draw the moment.
    page.flights();
    page.nodes();
    page.rows(14, 3);
    page.row_keys(14, 3);
    const { user, system } = process.cpuUsage(before);
    spent.push((user + system) / 1_000);
    return performance.now() - start;
  });
  const of = (times) => {
    times.sort((a, b) => a - b);
    const at = (share) => Number(times[Math.min(seeks - 1, Math.floor(share * seeks))].toFixed(1));
    return { p50: at(0.5), p95: at(0.95), most: at(1) };
  };
  return { count: seeks, clock: of(times), processor: of(spent) };
};
const seek = measured(() => page.seek(Math.floor(random() * end)));
page.seek(end / 2);
const back = measured(() => page.step_back());
console.log(
  JSON.stringify({
    events,
    simulatedSeconds: end / 1e6,
    simulatedSecondsASecond: Number((end / 1e6 / ran).toFixed(1)),
    megabytes: Math.round(memory.buffer.byteLength / 1e6),
    seekMs: seek,
    stepBackMs: back,
  }),
);
