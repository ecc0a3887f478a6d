// The inspector's page: receives webhooks as server-sent events, and shows them as a list and grouped into calls.

import { arrived, emptied, pause } from './arrivals.js';
import { byId, copy } from './dom.js';
import { onKey } from './keyboard.js';
import { filter, showEmpty } from './lists.js';
import { back, choose, show, showDetails } from './selection.js';
import { offer } from './send.js';
import { connect, fetched, post } from './server.js';
import { soon, state } from './state.js';

const connection = (name, text) => {
  if (state.connected === name) return;
  state.connected = name;
  byId('connection').dataset.state = name;
  byId('connection').textContent = text;
  const lost = byId('lost');
  lost.hidden = name !== 'lost';
  lost.textContent = name === 'lost'
    ? 'Lost the connection to voicehook dev. Is it still running in its terminal? This page reconnects automatically and shows what it missed.' : '';
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
  byId('details').addEventListener('click', ({ target }) => { if (target.closest('[data-do=back]')) back(); });
  byId('filter').addEventListener('input', filter);
  byId('pause').addEventListener('click', pause);
  byId('clear').addEventListener('click', () => post('clear'));
  byId('open-help').addEventListener('click', () => byId('help').showModal());
  byId('copy-url').addEventListener('click', ({ currentTarget }) => copy(currentTarget, state.setup?.url ?? ''));
  const shortcuts = byId('shortcuts');
  shortcuts.checked = localStorage.getItem('voicehook-shortcuts') !== 'off';
  shortcuts.addEventListener('change', () => localStorage.setItem('voicehook-shortcuts', shortcuts.checked ? 'on' : 'off'));
  new ResizeObserver(() => { if (state.view === 'calls') soon(showDetails); }).observe(byId('details'));
};

wire();
show('webhooks');
connect({
  live: () => { connection('live', 'Live'); loadSetup(); },
  lost: () => connection('lost', 'Reconnecting'),
  emptied,
  webhook: arrived,
});
