// Goes where the page's address points: a link that was opened, pasted or kept across a restart.

import { readAddress } from './address.js';
import { byId } from './dom.js';
import { filter } from './lists.js';
import { dismiss, notify } from './notice.js';
import { select, show } from './selection.js';
import { fetched } from './server.js';

const GONE = 'The webhook of this link is no longer kept.';

export const follow = async () => {
  const { view, call, search, webhook } = readAddress();
  byId('filter').value = search;
  const filtered = filter();
  show(view);
  if (call !== undefined) select(call, { focus: false });
  dismiss('link');
  if (call === undefined && webhook !== undefined) {
    const { id } = await fetched(`webhooks/${encodeURIComponent(webhook)}`).catch(() => ({}));
    if (id === undefined) notify(GONE, { kind: 'link' });
    else select(id, { focus: false });
  }
  await filtered;
};
