// Marks the words of the search in the details, where the browser can do so without changing them.

import { byId } from './dom.js';
import { soon, state } from './state.js';

const MOST = 1000;

const rangesIn = (node, words) => {
  const text = node.data.toLowerCase();
  // Lower case may be longer than the text; its positions are of no use then.
  if (text.length !== node.data.length) return [];
  return words.flatMap((word) => {
    const ranges = [];
    for (let at = text.indexOf(word); at >= 0 && ranges.length < MOST; at = text.indexOf(word, at + word.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + word.length);
      ranges.push(range);
    }
    return ranges;
  });
};

/** Marks them anew. */
export const mark = () => {
  if (!('highlights' in CSS)) return;
  CSS.highlights.delete('found');
  const words = state.words.filter((word) => word !== '');
  if (words.length === 0) return;
  const nodes = document.createTreeWalker(byId('details'), NodeFilter.SHOW_TEXT);
  const ranges = [];
  while (ranges.length < MOST && nodes.nextNode()) ranges.push(...rangesIn(nodes.currentNode, words));
  CSS.highlights.set('found', new Highlight(...ranges));
};

/** Marks them whenever the details change. */
export const wireMarks = () => new MutationObserver(() => soon(mark)).observe(byId('details'), { childList: true, subtree: true });
