//! A webhook with its outcome, as the inspector shows it.
//!
//! It has two JSON representations: a summary for the list and the call view, and the full details.

use std::sync::Arc;

use http::{HeaderMap, Request, Response, request::Parts};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use voicehook_event::VoiceEvent;
use voicehook_lambda::{event::Event, queue::Message, receiver::Outcome, telemetry::Stages};

use super::{Masks, changes, explain, search::Texts};
use crate::{
    dev::{forward::Forwarding, local_queue::event_of},
    page::{as_hex, as_text},
};

/// Where a webhook came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From outside, by HTTP.
    Received,
    /// Replayed from the inspector: the webhook with this number.
    Replay(u64),
    /// Edited in the inspector: the webhook with this number, and its event if that is still known.
    Edited { of: u64, before: Option<Arc<str>> },
}

/// A request and its outcome.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) arrived: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) request: Request<Vec<u8>>,
    /// What was sent to the queue, whether or not the queue accepted it.
    pub(crate) message: Option<Message>,
    /// The answer, with its body as text.
    pub(crate) answer: Response<String>,
    pub(crate) outcome: Outcome,
    /// The app that the path names, if any.
    pub(crate) app: Option<String>,
    pub(crate) stages: Stages,
    /// What became of the event with `--forward-to`.
    pub(crate) forwarding: Option<Arc<Forwarding>>,
    /// Set if it is of an earlier run.
    pub(crate) earlier: Option<Earlier>,
    /// What it must not show.
    pub(crate) masks: Arc<Masks>,
}

/// What became of a webhook, as a history keeps it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Fate {
    /// The name of its outcome.
    pub(crate) outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Why a queue did not take it: a name, and what the queue said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
}

/// What is known of a webhook of an earlier run.
#[derive(Debug)]
pub(crate) struct Earlier {
    pub(crate) fate: Fate,
    /// Whether it opens now and did not then, or the other way round.
    pub(crate) has_changed: bool,
}

impl Exchange {
    pub(crate) fn new(
        arrived: Timestamp,
        origin: Origin,
        request: Request<Vec<u8>>,
        message: Option<Message>,
        response: &Response<String>,
        outcome: Outcome,
    ) -> Self {
        let answer = response.clone();
        let (app, stages, forwarding, earlier, masks) = Default::default();
        Self { arrived, origin, request, message, answer, outcome, app, stages, forwarding, earlier, masks }
    }

    /// Without what the masks hide.
    pub(super) fn masked(self, masks: &Arc<Masks>) -> Self {
        // A token that stands where the app's name should.
        let app = self.app.map(|app| masks.text(app).into_owned());
        Self { masks: Arc::clone(masks), app, ..self }
    }

    /// Path and query of the request, without tokens.
    pub(super) fn target(&self) -> String {
        self.masks.target(self.request.uri())
    }

    /// The path of the request, without a token.
    pub(super) fn path(&self) -> String {
        let target = self.target();
        target.split_once('?').map_or(target.as_str(), |(path, _)| path).to_owned()
    }

    /// The headers of the request without those of the inspector; bytes that are not UTF-8 as escapes.
    pub(super) fn headers(&self) -> Vec<(&str, String)> {
        self.masks.headers(self.request.headers(), |text| text, |bytes| bytes.escape_ascii().to_string())
    }

    /// What became of the event with `--forward-to`, and what the application answered.
    fn forwarding_details(&self) -> Option<Value> {
        let shown =
            |map: &HeaderMap| json!(self.masks.headers(map, |text| text, |bytes| bytes.escape_ascii().to_string()));
        let text = |body: &[u8]| as_text(body).map(|body| self.masks.text(body)).into();
        self.forwarding.as_ref().map(|forwarding| forwarding.details(shown, text))
    }

    /// Approximate size in memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        const REST: usize = 2048;
        let headers = self.request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
        let message = self.message.as_ref().map_or(0, Message::bytes);
        let forwarding = if self.forwarding.is_some() { Forwarding::BYTES } else { 0 };
        let before = if let Origin::Edited { before: Some(before), .. } = &self.origin { before.len() } else { 0 };
        let body = self.request.body().len();
        before + REST + headers.sum::<usize>() + body + message + self.answer.body().len() + forwarding
    }

    /// A copy of the request, for replay.
    pub(crate) fn replay_request(&self) -> (Parts, Vec<u8>) {
        let mut request = Request::new(());
        *request.method_mut() = self.request.method().clone();
        *request.uri_mut() = self.request.uri().clone();
        *request.version_mut() = self.request.version();
        *request.headers_mut() = self.request.headers().clone();
        (request.into_parts().0, self.request.body().to_vec())
    }

    /// The decrypted event; in a CloudEvent, its `data`.
    pub(super) fn event(&self) -> Option<&str> {
        event_of(self.message.as_ref()?)
    }

    /// The name of what became of it when it arrived.
    pub(super) fn outcome_name(&self) -> &str {
        self.earlier.as_ref().map_or(self.outcome.name(), |earlier| &earlier.fate.outcome)
    }

    /// Whether it opens now, and did not when it arrived.
    pub(super) fn opens_only_now(&self) -> bool {
        matches!(self.outcome, Outcome::Queued { .. })
            && self.earlier.as_ref().is_some_and(|earlier| earlier.has_changed)
    }

    /// The id that the sender was given. Unlike the number, it tells the webhooks of all runs apart.
    pub(super) fn key(&self) -> &str {
        self.answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default()
    }

    /// The summary for the list and the call view.
    pub(crate) fn summary(&self, id: u64) -> Value {
        let attribute = |name| self.message.as_ref().and_then(|message| message.attribute(name));
        let mut summary = json!({
            "id": id,
            "key": self.key(),
            "arrived": self.arrived.as_millisecond(),
            "outcome": self.outcome_name(),
            "failed": explain::failure(self).map(|failure| failure.title),
            "status": self.answer.status().as_u16(),
            "method": self.request.method().as_str(),
            "path": self.path(),
            "app": self.app,
            "event_type": attribute("event_type"),
            "event_id": attribute("event_id"),
            "voice_id": attribute("voice_id"),
            "broadcast_id": attribute("broadcast_id"),
            "bytes": self.request.body().len(),
            "micros": micros(self.stages.total),
            "event": self.event().map(fields),
            "forwarding": self.forwarding.as_ref().map(|forwarding| forwarding.summary()),
        });
        if self.earlier.is_some() {
            summary["earlier"] = true.into();
        }
        match self.origin {
            Origin::Received => {}
            Origin::Replay(of) => summary["replay_of"] = of.into(),
            Origin::Edited { of, .. } => summary["edited_from"] = of.into(),
        }
        summary
    }

    /// The full details.
    pub(crate) fn details(&self, id: u64, webhook_url: &str) -> Value {
        let mut details = self.summary(id);
        let body = self.request.body().as_slice();
        details["request"] = json!({
            "line": format!("{} {} {:?}", self.request.method(), self.target(), self.request.version()),
            "target": self.target(),
            "headers": self.headers(),
            "body": as_text(body),
            "body_hex": as_hex(body),
        });
        details["plaintext"] = self.event().into();
        if let (Origin::Edited { before: Some(before), .. }, Some(after)) = (&self.origin, self.event()) {
            details["changes"] = changes::as_json(&changes::changes(before, after));
        }
        details["message"] = self.message.as_ref().map(|message| self.message_details(message)).into();
        details["answer"] = json!({
            "status": format!("{}", self.answer.status()),
            "headers": headers(self.answer.headers()),
            "body": self.answer.body(),
        });
        if let Some(forwarding) = self.forwarding_details() {
            details["forwarding"] = forwarding;
        }
        details["stages"] = json!([
            ["parse", micros(self.stages.parse)],
            ["AppID", micros(self.stages.app_id)],
            ["decrypt", micros(self.stages.decrypt)],
            ["publish", micros(self.stages.publish)],
        ]);
        details["steps"] = explain::steps(self).into();
        details["failure"] =
            explain::failure(self).map(|failure| failure.json(self, &self.masks.text(webhook_url))).into();
        details
    }

    fn message_details(&self, message: &Message) -> Value {
        let message_id = match &self.outcome {
            Outcome::Queued { message_id, .. } => Some(message_id),
            _ => None,
        };
        json!({
            "message_id": message_id,
            "body": message.body,
            "attributes": message.attributes,
            "group_id": message.group_id,
            "deduplication_id": message.deduplication_id,
            "trace_header": message.trace_header,
            "bytes": message.bytes(),
        })
    }
}

/// A webhook that is searched, and the URL that its explanation names.
pub(super) struct Searched<'a>(pub(super) &'a Exchange, pub(super) &'a str);

impl Texts for Searched<'_> {
    fn event(&self) -> Option<&str> {
        self.0.event()
    }

    fn readable(&self) -> Vec<String> {
        let Self(exchange, webhook_url) = self;
        let failure = explain::failure(exchange).map(|failure| failure.json(exchange, webhook_url).to_string());
        let answer = &exchange.answer;
        let mut readable = vec![exchange.target(), answer.status().to_string(), answer.body().clone()];
        readable.extend(exchange.headers().into_iter().map(|(name, value)| format!("{name}: {value}")));
        readable.extend(failure.into_iter().chain(exchange.app.clone()));
        readable.push(exchange.outcome_name().replace('_', " "));
        readable.extend(exchange.forwarding_details().map(|forwarding| forwarding.to_string()));
        let attributes = exchange.message.iter().flat_map(|message| &message.attributes);
        let attributes = attributes.filter(|(name, _)| *name != "event_id");
        readable.extend(attributes.map(|(name, value)| format!("{name}: {value}")));
        readable
    }

    fn random(&self) -> Vec<String> {
        let Self(exchange, _) = self;
        let event_id = exchange.message.as_ref().and_then(|message| message.attribute("event_id"));
        let body = String::from_utf8_lossy(exchange.request.body()).into_owned();
        [exchange.key(), event_id.unwrap_or_default()].map(str::to_owned).into_iter().chain([body]).collect()
    }
}

/// The most characters of a field in the summary. A transcript can have as many as the event.
const LONGEST_FIELD: usize = 500;

/// The fields that the call view needs, normalized across all versions of the API.
fn fields(event: &str) -> Value {
    let mut fields = all_fields(event);
    for value in fields.as_object_mut().into_iter().flat_map(|fields| fields.values_mut()) {
        if let Value::String(text) = value
            && let Some((end, _)) = text.char_indices().nth(LONGEST_FIELD)
        {
            text.truncate(end);
            text.push('…');
        }
    }
    fields
}

fn all_fields(event: &str) -> Value {
    let happened = Event::from_json(event.to_owned()).ok().and_then(|event| event.timestamp());
    let happened = happened.map(Timestamp::as_millisecond);
    match VoiceEvent::from_json(event) {
        Ok(VoiceEvent::Call(call)) => json!({
            "state": call.state,
            "happened": happened,
            "from": call.from,
            "to": call.to,
            "digit": call.digit,
            "said": call.text,
            "duration": call.call_duration,
            "reason": call.disconnect_reason,
            "answered": call.result_set.as_ref().and_then(|result| result.successful_calls),
            "unanswered": call.result_set.as_ref().and_then(|result| result.failed_calls),
        }),
        Ok(VoiceEvent::Play(play)) => json!({
            "playstate": play.playstate,
            "happened": happened,
            "from": play.from,
            "to": play.to,
            "prompt": play.prompt_ref,
            "play_id": play.play_id,
            "digit": play.digit,
            "said": play.asrtext.or(play.text),
            "reason": play.reason,
        }),
        _ => json!({ "happened": happened }),
    }
}

/// Headers with their values; bytes that are not UTF-8 as escapes.
pub(super) fn headers(headers: &HeaderMap) -> Vec<(&str, String)> {
    let shown = |value: &[u8]| str::from_utf8(value).map_or_else(|_| value.escape_ascii().to_string(), str::to_owned);
    headers.iter().map(|(name, value)| (name.as_str(), shown(value.as_bytes()))).collect()
}

fn micros(duration: std::time::Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn header_values_that_are_not_text_are_escaped() {
        let mut map = HeaderMap::new();
        map.append("a", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        map.append("b", HeaderValue::from_bytes("café".as_bytes()).unwrap());
        assert_eq!(headers(&map), [("a", r"caf\xe9".to_owned()), ("b", "café".to_owned())]);
    }

    #[test]
    fn a_long_field_is_cut_in_the_summary() {
        let event = format!(r#"{{"voice_id":"1","state":"transcript","text":"{}"}}"#, "é".repeat(600));
        let said = fields(&event)["said"].as_str().map(|said| said.chars().count());
        assert_eq!(said, Some(501));
    }
}
