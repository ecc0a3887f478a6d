//! The plaintext as a voice event: its text, and the few fields that it is routed by.
//!
//! The JSON is read once, without building a tree, and never written again: the text itself is what subscribers get.

use std::{borrow::Cow, fmt, time::Duration};

use jiff::Timestamp;
use serde::{
    Deserializer as _,
    de::{IgnoredAny, MapAccess, Visitor},
};

use thiserror::Error;
use voicehook_event::{
    Moment, VOICE_ID,
    json::{Key, text},
    kind::{self, KindFields},
};

/// A voice event.
///
/// ```
/// use voicehook_lambda::event::Event;
///
/// let event = Event::from_json(r#"{"voice_id": "5f2d", "state": "connected"}"#.to_owned()).unwrap();
/// assert_eq!(event.event_type(), "call.connected");
/// assert_eq!(event.voice_id(), Some("5f2d"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    text: String,
    fields: Fields,
}

/// A text that is not an event.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NotAnEvent {
    /// The text is not JSON.
    #[error("is not JSON")]
    NotJson,
    /// The JSON is not an object.
    #[error("is JSON, but not an object")]
    NotAnObject,
}

/// The fields that an event is routed by. A number is taken as its digits; anything else counts as missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fields {
    /// By their spellings.
    voice_ids: [Option<String>; VOICE_ID.len()],
    broadcast_id: Option<String>,
    channel_id: Option<String>,
    state: Option<String>,
    playstate: Option<String>,
    event: Option<String>,
    play_id: Option<String>,
    prompt_ref: Option<String>,
    timestamp: Option<String>,
}

impl Event {
    /// Reads an event's JSON text.
    ///
    /// # Errors
    /// [`NotAnEvent`]: the text is not a JSON object.
    pub fn from_json(text: String) -> Result<Self, NotAnEvent> {
        let mut deserializer = serde_json::Deserializer::from_str(&text);
        let fields = deserializer.deserialize_any(FieldsVisitor).and_then(|fields| deserializer.end().map(|()| fields));
        match fields {
            Ok(fields) => Ok(Self { text, fields }),
            Err(error) if error.is_data() => Err(NotAnEvent::NotAnObject),
            Err(_) => Err(NotAnEvent::NotJson),
        }
    }

    /// The JSON text, byte for byte.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes the JSON text out, without a copy.
    #[must_use]
    pub fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// `call.<name>` or `play.<name>`, in one spelling for each kind; `unknown` for an event without a kind.
    #[must_use]
    pub fn event_type(&self) -> Cow<'static, str> {
        kind::event_type(self.kind_fields().kind())
    }

    /// Whether it is like an event of EnableX: it has a kind, and the id of a call, a broadcast or a channel.
    #[must_use]
    pub fn is_routable(&self) -> bool {
        self.kind_fields().kind().is_some() && self.ordering_id().is_some()
    }

    fn kind_fields(&self) -> KindFields<'_> {
        let Fields { state, playstate, event, play_id, prompt_ref, .. } = &self.fields;
        KindFields {
            state: state.as_deref(),
            playstate: playstate.as_deref(),
            event: event.as_deref(),
            names_a_prompt: play_id.is_some() || prompt_ref.is_some(),
        }
    }

    /// The call's id: `voice_id`, else `voiceId`, else `voice_Id`.
    #[must_use]
    pub fn voice_id(&self) -> Option<&str> {
        self.fields.voice_ids.iter().flatten().next().map(String::as_str)
    }

    /// The broadcast's id.
    #[must_use]
    pub fn broadcast_id(&self) -> Option<&str> {
        self.fields.broadcast_id.as_deref()
    }

    /// When the event happened, by its own `timestamp`; `None` where that cannot be read.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.moment().map(|moment| moment.at)
    }

    pub(super) fn moment(&self) -> Option<Moment> {
        Moment::parse(self.fields.timestamp.as_deref()?)
    }

    /// How long before `now` the event happened at the latest: the age counts from the end of the unit that the
    /// timestamp states. `None` without a timestamp that can be read; zero where it lies in the future.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        Some(now.duration_since(self.moment()?.end()).try_into().unwrap_or_default())
    }

    /// What is ordered together: the call, else the broadcast, else the channel.
    #[must_use]
    pub fn ordering_id(&self) -> Option<&str> {
        self.voice_id().or(self.broadcast_id()).or(self.fields.channel_id.as_deref())
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        let [snake_case, camel_case, mixed_case] = VOICE_ID.map(str::as_bytes);
        while let Some(Key(key)) = map.next_key()? {
            let field = match key.as_ref() {
                name if name == snake_case => &mut fields.voice_ids[0],
                name if name == camel_case => &mut fields.voice_ids[1],
                name if name == mixed_case => &mut fields.voice_ids[2],
                b"broadcast_id" => &mut fields.broadcast_id,
                b"channel_id" => &mut fields.channel_id,
                b"state" => &mut fields.state,
                b"playstate" => &mut fields.playstate,
                b"event" => &mut fields.event,
                b"play_id" => &mut fields.play_id,
                b"prompt_ref" => &mut fields.prompt_ref,
                b"timestamp" => &mut fields.timestamp,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *field = text(map.next_value()?);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        Event::from_json(text.to_owned()).unwrap()
    }

    #[test]
    fn the_event_type_names_the_state_or_the_playstate() {
        assert_eq!(event(r#"{"state": "connected"}"#).event_type(), "call.connected");
        assert_eq!(event(r#"{"playstate": "digitcollected"}"#).event_type(), "play.digitcollected");
        assert_eq!(event(r#"{"state": null, "playstate": "initiated"}"#).event_type(), "play.initiated");
        assert_eq!(event(r#"{"state": ""}"#).event_type(), "unknown");
        assert_eq!(event(r#"{"state": "Incoming call"}"#).event_type(), "call.incomingcall");
        assert_eq!(event(r#"{"event": "digitcollected"}"#).event_type(), "play.digitcollected");
        assert_eq!(event(r#"{"event": "initiated", "play_id": 1}"#).event_type(), "play.initiated");
        assert_eq!(event(r#"{"event": "initiated", "play_id": ""}"#).event_type(), "call.initiated");
        assert_eq!(event("{}").event_type(), "unknown");
    }

    #[test]
    fn fields_are_found_as_json_parse_finds_them() {
        assert_eq!(event(r#"{"voice\u005fid": "a\u0062"}"#).voice_id(), Some("ab"));
        assert_eq!(event(r#"{"voice_id": "first", "voice_id": "last"}"#).voice_id(), Some("last"));
        assert_eq!(event(r#"{"data": {"voice_id": "inner"}}"#).voice_id(), None);
        assert_eq!(event(r#"{"voiceId": "camel"}"#).voice_id(), Some("camel"));
        assert_eq!(event(r#"{"voice_Id": "mixed"}"#).voice_id(), Some("mixed"));
        assert_eq!(
            event(r#"{"voice_Id": "mixed", "voiceId": "camel", "voice_id": "snake"}"#).voice_id(),
            Some("snake")
        );
        assert_eq!(event(r#"{"voice_Id": "mixed", "voiceId": "camel", "voice_id": null}"#).voice_id(), Some("camel"));
    }

    #[test]
    fn a_routing_field_of_another_type_costs_no_event() {
        assert_eq!(event(r#"{"voice_id": 42}"#).voice_id(), Some("42"));
        for text in
            [r#"{"voice_id": {"a": 1}}"#, r#"{"voice_id": [1]}"#, r#"{"voice_id": true}"#, r#"{"voice_id": ""}"#]
        {
            assert_eq!(event(text).voice_id(), None, "{text}");
        }
    }

    #[test]
    fn the_age_is_counted_from_the_end_of_the_unit_that_the_timestamp_states() {
        let now: Timestamp = "2026-11-23T10:53:07Z".parse().unwrap();
        for (timestamp, milliseconds) in [
            (r#""2026-11-23T10:52:06Z""#, 60_000),
            (r#""2026-11-23T16:22:06+05:30""#, 60_000),
            (r#""2026-11-23T10:51-00Z""#, 67_000),
            (r#""2026-11-23T10:52:06.000Z""#, 60_999),
            ("1795431126", 60_000),
            ("1795431126000", 60_999),
            (r#""1795431126.0""#, 60_900),
        ] {
            let age = event(&format!(r#"{{"timestamp": {timestamp}}}"#)).age(now);
            assert_eq!(age, Some(Duration::from_millis(milliseconds)), "{timestamp}");
        }
        assert_eq!(event(r#"{"timestamp": 1795431126004}"#).timestamp(), "2026-11-23T10:52:06.004Z".parse().ok());
        assert_eq!(event(r#"{"timestamp": "2027-01-01T00:00:00Z"}"#).age(now), Some(Duration::ZERO));
        for text in ["{}", r#"{"timestamp": "yesterday"}"#, r#"{"timestamp": null}"#] {
            assert_eq!(event(text).age(now), None, "{text}");
        }
    }

    #[test]
    fn an_event_is_routable_with_a_kind_and_the_id_of_what_it_happened_to() {
        for text in [
            r#"{"state": "x", "voice_id": "v"}"#,
            r#"{"playstate": "x", "voice_Id": "v"}"#,
            r#"{"event": "x", "broadcast_id": "b"}"#,
            r#"{"event": "x", "channel_id": "c"}"#,
        ] {
            assert!(event(text).is_routable(), "{text}");
        }
        for text in [r#"{"state": "x"}"#, r#"{"voice_id": "v"}"#, r#"{"state": "", "voice_id": "v"}"#, "{}"] {
            assert!(!event(text).is_routable(), "{text}");
        }
    }

    #[test]
    fn lone_surrogates_cost_no_event() {
        let text = r#"{"\ud800": "\udfff", "state": "x\ud800"}"#;
        assert_eq!(event(text).text(), text);
        assert!(event(text).event_type().starts_with("call.x"));
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        for (text, fault) in [
            ("", NotAnEvent::NotJson),
            ("{", NotAnEvent::NotJson),
            ("{} x", NotAnEvent::NotJson),
            ("{\"a\": \"\u{1}\"}", NotAnEvent::NotJson),
            ("{\"\u{0}\": 1}", NotAnEvent::NotJson),
            ("{\"voice_id\\u0000\n\": 1}", NotAnEvent::NotJson),
            ("\u{feff}{}", NotAnEvent::NotJson),
            ("[]", NotAnEvent::NotAnObject),
            ("null", NotAnEvent::NotAnObject),
            ("5", NotAnEvent::NotAnObject),
            ("\"x\"", NotAnEvent::NotAnObject),
        ] {
            assert_eq!(Event::from_json(text.to_owned()), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_read_without_recursion() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(event(&deep).text().len(), deep.len());
    }
}
