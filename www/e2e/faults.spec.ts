// Faults in context: each is a button with its line, and a key where a node is chosen; and what it does is seen.

import { drop, expect, open, picture, serious, test } from './page.ts';

test('each fault is a button with its line, and a key where a node is chosen', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: /Node n2, up/ }).click();
  const faults = page.locator('details.faults');
  await expect(faults).toHaveAttribute('open', '');
  await picture(page, 'faults-panel');
  const table = page.getByRole('table');
  const said: [string, string, string][] = [
    ['Node', 'pause n2', 'n2 paused'],
    ['Clock', 'n2 clock +1s', 'n2 clock +1'],
    ['Link to n1', 'cut n2>n1', 'cut n2 > n1'],
    ['Link to n1', 'clog n2 n1', 'clogged n2 > n1'],
  ];
  for (const [part, line, words] of said) {
    await faults.getByRole('radio', { name: part }).check();
    await faults.getByRole('button', { name: line }).first().click();
    await expect(table.getByText(words).first()).toBeVisible();
  }
  await expect(page.getByRole('button', { name: /Node n2, paused/ })).toBeVisible();
  await expect(page.getByText('clock +1.0 s')).toBeVisible();
  await picture(page, 'faults-seen');
  await faults.getByRole('button', { name: 'unclog n2 n1' }).click();
  await faults.getByRole('button', { name: 'heal n2 n1' }).click();
  await expect(page.getByRole('button', { name: 'Link n1 to n2: whole; cut it' })).toBeVisible();
  await faults.getByRole('button', { name: 'clog n2>n1' }).click();
  await expect(page.getByRole('button', { name: 'Link n1 to n2: held up; cut it' })).toBeVisible();
  await faults.getByRole('radio', { name: 'Node' }).check();
  await expect(faults.getByRole('button', { name: 'n2 restart' })).toBeDisabled();
  await faults.getByRole('button', { name: 'n2 wipe' }).click();
  await expect(table.getByText('n2 crashed').first()).toBeVisible();
  await expect(faults.getByRole('button', { name: 'pause n2' })).toBeDisabled();
  await page.locator('body').press('r');
  await expect(table.getByText('n2 started').first()).toBeVisible();
  await page.locator('body').press('c');
  await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
  await expect(page.getByRole('alert')).toBeHidden();
  expect(await serious(page)).toEqual([]);
});

test('a link that is touched is the one that the panel is about, and the disk where there is one', async ({
  page,
  site,
}) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Link n2 to n3: whole; cut it' }).click();
  const faults = page.locator('details.faults');
  await expect(faults.getByRole('radio', { name: 'Link to n3' })).toBeChecked();
  await expect(faults.getByRole('button', { name: 'heal n2 n3' })).toBeVisible();
  await expect(faults.getByRole('radio', { name: 'Disk' })).toHaveCount(0);
  await drop(page, 'disks.script', Buffer.from('cluster nodes=2 replicas=2 fsync=always\nc1 set k v\nrun 5s\n'));
  await expect(page.getByRole('article', { name: /^Store of/ })).toHaveCount(2);
  await page.getByRole('button', { name: /Node n2, up/ }).click();
  await expect(faults.getByRole('radio', { name: 'Node' })).toBeChecked();
  // By keyboard from there: the arrow keys go from one part to the next.
  await faults.getByRole('radio', { name: 'Node' }).focus();
  for (let i = 0; i < 3; i += 1) await page.keyboard.press('ArrowRight');
  await expect(faults.getByRole('radio', { name: 'Disk' })).toBeChecked();
  await faults.getByRole('button', { name: 'disk n2 full' }).click();
  await expect(page.getByRole('table').getByText('disk n2 full')).toBeVisible();
});
