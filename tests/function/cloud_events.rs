//! `EVENT_FORMAT=cloudevents`: the envelope around an event, and the event inside of it, byte for byte.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use voicehook_lambda::{
    app_id::FixedAppId,
    event::Event,
    queue::{Delivery, EventFormat, MAX_MESSAGE_BYTES, Message, QueueKind},
    receiver::Settings,
};
use voicehook_test_support::{APP_ID, EVENT, TestQueue, receiver_with, request};

fn message(text: &str, format: EventFormat) -> Message {
    let delivery = Delivery {
        app: "sales",
        received_at: "2026-11-23T10:52:06.007Z".parse::<Timestamp>().unwrap(),
        request_id: "JKJaXmPLvHcESHA=",
        invocation_id: "invocation-1",
        trace_header: None,
    };
    format.message(Event::from_json(text.to_owned()).unwrap(), &delivery, QueueKind::Fifo).message
}

fn cloud_event(text: &str) -> Message {
    message(text, EventFormat::CloudEvents)
}

/// The members of the envelope but `data`.
fn attributes(text: &str) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "data")]
        _data: Box<RawValue>,
        #[serde(flatten)]
        attributes: BTreeMap<String, String>,
    }
    serde_json::from_str::<Envelope>(&cloud_event(text).body).unwrap().attributes
}

#[test]
fn the_envelope_has_the_attributes_of_the_documentation() {
    let text = r#"{"voice_id":"5f2d","state":"connected","timestamp":"2026-11-23T16:22:05.5+05:30"}"#;
    let event_id = message(text, EventFormat::Raw).attribute("event_id").unwrap().to_owned();
    let expected = [
        ("datacontenttype", "application/json"),
        ("id", event_id.as_str()),
        ("source", "/voicehook/sales"),
        ("specversion", "1.0"),
        ("subject", "5f2d"),
        ("time", "2026-11-23T10:52:05.5Z"),
        ("type", "io.enablex.voice.call.connected"),
    ];
    let attributes = attributes(text);
    assert_eq!(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), expected);
}

#[test]
fn the_data_is_the_event_byte_for_byte() {
    for text in [
        "{}",
        "\r\n{ \"b\": 1.50e+3,\n\t\"a\": \"\\u00e9é\", \"state\":\"x\" }\r\n",
        r#"{"a":1e999,"a":-0,"n":12345678901234567890123,"s":"\/\u0041"}"#,
        r#"{"\ud800":"\udfff","state":"\ud800"}"#,
        "{\"text\":\"नमस्ते 📞 \u{7f}\u{85}\u{2028}\"}",
        r#"{"data":"},\"data\":{","specversion":"0.3"}"#,
    ] {
        let body = cloud_event(text).body;
        assert!(body.ends_with(&format!(",\"data\":{text}}}")), "{body}");
        let read: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&body).unwrap();
        assert_eq!(read["data"].get(), text.trim(), "{body}");
    }
}

#[test]
fn but_for_body_and_content_type_the_message_is_the_raw_one() {
    let raw = message(EVENT, EventFormat::Raw);
    let mut cloud_event = cloud_event(EVENT);
    assert_eq!((raw.body.as_str(), raw.attribute("content_type")), (EVENT, Some("application/json")));
    assert_eq!(cloud_event.attribute("content_type"), Some("application/cloudevents+json"));
    cloud_event.body = raw.body.clone();
    cloud_event.attributes.last_mut().unwrap().1 = "application/json".to_owned();
    assert_eq!(cloud_event, raw);
}

#[test]
fn the_time_is_the_events_own_or_when_the_webhook_arrived() {
    let received_at = "2026-11-23T10:52:06.007Z";
    for (timestamp, time) in [
        (r#""2026-11-23T10:52:05Z""#, "2026-11-23T10:52:05Z"),
        ("1795431125004", "2026-11-23T10:52:05.004Z"),
        (r#""yesterday""#, received_at),
        (r#""-002026-11-23T10:52:05Z""#, received_at),
        ("-1e300", received_at),
        ("null", received_at),
    ] {
        assert_eq!(attributes(&format!(r#"{{"timestamp":{timestamp}}}"#))["time"], time, "{timestamp}");
    }
    assert_eq!(attributes("{}")["time"], received_at);
}

#[test]
fn an_event_without_a_call_has_no_subject_and_an_unknown_type_still_has_a_type() {
    let attributes = attributes(r#"{"broadcast_id":"b1"}"#);
    assert_eq!(attributes.get("subject"), None);
    assert_eq!(attributes["type"], "io.enablex.voice.unknown");
}

#[test]
fn what_a_cloud_event_may_not_hold_is_replaced_outside_of_the_data() {
    let text = "{\"voice_id\":\"a\\u0000\\t\u{7f}\u{9f}\u{fdd0}\u{1ffff}\\\"é\",\"state\":\"x\\ud800\"}";
    let attributes = attributes(text);
    assert_eq!(attributes["subject"], "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\"é");
    assert_eq!(attributes["type"], "io.enablex.voice.call.x");
    assert!(cloud_event(text).body.contains(text));
}

#[tokio::test]
async fn the_receiver_sends_what_the_settings_say_and_counts_the_envelope_as_size() {
    let queue = TestQueue::new(QueueKind::Fifo);
    let settings = Settings { event_format: EventFormat::CloudEvents, ..Settings::default() };
    let receiver = receiver_with(settings, FixedAppId::new(APP_ID), &queue);
    assert_eq!(receiver.respond(&request(EVENT)).await.status(), StatusCode::OK);
    assert!(queue.messages()[0].body.ends_with(&format!(",\"data\":{EVENT}}}")));

    // Fits as it is, and not with an envelope around it.
    let filler = MAX_MESSAGE_BYTES - message(r#"{"a":""}"#, EventFormat::Raw).bytes() - 100;
    let event = format!(r#"{{"a":"{}"}}"#, "x".repeat(filler));
    assert_eq!(receiver.respond(&request(&event)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let raw = receiver_with(Settings::default(), FixedAppId::new(APP_ID), &queue);
    assert_eq!(raw.respond(&request(&event)).await.status(), StatusCode::OK);
}
