//! The SQS message: body, attributes, ids, and what becomes of values that SQS refuses.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use voicehook_lambda::{
    event::Event,
    queue::{Delivery, EventFormat, Message, QueueKind},
};

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn delivery() -> Delivery<'static> {
    Delivery {
        app: "sales",
        received_at: "2026-11-23T10:52:06.007Z".parse::<Timestamp>().unwrap(),
        request_id: "JKJaXmPLvHcESHA=",
        invocation_id: "invocation-1",
        trace_header: Some(TRACE),
    }
}

fn message(text: &str, kind: QueueKind) -> Message {
    EventFormat::Raw.message(Event::from_json(text.to_owned()).unwrap(), &delivery(), kind).message
}

fn fifo(text: &str) -> Message {
    message(text, QueueKind::Fifo)
}

#[test]
fn the_attributes_are_those_of_the_documentation() {
    let text = r#"{"state":"connected", "voice_id":"5f2d", "broadcast_id":"b1"}"#;
    let event_id: String =
        Sha256::digest(format!("sales\0{text}\0invocation-1")).iter().map(|byte| format!("{byte:02x}")).collect();
    let attributes = fifo(text).attributes;
    let expected = [
        ("event_id", event_id.as_str()),
        ("event_type", "call.connected"),
        ("voice_id", "5f2d"),
        ("broadcast_id", "b1"),
        ("app", "sales"),
        ("received_at", "2026-11-23T10:52:06.007Z"),
        ("request_id", "JKJaXmPLvHcESHA="),
        ("content_type", "application/json"),
    ];
    assert_eq!(attributes.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), expected);
}

#[test]
fn whole_seconds_have_milliseconds_too() {
    let received_at = "2026-11-23T10:52:06Z".parse::<Timestamp>().unwrap();
    let event = Event::from_json("{}".to_owned()).unwrap();
    let message = EventFormat::Raw.message(event, &Delivery { received_at, ..delivery() }, QueueKind::Fifo).message;
    assert_eq!(message.attribute("received_at"), Some("2026-11-23T10:52:06.000Z"));
}

#[test]
fn the_body_is_the_event_byte_for_byte() {
    let text = "{ \"b\": 1.50e+3,\n\t\"a\": \"\\u00e9é\", \"state\":\"x\" }\r\n";
    assert_eq!(fifo(text).body, text);
}

#[test]
fn on_a_fifo_queue_the_events_of_one_call_are_one_group() {
    for (text, group) in [
        (r#"{"voice_id":"v","broadcast_id":"b","channel_id":"c"}"#, "sales:v".to_owned()),
        (r#"{"broadcast_id":"b","channel_id":"c"}"#, "sales:b".to_owned()),
        (r#"{"channel_id":"c"}"#, "sales:c".to_owned()),
        ("{}", format!("sales:{}", fifo("{}").attribute("event_id").unwrap())),
    ] {
        let message = fifo(text);
        assert_eq!(message.group_id, group);
        assert_eq!(message.deduplication_id.as_deref(), Some(message.attribute("event_id").unwrap()));
    }
}

#[test]
fn on_a_standard_queue_the_events_of_one_app_are_one_group() {
    let message = message(r#"{"voice_id":"v"}"#, QueueKind::Standard);
    assert_eq!((message.group_id.as_str(), message.deduplication_id), ("sales", None));
}

#[test]
fn an_event_that_proves_its_identity_has_one_id_and_others_one_for_each_invocation() {
    let proven = r#"{"voice_id":"v","state":"connected","timestamp":"2026-11-23T10:52:06Z"}"#;
    for (text, is_proven) in [(proven, true), (r#"{"voice_id":"v","playstate":"digitcollected","digit":"1"}"#, false)] {
        for kind in [QueueKind::Fifo, QueueKind::Standard] {
            let id = |delivery: Delivery<'_>| {
                let event = Event::from_json(text.to_owned()).unwrap();
                EventFormat::Raw.message(event, &delivery, kind).message.attribute("event_id").unwrap().to_owned()
            };
            // The gateway's id can be chosen by the caller.
            assert_eq!(id(delivery()), id(Delivery { request_id: "2", ..delivery() }), "{text}");
            assert_eq!(id(delivery()) == id(Delivery { invocation_id: "2", ..delivery() }), is_proven, "{text}");
            assert_ne!(id(delivery()), id(Delivery { app: "care", ..delivery() }), "{text}");
        }
    }
}

#[test]
fn noncharacters_in_the_body_become_their_json_escapes() {
    let message = fifo("{\"note\":\"a\u{fffe}b\u{ffff}c\u{fffd}\u{7f}\u{85}é\"}");
    assert_eq!(message.body, "{\"note\":\"a\\ufffeb\\uffffc\u{fffd}\u{7f}\u{85}é\"}");
    let note = serde_json::from_str::<serde_json::Value>(&message.body).unwrap()["note"].as_str().unwrap().to_owned();
    assert_eq!(note, "a\u{fffe}b\u{ffff}c\u{fffd}\u{7f}\u{85}é");
}

#[test]
fn control_characters_and_lone_surrogates_in_an_attribute_are_replaced() {
    let message = fifo(r#"{"voice_id":"a\u0000b\u001bc\ufffed","state":"x\ud800"}"#);
    assert_eq!(message.attribute("voice_id"), Some("a\u{fffd}b\u{fffd}c\u{fffd}d"));
    assert_eq!(message.attribute("event_type"), Some("call.x"));
    assert_eq!(message.group_id, "sales:a_b_c_d");
}

#[test]
fn an_attribute_too_long_is_cut_and_an_empty_one_is_left_out() {
    let long = "é".repeat(1000);
    let state = "e".repeat(1000);
    let message = fifo(&format!(r#"{{"voice_id":"{long}","broadcast_id":"","state":"{state}"}}"#));
    assert_eq!(message.attribute("voice_id").unwrap().chars().count(), 256);
    assert_eq!(message.attribute("event_type").unwrap().chars().count(), 256);
    assert_eq!(message.attribute("broadcast_id"), None);
    assert_eq!(message.group_id.len(), 128);
}

#[test]
fn only_an_x_ray_trace_header_is_passed_on() {
    assert_eq!(fifo("{}").trace_header.as_deref(), Some(TRACE));
    for header in ["", "nonsense", "Root=1-5759e988 x", "Root=1-\u{e9}"] {
        let event = Event::from_json("{}".to_owned()).unwrap();
        let message = EventFormat::Raw
            .message(event, &Delivery { trace_header: Some(header), ..delivery() }, QueueKind::Fifo)
            .message;
        assert_eq!(message.trace_header, None, "{header:?}");
    }
}
