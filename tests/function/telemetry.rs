//! The log, as a process writes it.

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId, Token},
    queue::{BatchingQueue, Message, Queue, QueueError, QueueKind, QueueUrl, Sent, Sqs},
    receiver::{Actions, Receiver, Settings},
    telemetry,
};
use voicehook_test_support::{
    APP_ID, EVENT, TestQueue, aws, fifo_message, headers, receiver, receiver_with, request,
    sqs_stub::{Reaction, SqsStub},
};

/// Set for the process that writes the log which the test then reads.
const WRITER: &str = "VOICEHOOK_TEST_WRITES_THE_LOG";

#[derive(Default)]
struct PanicsOnce(AtomicBool);

impl Queue for PanicsOnce {
    fn kind(&self) -> QueueKind {
        QueueKind::Standard
    }

    async fn send(&self, message: Message, _: Instant) -> Result<Sent, QueueError> {
        assert!(self.0.swap(true, Ordering::SeqCst), "injected: {}", message.body);
        Ok(Sent { message_id: "message-1".to_owned(), failover: false })
    }
}

/// Everything that a process printed which ran one of these tests to write a log.
fn log_of(test: &str) -> String {
    let mut writer = Command::new(std::env::current_exe().unwrap());
    // With one thread, as on one CPU, the test runner would write the test's name before the first line of the log.
    writer
        .args(["--exact", test, "--nocapture", "--test-threads=2"])
        .envs([(WRITER, "1"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE")]);
    let output = writer.env_remove("METRICS_NAMESPACE").output().unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

/// The lines of the log among what was printed.
fn lines_of(printed: &str) -> Vec<Value> {
    printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test]
async fn a_panic_and_a_webhook_are_one_json_line_each_without_phone_numbers() {
    if std::env::var_os(WRITER).is_some() {
        telemetry::start();
        let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300));
        let receiver = Receiver::new(Settings::default(), app_ids, PanicsOnce::default());
        receiver.respond(&request(EVENT)).await;
        receiver.respond(&request(EVENT)).await;
        return;
    }
    let printed = log_of("telemetry::a_panic_and_a_webhook_are_one_json_line_each_without_phone_numbers");
    assert!(!printed.contains("12025550123") && !printed.contains(APP_ID), "{printed}");
    let lines = lines_of(&printed);
    let said: Vec<(&str, &str)> =
        lines.iter().map(|line| (line["level"].as_str().unwrap(), line["message"].as_str().unwrap())).collect();
    assert_eq!(said, [("ERROR", "panic"), ("ERROR", "webhook"), ("INFO", "webhook")], "{printed}");
    assert_eq!((&lines[1]["outcome"], &lines[2]["outcome"]), (&"panicked".into(), &"queued".into()));
    assert!(lines.iter().all(|line| line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z'))), "{printed}");
}

#[tokio::test]
async fn what_the_quarantine_turns_away_is_counted_in_the_embedded_metric_format() {
    if std::env::var_os(WRITER).is_some() {
        telemetry::start();
        let queue = TestQueue::new(QueueKind::Standard);
        let receiver = receiver(&queue).with_quarantine(Some(queue.clone()));
        for _ in 0..600 {
            let garbage = headers().body(r#"{"encrypted_data":"00"}"#.to_owned()).unwrap().into();
            receiver.respond(&garbage).await;
        }
        return;
    }
    let printed = log_of("telemetry::what_the_quarantine_turns_away_is_counted_in_the_embedded_metric_format");
    let lines = lines_of(&printed);
    let limited = lines.iter().filter(|line| line["outcome"] == "quarantine_limited").count();
    let counted = lines.iter().filter(|line| line["QuarantineLimited"] == 1).count();
    assert!(limited > 0 && counted == limited, "{limited} turned away, {counted} counted");
}

#[tokio::test]
async fn actions_without_a_token_are_warned_of_at_the_start() {
    if std::env::var_os(WRITER).is_some() {
        telemetry::start();
        let actions = || Actions::parse(r#"{"call.connected": {"hangup": true}}"#).unwrap();
        let token = || Some(Token::new("0123456789abcdef").unwrap());
        let without = Settings::default;
        let with_token = || Settings { actions: actions(), token: token(), ..Settings::default() };
        let alone = || Settings { actions: actions(), ..Settings::default() };
        // Each kind as often as no sum of others.
        for settings in [alone(), without(), without(), with_token(), with_token(), with_token(), with_token()] {
            receiver_with(settings, FixedAppId::new(APP_ID), &TestQueue::new(QueueKind::Standard)).warm_up().await;
        }
        return;
    }
    let printed = log_of("telemetry::actions_without_a_token_are_warned_of_at_the_start");
    let warnings = printed.lines().filter(|line| line.contains("ACTIONS are not sent")).count();
    assert_eq!(warnings, 1, "{printed}");
}

#[tokio::test]
async fn an_event_that_sqs_took_before_an_earlier_one_of_its_call_is_counted() {
    if std::env::var_os(WRITER).is_some() {
        telemetry::start();
        let stub = SqsStub::start(&[Reaction::Accept, Reaction::AcceptHalf], Reaction::Accept).await;
        stub.open(false);
        let queue = BatchingQueue::new(Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap()));
        let deadline = Instant::now() + Duration::from_secs(60);
        // Of the second, third and fourth, in one batch, SQS takes the second and the fourth.
        let sent = (0..4)
            .map(|number| queue.send(fifo_message(&format!(r#"{{"voice_id":"a","number":{number}}}"#)), deadline));
        let opened = async {
            stub.read(1).await;
            stub.open(true);
        };
        let (sent, ()) = tokio::join!(join_all(sent), opened);
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        assert_eq!(stub.batches(), [3]);
        return;
    }
    let printed = log_of("telemetry::an_event_that_sqs_took_before_an_earlier_one_of_its_call_is_counted");
    let lines = lines_of(&printed);
    assert_eq!(lines.iter().filter(|line| line["Reordered"] == 1).count(), 1, "{printed}");
}

#[tokio::test]
async fn an_app_id_in_quotes_is_warned_of_at_the_start_without_the_app_id() {
    if std::env::var_os(WRITER).is_some() {
        telemetry::start();
        let _ = AppIds::new(FixedAppId::new("'app-id-0123456789'"), Duration::from_secs(300));
        return;
    }
    let printed = log_of("telemetry::an_app_id_in_quotes_is_warned_of_at_the_start_without_the_app_id");
    let warnings = printed.lines().filter(|line| line.contains("WARN") && line.contains("quotation mark")).count();
    assert!(warnings == 1 && !printed.contains("0123456789"), "{printed}");
}
