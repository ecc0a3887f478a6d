//! The decryption: whatever the ciphertext, it is opened or refused, and what was opened can be encrypted and opened
//! again without a change.
//!
//! An input is three bytes that choose algorithm, format and encoding from their tables, the AppID in one line, and
//! `encrypted_data`. With the AppID in it, the reference webhooks open, and their changed ciphertexts reach padding,
//! text and JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voicehook_lambda::{
    decrypt::{self, Algorithm, Encoding, Envelope, Fault, Format, KeyAndIv, Plaintext},
    event::Event,
    sender,
};

fuzz_target!(|input: &[u8]| {
    let Some((&[algorithm, format, encoding], rest)) = input.split_first_chunk() else {
        return;
    };
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (app_id, encrypted_data) = (String::from_utf8_lossy(&rest[..end]), rest.get(end + 1..).unwrap_or_default());
    let envelope = Envelope {
        algorithm: choose(Algorithm::NAMES, algorithm),
        format: choose(Format::NAMES, format),
        encoding: choose(Encoding::NAMES, encoding),
        encrypted_data: encrypted_data.into(),
    };
    let Ok(event) = open(&envelope, &app_id) else { return };

    let Envelope { algorithm, format, encoding, .. } = envelope;
    let sent_again = sender::encrypt(event.text(), &app_id, algorithm, format, encoding);
    let envelope = Envelope { encrypted_data: sent_again.as_bytes().into(), ..envelope };
    assert_eq!(open(&envelope, &app_id), Ok(event));
});

fn open(envelope: &Envelope<'_>, app_id: &str) -> Result<Event, Fault> {
    decrypt::open(envelope, &KeyAndIv::derive(app_id)).and_then(Plaintext::into_event)
}

fn choose<T: Copy>(names: &[(&str, T)], selector: u8) -> T {
    names[usize::from(selector) % names.len()].1
}
