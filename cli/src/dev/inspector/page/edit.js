// Edit and resend: changes the event of a webhook, shows what is different, encrypts it again and sends it.

import { announce } from './announce.js';
import { changeTable } from './changes.js';
import { byId, h } from './dom.js';
import { compact, indented } from './json.js';
import { openWebhook } from './selection.js';
import { fetched, post } from './server.js';

/** Texts that were edited and not sent, by the number of their webhook. */
const drafts = new Map();

/** Forgets them: the numbers may come again for other webhooks. */
export const forgetDrafts = () => drafts.clear();

/** The webhook that is edited, and its event as the editor shows it. */
let edited;

const text = () => byId('edit-event').value;

const say = (problem) => { byId('edit-problem').textContent = problem ?? ''; };

let asked = 0;
/** Asks the server what is different. Returns what the receiver will find wrong with the event. */
const compare = async () => {
  asked += 1;
  const mine = asked;
  const { id } = edited;
  const answer = await post(`webhooks/${id}/edit`, { event: text(), send: false }).catch((error) => ({ problem: error.message, changes: [] }));
  if (mine !== asked || edited?.id !== id) return answer.problem;
  say(answer.problem);
  byId('edit-changes').replaceChildren(answer.problem ? h('p', { class: 'muted' }, 'Listed once it is a JSON object.') : changeTable(answer.changes));
  return answer.problem;
};

const fill = (content) => {
  byId('edit-event').value = content;
  return compare();
};

/** Opens the editor. */
export const edit = async (id) => {
  if (byId('edit').open) return;
  const webhook = await fetched(`webhooks/${id}`).catch((error) => ({ error: error.message }));
  if (webhook.error || webhook.plaintext === null) {
    announce(webhook.error ?? `Webhook ${id} could not be decrypted, so there is no event to edit.`);
    return;
  }
  edited = { id, original: indented(webhook.plaintext) };
  byId('edit-title').textContent = `Edit webhook ${id} and resend it`;
  byId('edit-changes').replaceChildren();
  say('');
  byId('edit').showModal();
  byId('edit-event').focus();
  fill(drafts.get(id) ?? edited.original);
  byId('edit-event').setSelectionRange(0, 0);
};

const changed = () => {
  if (text() === edited.original) drafts.delete(edited.id);
  else drafts.set(edited.id, text());
  compare();
};

const send = async () => {
  const { id } = edited;
  const button = byId('edit-send');
  if (button.ariaDisabled === 'true') return;
  button.ariaDisabled = 'true';
  try {
    const problem = await compare();
    const { id: again, status, outcome } = await post(`webhooks/${id}/edit`, { event: problem ? text() : compact(text()) });
    drafts.delete(id);
    byId('edit').close();
    announce(`Sent as webhook ${again}: ${status} ${outcome.replaceAll('_', ' ')}`);
    openWebhook(again);
  } catch (error) {
    say(error.status === 404 ? `Webhook ${id} is no longer kept, so it cannot be resent.` : error.message);
  } finally {
    button.ariaDisabled = null;
  }
};

export const wireEditor = () => {
  byId('edit-event').addEventListener('input', changed);
  byId('edit-send').addEventListener('click', send);
  byId('edit-reset').addEventListener('click', () => { drafts.delete(edited.id); fill(edited.original); byId('edit-event').focus(); });
  byId('edit-cancel').addEventListener('click', () => byId('edit').close());
  byId('edit').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  });
};
