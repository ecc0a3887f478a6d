// What the details of a webhook and of a call are made of.

import { h, visible } from './dom.js';

export const section = (title, aside, ...children) =>
  h('section', { class: 'part', 'aria-label': title }, h('header', {}, h('h3', {}, title), aside), children);

export const table = (label, rows) =>
  h('table', { class: 'pairs', 'aria-label': label },
    h('tbody', {}, rows.map(([key, value]) => h('tr', {}, h('th', { scope: 'row' }, visible(key)), h('td', {}, visible(value))))));

export const fact = (label, value) => value && h('span', { class: 'fact' }, h('span', { class: 'muted' }, `${label} `), value);

/** Leads back to the list where the details cover it. */
export const backButton = () => h('button', { type: 'button', class: 'back quiet', 'data-do': 'back' }, '‹ List');

/** The head of the details: what it is, its facts, and its buttons. */
export const head = (text, facts, buttons) =>
  h('header', { class: 'head' },
    h('div', { class: 'head-line' },
      backButton(),
      h('h2', { tabindex: '-1' }, visible(text)),
      h('div', { class: 'head-buttons' }, buttons)),
    h('p', { class: 'facts' }, facts));
