// Keyboard shortcuts.

import { pause } from './arrivals.js';
import { undo } from './clear.js';
import { byId } from './dom.js';
import { edit } from './edit.js';
import { clearFilter, filtered, shownRows } from './lists.js';
import { focusDetails } from './pane.js';
import { replay } from './replay.js';
import { back, choose, move, show } from './selection.js';
import { state } from './state.js';

const KEYS = {
  j: () => move(1), k: () => move(-1),
  ArrowDown: () => move(1), ArrowUp: () => move(-1),
  '/': () => byId('filter').select(), '?': () => byId('help').showModal(),
  1: () => { show('webhooks'); back(); }, 2: () => { show('calls'); back(); },
  p: pause, u: undo,
  s: () => { byId('send').showPopover(); byId('scenarios').querySelector('button')?.focus(); },
  e: () => { if (state.view === 'webhooks' && state.selected.webhooks !== undefined) edit(state.selected.webhooks); },
  r: () => { if (state.view === 'webhooks' && state.selected.webhooks !== undefined) replay(state.selected.webhooks); },
};

export const onKey = (event) => {
  const { key, target } = event;
  const isTyping = target.matches('input:not([type=checkbox]), textarea, select');
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const overlay = document.querySelector('dialog[open], :popover-open');
  if (key === 'Escape' && !overlay) {
    if (isTyping) clearFilter();
    back();
    return;
  }
  if (isTyping && overlay) return;
  if (isTyping) {
    if (key === 'Enter' || key === 'ArrowDown') { event.preventDefault(); filtered().then(() => move(0)); }
    return;
  }
  if (document.querySelector('dialog[open]') || target.closest('[popover]')) return;
  const row = target.closest('tbody tr[data-id]');
  if (key === 'Enter' && row) { event.preventDefault(); choose(row); focusDetails(); return; }
  if (row && (key === 'Home' || key === 'End')) { event.preventDefault(); choose(shownRows().at(key === 'Home' ? 0 : -1)); return; }
  const isArrow = key.startsWith('Arrow');
  if (isArrow && !row && target !== document.body) return;
  if (!isArrow && !byId('shortcuts').checked) return;
  if (KEYS[key]) { event.preventDefault(); KEYS[key](); }
};
