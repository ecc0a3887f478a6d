// A line above the lists: what was done or what failed, with what can be done about it.

import { byId, h, visible } from './dom.js';

let shown;

/** Shows a line until it is dismissed. */
export const notify = (text, { kind = 'failure', action } = {}) => {
  shown = kind;
  const button = (name, label, work) => h('button', { type: 'button', class: 'quiet', 'data-do': name, on: { click: work } }, label);
  byId('notice').dataset.kind = kind;
  byId('notice').replaceChildren(...[
    h('p', {}, visible(text)),
    action && button(action.name, action.label, action.work),
    button('dismiss', 'Dismiss', () => { dismiss(); byId('clear').focus(); }),
  ].filter(Boolean));
};

/** Removes the line; with a kind, only one of that kind. */
export const dismiss = (kind = shown) => {
  if (shown !== kind) return;
  shown = undefined;
  byId('notice').replaceChildren();
};
