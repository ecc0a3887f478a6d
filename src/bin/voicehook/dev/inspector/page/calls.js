// Webhooks grouped into calls, and the issues of each call: gaps, duplicates, events out of order.

import { lasting } from './dom.js';

/** States that a call is in until the next one. The others are moments in it. */
export const PHASES = {
  incomingcall: 'incoming', initiated: 'initiated', ringing: 'ringing', connected: 'connected', joined: 'joined',
  bridging: 'bridging', bridged: 'bridged', bridge_disconnected: 'connected', hold: 'hold', disconnected: 'disconnected',
};

/** Playstates that end a prompt. */
const PLAY_ENDS = { playfinished: 'finished', digitcollected: 'digit', speech_recognized: 'speech', menutimeout: 'timeout' };

const BEGINNING = ['incomingcall', 'initiated'];

/** What is missing where a call has no first event. */
const BEGIN = 'beginning';

/** A webhook that could not be opened may belong to a call that is no further away than this, in milliseconds. */
const AROUND = 60_000;

/** What must have happened before: one of these states. */
const BEFORE = {
  ringing: BEGINNING,
  connected: [...BEGINNING, 'ringing'],
  bridging: ['connected', 'joined', 'hold'],
  bridged: ['bridging'],
  bridge_disconnected: ['bridged'],
  hold: ['connected', 'bridged', 'joined'],
  stream_stopped: ['stream_started'],
  recording_complete: ['connected'],
  disconnected: [...BEGINNING, 'ringing', 'connected'],
};

/** The calls, the one with the newest webhook first. */
export const calls = (webhooks) => {
  const byCall = new Map();
  for (const webhook of webhooks) {
    const id = webhook.voice_id ?? webhook.broadcast_id;
    if (!id) continue;
    if (!byCall.has(id)) byCall.set(id, []);
    byCall.get(id).push(webhook);
  }
  const failed = webhooks.filter((webhook) => webhook.failed && !webhook.voice_id);
  const all = [...byCall].map(([id, of]) => analysed(id, of, failed));
  return all.sort((a, b) => b.newest - a.newest);
};

const analysed = (id, webhooks, failed) => {
  const events = inTheOrderOfArrival(webhooks);
  const copies = duplicates(events);
  const late = outOfOrder(events);
  const happened = events.filter((event) => !event.duplicateOf).sort((a, b) => a.at - b.at || a.number - b.number);
  const notices = [...gaps(happened, failed), ...late, ...copies];
  const order = [...events].sort((a, b) => a.at - b.at || (a.duplicateOf ?? a).number - (b.duplicateOf ?? b).number || a.number - b.number);
  const last = happened.findLast((event) => PHASES[event.state]);
  const any = (name) => events.map((event) => event[name]).find((value) => value);
  return {
    id, events, order, happened, notices,
    began: order[0].at,
    ended: order.at(-1).at,
    newest: Math.max(...webhooks.map((webhook) => webhook.id)),
    state: last?.state ?? (order.at(-1).state ?? order.at(-1).playstate ?? 'unknown'),
    over: happened.some((event) => event.state === 'disconnected'),
    from: any('from'), to: any('to'), isBroadcast: !webhooks.some((webhook) => webhook.voice_id),
  };
};

/**
 * Each event with its number and the moment at which it happened: its own timestamp; where it has none, that of the
 * event that arrived before it, and the time between the two arrivals.
 */
const inTheOrderOfArrival = (webhooks) => {
  let known;
  return [...webhooks].sort((a, b) => a.arrived - b.arrived || a.id - b.id).map((webhook, at) => {
    const own = webhook.event?.happened ?? undefined;
    const moment = own ?? (known ? known.at + webhook.arrived - known.arrived : webhook.arrived);
    const event = { ...webhook.event, webhook, number: at + 1, own, at: moment, missing: [] };
    if (own !== undefined) known = { at: own, arrived: webhook.arrived };
    return event;
  });
};

/** The issues of one kind: a line for each event, and what it means. */
const notice = (kind, title, lines, text) => (lines.length ? [{ kind, title: title(lines.length), lines, text }] : []);

const counted = (one, many) => (number) => (number === 1 ? one : `${number} ${many}`);

/** Equal bytes make no duplicate: only an event that proves which one it is has the same event_id when it comes again. */
const duplicates = (events) => {
  const first = new Map();
  const lines = [];
  for (const event of events) {
    const original = first.get(event.webhook.event_id);
    if (!original) {
      first.set(event.webhook.event_id, event);
      continue;
    }
    event.duplicateOf = original;
    event.at = original.at;
    lines.push(`${name(event)}: #${event.number} is a duplicate of #${original.number}${event.webhook.replay_of ? ' (a replay from here)' : ''}.`);
  }
  return notice('duplicate', counted('An event came again', 'events came again'), lines,
    'It has the same event_id, because its timestamp and what it says prove that it is one event. A FIFO queue drops the second delivery within 5 minutes; '
    + 'after that, and on a standard queue, a subscriber must act on each event_id once. '
    + 'Events that prove nothing, such as a key press without a timestamp, have an event_id for each delivery, and are all on the queue.');
};

const outOfOrder = (events) => {
  const lines = [];
  let latest;
  for (const event of events) {
    if (event.duplicateOf || event.own === undefined) continue;
    if (latest && event.own < latest.own) {
      event.after = latest;
      lines.push(`${name(event)}, #${event.number}, happened ${lasting(latest.own - event.own)} before ${name(latest)}, #${latest.number}, `
        + `and arrived ${lasting(event.webhook.arrived - latest.webhook.arrived)} after it.`);
    } else {
      latest = event;
    }
  }
  return notice('order', counted('An event came late', 'events came late'), lines,
    'By their own timestamps. The queue keeps the order of arrival; a subscriber that needs the other order goes by timestamp.');
};

const gaps = (happened, failed) => {
  const lines = [];
  const states = new Set();
  const plays = new Set();
  const miss = (event, what) => {
    event.missing.push(what);
    lines.push(`${what === BEGIN ? 'The beginning of the call' : what} is missing before ${name(event)}, #${event.number}.`);
  };
  for (const event of happened) {
    const before = BEFORE[event.state];
    if (before && !before.some((state) => states.has(state))) miss(event, before.includes('initiated') ? BEGIN : `call.${before[0]}`);
    if (event.playstate) {
      const key = event.play_id ?? event.prompt ?? '';
      if (PLAY_ENDS[event.playstate] && !plays.has(key)) miss(event, 'play.initiated');
      else if (event.playstate === 'initiated' && states.size && !states.has('connected')) miss(event, 'call.connected');
      plays.add(key);
    }
    if (event.state) states.add(event.state);
  }
  const [from, to] = [happened[0].webhook.arrived - AROUND, happened.at(-1).webhook.arrived + AROUND];
  const unopened = failed.filter((webhook) => webhook.arrived >= from && webhook.arrived <= to).length;
  return notice('gap', counted('An event is missing', 'events are missing'), lines,
    'A webhook was lost on the way, or came before the inspector was started or cleared, or could not be opened.'
    + (unopened ? ` ${unopened} webhook${unopened > 1 ? 's' : ''} of that time could not be opened: look there first.` : ''));
};

/** What an event is called. */
export const name = (event) => event.webhook.event_type ?? 'unknown';

/** The states of a call as spans of time: the last one is open where the call goes on. */
export const phases = (call) => {
  const marks = call.happened.filter((event) => PHASES[event.state]);
  return marks.map((event, at) => ({ event, name: PHASES[event.state], to: marks[at + 1], isEnd: event.state === 'disconnected' }));
};

/** The prompts of a call as spans of time. */
export const plays = (call) => {
  const spans = [];
  const open = new Map();
  for (const event of call.happened.filter((event) => event.playstate)) {
    const key = event.play_id ?? event.prompt ?? '';
    if (event.playstate === 'initiated') {
      const span = { from: event, prompt: event.prompt ?? event.play_id ?? 'prompt' };
      spans.push(span);
      open.set(key, span);
    } else {
      const span = open.get(key) ?? { prompt: event.prompt ?? event.play_id ?? 'prompt' };
      if (!open.has(key)) spans.push(span);
      open.delete(key);
      span.to = event;
      span.result = event.digit ? `pressed ${event.digit}` : event.said ? `“${event.said}”` : PLAY_ENDS[event.playstate] ?? event.playstate;
    }
  }
  return spans;
};

/** Moments that are neither a state of the call nor a prompt: recordings, transcripts, streams. */
export const moments = (call) => call.happened.filter((event) => event.state && !PHASES[event.state]);
