//! A line of a history: a webhook as it came, and what became of it.

use std::{io, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use voicehook_lambda::{
    queue::{MAX_MESSAGE_BYTES, NotQuarantined, QueueError},
    receiver::Outcome,
    telemetry::Stages,
};

use super::super::{Exchange, Origin, exchange::Fate};

/// A webhook in a history.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Entry {
    /// Its number in the inspector.
    pub(super) id: u64,
    /// The id that the sender was given.
    pub(super) key: String,
    pub(super) arrived: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replay_of: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edited_from: Option<u64>,
    pub(super) method: String,
    /// Path and query, with tokens masked.
    pub(super) target: String,
    version: String,
    headers: Vec<(String, Content)>,
    body: Content,
    #[serde(flatten)]
    pub(super) fate: Fate,
    pub(super) app: Option<String>,
    status: u16,
    answer_headers: Vec<(String, Content)>,
    answer: String,
    /// The time per stage: parse, AppID, decrypt, publish, and in total.
    micros: [u64; 5],
}

/// Text, or what is not text in base64.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Binary { base64: String },
}

impl Content {
    fn new(bytes: &[u8]) -> Self {
        // Control characters take six bytes each in JSON.
        let is_binary = |character: char| character.is_control() && !character.is_ascii_whitespace();
        match str::from_utf8(bytes).ok().filter(|text| !text.contains(is_binary)) {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Binary { base64: base64_simd::STANDARD.encode_to_string(bytes) },
        }
    }

    fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Binary { base64 } => base64_simd::STANDARD.decode_to_vec(base64).ok(),
        }
    }
}

impl Entry {
    pub(crate) fn new(id: u64, exchange: &Exchange) -> Self {
        let (replay_of, edited_from) = match exchange.origin {
            Origin::Received => (None, None),
            Origin::Replay(of) => (Some(of), None),
            Origin::Edited { of, .. } => (None, Some(of)),
        };
        let Stages { parse, app_id, decrypt, publish, total } = exchange.stages;
        Self {
            id,
            key: exchange.key().to_owned(),
            arrived: exchange.arrived,
            replay_of,
            edited_from,
            method: exchange.request.method().to_string(),
            target: exchange.target(),
            version: format!("{:?}", exchange.request.version()),
            headers: owned(exchange.masks.headers(exchange.request.headers(), Content::Text, Content::new)),
            body: Content::new(exchange.request.body()),
            fate: exchange.earlier.as_ref().map_or_else(|| fate(&exchange.outcome), |earlier| earlier.fate.clone()),
            app: exchange.app.clone(),
            status: exchange.answer.status().as_u16(),
            answer_headers: headers(exchange.answer.headers()),
            answer: exchange.answer.body().clone(),
            micros: [parse, app_id, decrypt, publish, total].map(micros),
        }
    }

    /// As the file has it.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// The request, with `***` in place of a token. `None` if it is not one.
    pub(super) fn request(&self) -> Option<Request<Vec<u8>>> {
        let version = match self.version.as_str() {
            "HTTP/1.0" => Version::HTTP_10,
            "HTTP/2.0" => Version::HTTP_2,
            _ => Version::HTTP_11,
        };
        let request = Request::builder().method(self.method.as_str()).uri(&self.target).version(version);
        let mut request = request.body(self.body.bytes()?).ok()?;
        add(request.headers_mut(), &self.headers);
        Some(request)
    }

    pub(super) fn answer(&self) -> Option<Response<String>> {
        let mut answer = response::Builder::new().status(self.status).body(self.answer.clone()).ok()?;
        add(answer.headers_mut(), &self.answer_headers);
        Some(answer)
    }

    pub(super) const fn origin(&self) -> Origin {
        match (self.replay_of, self.edited_from) {
            (Some(of), _) => Origin::Replay(of),
            (None, Some(of)) => Origin::Edited { of, before: None },
            (None, None) => Origin::Received,
        }
    }

    pub(super) fn stages(&self) -> Stages {
        let [parse, app_id, decrypt, publish, total] = self.micros.map(Duration::from_micros);
        Stages { parse, app_id, decrypt, publish, total }
    }

    /// The error of its queue.
    pub(super) fn queue_error(&self) -> QueueError {
        let (name, said) = self.fate.error.clone().unwrap_or_default();
        match name.as_str() {
            "too_large" => QueueError::TooLarge { limit: said.parse().unwrap_or(MAX_MESSAGE_BYTES) },
            "no_such_queue" => QueueError::NoSuchQueue,
            "denied" => QueueError::Denied(said),
            "throttled" => QueueError::Throttled(said),
            "rejected" => QueueError::Rejected(said),
            "out_of_time" => QueueError::OutOfTime,
            _ => QueueError::Unreachable(said),
        }
    }
}

fn fate(outcome: &Outcome) -> Fate {
    let message_id = if let Outcome::Queued { message_id, .. } = outcome { Some(message_id.clone()) } else { None };
    Fate {
        outcome: outcome.name().to_owned(),
        reason: outcome.reason().map(str::to_owned),
        error: queue_error(outcome).map(|error| (error.name().to_owned(), said(error))),
        message_id,
    }
}

const fn queue_error(outcome: &Outcome) -> Option<&QueueError> {
    match outcome {
        Outcome::NotQueued(error) | Outcome::NotQuarantined(_, NotQuarantined::Queue(error)) => Some(error),
        _ => None,
    }
}

/// What an error says beyond its name.
fn said(error: &QueueError) -> String {
    match error {
        QueueError::TooLarge { limit } => limit.to_string(),
        QueueError::Denied(said)
        | QueueError::Throttled(said)
        | QueueError::Rejected(said)
        | QueueError::Unreachable(said) => said.clone(),
        _ => String::new(),
    }
}

fn headers(map: &HeaderMap) -> Vec<(String, Content)> {
    map.iter().map(|(name, value)| (name.to_string(), Content::new(value.as_bytes()))).collect()
}

fn owned(headers: Vec<(&str, Content)>) -> Vec<(String, Content)> {
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Leaves out what is not a header.
fn add(map: &mut HeaderMap, headers: &[(String, Content)]) {
    for (name, value) in headers {
        let value = value.bytes().and_then(|value| HeaderValue::from_bytes(&value).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
            map.append(name, value);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().try_into().unwrap_or(u64::MAX)
}
