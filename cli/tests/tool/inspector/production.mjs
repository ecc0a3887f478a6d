// The page of voicehook inspect in a browser, on two deployments with the same messages: one to read, one to move.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { SCREENSHOTS, launch, newPage } from './chromium.mjs';
import { WIDTHS, eventually, leastContrast, unreadable } from './looks.mjs';

let browser;

before(async () => { browser = await launch(); });

after(() => browser.close());

/** Opens a page, and closes it after the work. */
const using = async (url, options, work) => {
  const { context, page, outside, errors } = await newPage(browser, options);
  await page.goto(url);
  await page.getByRole('tab', { name: /^Quarantine \d/ }).waitFor();
  await work(page);
  await context.close();
  assert.deepEqual(outside, [], 'requests that left this machine');
  assert.deepEqual(errors, [], 'errors of the page');
};

const list = (page, name) => page.getByRole('grid', { name });
const quarantine = (page) => list(page, 'Webhooks in quarantine, newest first');
const deadLetters = (page) => list(page, 'Dead letters, newest first');
const row = (grid, text) => grid.locator('tbody').getByRole('row').filter({ hasText: text }).first();
const details = (page) => page.getByRole('region', { name: 'Details', exact: true });
const look = (page) => page.locator('#look').click();
const shot = (page, name) => page.screenshot({ path: `${SCREENSHOTS}/production-${name}.png`, animations: 'disabled' });

test('the page says what a look does, looks when asked, and explains what is there', () => using(process.env.READ_ONLY, {}, async (page) => {
  await page.getByRole('heading', { name: 'Nothing was received yet' }).waitFor();
  const before = await page.getByRole('tabpanel').innerText();
  assert.match(before, /has about 5 messages, and 2 in flight/);
  assert.match(before, /hides them from other readers/);
  assert.match(before, /this queue has no maxReceiveCount/);
  assert.match(before, /on a FIFO queue, delivers nothing else of their message groups/);
  assert.ok(!new URL(page.url()).search, 'the token stays in the address bar');
  await shot(page, 'before');
  await page.getByRole('tabpanel').getByRole('button', { name: 'Look' }).click();
  await quarantine(page).waitFor();
  const saw = page.locator('#saw');
  assert.match(await saw.innerText(), /saw 5 messages, visible again\. 2 in flight could not be seen: other readers have them\./);
  await row(quarantine(page), 'Wrong AppID: decryption failed').click();
  await details(page).getByRole('heading', { name: 'Decrypt: Wrong AppID: decryption failed' }).waitFor();
  assert.match(await details(page).innerText(), /store it in the deployment's secret/);
  await row(quarantine(page), 'call.connected').click();
  await details(page).getByRole('heading', { name: 'call.connected', level: 2 }).waitFor();
  assert.match(await details(page).getByRole('region', { name: 'Decrypted event' }).innerText(), /"n": 1\.50/);
  await details(page).getByRole('region', { name: 'SQS message of a redrive' }).waitFor();
  await page.getByRole('searchbox').fill('notification nothing');
  await page.getByRole('heading', { name: 'Nothing matches the filter' }).waitFor();
  await page.keyboard.press('Escape');
  await quarantine(page).waitFor();
}));

test('with the keyboard alone a person selects, is told what will happen, and that it is not allowed here', () => using(process.env.READ_ONLY, {}, async (page) => {
  await page.keyboard.press('2');
  await page.getByRole('tab', { name: /^Dead letters/, selected: true }).waitFor();
  await page.keyboard.press('l');
  await deadLetters(page).waitFor();
  await eventually('the first row has the focus', () => page.evaluate(() => document.activeElement.matches('tbody tr')));
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.keyboard.press('x');
  await page.keyboard.press('Enter');
  await eventually('the details have the focus', () => page.evaluate(() => document.activeElement.matches('.details h2')));
  await details(page).getByRole('heading', { name: 'Subscriber: It was not deleted' }).waitFor();
  await page.getByRole('button', { name: 'Redrive 1…' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('r');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  assert.match(await dialog.innerText(), /Nothing can be moved here: start again with --allow-redrive/);
  assert.ok(await dialog.getByRole('button', { name: /^Move/ }).isDisabled());
  await shot(page, 'not-allowed');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
}));

test('what is confirmed is moved, and the page says what was not and why', () => using(process.env.MOVING, {}, async (page) => {
  await look(page);
  await quarantine(page).getByRole('checkbox', { name: 'Select all' }).check();
  await page.getByRole('button', { name: 'Redrive 5…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Redrive 2 messages?' });
  await dialog.waitFor();
  const plan = await dialog.getByRole('listitem').allTextContents();
  assert.match(plan[0], /^2 webhooks are decrypted with the current AppIDs, and their events sent to events\.fifo: call\.bridge_disconnected, call\.connected\.$/);
  assert.ok(plan.some((line) => /deleted from quarantine after SQS has accepted it there, and only then/.test(line)), plan.join('\n'));
  assert.ok(plan.some((line) => /^1 of the selection will stay in quarantine: undecryptable\.$/.test(line)), plan.join('\n'));
  await shot(page, 'confirm');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(await quarantine(page).locator('tbody tr').count(), 5, 'something was moved without a confirmation');
  await page.getByRole('button', { name: 'Redrive 5…' }).click();
  await dialog.getByRole('button', { name: 'Move 2 messages' }).click();
  const done = page.locator('#done');
  await done.getByText('2 messages moved to events.fifo, 3 not moved:').waitFor();
  assert.match(await done.innerText(), /1 left: undecryptable/);
  await eventually('what was moved leaves the list', async () => await quarantine(page).locator('tbody tr').count() === 3);
  await page.getByRole('tab', { name: 'Quarantine 3' }).waitFor();
  await shot(page, 'moved');

  await page.getByRole('tab', { name: /^Dead letters/ }).click();
  await look(page);
  await deadLetters(page).getByRole('checkbox', { name: 'Select all' }).check();
  await page.getByRole('button', { name: 'Redrive 3…' }).click();
  await page.getByRole('button', { name: 'Move 2 messages' }).click();
  await done.getByText('2 messages moved to events.fifo, one not moved:').or(done.getByText('2 messages moved to events.fifo, 1 not moved:')).waitFor();
  assert.match(await done.innerText(), /SQS may remember its deduplication id/);
  await done.getByRole('button', { name: 'Dismiss' }).click();
  await done.waitFor({ state: 'hidden' });
}));

for (const colorScheme of ['light', 'dark']) {
  test(`at every width nothing is hidden or cut and every text can be read, in ${colorScheme} mode`, () => using(process.env.READ_ONLY, { colorScheme, reducedMotion: 'reduce' }, async (page) => {
    const isWhole = async (grid, name) => {
      assert.deepEqual(await unreadable(grid), [], name);
      assert.ok(!await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), `${name}: the page scrolls sideways`);
      await shot(page, name);
      const [contrast, text] = await leastContrast(page);
      assert.ok(contrast >= 4.5, `${name}: ${contrast.toFixed(2)}: ${text}`);
    };
    const tabs = [[/^Quarantine/, quarantine(page), 'Wrong AppID: decryption failed'], [/^Dead letters/, deadLetters(page), 'v1']];
    for (const [tab, grid] of tabs) {
      await page.getByRole('tab', { name: tab }).click();
      await page.setViewportSize({ width: 390, height: 800 });
      await isWhole(grid, `before-${colorScheme}`);
      await look(page);
      await grid.waitFor();
    }
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      const covers = width <= 760;
      for (const [tab, grid, pick] of tabs) {
        await page.getByRole('tab', { name: tab }).click();
        const name = `${tab.source.slice(1, 5).toLowerCase()}-${width}${colorScheme === 'dark' ? '-dark' : ''}`;
        if (covers) await isWhole(grid, `${name}-list`);
        await row(grid, pick).click();
        await details(page).getByRole('heading', { level: 2 }).waitFor();
        await eventually('the details are there', async () => await details(page).getAttribute('aria-busy') === 'false');
        await isWhole(covers ? grid.locator('nothing') : grid, name);
        if (covers) await page.keyboard.press('Escape');
      }
      await page.getByRole('tab', { name: tabs[0][0] }).click();
      await quarantine(page).getByRole('checkbox', { name: 'Select all' }).check();
      await page.locator('#redrive').click();
      await page.getByRole('dialog').waitFor();
      await isWhole(quarantine(page).locator('nothing'), `confirm-${width}${colorScheme === 'dark' ? '-dark' : ''}`);
      await page.keyboard.press('Escape');
      await quarantine(page).getByRole('checkbox', { name: 'Select all' }).uncheck();
    }
  }));
}
