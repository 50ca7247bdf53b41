// The ten lessons as a person takes them: guess, run, verdict, break it. Each comes to the fingerprint that the
// engine's own tests come to.

import { readdirSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { LESSONS } from '../src/lessons/all.ts';
import { begin, expected, folder, panel, runAll } from './lesson.ts';
import { elapse, expect, fingerprint, hurry, open, picture, poll, serious, test } from './page.ts';

const scripts = readdirSync(folder).filter((name) => name.endsWith('.script'));

test('there is a lesson for each script', () => {
  expect(LESSONS.map((lesson) => `${lesson.name}.script`).sort()).toEqual(scripts.sort());
});

for (const lesson of LESSONS) {
  test(`${lesson.name}: guessed, run to its fingerprint, and broken`, async ({ page, site }) => {
    await open(page, site);
    await begin(page, lesson.title);
    await panel(page).getByRole('radio').first().check();
    await runAll(page);
    expect(await fingerprint(page)).toBe(expected(lesson.name));
    await expect(panel(page).locator('.wrong')).toHaveCount(0);
    // What chats and mails take without cutting it, also where the page has a longer address.
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    const link = await page.getByRole('textbox', { name: 'Link to this run' }).inputValue();
    expect(link.length - site.length).toBeGreaterThan(200);
    expect(link.length - site.length).toBeLessThanOrEqual(1_900);
    await page.keyboard.press('Escape');
    await panel(page).getByRole('button', { name: 'The verdict' }).click();
    await expect(panel(page).locator('.guess.right')).toBeVisible();
    await panel(page).getByRole('button', { name: 'Now break it' }).click();
    // Ten times real time: what is said here takes seconds of the cluster's.
    for (let i = 0; i < 2; i += 1) await page.getByRole('slider', { name: 'Speed' }).press('ArrowRight');
    const lines = panel(page).getByRole('list', { name: 'Lines to say' }).getByRole('button');
    for (const line of await lines.all()) {
      await line.click();
      await elapse(page, 2_200);
    }
    await expect(
      panel(page).getByRole('status'),
      (await page.locator('.log tbody tr').allTextContents()).slice(0, 14).join('\n'),
    ).toContainText('✓', { timeout: 30_000 });
    await panel(page).getByRole('button', { name: 'Leave', exact: true }).click();
    await expect(panel(page)).toHaveCount(0);
    await expect(page.getByRole('heading', { name: 'Workload' })).toBeVisible();
  });
}

test('a lesson goes step by step, at a pace that can be followed, and back', async ({ page, site }) => {
  await open(page, site);
  await begin(page, 'Split brain');
  await picture(page, 'lesson-predict');
  await panel(page).getByRole('radio').nth(1).check();
  await panel(page).getByRole('button', { name: 'Run it' }).click();
  const next = panel(page).getByRole('button', { name: 'Next step' });
  await expect(next).toBeEnabled();
  await expect(page.getByRole('heading', { name: 'Where cart lives' })).toBeVisible();
  await next.click();
  await page.waitForTimeout(900);
  await expect(panel(page).getByRole('button', { name: /^Step 2 of/ })).toBeDisabled();
  await picture(page, 'lesson-run');
  await hurry(page);
  await expect(next).toBeEnabled();
  // Space does the next step, and the run stops after it.
  await page.getByRole('heading', { name: 'Split brain' }).focus();
  await page.keyboard.press(' ');
  await expect(panel(page).locator('.steps > li')).toHaveCount(3);
  await expect(next).toBeEnabled();
  const there = await fingerprint(page);
  for (let i = 0; i < 6; i += 1) await page.keyboard.press(',');
  await poll(() => fingerprint(page)).not.toBe(there);
  for (let i = 0; i < 6; i += 1) await page.keyboard.press('.');
  await panel(page).getByRole('button', { name: 'All steps' }).click();
  await panel(page).getByRole('button', { name: 'The verdict' }).click();
  expect(await fingerprint(page)).toBe(expected('split-brain'));
  await picture(page, 'lesson-verdict');
  await panel(page).getByRole('button', { name: 'Now break it' }).click();
  await picture(page, 'lesson-break');
});

for (const [place, { name, title }] of LESSONS.entries()) {
  test(`${name} is taken with the keyboard alone`, async ({ page, site }) => {
    await open(page, site);
    await byKeyboard(page, place, title);
    expect(await fingerprint(page)).toBe(expected(name));
  });
}

async function byKeyboard(page: Page, place: number, title: string): Promise<void> {
  await page.keyboard.press('l');
  await expect(page.getByRole('dialog')).toBeVisible();
  for (let i = 0; i < place; i += 1) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(panel(page).getByRole('heading', { name: title })).toBeFocused();
  const tabTo = async (name: string) => {
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab');
      const text = await page.evaluate(() => document.activeElement?.textContent ?? '');
      if (text.startsWith(name)) return;
    }
    throw new Error(`no ${name}`);
  };
  for (let i = 0; i < 10; i += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => (document.activeElement as HTMLInputElement).type === 'radio')) break;
  }
  await page.keyboard.press('ArrowDown');
  await expect(panel(page).getByRole('radio').nth(1)).toBeChecked();
  await tabTo('Run it');
  await page.keyboard.press('Enter');
  // Each stage begins at its heading: who tabs on before it has the focus is taken back to it.
  await expect(panel(page).getByRole('heading', { name: title })).toBeFocused();
  await tabTo('All steps');
  await page.keyboard.press('Enter');
  for (let i = 0; i < 12; i += 1) await page.keyboard.press('+');
  await expect(panel(page).getByRole('button', { name: 'The verdict' })).toBeVisible({ timeout: 30_000 });
}

test('the list and a lesson have no serious finding, and fit a phone', async ({ page, site }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await open(page, site);
  await page.getByRole('button', { name: 'Lessons', exact: true }).click();
  await picture(page, 'lesson-list');
  expect(await serious(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.emulateMedia({ colorScheme: 'light' });
  await begin(page, 'The torn log');
  expect(await serious(page)).toEqual([]);
  await panel(page)
    .getByRole('button', { name: /^Run it/ })
    .click();
  await hurry(page);
  await panel(page).getByRole('button', { name: 'All steps' }).click();
  await expect(panel(page).getByRole('button', { name: 'The verdict' })).toBeVisible();
  expect(await serious(page)).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  await picture(page, 'lesson-phone');
});
