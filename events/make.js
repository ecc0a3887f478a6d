// Makes the files of this folder: `node --no-deprecation events/make.js`, with Node 20 or older, because
// crypto.createCipher is what EnableX encrypts with and is gone from Node 22.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const APP_ID = 'voicehook-dev';
const common = {
  voice_id: 'd1814252-25ab-436b-84b8-6c0b7f9d64c4',
  from: '+12025550123',
  to: '+12025550187',
  channel_id: '1903ccc322ce',
  timestamp: '2026-11-23T10:52:06Z',
};
const call = (state, more = {}) => JSON.stringify({ ...common, state, ...more });
const play = (playstate, more = {}) =>
  JSON.stringify({ voice_id: common.voice_id, playstate, prompt_ref: 'welcome', play_id: '1', ...more });

const events = {
  incomingcall: call('incomingcall'),
  initiated: call('initiated'),
  ringing: call('ringing'),
  connected: call('connected'),
  bridging: call('bridging'),
  bridged: call('bridged'),
  bridge_disconnected: call('bridge_disconnected'),
  hold: call('hold'),
  joined: call('joined'),
  stream_started: call('stream_started'),
  stream_stopped: call('stream_stopped'),
  stream_failed: call('stream_failed'),
  transcript: call('transcript', { text: 'नमस्ते, how can I help you?' }),
  recording_complete: call('recording_complete', { recording_url: 'https://example.com/recordings/1.wav' }),
  disconnected: call('disconnected', {
    call_duration: 42.5, disconnect_reason: 'normal_clearing', disconnect_cause_code: 16,
  }),
  'play-initiated': play('initiated'),
  'play-playfinished': play('playfinished'),
  'play-digitcollected': play('digitcollected', { digit: '1' }),
  'play-digitcollected-with-timestamp': play('digitcollected', { digit: '1', timestamp: '2026-11-23T10:52:06.250Z' }),
  'play-digitcollected-with-digits': play('digitcollected', { digits: '12#' }),
  'play-speech_recognized': play('speech_recognized', { reason: 'completed', text: 'मुझे बिक्री विभाग चाहिए' }),
  'play-menutimeout': play('menutimeout'),
  recognized: call('recognized', { text: 'I would like to speak to sales' }),
  dtmfcollected: call('dtmfcollected', { digit: 5 }),
  broadcastcall_complete: JSON.stringify({
    state: 'broadcastcall_complete',
    broadcast_id: '92ea2fa0-ec6d-4bad-a20f-1989bd7ae74f',
    broadcast_call_info: [{ to: '+12025550187', result: 'answered' }, { to: '+12025550188', result: 'busy' }],
  }),
  // Older and newer spellings.
  'broadcastcall_complete-with-numbers': JSON.stringify({
    state: 'broadcastcomplete',
    broadcast_id: '92ea2fa0-ec6d-4bad-a20f-1989bd7ae74f',
    timestamp: '2026-06-15T10:52:10.000Z',
    resultSet: { successfull_calls: 3, failed_calls: '1' },
  }),
  'incomingcall-with-a-capital': call('Incomingcall', { timestamp: '2020-02-16T10:52:00Z' }),
  'incomingcall-in-two-words': JSON.stringify({
    voice_Id: common.voice_id, state: 'incoming call', from: common.from, to: common.to, timestamp: '2021-02-18T12:47-00Z',
  }),
  'connected-as-event': JSON.stringify({
    event: 'connected', voice_id: common.voice_id, owner_ref: 'ticket 4711', custom_data: { order: 17 },
  }),
  'initiated-as-event': JSON.stringify({ event: 'initiated', voice_id: common.voice_id, attempt: 2 }),
  'play-initiated-as-event': JSON.stringify({ event: 'initiated', voice_id: common.voice_id, prompt_ref: 'welcome' }),
  'play-digitcollected-as-event': JSON.stringify({ event: 'digitcollected', voice_id: common.voice_id, digit: '1' }),
};

function encrypt(text, { algorithm = 'aes-256-cbc', format = 'hex', encoding = 'utf8', appId = APP_ID } = {}) {
  const cipher = crypto.createCipher(algorithm, appId);
  return cipher.update(text, encoding, format) + cipher.final(format);
}

function webhook(text, how = {}) {
  return {
    method: 'POST',
    path: '/webhook',
    headers: {
      'content-type': 'application/json',
      'x-algoritm': how.algorithm || 'aes-256-cbc',
      'x-format': how.format || 'hex',
      'x-encoding': how.encoding || 'utf8',
    },
    body: JSON.stringify({ encrypted_data: encrypt(text, how) }),
  };
}

const http = { accountId: '123456789012', apiId: 'abc123', requestId: 'JKJaXmPLvHcESHA=', timeEpoch: 1795431126000 };
const body = ({ body, base64 }) =>
  body === undefined ? {} : { body: base64 ? Buffer.from(body).toString('base64') : body };

function httpApi(request, { stage = '$default', domainName = 'abc123.execute-api.us-east-1.amazonaws.com' } = {}) {
  const rawPath = stage === '$default' ? request.path : `/${stage}${request.path}`;
  return {
    version: '2.0', routeKey: '$default', rawPath, rawQueryString: request.query || '',
    headers: { ...request.headers, host: domainName, 'user-agent': 'EnableX' },
    requestContext: {
      ...http, domainName, domainPrefix: 'abc123', routeKey: '$default', stage, time: '23/Nov/2026:10:52:06 +0000',
      http: {
        method: request.method, path: rawPath, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'EnableX',
      },
    },
    ...body(request), isBase64Encoded: Boolean(request.base64),
  };
}

function restApi(request, stage = 'prod') {
  const many = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, [value]]));
  return {
    resource: '/webhook', path: request.path, httpMethod: request.method,
    headers: request.headers, multiValueHeaders: many,
    queryStringParameters: null, multiValueQueryStringParameters: null, pathParameters: null, stageVariables: null,
    requestContext: {
      accountId: http.accountId, apiId: http.apiId, resourceId: '2gxmpl', resourcePath: '/webhook', stage,
      requestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef', httpMethod: request.method, path: `/${stage}${request.path}`,
      protocol: 'HTTP/1.1', identity: { sourceIp: '192.0.2.1', userAgent: 'EnableX' },
    },
    ...body(request), isBase64Encoded: Boolean(request.base64),
  };
}

function alb(request) {
  return {
    requestContext: {
      elb: {
        targetGroupArn:
          'arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/voicehook/6d0ecf831eec9f09',
      },
    },
    httpMethod: request.method, path: request.path, queryStringParameters: {},
    headers: { ...request.headers, host: 'voicehook-1.us-east-1.elb.amazonaws.com', 'x-forwarded-proto': 'https' },
    ...body(request), isBase64Encoded: Boolean(request.base64),
  };
}

const connected = webhook(events.connected);
const change = (request, more) => ({ ...request, ...more, headers: { ...request.headers, ...more.headers } });
const without = (request, header) => {
  const headers = { ...request.headers };
  delete headers[header];
  return { ...request, headers };
};
const data = JSON.parse(connected.body).encrypted_data;
const flip = (text) => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');

const files = {};
for (const [name, text] of Object.entries(events)) files[`queued-${name}`] = httpApi(webhook(text));
Object.assign(files, {
  'queued-through-a-stage': httpApi(connected, { stage: 'prod' }),
  'queued-through-a-rest-api': restApi(connected),
  'queued-through-a-function-url':
    httpApi(change(connected, { base64: true }), { domainName: 'abc123.lambda-url.us-east-1.on.aws' }),
  'queued-through-an-alb': alb(connected),
  'queued-from-a-form': httpApi(change(connected, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `encrypted_data=${data}`,
  })),
  'queued-from-a-base64-body': httpApi(change(connected, { base64: true })),
  'queued-from-base64-ciphertext': httpApi(webhook(events.connected, { format: 'base64' })),
  'queued-from-utf16': httpApi(webhook(events.connected, { encoding: 'utf16le' })),
  'queued-with-the-documented-header':
    httpApi(change(without(connected, 'x-algoritm'), { headers: { 'x-algorithm': 'AES-256-CBC' } })),
  'probe-get': httpApi({ method: 'GET', path: '/webhook', headers: {} }),
  'probe-head': httpApi({ method: 'HEAD', path: '/webhook', headers: {} }),
  'probe-empty-post': httpApi({ method: 'POST', path: '/webhook', headers: { 'content-type': 'application/json' } }),
  'malformed-without-algorithm': httpApi(without(connected, 'x-algoritm')),
  'malformed-without-format': httpApi(without(connected, 'x-format')),
  'malformed-unknown-algorithm': httpApi(change(connected, { headers: { 'x-algoritm': 'rot13' } })),
  'malformed-without-encrypted-data': httpApi(change(connected, { body: '{}' })),
  'malformed-no-json': httpApi(change(connected, { body: '{"encrypted_data":"' })),
  'malformed-plain-event': httpApi({
    method: 'POST', path: '/webhook', headers: { 'content-type': 'application/json' }, body: events.connected,
  }),
  'undecryptable-wrong-app-id': httpApi(webhook(events.connected, { appId: 'another-app-id' })),
  'undecryptable-changed-ciphertext':
    httpApi(change(connected, { body: JSON.stringify({ encrypted_data: flip(data) }) })),
  'undecryptable-cut-ciphertext':
    httpApi(change(connected, { body: JSON.stringify({ encrypted_data: data.slice(0, -10) }) })),
  'undecryptable-no-json': httpApi(webhook('not an event')),
  'not_found-unknown-path': httpApi(change(connected, { path: '/favicon.ico' })),
  'not_found-unknown-app': httpApi(change(connected, { path: '/webhook/nobody' })),
  'method_not_allowed-put': httpApi(change(connected, { method: 'PUT' })),
  'unsupported_media_type-text': httpApi(change(connected, { headers: { 'content-type': 'text/plain' }, body: data })),
});

for (const [name, event] of Object.entries(files)) {
  fs.writeFileSync(path.join(__dirname, `${name}.json`), `${JSON.stringify(event, null, 2)}\n`);
}
