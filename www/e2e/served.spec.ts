// The page out of the server's binary, under the headers that a node sends: a policy, types, tags, compression.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, hurry, open, poll, say, steps, test } from './page.ts';

const program = process.env.VITRINE_BIN ?? join(import.meta.dirname, '..', '..', 'target', 'debug', 'vitrine');

test.use({ serviceWorkers: 'allow' });

let node: ChildProcess;
let origin: string;

test.beforeAll(async () => {
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('VITRINE_'));
  const options = ['serve', '--port', '0', '--workers', '1', '--log-format', 'json'];
  node = spawn(program, options, { stdio: ['ignore', 'ignore', 'pipe'], env: Object.fromEntries(environment) });
  await once(node, 'spawn');
  for await (const line of createInterface({ input: node.stderr as NodeJS.ReadableStream })) {
    const said = JSON.parse(line);
    if (said.message === 'serving') {
      origin = `http://${said.http}`;
      break;
    }
  }
  // Nobody reads what it says later, and a full pipe would stop it.
  node.stderr?.resume();
  expect(origin, 'the node serves').toBeTruthy();
});

test.afterAll(async () => {
  if (node?.exitCode !== null) return;
  const ended = once(node, 'exit');
  node.kill('SIGKILL');
  await ended;
});

test('a node serves the page, each file as what it is, and the page runs', async ({ page }) => {
  const types = new Map<string, string>();
  page.on('response', (response) => {
    const { pathname } = new URL(response.url());
    const kind = pathname.endsWith('/') ? 'html' : (pathname.split('.').pop() ?? '');
    if (response.status() === 200) types.set(kind, response.headers()['content-type'] ?? '');
  });
  await open(page, `${origin}/ui`);
  expect(page.url()).toBe(`${origin}/ui/`);
  const before = await steps(page);
  await poll(() => steps(page)).toBeGreaterThan(before);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await say(page, 'c1 set greeting hello');
  await hurry(page);
  await expect(page.getByRole('table').getByText('greeting -> stored, 2 copies').first()).toBeVisible();
  // What is fetched when it is asked for is served as well: the race, and its recorded trace.
  await page.getByRole('button', { name: 'Race policies' }).click();
  await expect(page.getByRole('dialog')).toContainText('12 000 requests for 2 863 keys');
  expect(types.get('gz')).toBe('application/gzip');
  expect(types.get('html')).toBe('text/html; charset=utf-8');
  expect(types.get('js')).toBe('text/javascript; charset=utf-8');
  expect(types.get('css')).toBe('text/css; charset=utf-8');
  expect(types.get('wasm')).toBe('application/wasm');
});

test('a file that did not change is not sent again', async ({ request }) => {
  const first = await request.get(`${origin}/ui/`);
  const { etag } = first.headers();
  expect(etag).toBeTruthy();
  const again = await request.get(`${origin}/ui/`, { headers: { 'If-None-Match': etag as string } });
  expect(again.status()).toBe(304);
});
