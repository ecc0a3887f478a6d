// Creates elements. Text is only ever inserted as text nodes, so that the content of a webhook never becomes markup.

const SVG = 'http://www.w3.org/2000/svg';

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === 'variables') {
      for (const [variable, text] of Object.entries(value)) element.style.setProperty(variable, text);
    } else if (value !== undefined && value !== null && value !== false) {
      element.setAttribute(name, value === true ? '' : value);
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
};

/** Creates an HTML element; `on` holds listeners, `variables` holds CSS custom properties. */
export const h = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

/** Creates an SVG element. */
export const s = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

export const byId = (id) => document.getElementById(id);

const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Escapes invisible characters, such as those that change the text direction. */
export const visible = (text) =>
  String(text).replace(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A button that copies a text. */
export const copyButton = (label, text) => {
  const button = h('button', { type: 'button', class: 'quiet' }, label);
  button.addEventListener('click', () => copy(button, text()));
  return button;
};

export const copy = async (button, text) => {
  const label = button.dataset.label ??= button.textContent;
  const done = await navigator.clipboard.writeText(text).then(() => 'Copied', () => 'Copy failed');
  button.textContent = done;
  setTimeout(() => { button.textContent = label; }, 1500);
};

export const count = (number) => number.toLocaleString('en');

export const bytes = (number) =>
  number < 1000 ? `${number} B` : number < 1e6 ? `${(number / 1000).toFixed(1)} kB` : `${(number / 1e6).toFixed(1)} MB`;

export const micros = (number) =>
  number < 1000 ? `${number} µs` : number < 1e6 ? `${(number / 1000).toFixed(1)} ms` : `${(number / 1e6).toFixed(2)} s`;

const two = (number) => String(number).padStart(2, '0');

/** Time of day, to the millisecond. */
export const clock = (milliseconds) => {
  const date = new Date(milliseconds);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
};

/** Time of day, or the date and time to the minute of another day. */
export const moment = (milliseconds) => {
  const date = new Date(milliseconds);
  if (date.toDateString() === new Date().toDateString()) return clock(milliseconds);
  return `${date.toLocaleDateString('en', { month: 'short', day: 'numeric' })} ${two(date.getHours())}:${two(date.getMinutes())}`;
};

/** Formats a duration in milliseconds. */
export const lasting = (milliseconds) => {
  const seconds = milliseconds / 1000;
  if (seconds < 0.001) return '0 s';
  if (seconds < 1) return `${Math.round(milliseconds)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
};

/** The start of an id, enough to tell calls apart. */
export const short = (id) => visible(id.length > 12 ? id.slice(0, 8) : id);

/** A colour of its own for each call. */
export const hue = (id) => {
  let hash = 2166136261;
  for (const character of id) hash = Math.imul(hash ^ character.codePointAt(0), 16777619) >>> 0;
  return String(hash % 360);
};
