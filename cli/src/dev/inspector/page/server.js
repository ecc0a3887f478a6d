// Requests to the receiver, and the stream of its webhooks.

const BASE = '/_inspect/api';

const NO_ANSWER = 'voicehook dev does not answer. Is it still running in its terminal?';

/** An answer that is not a success. */
class Refused extends Error {
  constructor(status, why) {
    super(why ?? `The receiver answered ${status}.`);
    this.status = status;
  }
}

export const fetched = async (path, options) => {
  const response = await fetch(`${BASE}/${path}`, options).catch(() => { throw new Error(NO_ANSWER); });
  const document = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, document.error);
  return document;
};

export const post = (path, wish = {}) => fetched(path, { method: 'POST', body: JSON.stringify(wish) });

/** Calls the listeners with each webhook and with each change of the connection. Reconnects when the connection is lost. */
export const connect = (listeners) => {
  const source = new EventSource(`${BASE}/events`);
  source.onopen = listeners.live;
  source.onerror = async () => {
    if (source.readyState !== EventSource.CLOSED) {
      listeners.lost();
      return;
    }
    // The browser has given up. Try again; the server then sends what was missed.
    setTimeout(() => connect(listeners), 1000);
    const isLocked = await fetched('setup').then(() => false, ({ status }) => status === 401);
    if (isLocked) listeners.locked();
    else listeners.lost();
  };
  source.addEventListener('emptied', ({ data }) => listeners.emptied(JSON.parse(data)));
  source.addEventListener('webhook', ({ data }) => listeners.webhook(JSON.parse(data)));
};
