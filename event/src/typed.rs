//! A voice event for subscribers: what a message's body says, as something to `match` on.
//!
//! The names are those of EnableX (<https://developer.enablex.io/voice/api-reference.html>), in the spelling of today;
//! older and newer spellings are read as well. Every field may be missing, a number may come as a string, and what is not
//! known, or has another type than expected, is kept in `other`: nothing is refused but text that is not a JSON object.

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

#[cfg(test)]
use super::schema;
use super::{
    CallState, Json, Moment, OtherFields, PlayState, VOICE_ID,
    kind::{self, KindFields, Subject},
};

/// A voice event.
///
/// ```
/// use voicehook_event::{CallState, PlayState, VoiceEvent};
///
/// fn describe(body: &str) -> serde_json::Result<String> {
///     Ok(match body.parse()? {
///         VoiceEvent::Call(call) => match call.state {
///             CallState::Disconnected => format!("over after {} s", call.call_duration.unwrap_or_default()),
///             CallState::RecordingComplete => format!("recorded: {}", call.recording_url.unwrap_or_default()),
///             state => format!("the call is {state}"),
///         },
///         VoiceEvent::Play(play) if play.playstate == PlayState::DigitCollected => {
///             format!("pressed {}", play.digit.unwrap_or_default())
///         }
///         other => other.event_type(),
///     })
/// }
///
/// assert_eq!(describe(r#"{"state": "disconnected", "call_duration": "12"}"#).unwrap(), "over after 12 s");
/// assert_eq!(describe(r#"{"playstate": "digitcollected", "digit": "1"}"#).unwrap(), "pressed 1");
/// assert_eq!(describe(r#"{"state": "teleported"}"#).unwrap(), "the call is teleported");
/// ```
///
/// It can be part of other types that serde reads, such as `SqsEventObj<VoiceEvent>` of `aws_lambda_events`. What it
/// writes has every field that it read: those that are known under their present name and in their documented type, the
/// others byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(description = "A voice event of EnableX."))]
#[serde(untagged)]
#[non_exhaustive]
pub enum VoiceEvent {
    /// Of a call, its recording, its transcript, its stream, or a broadcast: it has a `state`.
    Call(CallEvent),
    /// Of a prompt in a call: it has a `playstate`.
    Play(PlayEvent),
    /// It has neither, nor an `event`, which the newest generation has instead of the two.
    #[cfg_attr(test, schemars(schema_with = "schema::neither"))]
    Other(OtherFields),
}

/// An event of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CallEvent {
    /// What happened: the field `state`, or `event`.
    pub state: CallState,
    /// The call's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_id: Option<String>,
    /// The broadcast's id, in events of a broadcast and of its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broadcast_id: Option<String>,
    /// The number that calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The number that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Id of the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// When it happened, as EnableX wrote it.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Which attempt to reach a recipient of a broadcast this is, from 2; the first one does not say.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// How long the call was, in seconds.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_duration: Option<f64>,
    /// Why the call is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_reason: Option<String>,
    /// The same as a number: the cause of ITU-T Q.850.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_cause_code: Option<i64>,
    /// Where the recording is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recording_url: Option<String>,
    /// What was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What was pressed while the call was bridged.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digit: Option<String>,
    /// What your application gave to the call as its reference.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_ref: Option<String>,
    /// What your application gave to the call as its data.
    #[cfg_attr(test, schemars(with = "Option<schema::Any>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<Json>,
    /// How many calls of a broadcast were answered.
    #[serde(rename = "resultSet", skip_serializing_if = "Option::is_none")]
    pub result_set: Option<BroadcastResult>,
    /// The calls of a broadcast.
    #[cfg_attr(test, schemars(default))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub broadcast_call_info: Vec<BroadcastCall>,
    /// Every other field.
    #[cfg_attr(test, schemars(skip))]
    #[serde(flatten)]
    pub other: OtherFields,
}

/// A call of a broadcast.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BroadcastCall {
    /// The number that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Every other field.
    #[cfg_attr(test, schemars(skip))]
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The numbers of a broadcast.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BroadcastResult {
    /// Calls that were answered. EnableX spells it so.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(rename = "successfull_calls", skip_serializing_if = "Option::is_none")]
    pub successful_calls: Option<i64>,
    /// Calls that were not.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_calls: Option<i64>,
    /// Every other field.
    #[cfg_attr(test, schemars(skip))]
    #[serde(flatten)]
    pub other: OtherFields,
}

/// An event of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PlayEvent {
    /// What happened: the field `playstate`, or `event`.
    pub playstate: PlayState,
    /// The call's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_id: Option<String>,
    /// The broadcast's id, in calls of a broadcast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broadcast_id: Option<String>,
    /// Id of this playing of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play_id: Option<String>,
    /// The name that your application gave to the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_ref: Option<String>,
    /// What the caller pressed: `0` to `9`, `*`, `#`, or several of them (`digit` or `digits`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digit: Option<String>,
    /// What the caller said, where speech recognition is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asrtext: Option<String>,
    /// The same in events with the state `speech_recognized`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why the recognition of speech ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What your application gave to the call as its reference.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_ref: Option<String>,
    /// What your application gave to the call as its data.
    #[cfg_attr(test, schemars(with = "Option<schema::Any>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<Json>,
    /// The number that calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The number that is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When it happened, as EnableX wrote it.
    #[cfg_attr(test, schemars(with = "Option<schema::Number>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Every other field.
    #[cfg_attr(test, schemars(skip))]
    #[serde(flatten)]
    pub other: OtherFields,
}

impl VoiceEvent {
    /// Reads the body of a message.
    ///
    /// # Errors
    /// The text is no JSON, or no object. What voicehook puts on the queue is neither.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        let mut fields = OtherFields::from_json(text)?;
        let [state, playstate, event] = ["state", "playstate", "event"].map(|name| fields.text(name));
        let kind = KindFields {
            state: state.as_deref(),
            playstate: playstate.as_deref(),
            event: event.as_deref(),
            names_a_prompt: ["play_id", "prompt_ref"].iter().any(|name| fields.text(name).is_some()),
        };
        let Some((subject, name)) = kind.kind() else { return Ok(Self::Other(fields)) };
        // Where there is a state, a playstate beside it is kept as it is; and so with the event.
        let written = if subject == Subject::Call { "state" } else { "playstate" };
        fields.take_first_text(&["state", "playstate", "event"], written);
        Ok(match subject {
            Subject::Call => Self::Call(CallEvent::take(name.into(), fields)),
            Subject::Prompt => Self::Play(PlayEvent::take(name.into(), fields)),
        })
    }

    /// `call.<name>` or `play.<name>` in one spelling for each kind, else `unknown`: the message's attribute
    /// `event_type`.
    #[must_use]
    pub fn event_type(&self) -> String {
        let kind = match self {
            Self::Call(call) => Some((Subject::Call, call.state.as_str())),
            Self::Play(play) => Some((Subject::Prompt, play.playstate.as_str())),
            Self::Other(_) => None,
        };
        kind::event_type(kind).into_owned()
    }

    /// The call's id.
    #[must_use]
    pub fn voice_id(&self) -> Option<String> {
        match self {
            Self::Call(call) => call.voice_id.clone(),
            Self::Play(play) => play.voice_id.clone(),
            Self::Other(fields) => VOICE_ID.iter().find_map(|name| fields.text(name)),
        }
    }

    /// When it happened, by the event's own `timestamp`: in any form of ISO 8601 that EnableX writes, or seconds or
    /// milliseconds since 1970. `None` without a timestamp that can be read.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        let moment = match self {
            Self::Call(call) => Moment::parse(call.timestamp.as_deref()?),
            Self::Play(play) => Moment::parse(play.timestamp.as_deref()?),
            Self::Other(fields) => Moment::parse(&fields.text("timestamp")?),
        };
        Some(moment?.at)
    }
}

impl FromStr for VoiceEvent {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> serde_json::Result<Self> {
        Self::from_json(text)
    }
}

impl<'de> Deserialize<'de> for VoiceEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(raw.get()).map_err(D::Error::custom)
    }
}

/// The names of what was pressed, of two generations.
const DIGIT: [&str; 2] = ["digit", "digits"];

impl CallEvent {
    fn take(state: CallState, mut fields: OtherFields) -> Self {
        let calls = fields.take_objects("broadcast_call_info").unwrap_or_default();
        Self {
            state,
            voice_id: fields.take_first_text(&VOICE_ID, VOICE_ID[0]),
            broadcast_id: fields.take_text("broadcast_id"),
            from: fields.take_text("from"),
            to: fields.take_text("to"),
            channel_id: fields.take_text("channel_id"),
            timestamp: fields.take_text("timestamp"),
            attempt: fields.take_integer("attempt"),
            call_duration: fields.take_number("call_duration"),
            disconnect_reason: fields.take_text("disconnect_reason"),
            disconnect_cause_code: fields.take_integer("disconnect_cause_code"),
            recording_url: fields.take_text("recording_url"),
            text: fields.take_text("text"),
            digit: fields.take_first_text(&DIGIT, DIGIT[0]),
            owner_ref: fields.take_text("owner_ref"),
            custom_data: fields.take_json("custom_data"),
            result_set: fields.take_object("resultSet").map(BroadcastResult::take),
            broadcast_call_info: calls.into_iter().map(BroadcastCall::take).collect(),
            other: fields,
        }
    }
}

impl BroadcastCall {
    fn take(mut fields: OtherFields) -> Self {
        Self { to: fields.take_text("to"), result: fields.take_text("result"), other: fields }
    }
}

impl BroadcastResult {
    fn take(mut fields: OtherFields) -> Self {
        Self {
            successful_calls: fields.take_integer("successfull_calls"),
            failed_calls: fields.take_integer("failed_calls"),
            other: fields,
        }
    }
}

impl PlayEvent {
    fn take(playstate: PlayState, mut fields: OtherFields) -> Self {
        Self {
            playstate,
            voice_id: fields.take_first_text(&VOICE_ID, VOICE_ID[0]),
            broadcast_id: fields.take_text("broadcast_id"),
            play_id: fields.take_text("play_id"),
            prompt_ref: fields.take_text("prompt_ref"),
            digit: fields.take_first_text(&DIGIT, DIGIT[0]),
            asrtext: fields.take_text("asrtext"),
            text: fields.take_text("text"),
            reason: fields.take_text("reason"),
            owner_ref: fields.take_text("owner_ref"),
            custom_data: fields.take_json("custom_data"),
            from: fields.take_text("from"),
            to: fields.take_text("to"),
            timestamp: fields.take_text("timestamp"),
            other: fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(json: &str) -> CallEvent {
        match json.parse() {
            Ok(VoiceEvent::Call(call)) => call,
            other => panic!("{json} is {other:?}"),
        }
    }

    #[test]
    fn values_are_taken_by_their_type_and_what_has_another_one_is_kept() {
        let event = call(
            r#"{"state": "disconnected", "attempt": "2", "disconnect_cause_code": 16.0,
                "broadcast_call_info": [{"to": "1", "result": "answered"}, {"to": "2"}],
                "resultSet": {"successfull_calls": 3, "failed_calls": "1", "more": 1}}"#,
        );
        assert_eq!((event.attempt, event.disconnect_cause_code), (Some(2), Some(16)));
        let calls: Vec<_> = event.broadcast_call_info.iter().map(|call| (call.to.as_deref(), &call.result)).collect();
        assert_eq!(calls, [(Some("1"), &Some("answered".to_owned())), (Some("2"), &None)]);
        let result = event.result_set.unwrap();
        assert_eq!(
            (result.successful_calls, result.failed_calls, result.other.json("more")),
            (Some(3), Some(1), Some("1"))
        );

        let kept = r#"{"attempt":1.5,"broadcast_call_info":[],"disconnect_cause_code":9007199254740993,"resultSet":7}"#;
        let event = call(&kept.replace('{', r#"{"state":"disconnected","#));
        assert_eq!((event.attempt, event.disconnect_cause_code, &event.result_set), (None, None, &None));
        assert_eq!(serde_json::to_string(&event.other).unwrap(), kept);
    }

    #[test]
    fn every_event_has_a_type_and_a_time() {
        for (json, event_type) in [
            (r#"{"state": "connected", "timestamp": "2026-11-23T10:52:06Z"}"#, "call.connected"),
            (r#"{"playstate": "playfinished", "timestamp": 1795431126}"#, "play.playfinished"),
            (r#"{"something": "else", "timestamp": "1795431126000"}"#, "unknown"),
        ] {
            let event: VoiceEvent = json.parse().unwrap();
            assert_eq!(event.event_type(), event_type);
            assert_eq!(event.timestamp(), Some("2026-11-23T10:52:06Z".parse().unwrap()), "{json}");
        }
    }

    #[test]
    fn a_state_that_is_no_text_is_kept_under_the_name_that_named_the_event() {
        let event = call(r#"{"event": "connected", "state": {"a": 1}}"#);
        assert_eq!(event.state, CallState::Connected);
        assert_eq!(event.other.iter().collect::<Vec<_>>(), [("event", r#"{"a": 1}"#)]);
    }

    #[test]
    fn events_are_equal_where_all_their_json_is() {
        let [event, same, data, other] = ["7, \"x\": 1", "7, \"x\": 1", "8, \"x\": 1", "7, \"x\": 2"]
            .map(|rest| call(&format!(r#"{{"state": "connected", "custom_data": {rest}}}"#)));
        assert_eq!(event, same);
        assert_ne!(event, data);
        assert_ne!(event, other);
    }
}
