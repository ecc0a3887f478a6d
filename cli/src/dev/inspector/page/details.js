// The details pane: a webhook with its outcome, or a call with its timeline.

import { PHASES, name } from './calls.js';
import { bytes, clock, copyButton, count, cut, h, lasting, micros, short, visible } from './dom.js';
import { json } from './json.js';
import { timeline } from './timeline.js';

const STEP_MARKS = { passed: '✓', failed: '✕', skipped: '–' };
const STEP_WORDS = { passed: 'passed', failed: 'failed', skipped: 'not reached' };

const section = (title, aside, ...children) =>
  h('section', { class: 'part', 'aria-label': title }, h('header', {}, h('h3', {}, title), aside), children);

const table = (label, rows) =>
  h('table', { class: 'pairs', 'aria-label': label },
    h('tbody', {}, rows.map(([key, value]) => h('tr', {}, h('th', { scope: 'row' }, visible(key)), h('td', {}, visible(value))))));

/** The title of a webhook: its event type, or its method and path. */
export const title = (webhook) => webhook.event_type ?? `${webhook.method} ${webhook.path}`;

const steps = (webhook) =>
  h('ol', { class: 'steps', 'aria-label': 'Steps' }, webhook.steps.map(([step, state]) =>
    h('li', { class: state }, h('span', { class: 'step-mark', 'aria-hidden': 'true' }, STEP_MARKS[state]), step,
      h('span', { class: 'visually-hidden' }, ` ${STEP_WORDS[state]}`))));

const failure = ({ step, title: what, why, next, kept }) =>
  h('section', { class: 'failure', 'aria-label': 'What went wrong' },
    h('h3', {}, `${step}: ${what}`),
    h('p', {}, visible(why)),
    kept && h('p', {}, kept),
    next.length > 0 && [h('h4', {}, 'What to do'), h('ol', {}, next.map((line) => h('li', {}, visible(line))))]);

const timing = (webhook) => {
  const known = webhook.stages.reduce((sum, [, time]) => sum + time, 0);
  const rows = [...webhook.stages, ['rest', Math.max(0, webhook.micros - known)]];
  const most = Math.max(1, ...rows.map(([, time]) => time));
  return section('Time per stage', h('span', { class: 'muted' }, `${micros(webhook.micros)} in total`),
    h('table', { class: 'stages', 'aria-label': 'Time per stage' }, h('tbody', {}, rows.map(([stage, time]) =>
      h('tr', {}, h('th', { scope: 'row' }, stage),
        h('td', { class: 'track' }, h('span', { class: `stage stage-${stage}`, variables: { '--share': String(time / most) } })),
        h('td', { class: 'number' }, micros(time)))))));
};

const message = ({ message: sent }) => {
  if (!sent) return undefined;
  const fields = [['MessageId', sent.message_id], ['MessageGroupId', sent.group_id], ['MessageDeduplicationId', sent.deduplication_id], ['AWSTraceHeader', sent.trace_header]];
  return section('SQS message', h('span', { class: 'muted' }, `${bytes(sent.bytes)}, body and attributes`),
    table('SQS message', fields.filter(([, value]) => value)),
    h('h4', {}, 'Attributes'), table('Attributes', sent.attributes));
};

const QUOTE = /'/g;
const ADDED_BY_CLIENTS = new Set(['host', 'content-length', 'connection', 'accept', 'accept-encoding', 'user-agent', 'transfer-encoding']);

/** The curl command that sends the same request. */
const curl = (webhook, origin) => {
  const quoted = (text) => `'${text.replace(QUOTE, String.raw`'\''`)}'`;
  const headers = webhook.request.headers.filter(([header]) => !ADDED_BY_CLIENTS.has(header));
  const words = ['curl -i', webhook.method === 'POST' ? '' : `-X ${webhook.method}`, quoted(origin + webhook.request.target)]
    .concat(headers.map(([header, value]) => `-H ${quoted(`${header}: ${value}`)}`))
    .concat(webhook.request.body ? [`--data-binary ${quoted(webhook.request.body)}`] : []);
  return words.filter(Boolean).join(' ');
};

const request = (webhook, origin) =>
  section('Request', webhook.request.is_text && copyButton('Copy as curl', () => curl(webhook, origin)),
    h('pre', { class: 'text line' }, visible(webhook.request.line)),
    table('Request headers', webhook.request.headers),
    h('h4', {}, `Body, ${bytes(webhook.bytes)}`),
    webhook.request.body ? cut(webhook.request.body) : h('p', { class: 'muted' }, 'empty'));

const answer = (webhook) =>
  section('Answer', undefined,
    h('pre', { class: 'text line' }, visible(webhook.answer.status)),
    table('Answer headers', webhook.answer.headers),
    webhook.answer.body ? cut(webhook.answer.body) : h('p', { class: 'muted' }, 'no body'));

const fact = (label, value) => value && h('span', { class: 'fact' }, h('span', { class: 'muted' }, `${label} `), value);

const head = (text, facts, buttons) =>
  h('header', { class: 'head' },
    h('div', { class: 'head-line' },
      h('button', { type: 'button', class: 'back quiet', 'data-do': 'back' }, '‹ List'),
      h('h2', { tabindex: '-1' }, visible(text)),
      h('div', { class: 'head-buttons' }, buttons)),
    h('p', { class: 'facts' }, facts));

/** The details of a webhook. The list knows whether it is a duplicate, or a replay that counts as a separate event. */
export const webhookDetails = (webhook, { origin, duplicateOf, isEventOfItsOwn, replay, openCall, openWebhook }) => {
  const number = (id) => h('button', { type: 'button', class: 'link', on: { click: () => openWebhook(id) } }, `webhook ${id}`);
  return [
    head(title(webhook), [
      h('span', { class: `outcome ${webhook.failed ? 'bad' : 'good'}` }, `${webhook.status} ${webhook.outcome.replaceAll('_', ' ')}`),
      fact('arrived', clock(webhook.arrived)),
      webhook.app && fact('app', visible(webhook.app)),
      webhook.voice_id && fact('call', h('button', { type: 'button', class: 'link', on: { click: () => openCall(webhook.voice_id) } }, short(webhook.voice_id))),
      webhook.replay_of && h('span', { class: 'note replay' }, 'replay of ', number(webhook.replay_of)),
      duplicateOf && h('span', { class: 'note duplicate' }, 'duplicate of ', number(duplicateOf)),
      isEventOfItsOwn && h('span', { class: 'muted' }, 'not a duplicate: nothing in the event proves that both are the same'),
    ], h('button', { type: 'button', 'data-do': 'replay', 'aria-keyshortcuts': 'r', on: { click: replay } }, 'Replay')),
    steps(webhook),
    webhook.failure && failure(webhook.failure),
    webhook.failed && [request(webhook, origin), answer(webhook)],
    webhook.plaintext !== null && section('Decrypted event', copyButton('Copy', () => webhook.plaintext), json(webhook.plaintext, 'Decrypted event')),
    timing(webhook),
    message(webhook),
    webhook.message && webhook.message.body !== webhook.plaintext
      && section('Message body', copyButton('Copy', () => webhook.message.body), json(webhook.message.body, 'Message body')),
    !webhook.failed && [request(webhook, origin), answer(webhook)],
  ].flat().filter(Boolean);
};

const KINDS = { gap: 'Gap', duplicate: 'Duplicate', order: 'Out of order' };

const notices = (call) => section('Issues', undefined,
  call.notices.length === 0
    ? h('p', { class: 'muted' }, 'No issues: no gaps, no duplicates, all events in order.')
    : h('ul', { class: 'notices' }, call.notices.map(({ kind, title: what, lines, text }) =>
      h('li', { class: kind }, h('span', { class: 'kind' }, KINDS[kind]), h('strong', {}, what),
        lines.map((line) => h('p', {}, visible(line))), h('p', { class: 'muted' }, text)))));

const given = (value) => value !== undefined && value !== null;

/** What an event says in addition to its type. */
const more = (event) => [event.prompt, event.digit && `pressed ${event.digit}`, event.said && `“${event.said}”`, event.reason,
  given(event.duration) && `${event.duration} s`, given(event.answered) && `${event.answered} answered`,
  given(event.unanswered) && `${event.unanswered} not answered`].filter(Boolean).join(', ');

const eventTable = (call, openWebhook) => section('Events', h('span', { class: 'muted' }, 'in the order they happened'),
  h('table', { class: 'events', 'aria-label': 'Events of the call' },
    h('thead', {}, h('tr', {}, ['#', 'Happened', 'Event', 'Detail', 'Arrived'].map((column) => h('th', { scope: 'col', class: column.toLowerCase() }, column)))),
    h('tbody', {}, call.order.map((event) => h('tr', {},
      h('td', {}, String(event.number)),
      h('td', {}, `+${lasting(event.at - call.began)}${event.own === undefined ? ' ≈' : ''}`),
      h('td', {}, h('button', { type: 'button', class: 'link', on: { click: () => openWebhook(event.webhook.id) } }, visible(name(event)))),
      h('td', {}, visible(more(event)),
        event.duplicateOf && h('span', { class: 'note duplicate' }, `duplicate of ${event.duplicateOf.number}`),
        event.after && h('span', { class: 'note late' }, 'late')),
      h('td', { class: 'arrived' }, clock(event.webhook.arrived)))))),
  call.order.some((event) => event.own === undefined)
    && h('p', { class: 'muted foot' }, '≈ no timestamp: time estimated from arrival.'));

const legend = () => h('p', { class: 'legend', 'aria-hidden': 'true' },
  h('span', { class: 'key-number' }, '1'), 'order of arrival', h('span', { class: 'key-duplicate' }), 'duplicate',
  h('span', { class: 'key-late' }), 'out of order', h('span', { class: 'key-gap' }), 'missing',
  h('span', { class: 'muted' }, 'time axis is not linear'));

/** The label of a call's state. */
export const stateOf = (call) => (call.state === 'disconnected' ? 'ended'
  : call.state === 'broadcastcall_complete' ? 'complete' : PHASES[call.state] ?? call.state);

/** The numbers of a call. */
export const numbersOf = ({ from, to }) => visible([from, to].filter(Boolean).join(' → '));

/** The details of a call. */
export const callDetails = (call, width, { openWebhook }) => [
  head(`${call.isBroadcast ? 'Broadcast' : 'Call'} ${short(call.id)}`, [
    h('span', { class: `state phase-${PHASES[call.state] ?? 'other'}` }, visible(stateOf(call))),
    numbersOf(call) && fact('between', numbersOf(call)),
    fact('began', clock(call.began)),
    fact('took', lasting(call.ended - call.began)),
    fact('webhooks', count(call.events.length)),
  ], copyButton('Copy id', () => call.id)),
  section('Timeline', undefined, h('div', { class: 'timeline-scroll', tabindex: '0', role: 'region', 'aria-label': 'Timeline, scrolls sideways' },
    timeline(call, width, openWebhook)), legend()),
  notices(call),
  eventTable(call, openWebhook),
];
