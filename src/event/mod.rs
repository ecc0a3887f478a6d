//! Voice events: as the function routes them, and as a subscriber reads them.
//!
//! The function reads of a decrypted plaintext what it is routed by, and passes the text on as it is: that is [`Event`].
//! A subscriber finds this text in the body of an SQS message and wants to `match` on it: that is [`VoiceEvent`]. Both
//! take JSON as `JSON.parse` does: only the fields of the top level count, and of a field that is there twice the last
//! one.

mod fields;
#[cfg(feature = "receiver")]
mod routed;
#[cfg(test)]
mod schema;
mod states;
mod typed;

pub use fields::OtherFields;
#[cfg(feature = "receiver")]
pub use routed::Event;
pub use states::{CallState, PlayState};
pub use typed::{BroadcastCall, CallEvent, PlayEvent, VoiceEvent};

use jiff::Timestamp;
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

/// A time stamp: RFC 3339, or seconds or milliseconds since 1970.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| since_1970(text.parse().ok()?))
}

/// Seconds reach this number in the year 5138; milliseconds passed it in 1973.
const FIRST_MILLISECONDS: f64 = 1e11;

fn since_1970(number: f64) -> Option<Timestamp> {
    let milliseconds = if number < FIRST_MILLISECONDS { number * 1000.0 } else { number };
    Timestamp::from_millisecond(milliseconds as i64).ok()
}
