//! Dead letters as `inspect` shows them, and how they go back to the event queue: as they are.

use aws_sdk_sqs::{
    Client,
    types::{
        Message, MessageAttributeValue, MessageSystemAttributeName as Name, MessageSystemAttributeNameForSends,
        MessageSystemAttributeValue,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use voicehook_lambda::queue::{QueueKind, QueueUrl};

use super::{
    look::{Look, attribute, body, id, number, system},
    quarantined::Item,
};
use crate::{
    json_text::event_in,
    queue::{Failure, failure},
};

/// For how long a FIFO queue drops a message with a deduplication id that it has seen, in milliseconds, with some room for
/// clocks that differ.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-exactly-once-processing.html>
const DEDUPLICATED: i64 = 5 * 60_000 + 10_000;

/// The dead letters of a look.
pub(super) fn items(look: &Look, max_receive_count: Option<&str>, kind: QueueKind) -> Vec<Item> {
    look.messages.iter().map(|message| item(look, message, max_receive_count, kind)).collect()
}

fn item(look: &Look, message: &Message, max_receive_count: Option<&str>, kind: QueueKind) -> Item {
    let text = |name| attribute(message, name);
    let received_at = text("received_at").and_then(|time| time.parse::<Timestamp>().ok());
    let sent = number(message, &Name::SentTimestamp);
    let wait = not_before(kind, message);
    let summary = json!({
        "arrived": received_at.map(Timestamp::as_millisecond).or(sent),
        "app": text("app"),
        "request_id": text("request_id"),
        "event_id": text("event_id"),
        "voice_id": text("voice_id"),
        "broadcast_id": text("broadcast_id"),
        "bytes": body(message).len(),
        "receive_count": number(message, &Name::ApproximateReceiveCount),
        "expires": look.expiry(message),
        "movable_from": wait,
    });
    let content_type = text("content_type").or(Some("application/json"));
    let more = json!({
        "plaintext": event_in(body(message), content_type),
        "failure": explained(message, max_receive_count, wait),
        "message": {
            "message_id": id(message),
            "body": body(message),
            "attributes": attributes(message),
            "group_id": system(message, &Name::MessageGroupId),
            "deduplication_id": system(message, &Name::MessageDeduplicationId),
            "trace_header": system(message, &Name::AwsTraceHeader),
            "bytes": bytes(message),
        },
    });
    Item {
        id: id(message).to_owned(),
        messages: vec![id(message).to_owned()],
        event_type: text("event_type").map(str::to_owned),
        stays: wait.map(too_soon),
        summary,
        more,
    }
}

/// The size that SQS counts.
fn bytes(message: &Message) -> usize {
    let attributes = message.message_attributes.iter().flatten();
    let value = |value: &MessageAttributeValue| {
        value
            .string_value
            .as_ref()
            .map_or_else(|| value.binary_value.as_ref().map_or(0, |bytes| bytes.as_ref().len()), String::len)
    };
    let size = |(name, attribute): (&String, &MessageAttributeValue)| {
        name.len() + attribute.data_type.len() + value(attribute)
    };
    body(message).len() + attributes.map(size).sum::<usize>()
}

fn attributes(message: &Message) -> Vec<(&str, &str)> {
    let attributes = message.message_attributes.iter().flatten();
    let mut attributes: Vec<(&str, &str)> =
        attributes.map(|(name, value)| (name.as_str(), value.string_value.as_deref().unwrap_or("(binary)"))).collect();
    attributes.sort_unstable();
    attributes
}

fn explained(message: &Message, max_receive_count: Option<&str>, wait: Option<i64>) -> Value {
    let source = system(message, &Name::DeadLetterQueueSourceArn).and_then(|arn| arn.rsplit(':').next());
    let from = source.map_or_else(|| "the event queue".to_owned(), str::to_owned);
    let times = max_receive_count.map_or_else(
        || "as often as its maxReceiveCount allows".to_owned(),
        |count| format!("{count} times (maxReceiveCount)"),
    );
    let why = format!("Subscribers received it from {from} {times} and did not delete it, so SQS moved it here.");
    let mut next = Vec::new();
    match attribute(message, "event_id") {
        Some(event_id) => next.push(format!("Search the subscriber's log for event_id {event_id}.")),
        None => next.push(
            "It has no event_id, so voicehook did not send it: find out what else sends to the event queue.".to_owned(),
        ),
    }
    next.push("Fix the subscriber first, then redrive: else the event comes back here.".to_owned());
    next.extend(wait.map(|until| format!("A redrive {}.", too_soon(until))));
    json!({ "step": "Subscriber", "title": "It was not deleted", "why": why, "next": next })
}

/// Until when a dead letter must not be moved, in milliseconds since 1970: as long as the FIFO queue may remember its
/// deduplication id, it accepts the message and drops it. On a FIFO queue, `SentTimestamp` is when it became a dead letter.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
pub(super) fn not_before(kind: QueueKind, message: &Message) -> Option<i64> {
    let until = number(message, &Name::SentTimestamp)? + DEDUPLICATED;
    (kind == QueueKind::Fifo && until > Timestamp::now().as_millisecond()).then_some(until)
}

/// What to say of a dead letter that must not be moved yet.
pub(super) fn too_soon(until: i64) -> String {
    let until = Timestamp::from_millisecond(until).map(|until| format!("{until:.0}")).unwrap_or_default();
    format!(
        "is possible from {until} on: until then, SQS may remember its deduplication id, and would accept the event and drop it"
    )
}

/// Sends a message to another queue, with all that it has. Returns the id that it has there.
///
/// # Errors
/// If SQS does not accept it.
pub(super) async fn send_as_it_is(client: &Client, to: &QueueUrl, message: &Message) -> Result<String, Failure> {
    let deduplication_id = system(message, &Name::MessageDeduplicationId).filter(|_| to.kind() == QueueKind::Fifo);
    let trace = system(message, &Name::AwsTraceHeader);
    let trace = trace.and_then(|header| {
        MessageSystemAttributeValue::builder().data_type("String").string_value(header).build().ok()
    });
    let mut send = client
        .send_message()
        .queue_url(to.as_str())
        .message_body(body(message))
        .set_message_attributes(message.message_attributes.clone())
        .set_message_group_id(system(message, &Name::MessageGroupId).map(str::to_owned))
        .set_message_deduplication_id(deduplication_id.map(str::to_owned));
    if let Some(trace) = trace {
        send = send.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
    }
    let sent = send.send().await.map_err(|error| failure(&error))?;
    Ok(sent.message_id.unwrap_or_default())
}
