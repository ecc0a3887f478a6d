// News for screen readers.

import { byId, h, visible } from './dom.js';
import { title } from './names.js';
import { soon, state } from './state.js';

export const announce = (text) => {
  byId('announcer').replaceChildren(h('p', {}, visible(text)));
};

let news = [];
/** Announces a webhook, together with those that arrive at the same time. */
export const announceLater = (webhook) => {
  news.push(webhook);
  soon(announceNews);
};

const announceNews = () => {
  if (state.connected !== 'live' || news.length === 0) return;
  const failed = news.find((webhook) => webhook.failed);
  const latest = failed ?? news.at(-1);
  const what = `${title(latest)}, ${latest.outcome.replaceAll('_', ' ')}${latest.failed ? `: ${latest.failed}` : ''}`;
  announce(news.length === 1 ? what : `${news.length} webhooks, including ${what}`);
  news = [];
};
