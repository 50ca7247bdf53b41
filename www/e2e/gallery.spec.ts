// Every state of the page and every lesson, as a person sees it: in both themes, from a phone to a large screen. The
// pictures are for people, in test-results/gallery; what a machine can see of them is checked: nothing is wider than
// the screen, and no words are cut off without a sign of it.

import type { Page } from '@playwright/test';
import { LESSONS } from '../src/lessons/all.ts';
import { begin, panel, runAll } from './lesson.ts';
import { build, drawn, drop, elapse, expect, hurry, open, pause, picture, say, test } from './page.ts';

/** A phone, a laptop in both themes, a desk, and a wall, which takes so long that it is asked for. */
const ALL_SCREENS = [
  ['phone', 390, 844, 'light'],
  ['laptop', 1_366, 768, 'light'],
  ['laptop-dark', 1_366, 768, 'dark'],
  ['desk', 2_560, 1_440, 'light'],
  ['wall', 3_840, 2_160, 'dark'],
] as const;
const SCREENS = ALL_SCREENS.filter(([screen]) => screen !== 'wall' || process.env.VITRINE_GALLERY === 'all');

/** What of the page's words does not fit in where it stands, and does not say so by an ellipsis or by scrolling. */
function cut(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const found: string[] = [];
    const over = document.documentElement.scrollWidth - innerWidth;
    if (over > 0) found.push(`the page is ${over} wider than the screen`);
    for (const box of document.querySelectorAll<HTMLElement>('body *')) {
      if (box.closest('svg, .unseen, .tape') || !box.checkVisibility()) continue;
      const style = getComputedStyle(box);
      const words = [...box.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim());
      if (!words || style.textOverflow === 'ellipsis' || style.display === 'inline') continue;
      const hides = (overflow: string) => overflow === 'hidden' || overflow === 'clip';
      const wide = hides(style.overflowX) && box.scrollWidth > box.clientWidth + 1;
      const tall = hides(style.overflowY) && box.scrollHeight > box.clientHeight + 1;
      if (wide || tall) found.push(`${box.tagName} .${box.className}: ${box.textContent?.slice(0, 60)}`);
    }
    return found;
  });
}

/** A picture of a whole page has no bottom that something could stick to. */
const STILL = '@media (max-width: 699px) { .transport { position: static !important } }';

/** Takes the pictures of what is shown, and looks at each; `whole`: on a phone, all of the page. */
async function shoot(page: Page, name: string, whole = true, screens = /./): Promise<void> {
  for (const [screen, width, height, colorScheme] of SCREENS) {
    if (!screens.test(screen)) continue;
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    // The canvas is drawn anew, and panels find their places.
    await drawn(page);
    await picture(page, `gallery/${name}-${screen}`, { fullPage: whole && screen === 'phone', style: STILL });
    expect.soft(await cut(page), `${name} on a ${screen}`).toEqual([]);
  }
}

test.beforeEach(() => test.setTimeout(180_000));

for (const lesson of LESSONS) {
  test(`the lesson ${lesson.name}`, async ({ page, site }) => {
    await open(page, site);
    await begin(page, lesson.title);
    await picture(page, `gallery/lesson-${lesson.name}-predict`);
    await panel(page).getByRole('radio').first().check();
    await runAll(page);
    await shoot(page, `lesson-${lesson.name}`, true, /phone|laptop$|wall/);
    await page.setViewportSize({ width: 1_280, height: 800 });
    await panel(page).getByRole('button', { name: 'The verdict' }).click();
    await picture(page, `gallery/lesson-${lesson.name}-verdict`);
    await panel(page).getByRole('button', { name: 'Now break it' }).click();
    await picture(page, `gallery/lesson-${lesson.name}-break`);
  });
}

test('the first screen', async ({ page, site }) => {
  await open(page, site);
  await elapse(page, 2);
  await shoot(page, 'first');
});

test('a key and its path', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await say(page, 'c1 set greeting hello');
  await expect(page.getByRole('heading', { name: 'Where greeting lives' })).toBeVisible();
  await page.getByRole('button', { name: 'What happened to it?' }).click();
  await pause(page);
  await shoot(page, 'key');
});

test('faults, and their panel', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Crash n2', exact: true }).first().click();
  await page.getByRole('button', { name: 'Link n1 to n3: whole; cut it' }).click();
  await page.getByRole('button', { name: /Node n3, up/ }).click();
  await expect(page.locator('details.faults')).toHaveAttribute('open', '');
  await pause(page);
  await shoot(page, 'faults');
});

test('logs on disk, with snapshots', async ({ page, site }) => {
  await open(page, site);
  const script = [
    'cluster nodes=2 replicas=2 fsync=everysec entries=100',
    'workload shape=zipf keys=40 rate=300 writes=60%',
    'run 500ms',
    'n1 save',
    'run 1s',
    'workload off',
    'run 200ms',
    'disk n1 lies',
    'c1 set order paid',
    'run 1500ms',
  ];
  await drop(page, 'disks.script', Buffer.from(`${script.join('\n')}\n`));
  await hurry(page);
  await page.getByRole('slider', { name: 'Moment of the run' }).press('End');
  await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
  await expect(page.locator('.snapshots li')).not.toHaveCount(0);
  await expect(page.getByText('The disk said that it had synced, and has not.')).toBeVisible();
  await shoot(page, 'disks');
});

test('two branches', async ({ page, site }) => {
  await open(page, site);
  await pause(page);
  await page.keyboard.press('f');
  await say(page, 'n3 crash');
  await hurry(page);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await elapse(page, 2_000);
  await pause(page);
  await expect(page.getByText(/n3 crashed, at/)).toBeVisible();
  await shoot(page, 'fork');
});

test('a broken promise, and the finder', async ({ page, site }) => {
  await open(page, site);
  await page.getByText('Design errors').first().click();
  await page.getByRole('button', { name: 'Show: Collect tombstones early' }).click();
  await expect(page.getByRole('region', { name: /^Promises/ }).getByRole('alert')).toBeVisible({ timeout: 40_000 });
  await shoot(page, 'violation');
  await page.getByRole('checkbox', { name: /Modulo instead of a ring/ }).check();
  await page.getByRole('button', { name: 'Find me a failure' }).click();
  await expect(page.getByRole('progressbar', { name: 'The search' })).toBeVisible();
  await page.getByRole('progressbar', { name: 'The search' }).scrollIntoViewIfNeeded();
  await picture(page, 'gallery/finder-searches');
  await expect(page.getByText(/Its script stands just before that/)).toBeVisible({ timeout: 120_000 });
  await page.getByText(/Its script stands just before that/).scrollIntoViewIfNeeded();
  await shoot(page, 'finder');
});

test('the diagram, the race, and the other dialogs', async ({ page, site }) => {
  await open(page, site);
  await page.keyboard.press('d');
  await elapse(page, 4);
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await shoot(page, 'diagram', false);
  await page.keyboard.press('Escape');
  await page.keyboard.press('l');
  await shoot(page, 'lessons', false);
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await shoot(page, 'keys', false);
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(page.getByRole('dialog', { name: 'Share this run' })).toBeVisible();
  await shoot(page, 'share', false);
  await page.keyboard.press('Escape');
  await page.keyboard.press('v');
  const race = page.getByRole('dialog', { name: 'The eviction race' });
  await race.getByRole('button', { name: 'Start the race' }).click();
  await race.getByRole('button', { name: 'To the end' }).click();
  await expect(race.getByRole('button', { name: /Take this size/ }).first()).toBeVisible({ timeout: 60_000 });
  await shoot(page, 'race', false);
});

test('nothing in it, and what is wrong', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await build(page, { Nodes: 3 });
  await expect(page.getByText('Empty.')).toHaveCount(3);
  await shoot(page, 'empty');
  await say(page, 'n9 crash');
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByText('Levels, log, ring, network').click();
  const nodes = page.getByRole('spinbutton', { name: 'Nodes', exact: true });
  await nodes.fill('99');
  await nodes.press('Tab');
  await shoot(page, 'wrong');
});

test('many nodes, and all of them busy', async ({ page, site }) => {
  await open(page, site);
  await build(page, { Nodes: 32, 'Copies, N': 3 });
  await expect(page.getByRole('article')).toHaveCount(32);
  await hurry(page);
  await elapse(page, 1_000);
  await pause(page);
  await shoot(page, 'many');
  await page.getByRole('button', { name: /Node n5, up/ }).click();
  await shoot(page, 'many-chosen');
});
