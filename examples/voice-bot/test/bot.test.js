// The bot at a stub of EnableX's REST API: node --test
import assert from 'node:assert/strict';
import test from 'node:test';

import { react } from '../bot.js';
import { ApiError, EnableX } from '../enablex.js';
import { startStub } from '../stub.js';

async function start(t) {
  const stub = await startStub(t);
  const enablex = new EnableX({ appId: 'id', appKey: 'key', baseUrl: stub.baseUrl, timeout: 300 });
  const receive = (eventType, event = {}, receivedAt = new Date().toISOString()) =>
    react(enablex, { eventType, voiceId: 'a/b', receivedAt, event: { voice_id: 'a/b', ...event } });
  const asked = () => stub.requests.map(({ method, path, body }) => [method, path, body?.prompt_ref].filter(Boolean).join(' '));
  return { ...stub, receive, asked };
}

test('a caller who presses 1 hears the opening hours, and the bot hangs up', async (t) => {
  const { receive, asked, requests } = await start(t);
  await receive('call.incomingcall');
  await receive('call.connected');
  await receive('play.initiated', { prompt_ref: 'menu-1' });
  await receive('play.digitcollected', { prompt_ref: 'menu-1', digit: '1' });
  await receive('play.playfinished', { prompt_ref: 'menu-1' });
  await receive('play.playfinished', { prompt_ref: 'last-words' });
  await receive('call.disconnected');
  assert.deepEqual(asked(), [
    'PUT /voice/v1/call/a%2Fb/accept', 'PUT /voice/v1/call/a%2Fb/play menu-1', 'PUT /voice/v1/call/a%2Fb/play last-words',
    'DELETE /voice/v1/call/a%2Fb',
  ]);
  assert.match(requests[2].body.text, /nine to five/);
  assert.equal(requests[1].body.dtmf, true);
  assert.ok(requests.every(({ authorization }) => authorization === `Basic ${btoa('id:key')}`));
});

test('the menu is played three times to a caller who presses nothing or a wrong key', async (t) => {
  const { receive, asked, requests } = await start(t);
  await receive('call.connected');
  await receive('play.menutimeout', { prompt_ref: 'menu-1' });
  await receive('play.digitcollected', { prompt_ref: 'menu-2', digits: 7 });
  await receive('play.menutimeout', { prompt_ref: 'menu-3' });
  assert.deepEqual(asked().map((it) => it.split(' ').at(-1)), ['menu-1', 'menu-2', 'menu-3', 'last-words']);
  assert.match(requests.at(-1).body.text, /call again/);
});

test('an event of the newest generation has its digit as a number', async (t) => {
  const { receive, requests } = await start(t);
  await receive('play.digitcollected', { event: 'digitcollected', prompt_ref: 'menu-1', digit: 2 });
  assert.match(requests[0].body.text, /Main Street/);
});

test('an event that is too old plays nothing, but still ends the call', async (t) => {
  const { receive, asked } = await start(t);
  const aMinuteAgo = new Date(Date.now() - 60_000).toISOString();
  assert.match(await receive('call.connected', {}, aMinuteAgo), /too old/);
  await receive('play.playfinished', { prompt_ref: 'last-words' }, aMinuteAgo);
  assert.deepEqual(asked(), ['DELETE /voice/v1/call/a%2Fb']);
});

test('a call that EnableX does not know any more is done with', async (t) => {
  const { receive, answers } = await start(t);
  answers.push(404);
  assert.match(await receive('call.connected'), /over/);
});

test('an event fails and comes again where the API fails, refuses the credentials or does not answer', async (t) => {
  const { receive, answers } = await start(t);
  for (const answer of [500, 429, 401, 'silence']) {
    answers.push(answer);
    await assert.rejects(receive('call.incomingcall'), ApiError);
  }
  assert.equal(await receive('call.incomingcall'), 'accepted');
});
