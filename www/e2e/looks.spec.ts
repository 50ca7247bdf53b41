// How it looks and whom it serves: both themes, a phone, reduced motion, and axe's findings. The pictures are for
// people.

import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { build, expect, hurry, open, say, test } from './page.ts';

const picture = (name: string) => join(import.meta.dirname, '..', 'test-results', name);

for (const scheme of ['light', 'dark'] as const) {
  test(`${scheme}: no serious finding, before and after faults`, async ({ page, site }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await open(page, site);
    await page.waitForTimeout(1_200);
    const serious = async () => {
      const { violations } = await new AxeBuilder({ page }).analyze();
      return violations
        .filter((v) => v.impact === 'serious' || v.impact === 'critical')
        .map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('; ')}`);
    };
    await page.screenshot({ path: picture(`first-${scheme}.png`) });
    expect(await serious()).toEqual([]);
    await page.getByRole('button', { name: 'Crash n2', exact: true }).first().click();
    await say(page, 'cut n1 n3');
    await say(page, 'c1 set greeting hello');
    await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
    await page.waitForTimeout(1_500);
    await page.screenshot({ path: picture(`faults-${scheme}.png`) });
    await say(page, 'nonsense');
    await page.getByText('What the shapes mean').click();
    await page.getByText('Levels, log, ring, network').click();
    expect(await serious()).toEqual([]);
    await page.keyboard.press('Tab');
  });
}

test('on a phone nothing is wider than the screen, and all can be reached', async ({ page, site }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, site);
  await page.waitForTimeout(1_200);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(await overflow()).toBeLessThanOrEqual(0);
  await page.screenshot({ path: picture('phone.png') });
  await page.screenshot({ path: picture('phone-all.png'), fullPage: true });
  await build(page, { Nodes: 8 });
  await expect(page.getByRole('article')).toHaveCount(8);
  expect(await overflow()).toBeLessThanOrEqual(0);
  for (const name of ['Pause', 'Run', 'Build', 'Open…']) {
    await expect(page.getByRole('button', { name, exact: true }).first()).toBeVisible();
  }
});

test('many nodes keep within the screen', async ({ page, site }) => {
  await open(page, site);
  await build(page, { Nodes: 32 });
  await hurry(page);
  await expect(page.getByRole('article')).toHaveCount(32);
  await page.waitForTimeout(800);
  await page.screenshot({ path: picture('many.png') });
  expect(await page.evaluate(() => document.documentElement.scrollHeight - innerHeight)).toBeLessThanOrEqual(0);
});

test('with reduced motion nothing moves along, and the run still goes on', async ({ page, site }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await open(page, site);
  const animations = await page.evaluate(() => document.getAnimations().length);
  expect(animations).toBe(0);
});
