// The pane of details: replaces what it shows, and keeps the focus and the scroll position of what is only updated.

import { byId, h } from './dom.js';
import { backButton } from './parts.js';

/** What the pane shows, and which version of it. */
let shown;

let focusWanted = false;
/** Moves the focus to the heading, now or once it is there. */
export const focusDetails = () => {
  const heading = byId('details').querySelector('h2');
  focusWanted = !heading || byId('details').ariaBusy === 'true';
  if (heading && !focusWanted) heading.focus();
};

/** Shows parts, unless they are already shown. A call that is updated while open keeps its focus and scroll position. */
export const fillDetails = (what, parts, version = '') => {
  const box = byId('details');
  const isOther = shown?.what !== what;
  box.ariaBusy = 'false';
  if (isOther || shown.version !== version) {
    const focused = [...box.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    const sideways = box.querySelector('.timeline-scroll')?.scrollLeft ?? 0;
    box.replaceChildren(...parts());
    if (isOther) {
      box.scrollTop = 0;
    } else {
      box.querySelector('.timeline-scroll')?.scrollTo(sideways, 0);
      box.querySelectorAll(FOCUSABLE)[focused]?.focus({ preventScroll: true });
    }
    shown = { what, version };
  }
  if (focusWanted) {
    focusWanted = false;
    (box.querySelector('h2') ?? box).focus();
  }
};

const FOCUSABLE = 'h2, button, [tabindex="0"]';

/** Says something instead of details. */
export const placeholder = (text) => [backButton(), h('p', { class: 'placeholder' }, text)];
