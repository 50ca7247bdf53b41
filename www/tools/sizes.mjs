// Prints what a first visit downloads, compressed as a server would send it, and fails past the budget.
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const budgets = { '.wasm': 250, '.js': 100, total: 400 };
const folder = join(import.meta.dirname, '..', 'dist');
const sums = { '.wasm': 0, '.js': 0, total: 0 };
for (const name of readdirSync(folder, { recursive: true })) {
  // The zstd reader is fetched only when somebody drops a .zst file.
  const kind = extname(name);
  if (!['.html', '.js', '.css', '.wasm', '.svg'].includes(kind) || /zstd|esm-.*\.js$/.test(name)) continue;
  const kilobytes = gzipSync(readFileSync(join(folder, name)), { level: 9 }).length / 1024;
  sums.total += kilobytes;
  if (kind in sums) sums[kind] += kilobytes;
  console.log(`${kilobytes.toFixed(1).padStart(8)} KB gzip  ${name}`);
}
let over = false;
for (const [kind, limit] of Object.entries(budgets)) {
  over ||= sums[kind] > limit;
  console.log(`${sums[kind].toFixed(1).padStart(8)} KB of ${limit} KB  ${kind}`);
}
if (over) {
  console.error('the page is over its budget for a first visit');
  process.exit(1);
}
