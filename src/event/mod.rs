//! Voice events: as the function routes them, and as a subscriber reads them.
//!
//! The function reads of a decrypted plaintext what it is routed by, and passes the text on as it is: that is [`Event`].
//! A subscriber finds this text in the body of an SQS message and wants to `match` on it: that is [`VoiceEvent`]. Both
//! take JSON as `JSON.parse` does: only the fields of the top level count, and of a field that is there twice the last
//! one.

mod call;
mod fields;
#[cfg(feature = "receiver")]
mod identity;
mod kind;
mod moment;
#[cfg(feature = "receiver")]
mod routed;
#[cfg(test)]
mod schema;
mod states;
mod typed;

pub use call::{Answer, Call, Direction, Missing, Prompt, Recording};
pub use fields::{Json, OtherFields};
pub use kind::normalized;
#[cfg(feature = "receiver")]
pub use routed::Event;
pub use states::{CallState, PlayState};
pub use typed::{BroadcastCall, BroadcastResult, CallEvent, PlayEvent, VoiceEvent};

use serde_json::value::RawValue;

use crate::json;

/// The text of a string or a number that is not empty.
fn text(raw: &RawValue) -> Option<String> {
    let text = match raw.get().as_bytes().first()? {
        b'"' => String::from_utf8_lossy(&json::string(raw)?).into_owned(),
        b'-' | b'0'..=b'9' => raw.get().to_owned(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The names of the field that holds the call's id, of all generations. The first one that says anything counts.
const VOICE_ID: [&str; 3] = ["voice_id", "voiceId", "voice_Id"];
