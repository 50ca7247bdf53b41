import { build, drop, expect, fingerprint, hurry, open, pause, picture, poll, rows, say, steps, test } from './page.ts';

const store = (node: string) => ({ role: 'article' as const, name: `Store of ${node}` });

test('the first screen is a running cluster of three, with messages on their way', async ({ page, site }) => {
  await open(page, site);
  await expect(page.getByRole('article')).toHaveCount(3);
  await expect(page.getByText('Every key lives on 2 of them')).toBeVisible();
  const flights = page.locator('canvas.flights');
  await poll(() => flights.getAttribute('data-flights').then(Number)).toBeGreaterThan(0);
  const before = await steps(page);
  await poll(() => steps(page)).toBeGreaterThan(before);
  await expect(page.getByRole('region', { name: 'Log', exact: true }).locator('tbody tr').first()).toBeVisible();
  // What moves is drawn: two pictures of the canvas differ.
  const first = await flights.screenshot();
  await page.waitForTimeout(300);
  expect(Buffer.compare(first, await flights.screenshot())).not.toBe(0);
});

test('the one thing to click crashes a node, says so, and brings it back', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Crash n2', exact: true }).first().click();
  await expect(page.getByText('n2 is down and its memory is gone')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
  await expect(page.getByRole(store('n2').role, { name: store('n2').name })).toContainText('Crashed.');
  await expect(page.getByRole('table').getByText('n2 crashed')).toBeVisible();
  // The others find out by themselves: nobody answers for its slots but them.
  await hurry(page);
  await page.getByRole('searchbox', { name: 'Filter the log' }).fill('suspects n2');
  await page.getByRole('searchbox', { name: 'Filter the log' }).fill('suspects n2');
  await expect(
    page
      .getByRole('table')
      .getByText(/suspects n2/)
      .first(),
  ).toBeVisible();
  await page.getByRole('button', { name: 'Bring n2 back' }).click();
  await expect(page.getByRole('button', { name: /Node n2, up/ })).toBeVisible();
});

test('it pauses, plays and steps, one visible event at a time, back and forth', async ({ page, site }) => {
  await open(page, site);
  await pause(page);
  await page.waitForTimeout(300);
  const paused = await steps(page);
  await page.waitForTimeout(400);
  expect(await steps(page)).toBe(paused);
  const prints = [await fingerprint(page)];
  for (let i = 0; i < 4; i += 1) {
    const before = await steps(page);
    await page.getByRole('button', { name: 'Step', exact: true }).click();
    await poll(() => steps(page)).toBeGreaterThan(before);
    prints.push(await fingerprint(page));
  }
  const end = await steps(page);
  for (let i = 0; i < 2; i += 1) {
    const before = await steps(page);
    await page.getByRole('button', { name: 'Step back' }).click();
    await poll(() => steps(page)).toBeLessThan(before);
  }
  for (let i = 0; i < 2; i += 1) {
    const before = await steps(page);
    await page.getByRole('button', { name: 'Step', exact: true }).click();
    await poll(() => steps(page)).toBeGreaterThan(before);
  }
  expect(await steps(page)).toBe(end);
  expect(await fingerprint(page)).toBe(prints.at(-1));
  await page.getByRole('button', { name: 'Play' }).click();
  await poll(() => steps(page)).toBeGreaterThan(end);
});

test('a person writes and reads, and sees where the key lives', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await say(page, 'c1 set greeting hello');
  await hurry(page);
  const table = page.getByRole('table');
  await expect(table.getByText('greeting -> stored, 2 copies').first()).toBeVisible();
  await expect(page.getByRole('heading', { name: /Where greeting lives/ })).toBeVisible();
  const where = page.getByRole('region', { name: /Where greeting lives/ });
  await expect(where.getByRole('rowheader', { name: /primary/ })).toHaveCount(1);
  await expect(where.getByRole('rowheader')).toHaveCount(2);
  await say(page, 'c2 get greeting');
  await expect(table.getByText('greeting -> hit hello').first()).toBeVisible();
  const holders = [];
  for (const node of ['n1', 'n2', 'n3']) if ((await rows(page, node)).includes('greeting')) holders.push(node);
  expect(holders).toHaveLength(2);
});

test('what is wrong with a line is said in words, and the cluster goes on', async ({ page, site }) => {
  await open(page, site);
  const cases: [string, RegExp][] = [
    ['hello there', /unknown command "hello"/],
    ['c1 set k v ttl=0', /"0"/],
    ['c1 set k v ttl=1e99', /1e99/],
    ['n9 crash', /n9/],
    ['c1 set', /set/],
    ['cut n1', /cut|way/i],
  ];
  for (const [line, words] of cases) {
    await say(page, line);
    await expect(page.getByRole('alert')).toContainText(words);
  }
  const before = await steps(page);
  await poll(() => steps(page)).toBeGreaterThan(before);
  await say(page, 'heal');
  await expect(page.getByRole('alert')).toBeHidden();
});

test('links are cut and healed by a click, and one way by a line', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('button', { name: 'Link n1 to n3: whole; cut it' }).click();
  await expect(page.getByRole('button', { name: 'Link n1 to n3: cut; heal it' })).toBeVisible();
  await expect(page.getByRole('table').getByText('cut n1 > n3')).toBeVisible();
  await page.getByRole('button', { name: 'Link n1 to n3: cut; heal it' }).click();
  await expect(page.getByRole('button', { name: 'Link n1 to n3: whole; cut it' })).toBeVisible();
  await say(page, 'cut n2>n3');
  await expect(page.getByRole('button', { name: 'Link n2 to n3: cut from n2 to n3; heal it' })).toBeVisible();
  await say(page, 'heal');
  await expect(page.getByRole('button', { name: 'Link n2 to n3: whole; cut it' })).toBeVisible();
});

test('a workload fills the stores until they evict', async ({ page, site }) => {
  await open(page, site);
  await hurry(page);
  const first = page.getByRole('article', { name: 'Store of n1' });
  await expect(first).toContainText('16 of 16');
  await expect(first.locator('.figures.last')).not.toContainText(/^0 evicted/);
  await expect(first.locator('.next')).toContainText('next out');
  await page.getByRole('combobox', { name: 'Keys are asked for' }).selectOption('scan');
  await expect(page.getByRole('button', { name: 'Stop', exact: true })).toBeVisible();
});

test('another cluster is built: nodes, copies, capacity', async ({ page, site }) => {
  await open(page, site);
  await build(page, { Nodes: 5, 'Copies, N': 3, Capacity: 7 });
  await expect(page.getByRole('article')).toHaveCount(5);
  await hurry(page);
  await expect(page.getByRole('article', { name: 'Store of n5' })).toContainText('7 of 7');
  await expect(page.locator('.bands > g')).toHaveCount(3);
  await build(page, { Nodes: 32, 'Copies, N': 2, Capacity: 2_000 });
  await expect(page.getByRole('article')).toHaveCount(32);
  await build(page, { Nodes: 1, 'Copies, N': 2, Capacity: 10 });
  await expect(page.getByRole('article')).toHaveCount(1);
  await expect(page.getByText('A real cache of one node')).toBeVisible();
});

test('who goes when a node is full is set, shown and shared, and another one is another run', async ({
  page,
  site,
}) => {
  await open(page, site);
  const panel = page.getByRole('region', { name: 'Cluster Build' });
  const policy = panel.getByRole('combobox', { name: 'When a node is full, out goes' });
  const card = page.getByRole('article', { name: 'Store of n1' });
  const says = { lru: 'oldest use', sieve: 'not used since', 's3-fifo': 'newcomer', 'w-tinylfu': 'less often used' };
  await hurry(page);
  for (const [name, words] of Object.entries(says)) {
    await policy.selectOption(name);
    await build(page, { Capacity: 8 });
    await expect(card.locator('.next')).toContainText(`next out: ${words}`);
    await expect(card.locator('.figures.last')).not.toContainText(/^0 evicted/);
    await page.getByRole('button', { name: 'Share', exact: true }).click();
    await expect(page.getByRole('dialog', { name: 'Share this run' })).toBeVisible();
    // What is usual goes without saying.
    const said = name === 'lru' ? 'entries=8 vnodes' : `entries=8 policy=${name} vnodes`;
    await expect(page.locator('dialog.share pre')).toContainText(said);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
  }
  // The same requests, to the same moment: each policy makes another run of them.
  const prints = new Set<string | undefined>();
  for (const name of Object.keys(says)) {
    const script = `cluster nodes=1 replicas=1 seed=3 entries=8 policy=${name}\nworkload keys=40 rate=500\nrun 2s\n`;
    await drop(page, `${name}.script`, Buffer.from(script));
    await expect(policy).toHaveValue(name);
    const note = await page.getByRole('region', { name: 'The run that was opened' }).textContent();
    prints.add(/its fingerprint is ([0-9a-f]{16})/.exec(note ?? '')?.[1]);
  }
  expect(prints.size).toBe(4);
});

test('in a TTL storm all that is stored expires at the same moments', async ({ page, site }) => {
  await open(page, site);
  await page.getByRole('combobox', { name: 'Keys are asked for' }).selectOption('storm');
  const every = page.getByRole('spinbutton', { name: /A storm every/ });
  await every.fill('400');
  await every.press('Enter');
  await hurry(page);
  const stores = page.locator('.store .ttl');
  await poll(async () => {
    const left = (await stores.allTextContents()).filter((text) => text.endsWith('ms')).map(Number.parseFloat);
    return left.length > 10 ? Math.max(...left) - Math.min(...left) : Number.POSITIVE_INFINITY;
  })
    // Clocks of nodes are a few milliseconds apart.
    .toBeLessThan(12);
});

test('a node joins and another is taken out, while the others answer', async ({ page, site }) => {
  await open(page, site);
  await hurry(page);
  await page.getByRole('button', { name: 'Add a node' }).click();
  const status = page.getByRole('region', { name: 'Cluster Build' }).getByRole('status');
  await expect(status).toHaveText('Map 4: nothing moves');
  await expect(page.getByRole('article')).toHaveCount(4);
  await expect(page.getByRole('button', { name: /Node n4, up/ })).toBeVisible();
  await picture(page, 'joined');
  await page.getByRole('button', { name: /Node n2, up/ }).click();
  await page.getByRole('button', { name: 'Take out n2', exact: true }).click();
  await expect(status).toHaveText('Map 7: nothing moves');
  await expect(page.getByRole('article')).toHaveCount(3);
  await expect(page.getByRole('article', { name: 'Store of n2' })).toHaveCount(0);
  await expect(page.getByText('A real cache of 3 nodes')).toBeVisible();
  await expect(page.locator('.bands .dim')).toHaveCount(0);
});

test('the same seed gives the same run, and another seed another', async ({ page, site }) => {
  await open(page, site);
  await pause(page);
  const run = async (seed: string) => {
    await page.getByRole('textbox', { name: 'Seed' }).fill(seed);
    await page.getByRole('textbox', { name: 'Seed' }).press('Enter');
    await page.getByRole('button', { name: 'Restart run' }).click();
    await poll(() => steps(page)).toBe(0);
    for (let i = 1; i <= 12; i += 1) {
      const before = await steps(page);
      await page.getByRole('button', { name: 'Step', exact: true }).click();
      await poll(() => steps(page)).toBeGreaterThan(before);
    }
    return [await steps(page), await fingerprint(page)];
  };
  const [first, other, again] = [await run('41'), await run('42'), await run('41')];
  expect(again).toEqual(first);
  expect(other[1]).not.toBe(first[1]);
});

test('the keyboard alone plays, steps, crashes, and lists its keys', async ({ page, site }) => {
  await open(page, site);
  await page.keyboard.press('Space');
  await expect(page.getByRole('button', { name: 'Play' })).toBeVisible();
  const paused = await steps(page);
  await page.keyboard.press('.');
  await poll(() => steps(page)).toBeGreaterThan(paused);
  await page.keyboard.press(',');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeHidden();
  await page.keyboard.press('2');
  await expect(page.getByRole('button', { name: 'Node n2, down' })).toBeVisible();
  await page.keyboard.press('/');
  await page.keyboard.type('n2 restart');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: /Node n2, up/ })).toBeVisible();
  await page.getByRole('button', { name: 'Link n1 to n2: whole; cut it' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Link n1 to n2: cut; heal it' })).toBeVisible();
});

test('a file that is no trace is refused in words', async ({ page, site }) => {
  await open(page, site);
  await drop(page, 'broken.csv', Buffer.from('time,key,size\n1,a,1\n2,b\n'));
  await expect(page.getByRole('alert')).toContainText('line 3');
  await drop(page, 'half.csv.gz', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]));
  await expect(page.getByRole('alert')).toContainText('half.csv.gz is not whole gzip');
  const before = await steps(page);
  await poll(() => steps(page)).toBeGreaterThan(before);
});
