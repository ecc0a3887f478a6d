// Which webhooks and calls are shown: those that the server finds for the text in the search field. It searches in all of a
// webhook, of which the page only has a summary.

import { byId } from './dom.js';
import { NOTICES, stateOf } from './names.js';
import { fetched } from './server.js';
import { soon, state } from './state.js';

export const fits = (webhook) => !state.found || state.found.has(webhook.id);

/** A call is found by one of its webhooks, or by what the page says of it. */
export const fitsCall = (call) => {
  if (!state.found || call.events.some(({ webhook }) => state.found.has(webhook.id))) return true;
  const text = [call.id, stateOf(call), ...call.notices.map(({ kind }) => NOTICES[kind])].join(' ').toLowerCase();
  return state.filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
};

/** Says what is wrong with the search, beside its field. */
const say = (problem) => {
  byId('filter-problem').textContent = problem;
  byId('filter').setAttribute('aria-invalid', String(problem !== ''));
};

const ask = (text, after) => fetched(`webhooks?${new URLSearchParams({ q: text, after, only: 'ids' })}`);

/** Takes what the field says. Returns whether it is still what it says once the server has answered. */
export const search = async () => {
  const text = byId('filter').value.trim();
  state.filter = text;
  unchecked = undefined;
  if (text === '') {
    state.found = undefined;
    state.words = [];
    say('');
    return true;
  }
  const answer = await ask(text, 0).catch((error) => ({ error }));
  if (state.filter !== text) return false;
  if (answer.error) {
    say(answer.error.message);
    return true;
  }
  state.found = new Set(answer.ids);
  state.words = answer.words;
  say('');
  return true;
};

/** The lowest number of a webhook that arrived, or changed, since the last answer. */
let unchecked;

const check = async (shown) => {
  const [text, from] = [state.filter, unchecked];
  if (from === undefined || text === '') return;
  unchecked = undefined;
  const answer = await ask(text, from - 1).catch(() => undefined);
  if (!answer || !state.found || state.filter !== text) return;
  const found = new Set(answer.ids);
  for (const id of state.webhooks.keys()) {
    if (found.has(id)) state.found.add(id);
    else if (id >= from) state.found.delete(id);
  }
  shown();
};

/** Asks the server about a webhook that arrived, together with others of the same moment. Then calls `shown`. */
export const checkLater = (id, shown) => {
  if (state.filter === '') return;
  unchecked = Math.min(unchecked ?? id, id);
  checking.set(shown, checking.get(shown) ?? (() => check(shown)));
  soon(checking.get(shown));
};

/** One function for each listener, so that `soon` recognizes it. */
const checking = new Map();
