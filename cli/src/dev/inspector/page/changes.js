// What is different between an event and its edited copy.

import { h, visible } from './dom.js';

const LONGEST = 300;

/** A value, in an element that says that it was deleted or inserted. */
const value = (element, text) => {
  if (text === null) return h('span', { class: 'muted' }, 'not there');
  return h(element, {}, visible(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text));
};

/** A table of the fields that are different. */
export const changeTable = (changes) => {
  if (changes.length === 0) return h('p', { class: 'muted' }, 'No differences.');
  return h('table', { class: 'changes', 'aria-label': 'Differences' },
    h('thead', {}, h('tr', {}, ['Field', 'Original', 'Edited'].map((column) => h('th', { scope: 'col' }, column)))),
    h('tbody', {}, changes.map(({ path, before, after }) => h('tr', {},
      h('th', { scope: 'row' }, path === '' ? 'whole event' : visible(path)),
      h('td', {}, value('del', before)), h('td', {}, value('ins', after))))));
};
