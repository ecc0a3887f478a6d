//! `EnableX`'s side: what a webhook carries, which AppID it is encrypted with, and how a gateway hands it over.

use serde_json::json;
use sha2::{Digest as _, Sha256};
use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format},
    sender,
};

use super::{
    Milliseconds,
    environment::EPOCH,
    faults::Fault,
    plan::{Content, Webhook},
    secrets::{APP, FOREIGN, app_id},
};

/// The version of the secret that `EnableX` encrypts with at a time.
pub fn version(faults: &[Fault], now: Milliseconds) -> usize {
    let uses = |fault: &&Fault| match fault {
        Fault::Rotation { at, used_after } => at.saturating_add_signed(*used_after) <= now,
        _ => false,
    };
    faults.iter().filter(uses).count()
}

/// The event's text. A key that is pressed twice has the same text twice.
pub fn text(webhook: &Webhook) -> String {
    let Webhook { number, call, content, filler, .. } = webhook;
    let filler = "x".repeat(*filler);
    match content {
        Content::Proven | Content::OfPreviousAppId => format!(
            r#"{{"voice_id":"call-{call}", "state":"bridged","timestamp":"2026-11-23T10:52:10.{:03}Z","n":1.50,"filler":"{filler}"}}"#,
            number + 1
        ),
        _ => format!(
            r#"{{"voice_id":"call-{call}","playstate":"digitcollected", "digit":"1","filler":"{}"}}"#,
            &filler[..filler.len() / 40 * 40]
        ),
    }
}

/// Whether the event itself proves which one it is.
pub fn is_proven(text: &str) -> bool {
    text.contains("timestamp")
}

/// The body of a webhook.
pub fn body(content: Content, text: &str, version: usize) -> String {
    let app_id = match content {
        Content::Garbage => FOREIGN.to_owned(),
        Content::OfPreviousAppId => app_id(version.saturating_sub(1)),
        _ => app_id(version),
    };
    match content {
        Content::Probe => String::new(),
        Content::Malformed => r#"{"encrypted_data":"no hex"}"#.to_owned(),
        _ => {
            let algorithm = Algorithm::named("aes-256-cbc").unwrap();
            let data = sender::encrypt(text, &app_id, algorithm, Format::Hex, Encoding::Utf8);
            json!({"encrypted_data": data}).to_string()
        }
    }
}

/// The event of an HTTP API that carries a webhook.
pub fn gateway_event(content: Content, body: &str, delivery: usize, sent_at: Milliseconds) -> String {
    let app = if content == Content::UnknownApp { "nobody" } else { APP };
    json!({
        "version": "2.0",
        "rawPath": format!("/webhook/{app}"),
        "headers": {"content-type": "application/json", "x-algoritm": "aes-256-cbc", "x-format": "hex", "x-encoding": "utf8"},
        "requestContext": {
            "requestId": format!("gateway-{delivery}"),
            "timeEpoch": EPOCH + sent_at,
            "http": {"method": "POST"},
        },
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
}

/// The `event_id` as the documentation has it: SHA-256 of app, NUL and text, and unless the event proves which one it is,
/// of another NUL and the id of the invocation.
pub fn event_id(text: &str, invocation_id: &str) -> String {
    let mut hash = Sha256::new().chain_update(APP).chain_update([0]).chain_update(text);
    if !is_proven(text) {
        hash.update([0]);
        hash.update(invocation_id);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
