//! What EnableX is told to do when it has delivered an event (`ACTIONS`): for instance to greet a caller at once, while the
//! subscriber still decides.
//!
//! A JSON object from event type to the JSON object to answer with:
//!
//! ```json
//! {"call.incomingcall": {"play": {"text": "Welcome", "prompt_ref": "welcome"}}, "call.*": {}}
//! ```
//!
//! The exact type counts first, then `call.*` or `play.*`, then `*`. An action tells that an event opened, so actions are
//! sent only where the URL carries a token.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use voicehook_event::normalized;

/// The most that `ACTIONS` may hold, in bytes: Lambda's limit for all variables together is 4 KiB.
const MAX_BYTES: usize = 2048;
/// The longest call id that is put into an answer, in characters.
const MAX_VOICE_ID: usize = 64;
/// Added to each action, where the event has one.
const VOICE_ID: &str = "voice_id";

/// Answers by event type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actions(BTreeMap<String, String>);

impl Actions {
    /// Reads the variable.
    ///
    /// # Errors
    /// Every mistake, with the event type that it is under.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("has {} bytes; the limit is {MAX_BYTES}", text.len()));
        }
        let actions: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(|error| {
            format!(r#"is not a JSON object of actions by event type, such as {{"call.incomingcall": {{…}}}}: {error}"#)
        })?;
        let mistakes = actions.iter().filter_map(|(event_type, action)| {
            let mistake = mistake_in_type(event_type).or_else(|| mistake_in(action).map(str::to_owned))?;
            Some(format!("{event_type:?} {mistake}"))
        });
        let mistakes: Vec<String> = mistakes.collect();
        if !mistakes.is_empty() {
            return Err(format!("cannot be used: {}", mistakes.join("; ")));
        }
        Ok(Self(actions.into_iter().map(|(event_type, action)| (event_type, action.get().to_owned())).collect()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The JSON object to answer an event with, if there is one for its type.
    #[must_use]
    pub fn answer(&self, event_type: &str, voice_id: Option<&str>) -> Option<String> {
        let wildcard = event_type.split_once('.').map(|(kind, _)| format!("{kind}.*"));
        let action = [Some(event_type), wildcard.as_deref(), Some("*")].into_iter().flatten();
        let action = action.into_iter().find_map(|event_type| self.0.get(event_type))?;
        let Some(voice_id) = voice_id.filter(|id| can_be_answered(id)) else { return Some(action.clone()) };
        let members = action.trim_end().strip_suffix('}')?.trim_end();
        let comma = if members.ends_with('{') { "" } else { "," };
        Some(format!(r#"{members}{comma}"{VOICE_ID}":"{voice_id}"}}"#))
    }
}

/// Only an id that needs no escaping is put into an answer: its text comes from outside.
fn can_be_answered(voice_id: &str) -> bool {
    (1..=MAX_VOICE_ID).contains(&voice_id.len())
        && voice_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn mistake_in_type(event_type: &str) -> Option<String> {
    if matches!(event_type, "*" | "call.*" | "play.*" | "unknown") {
        return None;
    }
    let expected = match event_type.split_once('.') {
        Some((kind @ ("call" | "play"), name)) if !normalized(name).is_empty() => {
            format!("{kind}.{}", normalized(name))
        }
        _ => {
            return Some(
                "is not an event type; expected call.<state>, play.<playstate>, call.*, play.* or *".to_owned(),
            );
        }
    };
    (expected != event_type).then(|| format!("is not how an event type is written; expected {expected:?}"))
}

fn mistake_in(action: &RawValue) -> Option<&'static str> {
    let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(action.get()) else {
        return Some(r#"must be a JSON object, such as {"play": {…}}"#);
    };
    members.contains_key(VOICE_ID).then_some("must have no voice_id: voicehook adds the one of the event")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_type_counts_first_then_the_kind_then_all() {
        let actions = r#"{"call.incomingcall": {"a": 1}, "call.*": {"a": 2}, "*": {"a": 3}}"#;
        let actions = Actions::parse(actions).unwrap();
        for (event_type, expected) in [
            ("call.incomingcall", r#"{"a": 1}"#),
            ("call.connected", r#"{"a": 2}"#),
            ("play.initiated", r#"{"a": 3}"#),
            ("unknown", r#"{"a": 3}"#),
        ] {
            assert_eq!(actions.answer(event_type, None).as_deref(), Some(expected), "{event_type}");
        }
        assert_eq!(Actions::parse(r#"{"play.*": {}}"#).unwrap().answer("call.connected", None), None);
    }

    #[test]
    fn as_many_bytes_as_the_limit_are_taken_and_no_actions_are_none() {
        let of_length = |bytes| {
            let action = r#"{"call.*": {"a": ""}}"#;
            Actions::parse(&action.replace(r#""""#, &format!(r#""{}""#, "x".repeat(bytes - action.len()))))
        };
        assert!(!of_length(MAX_BYTES).unwrap().is_empty());
        assert_eq!(of_length(MAX_BYTES + 1).unwrap_err(), "has 2049 bytes; the limit is 2048");
        assert!(Actions::parse("{}").unwrap().is_empty());
    }

    #[test]
    fn the_calls_id_is_added_where_it_is_one() {
        let actions = Actions::parse(r#"{"call.*": {"play": {"text": "}"} }, "play.*": { }}"#).unwrap();
        let answer = |event_type, voice_id| actions.answer(event_type, Some(voice_id)).unwrap();
        assert_eq!(answer("call.connected", "5f2d-8_A"), r#"{"play": {"text": "}"},"voice_id":"5f2d-8_A"}"#);
        assert_eq!(answer("play.initiated", "a"), r#"{"voice_id":"a"}"#);
        for voice_id in ["", "a b", "\",\"x\":\"", "ü", &"a".repeat(65)] {
            assert_eq!(answer("play.initiated", voice_id), "{ }", "{voice_id:?}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_event_type() {
        for (text, expected) in [
            ("[]", "is not a JSON object"),
            (r#"{"call.incomingcall": "play"}"#, r#""call.incomingcall" must be a JSON object"#),
            (r#"{"connected": {}}"#, r#""connected" is not an event type"#),
            (r#"{"call.Incoming call": {}}"#, r#"expected "call.incomingcall"#),
            (r#"{"call.": {}}"#, r#""call." is not"#),
            (r#"{"*": {"voice_id": "1"}}"#, r#""*" must have no voice_id"#),
        ] {
            let error = Actions::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let both = Actions::parse(r#"{"a": {}, "call.*": 1}"#).unwrap_err();
        assert!(both.contains(r#""a""#) && both.contains(r#""call.*""#), "{both}");
        assert!(Actions::parse(&format!(r#"{{"*": {{"a": "{}"}}}}"#, "x".repeat(2048))).is_err());
    }
}
