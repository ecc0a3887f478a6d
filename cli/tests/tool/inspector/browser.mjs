// The inspector in a browser. Assertions check what a person sees, hears or reaches with the keyboard.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { after, afterEach, before, test } from 'node:test';

import { SCREENSHOTS, launch, newPage } from './chromium.mjs';
import { Call, LocalReceiver } from './local_receiver.mjs';
import { WIDTHS, eventually, leastContrast, unreadable } from './looks.mjs';

const VOICE_ID = '8d0c7a44-1b5e-4d7f-9f62-2f6f0d1f3a10';

let browser;
const opened = [];

before(async () => { browser = await launch(); });

after(() => browser.close());

afterEach(async () => {
  for (const { receiver, page, context, outside, errors } of opened.splice(0)) {
    await context?.close();
    if (receiver.process.exitCode === null && receiver.process.signalCode === null) await receiver.kill();
    assert.deepEqual(outside ?? [], [], 'requests that left this machine');
    assert.deepEqual(errors ?? [], [], 'errors of the page');
    void page;
  }
});

/** A receiver, and its inspector in a browser. */
const open = async ({ args, token, url, expectedErrors = /net::ERR_(CONNECTION|INCOMPLETE|EMPTY)/, ...options } = {}) => {
  const receiver = await LocalReceiver.start({ args, token });
  const all = { receiver, ...await newPage(browser, { permissions: ['clipboard-read', 'clipboard-write'], expectedErrors, ...options }) };
  const { page } = all;
  opened.push(all);
  await page.goto(url?.(receiver) ?? receiver.inspector);
  await page.getByRole('row', { name: /call\.incomingcall/ }).first().waitFor();
  return all;
};

const rows = (page) => page.getByRole('grid', { name: 'Webhooks' }).locator('tbody').getByRole('row');
const row = (page, name) => rows(page).filter({ hasText: name }).first();
/** The events that the list shows. */
const shown = (page) => rows(page).locator('visible=true').locator('.event').allTextContents();
const searchFor = (page, text) => page.getByRole('searchbox').fill(text);
const details = (page) => page.getByRole('region', { name: 'Details', exact: true });
const shot = (page, name) => page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, animations: 'disabled' });

/** A call with a gap, a duplicate and an event out of order. */
const sendTroubledCall = async (receiver) => {
  const call = new Call(VOICE_ID);
  await receiver.send(call.state('incomingcall', 0));
  await receiver.send(call.state('connected', 1.2));
  await receiver.send(call.play('initiated', 1.5));
  await receiver.send(call.play('digitcollected', 6, { digit: '2' }));
  await receiver.send(call.state('bridged', 10));
  await receiver.send(call.state('hold', 25));
  await receiver.send(call.state('hold', 25));
  await receiver.send(call.state('bridge_disconnected', 48));
  await receiver.send(call.state('disconnected', 61, { call_duration: 59.8, disconnect_reason: 'normal_clearing' }));
  await receiver.send(call.state('recording_complete', 55, { recording_url: 'https://example.com/recordings/1.wav' }));
};

test('webhooks appear as they arrive, the newest first', async () => {
  const { receiver, page } = await open();
  assert.equal(await rows(page).count(), 9);
  await receiver.send(new Call(VOICE_ID).state('hold', 3));
  await row(page, 'call.hold').waitFor();
  const cells = await rows(page).first().getByRole('gridcell').allTextContents();
  assert.match(cells[0], /^\d\d:\d\d:\d\d\.\d{3}$/);
  assert.deepEqual(cells.slice(1, 5), ['200 queued', 'call.hold', 'default', '8d0c7a44']);
  assert.match(cells[5], /^\d+ B$/);
  assert.match(cells[6], /^[\d.]+ (µs|ms)$/);
  await page.getByRole('tab', { name: 'Webhooks 10' }).waitFor();
  await page.getByRole('log', { name: 'News' }).getByText('call.hold, queued').waitFor();
});

test('a failed webhook says which step failed, why, and what to do', async () => {
  const { receiver, page } = await open();
  const event = new Call(VOICE_ID).state('ringing', 0);
  const failures = [
    [{ appId: 'another' }, 'Wrong AppID: decryption failed', 'Decrypt', /encrypted with a different AppID/, /--app-id or ENABLEX_APP_ID/],
    [{ body: '{"encrypted_data":"00zz"}' }, 'not in the format', 'Decrypt', /character 3 of encrypted_data is 'z'/, /send x-format: base64/],
    [{ body: '{"encrypted_data":"00ff00"}' }, 'Invalid ciphertext length', 'Decrypt', /not a multiple of 16 bytes/, /cut off on the way/],
    [{ headers: { 'x-algoritm': undefined } }, 'A header is missing', 'Envelope', /Header x-algoritm is missing/, /encryption for the project in the EnableX portal/],
    [{ body: '{"data":""}' }, 'no encrypted_data', 'Envelope', /no field encrypted_data/, /what EnableX sends/],
    [{ path: '/sales/x/y' }, 'No webhooks are received at this path', 'Route', /the path, the name of the app or the token is wrong/, new RegExp(`Send to ${receiver.url}`)],
  ];
  for (const [how, title, step, why, next] of failures) {
    const answer = await receiver.send(event, how);
    assert.ok(answer.status >= 400);
    await row(page, title).click();
    const wrong = details(page).getByRole('region', { name: 'What went wrong' });
    await wrong.getByRole('heading', { name: new RegExp(`^${step}: .*${title}`) }).waitFor();
    assert.match(await wrong.innerText(), why);
    assert.match(await wrong.getByRole('list').innerText(), next);
    const steps = await details(page).getByRole('list', { name: 'Steps' }).getByRole('listitem').allTextContents();
    assert.ok(steps.some((text) => text.includes(`${step} failed`)), steps.join());
    assert.ok(steps.at(-1).includes('Queue not reached'), steps.join());
  }
  await receiver.send('[1]');
  await row(page, 'is not an object').click();
  await details(page).getByRole('heading', { name: 'Event: The decrypted JSON is not an object' }).waitFor();
});

test('what was sent with the sample AppID to a receiver with another one is recognized', async () => {
  const { receiver, page } = await open({ args: ['--app-id', 'a-project-of-its-own'] });
  await receiver.send(new Call(VOICE_ID).state('hold', 0));
  await row(page, 'Wrong AppID: decryption failed').click();
  await details(page).getByText("encrypted with voicehook's sample AppID").waitFor();
  assert.ok(!(await page.content()).includes('a-project-of-its-own'));
});

test('the details show the event, the message, the request, the answer and the times', async () => {
  const { receiver, page } = await open();
  const text = `{"voice_id":"${VOICE_ID}","state":"hold","exact":1.50,"big":12345678901234567890,"a":{"b":[]},"note":"${'long '.repeat(60)}"}`;
  const answer = await receiver.send(text);
  await row(page, 'call.hold').click();
  await details(page).getByRole('heading', { name: 'call.hold', level: 2 }).waitFor();
  const event = await details(page).getByLabel('Decrypted event').locator('pre').innerText();
  assert.match(event, /^\{\n {2}"voice_id": "8d0c7a44/);
  assert.match(event, /"exact": 1\.50,\n {2}"big": 12345678901234567890,\n {2}"a": \{\n {4}"b": \[\]\n {2}\},/);
  const facts = async (name) => Object.fromEntries(await details(page).getByRole('table', { name, exact: true }).getByRole('row').evaluateAll(
    (all) => all.map((one) => [one.cells[0].textContent, one.cells[1].textContent])));
  const message = await facts('SQS message');
  assert.equal(message.MessageGroupId, `default:${VOICE_ID}`);
  assert.equal(message.MessageId, 'in memory');
  const attributes = await facts('Attributes');
  assert.match(attributes.event_id, /^[0-9a-f]{64}$/);
  assert.equal(message.MessageDeduplicationId, attributes.event_id);
  assert.equal(attributes.request_id, answer.headers.get('x-request-id'));
  assert.equal(attributes.event_type, 'call.hold');
  assert.equal(attributes.content_type, 'application/json');
  assert.equal((await facts('Request headers'))['x-algoritm'], 'aes-256-cbc');
  assert.deepEqual(Object.keys(await facts('Answer headers')), ['content-type', 'x-request-id']);
  const request = details(page).getByRole('region', { name: 'Request', exact: true });
  await request.getByText('POST /webhook HTTP/1.1').waitFor();
  const shown = async () => (await request.locator('pre').last().innerText()).length;
  assert.ok(await shown() < 400);
  await request.getByRole('button', { name: /^Show all [\d,]+ characters$/ }).click();
  assert.ok(await shown() > 800);
  const stages = await facts('Time per stage');
  assert.deepEqual(Object.keys(stages), ['parse', 'AppID', 'decrypt', 'publish', 'rest']);
  await request.getByRole('button', { name: 'Copy as curl' }).click();
  const curl = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(curl, new RegExp(`^curl -i '${receiver.url}' -H '.*-H 'x-format: hex'.* --data-binary '\\{"encrypted_data":"[0-9a-f]+"\\}'$`));
});

test('with a quarantine a webhook that does not open is answered with 200, and shown with what went wrong', async () => {
  const { receiver, page } = await open({ args: ['--quarantine'] });
  const answer = await receiver.send(new Call(VOICE_ID).state('ringing', 0), { appId: 'another' });
  assert.deepEqual([answer.status, await answer.text()], [200, '{}']);
  const refused = row(page, 'Wrong AppID: decryption failed');
  await refused.click();
  assert.equal((await refused.getByRole('gridcell').allTextContents())[1], '200 quarantined');
  const wrong = details(page).getByRole('region', { name: 'What went wrong' });
  await wrong.getByRole('heading', { name: 'Decrypt: Wrong AppID: decryption failed' }).waitFor();
  assert.match(await wrong.innerText(), /kept in quarantine, so the answer is 200/);
  await details(page).getByText('200 quarantined').waitFor();
  await page.getByRole('log', { name: 'News' }).getByText('quarantined: Wrong AppID').waitFor();
  assert.match(await refused.getAttribute('class'), /bad/);
});

/** An application that events are posted to. It refuses the first post of `bridged`, and every `hold`. */
const startApplication = async () => {
  let bridged = 0;
  const server = http.createServer((request, response) => {
    const type = request.headers['x-voicehook-event-type'];
    const refuses = type === 'call.hold' || (type === 'call.bridged' && (bridged += 1) === 1);
    response.writeHead(refuses ? 500 : 200, { 'content-type': 'application/json' });
    response.end(type === 'call.connected' ? '{"play": {"text": "it\u2019s me"}}' : '');
    request.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
};

test('what the application answers is a step of the webhook and of its call, with the ACTIONS entry that would give it', async (context) => {
  const application = await startApplication();
  context.after(() => application.close());
  const { receiver, page } = await open({ args: ['--forward-to', String(application.address().port), '--forward-attempts', '2'] });
  const call = new Call(VOICE_ID);
  for (const [second, state] of ['incomingcall', 'connected', 'hold', 'disconnected'].entries()) await receiver.send(call.state(state, second));
  const mine = (name) => rows(page).filter({ hasText: name }).filter({ hasText: '8d0c7a44' }).first();
  await mine('call.connected').click();
  const part = details(page).getByRole('region', { name: 'Your application' });
  await part.getByText('answered 200').first().waitFor();
  const steps = () => details(page).getByRole('list', { name: 'Steps' }).getByRole('listitem').allTextContents();
  assert.match((await steps()).at(-1), /Application passed/);
  await part.getByRole('button', { name: 'Copy ACTIONS' }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, `ACTIONS='{"call.connected":{"play":{"text":"it\u2019s me"}}}'`);
  const answer = details(page).getByRole('region', { name: 'Answer', exact: true });
  assert.match(await answer.locator('pre').last().innerText(), /^\{\}$/);
  await shot(page, 'application');

  await mine('call.hold').click();
  await part.getByText('answered 500, attempt 2, given up').waitFor();
  assert.match((await steps()).at(-1), /Application failed/);
  await part.getByText('Look at the log of your application').waitFor();
  await shot(page, 'application-failed');
  assert.equal(await part.getByRole('table', { name: 'Attempts' }).getByRole('row').count(), 2);
  await mine('call.disconnected').locator('.note.application.taken').waitFor();
  assert.equal(await mine('call.hold').getAttribute('aria-selected'), 'true');

  await page.getByRole('tab', { name: /^Calls/ }).click();
  await page.getByRole('grid', { name: 'Calls' }).getByRole('row', { name: /8d0c7a44/ }).click();
  await details(page).getByRole('img', { name: /Your application has taken 3, 0 are posted, 1 were given up/ }).waitFor();
  await shot(page, 'application-call');
  await page.setViewportSize({ width: 390, height: 800 });
  await shot(page, 'application-call-390');
});

test('a key that is pressed twice is two events, and no duplicate', async () => {
  const { receiver, page } = await open();
  const call = new Call(VOICE_ID);
  await receiver.send(call.state('incomingcall', 0));
  await receiver.send(call.state('connected', 1));
  for (let time = 0; time < 2; time += 1) {
    await receiver.send(call.playWithoutTimestamp('initiated'));
    await receiver.send(call.playWithoutTimestamp('digitcollected', { digit: '4' }));
  }
  await receiver.send(call.state('disconnected', 9));
  await row(page, 'call.disconnected').filter({ hasText: '8d0c7a44' }).waitFor();
  await page.getByRole('tab', { name: 'Webhooks 16' }).waitFor();
  assert.equal(await rows(page).filter({ hasText: '8d0c7a44' }).filter({ hasText: 'play.digitcollected' }).count(), 2);
  assert.equal(await rows(page).locator('.note').count(), 0);
  await page.getByRole('tab', { name: 'Calls 2' }).click();
  await page.getByRole('grid', { name: 'Calls' }).getByRole('row', { name: /8d0c7a44/ }).click();
  await details(page).getByText('No issues: no gaps, no duplicates, all events in order.').waitFor();
  const drawn = await details(page).getByRole('img', { name: /^Timeline/ }).locator('text').allTextContents();
  assert.equal(drawn.filter((label) => label.startsWith('welcome: pres')).length, 2, drawn.join());
});

test('events of every generation of the API make one call', async () => {
  const { receiver, page } = await open();
  const call = new Call(VOICE_ID);
  const numbers = { from: '+12025550123', to: '+12025550187' };
  for (const event of [
    { voice_Id: VOICE_ID, state: 'Incoming call', ...numbers, timestamp: call.at(0) },
    { event: 'connected', voiceId: VOICE_ID },
    { event: 'initiated', voice_id: VOICE_ID, prompt_ref: 'menu' },
    { event: 'digitcollected', voice_id: VOICE_ID, prompt_ref: 'menu', digits: '42' },
    { playstate: 'initiated', voice_id: VOICE_ID, prompt_ref: 'ask', play_id: '2' },
    { playstate: 'speech_recognized', voice_id: VOICE_ID, prompt_ref: 'ask', play_id: '2', reason: 'completed', text: 'sales' },
    { state: 'dtmfcollected', voice_id: VOICE_ID, digit: 5 },
    { event: 'disconnected', voice_id: VOICE_ID },
  ]) await receiver.send(event);
  await page.getByRole('tab', { name: 'Calls 2' }).click();
  await page.getByRole('tab', { name: 'Webhooks 17' }).waitFor();
  await page.getByRole('grid', { name: 'Calls' }).getByRole('row', { name: /8d0c7a44/ }).filter({ hasText: 'ended' }).click();
  await details(page).getByText('No issues: no gaps, no duplicates, all events in order.').waitFor();
  const events = await details(page).getByRole('table', { name: 'Events of the call' }).getByRole('row').allInnerTexts();
  const types = ['call.incomingcall', 'call.connected', 'play.initiated', 'play.digitcollected', 'play.initiated',
    'play.speech_recognized', 'call.dtmfcollected', 'call.disconnected'];
  assert.deepEqual(events.slice(1).map((text) => types.find((type) => text.includes(type))), types);
  assert.match(events[4], /menu, pressed 42/);
  assert.match(events[6], /ask, “sales”, completed/);
  assert.match(events[7], /pressed 5/);
});

test('a replay sends the same bytes again, and is a duplicate of an event that proves its identity', async () => {
  const { receiver, page } = await open();
  await receiver.send(new Call(VOICE_ID).state('hold', 3));
  await row(page, 'call.hold').click();
  await details(page).getByRole('button', { name: 'Replay' }).click();
  const again = row(page, 'replay');
  await again.click();
  assert.deepEqual(await again.locator('.note').allTextContents(), ['duplicate', 'replay']);
  await details(page).getByText('replay of webhook 10').waitFor();
  await details(page).getByText('duplicate of webhook 10').waitFor();
  const body = details(page).getByRole('region', { name: 'Request', exact: true }).locator('pre').last();
  const replayed = await body.innerText();
  await details(page).getByRole('button', { name: 'webhook 10' }).first().click();
  await details(page).getByText('replay of').waitFor({ state: 'hidden' });
  assert.equal(await body.innerText(), replayed);
  await receiver.send(new Call(VOICE_ID).playWithoutTimestamp('menutimeout'));
  await row(page, 'play.menutimeout').click();
  await details(page).getByRole('heading', { name: 'play.menutimeout' }).waitFor();
  await details(page).getByRole('button', { name: 'Replay' }).click();
  const other = rows(page).filter({ hasText: 'play.menutimeout' }).filter({ hasText: 'replay' });
  await other.waitFor();
  assert.deepEqual(await other.locator('.note').allTextContents(), ['replay']);
  await other.click();
  await details(page).getByText('not a duplicate: nothing in the event proves that both are the same').waitFor();
});

test('a call is drawn as a timeline with its gap, its duplicate and its late event', async () => {
  const { receiver, page } = await open();
  await sendTroubledCall(receiver);
  await receiver.send(new Call(VOICE_ID).state('ringing', 0), { appId: 'another' });
  await row(page, 'Wrong AppID: decryption failed').waitFor();
  await page.getByRole('tab', { name: 'Calls 2' }).click();
  const call = page.getByRole('grid', { name: 'Calls' }).getByRole('row', { name: /8d0c7a44/ });
  assert.match(await call.innerText(), /ended.*8d0c7a44.*gap.*late.*duplicate/s);
  await call.click();
  const timeline = details(page).getByRole('img', { name: /^Timeline of the call: call\.incomingcall after 0 s, call\.connected after 1\.2 s/ });
  await timeline.waitFor();
  const drawn = await timeline.locator('text').allTextContents();
  for (const label of ['incoming', 'connected', 'bridging?', 'bridged', 'hold', 'ended', 'recording', '+25 s']) {
    assert.ok(drawn.includes(label), `${label} is not among ${drawn}`);
  }
  assert.ok(drawn.some((label) => label.startsWith('welcome: pressed 2')), drawn.join());
  const notices = await details(page).getByRole('region', { name: 'Issues' }).getByRole('listitem').allInnerTexts();
  assert.equal(notices.length, 3);
  assert.match(notices[2], /Duplicate\s*One duplicate delivery\s*call\.hold: #7 is a duplicate of #6\..*Events that do not prove their identity, such as a key press/s);
  assert.match(notices[1], /Out of order\s*One event arrived late\s*call\.recording_complete, #10, happened 6\.0 s before call\.disconnected, #9/);
  assert.match(notices[0], /Gap\s*One event is missing\s*call\.bridging is missing before call\.bridged, #5.*1 webhook from around that time could not be decrypted/s);
  const events = await details(page).getByRole('table', { name: 'Events of the call' }).getByRole('row').allInnerTexts();
  assert.equal(events.length, 11);
  assert.match(events[10], /call\.disconnected/);
  await timeline.locator('.dot.late circle').click();
  await details(page).getByRole('heading', { name: 'call.recording_complete' }).waitFor();
});

test('a call that goes on while it is looked at keeps the focus where it is', async () => {
  const { receiver, page } = await open();
  const call = new Call(VOICE_ID);
  await receiver.send(call.state('incomingcall', 0));
  await row(page, '8d0c7a44').click();
  await details(page).getByRole('button', { name: '8d0c7a44' }).click();
  const link = details(page).getByRole('button', { name: 'call.incomingcall' });
  await link.focus();
  await receiver.send(call.state('connected', 2));
  await details(page).getByRole('button', { name: 'call.connected' }).waitFor();
  assert.ok(await link.evaluate((element) => element === document.activeElement));
  await details(page).getByText('connected', { exact: true }).first().waitFor();
});

test('a call without trouble says so', async () => {
  const { page } = await open();
  await page.getByRole('button', { name: 'Send…' }).click();
  await page.getByRole('checkbox', { name: 'Send without delays' }).check();
  await page.getByRole('button', { name: /^voice-bot/ }).click();
  await page.getByText('Playing voice-bot.').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('tab', { name: 'Calls 2' }).click();
  const call = page.getByRole('grid', { name: 'Calls' }).locator('tbody').getByRole('row').filter({ hasText: 'ended' }).first();
  await call.click();
  await details(page).getByText('webhooks 10').waitFor();
  await details(page).getByText('No issues: no gaps, no duplicates, all events in order.').waitFor();
});

test('a sample event goes to the selected call', async () => {
  const { receiver, page } = await open();
  await receiver.send(new Call(VOICE_ID).state('incomingcall', 0));
  await row(page, '8d0c7a44').click();
  await page.getByRole('button', { name: 'Send…' }).click();
  await page.getByRole('checkbox', { name: 'of the selected call' }).check();
  await page.getByRole('button', { name: 'play.menutimeout' }).click();
  await page.getByText('Sent play.menutimeout: answered 200.').waitFor();
  assert.match(await row(page, 'play.menutimeout').innerText(), /8d0c7a44/);
});

test('everything is reached with the keyboard alone', async () => {
  const { page } = await open();
  const focused = (locator) => eventually('the focus is there', () => locator.evaluate((element) => element === document.activeElement).catch(() => false));
  const selected = page.getByRole('row', { selected: true });
  await page.keyboard.press('j');
  await focused(rows(page).first());
  await page.keyboard.press('j');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('k');
  await focused(rows(page).nth(1));
  assert.equal(await selected.count(), 1);
  const outline = await rows(page).nth(1).evaluate((element) => getComputedStyle(element).outlineStyle);
  assert.equal(outline, 'solid');
  await page.keyboard.press('End');
  await focused(rows(page).last());
  await page.keyboard.press('Enter');
  await focused(details(page).getByRole('heading', { name: 'call.incomingcall' }));
  await page.keyboard.press('r');
  await row(page, 'replay').waitFor();
  await page.keyboard.press('Escape');
  await focused(selected);
  await page.keyboard.press('/');
  const filter = page.getByRole('searchbox', { name: /^Filter/ });
  await focused(filter);
  await page.keyboard.type('bridged');
  await eventually('only what is found is shown', async () => (await shown(page)).join() === 'call.bridged');
  await page.keyboard.press('Enter');
  await focused(row(page, 'call.bridged'));
  await page.keyboard.press('2');
  await page.keyboard.press('j');
  await page.keyboard.press('/');
  await page.keyboard.press('Escape');
  assert.equal(await filter.inputValue(), '');
  await page.keyboard.press('j');
  await details(page).getByRole('heading', { name: /^Call / }).waitFor();
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keyboard' });
  await help.waitFor();
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'hidden' });
  await page.keyboard.press('s');
  await focused(page.getByRole('button', { name: /^inbound-ivr/ }));
  await page.keyboard.press('Escape');
  await page.keyboard.press('1');
  const calls = page.getByRole('tab', { name: /^Calls/ });
  await page.getByRole('tab', { name: /^Webhooks/ }).focus();
  await page.keyboard.press('ArrowRight');
  await focused(calls);
  assert.equal(await calls.getAttribute('aria-selected'), 'true');
});

test('single-key shortcuts can be switched off', async () => {
  const { page } = await open();
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
  await page.getByRole('checkbox', { name: 'Enable single-key shortcuts' }).uncheck();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await page.keyboard.press('p');
  assert.equal(await page.getByRole('button', { name: 'Pause' }).getAttribute('aria-pressed'), 'false');
});

test('a screen reader finds landmarks, and a name on every control', async () => {
  const { page } = await open();
  await rows(page).first().click();
  await details(page).getByRole('heading', { level: 2 }).waitFor();
  for (const role of ['banner', 'main', 'search']) assert.equal(await page.getByRole(role).count(), 1, role);
  await page.getByRole('tablist', { name: 'View' }).waitFor();
  await page.getByRole('tabpanel', { name: /^Webhooks/ }).waitFor();
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  assert.deepEqual(await page.getByRole('columnheader').allTextContents(), ['Time', 'Outcome', 'Event', 'App', 'Call', 'Size', 'Took']);
  assert.equal(await page.title(), 'voicehook inspector');
  await page.getByRole('button', { name: 'Send…' }).click();
  const heard = await page.locator('body').ariaSnapshot();
  const nameless = heard.split('\n').filter((line) => /^\s*- (button|checkbox|searchbox|tab|img|table|grid|dialog|region|link)(\s*\[.*\])?:?$/.test(line));
  assert.deepEqual(nameless, []);
});

test('a screen reader finds the same tables on a phone, where rows have two lines', async () => {
  const { page } = await open({ viewport: { width: 390, height: 800 } });
  const devtools = await page.context().newCDPSession(page);
  for (const [view, columns, count] of [['Webhooks', 7, 9], ['Calls', 6, 1]]) {
    await page.getByRole('tab', { name: new RegExp(`^${view}`) }).click();
    const { nodes } = await devtools.send('Accessibility.getFullAXTree');
    const heard = (role) => nodes.filter((node) => !node.ignored && node.role?.value === role).length;
    assert.deepEqual(['grid', 'row', 'columnheader', 'gridcell'].map(heard), [1, 1 + count, columns, count * columns], view);
  }
});

test('hostile text in a webhook stays text', async () => {
  const { receiver, page } = await open({ expectedErrors: /TrustedHTML/ });
  const hostile = '<img src=x onerror="window.broken = 1"><script>window.broken = 2</script>';
  const event = { voice_id: hostile, state: hostile, from: `"><svg onload=alert(1)>`, to: '\u202e321', prompt_ref: hostile, [hostile]: hostile };
  await receiver.send(event, { headers: { 'x-note': hostile } });
  await row(page, 'call.imgsrcx').click();
  await details(page).getByRole('heading', { name: /^call\.imgsrcxonerror/ }).waitFor();
  await details(page).getByText(String.raw`\u202e321`).first().waitFor();
  await page.getByRole('tab', { name: /^Calls/ }).click();
  await page.getByRole('grid', { name: 'Calls' }).getByRole('row', { name: /<img/ }).click();
  await details(page).getByRole('img', { name: /^Timeline/ }).waitFor();
  assert.equal(await page.evaluate(() => window.broken), undefined);
  assert.equal(await page.locator('img:not([src="/_inspect/icon.svg"]), main script, svg[onload]').count(), 0);
  const refused = await page.evaluate(() => {
    try {
      document.body.innerHTML = '<b>markup</b>';
      return false;
    } catch {
      return true;
    }
  });
  assert.ok(refused, 'the content security policy lets text become markup');
});

test('a page that loses the connection says so, comes back, and has missed nothing', async () => {
  const sockets = new Set();
  let target;
  let isUp = true;
  const proxy = net.createServer((socket) => {
    if (!isUp) return socket.destroy();
    const onward = net.connect(target, '127.0.0.1');
    for (const end of [socket, onward]) {
      sockets.add(end);
      end.on('error', () => {}).on('close', () => { sockets.delete(end); socket.destroy(); onward.destroy(); });
    }
    return socket.pipe(onward).pipe(socket);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const { receiver, page } = await open({
      url: ({ inspector }) => {
        target = Number(new URL(inspector).port);
        return `http://127.0.0.1:${proxy.address().port}${new URL(inspector).pathname}${new URL(inspector).search}`;
      },
    });
    await rows(page).first().click();
    isUp = false;
    sockets.forEach((socket) => socket.destroy());
    await page.getByRole('alert').getByText('Lost the connection to voicehook dev').waitFor();
    await receiver.send(new Call(VOICE_ID).state('hold', 0));
    isUp = true;
    await row(page, 'call.hold').waitFor();
    await page.getByRole('alert').waitFor({ state: 'hidden' });
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
    assert.equal(await rows(page).count(), 10);
    assert.equal(await page.getByRole('row', { selected: true }).count(), 1, 'the selection is lost');
  } finally {
    proxy.close();
  }
});

test('a receiver that is started again with the same token begins a new list', async () => {
  const token = 'a-token-of-the-test';
  const all = await open({ token });
  const { receiver, page } = all;
  await receiver.send(new Call(VOICE_ID).state('hold', 0));
  await row(page, 'call.hold').waitFor();
  assert.equal(await receiver.interrupt(), 0, 'Ctrl-C while a browser looks on');
  await page.getByRole('alert').getByText('Is it still running').waitFor();
  all.receiver = await LocalReceiver.start({ listen: new URL(receiver.url).host, token });
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  await eventually('only what is new is listed', async () => await rows(page).count() === 9 && await row(page, 'call.hold').count() === 0);
});

test('a receiver that is started again with a new token asks for the new URL, and then this page goes on', async () => {
  const all = await open({ expectedErrors: /net::ERR_|status of 401/ });
  const { receiver, page, context } = all;
  await receiver.interrupt();
  all.receiver = await LocalReceiver.start({ listen: new URL(receiver.url).host });
  await page.getByRole('alert').getByText('Open the URL that it printed').waitFor();
  const other = await context.newPage();
  await other.goto(all.receiver.inspector);
  await row(other, 'call.incomingcall').waitFor();
  await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
  await page.getByRole('alert').waitFor({ state: 'hidden' });
});

test('the token leaves the address bar and the history, and no link carries it', async () => {
  const { receiver, page, context } = await open({ expectedErrors: /status of 401/ });
  const { token, origin } = { token: new URL(receiver.inspector).searchParams.get('token'), origin: new URL(receiver.inspector).origin };
  assert.match(token, /^[0-9a-f]{48}$/);
  assert.equal(page.url(), `${origin}/_inspect`);
  const [cookie] = await context.cookies();
  assert.deepEqual([cookie.value, cookie.httpOnly, cookie.sameSite, cookie.path], [token, true, 'Strict', '/_inspect']);
  await row(page, 'call.incomingcall').click();
  await details(page).getByRole('heading', { name: 'call.incomingcall' }).waitFor();
  assert.ok(!(await page.content()).includes(token));
  assert.equal(await page.evaluate(() => document.cookie), '');
  await page.goBack();
  assert.equal(page.url(), 'about:blank');
  await page.goto(receiver.inspector);
  await row(page, 'call.incomingcall').waitFor();
  assert.equal(page.url(), `${origin}/_inspect`);
  // A terminal in a browser, on another site, opens it too.
  const stranger = await (await browser.newContext()).newPage();
  await stranger.goto(`${origin}/_inspect`);
  await stranger.getByRole('heading', { name: 'The inspector needs its token' }).waitFor();
  await stranger.screenshot({ path: `${SCREENSHOTS}/locked.png` });
  await stranger.goto(`data:text/html,<a href="${receiver.inspector}">link</a>`);
  await stranger.getByRole('link').click();
  await row(stranger, 'call.incomingcall').waitFor();
  await stranger.context().close();
});

test('a replay says that it runs, how it went, and what it cannot', async () => {
  const { receiver, page } = await open({ expectedErrors: /net::ERR_|status of 404/ });
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  await page.route('**/replay', async (route) => { await held; await route.continue(); });
  await row(page, 'call.incomingcall').click();
  const button = details(page).getByRole('button', { name: 'Replay' });
  await button.click();
  await details(page).getByRole('button', { name: 'Replaying…' }).waitFor();
  assert.equal(await details(page).getByRole('button', { name: 'Replaying…' }).getAttribute('aria-disabled'), 'true');
  await page.keyboard.press('r');
  release();
  await details(page).getByText('Replayed as webhook 10: 200 queued').waitFor();
  assert.ok(await button.evaluate((element) => element === document.activeElement), 'the focus is lost');
  assert.equal(await rows(page).count(), 10, 'it is replayed once');
  await shot(page, 'replayed');
  await details(page).getByRole('button', { name: 'webhook 10' }).click();
  await details(page).getByText('replay of webhook 1').waitFor();
  await page.unroute('**/replay');
  await fetch(`${new URL(receiver.inspector).origin}/_inspect/api/clear`, { method: 'POST', headers: { 'x-voicehook-inspect-token': new URL(receiver.inspector).searchParams.get('token') } });
  await page.getByText('10 webhooks cleared.').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await row(page, 'replay').click();
  await details(page).getByText('replay of webhook 1').waitFor();
  const call = new Call(VOICE_ID);
  for (let sent = 0; sent < 500; sent += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, at) => receiver.send(call.state('hold', sent + at))));
  }
  await page.getByRole('tab', { name: 'Webhooks 500' }).waitFor();
  await eventually('it is evicted', async () => await row(page, 'replay').count() === 0);
  await details(page).getByRole('button', { name: 'Replay' }).click();
  await details(page).getByText('Webhook 10 is no longer kept, so it cannot be replayed.').waitFor();
  await details(page).getByRole('button', { name: 'webhook 1', exact: true }).first().click();
  await details(page).getByText('Webhook 1 is no longer kept.').waitFor();
  await row(page, 'call.hold').click();
  await details(page).getByRole('heading', { name: 'call.hold' }).waitFor();
  await receiver.kill();
  await details(page).getByRole('button', { name: 'Replay' }).click();
  await details(page).getByText('Replay failed: voicehook dev does not answer').waitFor();
});

test('what was cleared comes back by a button or a key', async () => {
  const { receiver, page } = await open();
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  const notice = page.getByRole('status').filter({ hasText: '9 webhooks cleared.' });
  await notice.waitFor();
  await page.getByRole('heading', { name: 'Waiting for a webhook' }).waitFor();
  await receiver.send(new Call(VOICE_ID).state('hold', 0));
  await row(page, 'call.hold').waitFor();
  await shot(page, 'cleared');
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('tab', { name: 'Webhooks 10' }).waitFor();
  assert.match(await rows(page).first().innerText(), /call\.hold/);
  assert.equal(await notice.count(), 0);
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await page.getByText('10 webhooks cleared.').waitFor();
  await page.keyboard.press('u');
  await page.getByRole('tab', { name: 'Webhooks 10' }).waitFor();
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await page.getByText('10 webhooks cleared.').waitFor({ state: 'detached' });
});

test('a large event is folded, and shown whole on demand', async () => {
  const { receiver, page } = await open();
  const large = { voice_id: VOICE_ID, state: 'hold', note: 'x'.repeat(900_000) };
  const many = { voice_id: VOICE_ID, state: 'joined', list: Array.from({ length: 40_000 }, (_, at) => at) };
  for (const [event, least] of [[large, 900_000], [many, 200_000]]) {
    await receiver.send(event);
    await row(page, `call.${event.state}`).click();
    await details(page).getByRole('heading', { name: `call.${event.state}` }).waitFor();
    const shown = details(page).getByRole('region', { name: 'Decrypted event' });
    const length = () => shown.locator('pre').evaluate((pre) => pre.textContent.length);
    assert.ok(await length() < 20_000, `${await length()} characters at first`);
    assert.ok(await page.evaluate(() => document.querySelectorAll('*').length) < 6000);
    if (event === large) await shot(page, 'large');
    await shown.getByRole('button', { name: /^Show all [\d,]+ characters$/ }).click();
    assert.ok(await length() > least);
    await shown.getByRole('button', { name: 'Show less' }).click();
    assert.ok(await length() < 20_000);
  }
});

test('a binary body is a hex dump with its size', async () => {
  const { receiver, page } = await open();
  const body = Buffer.concat([Buffer.from([0x1f, 0x8b, 0x08, 0x00, 0xff]), Buffer.from('plain <b>'), Buffer.alloc(5000, 0xfe)]);
  await receiver.send({}, { body });
  await row(page, 'The body is not valid JSON').click();
  const request = details(page).getByRole('region', { name: 'Request', exact: true });
  await request.getByRole('heading', { name: 'Body, binary, 5,014 bytes' }).waitFor();
  const dump = request.getByRole('group', { name: 'Body as a hex dump' });
  const lines = async () => (await dump.innerText()).split('\n');
  assert.match((await lines())[0], /^00000000 {2}1f 8b 08 00 ff 70 6c 61/);
  assert.match((await lines())[0], /\|\.{5}pla/);
  assert.ok(!(await page.content()).includes('\ufffd'));
  const first = (await lines()).length;
  await shot(page, 'binary');
  await request.getByRole('button', { name: 'Show all 5,014 bytes' }).click();
  assert.ok((await lines()).length > 4 * first);
  await request.getByRole('button', { name: 'Copy as curl' }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^printf %s 1f8b0800ff\w+ \| xxd -r -p \| curl -i '.*' .*--data-binary @-$/);
});

test('pausing holds back what comes, and clearing leaves the first steps', async () => {
  const { receiver, page } = await open();
  await page.getByRole('button', { name: 'Pause' }).click();
  await receiver.send(new Call(VOICE_ID).state('hold', 0));
  await page.getByRole('button', { name: 'Resume (1 new)' }).waitFor();
  assert.equal(await row(page, 'call.hold').count(), 0);
  await page.getByRole('button', { name: 'Resume (1 new)' }).click();
  await row(page, 'call.hold').waitFor();
  await page.getByRole('searchbox').fill('nothing like it');
  await page.getByRole('heading', { name: 'Nothing matches the filter' }).waitFor();
  await page.getByRole('button', { name: 'Clear filter' }).click();
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await page.getByRole('heading', { name: 'Waiting for a webhook' }).waitFor();
  const panel = page.getByRole('tabpanel');
  await panel.getByText(`voicehook trigger disconnected --url ${receiver.url}`).waitFor();
  await panel.getByText(new RegExp(`curl -i ${receiver.url} -H .*encrypted_data`)).waitFor();
  await shot(page, 'empty');
  await page.getByRole('button', { name: 'Send an event or a call' }).click();
  await page.getByRole('button', { name: 'call.ringing' }).click();
  await row(page, 'call.ringing').waitFor();
});

test('the oldest webhooks make room, here as in the receiver', async () => {
  const { receiver, page } = await open();
  const call = new Call(VOICE_ID);
  for (let sent = 0; sent < 500; sent += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, at) => receiver.send(call.state('hold', sent + at))));
  }
  await page.getByRole('tab', { name: 'Webhooks 500' }).waitFor();
  await eventually('the list has 500 rows', async () => await rows(page).count() === 500);
  assert.equal(await row(page, 'call.incomingcall').count(), 0);
});

test('on a phone the details cover the list, and a button leads back', async () => {
  const { receiver, page } = await open({ viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true });
  await receiver.send(new Call(VOICE_ID).state('hold', 0), { appId: 'another' });
  await row(page, 'Wrong AppID: decryption failed').tap();
  await details(page).getByRole('heading', { name: 'Decrypt: Wrong AppID: decryption failed' }).waitFor();
  await shot(page, 'phone-details');
  await details(page).getByRole('button', { name: 'List' }).tap();
  await details(page).waitFor({ state: 'hidden' });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  assert.ok(!wide, 'the page scrolls sideways');
  await shot(page, 'phone-list');
  await page.getByRole('button', { name: 'Send…' }).tap();
  await shot(page, 'phone-send');
  assert.ok(await page.getByRole('button', { name: /^inbound-ivr/ }).isVisible());
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Keyboard shortcuts' }).tap();
  await shot(page, 'phone-help');
});

test('the search finds words in all of an event, and filters look at one thing', async () => {
  const { receiver, page } = await open({ args: ['--quarantine'] });
  const call = new Call(VOICE_ID);
  await receiver.send(call.state('hold', 1, { custom_data: { order: 'A-17', note: `${'long '.repeat(200)} Zürich` } }));
  await receiver.send(call.playWithoutTimestamp('digitcollected', { digit: '7' }));
  await receiver.send(call.playWithoutTimestamp('digitcollected', { digit: '*' }));
  await receiver.send(call.state('ringing', 0), { appId: 'another' });
  await page.getByRole('tab', { name: 'Webhooks 13' }).waitFor();
  for (const [search, found] of [
    ['zürich', ['call.hold']],
    ['event.custom_data.order:a-17', ['call.hold']],
    ['type:play.* digit:7', ['play.digitcollected']],
    ['digit:*', ['play.digitcollected']],
    ['is:failed', ['Wrong AppID: decryption failedPOST /webhook']],
    ['"another AppID"', []],
    ['"different AppID" outcome:quarantined', ['Wrong AppID: decryption failedPOST /webhook']],
    ['type:call.h*,call.bridged -event.custom_data.order:*', ['call.bridged']],
  ]) {
    await searchFor(page, search);
    await eventually(search, async () => JSON.stringify(await shown(page)) === JSON.stringify(found));
  }
  await page.getByRole('tab', { name: 'Webhooks 1 of 13' }).waitFor();
  await searchFor(page, 'digit:7');
  await eventually('one is found', async () => (await shown(page)).length === 1);
  await receiver.send(call.playWithoutTimestamp('digitcollected', { digit: '7' }));
  await receiver.send(call.state('joined', 2));
  await page.getByRole('tab', { name: 'Webhooks 2 of 15' }).waitFor();
  assert.equal((await shown(page)).length, 2);
  await page.getByRole('tab', { name: 'Calls 1 of 2' }).click();
  await searchFor(page, 'ended');
  await page.getByRole('tab', { name: 'Calls 1 of 2' }).waitFor();
  await searchFor(page, '');
  await page.getByRole('tab', { name: 'Calls 2', exact: true }).waitFor();
});

test('a filter without meaning is named beside the field, and the list stays as it is', async () => {
  const { page } = await open({ expectedErrors: /status of 400/ });
  await searchFor(page, 'type:play.*');
  await eventually('two are shown', async () => (await shown(page)).length === 2);
  await searchFor(page, 'type:play.* stauts:4xx');
  await page.getByText('stauts: is not a filter; the filters are status, type').waitFor();
  const field = page.getByRole('searchbox');
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  assert.equal((await shown(page)).length, 2);
  await shot(page, 'filter-problem');
  await searchFor(page, 'type:play.* status:2xx');
  await eventually('the field is right', async () => await field.getAttribute('aria-invalid') === 'false');
  await page.keyboard.press('Escape');
  await eventually('all are shown', async () => (await shown(page)).length === 9);
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByRole('dialog', { name: 'Filters' }).getByRole('button', { name: 'type:play.*' }).click();
  await eventually('two are shown', async () => (await shown(page)).length === 2);
  assert.ok(await field.evaluate((element) => element === document.activeElement), 'the focus is not in the field');
});

test('words of the search are marked in the details', async () => {
  const { receiver, page } = await open();
  await receiver.send(new Call(VOICE_ID).state('hold', 1, { note: 'an Umbrella and an umbrella' }));
  await searchFor(page, 'umbrella type:call.*');
  await row(page, 'call.hold').click();
  await details(page).getByRole('heading', { name: 'call.hold' }).waitFor();
  await eventually('both are marked', () => page.evaluate(() => CSS.highlights.get('found')?.size === 2));
  await shot(page, 'marked');
});

test('a view, a webhook and a call can be linked, and no link carries the token', async () => {
  const { receiver, page, context } = await open({ expectedErrors: /status of 40[14]/ });
  const { origin, searchParams } = new URL(receiver.inspector);
  await receiver.send(new Call(VOICE_ID).state('hold', 1));
  await searchFor(page, 'type:call.h* -app:sales');
  await eventually('one is shown', async () => (await shown(page)).length === 1);
  const view = page.url();
  assert.equal(view, `${origin}/_inspect#q=type:call.h*+-app:sales`);
  await row(page, 'call.hold').click();
  await details(page).getByRole('button', { name: 'Copy link' }).click();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(link, /#q=type:call\.h\*\+-app:sales&webhook=local-[0-9a-f]+-10$/);
  assert.ok(!link.includes(searchParams.get('token')));
  const other = await context.newPage();
  await other.goto(link);
  await details(other).getByRole('heading', { name: 'call.hold' }).waitFor();
  await eventually('one is shown', async () => (await shown(other)).length === 1);
  assert.equal(await other.getByRole('searchbox').inputValue(), 'type:call.h* -app:sales');
  await eventually('the row is selected', async () => await other.getByRole('row', { selected: true }).count() === 1);
  await details(other).getByRole('button', { name: '8d0c7a44' }).click();
  await details(other).getByRole('heading', { name: 'Call 8d0c7a44' }).waitFor();
  assert.equal(new URL(other.url()).hash, `#view=calls&q=type:call.h*+-app:sales&call=${VOICE_ID}`);
  await page.goto(other.url());
  await details(page).getByRole('heading', { name: 'Call 8d0c7a44' }).waitFor();
  await page.goto(`${origin}/_inspect#webhook=local-0-1`);
  await page.getByText('The webhook of this link is no longer kept.').waitFor();
  await page.getByRole('tab', { name: 'Webhooks 10' }).waitFor();
  // From a chat in the browser, on another site.
  await other.goto(`data:text/html,<a href="${encodeURIComponent(link)}">link</a>`);
  await other.getByRole('link').click();
  await details(other).getByRole('heading', { name: 'call.hold' }).waitFor();
  assert.equal(other.url(), link);
  const stranger = await (await browser.newContext()).newPage();
  await stranger.goto(link);
  await stranger.getByRole('heading', { name: 'The inspector needs its token' }).waitFor();
  await stranger.context().close();
});

test('with a history webhooks, numbers and links outlast a restart', async () => {
  const token = 'a-token-of-the-test';
  const file = `history-${process.pid}.jsonl`;
  fs.rmSync(file, { force: true });
  const all = await open({ token, args: ['--history', file] });
  const { receiver, page } = all;
  const call = new Call(VOICE_ID);
  await receiver.send(call.state('incomingcall', 1));
  await receiver.send(call.state('hold', 2));
  await receiver.send(call.state('ringing', 0), { appId: 'another' });
  await row(page, 'call.hold').click();
  await details(page).getByRole('heading', { name: 'call.hold' }).waitFor();
  const link = page.url();
  await receiver.interrupt();
  all.receiver = await LocalReceiver.start({ listen: new URL(receiver.url).host, token, args: ['--history', file] });
  await page.getByRole('tab', { name: 'Webhooks 12' }).waitFor();
  await details(page).getByText('in an earlier run').waitFor();
  await details(page).getByRole('heading', { name: 'call.hold' }).waitFor();
  assert.equal(page.url(), link);
  await shot(page, 'history');
  await row(page, 'Wrong AppID: decryption failed').click();
  await details(page).getByRole('heading', { name: 'Decrypt: Wrong AppID: decryption failed' }).waitFor();
  await searchFor(page, 'is:earlier');
  await page.getByRole('tab', { name: 'Webhooks 3 of 12' }).waitFor();
  assert.ok(!fs.readFileSync(file, 'utf8').includes('hold'));
});

test('what is shown is exported, in the calls view the webhooks of the calls', async () => {
  const { receiver, page } = await open();
  await sendTroubledCall(receiver);
  const exported = async (format) => {
    await page.getByRole('button', { name: 'Export' }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('dialog', { name: 'Export' }).getByRole('link', { name: format }).click()]);
    assert.match(download.suggestedFilename(), new RegExp(`^voicehook-\\d{8}T\\d{6}Z\\.${format.toLowerCase()}$`));
    return fs.readFileSync(await download.path(), 'utf8');
  };
  await searchFor(page, 'type:play.*');
  await page.getByRole('tab', { name: 'Webhooks 4 of 19' }).waitFor();
  const lines = (await exported('NDJSON')).trim().split('\n').map(JSON.parse);
  assert.deepEqual(lines.map(({ event_type: type }) => type), ['play.initiated', 'play.digitcollected', 'play.initiated', 'play.digitcollected']);
  assert.ok(lines.every(({ plaintext, request }) => JSON.parse(plaintext).playstate && request.headers.length > 3));
  await searchFor(page, 'call:8d0c');
  await page.getByRole('tab', { name: 'Calls 1 of 2' }).click();
  const { log } = JSON.parse(await exported('HAR'));
  assert.equal(log.version, '1.2');
  assert.equal(log.entries.length, 10);
  for (const { request, response, startedDateTime } of log.entries) {
    assert.equal(request.url, receiver.url);
    assert.match(request.postData.text, /encrypted_data/);
    assert.equal(response.status, 200);
    assert.ok(Date.parse(startedDateTime) > Date.now() - 60_000);
  }
  await searchFor(page, 'nothing like it');
  await page.getByRole('heading', { name: 'Nothing matches the filter' }).waitFor();
  await page.getByRole('button', { name: 'Export' }).click();
  await page.getByText('Nothing is shown, so there is nothing to export.').waitFor();
  await page.getByRole('button', { name: 'Copy link' }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /_inspect#view=calls&q=nothing\+like\+it$/);
});

test('an event is edited and sent again, and the differences are shown before and after', async () => {
  const { receiver, page } = await open({ expectedErrors: /status of 404/ });
  await receiver.send(`{"voice_id":"${VOICE_ID}","playstate":"digitcollected","digit":"2","exact":1.50,"big":12345678901234567890}`);
  await row(page, 'play.digitcollected').filter({ hasText: '8d0c7a44' }).click();
  await details(page).getByRole('heading', { name: 'play.digitcollected' }).waitFor();
  await page.keyboard.press('e');
  const editor = page.getByRole('dialog', { name: 'Edit webhook 10 and resend it' });
  const field = editor.getByRole('textbox');
  assert.ok(await field.evaluate((element) => element === document.activeElement));
  assert.match(await field.inputValue(), /^\{\n {2}"voice_id": .*\n {2}"exact": 1\.50,\n {2}"big": 12345678901234567890\n\}$/s);
  await editor.getByText('No differences.').waitFor();
  await field.fill((await field.inputValue()).replace('"2"', '"7",'));
  await editor.getByText(/This is not JSON: .*, at line 4, column/).waitFor();
  await shot(page, 'edit-problem');
  await field.fill((await field.inputValue()).replace('"7",,', '"7",\n  "new": true,').replace('890\n', '891\n'));
  const differences = editor.getByRole('region', { name: 'Differences to the original' });
  await differences.getByRole('row', { name: 'new not there true' }).waitFor();
  assert.deepEqual((await differences.getByRole('row').allInnerTexts()).slice(1), ['digit\t"2"\t"7"', 'big\t12345678901234567890\t12345678901234567891', 'new\tnot there\ttrue']);
  await shot(page, 'edit-differences');
  await page.keyboard.press('Escape');
  await editor.waitFor({ state: 'hidden' });
  await details(page).getByRole('button', { name: 'Edit…' }).click();
  assert.match(await field.inputValue(), /"new": true/, 'the draft is lost');
  await page.keyboard.press('Control+Enter');
  await editor.waitFor({ state: 'hidden' });
  await details(page).getByText('edited from webhook 10').waitFor();
  const shownAfter = details(page).getByRole('region', { name: 'Differences to the original' });
  assert.equal(await shownAfter.getByRole('row').count(), 4);
  assert.deepEqual(await rows(page).first().locator('.note').allTextContents(), ['edited']);
  await eventually('the new webhook is selected', async () => await page.getByRole('row', { selected: true }).getAttribute('data-id') === '11');
  const body = await details(page).getByRole('region', { name: 'Decrypted event' }).getByRole('button', { name: 'Copy' });
  await body.click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()),
    `{"voice_id":"${VOICE_ID}","playstate":"digitcollected","digit":"7","new":true,"exact":1.50,"big":12345678901234567891}`);
  await page.getByRole('log', { name: 'News' }).getByText(/webhook 11: 200 queued|play\.digitcollected, queued/).waitFor();
  await shot(page, 'edited');
  await details(page).getByRole('button', { name: 'webhook 10' }).click();
  await details(page).getByText('edited from webhook 10').waitFor({ state: 'hidden' });
  await details(page).getByRole('button', { name: 'Edit…' }).click();
  await editor.getByRole('button', { name: 'Send' }).waitFor();
  await receiver.send({}, { appId: 'another' });
  await page.evaluate(() => fetch('/_inspect/api/clear', { method: 'POST' }));
  await editor.getByRole('button', { name: 'Send' }).click();
  await editor.getByText('Webhook 10 is no longer kept, so it cannot be resent.').waitFor();
  await editor.getByRole('button', { name: 'Cancel' }).click();
  await editor.waitFor({ state: 'hidden' });
});

test('a webhook that could not be decrypted has nothing to edit', async () => {
  const { receiver, page } = await open();
  await receiver.send({}, { appId: 'another' });
  await row(page, 'Wrong AppID: decryption failed').click();
  await details(page).getByRole('button', { name: 'Replay' }).waitFor();
  assert.equal(await details(page).getByRole('button', { name: 'Edit…' }).count(), 0);
  await page.keyboard.press('e');
  await page.getByRole('log', { name: 'News' }).getByText('could not be decrypted, so there is no event to edit').waitFor();
});

for (const colorScheme of ['light', 'dark']) {
  test(`every text can be read in ${colorScheme} mode`, async () => {
    const { receiver, page } = await open({ colorScheme, reducedMotion: 'reduce', viewport: { width: 1280, height: 740 } });
    await sendTroubledCall(receiver);
    await receiver.send(new Call(VOICE_ID).state('ringing', 0), { appId: 'another' });
    const suffix = colorScheme === 'dark' ? '-dark' : '';
    const look = async (name) => {
      await page.mouse.move(0, 0);
      await shot(page, `${name}${suffix}`);
      const [contrast, text] = await leastContrast(page);
      assert.ok(contrast >= 4.5, `${contrast.toFixed(2)}: ${text}`);
    };
    await row(page, 'call.bridged').click();
    await details(page).getByRole('heading', { name: 'call.bridged' }).waitFor();
    await look('webhook');
    await row(page, 'Wrong AppID: decryption failed').click();
    await details(page).getByRole('heading', { name: /^Decrypt/ }).waitFor();
    await look('webhooks');
    await page.getByRole('tab', { name: /^Calls/ }).click();
    await page.getByRole('grid', { name: 'Calls' }).getByRole('row', { name: /8d0c7a44/ }).click();
    const timeline = details(page).getByRole('img', { name: /^Timeline/ });
    await timeline.waitFor();
    await page.setViewportSize({ width: 1360, height: 760 });
    await eventually('the timeline grows with the window', async () => Number(await timeline.getAttribute('width')) > 800);
    await look('call');
    await page.getByRole('button', { name: 'Send…' }).click();
    await look('send');
    const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(Number(back.match(/\d+/)[0]) < 128, colorScheme === 'dark');
  });
}

for (const colorScheme of ['light', 'dark']) {
  test(`at every width from a phone to a large screen nothing is hidden or cut, in ${colorScheme} mode`, async () => {
    const { receiver, page } = await open({ args: ['--quarantine'], colorScheme, reducedMotion: 'reduce' });
    await sendTroubledCall(receiver);
    await receiver.send(new Call(VOICE_ID).state('ringing', 0), { appId: 'another' });
    await page.getByRole('tab', { name: 'Webhooks 20' }).waitFor();
    const isWhole = async (list, name) => {
      assert.deepEqual(await unreadable(list), [], name);
      assert.ok(!await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), `${name}: the page scrolls sideways`);
      await shot(page, name);
      const [contrast, text] = await leastContrast(page);
      assert.ok(contrast >= 4.5, `${name}: ${contrast.toFixed(2)}: ${text}`);
    };
    for (const width of WIDTHS) {
      const covers = width <= 760;
      const name = (what) => `${what}-${width}${colorScheme === 'dark' ? '-dark' : ''}`;
      await page.setViewportSize({ width, height: 800 });
      for (const [view, pick] of [['Webhooks', 'Wrong AppID: decryption failed'], ['Calls', '8d0c7a44']]) {
        await page.getByRole('tab', { name: new RegExp(`^${view}`) }).click();
        const list = page.getByRole('grid', { name: view });
        const picked = list.getByRole('row').filter({ hasText: pick }).first();
        if (covers) await isWhole(list, name(`${view.toLowerCase()}-list`));
        await picked.click();
        const heading = details(page).getByRole('heading', { level: 2 });
        await heading.waitFor();
        await isWhole(covers ? list.locator('nothing') : list, name(view.toLowerCase()));
        if (!covers) continue;
        assert.ok(await heading.evaluate((element) => element === document.activeElement), 'the focus stays behind the details');
        await page.keyboard.press('Escape');
        await details(page).waitFor({ state: 'hidden' });
        assert.ok(await picked.evaluate((element) => element === document.activeElement), 'the focus does not come back');
      }
    }
  });
}

for (const [width, colorScheme] of [[390, 'light'], [390, 'dark'], [1280, 'light'], [1280, 'dark'], [1920, 'light']]) {
  test(`filters, export and editor fit at ${width} pixels, in ${colorScheme} mode`, async () => {
    const { receiver, page } = await open({ colorScheme, reducedMotion: 'reduce', viewport: { width, height: 800 }, expectedErrors: /status of 400/ });
    const look = async (name) => {
      await shot(page, `${name}-${width}${colorScheme === 'dark' ? '-dark' : ''}`);
      const box = page.locator('dialog[open], :popover-open');
      if (await box.count() > 0) {
        const { x, y, width: wide, height } = await box.boundingBox();
        assert.ok(x >= 0 && y >= 0 && x + wide <= width && y + height <= 800, `${name}: ${JSON.stringify(await box.boundingBox())}`);
        assert.ok(await box.evaluate((element) => element.scrollWidth <= element.clientWidth), `${name} scrolls sideways`);
      }
      assert.ok(!await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), `${name}: the page scrolls sideways`);
      const [contrast, text] = await leastContrast(page);
      assert.ok(contrast >= 4.5, `${name}: ${contrast.toFixed(2)}: ${text}`);
    };
    await receiver.send(new Call(VOICE_ID).play('digitcollected', 6, { digit: '2', custom_data: { order: 'A-17', items: ['one', 'two'] } }));
    await page.getByRole('button', { name: 'Filters' }).click();
    const first = page.getByRole('button', { name: 'status:4xx' });
    assert.ok(await first.evaluate((element) => element === document.activeElement), 'the focus is not in the dialog');
    await look('filters');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Export' }).click();
    await look('export');
    await page.keyboard.press('Escape');
    await searchFor(page, 'status:abc');
    await page.getByText('status:abc is not a status').waitFor();
    await look('filter-problem');
    await searchFor(page, '');
    await row(page, 'play.digitcollected').click();
    await details(page).getByRole('button', { name: 'Edit…' }).click();
    const field = page.getByRole('dialog').getByRole('textbox');
    await field.fill((await field.inputValue()).replace('"2"', '"7"').replace('"two"', '"two", "three"').replace('welcome', 'main-menu'));
    await page.getByRole('dialog').getByRole('row', { name: /three/ }).waitFor();
    await look('editor');
    if (width === 1280 && colorScheme === 'light') await shot(page, 'edit');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await details(page).getByRole('region', { name: 'Differences to the original' }).waitFor();
    await look('edited');
  });
}
