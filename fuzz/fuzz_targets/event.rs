//! The event parser and the message: whatever a plaintext says, it is refused or becomes a message that SQS takes and
//! that means the same.
//!
//! An input is the plaintext. It also stands in for what else comes from outside: the request's id and its trace
//! header.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::de::IgnoredAny;
use serde_json::Value;
use voicehook_lambda::{
    event::Event,
    queue::{Delivery, EventFormat, Message, QueueKind},
};

fuzz_target!(|input: &[u8]| -> Corpus {
    // Decryption makes text or a fault; no other bytes come this far.
    let Ok(text) = std::str::from_utf8(input) else {
        return Corpus::Reject;
    };
    let event = Event::from_json(text.to_owned());
    assert_eq!(event.is_ok(), is_an_object(text), "whether it is a JSON object");
    let Ok(event) = event else { return Corpus::Keep };
    let tree = tree(text);
    assert_eq!(event.text(), text);
    if let Some(id) = tree.as_ref().and_then(|tree| tree.get("voice_id")?.as_str())
        && !id.is_empty()
    {
        assert_eq!(event.voice_id(), Some(id));
    }
    let _ = event.age(Timestamp::MAX);
    assert!(event.age(Timestamp::MIN).is_none_or(|age| age.is_zero()), "nothing is older than the first timestamp");

    let delivery = Delivery {
        app: "app",
        received_at: Timestamp::UNIX_EPOCH,
        request_id: text,
        invocation_id: text,
        trace_header: Some(text),
    };
    let [fifo, standard] = [QueueKind::Fifo, QueueKind::Standard]
        .map(|kind| EventFormat::Raw.message(event.clone(), &delivery, kind).message);
    for message in [&fifo, &standard] {
        is_taken_by_sqs(message);
    }
    assert_eq!((&fifo.body, &fifo.attributes), (&standard.body, &standard.attributes));
    assert_eq!(fifo.deduplication_id.as_deref(), fifo.attribute("event_id"));
    assert_eq!(standard.deduplication_id, None);

    if let Some(tree) = tree {
        assert_eq!(serde_json::from_str::<Value>(&fifo.body).ok(), Some(tree), "the body means something else");
    }
    let read_again = Event::from_json(fifo.body).expect("the body is the event");
    assert_eq!(
        (read_again.event_type(), read_again.ordering_id(), read_again.broadcast_id()),
        (event.event_type(), event.ordering_id(), event.broadcast_id())
    );
    Corpus::Keep
});

/// Whether the text is a JSON object, to a reader that keeps nothing of it.
fn is_an_object(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok() && text.trim_ascii_start().starts_with('{')
}

/// The text as a tree. `serde_json` reads less than voicehook must (no lone surrogates, 128 levels, no 1e999), and it
/// takes an object with its private key for something else; for such a text there is nothing to compare with.
fn tree(text: &str) -> Option<Value> {
    if text.contains("serde_json") {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The limits of the API reference of `SendMessage`, and the room that the attributes leave to the body.
fn is_taken_by_sqs(message: &Message) {
    let taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(!message.body.is_empty() && message.body.chars().all(taken), "body");
    assert!(message.attributes.len() <= 10);
    for (name, value) in &message.attributes {
        assert!(!value.is_empty() && value.chars().all(taken), "{name}");
        assert!(value.chars().count() <= 256, "{name}");
    }
    let ids = [Some(&message.group_id), message.deduplication_id.as_ref()];
    for id in ids.into_iter().flatten() {
        assert!((1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()), "{id}");
    }
    if let Some(header) = &message.trace_header {
        assert!(header.len() <= 512 && header.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
