// The logs of the nodes: what is synced, what a crash leaves, and what a start reads.

import type { Page } from '@playwright/test';
import { build, drop, expect, hurry, open, pause, picture, say, test } from './page.ts';

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
  await picture(page, 'disks');
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

test('a snapshot is taken, stands in place of the log before it, and a start begins with it', async ({
  page,
  site,
}) => {
  await open(page, site);
  await withLog(page, 'always', 1);
  for (const key of ['a', 'b', 'c']) await say(page, `c1 set ${key} 1`);
  await expect(page.getByRole('table').getByText('c -> stored, 1 copy').first()).toBeVisible();
  await expect(log(page, 'n1').locator('.snapshots')).toHaveCount(0);
  await page.getByRole('button', { name: 'Save now: n1' }).click();
  const saved = log(page, 'n1').locator('.snapshots li');
  await expect(saved).toContainText(/▣ Snapshot \d+ 3 entries, \d+ B whole: a start reads it, then the log from \d+/);
  await expect(log(page, 'n1')).toContainText(/\d+ dropped/);
  await say(page, 'c1 del a');
  await expect(log(page, 'n1').getByRole('button', { name: /^deletes a/ })).toBeVisible();
  await say(page, 'n1 crash');
  await expect(page.getByRole('button', { name: 'Save now: n1' })).toBeDisabled();
  await say(page, 'n1 restart');
  const status = log(page, 'n1').getByRole('status');
  await expect(status).toContainText(/n1 read 3 records from its snapshot \d+, then \d+ records? from its log/);
  await pause(page);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
});

test('a node takes a snapshot by itself where its log is longer than was set', async ({ page, site }) => {
  await open(page, site);
  const field = page.getByRole('spinbutton', { name: /^Snapshot at a log of/ });
  await page.getByText('Levels, log, ring, network').click();
  await expect(field).toHaveCount(0);
  await page.getByRole('combobox', { name: 'Log on disk, fsync' }).selectOption('always');
  await field.fill('600');
  await page.getByText('Levels, log, ring, network').click();
  await build(page, { Nodes: 1, 'Copies, N': 1 });
  await hurry(page);
  await expect(log(page, 'n1')).toContainText(/\d+ dropped/);
  await expect(
    log(page, 'n1')
      .getByRole('img', { name: /^snapshot \d+$/ })
      .first(),
  ).toBeVisible();
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(page.getByRole('region', { name: 'The script of this run', includeHidden: true })).toContainText(
    'fsync=always save-above=600',
  );
});

test('a crash in the middle of a snapshot leaves the one before, and damage to that is told', async ({
  page,
  site,
}) => {
  const lines = [
    'cluster nodes=2 replicas=2 seed=4 entries=24 fsync=always save-step=500ms',
    ...Array.from({ length: 12 }, (_, i) => `c1 set k${i} ${i}`),
    'settle',
    'n1 save',
    'run 9s',
    'c1 set k1 again',
    'c2 del k2',
    'settle',
    'run 1s',
  ];
  await open(page, site);
  await drop(page, 'crash.script', Buffer.from(`${lines.join('\n')}\n`));
  const n1 = log(page, 'n1');
  const snapshots = n1.locator('.snapshots li');
  await hurry(page);
  await expect(snapshots).toContainText(['whole: a start reads it, then the log from']);
  await expect(n1.getByRole('button', { name: /^deletes k2/ })).toBeVisible();
  // A quarter of real time: a step of it takes a second or two.
  const speed = page.getByRole('slider', { name: 'Speed' });
  await speed.press('Home');
  for (let i = 0; i < 9; i += 1) await speed.press('ArrowRight');
  await page.getByRole('button', { name: 'Save now: n1' }).click();
  await expect(n1.getByRole('progressbar')).toBeVisible();
  await expect(n1.getByText(/[1-9]\d* of 1\d entries/)).toBeVisible();
  await pause(page);
  await picture(page, 'disk-saving');
  await say(page, 'n1 crash');
  await expect(n1.getByRole('status')).toContainText('n1 goes down with half a snapshot, which has no name');
  await expect(snapshots).toHaveCount(1);
  await say(page, 'disk n1 unreadable');
  await expect(snapshots).toContainText(['damaged: a start passes over it']);
  await expect(n1.getByRole('status')).toContainText('A start now would refuse what is there');
  await picture(page, 'disk-damaged');
});
