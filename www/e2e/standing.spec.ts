// Others stand in for a node that is down: set, shared, shown, and over when it is back.

import { build, expect, hurry, open, pause, picture, say, test } from './page.ts';

test('after the span others hold the keys of a node that is down, and let go when it is back', async ({
  page,
  site,
}) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('spinbutton', { name: 'Nodes' }).fill('4');
  await page.getByText('Levels, log, ring, network').click();
  await build(page, { Capacity: 60, 'Others stand in after': 300 });
  await expect(page.getByRole('article')).toHaveCount(4);
  await hurry(page);
  // A key of which n2 keeps a copy; one that is written is shown.
  const rows = page.locator('.where tbody tr');
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
    await say(page, `c1 set ${key} ${key}`);
    await expect(page.locator('.rows .key').filter({ hasText: key })).toHaveCount(2);
    await expect(rows).toHaveCount(2);
    if ((await page.locator('.where tbody tr:has([title=n2])').count()) === 1) break;
  }
  const n2 = page.locator('.where tbody tr:has([title=n2])');
  const card = page.getByRole('article', { name: 'Store of n2' });
  const others = page.locator('.where tbody tr:not(:has([title=n2]))');
  await expect(n2).toHaveCount(1);
  await say(page, 'n2 crash');
  await expect(card).toContainText(/stands? in for n2\./);
  await expect(page.getByRole('button', { name: /^Node n2, down.*stands? in for n2$/ })).toBeVisible();
  await expect(page.getByRole('article', { name: 'Store of n' }).getByText('Stands in for n2.').first()).toBeVisible();
  await expect(page.locator('.bands title').getByText('stands in for n2').first()).toBeAttached();
  await expect(n2).toContainText('down');
  await expect(others).toHaveCount(2);
  await expect(others.getByText(/^n\d’s #\d+ of/)).toHaveCount(2);
  await picture(page, 'standing-in');
  await say(page, 'n2 restart');
  await expect(card).not.toContainText('in for n2');
  await expect(rows).toHaveCount(2);
  await expect(rows.getByText(/^n\d’s #\d+ of/)).toHaveCount(2);
  await expect(page.getByText('Stands in for n2.')).toHaveCount(0);
  await expect(page.getByRole('alert')).toBeHidden();
  // The run says so when it is shared, and whoever opens it has it set.
  await pause(page);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(page.locator('dialog.share pre')).toContainText('stand-in=300ms');
  const link = await page.getByRole('dialog').getByRole('textbox').first().inputValue();
  await page.keyboard.press('Escape');
  await page.goto('about:blank');
  await open(page, link);
  await page.getByText('Levels, log, ring, network').click();
  const field = page.getByRole('spinbutton', { name: 'Others stand in after' });
  await expect(field).toHaveValue('300');
});
