// Long content: its beginning first, with a button for all of it.

import { count, h, visible } from './dom.js';

/** How much of a text is shown at first. */
const FIRST_CHARACTERS = 300;

/** Wraps `box`, which `fill` fills with the beginning or with everything. */
export const folded = (box, label, fill) => {
  let isWhole = false;
  const button = h('button', { type: 'button', class: 'quiet more', 'aria-expanded': 'false' }, label);
  button.addEventListener('click', () => {
    isWhole = !isWhole;
    box.replaceChildren();
    fill(isWhole);
    button.textContent = isWhole ? 'Show less' : label;
    button.setAttribute('aria-expanded', String(isWhole));
    if (isWhole) box.focus({ preventScroll: true });
    else box.scrollIntoView({ block: 'nearest' });
  });
  fill(false);
  return h('div', { class: 'folded' }, box, button);
};

/** A text, folded if it is long. */
export const text = (content, label) => {
  const shown = visible(content);
  const pre = h('pre', { class: 'text', role: 'group', tabindex: '0', 'aria-label': label }, shown);
  if (shown.length <= FIRST_CHARACTERS) return pre;
  return folded(pre, `Show all ${count(shown.length)} characters`, (isWhole) => {
    pre.textContent = isWhole ? shown : `${shown.slice(0, FIRST_CHARACTERS)}…`;
  });
};
