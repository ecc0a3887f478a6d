//! The event in a CloudEvents 1.0 envelope, structured mode, JSON format (`EVENT_FORMAT=cloudevents`).
//!
//! Only the body of the [`Message`] differs from the raw format. `event_id`, message group and deduplication id are the same,
//! so the format can be changed while events are on the queue.
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>
//!
//! | member | value |
//! | --- | --- |
//! | `specversion` | `1.0` |
//! | `id` | `event_id` |
//! | `source` | `/voicehook/` and the app's name, which is a URI-reference and the same in every region |
//! | `type` | `io.enablex.voice.` and `event_type` |
//! | `subject` | `voice_id`, where the event has one |
//! | `time` | the event's own `timestamp` where it can be read, else `received_at` |
//! | `datacontenttype` | `application/json` |
//! | `data` | the body of the raw format, byte for byte |
//!
//! What a CloudEvents string may not hold (control characters and noncharacters) becomes U+FFFD, as in the attributes.

use jiff::Timestamp;
use serde_json::json;

use super::{Delivery, EventMessage, QueueKind, message::Description};
use crate::{event::Event, names::find};

const SPECVERSION: &str = "1.0";
const TYPE_PREFIX: &str = "io.enablex.voice.";
const SOURCE_PREFIX: &str = "/voicehook/";
const MEDIA_TYPE: &str = "application/cloudevents+json";
const DATA_MEDIA_TYPE: &str = "application/json";
const DATA_MEMBER: &str = ",\"data\":";

/// How the message's body carries the event (`EVENT_FORMAT`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventFormat {
    /// The body is the event.
    #[default]
    Raw,
    /// The body is a CloudEvent, and the event is its `data`.
    CloudEvents,
}

impl EventFormat {
    /// Every format and its name.
    pub const NAMES: &[(&str, Self)] = &[("raw", Self::Raw), ("cloudevents", Self::CloudEvents)];

    /// The format of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        find(Self::NAMES, name)
    }

    /// Makes the message of an event in this format.
    #[must_use]
    pub fn message(self, event: Event, delivery: &Delivery<'_>, kind: QueueKind) -> EventMessage {
        let happened = event.timestamp().filter(|happened| *happened >= Timestamp::UNIX_EPOCH);
        let description = Description::new(event, delivery);
        description.into_message(delivery, kind, |description| match self {
            Self::Raw => (std::mem::take(&mut description.text), DATA_MEDIA_TYPE),
            Self::CloudEvents => (enveloped(description, happened), MEDIA_TYPE),
        })
    }
}

fn enveloped(event: &Description, happened: Option<Timestamp>) -> String {
    let mut envelope = json!({
        "specversion": SPECVERSION,
        "id": event.event_id,
        "source": text(SOURCE_PREFIX, &event.app),
        "type": text(TYPE_PREFIX, &event.event_type),
        "time": happened.map_or_else(|| event.received_at.clone(), |happened| happened.to_string()),
        "datacontenttype": DATA_MEDIA_TYPE,
    });
    if let Some(voice_id) = &event.voice_id {
        envelope["subject"] = text("", voice_id).into();
    }
    // The event goes in as text, because a JSON library would read it and write it anew.
    let mut body = envelope.to_string();
    body.reserve_exact(event.text.len() + DATA_MEMBER.len());
    body.pop();
    body.push_str(DATA_MEMBER);
    body.push_str(&event.text);
    body.push('}');
    body
}

/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#type-system>
fn text(prefix: &str, value: &str) -> String {
    let taken = |character: char| !character.is_control() && !is_noncharacter(character);
    let replaced =
        value.chars().map(|character| if taken(character) { character } else { char::REPLACEMENT_CHARACTER });
    prefix.chars().chain(replaced).collect()
}

const fn is_noncharacter(character: char) -> bool {
    matches!(character, '\u{fdd0}'..='\u{fdef}') || character as u32 & 0xFFFE == 0xFFFE
}
