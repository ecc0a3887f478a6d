//! What subscribers rely on: the typed events and the schemas, for every event that the tests know.

#[path = "../../src/samples.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tool's own; the tests use a part")]
mod samples;

use std::fs;

use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use voicehook_event::{CallEvent, CallState, PlayEvent, PlayState, VoiceEvent, normalized};
use voicehook_lambda::{event::Event, queue::QueueKind};
use voicehook_test_support::{APP_ID, TestQueue, receiver, request_of};

/// Bodies of messages, and of quarantined webhooks, that the requests of `events/` become.
async fn messages_of_requests() -> (Vec<String>, Vec<String>) {
    let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
    let receiver = receiver(&queue).with_quarantine(Some(quarantine.clone()));
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../events")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let request = request_of(&fs::read_to_string(path).unwrap());
            receiver.respond(&request).await;
        }
    }
    let bodies = |queue: &TestQueue| queue.messages().into_iter().map(|message| message.body).collect();
    (bodies(&queue), bodies(&quarantine))
}

/// Every event that the tests know: of the reference webhooks, of `events/`, and of `voicehook trigger`.
async fn known_events() -> Vec<String> {
    let reference = include_str!("../../../tests/vectors/reference.jsonl").split('\n').filter(|line| !line.is_empty());
    let event = |line| serde_json::from_str::<Value>(line).unwrap()["expect"]["event"].as_str().map(str::to_owned);
    let mut events: Vec<String> = reference.filter_map(event).collect();
    events.extend(messages_of_requests().await.0);
    let call = samples::Call::random();
    events.extend(samples::event_types().map(|event_type| samples::event(event_type, &call).unwrap()));
    assert!(events.len() > 340, "only {} events", events.len());
    events
}

fn schema(name: &str) -> Validator {
    let file = format!("{}/../schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
    jsonschema::validator_for(&serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()).unwrap()
}

fn read(text: &str) -> VoiceEvent {
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn call(text: &str) -> CallEvent {
    let VoiceEvent::Call(call) = read(text) else { panic!("{text}") };
    call
}

fn play(text: &str) -> PlayEvent {
    let VoiceEvent::Play(play) = read(text) else { panic!("{text}") };
    play
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn every_known_event_is_read_as_its_type_and_written_whole() {
    for text in known_events().await {
        let event = read(&text);
        match &event {
            VoiceEvent::Call(call) => assert!(!matches!(call.state, CallState::Other(_)), "{text}"),
            VoiceEvent::Play(play) => assert!(!matches!(play.playstate, PlayState::Other(_)), "{text}"),
            _ => panic!("neither a call nor a prompt: {text}"),
        }
        is_routed_and_written_whole(&text);
    }
}

/// The function and the typed events agree about an event, and what is written is the same event with the same fields.
fn is_routed_and_written_whole(text: &str) {
    let (event, routed) = (read(text), Event::from_json(text.to_owned()).unwrap());
    assert_eq!(event.event_type(), routed.event_type(), "{text}");
    assert_eq!(event.voice_id().as_deref(), routed.voice_id(), "{text}");
    assert_eq!(event.timestamp(), routed.timestamp(), "{text}");
    let written = serde_json::to_string(&event).unwrap();
    assert_eq!(by_name(&value(&written)), by_name(&value(text)), "{text} became {written}");
    assert_eq!(read(&written), event, "{text} became {written}");
}

/// Every spelling of EnableX's generations, with the event's type, the call's id and the second in which it happened.
const SPELLINGS: &[(&str, &str, Option<&str>, Option<&str>)] = &[
    // The kind of an event.
    (r#"{"voice_id":"v","state":"connected"}"#, "call.connected", Some("v"), None),
    (r#"{"voice_id":"v","playstate":"playfinished"}"#, "play.playfinished", Some("v"), None),
    (r#"{"event":"connected","voice_id":"v"}"#, "call.connected", Some("v"), None),
    (r#"{"event":"digitcollected","digit":"1","voice_id":"v"}"#, "play.digitcollected", Some("v"), None),
    (r#"{"event":"playfinished","voice_id":"v"}"#, "play.playfinished", Some("v"), None),
    (r#"{"event":"initiated","voice_id":"v"}"#, "call.initiated", Some("v"), None),
    (r#"{"event":"initiated","voice_id":"v","play_id":7}"#, "play.initiated", Some("v"), None),
    (r#"{"event":"initiated","voice_id":"v","prompt_ref":"menu"}"#, "play.initiated", Some("v"), None),
    (r#"{"event":"Disconnected","state":"","voice_id":"v"}"#, "call.disconnected", Some("v"), None),
    (r#"{"event":"hold","playstate":"menutimeout","state":"bridged"}"#, "call.bridged", None, None),
    // The call.
    (r#"{"voiceId":"v","state":"ringing"}"#, "call.ringing", Some("v"), None),
    (r#"{"voice_Id":"v","state":"ringing"}"#, "call.ringing", Some("v"), None),
    (r#"{"voice_Id":"third","voiceId":"second","voice_id":"first","state":"hold"}"#, "call.hold", Some("first"), None),
    (r#"{"voice_Id":"third","voiceId":null,"voice_id":"","state":"hold"}"#, "call.hold", Some("third"), None),
    // An incoming call.
    (r#"{"voice_id":"v","state":"incomingcall"}"#, "call.incomingcall", Some("v"), None),
    (r#"{"voice_id":"v","state":"Incomingcall"}"#, "call.incomingcall", Some("v"), None),
    (r#"{"voice_id":"v","state":"incoming call"}"#, "call.incomingcall", Some("v"), None),
    // Digits.
    (r#"{"voice_id":"v","playstate":"digitcollected","digit":"1"}"#, "play.digitcollected", Some("v"), None),
    (r##"{"voice_id":"v","playstate":"digitcollected","digits":"12#"}"##, "play.digitcollected", Some("v"), None),
    (r#"{"voice_id":"v","state":"dtmfcollected","digit":5}"#, "call.dtmfcollected", Some("v"), None),
    (r#"{"voice_id":"v","event":"dtmfcollected","digits":[5],"digit":"5"}"#, "call.dtmfcollected", Some("v"), None),
    // Speech.
    (
        r#"{"voice_id":"v","playstate":"speech_recognized","reason":"completed","text":"sales"}"#,
        "play.speech_recognized",
        Some("v"),
        None,
    ),
    (r#"{"voice_id":"v","state":"recognized","text":"sales"}"#, "call.recognized", Some("v"), None),
    (r#"{"voice_id":"v","playstate":"digitcollected","asrtext":"sales"}"#, "play.digitcollected", Some("v"), None),
    // The end of a broadcast.
    (
        r#"{"broadcast_id":"b","state":"broadcastcall_complete","broadcast_call_info":[{"to":"+1","result":"busy"}]}"#,
        "call.broadcastcall_complete",
        None,
        None,
    ),
    (
        r#"{"broadcast_id":"b","state":"broadcastcomplete","resultSet":{"successfull_calls":3,"failed_calls":1}}"#,
        "call.broadcastcall_complete",
        None,
        None,
    ),
    (
        r#"{"broadcast_id":"b","event":"broadcastcomplete","resultSet":{"successfull_calls":"3","failed_calls":"1"}}"#,
        "call.broadcastcall_complete",
        None,
        None,
    ),
    (
        r#"{"broadcast_id":"b","state":"broadcastcomplete","resultSet":"none"}"#,
        "call.broadcastcall_complete",
        None,
        None,
    ),
    // The application's own.
    (
        r#"{"voice_id":"v","state":"initiated","owner_ref":"order 17","custom_data":{"a":[1]},"attempt":2}"#,
        "call.initiated",
        Some("v"),
        None,
    ),
    (r#"{"voice_id":"v","state":"initiated","owner_ref":17,"custom_data":"a"}"#, "call.initiated", Some("v"), None),
    (r#"{"voice_id":"v","playstate":"initiated","custom_data":[1.50]}"#, "play.initiated", Some("v"), None),
    (r#"{"voice_id":"v","playstate":"initiated","custom_data":false}"#, "play.initiated", Some("v"), None),
    (r#"{"voice_id":"v","event":"hold","custom_data":null,"attempt":"2"}"#, "call.hold", Some("v"), None),
    // Timestamps.
    (r#"{"state":"hold","timestamp":"2026-06-15T10:52:10.000Z"}"#, "call.hold", None, Some("2026-06-15T10:52:10Z")),
    (r#"{"event":"hold","timestamp":"2020-02-16T10:52:00Z"}"#, "call.hold", None, Some("2020-02-16T10:52:00Z")),
    (r#"{"state":"hold","timestamp":"2021-02-18T12:47-00Z"}"#, "call.hold", None, Some("2021-02-18T12:47:00Z")),
    (r#"{"playstate":"initiated","timestamp":1795431126}"#, "play.initiated", None, Some("2026-11-23T10:52:06Z")),
    (r#"{"playstate":"initiated","timestamp":"yesterday"}"#, "play.initiated", None, None),
    (r#"{"digit":"1","timestamp":"2020-02-16T10:52:00Z"}"#, "unknown", None, Some("2020-02-16T10:52:00Z")),
];

#[test]
fn every_spelling_is_routed_typed_and_written_without_losing_a_field() {
    for (text, event_type, voice_id, happened) in SPELLINGS {
        let event = read(text);
        assert_eq!(event.event_type(), *event_type, "{text}");
        assert_eq!(event.voice_id().as_deref(), *voice_id, "{text}");
        assert_eq!(event.timestamp().map(|time| time.to_string()).as_deref(), *happened, "{text}");
        is_routed_and_written_whole(text);
    }
}

#[test]
fn an_older_spelling_beside_a_value_of_another_type_loses_neither() {
    for (text, written) in [
        (r#"{"state":{"a":1},"event":"connected"}"#, r#"{"state":"connected","event":{"a":1}}"#),
        (r#"{"playstate":[1],"event":"menutimeout"}"#, r#"{"playstate":"menutimeout","event":[1]}"#),
        (
            r#"{"state":"hold","voice_id":{"a":1},"voiceId":"v"}"#,
            r#"{"state":"hold","voice_id":"v","voiceId":{"a":1}}"#,
        ),
        (
            r#"{"state":"dtmfcollected","digit":[5],"digits":"5"}"#,
            r#"{"state":"dtmfcollected","digit":"5","digits":[5]}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&read(text)).unwrap(), written);
        assert_eq!(serde_json::to_string(&read(written)).unwrap(), written);
    }
}

#[tokio::test]
async fn every_known_event_is_valid_under_the_schema() {
    let schema = schema("voice-event");
    for text in known_events().await {
        schema.validate(&value(&text)).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
}

#[tokio::test]
async fn every_quarantined_webhook_is_valid_under_the_schema() {
    let schema = schema("quarantined-webhook");
    let quarantined = messages_of_requests().await.1;
    assert!(quarantined.len() >= 5, "only {} webhooks", quarantined.len());
    for text in &quarantined {
        schema.validate(&value(text)).unwrap_or_else(|error| panic!("{error}: {text}"));
    }
    let mut without_a_body = value(&quarantined[0]);
    without_a_body.as_object_mut().unwrap().remove("body_base64");
    assert!(!schema.is_valid(&without_a_body));
}

#[test]
fn the_schema_tells_what_a_subscriber_can_expect_from_what_it_cannot() {
    let schema = schema("voice-event");
    for text in [
        r#"{"state": "teleported", "new": {"deep": [1]}}"#,
        r#"{"state": "disconnected", "call_duration": "12", "disconnect_cause_code": 16.0}"#,
        r#"{"playstate": "digitcollected", "digit": "1"}"#,
        r#"{"state": null, "playstate": "initiated"}"#,
        "{}",
    ] {
        assert!(schema.is_valid(&value(text)), "{text}");
    }
    for text in [
        "[]",
        r#""connected""#,
        r#"{"state": "disconnected", "call_duration": {"seconds": 12}}"#,
        r#"{"state": "connected", "voice_id": ["5f2d"]}"#,
        r#"{"playstate": "digitcollected", "digit": {"is": "1"}}"#,
    ] {
        assert!(!schema.is_valid(&value(text)), "{text}");
    }
}

#[test]
fn a_call_that_is_over_says_how_long_it_was_and_why() {
    for (duration, code) in [("12", "16"), ("12.0", "16.0"), (r#""12""#, r#""16""#), (r#""12.0""#, r#"" 16""#)] {
        let call = call(&format!(
            r#"{{"state": "disconnected", "call_duration": {duration}, "disconnect_cause_code": {code},
                 "disconnect_reason": "normal_clearing", "recording_url": "https://example.com/1.wav"}}"#
        ));
        assert_eq!(call.state, CallState::Disconnected);
        assert_eq!((call.call_duration, call.disconnect_cause_code), (Some(12.0), Some(16)), "{duration}");
        assert_eq!(call.disconnect_reason.as_deref(), Some("normal_clearing"));
        assert_eq!(call.recording_url.as_deref(), Some("https://example.com/1.wav"));
    }
}

#[test]
fn a_prompt_says_what_was_pressed_or_said() {
    assert_eq!(play(r#"{"playstate": "digitcollected", "digit": "1"}"#).digit.as_deref(), Some("1"));
    assert_eq!(play(r#"{"playstate": "digitcollected", "digit": 1}"#).digit.as_deref(), Some("1"));
    assert_eq!(play(r##"{"playstate": "digitcollected", "digits": "12#"}"##).digit.as_deref(), Some("12#"));
    assert_eq!(call(r#"{"state": "dtmfcollected", "digit": 5}"#).digit.as_deref(), Some("5"));
    let recognized = play(r#"{"playstate": "speech_recognized", "reason": "completed", "text": "sales, please"}"#);
    assert_eq!(recognized.playstate, PlayState::SpeechRecognized);
    assert_eq!((recognized.reason.as_deref(), recognized.text.as_deref()), (Some("completed"), Some("sales, please")));
    assert_eq!(call(r#"{"state": "recognized", "text": "sales"}"#).text.as_deref(), Some("sales"));
    let speech = play(r#"{"playstate": "a name that is not documented", "asrtext": "sales, please"}"#);
    assert_eq!(speech.asrtext.as_deref(), Some("sales, please"));
    assert_eq!(speech.playstate, PlayState::Other("a name that is not documented".to_owned()));
}

#[test]
fn a_broadcast_says_what_came_of_each_call() {
    let broadcast = call(
        r#"{"state": "broadcastcall_complete", "broadcast_id": "92ea", "broadcast_call_info":
            [{"to": "+12025550187", "result": "answered"}, {"to": "+12025550188", "result": "busy", "tries": 3}]}"#,
    );
    let results: Vec<_> = broadcast.broadcast_call_info.iter().map(|call| call.result.as_deref().unwrap()).collect();
    assert_eq!(results, ["answered", "busy"]);
    assert_eq!(broadcast.broadcast_call_info[1].other.get::<u32>("tries"), Some(3));
    assert_eq!(call(r#"{"state": "initiated", "attempt": 2}"#).attempt, Some(2));
    for (successful, failed) in [("3", "1"), (r#""3""#, r#""1""#)] {
        let numbers = format!(r#"{{"successfull_calls": {successful}, "failed_calls": {failed}, "skipped": 2}}"#);
        let text = format!(r#"{{"state": "broadcastcomplete", "broadcast_id": "92ea", "resultSet": {numbers}}}"#);
        let result = call(&text).result_set.unwrap();
        assert_eq!((result.successful_calls, result.failed_calls), (Some(3), Some(1)), "{text}");
        assert_eq!(result.other.get::<u32>("skipped"), Some(2));
    }
}

#[test]
fn what_the_application_gave_to_a_call_comes_back_as_it_was() {
    for data in [r#"{"order": 17, "exact": 1.50}"#, "[1,2]", r#""text""#, "17", "true"] {
        for kind in [r#""state": "connected""#, r#""playstate": "initiated""#, r#""event": "bridged""#] {
            let (owner_ref, custom_data) =
                match read(&format!(r#"{{{kind}, "owner_ref": "ticket 4711", "custom_data": {data}}}"#)) {
                    VoiceEvent::Call(call) => (call.owner_ref, call.custom_data),
                    VoiceEvent::Play(play) => (play.owner_ref, play.custom_data),
                    _ => panic!("{kind}"),
                };
            assert_eq!(owner_ref.as_deref(), Some("ticket 4711"));
            assert_eq!(custom_data.unwrap().as_str(), data);
        }
    }
}

#[test]
fn the_time_is_read_as_the_function_reads_it() {
    for timestamp in [r#""2026-11-23T10:52:06Z""#, "1795431126", r#""1795431126000""#] {
        let time = read(&format!(r#"{{"state": "connected", "timestamp": {timestamp}}}"#)).timestamp();
        assert_eq!(time.unwrap().to_string(), "2026-11-23T10:52:06Z", "{timestamp}");
    }
    let to_the_minute = read(r#"{"playstate": "initiated", "timestamp": "2021-02-18T12:47-00Z"}"#).timestamp();
    assert_eq!(to_the_minute.unwrap().to_string(), "2021-02-18T12:47:00Z");
    assert_eq!(read(r#"{"playstate": "initiated", "timestamp": "yesterday"}"#).timestamp(), None);
}

#[test]
fn a_field_of_another_type_is_kept_and_the_rest_is_read() {
    let text = r#"{"state":"disconnected","voice_id":"5f2d","call_duration":{"seconds":12},"disconnect_cause_code":1.5,
        "recording_url":null,"from":["+1"],"attempt":"twice","broadcast_call_info":[{"to":"+1"},7],"voiceId":"old"}"#;
    let call = call(text);
    assert_eq!((call.voice_id.as_deref(), call.call_duration, call.from.as_deref()), (Some("5f2d"), None, None));
    assert_eq!(call.other.json("call_duration"), Some(r#"{"seconds":12}"#));
    assert_eq!(value(&serde_json::to_string(&call).unwrap()), value(text));
    let neither = read(r#"{"state": {"name": "connected"}, "playstate": [], "voice_id": 42}"#);
    assert_eq!((neither.event_type().as_str(), neither.voice_id().as_deref()), ("unknown", Some("42")));
}

#[test]
fn what_is_not_known_comes_out_byte_for_byte() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for kept in ["1.50", "1e400", "123456789012345678901234567890", r#"{ "b":1, "a":"\u00e9" }"#, r#""\ud800""#, &deep]
    {
        let event = read(&format!(r#"{{"state": "connected", "new": {kept}}}"#));
        let written = serde_json::to_string(&event).unwrap();
        assert!(written.contains(&format!(r#""new":{kept}"#)), "{written:.200}");
    }
}

#[test]
fn an_event_is_read_inside_of_other_types() {
    #[derive(serde::Deserialize)]
    struct CloudEvent {
        data: VoiceEvent,
    }
    let envelope = r#"{"specversion": "1.0", "data": {"state": "connected", "exact": 1.50}}"#;
    let CloudEvent { data: VoiceEvent::Call(call) } = serde_json::from_str(envelope).unwrap() else { panic!() };
    assert_eq!((call.state, call.other.json("exact")), (CallState::Connected, Some("1.50")));
    let event: VoiceEvent = serde_json::from_value(json!({"playstate": "menutimeout"})).unwrap();
    assert_eq!(event.event_type(), "play.menutimeout");
}

#[test]
fn what_is_no_object_is_refused_with_a_reason() {
    for text in ["", "{", "{} x", "[]", "null", "5", r#""{}""#] {
        assert!(text.parse::<VoiceEvent>().is_err(), "{text}");
    }
    let error = "[1]".parse::<VoiceEvent>().unwrap_err().to_string();
    assert!(error.contains("expected an object"), "{error}");
}

#[tokio::test]
async fn what_the_function_queues_is_what_a_subscriber_reads() {
    let text = r#"{"voice_id":"5f2d","state":"hold","x":1.0}"#;
    let queue = TestQueue::new(QueueKind::Fifo);
    receiver(&queue).respond(&voicehook_test_support::request(text)).await;
    let message = queue.messages().remove(0);
    assert_eq!(read(&message.body).event_type(), message.attribute("event_type").unwrap());
    assert!(!message.body.contains(APP_ID));
}

/// JSON values of every type, under the names that events have.
fn any_event() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "state",
        "playstate",
        "event",
        "voice_id",
        "voiceId",
        "voice_Id",
        "play_id",
        "prompt_ref",
        "owner_ref",
        "custom_data",
        "resultSet",
        "successfull_calls",
        "reason",
        "text",
        "from",
        "timestamp",
        "attempt",
        "call_duration",
        "digit",
        "digits",
        "disconnect_cause_code",
        "broadcast_call_info",
        "asrtext",
        "new",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z0-9 ]{0,5}".prop_map(Value::from),
        prop::sample::select(vec!["Incoming call", "initiated", "digitcollected", "broadcastcomplete"])
            .prop_map(Value::from),
    ];
    let item = leaf.prop_recursive(3, 16, 4, {
        let name = name.clone();
        move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(name.clone(), inner, 0..4)
                    .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        }
    });
    prop::collection::hash_map(name, item, 0..8)
        .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The values of an event, the spellings of one field's name together, numbers and texts alike.
fn by_name(event: &Value) -> Vec<(String, String)> {
    let spelled = |name: &str, value: &Value| match (name, value) {
        ("state" | "playstate" | "event", Value::String(kind)) => ("kind".to_owned(), normalized(kind).into_owned()),
        ("state" | "playstate" | "event", _) => ("kind".to_owned(), plain(value)),
        ("voice_id" | "voiceId" | "voice_Id", _) => ("voice_id".to_owned(), plain(value)),
        ("digit" | "digits", _) => ("digit".to_owned(), plain(value)),
        (name, _) => (name.to_owned(), plain(value)),
    };
    let mut fields: Vec<_> = event.as_object().unwrap().iter().map(|(name, value)| spelled(name, value)).collect();
    fields.sort();
    fields
}

/// A value as text: 12, 12.0, "12" and " 12" are the same.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().parse::<f64>().map_or_else(|_| text.clone(), |number| number.to_string()),
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(",")),
        Value::Object(_) => format!("{:?}", by_name(value)),
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn any_object_is_an_event_and_loses_no_field(event in any_event()) {
        let text = event.to_string();
        let routed = Event::from_json(text.clone()).unwrap();
        prop_assert_eq!(read(&text).event_type(), routed.event_type());
        prop_assert_eq!(read(&text).voice_id(), routed.voice_id().map(str::to_owned));
        let written = serde_json::to_string(&read(&text)).unwrap();
        prop_assert_eq!(by_name(&value(&written)), by_name(&event), "{} became {}", text, written);
        prop_assert_eq!(read(&written), read(&text));
    }
}
