// The details of a webhook in quarantine, or of a dead letter.

import { copyButton, count, h, short, visible } from './dom.js';
import { json } from './json.js';
import { fact, head, section, table } from './parts.js';
import { expiry, moment, nameOf } from './queue-list.js';
import { body, failure, isBinary, message, steps } from './webhook-parts.js';

const request = (item, width) => section('Request', undefined,
  item.request.headers.length > 0 && table('Request headers', item.request.headers),
  h('h4', {}, isBinary(item) ? `Body, binary, ${count(item.request.bytes)} bytes` : `Body, ${count(item.request.bytes)} bytes`),
  body({ ...item, bytes: item.request.bytes }, width));

const ids = (item) => section('In the queue', undefined, table('In the queue', [
  ['message ids', item.messages.join(', ')],
  ['receive count', item.receive_count],
  ['expires', item.expires && moment(item.expires)],
  ['request id', item.request_id],
  ['invocation id', item.invocation_id],
  ['event_id', item.event_id],
].filter(([, value]) => value !== null && value !== undefined)));

/** The button that selects it for a redrive. */
const picker = (isPicked, pick) => h('button', { type: 'button', 'data-do': 'pick', 'aria-pressed': String(isPicked), on: { click: pick } },
  isPicked ? 'Selected for redrive' : 'Select for redrive');

export const messageDetails = (item, kind, { width, isPicked, pick }) => [
  head(nameOf(item), [
    item.reason && h('span', { class: `outcome ${item.stays ? 'bad' : 'good'}` }, visible(item.reason), item.stays ? '' : ', opens now'),
    fact(kind === 'quarantine' ? 'arrived' : 'received', item.arrived && moment(item.arrived)),
    item.app && fact('app', visible(item.app)),
    item.voice_id && fact('call', short(item.voice_id)),
    fact('kept for', item.expires && expiry(item.expires).text),
  ], picker(isPicked, pick)),
  item.steps && steps(item),
  item.failure && failure(item.failure),
  item.plaintext && section(kind === 'quarantine' ? 'Decrypted event' : 'Event', copyButton('Copy', () => item.plaintext),
    json(item.plaintext, kind === 'quarantine' ? 'Decrypted event' : 'Event')),
  message(item, kind === 'quarantine' ? 'SQS message of a redrive' : 'SQS message'),
  item.message && item.message.body !== item.plaintext
    && section('Message body', copyButton('Copy', () => item.message.body), json(item.message.body, 'Message body')),
  ids(item),
  item.request && request(item, width),
].flat().filter(Boolean);
