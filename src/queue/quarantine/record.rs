//! What is kept of a webhook that cannot be opened: records in JSON, each the whole webhook or a part of it.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::{
    Message, QueueKind,
    message::{attribute_value, escape_noncharacters},
};

/// The version of the format that is written.
const VERSION: u32 = 1;

/// A webhook in quarantine, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Quarantined {
    /// Version of this format: 1.
    pub version: u32,
    /// What all parts of one webhook share: lower-case hex SHA-256 of ids, time, app, size of the parts, and body.
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
    /// Lambda's own id of the invocation, which decides the `event_id`. Older records do not have it: then the
    /// `request_id` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// The headers that decide how it is opened, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes, or a part of them, in base64.
    #[cfg_attr(test, schemars(extend("contentEncoding" = "base64")))]
    pub body_base64: String,
}

impl Quarantined {
    /// The records that a request is kept in, in order, with at most `part_bytes` of its body in each. Each is made when
    /// it is asked for, so that a large body is in memory only once.
    pub(super) fn split<'r>(request: &'r Unopened<'_>, part_bytes: usize) -> impl ExactSizeIterator<Item = Self> + 'r {
        let parts: Vec<&[u8]> = match request.body {
            [] => vec![&[]],
            body => body.chunks(part_bytes).collect(),
        };
        // Parts of another size have another id, so that nobody joins some of these and some of those.
        let id = Sha256::new()
            .chain_update(format!("{}\0{}\0{}\0", request.request_id, request.invocation_id, request.received_at))
            .chain_update(format!("{}\0{part_bytes}\0", request.app))
            .chain_update(request.body)
            .finalize();
        let id = hex_simd::encode_to_string(id, hex_simd::AsciiCase::Lower);
        let count = parts.len();
        let records = parts.into_iter().enumerate();
        records.map(move |(index, part)| Self::new(request, id.clone(), index + 1, count, part))
    }

    fn new(request: &Unopened<'_>, id: String, part: usize, parts: usize, body: &[u8]) -> Self {
        Self {
            version: VERSION,
            id,
            part,
            parts,
            reason: request.reason.to_owned(),
            app: request.app.to_owned(),
            received_at: request.received_at,
            request_id: request.request_id.to_owned(),
            invocation_id: Some(request.invocation_id.to_owned()),
            headers: request.headers.clone(),
            body_base64: base64_simd::STANDARD.encode_to_string(body),
        }
    }

    /// The size of a message that holds nothing of the request's body, in bytes.
    pub(super) fn envelope_bytes(request: &Unopened<'_>, kind: QueueKind) -> usize {
        const AS_LONG_AS_ANY: usize = 99_999_999;
        let id = "0".repeat(2 * 32);
        let record = Self::new(request, id, AS_LONG_AS_ANY, AS_LONG_AS_ANY, &[]);
        record.message(kind).map_or(usize::MAX, |message| message.bytes())
    }

    /// The id that decides the `event_id` of the event in it.
    #[must_use]
    pub fn invocation_id(&self) -> &str {
        self.invocation_id.as_deref().unwrap_or(&self.request_id)
    }

    /// The headers, as a request has them.
    #[must_use]
    pub fn header_map(&self) -> HeaderMap {
        let pairs = self.headers.iter();
        pairs
            .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
            .collect()
    }

    /// The bytes of this part of the body; `None` where they are not base64.
    #[must_use]
    pub fn body(&self) -> Option<Vec<u8>> {
        base64_simd::STANDARD.decode_to_vec(&self.body_base64).ok()
    }

    pub(super) fn message(&self, kind: QueueKind) -> Option<Message> {
        let attributes = [
            ("reason", self.reason.as_str()),
            ("app", &self.app),
            ("received_at", &format!("{:.3}", self.received_at)),
            ("request_id", &self.request_id),
            ("content_type", "application/json"),
        ];
        let attributes = attributes.into_iter().filter(|(_, value)| !value.is_empty());
        Some(Message {
            body: escape_noncharacters(serde_json::to_string(self).ok()?),
            attributes: attributes.map(|(name, value)| (name, attribute_value(value))).collect(),
            // Each part has its own: of one group, a FIFO queue delivers nothing while something is being looked at.
            group_id: format!("{}-{}", self.id, self.part),
            deduplication_id: (kind == QueueKind::Fifo).then(|| format!("{}-{}", self.id, self.part)),
            trace_header: None,
        })
    }
}

/// A request to keep, with what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Unopened<'r> {
    /// Why.
    pub reason: &'static str,
    /// The app that the path named.
    pub app: &'r str,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The gateway's id of the request.
    pub request_id: &'r str,
    /// Lambda's own id of the invocation.
    pub invocation_id: &'r str,
    /// The headers that decide how it is opened, by lower-case name.
    pub headers: &'r BTreeMap<String, String>,
    /// Its body.
    pub body: &'r [u8],
}

#[cfg(test)]
#[path = "../../../schemas/in_sync.rs"]
mod in_sync;

#[cfg(test)]
mod tests {
    use super::{super::tests::unopened, *};
    use crate::queue::{MAX_MESSAGE_BYTES, PART_BYTES};

    #[test]
    fn the_schema_of_quarantined_webhooks_is_what_the_type_says() {
        in_sync::assert_in_sync("quarantined-webhook.schema.json", &schemars::schema_for!(Quarantined));
    }

    #[test]
    fn a_large_body_is_kept_in_parts_that_each_fit_a_message_and_join_to_the_whole() {
        let body: Vec<u8> = (0..6 * 1024 * 1024).map(|index| (index % 251) as u8).collect();
        let headers = BTreeMap::new();
        let request = unopened(&body, &headers);
        let parts: Vec<Quarantined> = Quarantined::split(&request, PART_BYTES).collect();
        let numbers: Vec<(usize, usize)> = parts.iter().map(|part| (part.part, part.parts)).collect();
        assert_eq!(numbers, (1..=9).map(|part| (part, 9)).collect::<Vec<_>>());
        for part in &parts {
            let message = part.message(QueueKind::Fifo).unwrap();
            assert!(message.bytes() <= MAX_MESSAGE_BYTES, "{}", message.bytes());
            assert_eq!(serde_json::from_str::<Quarantined>(&message.body).unwrap(), *part);
        }
        assert_eq!(parts.iter().flat_map(|part| part.body().unwrap()).collect::<Vec<u8>>(), body);
    }

    #[test]
    fn each_part_is_a_group_and_has_an_id_for_deduplication_where_the_queue_deduplicates() {
        let headers = BTreeMap::new();
        let request = unopened(b"two", &headers);
        let ids = |kind| {
            let messages = Quarantined::split(&request, 2).map(|part| part.message(kind).unwrap());
            messages.map(|message| (message.group_id, message.deduplication_id)).collect::<Vec<_>>()
        };
        let (fifo, standard) = (ids(QueueKind::Fifo), ids(QueueKind::Standard));
        assert_eq!(fifo.len(), 2);
        assert_ne!(fifo[0].0, fifo[1].0);
        assert!(fifo.iter().all(|(group, id)| id.as_ref() == Some(group)), "{fifo:?}");
        assert!(standard.iter().all(|(_, id)| id.is_none()), "{standard:?}");
    }

    #[test]
    fn its_headers_come_back_as_a_requests_headers_without_what_is_none() {
        let headers = [("x-format", "hex"), ("no name", "hex"), ("x-encoding", "no\nvalue")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let record = Quarantined::split(&unopened(b"{}", &headers), PART_BYTES).next().unwrap();
        assert_eq!(record.header_map(), HeaderMap::from_iter([("x-format".parse().unwrap(), "hex".parse().unwrap())]));
    }

    #[test]
    fn a_record_of_before_the_invocation_id_counts_its_request_id() {
        let headers = BTreeMap::new();
        let newer = Quarantined::split(&unopened(b"{}", &headers), PART_BYTES).next().unwrap();
        assert_eq!((newer.invocation_id(), newer.request_id.as_str()), ("invocation-1", "r1"));
        let mut json = serde_json::to_value(&newer).unwrap();
        json.as_object_mut().unwrap().remove("invocation_id").unwrap();
        let older: Quarantined = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(older.invocation_id(), "r1");
        assert_eq!(serde_json::to_value(&older).unwrap(), json, "it is not given an id that it never had");
    }

    #[test]
    fn characters_that_sqs_refuses_in_a_header_or_an_id_do_not_keep_a_webhook_out() {
        let headers = BTreeMap::from([("x-format".to_owned(), "he\u{fffe}x\u{ffff}".to_owned())]);
        let request = Unopened { request_id: "r\u{1}\u{fffe}", ..unopened(b"{}", &headers) };
        let part = Quarantined::split(&request, PART_BYTES).next().unwrap();
        let message = part.message(QueueKind::Standard).unwrap();
        let is_refused = |text: &str| text.contains(['\u{1}', '\u{fffe}', '\u{ffff}']);
        assert!(!is_refused(&message.body) && !message.attributes.iter().any(|(_, value)| is_refused(value)));
        assert_eq!(serde_json::from_str::<Quarantined>(&message.body).unwrap(), part);
    }
}
