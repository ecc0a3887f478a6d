// Webhooks grouped into calls, and the issues of each call: gaps, duplicates, events out of order.

import { lasting } from './dom.js';

/** States that last until the next one. All other states are single moments of a call. */
export const PHASES = {
  incomingcall: 'incoming', initiated: 'initiated', ringing: 'ringing', connected: 'connected', joined: 'joined',
  bridging: 'bridging', bridged: 'bridged', bridge_disconnected: 'connected', hold: 'hold', disconnected: 'disconnected',
};

/** Playstates that end a prompt. */
const PLAY_ENDS = { playfinished: 'finished', digitcollected: 'digit', speech_recognized: 'speech', menutimeout: 'timeout' };

const BEGINNING = ['incomingcall', 'initiated'];

/** What is missing if a call has no first event. */
const BEGIN = 'beginning';

/** A webhook that could not be decrypted may belong to a call at most this far away, in milliseconds. */
const AROUND = 60_000;

/** One of these states must have happened before. */
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

/** Groups webhooks into calls; the call with the newest webhook comes first. */
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
 * Each event with its number and the time at which it happened: its own timestamp or, if it has none, an estimate from the
 * event that arrived before it and the time between the two arrivals.
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

/** The issues of one kind: a line for each event, and an explanation. */
const notice = (kind, title, lines, text) => (lines.length ? [{ kind, title: title(lines.length), lines, text }] : []);

const counted = (one, many) => (number) => (number === 1 ? one : `${number} ${many}`);

/** Equal bytes do not make a duplicate. Only an event that proves its identity keeps its event_id when it is sent again. */
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
    lines.push(`${name(event)}: #${event.number} is a duplicate of #${original.number}${event.webhook.replay_of ? ' (replayed from this page)' : ''}.`);
  }
  return notice('duplicate', counted('One duplicate delivery', 'duplicate deliveries'), lines,
    'It has the same event_id, because its timestamp and content prove that it is the same event. A FIFO queue drops a second delivery within 5 minutes; '
    + 'after that, and on a standard queue, a subscriber must act on each event_id only once. '
    + 'Events that do not prove their identity, such as a key press without a timestamp, get a new event_id with each delivery, and all of them are queued.');
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
  return notice('order', counted('One event arrived late', 'events arrived late'), lines,
    'Judged by their timestamps. The queue keeps the order of arrival; a subscriber that needs the original order must sort by timestamp.');
};

const gaps = (happened, failed) => {
  const lines = [];
  const states = new Set();
  const plays = new Set();
  const miss = (event, what) => {
    event.missing.push(what);
    lines.push(`${what === BEGIN ? 'The start of the call' : what} is missing before ${name(event)}, #${event.number}.`);
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
  return notice('gap', counted('One event is missing', 'events are missing'), lines,
    'A webhook was lost on the way, arrived before the inspector was started or cleared, or could not be decrypted.'
    + (unopened ? ` ${unopened} webhook${unopened > 1 ? 's' : ''} from around that time could not be decrypted: check ${unopened > 1 ? 'those' : 'that one'} first.` : ''));
};

/** The name of an event. */
export const name = (event) => event.webhook.event_type ?? 'unknown';

/** The states of a call as time spans; the last one is open while the call lasts. */
export const phases = (call) => {
  const marks = call.happened.filter((event) => PHASES[event.state]);
  return marks.map((event, at) => ({ event, name: PHASES[event.state], to: marks[at + 1], isEnd: event.state === 'disconnected' }));
};

/** The prompts of a call as time spans. */
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

/** Events that are neither a lasting state nor a prompt: recordings, transcripts, streams. */
export const moments = (call) => call.happened.filter((event) => event.state && !PHASES[event.state]);
