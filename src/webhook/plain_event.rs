//! Recognizes the event of a project without webhook encryption, which comes as plain JSON.

use serde_json::value::RawValue;

use crate::json;

/// Whether a body is an event of a call, a broadcast or a channel: an object with a kind and an id.
pub(super) fn is_voice_event(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let (mut has_kind, mut has_id) = (false, false);
    let read = json::members(text, |name, value| match name {
        b"state" | b"playstate" | b"event" => has_kind |= is_text(value),
        b"voice_id" | b"voiceId" | b"voice_Id" | b"broadcast_id" | b"channel_id" => {
            has_id |= is_text(value) || is_number(value);
        }
        _ => {}
    });
    read.is_ok() && has_kind && has_id
}

fn is_text(value: &RawValue) -> bool {
    json::string(value).is_some_and(|text| !text.is_empty())
}

fn is_number(value: &RawValue) -> bool {
    value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_kind_and_the_id_of_a_call_a_broadcast_or_a_channel() {
        for text in [
            r#"{"state": "connected", "voice_id": "1"}"#,
            r#"{"playstate": "initiated", "voiceId": "1"}"#,
            r#"{"event": "connected", "voice_Id": "1"}"#,
            r#"{"state": "broadcastcall_complete", "broadcast_id": 42}"#,
            r#"{"state": "x", "channel_id": "1"}"#,
        ] {
            assert!(is_voice_event(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "{}",
            r#"{"state": "connected"}"#,
            r#"{"voice_id": "1"}"#,
            r#"{"state": "", "voice_id": "1"}"#,
            r#"{"state": 5, "voice_id": "1"}"#,
            r#"{"state": "connected", "voice_id": ""}"#,
            r#"{"state": "connected", "voice_id": null}"#,
            r#"{"a": {"state": "connected", "voice_id": "1"}}"#,
            r#"[{"state": "connected", "voice_id": "1"}]"#,
            r#"{"state": "connected", "voice_id": "1""#,
        ] {
            assert!(!is_voice_event(text.as_bytes()), "{text}");
        }
    }
}
