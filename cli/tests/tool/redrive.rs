//! `voicehook redrive`, as a person runs it, on a quarantine with everything that can be in one.

use std::{
    collections::BTreeSet,
    process::{Command, Output},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::tool::{Dev, printed, voicehook};
use serde_json::{Value, json};
use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format},
    event::Event,
    sender,
};
use voicehook_test_support::aws_stub::{AwsStub, error};

pub(crate) const APP_ID: &str = "an-app-id";
pub(crate) const EVENT: &str =
    r#"{"voice_id": "5f2d8a66", "state":"connected", "timestamp":"2026-11-23T10:52:06.007Z", "n":1.50}"#;

/// What SQS has.
#[derive(Default)]
struct Sqs {
    /// The bodies in quarantine. Those that are deleted are `None`.
    quarantine: Vec<Option<String>>,
    hidden: BTreeSet<usize>,
    /// Whether what was received is there again at once, as in a run longer than the visibility timeout.
    hides_nothing: bool,
    /// The largest message that the quarantine takes.
    limit: usize,
    sent: Vec<Value>,
}

impl Sqs {
    fn answer(&mut self, operation: &str, request: &Value) -> (u16, Value) {
        let is_quarantine = request["QueueUrl"].as_str().is_some_and(|url| url.ends_with("quarantine"));
        let entries = request["Entries"].as_array().cloned().unwrap_or_default();
        let numbers = entries.iter().map(|entry| entry["ReceiptHandle"].as_str().unwrap().parse::<usize>().unwrap());
        let done: Vec<Value> = entries.iter().map(|entry| json!({"Id": entry["Id"]})).collect();
        match operation {
            "ReceiveMessage" => (200, json!({"Messages": self.receive()})),
            "DeleteMessageBatch" => {
                numbers.for_each(|number| self.quarantine[number] = None);
                (200, json!({"Successful": done, "Failed": []}))
            }
            "ChangeMessageVisibilityBatch" => {
                numbers.for_each(|number| _ = self.hidden.remove(&number));
                (200, json!({"Successful": done, "Failed": []}))
            }
            "SendMessage" if is_quarantine => self.keep(request["MessageBody"].as_str().unwrap()),
            "SendMessage" => {
                self.sent.push(request.clone());
                (200, json!({"MessageId": format!("sent-{}", self.sent.len())}))
            }
            "GetQueueAttributes" => (200, json!({"Attributes": {}})),
            _ => error("UnsupportedOperation"),
        }
    }

    fn receive(&mut self) -> Vec<Value> {
        let visible = self.quarantine.iter().enumerate().filter(|(number, _)| !self.hidden.contains(number));
        let batch: Vec<(usize, String)> =
            visible.filter_map(|(number, body)| Some((number, body.clone()?))).take(10).collect();
        if !self.hides_nothing {
            self.hidden.extend(batch.iter().map(|(number, _)| number));
        }
        let message = |(number, body): (usize, String)| json!({"MessageId": format!("message-{number}"), "ReceiptHandle": number.to_string(), "Body": body});
        batch.into_iter().map(message).collect()
    }

    fn keep(&mut self, body: &str) -> (u16, Value) {
        if body.len() >= self.limit {
            let message = format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {} bytes.",
                self.limit
            );
            return (400, json!({"__type": "com.amazonaws.sqs#InvalidParameterValue", "message": message}));
        }
        self.quarantine.push(Some(body.to_owned()));
        (200, json!({"MessageId": format!("message-{}", self.quarantine.len())}))
    }
}

/// SQS with a quarantine, and the tool on it.
struct Quarantine {
    aws: AwsStub,
    sqs: Arc<Mutex<Sqs>>,
}

impl Quarantine {
    async fn of(messages: impl IntoIterator<Item = Value>) -> Self {
        let quarantine = messages.into_iter().map(|message| Some(message.to_string())).collect();
        let sqs = Arc::new(Mutex::new(Sqs { quarantine, limit: usize::MAX, ..Sqs::default() }));
        let answering = Arc::clone(&sqs);
        let aws = AwsStub::start(move |operation, request| answering.lock().unwrap().answer(operation, request)).await;
        Self { aws, sqs }
    }

    fn sqs(&self) -> MutexGuard<'_, Sqs> {
        self.sqs.lock().unwrap()
    }

    fn queue(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.aws.endpoint)
    }

    fn redrive(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Redriven {
        let mut command = voicehook();
        self.aws.point(&mut command).env("ENABLEX_APP_ID", APP_ID).envs(variables.iter().copied());
        command.args(["redrive", "--from", &self.queue("quarantine"), "--to", &self.queue("events.fifo")]);
        Redriven::new(&mut command, arguments)
    }

    /// How many messages are in quarantine.
    fn left(&self) -> usize {
        self.sqs().quarantine.iter().flatten().count()
    }

    fn sent(&self) -> Vec<Value> {
        self.sqs().sent.clone()
    }
}

struct Redriven {
    status: Option<i32>,
    text: String,
}

impl Redriven {
    fn new(command: &mut Command, arguments: &[&str]) -> Self {
        let output: Output = command.args(arguments).output().unwrap();
        Self { status: output.status.code(), text: printed(&output) }
    }

    fn has(&self, count: usize, result: &str) -> bool {
        self.text.lines().any(|line| line.trim() == format!("{count}  {result}"))
    }

    fn assert(&self, status: i32, count: usize, result: &str) {
        assert!(self.has(count, result), "{count}  {result}: {}", self.text);
        assert_eq!(self.status, Some(status), "{}", self.text);
    }
}

pub(crate) fn encrypted(event: &str) -> Vec<u8> {
    encrypted_with(APP_ID, event)
}

pub(crate) fn encrypted_with(app_id: &str, event: &str) -> Vec<u8> {
    let algorithm = Algorithm::named("aes-256-cbc").unwrap();
    let data = sender::encrypt(event, app_id, algorithm, Format::Hex, Encoding::Utf8);
    format!(r#"{{"encrypted_data":"{data}"}}"#).into_bytes()
}

pub(crate) fn record(id: &str, body: &[u8]) -> Value {
    part(id, 1, 1, body)
}

pub(crate) fn part(id: &str, part: usize, parts: usize, body: &[u8]) -> Value {
    json!({
        "version": 1, "id": id, "part": part, "parts": parts, "reason": "undecryptable", "app": "default",
        "received_at": "2026-11-23T10:52:06Z", "request_id": format!("request of {id}"),
        "headers": {
            "content-type": "application/json", "x-algoritm": "aes-256-cbc", "x-format": "hex", "x-encoding": "utf8",
        },
        "body_base64": base64_simd::STANDARD.encode_to_string(body),
    })
}

/// A record with some fields that are otherwise.
pub(crate) fn with(mut record: Value, otherwise: Value) -> Value {
    for (name, value) in otherwise.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn orphan_parts_neither_keep_it_going_nor_make_it_fail_and_stay_in_quarantine() {
    let whole = encrypted(EVENT);
    for hides_nothing in [false, true] {
        let quarantine = Quarantine::of([
            part("orphan", 1, 2, &whole[..20]),
            record("whole", &whole),
            part("of many", 7, 1_000_000_000, b"x"),
        ])
        .await;
        quarantine.sqs().hides_nothing = hides_nothing;
        let redriven = quarantine.redrive(&[], &[]);
        redriven.assert(0, 2, "incomplete: parts missing");
        redriven.assert(0, 1, "sent to the queue");
        redriven.assert(0, 3, "webhooks in all");
        assert_eq!((quarantine.sent().len(), quarantine.left()), (1, 2));
        assert_eq!(quarantine.sent()[0]["MessageBody"], EVENT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_copies_of_the_parts_leave_the_quarantine_with_the_webhook() {
    let whole = encrypted(EVENT);
    let (first, second) = whole.split_at(50);
    let quarantine = Quarantine::of([
        part("w", 2, 2, second),
        part("w", 2, 2, second),
        part("w", 1, 2, first),
        part("w", 1, 2, first),
        part("w", 2, 2, second),
    ])
    .await;
    let redriven = quarantine.redrive(&[], &[]);
    redriven.assert(0, 1, "sent to the queue");
    redriven.assert(0, 1, "webhooks in all");
    assert_eq!((quarantine.sent().len(), quarantine.left()), (1, 0));
    assert_eq!(quarantine.sent()[0]["MessageBody"], EVENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_two_webhooks_are_never_joined_and_what_is_not_a_record_is_named() {
    let whole = encrypted(EVENT);
    let (first, second) = whole.split_at(50);
    let quarantine = Quarantine::of([
        part("w", 1, 2, first),
        with(part("w", 2, 2, second), json!({"app": "sales"})),
        part("w", 2, 3, second),
        with(record("none", &whole), json!({"parts": 0})),
        with(record("beyond", &whole), json!({"part": 2})),
        with(record("no base64", &whole), json!({"body_base64": "*"})),
        with(record("newer", &whole), json!({"version": 2})),
        json!({"Type": "Notification"}),
    ])
    .await;
    let redriven = quarantine.redrive(&[], &[]);
    redriven.assert(1, 3, "incomplete: parts missing");
    redriven.assert(1, 4, "left: not written by voicehook");
    redriven.assert(1, 1, "left: written by a newer version of voicehook");
    assert_eq!((quarantine.sent().len(), quarantine.left()), (0, 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_is_named_by_its_reason_and_is_there_for_the_next_run() {
    let foreign = record("foreign", &encrypted_with("another", EVENT));
    let undecided = with(record("undecided", &encrypted(EVENT)), json!({"reason": "app_id_unavailable"}));
    let still_undecided = with(
        foreign.clone(),
        json!({"id": "still", "reason": "app_id_unavailable", "headers": {"x-algoritm": "rot13"}}),
    );
    let quarantine = Quarantine::of([foreign, undecided, still_undecided]).await;
    let would = quarantine.redrive(&["--dry-run", "--reason", "app_id_unavailable"], &[]);
    would.assert(1, 1, "would be sent to the queue");
    would.assert(1, 1, "left: malformed (was \"app_id_unavailable\")");
    would.assert(1, 1, "skipped (different reason)");
    assert_eq!((quarantine.sent().len(), quarantine.left()), (0, 3));
    let redriven = quarantine.redrive(&[], &[]);
    redriven.assert(1, 1, "sent to the queue");
    redriven.assert(1, 1, "left: undecryptable");
    assert_eq!((quarantine.sent().len(), quarantine.left()), (1, 2));
    let unknown = quarantine.redrive(&["--reason", "unknown"], &[]);
    assert!(unknown.status == Some(2) && unknown.text.contains("app_id_unavailable"), "{}", unknown.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_events_come_back_with_allow_plaintext_if_their_token_was_checked() {
    let plain = json!({"reason": "malformed", "headers": {"content-type": "application/json"}});
    let plain = with(record("plain", EVENT.as_bytes()), plain);
    let unchecked = with(plain.clone(), json!({"id": "unchecked", "reason": "app_id_unavailable"}));
    let quarantine = Quarantine::of([plain, unchecked]).await;
    let without = quarantine.redrive(&[], &[]);
    without.assert(1, 1, "left: malformed");
    let redriven = quarantine.redrive(&[], &[("ALLOW_PLAINTEXT", "true")]);
    redriven.assert(1, 1, "sent to the queue");
    redriven.assert(1, 1, "left: not encrypted, and its token could not be checked");
    assert_eq!((quarantine.sent().len(), quarantine.left()), (1, 1));
    assert_eq!(quarantine.sent()[0]["MessageBody"], EVENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_not_configured_is_named_unless_it_could_be_a_token() {
    let of_app = |app: &str| with(record(&format!("{}", app.len()), &encrypted(EVENT)), json!({"app": app}));
    let plain = json!({"app": "sales", "reason": "malformed", "headers": {}});
    let plain = with(record("plain", EVENT.as_bytes()), plain);
    let quarantine = Quarantine::of([of_app("sales"), of_app("0123456789abcdef"), of_app("a\u{1b}[31m"), plain]).await;
    let redriven = quarantine.redrive(&[], &[("ALLOW_PLAINTEXT", "true")]);
    redriven.assert(1, 2, "left: app sales is not configured");
    redriven.assert(1, 2, "left: its app is not configured");
    assert!(!redriven.text.contains("0123456789abcdef") && !redriven.text.contains('\u{1b}'), "{}", redriven.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_says_what_the_record_says_of_its_webhook() {
    let quarantine = Quarantine::of([record("w", &encrypted(EVENT))]).await;
    quarantine.redrive(&[], &[]).assert(0, 1, "sent to the queue");
    let sent = quarantine.sent().remove(0);
    let attribute = |name: &str| sent["MessageAttributes"][name]["StringValue"].as_str().unwrap().to_owned();
    assert_eq!(attribute("received_at"), "2026-11-23T10:52:06.000Z");
    assert_eq!((attribute("request_id"), attribute("app")), ("request of w".to_owned(), "default".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_id_is_that_of_the_first_delivery_for_records_of_both_forms() {
    let key_press = r#"{"voice_id":"v1","playstate":"digitcollected","digit":"4"}"#;
    for event in [EVENT, key_press] {
        let older = record("w", &encrypted(event));
        let newer = with(older.clone(), json!({"invocation_id": "invocation-1"}));
        for (record, invocation) in [(older, "request of w"), (newer, "invocation-1")] {
            let quarantine = Quarantine::of([record]).await;
            quarantine.redrive(&[], &[]).assert(0, 1, "sent to the queue");
            let sent = quarantine.sent().remove(0);
            let expected = Event::from_json(event.to_owned()).unwrap().id("default", event, invocation);
            assert_eq!(sent["MessageDeduplicationId"], expected, "{event}");
            assert_eq!(sent["MessageAttributes"]["event_id"]["StringValue"], expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_records_the_quarantine_and_gives_its_messages_back_at_once() {
    let at = |time: &str, record: Value| with(record, json!({"received_at": time}));
    let quarantine = Quarantine::of([
        at("2026-11-23T10:52:07.5Z", record("second", &encrypted(EVENT))),
        at("2026-11-23T10:52:06Z", record("first", &encrypted(EVENT))),
        at("2026-11-23T10:52:09Z", record("foreign", &encrypted_with("another", EVENT))),
        with(record("token", &encrypted(EVENT)), json!({"app": "0123456789abcdef"})),
    ])
    .await;
    let file = format!("{}/quarantine-{}.jsonl", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let record = |more: &[&str]| {
        let _ = std::fs::remove_file(&file);
        let mut command = voicehook();
        quarantine.aws.point(&mut command).env("ENABLEX_APP_ID", APP_ID);
        command.args(["redrive", "--from", &quarantine.queue("quarantine"), "--record", &file]);
        let recorded = Redriven::new(&mut command, more);
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        (recorded, text)
    };
    let (recorded, text) = record(&["--dry-run"]);
    recorded.assert(1, 2, "would be sent to the queue");
    assert!(
        recorded.text.contains("3 webhooks are recorded") && recorded.text.contains("1 of them without"),
        "{}",
        recorded.text
    );
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let times: Vec<u64> = lines.iter().map(|line| line["at_ms"].as_u64().unwrap()).collect();
    assert_eq!(times, [0, 1500, 3000]);
    assert!(text.contains(EVENT) && !text.contains("0123456789abcdef"), "{text}");
    assert_eq!(
        (&lines[0]["outcome"], &lines[0]["status"], &lines[2]["event"]),
        (&"quarantined".into(), &200.into(), &Value::Null)
    );
    let hidden = quarantine.sqs().hidden.len();
    assert_eq!((quarantine.left(), hidden, quarantine.sent().len()), (4, 0, 0));

    let (_, text) = record(&["--dry-run", "--redact"]);
    assert!(text.contains("redacted-") && !text.contains("5f2d8a66") && !text.contains("encrypted_data"), "{text}");
    let (without, _) = record(&[]);
    assert!(without.status == Some(2) && without.text.contains("--dry-run"), "{}", without.text);
    let _ = std::fs::remove_file(&file);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_from_a_small_quarantine_queue_is_put_together_again() {
    let quarantine = Quarantine::of([]).await;
    quarantine.sqs().limit = 2048;
    let event = EVENT.replace("1.50", &format!("\"{}\"", "x".repeat(3000)));
    let mut receiver = voicehook();
    quarantine.aws.point(&mut receiver).env("ENABLEX_APP_ID", "of yesterday");
    let dev = Dev::start_with(receiver.env("QUARANTINE_QUEUE_URL", quarantine.queue("quarantine")));
    let file = format!("{}/redrive-{}.json", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    std::fs::write(&file, &event).unwrap();
    let sent = voicehook().args(["trigger", "--file", &file, "--app-id", APP_ID, "--url", &dev.url]).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(sent.status.success(), "{}", printed(&sent));
    assert!(quarantine.left() > 5, "{}", quarantine.left());
    quarantine.redrive(&[], &[]).assert(0, 1, "sent to the queue");
    assert_eq!((quarantine.left(), &quarantine.sent()[0]["MessageBody"]), (0, &event.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_max_ends_after_so_many_and_says_nothing_of_parts_that_it_did_not_wait_for() {
    let whole = encrypted(EVENT);
    let quarantine = Quarantine::of([part("half", 1, 2, &whole[..9]), record("a", &whole), record("b", &whole)]).await;
    let redriven = quarantine.redrive(&["--max", "1"], &[]);
    redriven.assert(0, 1, "sent to the queue");
    redriven.assert(0, 1, "webhooks in all");
    assert_eq!((quarantine.sent().len(), quarantine.left()), (1, 2));
}
