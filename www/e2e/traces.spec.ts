// Recorded traces dropped on the page give the misses of the reference, to the last one.

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { drop, expect, open, test } from './page.ts';

const shipped = join(import.meta.dirname, '..', '..', 'tests', 'data', 'sprite.csv.gz');

/** What an exact LRU of so many entries misses, by the shortest program that is one. */
function reference(csv: string, capacity: number): { requests: number; misses: number } {
  const held = new Map<string, true>();
  let [requests, misses] = [0, 0];
  for (const line of csv.split('\n').slice(1).filter(Boolean)) {
    const key = line.split(',')[1] ?? '';
    requests += 1;
    if (!held.delete(key)) {
      misses += 1;
      const oldest = held.keys().next().value;
      if (held.size === capacity && oldest !== undefined) held.delete(oldest);
    }
    held.set(key, true);
  }
  return { requests, misses };
}

interface Case {
  readonly file: string;
  readonly capacity: number;
  readonly requests: number;
  readonly misses: number;
}

const csv = gunzipSync(readFileSync(shipped)).toString();
const cases: Case[] = [40, 500].map((capacity) => ({ file: shipped, capacity, ...reference(csv, capacity) }));
const folder = process.env.VITRINE_TRACES;
if (folder) {
  const large = (name: string, capacity: number, requests: number, misses: number) =>
    cases.push({ file: join(folder, `${name}.csv.gz`), capacity, requests, misses });
  // The counts of the README beside the traces.
  large('lirs-sprite', 500, 133_996, 29_074);
  large('lirs-2pools', 450, 100_000, 49_726);
  large('web12', 4_000, 95_607, 20_103);
  large('arc-OLTP', 5_000, 914_145, 423_702);
}

for (const { file, capacity, requests, misses } of cases) {
  test(`${basename(file)} at ${capacity} entries: ${misses} misses`, async ({ page, site }) => {
    test.slow(requests > 20_000);
    const group = (n: number) => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');
    await open(page, site);
    await drop(page, basename(file), readFileSync(file));
    const panel = page.getByRole('region', { name: /^Recorded trace/ });
    await expect(panel).toContainText(`${group(requests)} requests`);
    await panel.getByRole('spinbutton', { name: /Capacity/ }).fill(String(capacity));
    await panel.getByRole('button', { name: 'Replay it' }).click();
    await expect(panel.getByRole('status').last()).toContainText('Done', { timeout: 150_000 });
    const result = (name: string) => panel.locator(`[data-result=${name}]`);
    await expect(result('requests')).toHaveText(group(requests));
    await expect(result('misses')).toHaveText(group(misses));
    await expect(result('hits')).toHaveText(group(requests - misses));
    await expect(page.getByRole('article')).toHaveCount(1);
  });
}
