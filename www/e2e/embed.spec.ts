// The page in a frame of another page, and without a network.

import { expect, open, picture, test } from './page.ts';

test.use({ serviceWorkers: 'allow' });

test('another page embeds it, as a frame and as an element', async ({ page, site }) => {
  await page.setViewportSize({ width: 900, height: 1_500 });
  await page.route('**/host.html', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<!doctype html><title>A page of somebody</title>
        <script type="module" src="${site}vitrine-playground.js"></script>
        <iframe src="${site}?embed" width="820" height="640" title="frame"></iframe>
        <vitrine-playground seed="42"></vitrine-playground>`,
    }),
  );
  await page.goto(`${site}host.html`);
  for (const [frame, seed] of [
    [page.frameLocator('iframe[title=frame]'), '7'],
    [page.frameLocator('vitrine-playground iframe'), '42'],
  ] as const) {
    await expect(frame.getByRole('article', { name: 'Store of n1' })).toBeVisible();
    await expect(frame.getByRole('textbox', { name: 'Seed' })).toHaveValue(seed);
    await expect(frame.getByRole('region', { name: 'Log', exact: true })).toBeHidden();
    await expect(frame.getByRole('link', { name: 'The whole page' })).toBeVisible();
    await frame.getByRole('button', { name: 'Crash n2', exact: true }).first().click();
    await expect(frame.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
  }
  await picture(page, 'embedded');
});

test('another page embeds a lesson, as a frame and as an element', async ({ page, site }) => {
  await page.setViewportSize({ width: 900, height: 1_600 });
  await page.route('**/host.html', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<!doctype html><title>A page of somebody</title>
        <script type="module" src="${site}vitrine-playground.js"></script>
        <iframe src="${site}?embed#lesson=split-brain" width="820" height="760" title="frame"></iframe>
        <vitrine-playground lesson="deleted" style="height: 760px"></vitrine-playground>`,
    }),
  );
  await page.goto(`${site}host.html`);
  for (const [frame, title] of [
    [page.frameLocator('iframe[title=frame]'), 'Split brain'],
    [page.frameLocator('vitrine-playground iframe'), 'The deleted value returns'],
  ] as const) {
    await expect(frame.getByRole('heading', { name: title })).toBeVisible();
    await frame.getByRole('button', { name: /^Run it/ }).click();
    await expect(frame.getByRole('list', { name: 'Steps' })).toBeVisible();
    await expect(frame.getByRole('link', { name: 'The whole page' })).toHaveAttribute('href', /#lesson=/);
  }
  await picture(page, 'embedded-lesson');
  // Another name in the element, and the frame goes there.
  await page.locator('vitrine-playground').evaluate((element) => element.setAttribute('lesson', 'fsync'));
  const frame = page.frameLocator('vitrine-playground iframe');
  await expect(frame.getByRole('heading', { name: 'An acknowledgement means fsync' })).toBeVisible();
});

test('once it was loaded it loads again without a network, from any folder', async ({ page, site, context }) => {
  const folder = `${site}some/where/`;
  for (const address of [site, folder]) {
    await open(page, address);
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    await context.setOffline(true);
    await page.reload();
    await expect(page.getByRole('article', { name: 'Store of n1' })).toBeVisible();
    // The race and its recorded trace are there too, though nobody had asked for them.
    await page.keyboard.press('v');
    const race = page.getByRole('dialog', { name: 'The eviction race' });
    await expect(race.locator('.verdict')).toContainText(/sprite.*requests for .* keys/);
    await context.setOffline(false);
  }
});
