// Where did my key go: typed or clicked, told with its events, each of which leads to its moment.

import { expect, hurry, open, pause, picture, say, test } from './page.ts';

test('a key that is gone is told of, event by event, and each leads to its moment', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await say(page, 'c1 set greeting hello ttl=200ms');
  const lives = page.getByRole('region', { name: /Where greeting lives/ });
  await expect(lives).toBeVisible();
  await hurry(page);
  await expect(lives.getByRole('cell', { name: 'nothing' })).toHaveCount(2);
  await pause(page);
  await lives.getByRole('button', { name: 'Stop showing this key' }).click();
  const ask = page.getByRole('region', { name: 'Where did my key go?' });
  await ask.getByRole('textbox', { name: 'Key' }).fill('greeting');
  await ask.getByRole('button', { name: 'Ask' }).click();
  await expect(lives.getByRole('status')).toHaveText(
    /^Nobody has it\. The last that took a copy: n\d expired greeting\.$/,
  );
  const events = lives.getByRole('list', { name: 'What happened to it' }).getByRole('button');
  await expect(events.filter({ hasText: 'stored greeting as primary' })).toHaveCount(1);
  await expect(events.filter({ hasText: 'greeting -> stored, 2 copies' })).toHaveCount(1);
  await expect(events.filter({ hasText: 'expired greeting' })).toHaveCount(2);
  await lives.scrollIntoViewIfNeeded();
  await picture(page, 'fate');
  await events.filter({ hasText: 'greeting -> stored, 2 copies' }).click();
  await expect(page.getByRole('slider', { name: 'Moment of the run' })).toHaveAttribute(
    'aria-valuetext',
    /greeting -> stored, 2 copies$/,
  );
  await expect(lives.getByRole('cell', { name: 'nothing' })).toHaveCount(0);
  await ask.waitFor({ state: 'hidden' });
  await lives.getByRole('button', { name: 'Tell it up to now' }).click();
  await expect(lives.getByRole('status')).toHaveText(/^It is on n\d and n\d\.$/);
});
