//! `voicehook redrive` on a quarantine whose webhooks do not open.

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::tool::{printed, voicehook};
use serde_json::{Value, json};
use voicehook_test_support::aws_stub::{AwsStub, error};

const APP_ID: &str = "5f1e0a77-the-app-id-that-nobody-may-see";

/// A quarantined webhook that nobody can open, for that app.
fn garbage(app: &str) -> Value {
    let body = format!(r#"{{"encrypted_data":"{}"}}"#, "00".repeat(32));
    json!({
        "version": 1, "id": app, "part": 1, "parts": 1, "reason": "app_id_unavailable", "app": app,
        "received_at": "2026-11-23T10:52:06.007Z", "request_id": "r1",
        "headers": {"content-type": "application/json", "x-algoritm": "aes-256-cbc", "x-format": "hex", "x-encoding": "utf8"},
        "body_base64": base64_simd::STANDARD.encode_to_string(body),
    })
}

/// A quarantine with two such webhooks, and a secret that says something.
async fn quarantine(secret: impl Fn(&Value) -> (u16, Value) + Send + Sync + 'static) -> AwsStub {
    let batches = AtomicUsize::new(0);
    AwsStub::start(move |operation, request| match operation {
        "GetSecretValue" => secret(request),
        "ReceiveMessage" if batches.fetch_add(1, Ordering::SeqCst) == 0 => {
            let message = |app| json!({"MessageId": app, "ReceiptHandle": app, "Body": garbage(app).to_string()});
            (200, json!({"Messages": [message("default"), message("sales")]}))
        }
        _ => (200, json!({})),
    })
    .await
}

fn redrive(stub: &AwsStub) -> Command {
    let mut command = voicehook();
    let queue = |name: &str| format!("{}/000000000000/{name}", stub.endpoint);
    stub.point(&mut command).args(["redrive", "--from", &queue("quarantine"), "--to", &queue("events.fifo")]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_in_the_app_id_is_told_with_the_webhooks_that_do_not_open() {
    let quarantine = || {
        quarantine(|request| match request["VersionStage"].as_str() {
            Some("AWSCURRENT") => (200, json!({"SecretString": format!("“{APP_ID}”")})),
            _ => error("ResourceNotFoundException"),
        })
    };
    let stub = quarantine().await;
    let output = redrive(&stub).env("ENABLEX_APP_ID_SECRET", "enablex").output().unwrap();
    let summary = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    for line in [
        "1  left: undecryptable",
        "1  left: app sales is not configured",
        "app default begins or ends with a quotation mark",
    ] {
        assert!(summary.contains(line), "{line}: {}", printed(&output));
    }
    assert!(!printed(&output).contains(APP_ID));
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("WARN") && log.contains("quotation mark"), "the start-up log names it too: {log}");

    let stub = quarantine().await;
    let output = redrive(&stub).env("ENABLEX_APP_ID", format!("\u{feff}{APP_ID} \n")).output().unwrap();
    let printed = printed(&output);
    assert!(printed.contains("1  left: undecryptable") && !printed.contains("AppID of app"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_version_cannot_be_read_webhooks_are_left_and_not_called_undecryptable() {
    let stub = quarantine(|request| match request["VersionStage"].as_str() {
        Some("AWSCURRENT") => (200, json!({"SecretString": APP_ID})),
        _ => error("AccessDeniedException"),
    })
    .await;
    let output = redrive(&stub).env("ENABLEX_APP_ID_SECRET", "enablex").output().unwrap();
    let printed = printed(&output);
    assert!(printed.contains("2  left: app_id_unavailable") && printed.contains("AWSPREVIOUS"), "{printed}");
}
