// Parts of the details of a webhook that more than one page shows: its steps, what went wrong, its message, its body.

import { bytes, h, visible } from './dom.js';
import { text } from './fold.js';
import { hexDump } from './hex.js';
import { section, table } from './parts.js';

const STEP_MARKS = { passed: '✓', failed: '✕', skipped: '–', waiting: '…' };
const STEP_WORDS = { passed: 'passed', failed: 'failed', skipped: 'not reached', waiting: 'waiting' };

export const steps = (webhook) =>
  h('ol', { class: 'steps', 'aria-label': 'Steps' }, webhook.steps.map(([step, state]) =>
    h('li', { class: state }, h('span', { class: 'step-mark', 'aria-hidden': 'true' }, STEP_MARKS[state]), step,
      h('span', { class: 'visually-hidden' }, ` ${STEP_WORDS[state]}`))));

export const failure = ({ step, title: what, why, next, kept }) =>
  h('section', { class: 'failure', 'aria-label': 'What went wrong' },
    h('h3', {}, step ? `${step}: ${what}` : what),
    h('p', {}, visible(why)),
    kept && h('p', {}, kept),
    next.length > 0 && [h('h4', {}, 'What to do'), h('ol', {}, next.map((line) => h('li', {}, visible(line))))]);

export const message = ({ message: sent }, title = 'SQS message') => {
  if (!sent) return undefined;
  const fields = [['MessageId', sent.message_id], ['MessageGroupId', sent.group_id], ['MessageDeduplicationId', sent.deduplication_id], ['AWSTraceHeader', sent.trace_header]];
  return section(title, h('span', { class: 'muted' }, `${bytes(sent.bytes)}, body and attributes`),
    table(title, fields.filter(([, value]) => value)),
    h('h4', {}, 'Attributes'), table('Attributes', sent.attributes));
};

export const isBinary = (webhook) => webhook.request.body === null;

export const body = (webhook, width) => {
  if (webhook.bytes === 0) return h('p', { class: 'muted' }, 'empty');
  if (!isBinary(webhook)) return text(webhook.request.body, 'Body');
  return hexDump(webhook.request.body_hex, width < 620 ? 8 : 16, 'Body as a hex dump');
};
