// The page's address: view, search and selection are in its fragment, which browsers send to nobody. It never has the token.

import { state } from './state.js';

/** What may stay readable in a fragment. */
const READABLE = /%(?:3A|2C|2F)/g;

const fragment = () => {
  const parts = new URLSearchParams();
  if (state.view === 'calls') parts.set('view', 'calls');
  if (state.filter) parts.set('q', state.filter);
  const { webhooks, calls, key } = state.selected;
  if (state.view === 'webhooks' && webhooks !== undefined && key) parts.set('webhook', key);
  if (state.view === 'calls' && calls !== undefined) parts.set('call', calls);
  return parts.toString().replace(READABLE, decodeURIComponent);
};

/** Puts what is shown into the address bar. */
export const writeAddress = () => {
  const what = fragment();
  const address = what === '' ? location.pathname : `${location.pathname}#${what}`;
  if (`${location.pathname}${location.search}${location.hash}` !== address) history.replaceState(null, '', address);
};

/** What the address asks for. */
export const readAddress = () => {
  const parts = new URLSearchParams(location.hash.slice(1));
  const call = parts.get('call') ?? undefined;
  const view = call !== undefined || parts.get('view') === 'calls' ? 'calls' : 'webhooks';
  return { view, call, search: parts.get('q') ?? '', webhook: parts.get('webhook') ?? undefined };
};

/** The address without anything that must not be shared. */
export const link = () => `${location.origin}${location.pathname}${location.hash}`;
