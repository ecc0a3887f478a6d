// The words for a webhook and a call, in the lists and in the details.

import { PHASES } from './calls.js';
import { visible } from './dom.js';

/** The title of a webhook: its event type, or its method and path. */
export const title = (webhook) => webhook.event_type ?? `${webhook.method} ${webhook.path}`;

/** The label of a call's state. */
export const stateOf = (call) => (call.state === 'disconnected' ? 'ended'
  : call.state === 'broadcastcall_complete' ? 'complete' : PHASES[call.state] ?? call.state);

/** The numbers of a call. */
export const numbersOf = ({ from, to }) => visible([from, to].filter(Boolean).join(' → '));

/** The words for the issues of a call. */
export const NOTICES = { gap: 'gap', duplicate: 'duplicate', order: 'late' };
