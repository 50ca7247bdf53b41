// The logs of the nodes: what is synced, what a crash leaves, and what a start reads.

import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { build, expect, hurry, open, pause, say, test } from './page.ts';

const picture = (name: string) => join(import.meta.dirname, '..', 'test-results', name);
const log = (page: Page, node: string) => page.getByRole('article', { name: `Log of ${node}` });
const records = (page: Page, node: string) => log(page, node).getByRole('list').locator('.block');

async function withLog(page: Page, fsync: string, nodes: number): Promise<void> {
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByText('Levels, log, ring, network').click();
  await page.getByRole('combobox', { name: 'Log on disk, fsync' }).selectOption(fsync);
  await page.getByText('Levels, log, ring, network').click();
  await build(page, { Nodes: nodes, 'Copies, N': Math.min(nodes, 2) });
  await hurry(page);
}

test('without a log nothing is shown, and a cluster with one is built', async ({ page, site }) => {
  await open(page, site);
  await expect(page.getByRole('heading', { name: 'Logs on disk' })).toHaveCount(0);
  await withLog(page, 'always', 3);
  await say(page, 'c1 set k v');
  await expect(page.getByRole('article', { name: /^Log of/ })).toHaveCount(3);
  await expect(page.getByRole('button', { name: /^stores k, \d+ bytes$/ })).toHaveCount(2);
  await expect(log(page, 'n1')).toContainText('all synced');
});

test('what is not synced is behind the line, and a crash may lose it', async ({ page, site }) => {
  await open(page, site);
  await withLog(page, 'never', 1);
  for (const key of ['a', 'b', 'c']) await say(page, `c1 set ${key} 1`);
  await expect(records(page, 'n1')).toHaveCount(3);
  await expect(log(page, 'n1')).toContainText('A crash now may lose 3 records');
  await expect(log(page, 'n1').locator('.line')).toHaveCount(1);
  await expect(records(page, 'n1').and(page.locator('.loose'))).toHaveCount(3);
  await pause(page);
  await page.screenshot({ path: picture('disks.png') });
  await log(page, 'n1')
    .getByRole('button', { name: /^stores b/ })
    .click();
  await expect(page.getByRole('heading', { name: 'Where b lives' })).toBeVisible();
});

test('after a power cut the log is read, and what it says is shown', async ({ page, site }) => {
  await open(page, site);
  await withLog(page, 'always', 1);
  await say(page, 'c1 set order paid');
  await expect(page.getByRole('table').getByText('order -> stored, 1 copy').first()).toBeVisible();
  await say(page, 'n1 crash');
  await expect(log(page, 'n1')).toContainText('all synced');
  await say(page, 'n1 restart');
  await expect(log(page, 'n1').getByRole('status')).toContainText(/n1 read \d+ records? from its log/);
  await say(page, 'c2 get order');
  await expect(page.getByRole('table').getByText('order -> hit paid').first()).toBeVisible();
  await say(page, 'disk n1 full');
  await say(page, 'c1 set order sent');
  await expect(log(page, 'n1').getByRole('status')).toContainText('cannot write its log');
});
