// "Now break it" in each lesson: its mistake is made in its own run, shows there, and is taken back.

import { LESSONS } from '../src/lessons/all.ts';
import { begin, expected, panel, runAll } from './lesson.ts';
import { expect, fingerprint, hurry, open, picture, poll, serious, steps, test } from './page.ts';

for (const { name, title, mutant } of LESSONS) {
  if (!mutant) continue;
  test(`${name}: its mistake is made, shows, and is taken back`, async ({ page, site }) => {
    await open(page, site);
    await begin(page, title);
    await runAll(page);
    await panel(page).getByRole('button', { name: 'Break it' }).click();
    const box = panel(page).locator(`[data-mutant=${mutant.name}]`);
    const promises = page.getByRole('region', { name: /^Promises/ });
    const violations = page.locator('.scrubber .mark.violation');
    const make = async () => {
      await box.getByRole('button', { name: 'Make this mistake' }).click();
      await hurry(page);
      await expect(box.getByRole('status')).toContainText(
        mutant.breaks ? `✗ ${mutant.breaks} ` : 'No promise is broken',
      );
    };
    await make();
    await expect(page.getByRole('button', { name: 'Play', exact: true })).toBeVisible();
    if (mutant.breaks) {
      await expect(promises.getByRole('alert')).toContainText(`${mutant.breaks} `);
      await expect(promises.getByRole('list', { name: 'What led to it' }).getByRole('listitem')).not.toHaveCount(0);
      await expect(violations.first()).toBeVisible();
    } else {
      await expect(box.getByRole('list', { name: 'What the lesson expected' })).toContainText(
        /expected .*, and it is: /,
      );
      await expect(promises).toContainText('✓ held');
    }
    const stopped = await steps(page);
    await page.waitForTimeout(400);
    expect(await steps(page), 'it stands there').toBe(stopped);
    await picture(page, `lesson-mistake-${name}`);

    await box.getByRole('button', { name: 'Back to the lesson as it was' }).click();
    await expect(box.getByRole('button', { name: 'Make this mistake' })).toBeVisible();
    await expect(promises).toContainText('✓ held');
    await expect(promises.getByRole('alert')).toBeHidden();
    await expect(violations).toHaveCount(0);
    // It goes on from the end of the lesson's own run, and is the person's.
    await poll(() => steps(page)).not.toBe(stopped);
    const there = await steps(page);
    await poll(() => steps(page)).toBeGreaterThan(there);

    // Another part of the lesson is about the run without the mistake: to its very fingerprint.
    await make();
    await panel(page).getByRole('button', { name: 'Verdict' }).click();
    await poll(() => fingerprint(page)).toBe(expected(name));
    await expect(promises).toContainText('✓ held');
  });
}

test('a mistake that is made has no serious finding, and is gone with the lesson', async ({ page, site }) => {
  const lesson = LESSONS.find(({ name }) => name === 'deleted');
  await open(page, site);
  await begin(page, lesson?.title ?? '');
  await runAll(page);
  await panel(page).getByRole('button', { name: 'Break it' }).click();
  await panel(page).getByRole('button', { name: 'Make this mistake' }).click();
  await expect(panel(page).getByRole('status').first()).toContainText('✗');
  expect(await serious(page)).toEqual([]);
  await panel(page).getByRole('button', { name: 'Leave', exact: true }).click();
  await expect(page.getByText('Put a known design error back')).toBeVisible();
  await expect(page.getByRole('region', { name: /^Promises/ })).toContainText('✓ held');
});
