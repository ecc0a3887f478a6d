// Webhooks as they arrive, or once the list is no longer paused.

import { writeAddress } from './address.js';
import { announceLater } from './announce.js';
import { offerUndo } from './clear.js';
import { byId, count } from './dom.js';
import { forgetDrafts } from './edit.js';
import { follow } from './follow.js';
import { addToList, emptyLists, refreshLists, updateInList } from './lists.js';
import { forgetReplays } from './replay.js';
import { showDetails } from './selection.js';
import { soon, state } from './state.js';

const add = (webhook) => {
  if (updateInList(webhook)) {
    soon(refresh);
    if (state.selected.webhooks === webhook.id && state.view === 'webhooks') soon(showDetails);
    return;
  }
  addToList(webhook);
  announceLater(webhook);
  soon(refresh);
};

const refresh = () => {
  refreshLists();
  if (state.view === 'calls' || state.selected.webhooks === undefined) showDetails();
};

/** Takes a webhook from the server. */
export const arrived = (webhook) => {
  if (!state.held) {
    add(webhook);
    return;
  }
  const again = state.held.findIndex(({ id }) => id === webhook.id);
  if (again >= 0) state.held[again] = webhook;
  else if (updateInList(webhook)) soon(refresh);
  else state.held.push(webhook);
  if (state.held.length > (state.setup?.limit ?? 500)) state.held.shift();
  pauseLabel();
};

/** Forgets what the server no longer keeps. So many of them can be brought back. */
export const emptied = ({ cleared }) => {
  state.held = state.held && [];
  state.selected = { webhooks: undefined, key: undefined, calls: undefined };
  emptyLists();
  forgetReplays();
  forgetDrafts();
  document.body.classList.remove('has-selection');
  refresh();
  offerUndo(cleared);
  // At the start and after a restart the webhooks come anew, and the address says which one was selected.
  if (cleared === 0 || isFirst) follow();
  else writeAddress();
  isFirst = false;
};

let isFirst = true;

const pauseLabel = () => {
  const button = byId('pause');
  button.setAttribute('aria-pressed', String(Boolean(state.held)));
  button.textContent = state.held ? `Resume${state.held.length ? ` (${count(state.held.length)} new)` : ''}` : 'Pause';
};

export const pause = () => {
  const held = state.held;
  state.held = held ? undefined : [];
  held?.forEach(add);
  pauseLabel();
};
