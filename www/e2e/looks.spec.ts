// How it looks and whom it serves: both themes, a phone, reduced motion, and axe's findings. The pictures are for
// people.

import { build, elapse, expect, hurry, open, pause, picture, say, serious, test } from './page.ts';

for (const scheme of ['light', 'dark'] as const) {
  test(`${scheme}: no serious finding, before and after faults`, async ({ page, site }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await open(page, site);
    await elapse(page, 2);
    await picture(page, `first-${scheme}`);
    expect(await serious(page)).toEqual([]);
    await page.getByRole('button', { name: 'Crash n2', exact: true }).first().click();
    await say(page, 'cut n1 n3');
    await say(page, 'c1 set greeting hello');
    await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
    await elapse(page, 3);
    await picture(page, `faults-${scheme}`);
    await say(page, 'nonsense');
    await page.getByText('What the shapes mean').click();
    await page.getByText('Levels, log, ring, network').click();
    expect(await serious(page)).toEqual([]);
    await page.keyboard.press('Tab');
  });
}

test('on a phone nothing is wider than the screen, and all can be reached', async ({ page, site }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page, site);
  await elapse(page, 2);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(await overflow()).toBeLessThanOrEqual(0);
  await picture(page, 'phone');
  await picture(page, 'phone-all', { fullPage: true });
  await build(page, { Nodes: 8 });
  await expect(page.getByRole('article')).toHaveCount(8);
  expect(await overflow()).toBeLessThanOrEqual(0);
  for (const name of ['Pause', 'Run', 'Build', 'Open…']) {
    await expect(page.getByRole('button', { name, exact: true }).first()).toBeVisible();
  }
});

test('at twice the size nothing is wider than the screen, and all can be reached', async ({ page, site }) => {
  // What 200 % leaves of a laptop's screen.
  await page.setViewportSize({ width: 683, height: 384 });
  await open(page, site);
  for (const name of ['Pause', 'Run', 'Build', 'Open…', 'Lessons', 'Share', 'Find me a failure']) {
    const button = page.getByRole('button', { name, exact: true }).first();
    await button.scrollIntoViewIfNeeded();
    await expect(button).toBeInViewport();
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  // Nothing stands over the picture.
  await page.evaluate(() => document.querySelector('.scene')?.scrollIntoView({ block: 'start' }));
  const at = await page.evaluate(
    () => document.elementFromPoint(innerWidth / 2, innerHeight - 20)?.closest('section')?.className,
  );
  expect(at).toBe('scene');
  await picture(page, 'twice');
});

test('many nodes keep within the screen', async ({ page, site }) => {
  await open(page, site);
  await build(page, { Nodes: 32 });
  await hurry(page);
  await expect(page.getByRole('article')).toHaveCount(32);
  await elapse(page, 500);
  await picture(page, 'many');
  expect(await page.evaluate(() => document.documentElement.scrollHeight - innerHeight)).toBeLessThanOrEqual(0);
});

test('a name and a key of any length keep within what they stand in', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByText('Levels, log, ring, network').click();
  await page.getByRole('combobox', { name: 'Log on disk, fsync' }).selectOption('always');
  await page.getByText('Levels, log, ring, network').click();
  await build(page, { Nodes: 3 });
  await hurry(page);
  const key = `session:${'0123456789'.repeat(12)}`;
  await say(page, `c1 set ${key} v`);
  await expect(page.locator('.rows').getByRole('button', { name: key })).not.toHaveCount(0);
  // Whoever says something about a key is shown where it lives.
  await page.getByRole('button', { name: 'What happened to it?' }).click();
  await expect(page.getByRole('heading', { name: 'What happened to it' })).toBeVisible();
  await pause(page);
  const wide = await page.evaluate(() => {
    // As a machine may be called.
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const { data, parentElement } = texts.currentNode as Text;
      if (parentElement?.closest('svg')) continue;
      (texts.currentNode as Text).data = data.replace(/\bn([123])\b/, 'machine-in-the-back-of-the-second-hall-$1');
    }
    const boxes = [...document.querySelectorAll('.top, .store, .panel, .log .scroll, .transport, .disk, main')];
    return boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.className || box.tagName);
  });
  await picture(page, 'names');
  expect(wide).toEqual([]);
});

test('with reduced motion nothing moves along, and the run still goes on', async ({ page, site }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await open(page, site);
  const animations = await page.evaluate(() => document.getAnimations().length);
  expect(animations).toBe(0);
});
