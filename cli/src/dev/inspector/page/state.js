// What the page knows: the webhooks that the server keeps, and what the person looks at.

export const state = {
  view: 'webhooks',
  /** What the server keeps, by number, in order of arrival. */
  webhooks: new Map(),
  rows: new Map(),
  /** The first webhook of each event_id; later ones with the same id are duplicates. Equal bytes alone do not count. */
  firsts: new Map(),
  calls: [],
  /** The number of a webhook with its key, and the id of a call. */
  selected: { webhooks: undefined, key: undefined, calls: undefined },
  /** Webhooks that arrived while the list is paused. */
  held: undefined,
  /** The search, the numbers of the webhooks that it finds if there is one, and its words. */
  filter: '',
  found: undefined,
  words: [],
  setup: undefined,
  connected: undefined,
};

const waiting = new Set();
/** Runs `work` once for everything that arrives within 30 ms. */
export const soon = (work) => {
  if (waiting.has(work)) return;
  waiting.add(work);
  setTimeout(() => { waiting.delete(work); work(); }, 30);
};
