// Sends a webhook to the receiver again, and says how that went, beside its button.

import { announce } from './announce.js';
import { byId, h } from './dom.js';
import { post } from './server.js';

/** How the last replay of each webhook went. */
const replays = new Map();

/** Forgets them: the numbers may come again for other webhooks. */
export const forgetReplays = () => replays.clear();

const link = (id) => h('button', { type: 'button', class: 'link', 'data-open': id }, `webhook ${id}`);

/** The button, and what to say of the replay. */
const parts = (id) => {
  const { state, text, again } = replays.get(id) ?? {};
  const isPending = state === 'pending';
  return [
    h('p', { class: `feedback ${state ?? ''}` }, again ? ['Replayed as ', link(again), `: ${text}`] : text),
    h('button', { type: 'button', 'data-do': 'replay', 'aria-keyshortcuts': 'r', 'aria-disabled': isPending ? 'true' : undefined, on: { click: () => replay(id) } },
      isPending ? 'Replaying…' : 'Replay'),
  ];
};

/** The controls for the head of a webhook's details. */
export const replayControls = (id) => h('div', { class: 'replay-controls', 'data-replay': id }, parts(id));

const update = (id, progress, announced) => {
  replays.set(id, progress);
  announce(announced);
  const box = byId('details').querySelector(`[data-replay="${id}"]`);
  if (!box) return;
  const hasFocus = box.contains(document.activeElement);
  box.replaceChildren(...parts(id));
  if (hasFocus) box.querySelector('[data-do=replay]').focus();
};

const failure = (id, { status, message }) => (status === 404
  ? `Webhook ${id} is no longer kept, so it cannot be replayed.` : `Replay failed: ${message}`);

export const replay = async (id) => {
  if (replays.get(id)?.state === 'pending') return;
  update(id, { state: 'pending', text: '' }, `Replaying webhook ${id}`);
  try {
    const { id: again, status, outcome } = await post(`webhooks/${id}/replay`);
    const text = `${status} ${(outcome ?? '').replaceAll('_', ' ')}`;
    update(id, { state: status < 400 ? 'done' : 'failed', text, again }, `Replayed as webhook ${again}: ${text}`);
  } catch (error) {
    const text = failure(id, error);
    update(id, { state: 'failed', text }, text);
  }
};
