//! Sample voice events for `dev` and `trigger`, as EnableX documents and sends them, in the spelling of every API version.
//! <https://developer.enablex.io/voice/api-reference.html>
//!
//! All numbers are fictitious.

use std::{
    fmt::Write as _,
    hash::{BuildHasher as _, RandomState},
};

use jiff::Timestamp;

/// The events of a short inbound call, in order.
pub(crate) const INBOUND_CALL: [&str; 9] = [
    "call.incomingcall",
    "call.connected",
    "play.initiated",
    "play.digitcollected",
    "call.bridging",
    "call.bridged",
    "call.bridge_disconnected",
    "call.recording_complete",
    "call.disconnected",
];

/// A kind of event.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its event type, or a name of our own where one type comes in several shapes.
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) meaning: &'static str,
    shape: Shape,
    /// JSON of the fields it has in addition to those of its shape.
    fields: &'static str,
}

/// The shapes of EnableX events, each with the value of the field that names the kind.
#[derive(Clone, Copy, Debug)]
enum Shape {
    State(&'static str),
    /// A prompt's event, without a timestamp, as most of them are.
    Play(&'static str),
    PlayWithTimestamp(&'static str),
    /// `event` instead of `state` and `playstate`, as in the newest documentation.
    Event(&'static str),
    /// The oldest spelling: `voice_Id`, and a timestamp in whole seconds.
    Old(&'static str),
    EndOfBroadcast(&'static str),
}

const RECORDING: &str = r#","recording_url":"https://example.com/recordings/1.wav""#;
const DISCONNECTED: &str = r#","call_duration":42.5,"disconnect_reason":"normal_clearing","disconnect_cause_code":16"#;
const BROADCAST: &str =
    r#","broadcast_call_info":[{"to":"+12025550187","result":"answered"},{"to":"+12025550188","result":"busy"}]"#;
const NUMBERS: &str = r#","resultSet":{"successfull_calls":1,"failed_calls":1}"#;
const SPEECH: &str = r#","reason":"completed","text":"I would like to speak to sales""#;
const OWN: &str = r#","owner_ref":"ticket 4711","custom_data":{"order":17}"#;

/// All kinds of events.
pub(crate) const KINDS: &[Kind] = &[
    call("call.incomingcall", "someone calls one of your project's numbers", ""),
    call("call.initiated", "an outbound call was started", ""),
    call("call.ringing", "the called phone is ringing", ""),
    call("call.connected", "the call was answered", ""),
    call("call.bridging", "another party is being called", ""),
    call("call.bridged", "both parties are connected to each other", ""),
    call("call.bridge_disconnected", "the other party has left", ""),
    call("call.hold", "the call is on hold", ""),
    call("call.joined", "the call has joined a room", ""),
    call("call.stream_started", "audio is streaming to your WebSocket", ""),
    call("call.stream_stopped", "audio is no longer streaming", ""),
    call("call.stream_failed", "the audio stream could not start, or broke off", ""),
    call("call.transcript", "what was said, as text", r#","text":"Hello, I would like to speak to sales.""#),
    call("call.recognized", "speech was recognized, as text", r#","text":"I would like to speak to sales""#),
    call("call.dtmfcollected", "a key was pressed while the call was bridged", r#","digit":5"#),
    call("call.recording_complete", "a recording is ready to download", RECORDING),
    call("call.disconnected", "the call is over", DISCONNECTED),
    kind(
        "call.broadcastcall_complete",
        "all calls of a broadcast are over",
        Shape::EndOfBroadcast("broadcastcall_complete"),
        BROADCAST,
    ),
    play("play.initiated", "a prompt starts playing", ""),
    play("play.playfinished", "a prompt finished playing", ""),
    play("play.digitcollected", "the caller pressed a key", r#","digit":"1""#),
    play("play.speech_recognized", "the caller said something", SPEECH),
    play("play.menutimeout", "the caller pressed nothing in time", ""),
    kind(
        "play.speech",
        "the caller said something (a play.digitcollected with asrtext)",
        Shape::Play("digitcollected"),
        r#","asrtext":"I would like to speak to sales""#,
    ),
    kind(
        "play.timestamped",
        "the caller pressed a key (a play.digitcollected with a timestamp)",
        Shape::PlayWithTimestamp("digitcollected"),
        r#","digit":"1""#,
    ),
    kind(
        "event.connected",
        "the call was answered, as the newest documentation writes it (event instead of state)",
        Shape::Event("connected"),
        OWN,
    ),
    kind(
        "event.digitcollected",
        "the caller pressed a key, as the newest documentation writes it (event instead of playstate)",
        Shape::Event("digitcollected"),
        r#","digit":"1""#,
    ),
    kind(
        "old.incomingcall",
        "someone calls, in an old spelling (incoming call, voice_Id)",
        Shape::Old("incoming call"),
        "",
    ),
    kind(
        "old.broadcastcomplete",
        "all calls of a broadcast are over, in an old spelling (resultSet)",
        Shape::EndOfBroadcast("broadcastcomplete"),
        NUMBERS,
    ),
];

const fn kind(name: &'static str, meaning: &'static str, shape: Shape, fields: &'static str) -> Kind {
    Kind { name, meaning, shape, fields }
}

/// A `state` whose kind is named `call.<state>`.
const fn call(name: &'static str, meaning: &'static str, fields: &'static str) -> Kind {
    kind(name, meaning, Shape::State(name.split_at("call.".len()).1), fields)
}

/// A `playstate` whose kind is named `play.<playstate>`.
const fn play(name: &'static str, meaning: &'static str, fields: &'static str) -> Kind {
    kind(name, meaning, Shape::Play(name.split_at("play.".len()).1), fields)
}

/// The names of all kinds of events.
pub(crate) fn event_types() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

/// The JSON of an event that happens now, by its full name (`call.connected`) or its last part (`connected`).
pub(crate) fn event(name: &str, call: &Call) -> Option<String> {
    let named = |kind: &&Kind| kind.name == name || kind.name.split('.').nth(1) == Some(name);
    let Kind { shape, fields, .. } = KINDS.iter().find(named)?;
    let now = Timestamp::now();
    Some(match shape {
        Shape::State(state) => call.state(state, now, fields),
        Shape::Play(playstate) => call.play(playstate, "welcome", "1", fields),
        Shape::PlayWithTimestamp(playstate) => call.play(playstate, "welcome", "1", &with_timestamp(now, fields)),
        Shape::Event(event) => call.event(event, fields),
        Shape::Old(state) => call.old_state(state, now, fields),
        Shape::EndOfBroadcast(state) => call.end_of_broadcast(state, now, fields),
    })
}

/// Prepends a timestamp to further fields.
pub(crate) fn with_timestamp(timestamp: Timestamp, more: &str) -> String {
    format!(r#","timestamp":"{timestamp:.3}"{more}"#)
}

/// What the events of one call have in common.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    voice_id: String,
    channel_id: String,
    /// The broadcast that the call is part of.
    broadcast_id: Option<String>,
    from: String,
    to: String,
}

impl Call {
    pub(crate) fn new(voice_id: String) -> Self {
        Self {
            voice_id,
            channel_id: format!("{:012x}", random() >> 16),
            broadcast_id: None,
            from: "+12025550123".to_owned(),
            to: "+12025550187".to_owned(),
        }
    }

    /// A call with a new random id.
    pub(crate) fn random() -> Self {
        Self::new(random_id())
    }

    /// The call of a broadcast to its nth recipient, counted from 0.
    pub(crate) fn for_broadcast(broadcast_id: &str, recipient: usize) -> Self {
        let to = format!("+1202555{:04}", 100 + recipient % 100);
        Self { broadcast_id: Some(broadcast_id.to_owned()), to, ..Self::random() }
    }

    /// The called number.
    pub(crate) fn to(&self) -> &str {
        &self.to
    }

    /// An event with a `state`. `more` is JSON: further fields, each preceded by a comma.
    pub(crate) fn state(&self, state: &str, timestamp: Timestamp, more: &str) -> String {
        let Self { voice_id, channel_id, from, to, .. } = self;
        let mut event = self.begin();
        let _ = write!(
            event,
            r#""voice_id":{},"state":"{state}","from":"{from}","to":"{to}","channel_id":"{channel_id}","timestamp":"{timestamp:.3}"{more}}}"#,
            text(voice_id)
        );
        event
    }

    /// An event with a `playstate`.
    pub(crate) fn play(&self, playstate: &str, prompt_ref: &str, play_id: &str, more: &str) -> String {
        let mut event = self.begin();
        let _ = write!(
            event,
            r#""voice_id":{},"playstate":"{playstate}","prompt_ref":"{prompt_ref}","play_id":"{play_id}"{more}}}"#,
            text(&self.voice_id)
        );
        event
    }

    /// An event in the newest spelling: `event` instead of `state` or `playstate`.
    pub(crate) fn event(&self, event: &str, more: &str) -> String {
        let Self { voice_id, from, to, .. } = self;
        format!(r#"{{"event":"{event}","voice_id":{},"from":"{from}","to":"{to}"{more}}}"#, text(voice_id))
    }

    /// An event with a `state`, in the oldest spelling.
    pub(crate) fn old_state(&self, state: &str, timestamp: Timestamp, more: &str) -> String {
        let Self { voice_id, from, to, .. } = self;
        let voice_id = text(voice_id);
        format!(
            r#"{{"voice_Id":{voice_id},"state":"{state}","from":"{from}","to":"{to}","timestamp":"{timestamp:.0}"{more}}}"#
        )
    }

    /// The last event of a broadcast, which belongs to no call.
    pub(crate) fn end_of_broadcast(&self, state: &str, timestamp: Timestamp, more: &str) -> String {
        let broadcast_id = self.broadcast_id.clone().unwrap_or_else(random_id);
        let from = &self.from;
        format!(
            r#"{{"state":"{state}","broadcast_id":"{broadcast_id}","from":"{from}","timestamp":"{timestamp:.3}"{more}}}"#
        )
    }

    fn begin(&self) -> String {
        self.broadcast_id.as_ref().map_or_else(|| "{".to_owned(), |id| format!(r#"{{"broadcast_id":"{id}","#))
    }
}

/// A JSON string.
fn text(value: &str) -> serde_json::Value {
    value.into()
}

/// A random id in the form of a version 4 UUID.
pub(crate) fn random_id() -> String {
    let (high, low) = (random(), random());
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0x0fff);
    let (d, e) = (0x8000 | (low >> 50), low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
}

/// The standard library's only source of randomness. Not used for anything secret.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
