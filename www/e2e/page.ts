// The page as a person opens it: `dist` from a server of its own on a free port.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Page, type PageScreenshotOptions } from '@playwright/test';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
};

/** Beside the fixtures of Playwright: the address of the page, and a check that it had no error. */
export const test = base.extend<{ quiet: undefined }, { site: string }>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures from the pattern.
    async ({}, use) => {
      const folder = join(import.meta.dirname, '..', 'dist');
      const server = createServer(async (request, response) => {
        // The same files at the root and under a path, as static hosts have them.
        const path = normalize(
          new URL(request.url ?? '/', 'http://localhost').pathname.replace(/^\/some\/where\//, '/'),
        );
        const name = path.endsWith('/') ? `${path}index.html` : path;
        try {
          const body = await readFile(join(folder, name));
          response.writeHead(200, { 'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream' }).end(body);
        } catch {
          response.writeHead(404).end();
        }
      });
      await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      await new Promise((closed) => server.close(closed));
    },
    { scope: 'worker' },
  ],
  quiet: [
    async ({ page }, use) => {
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
      page.on(
        'response',
        (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`),
      );
      await use(undefined);
      expect(errors, 'the page logged errors').toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };

/** Opens the page and waits for the cluster. */
export async function open(page: Page, site: string): Promise<void> {
  await page.goto(site);
  await expect(page.getByRole('article', { name: /^Store of n1$/ })).toBeVisible();
}

/** Events carried out so far. */
export async function steps(page: Page): Promise<number> {
  const text = (await page.locator('[data-steps]').textContent()) ?? '';
  return Number(text.replace(/\D/g, ''));
}

export const fingerprint = (page: Page) => page.locator('[data-fingerprint]').textContent();

export async function pause(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
}

/** Types a line and sends it. */
export async function say(page: Page, line: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Command' }).fill(line);
  await page.getByRole('button', { name: 'Run', exact: true }).first().click();
}

/** As fast as it can. */
export async function hurry(page: Page): Promise<void> {
  await page.getByRole('slider', { name: 'Speed' }).press('End');
}

/** Drops a file on the page. */
export async function drop(page: Page, name: string, bytes: Buffer): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([name, encoded]) => {
      const data = new DataTransfer();
      const bytes = Uint8Array.from(atob(encoded as string), (c) => c.charCodeAt(0));
      data.items.add(new File([bytes], name as string));
      return data;
    },
    [name, bytes.toString('base64')],
  );
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: transfer });
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

/** As `expect.poll`, and looks often: what a page does takes less than the second that the other comes to wait. */
export const poll = <T>(read: () => T | Promise<T>, options: { readonly timeout?: number } = {}) =>
  expect.poll(read, { intervals: [50], ...options });

/** Until so many milliseconds of the cluster's time have gone by. */
export async function elapse(page: Page, milliseconds: number): Promise<void> {
  const now = () => {
    const text = document.querySelector('.clock time')?.textContent ?? '';
    return Number(text.replace(/[^\d.]/g, '')) * (text.endsWith(' ms') ? 1 : 1_000);
  };
  const until = (await page.evaluate(now)) + milliseconds;
  await poll(() => page.evaluate(now)).toBeGreaterThan(until);
}

/** Until the page has drawn what it was told, and has drawn again what followed from that. */
export function drawn(page: Page): Promise<void> {
  return page.evaluate(async () => {
    for (let frames = 0; frames < 4; frames += 1) await new Promise(requestAnimationFrame);
  });
}

/** A picture for people, in test-results: of the gallery, and of all else where VITRINE_PICTURES asks for it. */
export async function picture(page: Page, name: string, options: PageScreenshotOptions = {}): Promise<void> {
  if (!process.env.VITRINE_PICTURES && !name.startsWith('gallery/')) return;
  await page.screenshot({ path: join(import.meta.dirname, '..', 'test-results', `${name}.png`), ...options });
}

/** What axe finds that is serious, in one part of the page or in all of it. Nothing moves while it looks. */
export async function serious(page: Page, part?: string): Promise<string[]> {
  const goOn = await page.evaluateHandle(() => {
    const own = globalThis.requestAnimationFrame;
    const held: FrameRequestCallback[] = [];
    globalThis.requestAnimationFrame = (draw) => held.push(draw);
    return () => {
      globalThis.requestAnimationFrame = own;
      for (const draw of held) own(draw);
    };
  });
  // The page has no frames: one call in it finds what a page of axe's own would put together.
  const axe = new AxeBuilder({ page }).setLegacyMode();
  const { violations } = await (part ? axe.include(part) : axe).analyze();
  await goOn.evaluate((act) => act());
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
}

/** Builds a cluster of that form, without a load. */
export async function build(page: Page, fields: Record<string, number>): Promise<void> {
  const panel = page.getByRole('region', { name: 'Cluster Build' });
  for (const [name, value] of Object.entries(fields)) {
    await panel.getByRole('spinbutton', { name }).fill(String(value));
  }
  await panel.getByRole('button', { name: 'Build' }).click();
}

export const rows = (page: Page, node: string) =>
  page
    .getByRole('article', { name: `Store of ${node}` })
    .locator('.rows .key')
    .allTextContents();
