// A link to a lesson: it opens there, says which lessons there are where there is no such one, and is copied.

import { expect, open, test } from './page.ts';

test('a link opens a lesson, and the address says which one is taken', async ({ page, site }) => {
  await page.goto(`${site}#lesson=fsync`);
  await expect(page.getByRole('heading', { name: 'An acknowledgement means fsync' })).toBeVisible();
  await page.getByRole('button', { name: 'Run it without a guess' }).click();
  await expect(page.getByRole('list', { name: 'Steps' })).toBeVisible();
  // Loaded anew it is there again.
  await page.reload();
  await expect(page.getByRole('heading', { name: 'An acknowledgement means fsync' })).toBeVisible();
  // Put into the address of the page that is open.
  await page.evaluate(() => {
    location.hash = '#lesson=ttl';
  });
  await expect(page.getByRole('heading', { name: 'TTL through a crash' })).toBeVisible();
  await page.getByRole('button', { name: 'Leave', exact: true }).click();
  await expect(page.getByRole('article', { name: 'Store of n3' })).toBeVisible();
  expect(new URL(page.url()).hash).toBe('');
});

test('a lesson that is none: a sentence says which there are, and the page begins as usual', async ({ page, site }) => {
  await open(page, `${site}#lesson=nonsense`);
  await expect(page.getByRole('alert')).toContainText('There is no lesson “nonsense”. There are: routing, fsync,');
});

test('the link is copied, or shown where a page may not copy', async ({ page, site, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(`${site}#lesson=clocks`);
  await page.getByRole('button', { name: 'Copy a link to this lesson' }).click();
  await expect(page.getByRole('button', { name: '✓ Copied: a link to this lesson' })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${site}#lesson=clocks`);
  await page.reload();
  await page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new Error('not here'));
  });
  await page.getByRole('button', { name: 'Copy a link to this lesson' }).click();
  await expect(page.getByRole('textbox', { name: 'Link to this lesson' })).toHaveValue(`${site}#lesson=clocks`);
});
