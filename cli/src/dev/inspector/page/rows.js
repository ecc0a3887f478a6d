// A row of each list.

import { bytes, count, h, hue, micros, moment, short, visible } from './dom.js';
import { applicationNote } from './forwarding.js';
import { NOTICES, numbersOf, stateOf, title } from './names.js';
import { state } from './state.js';

const callMark = (id) => [h('span', { class: 'swatch', 'aria-hidden': 'true', variables: { '--hue': hue(id) } }), short(id)];

export const webhookRow = (webhook) => {
  const first = state.firsts.get(webhook.event_id);
  const cell = (name, ...children) => h('td', { class: name, role: 'gridcell' }, children);
  return h('tr', { role: 'row', 'data-id': webhook.id, 'aria-selected': 'false', tabindex: '-1', class: webhook.failed ? 'bad' : webhook.event_type ? 'good' : 'other' },
    cell('time', moment(webhook.arrived)),
    cell('outcome-cell', h('span', { class: 'light', 'aria-hidden': 'true' }), `${webhook.status} ${webhook.outcome.replaceAll('_', ' ')}`),
    cell('event',
      first && first !== webhook.id && h('span', { class: 'note duplicate' }, 'duplicate'),
      webhook.edited_from && h('span', { class: 'note replay' }, 'edited'),
      webhook.replay_of && h('span', { class: 'note replay' }, 'replay'),
      applicationNote(webhook),
      webhook.failed && h('span', { class: 'why' }, webhook.failed),
      h('span', { class: 'name' }, visible(title(webhook)))),
    cell('app', visible(webhook.app ?? '')),
    cell('call', webhook.voice_id ? callMark(webhook.voice_id) : webhook.broadcast_id ? callMark(webhook.broadcast_id) : ''),
    cell('number size', bytes(webhook.bytes)),
    cell('number took', micros(webhook.micros)));
};

export const callRow = (call) => {
  const cell = (name, ...children) => h('td', { class: name, role: 'gridcell' }, children);
  const kinds = [...new Set(call.notices.map(({ kind }) => kind))];
  return h('tr', { role: 'row', 'data-id': call.id, 'aria-selected': 'false', tabindex: '-1' },
    cell('time', moment(call.began)),
    cell('state-cell', h('span', { class: 'state' }, visible(stateOf(call)))),
    cell('call', callMark(call.id)),
    cell('numbers', numbersOf(call)),
    cell('number events-cell', count(call.events.length), h('span', { class: 'unit' }, call.events.length === 1 ? ' event' : ' events')),
    cell('issues', kinds.map((kind) => h('span', { class: `note ${kind}` }, NOTICES[kind]))));
};
