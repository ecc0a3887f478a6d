// Shows JSON indented and highlighted. The text is split into tokens but never parsed, so the spelling of numbers, the order
// of keys and duplicate keys are preserved.

import { count, h, visible } from './dom.js';
import { folded } from './fold.js';

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
const DEEPEST = 40;
/** How much is shown at first: of all, and of each token, so that a long text does not hide what follows. */
const FIRST = { tokens: 1000, token: 500 };
/** A text with more tokens is shown as it is: so many elements would keep the browser busy for seconds. */
const MOST_TOKENS = 100000;

const kind = (token, next) => {
  if (token[0] === '"') return next === ':' ? 'key' : 'string';
  if (/^[-\d]/.test(token)) return 'number';
  return /^(?:true|false|null)$/.test(token) ? 'literal' : 'mark';
};

const tokens = (text) => {
  const found = [];
  for (const [token] of text.matchAll(TOKEN)) {
    found.push(token);
    if (found.length > MOST_TOKENS) break;
  }
  return found;
};

const beginning = (all) => all.slice(0, FIRST.tokens)
  .map((token) => (token.length > FIRST.token ? `${token.slice(0, FIRST.token)}…` : token));

/** Calls `put` with the white space before each token, the token, and the next one. */
const layOut = (all, put) => {
  let depth = 0;
  let space = '';
  const line = () => `\n${'  '.repeat(Math.min(depth, DEEPEST))}`;
  all.forEach((token, at) => {
    const next = all[at + 1];
    const closes = token === '}' || token === ']';
    if (closes) depth -= 1;
    const empty = (next === '}' || next === ']') && (token === '{' || token === '[');
    const wasEmpty = closes && (all[at - 1] === '{' || all[at - 1] === '[');
    if (closes && !wasEmpty) space += line();
    put(space, token, next);
    space = '';
    if (token === '{' || token === '[') {
      depth += 1;
      if (!empty) space = line();
    } else if (token === ',') {
      space = line();
    } else if (token === ':') {
      space = ' ';
    }
  });
};

const write = (pre, all) => layOut(all, (space, token, next) =>
  pre.append(space, h('span', { class: `json-${kind(token, next)}` }, visible(token))));

/** A JSON text on many lines; a very long one as it is. */
export const indented = (text) => {
  const all = tokens(text);
  if (all.length > MOST_TOKENS) return text;
  let lines = '';
  layOut(all, (space, token) => { lines += space + token; });
  return lines;
};

/** A JSON text without white space; a very long one as it is. */
export const compact = (text) => {
  const all = tokens(text);
  return all.length > MOST_TOKENS ? text : all.join('');
};

/** An element that shows a JSON text. */
export const json = (text, label) => {
  const all = tokens(text);
  const pre = h('pre', { class: 'json', role: 'group', tabindex: '0', 'aria-label': label });
  const whole = () => { if (all.length > MOST_TOKENS) pre.append(visible(text)); else write(pre, all); };
  if (all.length <= FIRST.tokens && all.every((token) => token.length <= FIRST.token)) {
    whole();
    return pre;
  }
  return folded(pre, `Show all ${count(text.length)} characters`, (isWhole) => {
    if (isWhole) whole();
    else write(pre, beginning(all));
  });
};
