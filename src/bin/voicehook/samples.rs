//! Voice events as EnableX documents them, for `dev` and `trigger`.
//! <https://developer.enablex.io/voice/api-reference.html>

use std::hash::{BuildHasher as _, RandomState};

use jiff::Timestamp;

/// The events of a small inbound call, in the order in which they come.
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

/// Event types, and what each has beside the fields that all have.
const EVENTS: &[(&str, &str)] = &[
    ("call.incomingcall", ""),
    ("call.initiated", ""),
    ("call.ringing", ""),
    ("call.connected", ""),
    ("call.bridging", ""),
    ("call.bridged", ""),
    ("call.bridge_disconnected", ""),
    ("call.hold", ""),
    ("call.recording_complete", r#","recording_url":"https://example.com/recordings/1.wav""#),
    ("call.disconnected", r#","call_duration":42.5,"disconnect_reason":"normal_clearing","disconnect_cause_code":16"#),
    ("play.initiated", r#","prompt_ref":"welcome","play_id":"1""#),
    ("play.playfinished", r#","prompt_ref":"welcome","play_id":"1""#),
    ("play.digitcollected", r#","prompt_ref":"welcome","play_id":"1","digit":"1""#),
    ("play.menutimeout", r#","prompt_ref":"welcome","play_id":"1""#),
];

/// All event types.
pub(crate) fn event_types() -> impl Iterator<Item = &'static str> {
    EVENTS.iter().map(|(event_type, _)| *event_type)
}

/// The JSON text of an event, by its type (`call.connected`) or the last part of it (`connected`).
pub(crate) fn event(name: &str, call: &Call) -> Option<String> {
    let named = |event_type: &str| event_type == name || event_type.split('.').nth(1) == Some(name);
    let (event_type, more) = EVENTS.iter().find(|(event_type, _)| named(event_type))?;
    let (kind, state) = event_type.split_once('.')?;
    let Call { voice_id, channel_id } = call;
    let timestamp = Timestamp::now();
    Some(match kind {
        "play" => format!(r#"{{"voice_id":"{voice_id}","playstate":"{state}"{more}}}"#),
        _ => format!(
            r#"{{"voice_id":"{voice_id}","state":"{state}","from":"+12025550123","to":"+12025550187","channel_id":"{channel_id}","timestamp":"{timestamp:.0}"{more}}}"#
        ),
    })
}

/// What the events of one call have in common.
pub(crate) struct Call {
    voice_id: String,
    channel_id: String,
}

impl Call {
    pub(crate) fn new(voice_id: String) -> Self {
        Self { voice_id, channel_id: format!("{:012x}", random() >> 16) }
    }

    /// A call with an id of its own.
    pub(crate) fn random() -> Self {
        let (high, low) = (random(), random());
        let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0x0fff);
        let (d, e) = (0x8000 | (low >> 50), low & 0xffff_ffff_ffff);
        Self::new(format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}"))
    }
}

/// The standard library's only source of randomness; nothing secret is made of it.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
