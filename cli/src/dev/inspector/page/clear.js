// Clears the lists, and brings back what was cleared.

import { byId, count } from './dom.js';
import { dismiss, notify } from './notice.js';
import { post } from './server.js';

const attempt = (path) => post(path).catch((error) => notify(error.message));

export const clear = () => attempt('clear');

const restore = async () => {
  await attempt('restore');
  byId('clear').focus();
};

/** Offers to bring back what was cleared, here or in another window. */
export const offerUndo = (cleared) => {
  if (cleared === 0) {
    dismiss('cleared');
    return;
  }
  const what = cleared === 1 ? 'One webhook' : `${count(cleared)} webhooks`;
  notify(`${what} cleared.`, { kind: 'cleared', action: { name: 'undo', label: 'Undo', work: restore } });
};

/** Does what the Undo button does, while it is there. */
export const undo = () => byId('notice').querySelector('[data-do=undo]')?.click();
