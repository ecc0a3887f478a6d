// @ts-check
// What is known about one call, put together from its events in whatever order they arrive, once or more often.
//
// The same merge as `voicehook::event::Call` in Rust and call.py; examples/fixtures/calls holds all three to the same
// results. A call is plain JSON, with the shape of schemas/call.schema.json. Everything is derived from `seen`, and each
// part of `seen` is the earliest, the latest or the set of what was given. That is why order and duplicates do not matter.

/** @typedef {import('./voice-event.d.ts').Call} Call */
/** @typedef {import('./voice-event.d.ts').Seen} Seen */
/** @typedef {import('./voice-event.d.ts').Interaction} Interaction */
/** @typedef {import('./voice-event.d.ts').Stamp} Stamp */
/** @typedef {import('./voice-event.d.ts').VoiceEvent} VoiceEvent */

// Of prompts, keys and speech, and of recordings, the latest are kept, so that a call stays below DynamoDB's 400 KB.
const [INTERACTIONS_BUDGET, RECORDINGS_BUDGET, ENTRY_OVERHEAD] = [96 * 1024, 32 * 1024, 256];
// The longest texts, in characters. Longer ones are cut; a link that is longer is left out.
const LONGEST = { id: 128, digits: 64, speech: 1000, fact: 256, url: 2048 };
// A timestamp out of the years 2000 to 2099 is a mistake, such as seconds taken for milliseconds.
const [EARLIEST, LATEST] = [946684800000, 4102444800000];
const LONGEST_CALL = 1e9; // seconds
const [TALKING, PHASES] = [2, /** @type {Record<string, [number, number]>} */ ({ // how far a call is: stage, and rank in it
  incomingcall: [0, 0], initiated: [0, 0], ringing: [1, 0], connected: [2, 0], bridging: [2, 1], bridged: [2, 2],
  bridge_disconnected: [2, 3], hold: [2, 4], joined: [2, 5], disconnected: [3, 0],
})];
const STATES = new Set([...Object.keys(PHASES), 'recording_complete', 'transcript', 'recognized', 'dtmfcollected',
  'stream_started', 'stream_stopped', 'stream_failed', 'broadcastcall_complete']);
const PLAYSTATES = ['initiated', 'playfinished', 'digitcollected', 'menutimeout', 'speech_recognized'];
/** @type {Record<string, number>} */
const STEPS = { 'play.initiated': 0, 'play.playfinished': 2, 'play.menutimeout': 3 }; // at one time; all others 1

/**
 * A call of which nothing but its id is known.
 * @param {string} voiceId
 * @returns {Call}
 */
export function newCall(voiceId) {
  return derive(voiceId, emptySeen());
}

/**
 * Takes in an event. Returns the new call, or the very same object where nothing has changed: the event was applied
 * before, or is of another call.
 * @param {Call} call
 * @param {string} eventId the message's attribute `event_id`
 * @param {string} receivedAt the message's attribute `received_at`
 * @param {VoiceEvent} event the message's body, parsed
 * @returns {Call}
 */
export function apply(call, eventId, receivedAt, event) {
  if (voiceIdOf(event) !== call.voice_id) return call;
  return merge(call, derive(call.voice_id, seenIn(eventId, receivedAt, event)));
}

/**
 * Puts together what two calls know about the same call. Returns the first one where the other knows nothing new.
 * @param {Call} call
 * @param {Call} other
 * @returns {Call}
 */
export function merge(call, other) {
  if (call.voice_id !== other.voice_id) return call;
  const merged = derive(call.voice_id, mergeSeen(call.seen, other.seen));
  return canonical(merged) === canonical(call) ? call : merged;
}

// Reading an event.

/** @param {unknown} value */
function text(value) {
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string' || value === '') return undefined;
  return value.replace(/\p{Surrogate}/gu, '\uFFFD\uFFFD\uFFFD'); // half a character, as Rust reads it
}

/** @param {Record<string, unknown>} event @param {string[]} names */
const firstText = (event, ...names) => names.map((name) => text(event[name])).find((it) => it !== undefined);

/** @param {VoiceEvent} event */
const voiceIdOf = (event) => firstText(/** @type {any} */ (event), 'voice_id', 'voiceId', 'voice_Id');

/** @param {unknown} value */
function number(value) {
  const written = text(value)?.trim() ?? '';
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written)) return undefined;
  return Number.isFinite(Number(written)) ? Number(written) : undefined;
}

/** @param {unknown} value */
function integer(value) {
  const read = number(value);
  return Number.isSafeInteger(read) ? read : undefined;
}

/** @param {string} name */
function normalized(name) {
  const kept = name.replace(/[^a-z0-9_-]/gi, '').toLowerCase();
  return kept === 'broadcastcomplete' ? 'broadcastcall_complete' : kept;
}

/**
 * Whether an event is of a call or of a prompt, and what happened.
 * @param {Record<string, unknown>} event
 * @returns {[('call' | 'play')?, string?]}
 */
function kind(event) {
  const [state, playstate, name] = ['state', 'playstate', 'event'].map((field) => text(event[field]));
  if (state !== undefined) return ['call', normalized(state)];
  if (playstate !== undefined) return ['play', normalized(playstate)];
  if (name === undefined) return [];
  const ofPrompts = PLAYSTATES.includes(normalized(name));
  const isOne = ofPrompts && (normalized(name) !== 'initiated' || firstText(event, 'play_id', 'prompt_ref') !== undefined);
  return [isOne ? 'play' : 'call', normalized(name)];
}

/**
 * An event's own time in milliseconds, if it is exact to the second or finer.
 * @param {string} written
 */
function ownTime(written) {
  const since1970 = number(written);
  if (since1970 !== undefined) return Math.floor((Math.abs(since1970) >= 1e11 ? since1970 : since1970 * 1000) + 0.5);
  const parts = /^(\d{4})-(\d\d)-(\d\d)[t ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(z|[+-]\d\d(?::?\d\d)?z?)$/i.exec(written.trim());
  if (!parts) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number);
  const [, sign, hours, minutes = '0'] = /^([+-])(\d\d):?(\d\d)?/.exec(parts[8]) ?? [null, '+', '0'];
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 60) return undefined;
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  const milliseconds = Number((parts[7] ?? '').slice(0, 3).padEnd(3, '0'));
  return date.getTime() + ((hour * 60 + minute - offset) * 60 + Math.min(second, 59)) * 1000 + milliseconds;
}

/** @param {Record<string, unknown>} event @param {string} receivedAt */
function timeOf(event, receivedAt) {
  const own = ownTime(text(event.timestamp) ?? '');
  const isPlausible = own !== undefined && own >= EARLIEST && own < LATEST && kind(event)[0] !== undefined;
  return new Date(isPlausible ? own : Date.parse(receivedAt)).toISOString();
}

/** @returns {Seen} */
const emptySeen = () => ({ states: {}, facts: {}, interactions: [], recordings: [], cut: false });

/**
 * What one event says.
 * @param {string} eventId
 * @param {string} receivedAt
 * @param {any} event
 * @returns {Seen}
 */
function seenIn(eventId, receivedAt, event) {
  const seen = emptySeen();
  /** @param {string | undefined} it @param {number} longest */
  const cut = (it, longest) => {
    const characters = [...it ?? ''];
    if (characters.length <= longest) return it;
    seen.cut = true;
    return characters.slice(0, longest).join('');
  };
  const at = timeOf(event, receivedAt);
  const stamp = { at, event_id: cut(eventId, LONGEST.id) ?? '' };
  seen.last_at = at;
  const [subject, name = ''] = kind(event);
  /** @type {any} */
  const facts = {};
  if (subject) for (const field of ['from', 'to', 'broadcast_id', 'owner_ref']) facts[field] = cut(text(event[field]), LONGEST.fact);
  const [pressed, said] = [firstText(event, 'digit', 'digits'), text(event.text)];
  if (subject === 'play') {
    seen.interactions.push(defined({
      ...stamp, type: cut(`play.${name}`, LONGEST.id) ?? '', prompt_ref: cut(text(event.prompt_ref), LONGEST.id),
      play_id: cut(text(event.play_id), LONGEST.id), digits: cut(pressed, LONGEST.digits),
      text: cut(text(event.asrtext) ?? said, LONGEST.speech),
    }));
  } else if (subject === 'call' && STATES.has(name)) {
    seen.states[name] = { first: stamp, last: stamp };
    if (name === 'disconnected') {
      const seconds = number(event.call_duration) ?? -1;
      if (seconds >= 0 && seconds <= LONGEST_CALL) facts.duration_ms = Math.floor(seconds * 1000 + 0.5);
      facts.disconnect_cause_code = integer(event.disconnect_cause_code);
      facts.disconnect_reason = cut(text(event.disconnect_reason), LONGEST.fact);
    } else if (name === 'recording_complete') {
      const url = text(event.recording_url);
      if (url !== undefined && [...url].length > LONGEST.url) seen.cut = true;
      else if (url !== undefined) seen.recordings.push({ ...stamp, url });
    } else if (name === 'dtmfcollected' || name === 'recognized') {
      const [digits, words] = [cut(pressed, LONGEST.digits), cut(said, LONGEST.speech)];
      seen.interactions.push(defined({ ...stamp, type: `call.${name}`, digits, text: words }));
    }
  }
  for (const [field, value] of Object.entries(defined(facts))) /** @type {any} */ (seen.facts)[field] = { ...stamp, value };
  return seen;
}

// Merging.

/**
 * Compares two values, texts by their UTF-8 as in Rust and Python; what is not there comes first.
 * @param {any} a
 * @param {any} b
 */
function compare(a, b) {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  return typeof a === 'number' ? a - b : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** @param {any[]} a @param {any[]} b */
function compareAll(a, b) {
  for (const [index, value] of a.entries()) {
    const order = compare(value, b[index]);
    if (order !== 0) return order;
  }
  return 0;
}

/** @param {any} it */
const orderOf = (it) => [it.at, STEPS[it.type] ?? 1, it.event_id, it.type, it.prompt_ref, it.play_id, it.digits, it.text, it.url];

/** @template {Stamp & { value?: any }} T @param {T} a @param {T} b */
const earlier = (a, b) => (compareAll([b.at, b.event_id, b.value], [a.at, a.event_id, a.value]) < 0 ? b : a);

/** @param {Stamp} a @param {Stamp} b */
const later = (a, b) => (compareAll([b.at, b.event_id], [a.at, a.event_id]) > 0 ? b : a);

/** @param {string | undefined} a @param {string | undefined} b */
const latest = (a, b) => (compare(a, b) > 0 ? a : b);

/**
 * Merges two objects name by name.
 * @template T
 * @param {Record<string, T>} a
 * @param {Record<string, T>} b
 * @param {(a: T, b: T) => T} join
 */
function mergeByName(a, b, join) {
  const merged = { ...a };
  for (const [name, value] of Object.entries(b)) merged[name] = name in merged ? join(merged[name], value) : value;
  return merged;
}

/** How many bytes a text has in JSON at most, whatever writes it. @param {string} it */
const size = (it) => it.length + 5 * (it.match(/[^ !#-[\]-~]/g)?.length ?? 0);

/**
 * Sorts entries and drops the oldest until the others fit, and everything from before that time for good.
 * @template {{ at: string }} T
 * @param {T[]} entries
 * @param {string | undefined} droppedUntil
 * @param {number} budget
 * @returns {[T[], string | undefined]}
 */
function keepLatest(entries, droppedUntil, budget) {
  const once = new Map(entries.map((entry) => [JSON.stringify(orderOf(entry)), entry]));
  const kept = [...once.values()].sort((a, b) => compareAll(orderOf(a), orderOf(b))).filter(({ at }) => compare(at, droppedUntil) > 0);
  let sum = 0;
  for (const { at, ...texts } of kept.toReversed()) {
    sum += ENTRY_OVERHEAD + Object.values(texts).reduce((total, it) => total + size(/** @type {string} */ (it)), 0);
    if (sum > budget) return [kept.filter((entry) => entry.at > at), at];
  }
  return [kept, droppedUntil];
}

/** @param {Seen} a @param {Seen} b @returns {Seen} */
function mergeSeen(a, b) {
  const [interactions, interactionsUntil] = keepLatest([...a.interactions, ...b.interactions],
    latest(a.interactions_dropped_until, b.interactions_dropped_until), INTERACTIONS_BUDGET);
  const [recordings, recordingsUntil] = keepLatest([...a.recordings, ...b.recordings],
    latest(a.recordings_dropped_until, b.recordings_dropped_until), RECORDINGS_BUDGET);
  return defined({
    last_at: latest(a.last_at, b.last_at),
    states: mergeByName(a.states, b.states, (x, y) => ({ first: earlier(x.first, y.first), last: later(x.last, y.last) })),
    facts: mergeByName(/** @type {any} */ (a.facts), /** @type {any} */ (b.facts), earlier),
    interactions, interactions_dropped_until: interactionsUntil,
    recordings, recordings_dropped_until: recordingsUntil,
    cut: a.cut || b.cut,
  });
}

// What follows from it.

/** @param {string} voiceId @param {Seen} seen @returns {Call} */
function derive(voiceId, seen) {
  const { states, facts } = seen;
  /** @param {string[]} names */
  const any = (...names) => names.some((name) => name in states);
  const phases = Object.entries(states).filter(([name]) => name in PHASES).map(([name, { first, last }]) => {
    const [stage, rank] = PHASES[name];
    const { at, event_id } = stage === TALKING ? last : first;
    return [stage, at, rank, event_id, name];
  });
  const [, since, , , state] = phases.sort(compareAll).at(-1) ?? [];
  const wasConnected = any('bridged', 'bridge_disconnected', 'hold', 'joined') || (facts.duration_ms?.value ?? 0) > 0;
  const missing = [
    seen.last_at !== undefined && !any('incomingcall', 'initiated') && 'start',
    wasConnected && !any('connected') && 'connected',
    any('bridge_disconnected') && !any('bridging', 'bridged') && 'bridged',
  ].filter(Boolean);
  const direction = any('incomingcall') ? 'inbound' : any('initiated') ? 'outbound' : undefined;
  const values = Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, fact.value]));
  const events = uniqueBy(seen.interactions, 'event_id');
  return /** @type {Call} */ (defined({
    voice_id: voiceId, state, since, direction, ...values,
    prompts: promptsOf(events),
    inputs: events.filter(({ type }) => !type.startsWith('play.')).flatMap(answerOf),
    recordings: uniqueBy(seen.recordings, 'url').map(({ at, url }) => ({ at, url })),
    missing,
    truncated: seen.cut || Boolean(seen.interactions_dropped_until ?? seen.recordings_dropped_until),
    seen,
  }));
}

/** The prompts with what was answered: each `initiated` begins one. @param {Interaction[]} events */
function promptsOf(events) {
  /** @type {any[]} */
  const prompts = [];
  /** @param {string | undefined} a @param {string | undefined} b */
  const fits = (a, b) => a === undefined || b === undefined || a === b;
  for (const event of events.filter(({ type }) => type.startsWith('play.'))) {
    let prompt = event.type === 'play.initiated' ? undefined
      : prompts.findLast((it) => fits(it.prompt_ref, event.prompt_ref) && fits(it.play_id, event.play_id));
    if (!prompt) prompts.push(prompt = { answers: [] });
    prompt.prompt_ref ??= event.prompt_ref;
    prompt.play_id ??= event.play_id;
    if (event.type === 'play.initiated') prompt.started_at = event.at;
    if (event.type === 'play.playfinished') prompt.finished_at = event.at;
    if (event.type === 'play.menutimeout') prompt.timed_out_at = event.at;
    prompt.answers.push(...answerOf(event));
  }
  return prompts.map(defined);
}

/** @param {Interaction} event */
const answerOf = ({ at, digits, text: said }) => (digits === undefined && said === undefined ? [] : [defined({ at, digits, text: said })]);

/** @template T @param {T[]} entries @param {keyof T} field */
function uniqueBy(entries, field) {
  const known = new Set();
  return entries.filter((entry) => !known.has(entry[field]) && known.add(entry[field]));
}

/** An object without what is not there. @template {object} T @param {T} it @returns {T} */
const defined = (it) => /** @type {T} */ (Object.fromEntries(Object.entries(it).filter(([, value]) => value !== undefined)));

/** JSON with sorted names. @param {unknown} it */
const canonical = (it) => JSON.stringify(it, (_, value) => (value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value));
