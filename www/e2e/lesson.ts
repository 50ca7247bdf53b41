// A lesson as a person opens it, and takes it to its end.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { expect, hurry } from './page.ts';

export const folder = join(import.meta.dirname, '..', '..', 'tests', 'lessons');

/** The fingerprint that the engine's own tests come to. */
export const expected = (name: string) =>
  /expect fingerprint ([0-9a-f]{16})/.exec(readFileSync(join(folder, `${name}.script`), 'utf8'))?.[1];

export const panel = (page: Page) => page.locator('.panel.lesson');

export async function begin(page: Page, title: string): Promise<void> {
  await page.getByRole('button', { name: 'Lessons', exact: true }).click();
  await page
    .getByRole('dialog')
    .getByRole('button', { name: new RegExp(`^${title}`) })
    .click();
  await expect(panel(page).getByRole('heading', { name: title })).toBeVisible();
}

/** Every step, as fast as it can. */
export async function runAll(page: Page): Promise<void> {
  await panel(page)
    .getByRole('button', { name: /^Run it/ })
    .click();
  await expect(panel(page).getByRole('button', { name: /^(Step \d|Next step)/ })).toBeVisible();
  await hurry(page);
  await panel(page).getByRole('button', { name: 'All steps' }).click();
  await expect(panel(page).getByRole('button', { name: 'The verdict' })).toBeVisible({ timeout: 30_000 });
}
