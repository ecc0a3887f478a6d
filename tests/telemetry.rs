//! The log, as a process writes it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use support::{APP_ID, EVENT, request};
use tokio::time::Instant;
use voicehook::{
    app_id::{AppIds, FixedAppId},
    config::Settings,
    gateway::Receiver,
    queue::{Message, Queue, QueueError, QueueKind, Sent},
    telemetry,
};

/// Set for the process that writes the log which the test then reads.
const WRITER: &str = "VOICEHOOK_TEST_WRITES_THE_LOG";

#[derive(Default)]
struct PanicsOnce(AtomicBool);

impl Queue for PanicsOnce {
    fn kind(&self) -> QueueKind {
        QueueKind::Standard
    }

    async fn send(&self, message: &Message, _: Instant) -> Result<Sent, QueueError> {
        assert!(self.0.swap(true, Ordering::SeqCst), "injected: {}", message.body);
        Ok(Sent { message_id: "message-1".to_owned() })
    }
}

#[tokio::test]
async fn a_panic_and_a_webhook_are_one_json_line_each_without_phone_numbers() {
    if std::env::var_os(WRITER).is_some() {
        telemetry::start();
        let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300));
        let receiver = Receiver::new(Settings::default(), app_ids, PanicsOnce::default());
        receiver.respond(request(EVENT)).await;
        receiver.respond(request(EVENT)).await;
        return;
    }
    let this_test = "a_panic_and_a_webhook_are_one_json_line_each_without_phone_numbers";
    let mut writer = Command::new(std::env::current_exe().unwrap());
    let output = writer
        .args(["--exact", this_test, "--nocapture"])
        .envs([(WRITER, "1"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE")])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(!printed.contains("12025550123") && !printed.contains(APP_ID), "{printed}");
    let lines: Vec<serde_json::Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said: Vec<(&str, &str)> =
        lines.iter().map(|line| (line["level"].as_str().unwrap(), line["message"].as_str().unwrap())).collect();
    assert_eq!(said, [("ERROR", "panic"), ("ERROR", "webhook"), ("INFO", "webhook")], "{printed}");
    assert_eq!((&lines[1]["outcome"], &lines[2]["outcome"]), (&"panicked".into(), &"queued".into()));
    assert!(lines.iter().all(|line| line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z'))), "{printed}");
}
