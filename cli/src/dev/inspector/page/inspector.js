// The inspector's page: receives webhooks as server-sent events, and shows them as a list and grouped into calls.

import { readAddress } from './address.js';
import { arrived, emptied, pause } from './arrivals.js';
import { clear } from './clear.js';
import { byId, copy } from './dom.js';
import { wireEditor } from './edit.js';
import { wireExport } from './export.js';
import { follow } from './follow.js';
import { onKey } from './keyboard.js';
import { filter, showEmpty } from './lists.js';
import { wireMarks } from './marks.js';
import { notify } from './notice.js';
import { back, choose, openWebhook, show, showDetails } from './selection.js';
import { offer } from './send.js';
import { connect, fetched } from './server.js';
import { soon, state } from './state.js';

const TROUBLE = {
  lost: 'Lost the connection to voicehook dev. Is it still running in its terminal? This page reconnects automatically and shows what it missed.',
  locked: 'voicehook dev was started again and has a new token. Open the URL that it printed; then this page goes on, too.',
};

const connection = (name, text) => {
  if (state.connected === name) return;
  state.connected = name;
  byId('connection').dataset.state = name;
  byId('connection').textContent = text;
  byId('lost').hidden = !(name in TROUBLE);
  byId('lost').textContent = TROUBLE[name] ?? '';
};

const loadSetup = async () => {
  state.setup = await fetched('setup');
  const { url, queue } = state.setup;
  byId('url').textContent = url;
  byId('queue').textContent = queue === 'in memory' ? 'Queue in memory, webhooks to' : `Queue ${queue.split('/').at(-1)}, webhooks to`;
  offer(state.setup);
  showEmpty();
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
  byId('details').addEventListener('click', ({ target }) => {
    const link = target.closest('[data-open]');
    if (link) openWebhook(Number(link.dataset.open));
    else if (target.closest('[data-do=back]')) back();
  });
  byId('filter').addEventListener('input', filter);
  byId('filters').addEventListener('click', ({ target }) => {
    const term = target.closest('[data-term]')?.dataset.term;
    if (!term) return;
    byId('filter').value = `${byId('filter').value} ${term}`.trim();
    byId('filters').hidePopover();
    byId('filter').focus();
    filter();
  });
  addEventListener('hashchange', follow);
  wireEditor();
  wireExport();
  wireMarks();
  byId('pause').addEventListener('click', pause);
  byId('clear').addEventListener('click', clear);
  byId('open-help').addEventListener('click', () => byId('help').showModal());
  byId('copy-url').addEventListener('click', ({ currentTarget }) => copy(currentTarget, state.setup?.url ?? ''));
  const shortcuts = byId('shortcuts');
  shortcuts.checked = localStorage.getItem('voicehook-shortcuts') !== 'off';
  shortcuts.addEventListener('change', () => localStorage.setItem('voicehook-shortcuts', shortcuts.checked ? 'on' : 'off'));
  new ResizeObserver(() => { if (state.view === 'calls') soon(showDetails); }).observe(byId('details'));
};

wire();
connect({
  live: () => { connection('live', 'Live'); loadSetup().catch((error) => notify(error.message)); },
  lost: () => connection('lost', 'Reconnecting'),
  locked: () => connection('locked', 'Token needed'),
  emptied,
  webhook: arrived,
});
