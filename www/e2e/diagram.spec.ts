// The diagram of space and time: what it shows, how it is gone through, and how fast it scrolls.

import type { Page } from '@playwright/test';
import { expect, open, picture, poll, serious, test } from './page.ts';

const rows = (page: Page) => page.locator('.tape .length').getAttribute('data-rows').then(Number);

test('it draws messages, filters them, and says each in words', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Diagram' }).click();
  await poll(() => rows(page)).toBeGreaterThan(100);
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await page.waitForTimeout(300);
  const all = await rows(page);
  await picture(page, 'diagram');
  expect(await serious(page, 'dialog.diagram')).toEqual([]);
  await page.getByRole('searchbox', { name: 'Filter the diagram' }).fill('replicate n2');
  await poll(() => rows(page)).toBeLessThan(all);
  expect(await rows(page)).toBeGreaterThan(0);
  const tape = page.getByRole('slider', { name: 'Events, the oldest first' });
  await tape.focus();
  await page.keyboard.press('Home');
  const status = page.getByRole('dialog').getByRole('status');
  await expect(status).toContainText(/ms: n\d to n\d replicate/);
  await expect(status).toContainText(/ms under way/);
  const first = await status.textContent();
  await page.keyboard.press('ArrowDown');
  await expect(status).not.toHaveText(first ?? '');
  await expect(tape).toHaveAttribute('aria-valuenow', '1');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('a click on an event goes to its moment, and so does Enter; what is to come stays', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Diagram' }).click();
  const dialog = page.getByRole('dialog', { name: 'Space and time' });
  await expect(dialog).toContainText('A click on an event takes the run to it');
  await poll(() => rows(page)).toBeGreaterThan(100);
  await dialog.getByRole('button', { name: 'Pause' }).click();
  await page.waitForTimeout(300);
  const all = await rows(page);
  const tape = page.getByRole('slider', { name: 'Events, the oldest first' });
  const plain = (text: string | null) => /^([\d ]+\.\d{3}) ms/.exec(text ?? '')?.[1]?.replace(/ /g, '');
  const chosen = async () => plain(await dialog.getByRole('status').textContent());
  const now = async () => plain(await page.locator('.clock time').textContent());
  const end = await now();
  await tape.click({ position: { x: 200, y: 100 } });
  const first = await chosen();
  expect(first).not.toBe(end);
  await poll(now).toBe(first);
  for (let i = 0; i < 9; i += 1) await page.keyboard.press('ArrowDown');
  const second = await chosen();
  expect(second).not.toBe(first);
  expect(await now()).toBe(first);
  await page.keyboard.press('Enter');
  await poll(now).toBe(second);
  expect(await rows(page)).toBe(all);
  await picture(page, 'diagram-back');
  // Played on, the run comes to what was to come.
  await dialog.getByRole('button', { name: 'Play' }).click();
  await poll(() => rows(page)).toBeGreaterThan(all);
});

test('a hundred thousand events are scrolled through, from the first to the last', async ({ page, site }) => {
  test.setTimeout(180_000);
  await open(page, site);
  await page.keyboard.press('d');
  const dialog = page.getByRole('dialog');
  await expect(dialog).toBeVisible();
  await page.evaluate(() => {
    const speed = document.querySelector<HTMLInputElement>('.speed input');
    if (!speed) return;
    speed.value = speed.max;
    speed.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await poll(() => rows(page), { timeout: 150_000 }).toBeGreaterThan(100_000);
  await dialog.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('checkbox', { name: 'Follow' }).uncheck();
  const tape = page.getByRole('slider', { name: 'Events, the oldest first' });
  await tape.focus();
  const at = async (key: 'Home' | 'End') => {
    await page.keyboard.press(key);
    const row = key === 'Home' ? '0' : ((await tape.getAttribute('aria-valuemax')) ?? '');
    await expect(tape).toHaveAttribute('aria-valuenow', row);
    const text = await dialog.getByRole('status').textContent();
    return Number(/^([\d\s]+\.\d+) ms/.exec(text ?? '')?.[1]?.replace(/\s/g, ''));
  };
  const last = await at('End');
  const end = await page.locator('.tape').evaluate((box) => box.scrollTop);
  const first = await at('Home');
  expect(last).toBeGreaterThan(first);
  expect(end, 'the last row is far below the first').toBeGreaterThan(100_000);
  await poll(() => page.locator('.tape').evaluate((box) => box.scrollTop)).toBe(0);
  // What is drawn at both ends is not the same.
  const canvas = page.locator('.diagram canvas');
  const above = await canvas.screenshot();
  await at('End');
  await page.waitForTimeout(300);
  expect(Buffer.compare(above, await canvas.screenshot())).not.toBe(0);
});
