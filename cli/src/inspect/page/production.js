// The page of a deployment: looks at its queues when asked, explains what is there, and redrives what is selected.

import { fetched, post } from './api.js';
import { confirmed } from './confirm.js';
import { byId, count, h, visible } from './dom.js';
import { messageDetails } from './message-details.js';
import { fillDetails, focusDetails, placeholder } from './pane.js';
import { KINDS, moment, rowsOf, showList, shown, state } from './queue-list.js';

const isNarrow = () => matchMedia('(max-width: 760px)').matches;

const problem = (text) => {
  byId('problem').hidden = !text;
  byId('problem').textContent = text ?? '';
};

/** Does one thing after the other, and says what fails. */
const attempt = async (work) => {
  if (state.isBusy) return;
  state.isBusy = true;
  problem();
  showButtons();
  await work().catch((error) => problem(error.message));
  state.isBusy = false;
  showButtons();
};

const messages = (number) => (number === 1 ? 'one message' : `${count(number)} messages`);

const showButtons = () => {
  const { size } = state.picked[state.kind];
  byId('redrive').textContent = size ? `Redrive ${count(size)}…` : 'Redrive…';
  byId('redrive').disabled = size === 0 || state.isBusy;
  byId('look').disabled = state.isBusy || !state.queues?.[state.kind];
};

/** Says what the last look saw, and what it could not see. */
const showSaw = () => {
  const seen = state.seen[state.kind];
  const parts = [];
  if (seen) {
    parts.push(h('strong', {}, `${moment(seen.at)}: saw ${messages(seen.seen)}`), seen.seen ? ', visible again. ' : '. ');
    if (seen.in_flight) parts.push(`${count(seen.in_flight)} in flight could not be seen: other readers have them. `);
    if (seen.in_flight === null) parts.push('How many could not be seen is unknown: you may not ask (sqs:GetQueueAttributes). ');
    if (seen.is_cut) parts.push(`The look ended at its limit${seen.unseen ? `: about ${count(seen.unseen)} more were not seen` : ''}. `);
    else if (seen.unseen) parts.push(`About ${count(seen.unseen)} more were not delivered, such as later events of a call on a FIFO queue. `);
    if (seen.max_receive_count) parts.push(`SQS counted a receive for each; it moves a message away after ${seen.max_receive_count}.`);
  }
  byId('saw').replaceChildren(...parts);
};

const showCounts = () => {
  for (const kind of KINDS) {
    const { waiting, in_flight: inFlight } = state.queues?.[kind] ?? {};
    byId(`count-${kind}`).textContent = waiting === undefined || waiting === null ? '' : count(waiting + inFlight);
  }
};

const loadQueues = async () => {
  state.queues = await fetched('queues');
  const off = state.queues.redrive_is_off;
  byId('events').textContent = off ? '' : state.queues.events;
  byId('allowed').textContent = off ? `Nothing is moved here: ${off}` : 'Redrives go to';
  showCounts();
  refresh();
};

const refresh = () => {
  for (const kind of KINDS) showList(kind, { pick, pickAll, look });
  showSaw();
  showButtons();
  showDetails();
};

const pick = (id) => {
  const picked = state.picked[state.kind];
  if (!picked.delete(id)) picked.add(id);
  refresh();
};

const pickAll = (isOn) => {
  state.picked[state.kind] = new Set(isOn ? shown(state.kind).map((item) => item.id) : []);
  refresh();
};

const keepKnown = (kind) => {
  const known = new Set(state.seen[kind].messages.map((item) => item.id));
  state.picked[kind] = new Set([...state.picked[kind]].filter((id) => known.has(id)));
  if (!known.has(state.open[kind])) state.open[kind] = undefined;
  document.body.classList.toggle('has-selection', state.open[state.kind] !== undefined);
};

const look = () => attempt(async () => {
  const { kind } = state;
  byId('saw').textContent = 'Receiving…';
  try {
    state.seen[kind] = await post(`${kind}/look`);
    keepKnown(kind);
    await loadQueues();
  } finally {
    showSaw();
  }
  rowsOf(kind)[0]?.focus();
});

const said = (outcomes) => {
  const counts = new Map();
  for (const { result, why } of outcomes.filter(({ result }) => result !== 'moved')) {
    const text = result === 'left' ? `left: ${why}` : why;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, number]) => h('li', {}, visible(`${number} ${text}`)));
};

const showDone = ({ moved, left, outcomes }) => {
  byId('done').dataset.kind = left ? 'failure' : 'moved';
  byId('done').replaceChildren(
    h('div', {}, h('p', {}, `${messages(moved)} moved to ${state.queues.events}${left ? `, ${count(left)} not moved:` : '.'}`), left > 0 && h('ul', {}, said(outcomes))),
    h('button', { type: 'button', class: 'quiet', 'data-do': 'dismiss', on: { click: () => { byId('done').replaceChildren(); byId('look').focus(); } } }, 'Dismiss'));
};

const redrive = () => attempt(async () => {
  const { kind } = state;
  const ids = [...state.picked[kind]];
  if (ids.length === 0 || !await confirmed(kind, ids)) return;
  byId('done').dataset.kind = 'moved';
  byId('done').replaceChildren(h('p', {}, `Redriving ${messages(ids.length)}…`));
  try {
    showDone(await post(`${kind}/redrive`, { ids }));
  } catch (error) {
    byId('done').replaceChildren();
    throw error;
  }
  state.seen[kind] = await fetched(kind);
  keepKnown(kind);
  await loadQueues();
});

const showDetails = () => {
  const { kind } = state;
  const id = state.open[kind];
  if (id === undefined) {
    fillDetails('nothing', () => placeholder(state.seen[kind] ? 'Select a message to see its details.' : ''), kind + Boolean(state.seen[kind]));
    return;
  }
  loadDetails(kind, id);
};

const loadDetails = async (kind, id) => {
  byId('details').ariaBusy = 'true';
  const isPicked = state.picked[kind].has(id);
  let parts;
  try {
    const item = await fetched(`${kind}/messages/${encodeURIComponent(id)}`);
    parts = () => messageDetails(item, kind, { width: byId('details').clientWidth, isPicked, pick: () => pick(id) });
  } catch (error) {
    parts = () => placeholder(error.message);
  }
  if (state.kind === kind && state.open[kind] === id) fillDetails(`${kind} ${id}`, parts, `${state.seen[kind]?.at} ${isPicked}`);
};

const open = (id, { focus = true } = {}) => {
  state.open[state.kind] = id;
  for (const row of rowsOf(state.kind)) {
    const isIt = row.dataset.id === id;
    row.setAttribute('aria-selected', String(isIt));
    row.tabIndex = isIt ? 0 : -1;
    if (isIt && focus && !isNarrow()) row.focus();
    if (isIt) row.scrollIntoView({ block: 'nearest' });
  }
  document.body.classList.toggle('has-selection', id !== undefined);
  showDetails();
  if (isNarrow() && id !== undefined) focusDetails();
};

const move = (by) => {
  const rows = rowsOf(state.kind);
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.dataset.id === state.open[state.kind]);
  open(rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + by))].dataset.id);
};

const back = () => {
  const row = rowsOf(state.kind).find((shownRow) => shownRow.dataset.id === state.open[state.kind]) ?? rowsOf(state.kind)[0];
  if (isNarrow()) open(undefined, { focus: false });
  row?.focus();
};

const show = (kind) => {
  state.kind = kind;
  for (const other of KINDS) {
    byId(other).hidden = other !== kind;
    byId(`tab-${other}`).setAttribute('aria-selected', String(other === kind));
    byId(`tab-${other}`).tabIndex = other === kind ? 0 : -1;
  }
  document.body.classList.toggle('has-selection', state.open[kind] !== undefined);
  refresh();
};

const filter = () => {
  state.filter = byId('filter').value.trim().toLowerCase();
  refresh();
};

const KEYS = {
  j: () => move(1), k: () => move(-1), ArrowDown: () => move(1), ArrowUp: () => move(-1),
  '/': () => byId('filter').select(), '?': () => byId('help').showModal(),
  1: () => show('quarantine'), 2: () => show('dead-letters'),
  l: look, r: redrive,
  x: () => { const id = document.activeElement?.closest('tbody tr')?.dataset.id ?? state.open[state.kind]; if (id) pick(id); },
};

const onKey = (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  const isTyping = target.matches('input:not([type=checkbox])');
  if (key === 'Escape') {
    if (isTyping) { byId('filter').value = ''; filter(); }
    back();
    return;
  }
  if (isTyping) {
    if (key === 'Enter' || key === 'ArrowDown') { event.preventDefault(); move(0); }
    return;
  }
  const row = target.closest('tbody tr[data-id]');
  if (key === 'Enter' && row) { event.preventDefault(); open(row.dataset.id); focusDetails(); return; }
  const isArrow = key.startsWith('Arrow');
  if (isArrow && !row && target !== document.body) return;
  if (!isArrow && !byId('shortcuts').checked) return;
  if (KEYS[key]) { event.preventDefault(); KEYS[key](); }
};

const wire = () => {
  document.addEventListener('keydown', onKey);
  for (const kind of KINDS) {
    byId(kind).addEventListener('click', ({ target }) => { const row = target.closest('tbody tr[data-id]'); if (row) open(row.dataset.id); });
    byId(`tab-${kind}`).addEventListener('click', () => show(kind));
    byId(`tab-${kind}`).addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
      event.preventDefault();
      const other = KINDS.find((known) => known !== kind);
      show(other);
      byId(`tab-${other}`).focus();
    });
  }
  byId('details').addEventListener('click', ({ target }) => { if (target.closest('[data-do=back]')) back(); });
  byId('filter').addEventListener('input', filter);
  byId('look').addEventListener('click', look);
  byId('redrive').addEventListener('click', redrive);
  byId('open-help').addEventListener('click', () => byId('help').showModal());
  const shortcuts = byId('shortcuts');
  shortcuts.checked = localStorage.getItem('voicehook-shortcuts') !== 'off';
  shortcuts.addEventListener('change', () => localStorage.setItem('voicehook-shortcuts', shortcuts.checked ? 'on' : 'off'));
};

wire();
show('quarantine');
loadQueues().then(() => { if (!state.queues.quarantine) show('dead-letters'); }).catch((error) => problem(error.message));
