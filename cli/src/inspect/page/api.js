// Requests to voicehook inspect.

const BASE = '/_inspect/api';

const NO_ANSWER = 'voicehook inspect does not answer. Is it still running in its terminal?';
const LOCKED = 'voicehook inspect was started again and has a new token. Open the URL that it printed.';

export const fetched = async (path, options) => {
  const response = await fetch(`${BASE}/${path}`, options).catch(() => { throw new Error(NO_ANSWER); });
  const document = await response.json().catch(() => ({}));
  if (response.status === 401) throw new Error(LOCKED);
  if (!response.ok) throw new Error(document.error ?? `voicehook inspect answered ${response.status}.`);
  return document;
};

export const post = (path, document = {}) => fetched(path, { method: 'POST', body: JSON.stringify(document) });
