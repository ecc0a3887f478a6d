// The inspector's page: receives webhooks as server-sent events, and shows them as a list and grouped into calls.

import { calls as callsOf } from './calls.js';
import { callDetails, numbersOf, stateOf, title, webhookDetails } from './details.js';
import { byId, bytes, clock, copy, copyButton, count, h, hue, micros, short, visible } from './dom.js';

const BASE = '/_inspect';

const state = {
  view: 'webhooks',
  /** What the server keeps, by number, in order of arrival. */
  webhooks: new Map(),
  rows: new Map(),
  /** The first webhook of each event_id; later ones with the same id are duplicates. Equal bytes alone do not count. */
  firsts: new Map(),
  calls: [],
  selected: { webhooks: undefined, calls: undefined },
  /** What the details pane shows, and which version of it. */
  shownDetails: undefined,
  held: undefined,
  filter: '',
  setup: undefined,
  connected: undefined,
  wasLost: false,
};

// ---- The server ----

const fetched = async (path, options) => {
  const response = await fetch(`${BASE}/${path}`, options);
  const document = await response.json();
  if (!response.ok) throw new Error(document.error ?? `The receiver answered ${response.status}.`);
  return document;
};

const post = (path, wish = {}) =>
  fetched(path, { method: 'POST', body: JSON.stringify(wish) }).catch((error) => {
    announce(String(error.message), 'bad');
    throw error;
  });

const connect = () => {
  const source = new EventSource(`${BASE}/events`);
  source.onopen = () => { connection('live', 'Live'); loadSetup(); };
  source.onerror = () => {
    connection('lost', 'Reconnecting');
    // If the browser gives up, try again; the server then sends what was missed.
    if (source.readyState === EventSource.CLOSED) {
      setTimeout(connect, 1000);
    }
  };
  source.addEventListener('emptied', () => { state.held = state.held && []; forget(); });
  source.addEventListener('webhook', ({ data }) => {
    const webhook = JSON.parse(data);
    if (state.held) {
      state.held.push(webhook);
      if (state.held.length > (state.setup?.limit ?? 500)) state.held.shift();
      pauseLabel();
    } else {
      add(webhook);
    }
  });
};

const connection = (name, text) => {
  if (state.connected === name) return;
  state.connected = name;
  byId('connection').dataset.state = name;
  byId('connection').textContent = text;
  const lost = byId('lost');
  lost.hidden = name !== 'lost';
  lost.textContent = name === 'lost'
    ? 'Lost the connection to voicehook dev. Is it still running in its terminal? This page reconnects automatically and shows what it missed.' : '';
};

const loadSetup = async () => {
  state.setup = await fetched('setup');
  const { url, queue, samples, scenarios } = state.setup;
  byId('url').textContent = url;
  byId('queue').textContent = queue === 'in memory' ? 'Queue in memory, webhooks to' : `Queue ${queue.split('/').at(-1)}, webhooks to`;
  byId('scenarios').replaceChildren(...scenarios.map(([name, about]) =>
    h('button', { type: 'button', on: { click: () => play(name) } }, h('strong', {}, name), h('span', {}, about))));
  byId('samples').replaceChildren(...samples.map((name) =>
    h('button', { type: 'button', on: { click: () => send(name) } }, name)));
  showEmpty();
};

// ---- Incoming webhooks ----

const add = (webhook) => {
  state.webhooks.set(webhook.id, webhook);
  if (webhook.event_id && !state.firsts.has(webhook.event_id)) state.firsts.set(webhook.event_id, webhook.id);
  const row = webhookRow(webhook);
  state.rows.set(webhook.id, row);
  byId('webhook-rows').prepend(row);
  row.hidden = !fits(webhook);
  for (const id of state.webhooks.keys()) {
    if (id >= webhook.oldest) break;
    drop(id);
  }
  announceLater(webhook);
  soon(refresh);
};

const drop = (id) => {
  const { event_id: eventId } = state.webhooks.get(id);
  if (state.firsts.get(eventId) === id) state.firsts.delete(eventId);
  state.webhooks.delete(id);
  state.rows.get(id).remove();
  state.rows.delete(id);
};

const forget = () => {
  state.webhooks.clear();
  state.rows.clear();
  state.firsts.clear();
  state.selected = { webhooks: undefined, calls: undefined };
  byId('webhook-rows').replaceChildren();
  refresh();
};

const waiting = new Set();
/** Runs `work` once for everything that arrives within 30 ms. */
const soon = (work) => {
  if (waiting.has(work)) return;
  waiting.add(work);
  setTimeout(() => { waiting.delete(work); work(); }, 30);
};

const refresh = () => {
  state.calls = callsOf([...state.webhooks.values()]);
  showCalls();
  byId('count-webhooks').textContent = count(state.webhooks.size);
  byId('count-calls').textContent = count(state.calls.length);
  focusable();
  showEmpty();
  if (state.view === 'calls' || state.selected.webhooks === undefined) showDetails();
};

let news = [];
const announceLater = (webhook) => {
  news.push(webhook);
  soon(announceNews);
};

const announceNews = () => {
  if (state.connected !== 'live' || news.length === 0) return;
  const failed = news.find((webhook) => webhook.failed);
  const latest = failed ?? news.at(-1);
  const what = `${title(latest)}, ${latest.outcome.replaceAll('_', ' ')}${latest.failed ? `: ${latest.failed}` : ''}`;
  announce(news.length === 1 ? what : `${news.length} webhooks, including ${what}`);
  news = [];
};

const announce = (text) => {
  byId('announcer').replaceChildren(h('p', {}, visible(text)));
};

// ---- The lists ----

const callMark = (id) => [h('span', { class: 'swatch', 'aria-hidden': 'true', variables: { '--hue': hue(id) } }), short(id)];

const webhookRow = (webhook) => {
  const first = state.firsts.get(webhook.event_id);
  const cell = (name, ...children) => h('td', { class: name, role: 'gridcell' }, children);
  return h('tr', { 'data-id': webhook.id, 'aria-selected': 'false', tabindex: '-1', class: webhook.failed ? 'bad' : webhook.event_type ? 'good' : 'other' },
    cell('time', clock(webhook.arrived)),
    cell('outcome-cell', h('span', { class: 'light', 'aria-hidden': 'true' }), `${webhook.status} ${webhook.outcome.replaceAll('_', ' ')}`),
    cell('event',
      first && first !== webhook.id && h('span', { class: 'note duplicate' }, 'duplicate'),
      webhook.replay_of && h('span', { class: 'note replay' }, 'replay'),
      webhook.failed && h('span', { class: 'why' }, webhook.failed),
      h('span', { class: 'name' }, visible(title(webhook)))),
    cell('app', visible(webhook.app ?? '')),
    cell('call', webhook.voice_id ? callMark(webhook.voice_id) : webhook.broadcast_id ? callMark(webhook.broadcast_id) : ''),
    cell('number size', bytes(webhook.bytes)),
    cell('number took', micros(webhook.micros)));
};

const NOTICES = { gap: 'gap', duplicate: 'duplicate', order: 'late' };

const callRow = (call) => {
  const cell = (name, ...children) => h('td', { class: name, role: 'gridcell' }, children);
  const kinds = [...new Set(call.notices.map(({ kind }) => kind))];
  return h('tr', { 'data-id': call.id, 'aria-selected': 'false', tabindex: '-1' },
    cell('time', clock(call.began)),
    cell('state-cell', h('span', { class: 'state' }, visible(stateOf(call)))),
    cell('call', callMark(call.id)),
    cell('numbers', numbersOf(call)),
    cell('number', count(call.events.length)),
    cell('issues', kinds.map((kind) => h('span', { class: `note ${kind}` }, NOTICES[kind]))));
};

const fits = (webhook) => {
  if (!state.filter) return true;
  const text = [title(webhook), webhook.app, webhook.voice_id, webhook.broadcast_id, webhook.outcome, webhook.status, webhook.failed,
    webhook.event?.from, webhook.event?.to, webhook.event?.prompt].join(' ').toLowerCase();
  return state.filter.split(/\s+/).every((word) => text.includes(word));
};

const fitsCall = (call) => !state.filter
  || state.filter.split(/\s+/).every((word) => [call.id, call.from, call.to, stateOf(call), ...call.notices.map(({ kind }) => NOTICES[kind])].join(' ').toLowerCase().includes(word));

const showCalls = () => {
  const focused = document.activeElement?.closest('#call-rows tr')?.dataset.id;
  byId('call-rows').replaceChildren(...state.calls.map(callRow));
  for (const row of byId('call-rows').rows) {
    row.hidden = !fitsCall(state.calls.find((call) => call.id === row.dataset.id));
    row.setAttribute('aria-selected', String(row.dataset.id === state.selected.calls));
    if (row.dataset.id === focused) row.focus();
  }
};

const rowsOf = (view) => [...byId(view === 'webhooks' ? 'webhook-rows' : 'call-rows').rows];
const shownRows = () => rowsOf(state.view).filter((row) => !row.hidden);

/** Makes exactly one row of each list reachable with Tab. */
const focusable = () => {
  for (const view of ['webhooks', 'calls']) {
    const rows = rowsOf(view);
    const shown = rows.filter((row) => !row.hidden);
    const one = shown.find((row) => row.getAttribute('aria-selected') === 'true') ?? shown[0];
    for (const row of rows) row.tabIndex = row === one ? 0 : -1;
  }
};

const showEmpty = () => {
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
  h('button', { type: 'button', on: { click: () => { byId('filter').value = ''; filter(); byId('filter').focus(); } } }, 'Clear filter'),
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

// ---- Selection ----

const select = (id, { focus = true } = {}) => {
  state.selected[state.view] = id;
  for (const row of rowsOf(state.view)) {
    const isIt = row.dataset.id === String(id);
    row.setAttribute('aria-selected', String(isIt));
    if (isIt && focus) row.focus();
    if (isIt) row.scrollIntoView({ block: 'nearest' });
  }
  focusable();
  document.body.classList.toggle('has-selection', id !== undefined);
  showDetails();
};

const move = (by) => {
  const rows = shownRows();
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.getAttribute('aria-selected') === 'true');
  const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by));
  choose(rows[next]);
};

const choose = (row) => select(state.view === 'webhooks' ? Number(row.dataset.id) : row.dataset.id);

const show = (view) => {
  state.view = view;
  document.body.dataset.view = view;
  for (const name of ['webhooks', 'calls']) {
    byId(name).hidden = name !== view;
    const tab = byId(`tab-${name}`);
    tab.setAttribute('aria-selected', String(name === view));
    tab.tabIndex = name === view ? 0 : -1;
  }
  document.body.classList.toggle('has-selection', state.selected[view] !== undefined);
  showDetails();
};

const openWebhook = (id) => { show('webhooks'); clearFilterIf(state.rows.get(id)?.hidden); select(id, { focus: false }); focusDetails(); };
const openCall = (id) => { show('calls'); clearFilterIf(rowsOf('calls').some((row) => row.dataset.id === id && row.hidden)); select(id, { focus: false }); focusDetails(); };

const clearFilterIf = (hidden) => {
  if (!hidden) return;
  byId('filter').value = '';
  filter();
};

let focusWanted = false;
const focusDetails = () => {
  const heading = byId('details').querySelector('h2');
  focusWanted = !heading || byId('details').ariaBusy === 'true';
  if (heading && !focusWanted) heading.focus();
};

const showDetails = () => {
  const id = state.selected[state.view];
  if (id === undefined) {
    fillDetails('nothing', () => placeholder(state.view === 'calls' ? 'a call' : 'a webhook'), state.view);
  } else if (state.view === 'calls') {
    showCall(id);
  } else {
    loadWebhook(id);
  }
};

const showCall = (id) => {
  const call = state.calls.find((known) => known.id === id);
  const width = Math.max(300, byId('details').clientWidth - 50);
  fillDetails(`call ${id}`, () => (call ? callDetails(call, width, { openWebhook }) : placeholder('a call')),
    call && JSON.stringify([width, call.newest, call.events.length, call.notices]));
};

const loadWebhook = async (id) => {
  byId('details').ariaBusy = 'true';
  let parts;
  try {
    const webhook = await fetched(`webhooks/${id}`);
    const first = state.firsts.get(webhook.event_id);
    const duplicateOf = first === id ? undefined : first;
    const replayed = state.webhooks.get(webhook.replay_of);
    const isEventOfItsOwn = Boolean(webhook.event_id && replayed?.event_id && replayed.event_id !== webhook.event_id);
    parts = () => webhookDetails(webhook, { origin: location.origin, duplicateOf, isEventOfItsOwn, replay: () => replay(id), openCall, openWebhook });
  } catch (error) {
    parts = () => [h('p', { class: 'placeholder' }, `Webhook ${id} cannot be shown: ${error.message}`)];
  }
  if (state.view === 'webhooks' && state.selected.webhooks === id) fillDetails(`webhook ${id}`, parts);
};

/** Shows parts, unless they are already shown. A call that is updated while open keeps its focus and scroll position. */
const fillDetails = (what, parts, version = '') => {
  const box = byId('details');
  const isOther = state.shownDetails?.what !== what;
  box.ariaBusy = 'false';
  if (isOther || state.shownDetails.version !== version) {
    const focused = [...box.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    const sideways = box.querySelector('.timeline-scroll')?.scrollLeft ?? 0;
    box.replaceChildren(...parts());
    if (isOther) {
      box.scrollTop = 0;
    } else {
      box.querySelector('.timeline-scroll')?.scrollTo(sideways, 0);
      box.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
    }
    state.shownDetails = { what, version };
    box.querySelector('[data-do=back]')?.addEventListener('click', back);
  }
  if (focusWanted) {
    focusWanted = false;
    box.querySelector('h2')?.focus();
  }
};

const FOCUSABLE = 'h2, button, [tabindex="0"]';

const placeholder = (what) => [h('p', { class: 'placeholder' }, `Select ${what} to see its details.`)];

const back = () => {
  const row = shownRows().find((shown) => shown.getAttribute('aria-selected') === 'true') ?? shownRows()[0];
  if (matchMedia('(max-width: 760px)').matches) select(undefined, { focus: false });
  row?.focus();
};

// ---- User actions ----

const replay = async (id) => {
  const { id: again } = await post(`webhooks/${id}/replay`);
  announce(`Replayed as webhook ${again}`);
};

const sent = (text) => { byId('sent').textContent = text; };

const send = async (name) => {
  const webhook = state.webhooks.get(state.selected.webhooks);
  const ofSelected = state.view === 'calls' ? state.selected.calls : webhook?.voice_id;
  const voiceId = byId('same-call').checked ? ofSelected : undefined;
  const { status } = await post(`samples/${name}`, voiceId ? { voice_id: voiceId } : {});
  sent(`Sent ${name}: answered ${status}.`);
};

const play = async (name) => {
  const fast = byId('fast').checked;
  await post(`scenarios/${name}`, { fast });
  sent(`Playing ${name}.`);
};

const pauseLabel = () => {
  const button = byId('pause');
  button.setAttribute('aria-pressed', String(Boolean(state.held)));
  button.textContent = state.held ? `Resume${state.held.length ? ` (${count(state.held.length)} new)` : ''}` : 'Pause';
};

const pause = () => {
  const held = state.held;
  state.held = held ? undefined : [];
  held?.forEach(add);
  pauseLabel();
};

const filter = () => {
  state.filter = byId('filter').value.trim().toLowerCase();
  for (const [id, row] of state.rows) row.hidden = !fits(state.webhooks.get(id));
  showCalls();
  focusable();
  showEmpty();
};

const KEYS = {
  j: () => move(1), k: () => move(-1),
  ArrowDown: () => move(1), ArrowUp: () => move(-1),
  '/': () => byId('filter').select(), '?': () => byId('help').showModal(),
  1: () => { show('webhooks'); back(); }, 2: () => { show('calls'); back(); },
  p: pause,
  s: () => { byId('send').showPopover(); byId('scenarios').querySelector('button')?.focus(); },
  r: () => { if (state.view === 'webhooks' && state.selected.webhooks !== undefined) replay(state.selected.webhooks); },
};

const onKey = (event) => {
  const { key, target } = event;
  const isTyping = target.matches('input:not([type=checkbox]), textarea, select');
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (key === 'Escape' && !byId('help').open && !byId('send').matches(':popover-open')) {
    if (isTyping) { target.value = ''; filter(); }
    back();
    return;
  }
  if (isTyping) {
    if (key === 'Enter' || key === 'ArrowDown') { event.preventDefault(); move(0); }
    return;
  }
  if (byId('help').open || byId('send').contains(target)) return;
  const row = target.closest('tbody tr[data-id]');
  if (key === 'Enter' && row) { event.preventDefault(); choose(row); focusDetails(); return; }
  if (row && (key === 'Home' || key === 'End')) { event.preventDefault(); choose(shownRows().at(key === 'Home' ? 0 : -1)); return; }
  const isArrow = key.startsWith('Arrow');
  if (isArrow && !row && target !== document.body) return;
  if (!isArrow && !byId('shortcuts').checked) return;
  if (KEYS[key]) { event.preventDefault(); KEYS[key](); }
};

const wire = () => {
  document.addEventListener('keydown', onKey);
  for (const view of ['webhooks', 'calls']) {
    byId(view).addEventListener('click', ({ target }) => { const row = target.closest('tbody tr[data-id]'); if (row) choose(row); });
    byId(`tab-${view}`).addEventListener('click', () => show(view));
    byId(`tab-${view}`).addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
      event.preventDefault();
      const other = view === 'webhooks' ? 'calls' : 'webhooks';
      show(other);
      byId(`tab-${other}`).focus();
    });
  }
  byId('filter').addEventListener('input', filter);
  byId('pause').addEventListener('click', pause);
  byId('clear').addEventListener('click', () => post('clear'));
  byId('open-help').addEventListener('click', () => byId('help').showModal());
  byId('copy-url').addEventListener('click', ({ currentTarget }) => copy(currentTarget, state.setup?.url ?? ''));
  const shortcuts = byId('shortcuts');
  shortcuts.checked = localStorage.getItem('voicehook-shortcuts') !== 'off';
  shortcuts.addEventListener('change', () => localStorage.setItem('voicehook-shortcuts', shortcuts.checked ? 'on' : 'off'));
  new ResizeObserver(() => { if (state.view === 'calls') soon(showDetails); }).observe(byId('details'));
};

wire();
show('webhooks');
connect();
