//! Fresh webhooks, made by the two independent implementations that are at hand: Node's `createCipher` and OpenSSL.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde::Deserialize;
use voicehook_lambda::{
    decrypt::{self, Algorithm, Encoding, Envelope, Fault, Format, KeyAndIv, Plaintext},
    sender,
};
use voicehook_test_support::{node_with_create_cipher, skipped};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fresh {
    algorithm: String,
    format: String,
    encoding: String,
    app_id: String,
    event: String,
    encrypted_data: String,
}

fn open(algorithm: Algorithm, format: Format, encoding: Encoding, data: &str, app_id: &str) -> Result<String, Fault> {
    let envelope = Envelope { algorithm, format, encoding, encrypted_data: data.as_bytes().into() };
    decrypt::open(&envelope, &KeyAndIv::derive(app_id))
        .and_then(Plaintext::into_event)
        .map(|mut event| event.take_text())
}

#[test]
fn webhooks_that_node_encrypted_are_opened_and_encrypted_alike() {
    let Some(mut node) = node_with_create_cipher() else {
        return;
    };
    let output = node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracles/encrypt.js")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let webhooks: Vec<Fresh> =
        text.split('\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(webhooks.len(), 21 * 5 * 9);
    for webhook in webhooks {
        let how = format!("{} {} {}", webhook.algorithm, webhook.format, webhook.encoding);
        let algorithm = Algorithm::named(&webhook.algorithm).unwrap();
        let format = Format::named(&webhook.format).unwrap();
        let encoding = Encoding::named(&webhook.encoding).unwrap();
        let opened = open(algorithm, format, encoding, &webhook.encrypted_data, &webhook.app_id);
        assert_eq!(opened.as_deref(), Ok(webhook.event.as_str()), "{how}");
        if webhook.format != "base64url" {
            let ours = sender::encrypt(&webhook.event, &webhook.app_id, algorithm, format, encoding);
            assert_eq!(ours, webhook.encrypted_data, "{how}");
        }
    }
}

#[test]
fn webhooks_that_openssl_encrypted_are_opened() {
    let event = r#"{"state":"connected","text":"नमस्ते 📞"}"#;
    for (name, algorithm) in Algorithm::NAMES {
        let app_id = "2d28cdb87cb578c4af2cffda";
        let arguments = ["enc", &format!("-{name}"), "-md", "md5", "-nosalt", "-k", app_id];
        let openssl = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut openssl) = openssl else {
            skipped("openssl is not installed");
            return;
        };
        openssl.stdin.take().unwrap().write_all(event.as_bytes()).unwrap();
        let ciphertext = openssl.wait_with_output().unwrap().stdout;
        let data = hex_simd::encode_to_string(ciphertext, hex_simd::AsciiCase::Upper);
        assert_eq!(open(*algorithm, Format::Hex, Encoding::Utf8, &data, app_id).as_deref(), Ok(event), "{name}");
    }
}
