// Binary content as a hex dump.

import { count, h } from './dom.js';
import { folded } from './fold.js';

const FIRST = 512;
/** More would keep the browser busy for seconds. */
const MOST = 1 << 20;

const hexByte = (hex, at) => hex.slice(2 * at, 2 * at + 2);

const line = (hex, from, size) => {
  const all = Array.from({ length: size }, (_, at) => hexByte(hex, from + at));
  const characters = all.map((byte) => { const code = Number.parseInt(byte, 16); return code >= 32 && code < 127 ? String.fromCharCode(code) : byte && '.'; });
  const columns = all.map((byte, at) => `${at > 0 && at % 8 === 0 ? ' ' : ''}${byte.padEnd(2)}`).join(' ');
  return `${from.toString(16).padStart(8, '0')}  ${columns}  |${characters.join('')}|`;
};

const dump = (hex, to, size) => {
  const lines = [];
  for (let at = 0; at < to; at += size) lines.push(line(hex, at, size));
  return lines.join('\n');
};

/** A hex dump with so many bytes on a line. */
export const hexDump = (hex, size, label) => {
  const length = hex.length / 2;
  const pre = h('pre', { class: 'text hex', role: 'group', tabindex: '0', 'aria-label': label });
  const show = (to) => { pre.textContent = dump(hex, to, size); };
  if (length <= FIRST) {
    show(length);
    return pre;
  }
  const most = Math.min(length, MOST);
  const button = most < length ? `Show the first ${count(most)} of ${count(length)} bytes` : `Show all ${count(length)} bytes`;
  return folded(pre, button, (isWhole) => show(isWhole ? most : FIRST));
};
