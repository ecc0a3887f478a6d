// The details of a call: its timeline, its issues and its events.

import { link } from './address.js';
import { PHASES, name } from './calls.js';
import { clock, copyButton, count, h, lasting, short, visible } from './dom.js';
import { applicationNote } from './forwarding.js';
import { numbersOf, stateOf } from './names.js';
import { fact, head, section } from './parts.js';
import { timeline } from './timeline.js';

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
        event.after && h('span', { class: 'note late' }, 'late'),
        applicationNote(event.webhook)),
      h('td', { class: 'arrived' }, clock(event.webhook.arrived)))))),
  call.order.some((event) => event.own === undefined)
    && h('p', { class: 'muted foot' }, '≈ no timestamp: time estimated from arrival.'));

const legend = () => h('p', { class: 'legend', 'aria-hidden': 'true' },
  h('span', { class: 'key-number' }, '1'), 'order of arrival', h('span', { class: 'key-duplicate' }), 'duplicate',
  h('span', { class: 'key-late' }), 'out of order', h('span', { class: 'key-gap' }), 'missing',
  h('span', { class: 'muted' }, 'time axis is not linear'));

/** The details of a call. */
export const callDetails = (call, width, { openWebhook }) => [
  head(`${call.isBroadcast ? 'Broadcast' : 'Call'} ${short(call.id)}`, [
    h('span', { class: `state phase-${PHASES[call.state] ?? 'other'}` }, visible(stateOf(call))),
    numbersOf(call) && fact('between', numbersOf(call)),
    fact('began', clock(call.began)),
    fact('took', lasting(call.ended - call.began)),
    fact('webhooks', count(call.events.length)),
  ], [copyButton('Copy link', link), copyButton('Copy id', () => call.id)]),
  section('Timeline', undefined, h('div', { class: 'timeline-scroll', tabindex: '0', role: 'region', 'aria-label': 'Timeline, scrolls sideways' },
    timeline(call, width, openWebhook)), legend()),
  notices(call),
  eventTable(call, openWebhook),
];
