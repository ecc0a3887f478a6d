//! What holds for every input: encrypted and opened is unchanged, and nothing panics.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use proptest::{collection, prelude::*, sample};
use voicehook_lambda::{
    app_id::AppId,
    decrypt::{self, Algorithm, Encoding, Envelope, Format, KeyAndIv, Plaintext},
    event::Event,
    queue::{Delivery, EventFormat, QueueKind},
    sender,
    webhook::{Accept, Webhook},
};

/// A name of the table, in any case.
fn named<T: Copy + std::fmt::Debug>(names: &'static [(&'static str, T)]) -> impl Strategy<Value = (String, T)> {
    (sample::select(names), any::<bool>())
        .prop_map(|((name, value), upper)| (if upper { name.to_uppercase() } else { name.to_owned() }, value))
}

/// Text that an encoding can hold.
fn text_in(encoding: Encoding) -> BoxedStrategy<String> {
    match encoding {
        Encoding::Ascii => "[ -~]{0,80}".boxed(),
        Encoding::Latin1 => "[ -~\u{a0}-\u{ff}]{0,80}".boxed(),
        Encoding::Utf8 | Encoding::Utf16le => "\\PC{0,80}".boxed(),
    }
}

prop_compose! {
    fn encrypted()(algorithm in named(Algorithm::NAMES), format in named(Format::NAMES), encoding in named(Encoding::NAMES))
        (text in text_in(encoding.1), algorithm in Just(algorithm), format in Just(format), encoding in Just(encoding))
        -> (String, Algorithm, Format, Encoding)
    {
        (text, algorithm.1, format.1, encoding.1)
    }
}

fn headers(algorithm: &[u8], format: &[u8], encoding: &[u8], content_type: &[u8]) -> HeaderMap {
    let pairs =
        [("x-algoritm", algorithm), ("x-format", format), ("x-encoding", encoding), ("content-type", content_type)];
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value).ok()?)))
        .collect()
}

/// The whole way behind the gateway, with every step that a request can reach.
fn walk(headers: &HeaderMap, body: &[u8]) {
    let app_id = AppId::new("app");
    let accept = Accept { plaintext: true, ..Accept::all() };
    let event = match Webhook::read(headers, body, &accept) {
        Ok(Webhook::Encrypted(envelope)) => {
            decrypt::open(&envelope, app_id.key_and_iv()).and_then(Plaintext::into_event)
        }
        Ok(Webhook::Plain(text)) => Event::from_json(String::from_utf8_lossy(text).into_owned()).map_err(Into::into),
        Err(_) => return,
    };
    if let Ok(event) = event {
        let delivery = Delivery {
            app: "app",
            received_at: Timestamp::UNIX_EPOCH,
            request_id: "",
            invocation_id: "",
            trace_header: None,
        };
        for kind in [QueueKind::Fifo, QueueKind::Standard] {
            let message = EventFormat::Raw.message(event.clone(), &delivery, kind).message;
            assert!((1..=128).contains(&message.group_id.len()));
            assert!(message.attributes.len() <= 10);
        }
    }
}

proptest! {
    #[test]
    fn what_was_encrypted_is_opened_unchanged((text, algorithm, format, encoding) in encrypted(), app_id in "\\PC{1,40}") {
        let event = format!("{{\"text\":{}}}", serde_json::Value::from(text));
        let data = sender::encrypt(&event, &app_id, algorithm, format, encoding);
        let envelope = Envelope { algorithm, format, encoding, encrypted_data: data.as_bytes().into() };
        let opened = decrypt::open(&envelope, &KeyAndIv::derive(&app_id)).and_then(Plaintext::into_event);
        prop_assert_eq!(opened.map(|mut event| event.take_text()), Ok(event));
    }

    #[test]
    fn arbitrary_ciphertext_never_panics(
        algorithm in named(Algorithm::NAMES), format in named(Format::NAMES), encoding in named(Encoding::NAMES),
        data in collection::vec(any::<u8>(), 0..200),
    ) {
        let data = match format.1 {
            Format::Hex => hex_simd::encode_to_string(&data, hex_simd::AsciiCase::Lower),
            Format::Base64 => base64_simd::STANDARD.encode_to_string(&data),
            Format::Latin1 => data.iter().copied().map(char::from).collect(),
        };
        let body = format!("{{\"encrypted_data\":{}}}", serde_json::Value::from(data));
        walk(&headers(algorithm.0.as_bytes(), format.0.as_bytes(), encoding.0.as_bytes(), b"application/json"), body.as_bytes());
    }

    #[test]
    fn arbitrary_requests_never_panic(
        values in collection::vec(collection::vec(any::<u8>(), 0..20), 4), body in collection::vec(any::<u8>(), 0..200),
    ) {
        walk(&headers(&values[0], &values[1], &values[2], &values[3]), &body);
        for content_type in [&b"application/json"[..], b"application/x-www-form-urlencoded"] {
            walk(&headers(b"aes-256-cbc", b"hex", b"utf8", content_type), &body);
        }
    }

    #[test]
    fn arbitrary_events_become_messages_that_sqs_takes(state in "\\PC{0,300}", id in any::<String>()) {
        let text = serde_json::json!({ "state": state, "voice_id": id, "broadcast_id": id }).to_string();
        let delivery = Delivery { app: "app", received_at: Timestamp::UNIX_EPOCH, request_id: &id, invocation_id: &id, trace_header: Some(&id) };
        let event = Event::from_json(text).unwrap();
        let taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        for (_, format) in EventFormat::NAMES {
            let message = format.message(event.clone(), &delivery, QueueKind::Fifo).message;
            prop_assert!(message.body.chars().all(taken));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&message.body).is_ok());
            for (name, value) in &message.attributes {
                prop_assert!(!value.is_empty() && value.chars().all(taken), "{}", name);
            }
            prop_assert!(message.group_id.bytes().all(|byte| byte.is_ascii_graphic()) && message.group_id.len() <= 128);
        }
    }
}
