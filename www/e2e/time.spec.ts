// Going back anywhere, and two branches of one run.

import type { Page } from '@playwright/test';
import { elapse, expect, fingerprint, hurry, open, pause, picture, say, steps, test } from './page.ts';

const line = (page: Page) => page.getByRole('slider', { name: 'Moment of the run' });

/** A run with a crash and a return in it, paused at its end. */
async function eventful(page: Page, site: string): Promise<void> {
  await open(page, site);
  await hurry(page);
  await elapse(page, 1_000);
  await say(page, 'n2 crash');
  await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
  await elapse(page, 1_000);
  await say(page, 'n2 restart');
  await expect(page.getByRole('button', { name: /Node n2, up/ })).toBeVisible();
  await elapse(page, 500);
  await pause(page);
}

/** Until the picture stands still. */
async function settled(page: Page): Promise<string> {
  let before = '';
  await expect
    .poll(async () => {
      const now = `${await steps(page)} ${await fingerprint(page)}`;
      const same = now === before;
      before = now;
      return same;
    })
    .toBe(true);
  return before;
}

test('the time line goes to any moment and back, to the same run, and says where it is', async ({ page, site }) => {
  await eventful(page, site);
  await line(page).press('End');
  const end = await settled(page);
  const box = await line(page).boundingBox();
  if (!box) throw new Error('no time line');
  await page.mouse.move(box.x + box.width * 0.8, box.y + 10);
  await page.mouse.down();
  for (const share of [0.6, 0.5, 0.4, 0.3]) await page.mouse.move(box.x + box.width * share, box.y + 10);
  await page.mouse.up();
  const there = await settled(page);
  expect(there).not.toBe(end);
  await expect(line(page)).toHaveAttribute('aria-valuetext', /^[\d .]+ of [\d .]+ milliseconds; /);
  const now = Number(await line(page).getAttribute('aria-valuenow'));
  const all = Number(await line(page).getAttribute('aria-valuemax'));
  expect(Math.abs(now / all - 0.3)).toBeLessThan(0.02);
  await expect(page.getByRole('region', { name: 'Log, newest first' }).locator('tbody tr').first()).toBeVisible();
  await page.keyboard.press('Home');
  await settled(page);
  await page.keyboard.press('End');
  expect(await settled(page)).toBe(end);
});

test('the brackets jump between faults, and each is marked with its words', async ({ page, site }) => {
  await eventful(page, site);
  await page.keyboard.press('Home');
  await settled(page);
  await page.keyboard.press(']');
  await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
  await expect(line(page)).toHaveAttribute('aria-valuetext', /n2 crashed$/);
  const crash = await settled(page);
  await page.keyboard.press(']');
  await expect(page.getByRole('button', { name: /Node n2, up/ })).toBeVisible();
  await page.keyboard.press('[');
  await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
  expect(await settled(page)).toBe(crash);
  await expect(page.locator('.scrubber .mark.fault').first()).toHaveAttribute('title', /n2 crashed/);
  await expect(page.locator('.scrubber .mark.member').first()).toHaveAttribute('title', /suspects n2|map/);
  await picture(page, 'time-line');
});

test('a fork is two runs from one moment: they are compared, and each is itself when it comes to the front', async ({
  page,
  site,
}) => {
  await open(page, site);
  await pause(page);
  await page.keyboard.press('f');
  const panel = page.getByRole('region', { name: /Two branches/ });
  await expect(panel).toContainText('They are the same run so far');
  await say(page, 'n3 crash');
  await expect(page.getByRole('button', { name: 'Node n3, down' })).toBeVisible();
  await hurry(page);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await elapse(page, 1_000);
  await pause(page);
  await expect(panel.getByText(/n3 crashed, at/)).toBeVisible();
  await expect(panel.getByRole('row', { name: /n3 itself down up/ })).toBeVisible();
  await picture(page, 'fork');
  const ours = await settled(page);
  await page.getByRole('button', { name: 'Switch to A' }).click();
  await expect(page.getByRole('button', { name: /Node n3, up/ })).toBeVisible();
  const theirs = await settled(page);
  expect(theirs.split(' ')[1]).not.toBe(ours.split(' ')[1]);
  await page.keyboard.press('f');
  await expect(page.getByRole('button', { name: 'Node n3, down' })).toBeVisible();
  expect(await settled(page)).toBe(ours);
  await panel.getByRole('button', { name: 'go there' }).click();
  await expect(line(page)).toHaveAttribute('aria-valuetext', /n3 crashed$/);
  await panel.getByRole('button', { name: 'Let A go' }).click();
  await expect(panel).toBeHidden();
});
