// Asks before a redrive, and says what exactly it will do.

import { post } from './api.js';
import { byId, count, h, visible } from './dom.js';

const messages = (number) => (number === 1 ? 'one message' : `${count(number)} messages`);

/** Whether a person confirms the redrive. The server says what will happen. */
export const confirmed = async (kind, ids) => {
  const plan = await post(`${kind}/plan`, { ids });
  const dialog = byId('confirm');
  byId('confirm-title').textContent = plan.move ? `Redrive ${messages(plan.move)}?` : 'Nothing to redrive';
  byId('plan').replaceChildren(...plan.sentences.map((sentence) => h('li', {}, visible(sentence))));
  byId('off').hidden = !plan.redrive_is_off;
  byId('off').textContent = plan.redrive_is_off ? `Nothing can be moved here: ${plan.redrive_is_off}.` : '';
  byId('confirmed').textContent = `Move ${messages(plan.move)}`;
  byId('confirmed').hidden = plan.move === 0;
  byId('confirmed').disabled = Boolean(plan.redrive_is_off);
  dialog.returnValue = '';
  dialog.showModal();
  await new Promise((closed) => { dialog.addEventListener('close', closed, { once: true }); });
  return dialog.returnValue === 'confirmed';
};
