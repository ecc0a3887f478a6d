// The dialog that sends sample events and whole calls.

import { byId, h } from './dom.js';
import { post } from './server.js';
import { state } from './state.js';

const sent = (text, isBad = false) => {
  byId('sent').textContent = text;
  byId('sent').classList.toggle('bad', isBad);
};

const attempt = (work) => work().catch((error) => sent(error.message, true));

const send = async (name) => {
  const webhook = state.webhooks.get(state.selected.webhooks);
  const ofSelected = state.view === 'calls' ? state.selected.calls : webhook?.voice_id;
  const voiceId = byId('same-call').checked ? ofSelected : undefined;
  const { status } = await post(`samples/${name}`, voiceId ? { voice_id: voiceId } : {});
  sent(`Sent ${name}: answered ${status}.`);
};

const play = async (name) => {
  const fast = byId('fast').checked;
  await post(`scenarios/${name}`, { fast });
  sent(`Playing ${name}.`);
};

/** Offers what the receiver can send. */
export const offer = ({ samples, scenarios }) => {
  byId('scenarios').replaceChildren(...scenarios.map(([name, about]) =>
    h('button', { type: 'button', on: { click: () => attempt(() => play(name)) } }, h('strong', {}, name), h('span', {}, about))));
  byId('samples').replaceChildren(...samples.map((name) =>
    h('button', { type: 'button', on: { click: () => attempt(() => send(name)) } }, name)));
};
