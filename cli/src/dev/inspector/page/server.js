// Requests to the receiver, and the stream of its webhooks.

import { announce } from './announce.js';

const BASE = '/_inspect';

export const fetched = async (path, options) => {
  const response = await fetch(`${BASE}/${path}`, options);
  const document = await response.json();
  if (!response.ok) throw new Error(document.error ?? `The receiver answered ${response.status}.`);
  return document;
};

export const post = (path, wish = {}) =>
  fetched(path, { method: 'POST', body: JSON.stringify(wish) }).catch((error) => {
    announce(String(error.message), 'bad');
    throw error;
  });

/** Calls the listeners with each webhook and with each change of the connection. Reconnects when the connection is lost. */
export const connect = (listeners) => {
  const source = new EventSource(`${BASE}/events`);
  source.onopen = listeners.live;
  source.onerror = () => {
    listeners.lost();
    // If the browser gives up, try again; the server then sends what was missed.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect(listeners), 1000);
  };
  source.addEventListener('emptied', listeners.emptied);
  source.addEventListener('webhook', ({ data }) => listeners.webhook(JSON.parse(data)));
};
