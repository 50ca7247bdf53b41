// A run goes to somebody else: as a link, as a file, from another engine.

import { readFile } from 'node:fs/promises';
import { deflateRawSync } from 'node:zlib';
import { drop, expect, fingerprint, hurry, open, pause, picture, poll, say, steps, test } from './page.ts';

test('a link opened by somebody else gives the same run, to the same fingerprint', async ({ page, site, browser }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Crash n2', exact: true }).first().click();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await say(page, 'c1 set greeting hello ttl=5s');
  await hurry(page);
  await expect(page.getByRole('table').getByText('greeting -> stored').first()).toBeVisible();
  await pause(page);
  await page.getByRole('button', { name: 'Step', exact: true }).click();
  await say(page, 'n2 restart');
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Share this run' });
  await expect(dialog).toBeVisible();
  const link = await dialog.getByRole('textbox', { name: 'Link to this run' }).inputValue();
  expect(link.length).toBeLessThan(2_000);
  await dialog.getByText('The script', { exact: true }).click();
  await expect(dialog.getByRole('region', { name: 'The script of this run' })).toContainText('n2 restart');
  await picture(page, 'share');
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  const mine = await fingerprint(page);
  const end = await steps(page);

  const somebody = await browser.newContext();
  const theirs = await somebody.newPage();
  await theirs.goto(link);
  await expect(theirs.getByText('A shared run, the same here as where it was shared')).toBeVisible();
  await expect(theirs.getByRole('region', { name: 'The run that was opened' })).toContainText(mine ?? 'none');
  await picture(theirs, 'opened');
  // It is played from its beginning, and goes on behind its end.
  await hurry(theirs);
  await poll(() => steps(theirs)).toBeGreaterThan(end);
  await somebody.close();
});

test('a script is saved as a file, and opens when it is dropped', async ({ page, site }) => {
  await open(page, site);
  await say(page, 'cut n1 n3');
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save as a file' }).click();
  const file = await readFile(await (await saved).path());
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  expect(file.toString()).toMatch(/^# vitrine \S+ fingerprint [0-9a-f]{16}\ncluster nodes=3 /);
  await page.getByRole('button', { name: 'Restart run' }).click();
  await drop(page, 'run.script', file);
  await expect(page.getByText('A shared run, the same here')).toBeVisible();
  await drop(page, 'broken.script', Buffer.from('cluster nodes=2\nn3 crash\n'));
  await expect(page.getByRole('alert')).toContainText('line 2: there is no node "n3"');
});

test('a run with a mistake in it says so in its link, and is that run for whoever opens it', async ({
  page,
  site,
  browser,
}) => {
  await open(page, site);
  await page.getByText('Design errors').first().click();
  await page.getByRole('button', { name: 'Show: No repair' }).click();
  const promises = page.getByRole('region', { name: /^Promises/ });
  await expect(promises.getByRole('alert')).toContainText('P3 no ghosts', { timeout: 40_000 });
  const mine = await fingerprint(page);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Share this run' });
  await expect(dialog).toContainText('with the mistake that is made in it: No repair');
  const link = await dialog.getByRole('textbox', { name: 'Link to this run' }).inputValue();
  expect(link).toMatch(/#v2:[\w-]+$/);
  expect(link.length - site.length).toBeLessThanOrEqual(1_900);

  const somebody = await browser.newContext();
  const theirs = await somebody.newPage();
  await theirs.goto(link);
  const note = theirs.getByRole('region', { name: 'The run that was opened' });
  await expect(note).toContainText(`the same here as where it was shared: ${mine}`);
  await expect(note).toContainText('made with a mistake in the engine: No repair');
  await expect(theirs.getByText('On: No repair.')).toBeVisible();
  await hurry(theirs);
  await expect(theirs.getByRole('region', { name: /^Promises/ }).getByRole('alert')).toContainText('P3 no ghosts');
  await picture(theirs, 'opened-mistake');
  // A run without one is opened without one.
  await drop(theirs, 'plain.script', Buffer.from('cluster nodes=2 seed=4\nc1 set k v\nrun 1s\n'));
  await expect(theirs.getByText('Put a known design error back')).toBeVisible();
  await somebody.close();
});

test('a run with a mistake that this page does not have says so', async ({ page, site }) => {
  await open(page, site);
  const script = '# vitrine 0.1.0 fingerprint 0123456789abcdef mistake Unheard\ncluster nodes=2 seed=4\nrun 1s\n';
  await drop(page, 'unheard.script', Buffer.from(script));
  await expect(page.getByRole('alert')).toContainText('there is no mistake "Unheard" in this build');
  await expect(page.getByRole('region', { name: 'The run that was opened' })).toContainText('Unheard');
  await expect(page.getByText('Put a known design error back')).toBeVisible();
});

test('a link of the form before is opened as well', async ({ page, site }) => {
  const text = 'cluster nodes=2 seed=4\nc1 set k v\nrun 1s\n';
  const packed = deflateRawSync(text).toString('base64url');
  await open(page, `${site}#v1:${packed}`);
  await expect(page.getByRole('region', { name: 'The run that was opened' })).toContainText(
    'A run from a script. It lasts 1.0 s',
  );
  await expect(page.getByRole('article', { name: /^Store of/ })).toHaveCount(2);
});

test('a link that is cut short says so, and the page begins as usual', async ({ page, site }) => {
  await open(page, `${site}#v1:AAAA`);
  await expect(page.getByRole('alert')).toContainText('The link is not whole');
  await page.goto(`${site}#v9:AAAA`);
  await expect(page.getByRole('alert')).toContainText('it is too old');
});

test('a run of another engine says so, and that engine is offered where it lies beside the page', async ({
  page,
  site,
}) => {
  await page.route('**/engines/manifest.json', (route) =>
    route.fulfill({ json: [{ engine: '0.0.9', path: '0.0.9' }] }),
  );
  await page.route('**/engines/0.0.9/**', (route) => route.fulfill({ contentType: 'text/html', body: 'the old page' }));
  await open(page, site);
  const script = '# vitrine 0.0.9 fingerprint 0123456789abcdef\ncluster nodes=2 seed=4\nc1 set k v\nrun 1s\n';
  await drop(page, 'old.script', Buffer.from(script));
  const note = page.getByRole('region', { name: 'The run that was opened' });
  await expect(note).toContainText('A run shared from engine 0.0.9; this page has 0.1.0');
  await expect(note).toContainText('not to 0123456789abcdef');
  await note.getByRole('link', { name: 'Open it with engine 0.0.9' }).click();
  await expect(page).toHaveURL(/engines\/0\.0\.9\/#v2:/);
  await expect(page.getByText('the old page')).toBeVisible();
});
