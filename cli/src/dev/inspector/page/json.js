// Shows JSON indented and highlighted. The text is split into tokens but never parsed, so the spelling of numbers, the order
// of keys and duplicate keys are preserved.

import { count, h, visible } from './dom.js';

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
const DEEPEST = 40;
const FIRST_TOKENS = 3000;
const MOST_TOKENS = 100000;

const kind = (token, next) => {
  if (token[0] === '"') return next === ':' ? 'key' : 'string';
  if (/^[-\d]/.test(token)) return 'number';
  return /^(?:true|false|null)$/.test(token) ? 'literal' : 'mark';
};

const tokens = (text, limit) => {
  const found = [];
  for (const [token] of text.matchAll(TOKEN)) {
    found.push(token);
    if (found.length > limit) break;
  }
  return found;
};

const write = (pre, all, limit) => {
  let depth = 0;
  const line = () => `\n${'  '.repeat(Math.min(depth, DEEPEST))}`;
  const shown = all.slice(0, limit);
  shown.forEach((token, at) => {
    const next = all[at + 1];
    const closes = token === '}' || token === ']';
    if (closes) depth -= 1;
    const empty = (next === '}' || next === ']') && (token === '{' || token === '[');
    const wasEmpty = closes && (all[at - 1] === '{' || all[at - 1] === '[');
    if (closes && !wasEmpty) pre.append(line());
    pre.append(h('span', { class: `json-${kind(token, next)}` }, visible(token)));
    if (token === '{' || token === '[') {
      depth += 1;
      if (!empty) pre.append(line());
    } else if (token === ',') {
      pre.append(line());
    } else if (token === ':') {
      pre.append(' ');
    }
  });
};

/** An element that shows a JSON text. */
export const json = (text, label) => {
  const all = tokens(text, MOST_TOKENS);
  const pre = h('pre', { class: 'json', tabindex: '0', 'aria-label': label });
  if (all.length > MOST_TOKENS) {
    pre.append(visible(text.slice(0, 1e6)));
    return pre;
  }
  write(pre, all, FIRST_TOKENS);
  if (all.length <= FIRST_TOKENS) return pre;
  const button = h('button', { type: 'button', class: 'quiet more' }, `Show all ${count(text.length)} characters`);
  button.addEventListener('click', () => {
    pre.replaceChildren();
    write(pre, all, MOST_TOKENS);
    button.remove();
    pre.focus();
  });
  return h('div', {}, pre, button);
};
