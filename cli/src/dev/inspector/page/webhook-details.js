// The details of a webhook: its outcome, the event, the message, the request and the answer.

import { link } from './address.js';
import { changeTable } from './changes.js';
import { curl } from './curl.js';
import { bytes, clock, copyButton, count, h, micros, short, visible } from './dom.js';
import { edit } from './edit.js';
import { text } from './fold.js';
import { application } from './forwarding.js';
import { json } from './json.js';
import { title } from './names.js';
import { fact, head, section, table } from './parts.js';
import { replayControls } from './replay.js';
import { body, failure, isBinary, message, steps } from './webhook-parts.js';

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

const request = (webhook, { origin, width }) => {
  const command = curl(webhook, origin);
  return section('Request', command && copyButton('Copy as curl', () => command),
    h('pre', { class: 'text line' }, visible(webhook.request.line)),
    table('Request headers', webhook.request.headers),
    h('h4', {}, isBinary(webhook) ? `Body, binary, ${count(webhook.bytes)} bytes` : `Body, ${bytes(webhook.bytes)}`),
    body(webhook, width));
};

const answer = (webhook) =>
  section('Answer', undefined,
    h('pre', { class: 'text line' }, visible(webhook.answer.status)),
    table('Answer headers', webhook.answer.headers),
    webhook.answer.body ? text(webhook.answer.body, 'Answer') : h('p', { class: 'muted' }, 'no body'));

const arrived = (webhook) => (webhook.earlier ? `${new Date(webhook.arrived).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'medium', hour12: false })}, in an earlier run` : clock(webhook.arrived));

/** The details of a webhook. The list knows whether it is a duplicate, or a replay that counts as a separate event. */
export const webhookDetails = (webhook, { origin, width, duplicateOf, isEventOfItsOwn, openCall }) => {
  const number = (id) => h('button', { type: 'button', class: 'link', 'data-open': id }, `webhook ${id}`);
  return [
    head(title(webhook), [
      h('span', { class: `outcome ${webhook.failed ? 'bad' : 'good'}` }, `${webhook.status} ${webhook.outcome.replaceAll('_', ' ')}`),
      fact('arrived', arrived(webhook)),
      webhook.app && fact('app', visible(webhook.app)),
      webhook.voice_id && fact('call', h('button', { type: 'button', class: 'link', on: { click: () => openCall(webhook.voice_id) } }, short(webhook.voice_id))),
      webhook.edited_from && h('span', { class: 'note replay' }, 'edited from ', number(webhook.edited_from)),
      webhook.replay_of && h('span', { class: 'note replay' }, 'replay of ', number(webhook.replay_of)),
      duplicateOf && h('span', { class: 'note duplicate' }, 'duplicate of ', number(duplicateOf)),
      isEventOfItsOwn && h('span', { class: 'muted' }, 'not a duplicate: nothing in the event proves that both are the same'),
    ], [
      copyButton('Copy link', link),
      webhook.plaintext !== null && h('button', { type: 'button', 'aria-keyshortcuts': 'e', on: { click: () => edit(webhook.id) } }, 'Edit…'),
      replayControls(webhook.id),
    ]),
    steps(webhook),
    webhook.failure && failure(webhook.failure),
    webhook.changes && section('Differences to the original', undefined, changeTable(webhook.changes)),
    webhook.failed && [request(webhook, { origin, width }), answer(webhook)],
    webhook.forwarding?.state !== 'taken' && application(webhook),
    webhook.plaintext !== null && section('Decrypted event', copyButton('Copy', () => webhook.plaintext), json(webhook.plaintext, 'Decrypted event')),
    webhook.forwarding?.state === 'taken' && application(webhook),
    timing(webhook),
    message(webhook),
    webhook.message && webhook.message.body !== webhook.plaintext
      && section('Message body', copyButton('Copy', () => webhook.message.body), json(webhook.message.body, 'Message body')),
    !webhook.failed && [request(webhook, { origin, width }), answer(webhook)],
  ].flat().filter(Boolean);
};
