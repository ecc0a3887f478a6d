// The list of what a look saw, and what stands in its place before.

import { byId, count, h, hue, short, visible } from './dom.js';

export const KINDS = ['quarantine', 'dead-letters'];

/** What the page knows. */
export const state = {
  kind: 'quarantine',
  queues: undefined,
  /** The last look at each queue. */
  seen: {},
  /** The message of each queue whose details are shown. */
  open: {},
  picked: { quarantine: new Set(), 'dead-letters': new Set() },
  filter: '',
  isBusy: false,
};

const two = (number) => String(number).padStart(2, '0');

/** Date and time, to the second. */
export const moment = (milliseconds) => {
  const date = new Date(milliseconds);
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`;
};

/** The same for a list: the year only where it is another one. */
const brief = (milliseconds) => {
  const isThisYear = new Date(milliseconds).getFullYear() === new Date().getFullYear();
  return moment(milliseconds).slice(isThisYear ? 5 : 0, isThisYear ? undefined : 10);
};

const HOUR = 3_600_000;

/** How long a message is still kept. */
export const expiry = (at) => {
  const left = at - Date.now();
  const isSoon = left < 24 * HOUR;
  if (left < HOUR) return { text: `${Math.max(0, Math.floor(left / 60_000))} min`, isSoon };
  return { text: left < 48 * HOUR ? `${Math.floor(left / HOUR)} h` : `${Math.floor(left / (24 * HOUR))} days`, isSoon };
};

export const nameOf = (item) => item.event_type ?? (item.reason ? `${item.reason} webhook` : 'unknown message');

/** What is shown of a queue. */
export const shown = (kind) => (state.seen[kind]?.messages ?? []).filter((item) => {
  const text = [nameOf(item), item.reason, item.failed, item.stays, item.app, item.voice_id, item.broadcast_id, item.event_id, item.request_id, item.id].join(' ').toLowerCase();
  return state.filter.split(/\s+/).every((word) => text.includes(word));
});

const outcome = (item, kind) => {
  if (kind === 'dead-letters') return item.stays ? 'wait' : 'dead letter';
  return `${item.reason ?? 'unknown'}${item.stays ? '' : ', opens now'}`;
};

const row = (item, kind, pick) => {
  const cell = (name, ...children) => h('td', { class: name, role: 'gridcell' }, children);
  const call = item.voice_id ?? item.broadcast_id;
  const left = item.expires ? expiry(item.expires) : { text: '', isSoon: false };
  const box = h('input', { type: 'checkbox', tabindex: '-1', 'aria-label': `Select ${visible(nameOf(item))} for redrive`, on: { click: (event) => { event.stopPropagation(); pick(item.id); } } });
  box.checked = state.picked[kind].has(item.id);
  const color = kind === 'quarantine' ? (item.stays ? 'bad' : 'good') : (item.stays ? 'other' : 'letter');
  return h('tr', { role: 'row', 'data-id': item.id, 'aria-selected': String(state.open[kind] === item.id), tabindex: '-1', class: color },
    cell('pick', box),
    cell('time', item.arrived ? brief(item.arrived) : ''),
    cell('outcome-cell', h('span', { class: 'light', 'aria-hidden': 'true' }), visible(outcome(item, kind))),
    cell('event', item.failed && h('span', { class: 'why' }, visible(item.failed)), (item.event_type || !item.failed) && h('span', { class: 'name' }, visible(nameOf(item)))),
    cell('app', visible(item.app ?? '')),
    cell('call', call ? [h('span', { class: 'swatch', 'aria-hidden': 'true', variables: { '--hue': hue(call) } }), short(call)] : ''),
    cell('number received', item.receive_count ? `${count(item.receive_count)}×` : ''),
    cell(`number kept${left.isSoon ? ' soon' : ''}`, left.text));
};

const COLUMNS = [['', 'Time'], ['', 'State'], ['', 'Event'], ['', 'App'], ['', 'Call'], ['number', 'Received'], ['number', 'Kept for']];

const table = (items, kind, { pick, pickAll }) => {
  const all = h('input', { type: 'checkbox', on: { change: ({ target }) => pickAll(target.checked) } });
  const picked = items.filter((item) => state.picked[kind].has(item.id)).length;
  all.checked = picked === items.length;
  all.indeterminate = picked > 0 && picked < items.length;
  const label = h('label', { class: 'check' }, all, h('span', { class: 'all' }, 'Select all'));
  return h('table', { role: 'grid', 'aria-label': kind === 'quarantine' ? 'Webhooks in quarantine, newest first' : 'Dead letters, newest first' },
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, h('th', { role: 'columnheader', scope: 'col', class: 'pick' }, label),
      COLUMNS.map(([name, text]) => h('th', { role: 'columnheader', scope: 'col', class: name }, text)))),
    h('tbody', { role: 'rowgroup' }, items.map((item) => row(item, kind, pick))));
};

const about = (queue) => (queue.waiting === null || queue.waiting === undefined
  ? 'You may not ask how many messages it has (sqs:GetQueueAttributes).'
  : `It has about ${count(queue.waiting)} ${queue.waiting === 1 ? 'message' : 'messages'}, and ${count(queue.in_flight)} in flight.`);

/** What a person should know before the first look. */
const before = (queue, kind, look) => [
  h('h2', {}, 'Nothing was received yet'),
  h('p', {}, h('code', {}, visible(queue.name)), kind === 'quarantine' ? ' keeps the webhooks that could not be decrypted. ' : ' keeps the events that subscribers did not delete. ', about(queue)),
  h('p', {}, 'A look receives the messages, and makes them visible again at once. Meanwhile SQS'),
  h('ul', {},
    h('li', {}, 'hides them from other readers,'),
    h('li', {}, queue.max_receive_count ? `counts a receive for each: after ${queue.max_receive_count} receives (maxReceiveCount), it moves a message away,` : 'counts a receive for each, which has no consequence here: this queue has no maxReceiveCount,'),
    h('li', {}, 'and, on a FIFO queue, delivers nothing else of their message groups.')),
  h('button', { type: 'button', class: 'primary', on: { click: look } }, 'Look'),
];

const empty = (kind, work) => {
  const queue = state.queues?.[kind];
  if (!state.queues) return [];
  if (!queue) return [h('h2', {}, 'There is no such queue'), h('p', {}, kind === 'quarantine' ? 'This deployment has no quarantine, so webhooks that cannot be decrypted are refused.' : 'The event queue has no dead-letter queue, or it was not named.')];
  if (queue.error) return [h('h2', {}, 'The queue cannot be read'), h('p', {}, visible(queue.error))];
  if (!state.seen[kind]) return before(queue, kind, work.look);
  if (state.seen[kind].messages.length > 0) return [h('h2', {}, 'Nothing matches the filter')];
  return [h('h2', {}, 'Nothing was seen'), h('p', {}, state.seen[kind].in_flight ? 'Other readers have the messages in flight.' : 'The queue is empty.')];
};

/** Shows the list of a queue. */
export const showList = (kind, work) => {
  const box = byId(kind);
  const focused = document.activeElement?.closest(`#${kind} tbody tr`)?.dataset.id;
  const items = shown(kind);
  box.replaceChildren(items.length > 0 ? table(items, kind, work) : h('div', { class: 'empty' }, empty(kind, work)));
  const rows = rowsOf(kind);
  const one = rows.find((tr) => tr.dataset.id === state.open[kind]) ?? rows[0];
  if (one) one.tabIndex = 0;
  rows.find((tr) => tr.dataset.id === focused)?.focus();
};

export const rowsOf = (kind) => [...(byId(kind).querySelector('tbody')?.rows ?? [])];
