// The lists of webhooks and calls, and what stands in their place while they are empty.

import { writeAddress } from './address.js';
import { calls as callsOf } from './calls.js';
import { byId, copyButton, count, h } from './dom.js';
import { checkLater, fits, fitsCall, search } from './filter.js';
import { mark } from './marks.js';
import { callRow, webhookRow } from './rows.js';
import { state } from './state.js';

/** Shows what is new about a webhook in the list. Returns whether it was there. */
export const updateInList = (webhook) => {
  const old = state.rows.get(webhook.id);
  if (!old) return false;
  const hadFocus = old === document.activeElement;
  const row = webhookRow(webhook);
  row.hidden = !fits(webhook);
  row.tabIndex = old.tabIndex;
  row.setAttribute('aria-selected', old.getAttribute('aria-selected'));
  state.webhooks.set(webhook.id, webhook);
  state.rows.set(webhook.id, row);
  old.replaceWith(row);
  if (hadFocus) row.focus();
  return true;
};

/** Adds a webhook, and drops those that the server no longer keeps. */
export const addToList = (webhook) => {
  state.webhooks.set(webhook.id, webhook);
  if (webhook.event_id && !state.firsts.has(webhook.event_id)) state.firsts.set(webhook.event_id, webhook.id);
  const row = webhookRow(webhook);
  state.rows.set(webhook.id, row);
  byId('webhook-rows').prepend(row);
  row.hidden = !fits(webhook);
  row.setAttribute('aria-selected', String(webhook.id === state.selected.webhooks));
  checkLater(webhook.id, showFound);
  for (const id of state.webhooks.keys()) {
    if (id >= webhook.oldest) break;
    drop(id);
  }
};

const drop = (id) => {
  const { event_id: eventId } = state.webhooks.get(id);
  if (state.firsts.get(eventId) === id) state.firsts.delete(eventId);
  state.webhooks.delete(id);
  state.rows.get(id).remove();
  state.rows.delete(id);
};

export const emptyLists = () => {
  state.webhooks.clear();
  state.rows.clear();
  state.firsts.clear();
  byId('webhook-rows').replaceChildren();
};

/** Shows the calls and the counts of what is in the lists. */
export const refreshLists = () => {
  state.calls = callsOf([...state.webhooks.values()]);
  showCalls();
  showCounts();
  focusable();
  showEmpty();
};

/** How many there are, and with a search how many of them are shown. */
const showCounts = () => {
  const label = (shown, all) => (state.found && shown !== all ? `${count(shown)} of ${count(all)}` : count(all));
  byId('count-webhooks').textContent = label([...state.webhooks.values()].filter(fits).length, state.webhooks.size);
  byId('count-calls').textContent = label(state.calls.filter(fitsCall).length, state.calls.length);
};

const showCalls = () => {
  const focused = document.activeElement?.closest('#call-rows tr')?.dataset.id;
  byId('call-rows').replaceChildren(...state.calls.map(callRow));
  for (const row of byId('call-rows').rows) {
    row.hidden = !fitsCall(state.calls.find((call) => call.id === row.dataset.id));
    row.setAttribute('aria-selected', String(row.dataset.id === state.selected.calls));
    if (row.dataset.id === focused) row.focus();
  }
};

export const rowsOf = (view) => [...byId(view === 'webhooks' ? 'webhook-rows' : 'call-rows').rows];
export const shownRows = () => rowsOf(state.view).filter((row) => !row.hidden);

/** Makes exactly one row of each list reachable with Tab. */
export const focusable = () => {
  for (const view of ['webhooks', 'calls']) {
    const rows = rowsOf(view);
    const shown = rows.filter((row) => !row.hidden);
    const one = shown.find((row) => row.getAttribute('aria-selected') === 'true') ?? shown[0];
    for (const row of rows) row.tabIndex = row === one ? 0 : -1;
  }
};

export const showEmpty = () => {
  const shown = { webhooks: rowsOf('webhooks'), calls: rowsOf('calls') };
  for (const [view, rows] of Object.entries(shown)) {
    const box = byId(`${view}-empty`);
    const some = rows.some((row) => !row.hidden);
    box.hidden = some;
    byId(view === 'webhooks' ? 'webhook-table' : 'call-table').classList.toggle('is-empty', !some);
    if (!some) box.replaceChildren(...(rows.length > 0 ? filteredOut() : welcome()).flat());
  }
};

const filteredOut = () => [
  h('h2', {}, 'Nothing matches the filter'),
  h('button', { type: 'button', on: { click: () => { clearFilter(); byId('filter').focus(); } } }, 'Clear filter'),
];

const welcome = () => {
  if (!state.setup) return [];
  const { url, trigger, curl } = state.setup;
  const line = (text) => h('div', { class: 'copyable' }, h('pre', { tabindex: '0' }, text), copyButton('Copy', () => text));
  return [
    h('h2', {}, 'Waiting for a webhook'),
    h('p', {}, 'This receiver decrypts what EnableX sends to ', h('code', {}, url), '. Each webhook appears here as it arrives.'),
    h('p', {}, 'Send one event from a terminal:'), line(trigger),
    curl && [h('p', {}, 'or without voicehook:'), line(curl)],
    h('p', {}, 'or send a whole call, encrypted as EnableX encrypts it:'),
    h('button', { type: 'button', class: 'primary', on: { click: () => { byId('send').showPopover(); } } }, 'Send an event or a call'),
  ];
};

/** The numbers of the webhooks that are shown, in the calls view those of the calls; the oldest first. */
export const shownWebhooks = () => {
  const ids = state.view === 'webhooks'
    ? [...state.webhooks.values()].filter(fits).map(({ id }) => id)
    : state.calls.filter(fitsCall).flatMap(({ events }) => events.map(({ webhook }) => webhook.id));
  return ids.sort((a, b) => a - b);
};

const showFound = () => {
  for (const [id, row] of state.rows) row.hidden = !fits(state.webhooks.get(id));
  showCalls();
  showCounts();
  focusable();
  showEmpty();
  mark();
};

let filtering = Promise.resolve();
/** Shows what fits the text in the search field, once the server has searched. */
export const filter = () => {
  filtering = search().then((isCurrent) => { if (isCurrent) showFound(); });
  writeAddress();
  return filtering;
};

/** Done when what is shown fits the text. */
export const filtered = () => filtering;

export const clearFilter = () => {
  byId('filter').value = '';
  filter();
};
