// The eviction race: the hits of a native race for every policy, and a panel that serves everybody.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Page } from '@playwright/test';
import { made } from '../src/race/made.ts';
import { RACERS } from '../src/race/protocol.ts';
import { drawn, drop, expect, hurry, open, pause, picture, poll, serious, steps, test } from './page.ts';

const program = process.env.VITRINE_BIN ?? join(import.meta.dirname, '..', '..', 'target', 'debug', 'vitrine');
const shipped = join(import.meta.dirname, '..', '..', 'tests', 'data', 'sprite.csv.gz');
const group = (n: number) => String(n).replace(/\B(?=(\d{3})+$)/g, ' ');

interface Native {
  readonly requests: number;
  readonly keys: number;
  readonly sizes: number[];
  readonly policies: { readonly policy: string; readonly hits: number[] }[];
}

/** What `vitrine replay` says of that file. */
function replay(file: string, ...asked: string[]): Native {
  return JSON.parse(execFileSync(program, ['replay', file, ...asked, '--json'], { encoding: 'utf8' }));
}

const dialog = (page: Page) => page.getByRole('dialog', { name: 'The eviction race' });

/** `alone`: the cluster behind it stands still, and leaves the processor to the race. */
async function openRace(page: Page, site: string, alone = false): Promise<void> {
  await open(page, site);
  if (alone) await pause(page);
  await page.getByRole('button', { name: 'Race policies' }).click();
  await expect(dialog(page).locator('.verdict')).toContainText(/requests for .* keys/);
}

const button = (page: Page, name: string) => dialog(page).getByRole('button', { name, exact: true });

/** To the end, at that size. */
async function race(page: Page, capacity: number): Promise<void> {
  const size = dialog(page).getByRole('spinbutton', { name: /Entries/ });
  await size.fill(String(capacity));
  await size.press('Enter');
  await dialog(page)
    .getByRole('button', { name: /Start the race|Race again/ })
    .click();
  await button(page, 'To the end').click();
  await expect(dialog(page).locator('.verdict.over')).toBeVisible({ timeout: 150_000 });
}

const hits = (page: Page) => dialog(page).locator('.standings [data-hits]').allTextContents();

/** Rows of the table of the curve: entries, and the hits of every racer. */
async function curve(page: Page): Promise<{ size: string; hits: number[] }[]> {
  await expect(
    dialog(page)
      .getByRole('button', { name: /Take this size/ })
      .first(),
  ).toBeVisible({ timeout: 300_000 });
  return dialog(page)
    .locator('.sizes tbody tr')
    .evaluateAll((rows) =>
      rows.map((row) => ({
        size: row.querySelector('th')?.textContent ?? '',
        hits: [...row.querySelectorAll('td[data-hits]')].map((cell) => Number((cell as HTMLElement).dataset.hits)),
      })),
    );
}

/** The page's race on a file that is dropped has the hits of the native one, at each size and along the curve. */
async function compare(page: Page, file: string, capacities: number[]): Promise<void> {
  await drop(page, basename(file), readFileSync(file));
  const native = replay(file, '--curve');
  const told = `${group(native.requests)} requests for ${group(native.keys)} keys`;
  await expect(dialog(page).locator('.verdict')).toContainText(`${basename(file)}: ${told}`, { timeout: 60_000 });
  for (const capacity of capacities) {
    await race(page, capacity);
    const { policies } = replay(file, '--capacity', String(capacity), '--policy', 'all');
    expect(policies).toHaveLength(RACERS.length);
    expect(await hits(page), `${basename(file)} at ${capacity}`).toEqual(
      policies.map(({ hits }) => group(hits[0] ?? 0)),
    );
  }
  const rows = await curve(page);
  // The largest sizes of a very large trace are left out: all others are there.
  expect(rows.length).toBeGreaterThanOrEqual(8);
  for (const [index, row] of rows.entries()) {
    expect(row.size).toBe(group(native.sizes[index] ?? 0));
    expect(row.hits, `${basename(file)} at ${row.size}`).toEqual(native.policies.map(({ hits }) => hits[index]));
  }
}

const folder = process.env.VITRINE_TRACES;
test('a dropped trace has the hits of `vitrine replay`, for every policy and Belady', async ({ page, site }) => {
  if (!folder) console.log('VITRINE_TRACES names no folder of the large traces: only the small one is raced');
  test.slow();
  await openRace(page, site);
  await compare(page, shipped, [10, 100, 500]);
});

const LARGE: readonly [string, ...number[]][] = [
  ['lirs-gli', 100, 1_000],
  ['lirs-sprite', 500],
  ['lirs-2pools', 450],
  ['web12', 4_000],
  ['cloudPhysicsIO', 5_000],
  ['adaptsize', 4_000],
  ['arc-OLTP', 5_000],
];
for (const [name, ...capacities] of folder ? LARGE : []) {
  test(`so has ${name}`, async ({ page, site }) => {
    test.setTimeout(600_000);
    await openRace(page, site, true);
    await compare(page, join(folder ?? '', `${name}.csv.gz`), capacities);
  });
}

test('the traces that are made, too', async ({ page, site }, info) => {
  await openRace(page, site);
  for (const name of ['scans', 'loop', 'shift'] as const) {
    await dialog(page).getByRole('combobox', { name: 'Trace' }).selectOption(name);
    await expect(dialog(page).locator('.verdict')).toContainText(`${name}.txt: 20 000 requests`);
    const file = info.outputPath(`${name}.txt`);
    writeFileSync(file, made(name));
    await race(page, 100);
    const { policies } = replay(file, '--capacity', '100', '--policy', 'all');
    expect(await hits(page), name).toEqual(policies.map(({ hits }) => group(hits[0] ?? 0)));
  }
});

test('the workload that is set is raced on as well', async ({ page, site }) => {
  await openRace(page, site);
  await dialog(page).getByRole('combobox', { name: 'Trace' }).selectOption('workload');
  await expect(dialog(page).locator('.verdict')).toContainText('zipf, 60 keys, seed 7: 20 000 requests for 60 keys');
  await race(page, 8);
  // The numbers of `tests/data/race.rs`.
  expect(await hits(page)).toEqual(['8 240', '10 087', '10 461', '10 828', '12 664']);
});

test('a race is paused, gone on with, cancelled and begun again, by keyboard alone', async ({ page, site }) => {
  await open(page, site);
  await page.keyboard.press('v');
  await expect(dialog(page).locator('.verdict')).toContainText('12 000 requests for 2 863 keys');
  await dialog(page).getByRole('button', { name: 'Start the race' }).focus();
  await page.keyboard.press('Enter');
  // The button that was pressed is the one that pauses, and keeps the focus.
  await expect(button(page, 'Pause')).toBeFocused();
  await expect(dialog(page).locator('.verdict')).toContainText(/leads by|are level/);
  await page.waitForTimeout(1_500);
  await picture(page, 'race-running');
  await page.keyboard.press('Enter');
  await expect(button(page, 'Go on')).toBeFocused();
  const standings = dialog(page).locator('.standings');
  await expect(standings).toContainText(/let go .* asked for again|let nobody go/);
  const stood = await dialog(page).locator('.verdict').textContent();
  await picture(page, 'race-paused');
  await page.waitForTimeout(400);
  await expect(dialog(page).locator('.verdict')).toHaveText(stood ?? '');
  await page.keyboard.press('Enter');
  await expect(dialog(page).locator('.verdict')).not.toHaveText(stood ?? '');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await expect(button(page, 'Cancel')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(dialog(page).locator('.verdict')).toContainText('Who misses least?');
  await expect(standings.locator('[data-hits]').first()).toHaveText('0');
  await dialog(page)
    .getByRole('spinbutton', { name: /Entries/ })
    .focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('50');
  await page.keyboard.press('Enter');
  await dialog(page).getByRole('button', { name: 'Start the race' }).press('Enter');
  await button(page, 'To the end').press('Enter');
  await expect(dialog(page).locator('.verdict')).toContainText('with 50 entries');
  // A size of the curve is taken with the keyboard, and raced at.
  await curve(page);
  await dialog(page)
    .getByRole('button', { name: /^357 entries: LRU/ })
    .press('Enter');
  await expect(dialog(page).getByRole('spinbutton', { name: /Entries/ })).toHaveValue('357');
  await dialog(page).getByRole('button', { name: 'Start the race' }).press(' ');
  await button(page, 'To the end').press('Enter');
  await expect(dialog(page).locator('.verdict')).toContainText('with 357 entries');
  await expect(button(page, 'To the end')).toBeFocused();
  // Closed and opened again, it is as it was left.
  await page.keyboard.press('Escape');
  await expect(dialog(page)).toHaveCount(0);
  await page.keyboard.press('v');
  await expect(dialog(page).locator('.verdict')).toContainText('with 357 entries');
});

test('a file that is no trace is named, with its line, and another one is taken', async ({ page, site }) => {
  await openRace(page, site);
  await drop(page, 'bad.csv', Buffer.from('time,key,size\n1,a,1\n2,b\n'));
  await expect(dialog(page).getByRole('alert')).toContainText('bad.csv: line 3: the line has 2 fields');
  await expect(dialog(page).getByRole('button', { name: 'Start the race' })).toBeDisabled();
  await picture(page, 'race-wrong');
  const check = async (name: string, text: string, expected: string) => {
    await drop(page, name, Buffer.from(text));
    await expect(dialog(page).getByRole('alert')).toContainText(expected);
  };
  await check('empty.txt', '', 'empty.txt has no requests');
  await check('mixed.txt', '1,2,3\n', 'mixed.txt is no trace that is known here');
  await dialog(page)
    .getByLabel('Trace file of the race')
    .setInputFiles({ name: 'good.txt', mimeType: 'text/plain', buffer: Buffer.from('a\nb\na\n') });
  await expect(dialog(page).locator('.verdict')).toContainText('good.txt: 3 requests for 2 keys');
  await expect(dialog(page).getByRole('alert')).toHaveCount(0);
  await race(page, 2);
  await expect(dialog(page).locator('.verdict')).toHaveText(
    'All are level with 2 entries: 33.3 % hits, as many as anybody could have.',
  );
});

test('a trace that was dropped on the page is raced on from its panel', async ({ page, site }) => {
  await open(page, site);
  await drop(page, 'sprite.csv.gz', readFileSync(shipped));
  await page.getByRole('button', { name: 'Race policies on it' }).click();
  await expect(dialog(page).locator('.verdict')).toContainText('sprite.csv.gz: 12 000 requests');
});

test('the lesson on eviction leads to it', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Lessons' }).click();
  await page.getByRole('button', { name: /The eviction race/ }).click();
  await page.getByRole('button', { name: /Run it/ }).click();
  await hurry(page);
  await page.getByRole('button', { name: 'All steps' }).click();
  await page.getByRole('button', { name: 'The verdict' }).click({ timeout: 40_000 });
  await page.getByRole('button', { name: 'Race policies' }).click();
  await expect(dialog(page)).toBeVisible();
});

for (const scheme of ['light', 'dark'] as const) {
  test(`${scheme}: no serious finding, before, during and after a race`, async ({ page, site }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await openRace(page, site);
    await picture(page, `race-ready-${scheme}`);
    expect(await serious(page, 'dialog.race')).toEqual([]);
    await dialog(page).getByRole('button', { name: 'Start the race' }).click();
    await button(page, 'Pause').click();
    expect(await serious(page, 'dialog.race')).toEqual([]);
    await button(page, 'To the end').click();
    await curve(page);
    await picture(page, `race-over-${scheme}`);
    expect(await serious(page, 'dialog.race')).toEqual([]);
    await dialog(page).getByRole('checkbox', { name: 'Only lately' }).check();
    await picture(page, `race-lately-${scheme}`);
  });
}

test('from a phone to a wide screen nothing of it is wider than the screen', async ({ page, site }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openRace(page, site);
  await race(page, 286);
  await curve(page);
  await picture(page, 'race-phone');
  for (const [width, height] of [
    [320, 640],
    [390, 844],
    [820, 1_180],
    [1_920, 1_080],
  ] as const) {
    await page.setViewportSize({ width, height });
    await drawn(page);
    const over = await dialog(page).evaluate((box) => box.scrollWidth - box.clientWidth);
    expect(over, `${width} wide`).toBeLessThanOrEqual(0);
    await picture(page, `race-${width}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await dialog(page).evaluate((box) => box.scrollTo(0, 720));
  await picture(page, 'race-phone-below');
});

test('with reduced motion the race is not spread over seconds', async ({ page, site }) => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await openRace(page, site);
  // What the page asks its racer for: a race that is spread over no time.
  await page.evaluate(() => {
    const post = Worker.prototype.postMessage;
    Object.assign(globalThis, { said: [] });
    Worker.prototype.postMessage = function (message: unknown, ...rest: unknown[]) {
      (globalThis as unknown as { said: unknown[] }).said.push(message);
      return post.apply(this, [message, ...rest] as Parameters<typeof post>);
    };
  });
  await dialog(page).getByRole('button', { name: 'Start the race' }).click();
  await expect(dialog(page).locator('.verdict.over')).toBeVisible();
  const said = await page.evaluate(() => (globalThis as unknown as { said: { type: string }[] }).said);
  expect(said.filter(({ type }) => type === 'race')).toEqual([expect.objectContaining({ seconds: 0 })]);
});

test('while a race and a curve run the page goes on, and both are cancelled', async ({ page, site }) => {
  await openRace(page, site);
  // Long enough to run for the whole time, and of so many keys that the caches are large.
  const keys = Array.from({ length: 400_000 }, (_, at) => `k${((at * 7_919) % 30_011) ^ (at % 977)}`);
  await drop(page, 'long.txt', Buffer.from(`${keys.join('\n')}\n`));
  await expect(dialog(page).locator('.verdict')).toContainText('400 000 requests', { timeout: 30_000 });
  const goesOn = async () => {
    const before = await steps(page);
    await poll(() => steps(page)).toBeGreaterThan(before);
  };
  await dialog(page).getByRole('button', { name: 'Start the race' }).click();
  await goesOn();
  await button(page, 'Cancel').click();
  await button(page, 'Draw it').click();
  await goesOn();
  await expect(dialog(page).getByRole('progressbar', { name: 'The curve' })).toBeVisible();
  await button(page, 'Cancel').click();
  await expect(button(page, 'Draw it')).toBeVisible();
});
