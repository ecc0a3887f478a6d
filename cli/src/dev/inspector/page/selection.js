// What is selected, and its details.

import { writeAddress } from './address.js';
import { callDetails } from './call-details.js';
import { byId } from './dom.js';
import { clearFilter, focusable, rowsOf, shownRows } from './lists.js';
import { fillDetails, focusDetails, placeholder } from './pane.js';
import { fetched } from './server.js';
import { state } from './state.js';
import { webhookDetails } from './webhook-details.js';

const isNarrow = () => matchMedia('(max-width: 760px)').matches;

export const select = (id, { focus = true } = {}) => {
  state.selected[state.view] = id;
  if (state.view === 'webhooks') state.selected.key = state.webhooks.get(id)?.key;
  writeAddress();
  for (const row of rowsOf(state.view)) {
    const isIt = row.dataset.id === String(id);
    row.setAttribute('aria-selected', String(isIt));
    if (isIt && focus && !isNarrow()) row.focus();
    if (isIt) row.scrollIntoView({ block: 'nearest' });
  }
  focusable();
  document.body.classList.toggle('has-selection', id !== undefined);
  showDetails();
  // The details cover the list.
  if (isNarrow() && id !== undefined) focusDetails();
};

export const move = (by) => {
  const rows = shownRows();
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.getAttribute('aria-selected') === 'true');
  const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
  choose(rows[next]);
};

export const choose = (row) => select(state.view === 'webhooks' ? Number(row.dataset.id) : row.dataset.id);

export const show = (view) => {
  state.view = view;
  document.body.dataset.view = view;
  for (const name of ['webhooks', 'calls']) {
    byId(name).hidden = name !== view;
    const tab = byId(`tab-${name}`);
    tab.setAttribute('aria-selected', String(name === view));
    tab.tabIndex = name === view ? 0 : -1;
  }
  document.body.classList.toggle('has-selection', state.selected[view] !== undefined);
  writeAddress();
  showDetails();
};

export const openWebhook = (id) => { show('webhooks'); clearFilterIf(state.rows.get(id)?.hidden); select(id, { focus: false }); focusDetails(); };
export const openCall = (id) => { show('calls'); clearFilterIf(rowsOf('calls').some((row) => row.dataset.id === id && row.hidden)); select(id, { focus: false }); focusDetails(); };

const clearFilterIf = (hidden) => { if (hidden) clearFilter(); };

export const showDetails = () => {
  const id = state.selected[state.view];
  if (id === undefined) {
    fillDetails('nothing', () => placeholder(`Select ${state.view === 'calls' ? 'a call' : 'a webhook'} to see its details.`), state.view);
  } else if (state.view === 'calls') {
    showCall(id);
  } else {
    loadWebhook(id);
  }
};

const showCall = (id) => {
  const call = state.calls.find((known) => known.id === id);
  const width = Math.max(300, byId('details').clientWidth - 50);
  fillDetails(`call ${id}`, () => (call ? callDetails(call, width, { openWebhook }) : placeholder('None of the webhooks of this call is kept any longer.')),
    call && JSON.stringify([width, call.newest, call.events.length, call.notices, call.events.map(({ webhook }) => webhook.forwarding)]));
};

const loadWebhook = async (id) => {
  byId('details').ariaBusy = 'true';
  let parts;
  let version;
  try {
    const webhook = await fetched(`webhooks/${id}`);
    version = JSON.stringify(webhook.forwarding);
    if (state.selected.webhooks === id) state.selected.key = webhook.key;
    if (state.view === 'webhooks') writeAddress();
    const first = state.firsts.get(webhook.event_id);
    const duplicateOf = first === id ? undefined : first;
    const replayed = state.webhooks.get(webhook.replay_of);
    const isEventOfItsOwn = Boolean(webhook.event_id && replayed?.event_id && replayed.event_id !== webhook.event_id);
    parts = () => webhookDetails(webhook, { origin: location.origin, width: byId('details').clientWidth, duplicateOf, isEventOfItsOwn, openCall });
  } catch (error) {
    parts = () => placeholder(error.status === 404 ? `Webhook ${id} is no longer kept.` : error.message);
  }
  if (state.view === 'webhooks' && state.selected.webhooks === id) fillDetails(`webhook ${id}`, parts, version);
};

export const back = () => {
  const row = shownRows().find((shown) => shown.getAttribute('aria-selected') === 'true') ?? shownRows()[0];
  if (isNarrow()) select(undefined, { focus: false });
  row?.focus();
};
