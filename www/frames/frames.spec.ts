// What a frame of the page takes, where most is on it. `npm run frames`, after `scripts/build-www`; it prints each and
// writes test-results/frames.json. The budget: p95 within 33 ms.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { build, drop, expect, hurry, open, say, test } from '../e2e/page.ts';

/** Frames that are measured of each. */
const FRAMES = 240;

interface Spans {
  readonly p50: number;
  readonly p95: number;
  readonly most: number;
}

const measured: Record<string, Spans & { readonly of: string }> = {};

/** Milliseconds from one frame to the next; `scrolling`: what is scrolled by a part of its whole at each. */
async function spans(page: Page, scrolling?: string): Promise<Spans> {
  const all = await page.evaluate(
    ([frames, selector]) =>
      new Promise<number[]>((done) => {
        const box = selector ? document.querySelector(selector) : null;
        const spans: number[] = [];
        let last = performance.now();
        requestAnimationFrame(function next(at) {
          spans.push(at - last);
          last = at;
          if (box) box.scrollTop = (box.scrollHeight * spans.length) / frames;
          if (spans.length < frames) requestAnimationFrame(next);
          else done(spans.slice(1));
        });
      }),
    [FRAMES, scrolling ?? ''] as const,
  );
  all.sort((a, b) => a - b);
  const at = (share: number) => Number((all[Math.floor(share * (all.length - 1))] ?? Number.NaN).toFixed(1));
  return { p50: at(0.5), p95: at(0.95), most: at(1) };
}

async function measure(page: Page, name: string, of: string, scrolling?: string): Promise<void> {
  const result = { ...(await spans(page, scrolling)), of };
  measured[name] = result;
  console.log(`${name}: p50 ${result.p50} ms, p95 ${result.p95} ms, most ${result.most} ms (${of})`);
}

test('first screen', async ({ page, site }) => {
  await open(page, site);
  await page.waitForTimeout(1_000);
  await measure(page, 'first screen', 'three nodes under load');
});

test('many nodes and messages', async ({ page, site }) => {
  await open(page, site);
  await build(page, { Nodes: 32 });
  await expect(page.getByRole('article')).toHaveCount(32);
  await say(page, 'network delay=40ms jitter=10ms');
  await say(page, 'workload shape=zipf keys=2000 rate=6000 writes=35%');
  const flights = () => page.locator('canvas.flights').getAttribute('data-flights').then(Number);
  await hurry(page);
  // Not the crowd of a beginning, when all ask all: that of requests and their copies.
  await expect.poll(() => page.locator('.rows button').count(), { timeout: 120_000 }).toBeGreaterThan(30);
  await expect.poll(flights, { timeout: 120_000 }).toBeGreaterThan(1_000);
  await page.getByRole('slider', { name: 'Speed' }).press('Home');
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(import.meta.dirname, '..', 'test-results', 'thousand.png') });
  await measure(page, 'many nodes', `32 nodes, ${await flights()} messages under way`);
});

test('diagram', async ({ page, site }) => {
  await open(page, site);
  await page.keyboard.press('d');
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.evaluate(() => {
    const speed = document.querySelector<HTMLInputElement>('.speed input');
    if (!speed) return;
    speed.value = speed.max;
    speed.dispatchEvent(new Event('input', { bubbles: true }));
  });
  const rows = () => page.locator('.tape .length').getAttribute('data-rows').then(Number);
  await expect.poll(rows, { timeout: 250_000 }).toBeGreaterThan(100_000);
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('checkbox', { name: 'Follow' }).uncheck();
  await page.waitForTimeout(500);
  await measure(page, 'diagram', `scrolling through ${await rows()} events`, '.tape');
});

test('race', async ({ page, site }) => {
  await open(page, site);
  await page.keyboard.press('v');
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  const keys = Array.from({ length: 400_000 }, (_, at) => `k${((at * 7_919) % 30_011) ^ (at % 977)}`);
  await drop(page, 'long.txt', Buffer.from(`${keys.join('\n')}\n`));
  await expect(dialog.locator('.verdict')).toContainText('400 000 requests', { timeout: 60_000 });
  await dialog.getByRole('button', { name: 'Start the race' }).click();
  await measure(page, 'race', 'five policies on 400,000 requests, and the cluster beside them');
});

test.afterAll(() => {
  const folder = join(import.meta.dirname, '..', 'test-results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'frames.json'), `${JSON.stringify(measured)}\n`);
});
