//! Where webhooks are kept that cannot be opened, whole, until somebody redrives them.
//!
//! In comes a request that was refused; out go one or more messages, each a [`Quarantined`] in JSON. A body too large
//! for one message is split into parts of [`PART_BYTES`], which `voicehook redrive` puts together again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use lambda_http::http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::time::Instant;

use super::{Message, Queue, QueueError, QueueKind};
use crate::webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, ENCODING_HEADER, FORMAT_HEADER};

/// The most bytes of a body in one message: base64 makes four of three, and the rest needs room too.
pub const PART_BYTES: usize = 720 * 1024;

/// How many messages one execution environment may send to the quarantine at once, and
const BURST: u32 = 500;
/// how many a second over time. What is above gets 503, so that a flood of garbage has a price limit and a webhook of
/// EnableX comes again.
const MESSAGES_PER_SECOND: u32 = 10;

/// Longest header value that is kept, in bytes. Those that mean something are shorter.
const MAX_HEADER: usize = 1024;

/// The headers that decide how a webhook is opened.
const HEADERS: [&str; 5] =
    ["content-type", ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, FORMAT_HEADER, ENCODING_HEADER];

/// A webhook in quarantine, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quarantined {
    /// Version of this format: 1.
    pub version: u32,
    /// What all parts of one webhook share: lower-case hex SHA-256 of request id, time, app and body.
    pub id: String,
    /// Number of this part, from 1.
    pub part: usize,
    /// Number of parts.
    pub parts: usize,
    /// Why it is here: `undecryptable`, `malformed`, `too_old`, `too_large`, `app_id_unavailable`.
    pub reason: String,
    /// The app that the path named.
    pub app: String,
    /// When it arrived: RFC 3339, UTC.
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub received_at: Timestamp,
    /// The gateway's id of the request.
    pub request_id: String,
    /// The headers that decide how it is opened, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes, or a part of them, in base64.
    #[cfg_attr(test, schemars(extend("contentEncoding" = "base64")))]
    pub body_base64: String,
}

impl Quarantined {
    /// The parts that a request is kept in, in order.
    #[must_use]
    pub fn of(request: &Refused<'_>) -> Vec<Self> {
        let received_at = request.received_at;
        let id = Sha256::new()
            .chain_update(format!("{}\0{received_at}\0{}\0", request.request_id, request.app))
            .chain_update(request.body)
            .finalize();
        let id = hex_simd::encode_to_string(id, hex_simd::AsciiCase::Lower);
        let parts: Vec<&[u8]> = match request.body {
            [] => vec![&[]],
            body => body.chunks(PART_BYTES).collect(),
        };
        let of_part = |(index, part): (usize, &&[u8])| Self {
            version: 1,
            id: id.clone(),
            part: index + 1,
            parts: parts.len(),
            reason: request.reason.to_owned(),
            app: request.app.to_owned(),
            received_at,
            request_id: request.request_id.to_owned(),
            headers: kept_headers(request.headers),
            body_base64: base64_simd::STANDARD.encode_to_string(part),
        };
        parts.iter().enumerate().map(of_part).collect()
    }

    /// The headers, as a request has them.
    #[must_use]
    pub fn header_map(&self) -> HeaderMap {
        let pairs = self.headers.iter();
        pairs
            .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
            .collect()
    }

    /// The bytes of this part of the body; `None` where they are no base64.
    #[must_use]
    pub fn body(&self) -> Option<Vec<u8>> {
        base64_simd::STANDARD.decode_to_vec(&self.body_base64).ok()
    }

    fn message(&self, kind: QueueKind) -> Option<Message> {
        let attributes = [
            ("reason", self.reason.clone()),
            ("app", self.app.clone()),
            ("received_at", format!("{:.3}", self.received_at)),
            ("request_id", self.request_id.clone()),
            ("content_type", "application/json".to_owned()),
        ];
        Some(Message {
            body: serde_json::to_string(self).ok()?,
            attributes: attributes.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            group_id: self.id.clone(),
            deduplication_id: (kind == QueueKind::Fifo).then(|| format!("{}-{}", self.id, self.part)),
            trace_header: None,
        })
    }
}

/// A request that was refused, with what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'r> {
    /// Why.
    pub reason: &'static str,
    /// The app that the path named.
    pub app: &'r str,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The gateway's id of the request.
    pub request_id: &'r str,
    /// All of its headers.
    pub headers: &'r HeaderMap,
    /// Its body.
    pub body: &'r [u8],
}

/// Why a webhook is not in quarantine.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotQuarantined {
    /// Too many came in a short time.
    #[error("too many webhooks for the quarantine in a short time; look at the reason of the earlier ones")]
    Limited,
    /// The quarantine queue does not have it.
    #[error("quarantine (QUARANTINE_QUEUE_URL): {0}")]
    Queue(QueueError),
}

/// The quarantine: a queue, and a limit to what is sent there.
#[derive(Debug)]
pub struct Quarantine<Q> {
    queue: Q,
    allowance: Mutex<Allowance>,
}

impl<Q: Queue> Quarantine<Q> {
    /// A quarantine on a queue.
    pub fn new(queue: Q) -> Self {
        Self { queue, allowance: Mutex::new(Allowance { left: BURST, as_of: Instant::now() }) }
    }

    /// Keeps a request, every part of it.
    ///
    /// # Errors
    /// [`NotQuarantined`]: parts that were sent before the failure stay there, and expire with the queue.
    pub async fn keep(&self, request: &Refused<'_>, deadline: Instant) -> Result<(), NotQuarantined> {
        let parts = Quarantined::of(request);
        if !self.allowance.lock().unwrap_or_else(PoisonError::into_inner).take(parts.len()) {
            return Err(NotQuarantined::Limited);
        }
        for part in parts {
            let message = part.message(self.queue.kind());
            let message =
                message.ok_or_else(|| QueueError::Refused("no JSON".to_owned())).map_err(NotQuarantined::Queue)?;
            self.queue.send(message, deadline).await.map_err(NotQuarantined::Queue)?;
        }
        Ok(())
    }
}

/// A token bucket.
#[derive(Debug)]
struct Allowance {
    left: u32,
    as_of: Instant,
}

impl Allowance {
    fn take(&mut self, messages: usize) -> bool {
        let second = Duration::from_secs(1);
        let earned = (self.as_of.elapsed().as_millis() * u128::from(MESSAGES_PER_SECOND)) / second.as_millis();
        if earned > 0 {
            self.left = self.left.saturating_add(u32::try_from(earned).unwrap_or(BURST)).min(BURST);
            self.as_of = Instant::now();
        }
        let left = u32::try_from(messages).ok().and_then(|messages| self.left.checked_sub(messages));
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

fn kept_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let kept = |name: &&str| {
        let value = String::from_utf8_lossy(headers.get(*name)?.as_bytes()).into_owned();
        (value.len() <= MAX_HEADER).then(|| ((*name).to_owned(), value))
    };
    HEADERS.iter().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<'r>(body: &'r [u8], headers: &'r HeaderMap) -> Refused<'r> {
        let received_at = "2026-11-23T10:52:06.007Z".parse().unwrap();
        Refused { reason: "undecryptable", app: "sales", received_at, request_id: "r1", headers, body }
    }

    #[test]
    fn a_large_body_is_kept_in_parts_that_each_fit_a_message_and_join_to_the_whole() {
        let body: Vec<u8> = (0..6 * 1024 * 1024).map(|index| (index % 251) as u8).collect();
        let headers = HeaderMap::new();
        let parts = Quarantined::of(&refused(&body, &headers));
        assert_eq!(parts.len(), 9);
        for part in &parts {
            let message = part.message(QueueKind::Fifo).unwrap();
            assert!(message.bytes() <= super::super::MAX_MESSAGE_BYTES, "{}", message.bytes());
            assert_eq!(serde_json::from_str::<Quarantined>(&message.body).unwrap(), *part);
        }
        assert_eq!(parts.iter().flat_map(|part| part.body().unwrap()).collect::<Vec<u8>>(), body);
    }

    #[test]
    fn the_headers_that_matter_are_kept_and_no_others() {
        let headers = [("x-algoritm", "rot13"), ("content-type", "application/json"), ("authorization", "secret")];
        let headers =
            headers.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value)));
        let part = Quarantined::of(&refused(b"{}", &headers.into_iter().collect())).remove(0);
        assert_eq!(part.headers.keys().collect::<Vec<_>>(), ["content-type", "x-algoritm"]);
        assert_eq!(part.header_map().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_cut_to_the_burst_and_then_to_the_rate() {
        let mut allowance = Allowance { left: BURST, as_of: Instant::now() };
        let taken = |allowance: &mut Allowance| (0..10_000).filter(|_| allowance.take(1)).count();
        assert_eq!(taken(&mut allowance), 500);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(taken(&mut allowance), 10);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&mut allowance), 500);
    }
}
