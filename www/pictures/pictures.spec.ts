// Takes the pictures of README and docs/, in both themes, after `scripts/build-www`: `npm run pictures`. They look best
// where the fonts Inter and JetBrains Mono are installed.

import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { drawn, elapse, expect, hurry, open, pause, test } from '../e2e/page.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'docs', 'images');

async function take(page: Page, name: string, part?: string): Promise<void> {
  for (const [theme, ending] of [
    ['light', ''],
    ['dark', '-dark'],
  ] as const) {
    await page.emulateMedia({ colorScheme: theme });
    await drawn(page);
    const path = join(FOLDER, `${name}${ending}.png`);
    await (part ? page.locator(part).screenshot({ path }) : page.screenshot({ path }));
  }
}

test('the playground, with a crash in its past and a key chosen', async ({ page, site }) => {
  test.setTimeout(120_000);
  await open(page, site);
  const speed = page.getByRole('slider', { name: 'Speed' });
  const slow = await speed.inputValue();
  await hurry(page);
  await elapse(page, 500);
  await page.getByRole('button', { name: 'Crash n2' }).first().click();
  await elapse(page, 1_500);
  await page.getByRole('button', { name: 'Bring n2 back' }).click();
  await elapse(page, 600);
  await speed.fill(slow);
  await elapse(page, 6);
  await page
    .getByRole('article', { name: /^Store of n1$/ })
    .getByRole('button', { name: /^k\d/ })
    .nth(1)
    .click();
  await elapse(page, 3);
  await pause(page);
  await take(page, 'playground');
});

test('the eviction race', async ({ page, site }) => {
  test.setTimeout(120_000);
  await open(page, site);
  await page.keyboard.press('v');
  const race = page.getByRole('dialog', { name: 'The eviction race' });
  await race.getByRole('button', { name: 'Start the race' }).click();
  await race.getByRole('button', { name: 'To the end' }).click();
  await expect(race.getByRole('button', { name: /Take this size/ }).first()).toBeVisible({ timeout: 60_000 });
  await take(page, 'race', 'dialog[open]');
});
