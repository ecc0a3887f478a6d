// Exports what is shown.

import { link } from './address.js';
import { byId, copy, count } from './dom.js';
import { shownWebhooks } from './lists.js';

const what = (length) => {
  if (length === 0) return 'Nothing is shown, so there is nothing to export.';
  return length === 1 ? 'The webhook that is shown, decrypted.' : `The ${count(length)} webhooks that are shown, decrypted.`;
};

/** Says how many webhooks an export would have, when the menu opens. */
const summarize = () => {
  const { length } = shownWebhooks();
  byId('export-count').textContent = what(length);
  for (const format of ['ndjson', 'har']) byId(`export-${format}`).ariaDisabled = length === 0 ? 'true' : null;
};

export const wireExport = () => {
  byId('export').addEventListener('beforetoggle', ({ newState }) => { if (newState === 'open') summarize(); });
  for (const format of ['ndjson', 'har']) {
    byId(`export-${format}`).addEventListener('click', (event) => {
      const ids = shownWebhooks();
      if (ids.length === 0) event.preventDefault();
      event.currentTarget.href = `/_inspect/api/export/${format}?ids=${ids.join(',')}`;
      byId('export').hidePopover();
    });
  }
  byId('copy-view').addEventListener('click', ({ currentTarget }) => copy(currentTarget, link()));
};
