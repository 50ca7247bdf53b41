// The promises, checked while the run goes on; the mistakes that break them; and the search for a failure.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, hurry, open, pause, picture, poll, steps, test } from './page.ts';

const demos = readdirSync(join(import.meta.dirname, '..', 'src', 'demos')).map((file) => file.replace('.script', ''));

/** The titles of the mistakes that have a demonstration, and the promise that each breaks. */
const SHOWN: Readonly<Record<string, readonly [string, RegExp]>> = {
  AcknowledgeUnsynced: ['Acknowledge before fsync', /^P2 no loss/],
  ReuseVersions: ['No incarnation after a restart', /^P4 one truth/],
  CollectTombstones: ['Collect tombstones early', /^P3 no ghosts/],
  RelativeTtl: ['A relative TTL on replay', /^P6 TTL/],
  ModuloHash: ['Modulo instead of a ring', /^Ring placement/],
  SkipReconciliation: ['No repair', /^P3 no ghosts/],
};

test('every promise is looked at and held, and says what it means', async ({ page, site }) => {
  await open(page, site);
  await hurry(page);
  const panel = page.getByRole('region', { name: /^Promises/ });
  await expect(panel).toContainText(/✓ held, [\d ]+ checks/);
  await panel.getByText('P1 to P9, one by one').click();
  await expect(panel.getByRole('listitem')).toHaveCount(10);
  await expect(panel.getByRole('listitem').first()).toContainText('A read returns only what some client wrote');
  await pause(page);
  await page.keyboard.press('Home');
  await page.keyboard.press('End');
  // Going back and forth is the same run again: that is P9.
  await expect(panel.getByRole('listitem').last()).toContainText(/✓ \d/);
  await picture(page, 'promises');
});

test('a demonstration is there for each of the six', () => {
  expect(demos.sort()).toEqual(Object.keys(SHOWN).sort());
});

for (const name of demos) {
  const [title, breaks] = SHOWN[name] ?? ['', /$^/];
  test(`${name}: the page stops where the promise is broken, and without the mistake the same run is clean`, async ({
    page,
    site,
  }) => {
    await open(page, site);
    await page.getByText('Design errors').first().click();
    await page.getByRole('button', { name: `Show: ${title}` }).click();
    const panel = page.getByRole('region', { name: /^Promises/ });
    await expect(panel.getByRole('alert')).toContainText(breaks, { timeout: 40_000 });
    await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
    await expect(page.locator('.scrubber .mark.violation').first()).toBeVisible();
    const stopped = await steps(page);
    await page.waitForTimeout(400);
    expect(await steps(page)).toBe(stopped);
    await picture(page, `mistake-${name}`);
    const at = Number(await page.getByRole('slider', { name: 'Moment of the run' }).getAttribute('aria-valuemax'));
    await page.getByRole('button', { name: 'Mend it' }).click();
    const moment = page.getByRole('slider', { name: 'Moment of the run' });
    await poll(async () => Number(await moment.getAttribute('aria-valuemax'))).toBeLessThan(at + 1);
    await poll(async () => Number(await moment.getAttribute('aria-valuemax')), { timeout: 40_000 }).toBeGreaterThan(
      at + 100,
    );
    await expect(panel).toContainText('✓ held');
    await expect(panel.getByRole('alert')).toBeHidden();
  });
}

test('a failure is found, made small, and stands just before it happens; the page goes on meanwhile', async ({
  page,
  site,
}) => {
  test.setTimeout(150_000);
  await open(page, site);
  await page.getByText('Design errors').first().click();
  await page.getByRole('checkbox', { name: /Modulo instead of a ring/ }).check();
  await page.getByRole('button', { name: 'Find me a failure' }).click();
  await expect(page.getByRole('progressbar', { name: 'The search' })).toBeVisible();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Find me a failure' }).click();
  await expect(page.getByText(/Seed \d+: placement at .*Its script stands just before that/)).toBeVisible({
    timeout: 120_000,
  });
  const panel = page.getByRole('region', { name: /^Promises/ });
  await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
  await expect(panel.getByRole('alert')).toBeHidden();
  await page.getByRole('button', { name: 'Step', exact: true }).click();
  await picture(page, 'found');
});
