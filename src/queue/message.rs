//! The SQS message that an event becomes.
//!
//! What SQS refuses never costs an event:
//!
//! | value | what SQS refuses | what is sent instead |
//! | --- | --- | --- |
//! | body | U+FFFE and U+FFFF (control characters are no JSON) | their JSON escapes, which mean the same |
//! | attribute | an empty value | no attribute |
//! | attribute | control characters, U+FFFE, U+FFFF | U+FFFD in their place |
//! | attribute | too many bytes to leave the body its room | its first 256 characters |
//! | message group id | anything but ASCII letters, digits and punctuation | `_` in its place |
//! | message group id | more than 128 characters | its first 128 characters |
//! | trace header | anything but an X-Ray header | no trace header |

use jiff::Timestamp;

use super::QueueKind;
use crate::{event::Event, scan};

/// The most that SQS takes in one message: body, and names, types and values of the attributes, in bytes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
pub const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// Longest attribute value, in characters. SQS would take more; this leaves the room to the body.
const MAX_ATTRIBUTE_CHARACTERS: usize = 256;
/// Longest `MessageGroupId`, in characters.
const MAX_GROUP_ID: usize = 128;
/// Longest `AWSTraceHeader` that is passed on, in bytes. X-Ray's own have about 100.
const MAX_TRACE_HEADER: usize = 512;
/// The data type of every attribute.
pub(super) const STRING: &str = "String";

/// How an event came in.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The name of the app whose AppID opened it.
    pub app: &'a str,
    /// When the webhook arrived.
    pub received_at: Timestamp,
    /// The gateway's id of the request.
    pub request_id: &'a str,
    /// Lambda's own id of the invocation, which tells deliveries apart. A gateway's id can be chosen by the caller.
    pub invocation_id: &'a str,
    /// The invocation's X-Ray trace header.
    pub trace_header: Option<&'a str>,
}

/// A message, ready for a queue of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The event's JSON text.
    pub body: String,
    /// Message attributes, all of type `String`, in the order of the documentation.
    pub attributes: Vec<(&'static str, String)>,
    /// `MessageGroupId`.
    pub group_id: String,
    /// `MessageDeduplicationId`, on a FIFO queue.
    pub deduplication_id: Option<String>,
    /// System attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
}

/// A message that carries an event, and what the log says of the event.
#[derive(Clone, Debug)]
pub struct EventMessage {
    /// The message.
    pub message: Message,
    /// The idempotency key: the event's [identity](Event::id).
    pub event_id: String,
    /// `call.<name>` or `play.<name>`, else `unknown`.
    pub event_type: String,
    /// The call's id, where the event has one.
    pub voice_id: Option<String>,
}

/// An event's text and what its message says of it, each value as an attribute may have it.
pub(super) struct Description {
    /// The JSON text, as SQS takes it.
    pub(super) text: String,
    pub(super) event_id: String,
    pub(super) event_type: String,
    pub(super) voice_id: Option<String>,
    pub(super) app: String,
    pub(super) received_at: String,
    broadcast_id: Option<String>,
    ordering_id: Option<String>,
}

impl Description {
    pub(super) fn new(mut event: Event, delivery: &Delivery<'_>) -> Self {
        let value = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(attribute_value);
        let text = escape_noncharacters(event.take_text());
        Self {
            event_id: event.id(delivery.app, &text, delivery.invocation_id),
            event_type: attribute_value(&event.event_type()),
            voice_id: value(event.voice_id()),
            broadcast_id: value(event.broadcast_id()),
            app: attribute_value(delivery.app),
            received_at: format!("{:.3}", delivery.received_at),
            ordering_id: event.ordering_id().map(str::to_owned),
            text,
        }
    }

    /// The message with a body that carries the event's text.
    pub(super) fn into_message(
        self,
        delivery: &Delivery<'_>,
        kind: QueueKind,
        body: impl FnOnce(&mut Self) -> (String, &'static str),
    ) -> EventMessage {
        let mut description = self;
        let (body, content_type) = body(&mut description);
        let Self { event_id, event_type, voice_id, broadcast_id, app, received_at, ordering_id, .. } = description;
        let group_id = match kind {
            QueueKind::Standard => group_id(delivery.app),
            QueueKind::Fifo => group_id(&format!("{}:{}", delivery.app, ordering_id.as_ref().unwrap_or(&event_id))),
        };
        let request_id = Some(delivery.request_id).filter(|id| !id.is_empty()).map(attribute_value);
        let attributes = [
            ("event_id", Some(event_id.clone())),
            ("event_type", Some(event_type.clone())),
            ("voice_id", voice_id.clone()),
            ("broadcast_id", broadcast_id),
            ("app", Some(app)),
            ("received_at", Some(received_at)),
            ("request_id", request_id),
            ("content_type", Some(content_type.to_owned())),
        ];
        let message = Message {
            body,
            attributes: attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            group_id,
            deduplication_id: (kind == QueueKind::Fifo).then(|| event_id.clone()),
            trace_header: delivery.trace_header.filter(|header| is_trace_header(header)).map(str::to_owned),
        };
        EventMessage { message, event_id, event_type, voice_id }
    }
}

impl Message {
    /// The same message for the failover queue, with the attribute that says so.
    #[must_use]
    pub fn through_failover(mut self) -> Self {
        self.attributes.push(("failover", "true".to_owned()));
        self
    }

    /// An attribute's value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The size that SQS counts against [`MAX_MESSAGE_BYTES`], in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + STRING.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// SQS takes `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF` (API reference, `SendMessage`).
const fn is_taken_by_sqs(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// JSON text contains no other characters that SQS refuses, and these two only inside strings.
pub(super) fn escape_noncharacters(text: String) -> String {
    // Both are three bytes from 0xEF 0xBF on; most texts have no such byte at all.
    if scan::position::<64>(text.as_bytes(), |byte| byte == 0xEF).is_none() || text.chars().all(is_taken_by_sqs) {
        return text;
    }
    text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

pub(super) fn attribute_value(value: &str) -> String {
    // Most values are plain, and take a copy.
    if value.len() <= MAX_ATTRIBUTE_CHARACTERS && value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return value.to_owned();
    }
    value
        .chars()
        .take(MAX_ATTRIBUTE_CHARACTERS)
        .map(|character| if is_taken_by_sqs(character) { character } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

fn group_id(wanted: &str) -> String {
    wanted
        .chars()
        .take(MAX_GROUP_ID)
        .map(|character| if character.is_ascii_graphic() { character } else { '_' })
        .collect()
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`, with or without more fields.
fn is_trace_header(header: &str) -> bool {
    header.starts_with("Root=1-")
        && header.len() <= MAX_TRACE_HEADER
        && header.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>
    #[test]
    fn body_and_name_type_and_value_of_each_attribute_count_as_size() {
        let message = |attributes| Message {
            body: "{}".to_owned(),
            attributes,
            group_id: "group".to_owned(),
            deduplication_id: Some("id".to_owned()),
            trace_header: None,
        };
        assert_eq!(message(vec![]).bytes(), 2);
        let attributes = vec![("app", "sales".to_owned()), ("reason", "é".to_owned())];
        assert_eq!(message(attributes).bytes(), 2 + (3 + 6 + 5) + (6 + 6 + 2));
    }
}
