//! Secrets: whatever a secret says, it is read or refused with a short message that repeats none of it; and an AppID that
//! is written into each of the forms of a secret is read back.
//!
//! An input is the text of a secret. It also stands in for an AppID.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use voicehook_lambda::{
    app_id::{Apps, DEFAULT_APP, trimmed},
    decrypt::{self, Algorithm, Encoding, Envelope, Format, Plaintext},
    sender,
};

/// The longest message, in bytes, whatever it names.
const LONGEST_MESSAGE: usize = 1024;
/// A value of so many bytes is in no message by chance.
const TELLING: usize = 12;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Apps::from_secret(text) {
        Ok(apps) => assert!(apps.names().all(|name| apps.get(name).is_some())),
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() <= LONGEST_MESSAGE, "{} bytes", message.len());
            let tree = serde_json::from_str::<Value>(text).unwrap_or_default();
            for app_id in [&tree["app_id"], &tree["token"]].into_iter().filter_map(Value::as_str) {
                assert!(app_id.len() < TELLING || !message.contains(app_id), "the message repeats a secret");
            }
        }
    }
    for (secret, name) in
        [(json!({"app_id": text}).to_string(), DEFAULT_APP), (json!({"apps": {"sales": text}}).to_string(), "sales")]
    {
        let Ok(apps) = Apps::from_secret(&secret) else { continue };
        let app_id = apps.get(name).expect("the app is there");
        let (algorithm, format) = (Algorithm::NAMES[0].1, Format::Hex);
        let data = sender::encrypt("{\"a\":1}", trimmed(text), algorithm, format, Encoding::Utf8);
        let envelope = Envelope { algorithm, format, encoding: Encoding::Utf8, encrypted_data: data.as_bytes().into() };
        let opened = decrypt::open(&envelope, app_id.key_and_iv()).and_then(Plaintext::into_event);
        assert_eq!(
            opened.map(|event| event.text().to_owned()),
            Ok("{\"a\":1}".to_owned()),
            "another AppID was read back"
        );
    }
});
