// The page as a person opens it: `dist` from a server of its own on a free port.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { test as base, expect, type Page } from '@playwright/test';

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
  await page.getByRole('button', { name: 'Pause' }).click();
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
