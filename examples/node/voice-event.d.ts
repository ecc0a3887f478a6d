// Generated from schemas/*.schema.json by schemas/generate.py: change the schemas instead.

/** A call of a broadcast. */
export interface BroadcastCall {
  /** What came of it. */
  result?: string | null;
  /** The number that was called. */
  to?: string | null;
  /** What EnableX adds tomorrow. */
  [field: string]: unknown;
}

/** The numbers of a broadcast. */
export interface BroadcastResult {
  /** Calls that were not. */
  failed_calls?: number | string | null;
  /** Calls that were answered. EnableX spells it so. */
  successfull_calls?: number | string | null;
  /** What EnableX adds tomorrow. */
  [field: string]: unknown;
}

/** An event of a call. */
export interface CallEvent {
  /** Which attempt to reach a recipient of a broadcast this is, from 2; the first one does not say. */
  attempt?: number | string | null;
  /** The calls of a broadcast. */
  broadcast_call_info?: BroadcastCall[];
  /** The broadcast's id, in events of a broadcast and of its calls. */
  broadcast_id?: string | null;
  /** How long the call was, in seconds. */
  call_duration?: number | string | null;
  /** Id of the channel. */
  channel_id?: string | null;
  /** What your application gave to the call as its data. */
  custom_data?: unknown;
  /** What was pressed while the call was bridged. */
  digit?: number | string | null;
  /** The same as a number: the cause of ITU-T Q.850. */
  disconnect_cause_code?: number | string | null;
  /** Why the call is over. */
  disconnect_reason?: string | null;
  /** The number that calls. */
  from?: string | null;
  /** What your application gave to the call as its reference. */
  owner_ref?: number | string | null;
  /** Where the recording is. */
  recording_url?: string | null;
  /** How many calls of a broadcast were answered. */
  resultSet?: BroadcastResult | null;
  /** What happened: the field `state`, or `event`. */
  state: CallState;
  /** What was said. */
  text?: string | null;
  /** When it happened, as EnableX wrote it. */
  timestamp?: number | string | null;
  /** The number that is called. */
  to?: string | null;
  /** The call's id. */
  voice_id?: string | null;
  /** What EnableX adds tomorrow. */
  [field: string]: unknown;
}

export type CallState = 'incomingcall' | 'initiated' | 'ringing' | 'connected' | 'bridging' | 'bridged' | 'bridge_disconnected' | 'hold' | 'joined' | 'recording_complete' | 'transcript' | 'recognized' | 'dtmfcollected' | 'stream_started' | 'stream_stopped' | 'stream_failed' | 'disconnected' | 'broadcastcall_complete' | (string & {});

/** An event of a prompt. */
export interface PlayEvent {
  /** What the caller said, where speech recognition is on. */
  asrtext?: string | null;
  /** The broadcast's id, in calls of a broadcast. */
  broadcast_id?: string | null;
  /** What your application gave to the call as its data. */
  custom_data?: unknown;
  /** What the caller pressed: `0` to `9`, `*`, `#`, or several of them (`digit` or `digits`). */
  digit?: string | null;
  /** The number that calls. */
  from?: string | null;
  /** What your application gave to the call as its reference. */
  owner_ref?: number | string | null;
  /** Id of this playing of the prompt. */
  play_id?: string | null;
  /** What happened: the field `playstate`, or `event`. */
  playstate: PlayState;
  /** The name that your application gave to the prompt. */
  prompt_ref?: string | null;
  /** Why the recognition of speech ended. */
  reason?: string | null;
  /** The same in events with the state `speech_recognized`. */
  text?: string | null;
  /** When it happened, as EnableX wrote it. */
  timestamp?: number | string | null;
  /** The number that is called. */
  to?: string | null;
  /** The call's id. */
  voice_id?: string | null;
  /** What EnableX adds tomorrow. */
  [field: string]: unknown;
}

export type PlayState = 'initiated' | 'playfinished' | 'digitcollected' | 'menutimeout' | 'speech_recognized' | (string & {});

/** It has neither, nor an `event`, which the newest generation has instead of the two. */
export interface OtherEvent {
  /** What happened: a name of `state`, or of `playstate` for a prompt. */
  event?: string | null;
  /** What EnableX adds tomorrow. */
  [field: string]: unknown;
}

/** A voice event of EnableX. */
export type VoiceEvent = CallEvent | PlayEvent | OtherEvent;

/** What a party pressed or said. */
export interface Answer {
  /** When. */
  at: string;
  /** The keys. */
  digits?: string;
  /** The words. */
  text?: string;
}

/** Who began a call. */
export type Direction = 'inbound' | 'outbound';

/** What an event says about the call. The earliest one counts: after a transfer, `to` is somebody else. */
export interface FactOfInt64 {
  at: string;
  event_id: string;
  value: number;
}

/** What an event says about the call. The earliest one counts: after a transfer, `to` is somebody else. */
export interface FactOfString {
  at: string;
  event_id: string;
  value: string;
}

/** What an event says about the call. The earliest one counts: after a transfer, `to` is somebody else. */
export interface FactOfUint64 {
  at: string;
  event_id: string;
  value: number;
}

/** What the events say about the call. */
export interface Facts {
  broadcast_id?: FactOfString;
  disconnect_cause_code?: FactOfInt64;
  disconnect_reason?: FactOfString;
  duration_ms?: FactOfUint64;
  from?: FactOfString;
  owner_ref?: FactOfString;
  to?: FactOfString;
}

/** An event of a prompt, a key or speech. */
export interface Interaction {
  at: string;
  digits?: string;
  event_id: string;
  play_id?: string;
  prompt_ref?: string;
  text?: string;
  type: string;
}

/** An event that must have happened, by what else is known, but has not arrived. */
export type Missing = 'start' | 'connected' | 'bridged';

/** One playing of a prompt. A menu that is played again is another one. */
export interface Prompt {
  /** What the caller pressed or said. */
  answers: Answer[];
  /** When it had been played to its end. */
  finished_at?: string;
  /** EnableX's id of the playing. */
  play_id?: string;
  /** The name that your application gave to the prompt. */
  prompt_ref?: string;
  /** When it began, if that event has arrived. */
  started_at?: string;
  /** When the caller had pressed nothing in time. */
  timed_out_at?: string;
}

/** A recording of the call. */
export interface Recording {
  /** When it was first announced. */
  at: string;
  /** Where it is. */
  url: string;
}

/** Everything that the rest is derived from. Each part is merged on its own. */
export interface Seen {
  /** Whether a text was cut, or a link left out, because it was too long. */
  cut: boolean;
  /** What the call's first event that has it says. */
  facts: Facts;
  /** Events of prompts, keys and speech, by time. */
  interactions: Interaction[];
  /** Up to which time interactions were dropped. */
  interactions_dropped_until?: string;
  /** The latest time of any event. */
  last_at?: string;
  /** Recordings, by time. */
  recordings: SeenRecording[];
  /** Up to which time recordings were dropped. */
  recordings_dropped_until?: string;
  /** Each state that was reported, by its name. */
  states: Record<string, Span>;
}

/** An event that announced a recording. */
export interface SeenRecording {
  at: string;
  event_id: string;
  url: string;
}

/** The first and the last event that reported a state. */
export interface Span {
  first: Stamp;
  last: Stamp;
}

/** Which event reported something, and when it happened. */
export interface Stamp {
  at: string;
  event_id: string;
}

/** What is known about a call, whatever order its events arrived in. */
export interface Call {
  /** The id of the broadcast that the call is part of. */
  broadcast_id?: string;
  /** Who began the call. */
  direction?: Direction;
  /** The same as a number: the cause of ITU-T Q.850. */
  disconnect_cause_code?: number;
  /** Why the call is over. */
  disconnect_reason?: string;
  /** How long the call was, in milliseconds. */
  duration_ms?: number;
  /** The number that calls. */
  from?: string;
  /** What was pressed or said outside of prompts. */
  inputs: Answer[];
  /** Events that must have happened but have not arrived. */
  missing: Missing[];
  /** What your application gave to the call as its reference. */
  owner_ref?: string;
  /** The prompts that were played, with what was answered. */
  prompts: Prompt[];
  /** The recordings. */
  recordings: Recording[];
  /** What all of this is derived from, and what is merged. */
  seen: Seen;
  /** Since when: RFC 3339, UTC, milliseconds, like all times here. */
  since?: string;
  /** The state that the call is in. */
  state?: CallState;
  /** The number that was called first. */
  to?: string;
  /** Whether something was cut or dropped to keep the call small. */
  truncated: boolean;
  /** The call's id. */
  voice_id: string;
}
