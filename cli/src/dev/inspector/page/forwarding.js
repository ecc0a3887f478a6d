// What the developer's own application did with an event (`voicehook dev --forward-to`).

import { bytes, clock, copyButton, count, h, micros, visible } from './dom.js';
import { text } from './fold.js';
import { json } from './json.js';
import { section, table } from './parts.js';

export const APPLICATION_MARKS = { taken: '✓', given_up: '✕', open: '…' };

/** In words: what became of an event. */
export const applicationResult = ({ state, result, attempts }) => {
  if (attempts === 0) return 'waits to be posted';
  const tries = attempts === 1 ? '' : `, attempt ${count(attempts)}`;
  const then = { taken: '', given_up: ', given up', open: ', posted again' }[state];
  return `${result}${tries}${then}`;
};

/** A short note for a list. */
export const applicationNote = ({ forwarding }) => forwarding
  && h('span', { class: `note application ${forwarding.state}`, title: visible(`Your application: ${applicationResult(forwarding)}`) },
    h('span', { 'aria-hidden': 'true' }, `→ ${APPLICATION_MARKS[forwarding.state]} ${forwarding.status ?? ''}`.trim()),
    h('span', { class: 'visually-hidden' }, visible(`your application: ${applicationResult(forwarding)}, `)));

const each = ({ each: attempts, attempts: all }) =>
  h('table', { class: 'pairs', 'aria-label': 'Attempts' }, h('tbody', {}, attempts.map(({ at, result, micros: took }, index) =>
    h('tr', {}, h('th', { scope: 'row' }, `${all - attempts.length + index + 1}: ${clock(at)}`), h('td', {}, visible(`${result}, ${micros(took)}`))))));

const answer = ({ reply }) => {
  if (!reply) return undefined;
  const isJson = reply.whole && /^\s*[{[]/.test(reply.body ?? '');
  return [
    h('h4', {}, `Its answer, ${bytes(reply.bytes)}${reply.whole ? '' : ' and more'}: shown here, and not sent to EnableX`),
    h('pre', { class: 'text line' }, visible(reply.status)),
    reply.body === null ? h('p', { class: 'muted' }, 'binary')
      : reply.body === '' ? h('p', { class: 'muted' }, 'no body')
        : isJson ? json(reply.body, 'Answer of your application') : text(reply.body, 'Answer of your application'),
  ];
};

const quoted = (value) => `'${value.replaceAll("'", String.raw`'\''`)}'`;

const action = ({ action: entry }) => {
  if (!entry) return undefined;
  if (entry.why_not) return h('p', { class: 'muted' }, visible(entry.why_not));
  const line = `ACTIONS=${quoted(entry.value)}`;
  return [
    h('h4', {}, 'With this variable, and a token in the URL (WEBHOOK_TOKEN), voicehook itself gives this answer to every event of this type'),
    h('div', { class: 'copyable' }, h('pre', { tabindex: '0', role: 'group', 'aria-label': 'ACTIONS' }, visible(line)), copyButton('Copy ACTIONS', () => line)),
  ];
};

const headers = ({ reply }) => reply?.headers.length > 0
  && [h('h4', {}, 'Headers of its answer'), table('Headers of your application', reply.headers)];

/** The part of the details. */
export const application = ({ forwarding }) => forwarding
  && section('Your application', h('span', { class: `application-result ${forwarding.state}` }, visible(applicationResult(forwarding))),
    h('p', { class: 'muted' }, visible(`POST ${forwarding.url}`)), forwarding.each.length > 0 && each(forwarding),
    forwarding.advice && h('p', {}, h('strong', {}, 'What to do: '), forwarding.advice), answer(forwarding), action(forwarding), headers(forwarding));
