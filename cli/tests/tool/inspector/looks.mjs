// What can be said of the look of every page.

import assert from 'node:assert/strict';

/** Waits, with a bound, until something is true. */
export const eventually = async (what, check) => {
  const end = Date.now() + 15_000;
  for (;;) {
    if (await check()) return;
    assert.ok(Date.now() < end, `never: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

/** The least contrast between a text and what is behind it, with the text. */
export const leastContrast = (page) => page.evaluate(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color[3] === undefined || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('body *:not(svg, svg *)')].filter((element) =>
    element.checkVisibility() && [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()));
  return texts.map((element) => {
    const [a, b] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.slice(0, 60)];
  }).reduce((least, one) => (one[0] < least[0] ? one : least), [21, '']);
});

/** What of the list cannot be read: cells that are hidden or cut. */
export const unreadable = (list) => list.locator('tbody tr:not([hidden]) td').evaluateAll((cells) => cells
  .filter((cell) => cell.textContent.trim() && (!cell.checkVisibility() || cell.scrollWidth > cell.clientWidth + 1))
  .map((cell) => `${cell.className}: ${cell.textContent}`));

/** From a phone to a large screen. */
export const WIDTHS = [390, 760, 1024, 1280, 1600, 1920];
