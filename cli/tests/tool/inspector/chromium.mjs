// Chromium, and what a page does in it.

import fs from 'node:fs';

import { chromium } from 'playwright-core';

/** Where screenshots are kept. */
export const SCREENSHOTS = 'screenshots';

export const launch = () => {
  fs.mkdirSync(SCREENSHOTS, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    // Without the later ones, Chromium looks for its maker's hosts; without the first one, pictures are twice as large.
    args: ['--disable-lcd-text', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
};

/** A new page in a context of its own, what it asks of other machines, and its errors but those that are expected. */
export const newPage = async (browser, { expectedErrors, ...options }) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const [outside, errors] = [[], []];
  page.on('request', (request) => { if (!request.url().startsWith('http://127.0.0.1:')) outside.push(request.url()); });
  page.on('pageerror', (error) => errors.push(error.stack));
  page.on('console', (message) => { if (message.type() === 'error' && !expectedErrors?.test(message.text())) errors.push(message.text()); });
  return { context, page, outside, errors };
};
