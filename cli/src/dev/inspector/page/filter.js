// Which webhooks and calls the filter shows: those that contain each of its words.

import { NOTICES, stateOf, title } from './names.js';
import { state } from './state.js';

const matches = (parts) => {
  const text = parts.join(' ').toLowerCase();
  return state.filter.split(/\s+/).every((word) => text.includes(word));
};

export const fits = (webhook) => !state.filter || matches([
  title(webhook), webhook.app, webhook.voice_id, webhook.broadcast_id, webhook.outcome, webhook.status, webhook.failed,
  webhook.event?.from, webhook.event?.to, webhook.event?.prompt]);

export const fitsCall = (call) => !state.filter || matches([
  call.id, call.from, call.to, stateOf(call), ...call.notices.map(({ kind }) => NOTICES[kind])]);
