//! Runs `voicehook doctor` on a valid configuration, and on one with each thing that can be wrong.
//!
//! AWS is a stub that answers as each test needs; the webhook goes through a real receiver. `end_to_end` checks a
//! deployed stack.

use std::{
    collections::BTreeSet,
    process::Output,
    sync::{Arc, Mutex},
};

use crate::tool::{Dev, printed, typing, voicehook};
use serde_json::{Value, json};
use voicehook_test_support::aws_stub::{AwsStub, error};

const APP_ID: &str = "5f1e0a77-the-app-id-that-nobody-may-see";
const TOKEN: &str = "0123456789abcdef-token";

/// An answer of AWS that replaces the normal one.
type Instead = fn(&str, &Value) -> Option<(u16, Value)>;

/// Everything is right.
const AS_IT_SHOULD_BE: Instead = |_, _| None;

/// A configuration whose parts are all there: secret, queues, and a receiver that sends to the queue.
struct Deployment {
    aws: AwsStub,
    /// Requests that reached AWS: the operation and its input.
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Deployment {
    /// A deployment with one thing changed.
    async fn with(instead: Instead) -> Self {
        let asked: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let on_the_queue: Mutex<Vec<Value>> = Mutex::default();
        let log = Arc::clone(&asked);
        let aws = AwsStub::start(move |operation, request| {
            log.lock().unwrap().push((operation.to_owned(), request.clone()));
            instead(operation, request).unwrap_or_else(|| right(operation, request, &on_the_queue))
        })
        .await;
        Self { aws, asked }
    }

    fn queue(&self, name: &str) -> String {
        format!("{}/000000000000/{name}", self.aws.endpoint)
    }

    /// The tool with the variables of the function.
    fn voicehook(&self) -> std::process::Command {
        let mut command = voicehook();
        self.aws.point(&mut command).envs([
            ("ENABLEX_APP_ID_SECRET", "enablex"),
            ("QUEUE_URL", &self.queue("events.fifo")),
            ("QUARANTINE_QUEUE_URL", &self.queue("quarantine")),
        ]);
        command
    }

    /// The receiver that stands in for the deployed function.
    fn receiver(&self, app_id: &str) -> Dev {
        self.receiver_with(app_id, &[], &[])
    }

    fn receiver_with_quarantine(&self, app_id: &str, variables: &[(&str, &str)]) -> Dev {
        self.receiver_with(app_id, variables, &[&format!("--quarantine={}", self.queue("quarantine"))])
    }

    fn receiver_with(&self, app_id: &str, variables: &[(&str, &str)], options: &[&str]) -> Dev {
        let mut command = voicehook();
        self.aws.point(&mut command).env("ENABLEX_APP_ID", app_id).env("WEBHOOK_TOKEN", TOKEN);
        let queue = ["--queue-url", &self.queue("events.fifo")];
        Dev::start_with_options(command.envs(variables.iter().copied()), &[&queue, options].concat())
    }

    fn doctor(&self, arguments: &[&str]) -> Checked {
        self.doctor_with(&[], arguments)
    }

    fn doctor_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Checked {
        let mut command = self.voicehook();
        command.args(["doctor", "--json"]).args(arguments).envs(variables.iter().copied());
        Checked::new(&command.output().unwrap())
    }

    fn asked(&self, operation: &str) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(asked, _)| asked == operation).map(|(_, request)| request.clone()).collect()
    }
}

fn right(operation: &str, request: &Value, on_the_queue: &Mutex<Vec<Value>>) -> (u16, Value) {
    let mut on_the_queue = on_the_queue.lock().unwrap();
    let is_of_dead_letters = request["QueueUrl"].as_str().is_some_and(|url| url.ends_with("dead"));
    match operation {
        "GetSecretValue" if request["VersionStage"] == "AWSPREVIOUS" => error("ResourceNotFoundException"),
        "GetSecretValue" => (200, json!({"SecretString": json!({"app_id": APP_ID, "token": TOKEN}).to_string()})),
        "GetQueueUrl" => (200, json!({"QueueUrl": "http://127.0.0.1/000000000000/dead"})),
        "GetQueueAttributes" if is_of_dead_letters => {
            (200, json!({"Attributes": {"ApproximateNumberOfMessages": "0"}}))
        }
        "GetQueueAttributes" => (200, json!({"Attributes": attributes()})),
        "SendMessage" => {
            on_the_queue.push(request.clone());
            (200, json!({"MessageId": format!("message-{}", on_the_queue.len())}))
        }
        "ReceiveMessage" => {
            let message = |(index, sent): (usize, Value)| {
                let attribute = |name: &str| sent["MessageAttributes"][name]["StringValue"].as_str().map(str::to_owned);
                let receipt = attribute("voice_id").or_else(|| attribute("request_id"));
                json!({"MessageId": index.to_string(), "ReceiptHandle": receipt,
                       "Body": sent["MessageBody"], "MessageAttributes": sent["MessageAttributes"]})
            };
            let (wanted, others) = on_the_queue.drain(..).partition(|sent| sent["QueueUrl"] == request["QueueUrl"]);
            *on_the_queue = others;
            let messages: Vec<Value> = Vec::into_iter(wanted).enumerate().map(message).collect();
            (200, json!({"Messages": messages}))
        }
        "DeleteMessageBatch" => (200, json!({"Successful": [], "Failed": []})),
        "ChangeMessageVisibilityBatch" => (200, json!({"Successful": [], "Failed": []})),
        _ => (404, json!({"error": "not found"})),
    }
}

fn attributes() -> Value {
    json!({
        "ApproximateNumberOfMessages": "0", "MessageRetentionPeriod": "1209600", "MaximumMessageSize": "1048576",
        "VisibilityTimeout": "60", "SqsManagedSseEnabled": "true", "FifoQueue": "true",
        "RedrivePolicy": r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":5}"#,
    })
}

/// The attributes of every queue, with some of them changed.
fn with_attributes(operation: &str, otherwise: Value) -> Option<(u16, Value)> {
    let mut attributes = attributes();
    for (name, value) in otherwise.as_object().unwrap() {
        attributes[name] = value.clone();
    }
    attributes.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    (operation == "GetQueueAttributes").then(|| (200, json!({"Attributes": attributes})))
}

/// What doctor found.
struct Checked {
    status: i32,
    text: String,
    checks: Vec<Value>,
}

impl Checked {
    fn new(output: &Output) -> Self {
        let text = printed(output);
        for secret in [APP_ID, TOKEN] {
            assert!(!text.contains(secret), "a secret is echoed: {text}");
        }
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
        let checks = report["checks"].as_array().unwrap().clone();
        for check in &checks {
            assert_eq!(check["status"] == "ok", check["next"].is_null(), "what is not ok has a next step: {check}");
        }
        Self { status: output.status.code().unwrap(), text, checks }
    }

    /// Whether one check has this status, and says this and what to do.
    fn has(&self, name: &str, status: &str, detail: &str, next: &str) -> bool {
        self.checks.iter().any(|check| {
            check["name"] == name
                && check["status"] == status
                && check["detail"].as_str().unwrap().contains(detail)
                && check["next"].as_str().unwrap_or_default().contains(next)
        })
    }

    fn assert(&self, status: i32, name: &str, result: &str, detail: &str, next: &str) {
        assert!(self.has(name, result, detail, next), "{name}: {result}: {detail} -> {next}: {}", self.text);
        assert_eq!(self.status, status, "{}", self.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_configuration_passes_and_its_test_webhook_goes_from_the_url_to_the_queue_and_off_it_again() {
    let deployment = Deployment::with(AS_IT_SHOULD_BE).await;
    let receiver = deployment.receiver(APP_ID);
    let found = deployment.doctor(&["--url", &receiver.url]);
    assert_eq!(found.status, 0, "{}", found.text);
    assert!(found.checks.iter().all(|check| check["status"] == "ok"), "{}", found.text);
    for (name, says) in [
        ("variables", "ENABLEX_APP_ID_SECRET, QUEUE_URL, QUARANTINE_QUEUE_URL"),
        ("secret", "AppIDs of default, and a token"),
        ("secret", "not rotated"),
        ("queue", "events.fifo: FIFO, retention 14 days"),
        ("dead-letter queue", "dead is empty"),
        ("quarantine", "quarantine: standard"),
        ("url", "/webhook/default/… answers"),
        ("test webhook", "kept, request id local-"),
        // The sample call of the receiver.
        ("event", "behind 9 other messages and was deleted"),
    ] {
        assert!(found.has(name, "ok", says, ""), "{name}: {says}: {}", found.text);
    }
    let deleted = deployment.asked("DeleteMessageBatch");
    assert!(
        deleted.len() == 1
            && deleted[0]["Entries"][0]["ReceiptHandle"].as_str().unwrap().starts_with("voicehook-doctor-")
    );
    let given_back = deployment.asked("ChangeMessageVisibilityBatch");
    let entries: Vec<&Value> = given_back.iter().flat_map(|request| request["Entries"].as_array().unwrap()).collect();
    assert!(entries.len() == 9 && entries.iter().all(|entry| entry["VisibilityTimeout"] == 0), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_variables_are_each_named_with_what_would_be_right() {
    let deployment = Deployment::with(AS_IT_SHOULD_BE).await;
    let failover = deployment.queue("failover");
    for (variable, value, says) in [
        ("QUEUE_URL", "", "QUEUE_URL is not set"),
        ("QUEUE_URL", "events", "QUEUE_URL"),
        ("ENABLEX_APP_ID_SECRET", "", "ENABLEX_APP_ID is not set, nor is ENABLEX_APP_ID_SECRET"),
        ("ENABLEX_APP_ID", APP_ID, "are both set"),
        ("FAILOVER_QUEUE_URL", &failover, "same type as QUEUE_URL"),
        ("WEBHOOK_TOKEN", "short", "at least 16 characters"),
        ("ALLOWED_ALGORITHMS", "rot13", "\"rot13\" is not supported"),
        ("ACTIONS", r#"{"call.incomingcall": 1}"#, "call.incomingcall"),
    ] {
        let found = deployment.doctor_with(&[(variable, value)], &[]);
        found.assert(1, "variables", "failed", says, "Fix this: the function will not start");
    }
    let all = deployment.doctor_with(&[("QUEUE_URL", ""), ("WEBHOOK_TOKEN", "short")], &[]);
    assert_eq!(all.checks.len(), 2, "{}", all.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_secret_is_told_apart() {
    let cases: [(Instead, &str, &str); 10] = [
        (
            |operation, _| (operation == "GetSecretValue").then(|| error("InvalidRequestException")),
            "scheduled for deletion",
            "aws secretsmanager restore-secret",
        ),
        (|operation, _| (operation == "GetSecretValue").then(|| error("DecryptionFailure")), "KMS key", "kms:Decrypt"),
        (
            |operation, _| (operation == "GetSecretValue").then(|| (200, json!({"SecretString": r#""quoted""#}))),
            "it is a JSON string",
            "Fix the value of the secret",
        ),
        (
            |operation, _| {
                let webhook = r#"{"apps":{"webhook":"a"}}"#;
                (operation == "GetSecretValue").then(|| (200, json!({"SecretString": webhook})))
            },
            "an app is called webhook",
            "Fix the value of the secret",
        ),
        (
            |operation, _| (operation == "GetSecretValue").then(|| error("ResourceNotFoundException")),
            "does not exist in this account and region",
            "names a secret in this account and region",
        ),
        (
            |operation, _| (operation == "GetSecretValue").then(|| error("AccessDeniedException")),
            "may not read the secret",
            "Use credentials that allow secretsmanager:GetSecretValue",
        ),
        (
            |operation, _| (operation == "GetSecretValue").then(|| error("UnrecognizedClientException")),
            "UnrecognizedClientException",
            "Check AWS_REGION and your credentials",
        ),
        (
            |operation, _| (operation == "GetSecretValue").then(|| (200, json!({"SecretString": r#"{"appid":"a"}"#}))),
            "neither a field app_id nor a field apps",
            "docs/configuration.md",
        ),
        (
            |operation, _| (operation == "GetSecretValue").then(|| (200, json!({"SecretBinary": "AAAA"}))),
            "it is binary",
            "Fix the value of the secret",
        ),
        (
            |operation, _| {
                let short = r#"{"app_id":"a","token":"short"}"#;
                (operation == "GetSecretValue").then(|| (200, json!({"SecretString": short})))
            },
            "its token must have at least 16 characters",
            "Fix the value of the secret",
        ),
    ];
    for (instead, detail, next) in cases {
        let found = Deployment::with(instead).await.doctor(&[]);
        found.assert(1, "secret", "failed", detail, next);
        assert!(found.has("test webhook", "skipped", "no AppID", "Fix the secret"), "{}", found.text);
    }
    let previous: Instead = |operation, request| {
        (operation == "GetSecretValue" && request["VersionStage"] == "AWSPREVIOUS")
            .then(|| (200, json!({"SecretString": "{}"})))
    };
    let found = Deployment::with(previous).await.doctor(&["--no-send"]);
    found.assert(0, "secret", "warning", "AWSPREVIOUS", "twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_in_an_app_id_is_named_and_white_space_around_it_is_ignored() {
    let quotes: Instead = |operation, request| {
        let quoted = format!("'{APP_ID}'");
        (operation == "GetSecretValue" && request["VersionStage"] == "AWSCURRENT")
            .then(|| (200, json!({"SecretString": quoted})))
    };
    let found = Deployment::with(quotes).await.doctor(&["--no-send"]);
    found.assert(0, "AppID", "warning", "app default begins or ends with a quotation mark", "EnableX portal");
    let deployment = Deployment::with(AS_IT_SHOULD_BE).await;
    let with = |app_id: &str| {
        deployment.doctor_with(&[("ENABLEX_APP_ID", app_id), ("ENABLEX_APP_ID_SECRET", "")], &["--no-send"])
    };
    with(&APP_ID.replace('-', "-\u{200b}")).assert(0, "AppID", "warning", "invisible character", "EnableX portal");
    let found = with(&format!("\u{feff} {APP_ID}\n"));
    assert!(
        found.has("AppID", "ok", "in ENABLEX_APP_ID", "") && !found.has("AppID", "warning", "", ""),
        "{}",
        found.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_queues_is_told_apart() {
    let cases: [(Instead, i32, &str, &str, &str, &str); 9] = [
        (
            |operation, _| (operation == "GetQueueAttributes").then(|| error("com.amazonaws.sqs#QueueDoesNotExist")),
            1,
            "queue",
            "failed",
            "events.fifo does not exist",
            "Fix QUEUE_URL",
        ),
        (
            |operation, _| (operation == "GetQueueAttributes").then(|| error("AccessDeniedException")),
            0,
            "queue",
            "warning",
            "you are not allowed to read the attributes of",
            "sqs:GetQueueAttributes",
        ),
        (
            |operation, _| (operation == "GetQueueAttributes").then(|| error("InvalidAddress")),
            1,
            "quarantine",
            "failed",
            "cannot be read",
            "QUARANTINE_QUEUE_URL",
        ),
        (
            |operation, _| with_attributes(operation, json!({"RedrivePolicy": null})),
            0,
            "dead-letter queue",
            "warning",
            "has none",
            "RedrivePolicy",
        ),
        (
            |operation, _| (operation == "GetQueueUrl").then(|| error("com.amazonaws.sqs#QueueDoesNotExist")),
            0,
            "dead-letter queue",
            "warning",
            "dead cannot be read",
            "Create it again",
        ),
        (
            |operation, _| with_attributes(operation, json!({"ApproximateNumberOfMessages": "3"})),
            0,
            "dead-letter queue",
            "warning",
            "3 events are in dead",
            "aws sqs start-message-move-task",
        ),
        (
            |operation, _| with_attributes(operation, json!({"ApproximateNumberOfMessages": "3"})),
            0,
            "quarantine",
            "warning",
            "3 webhooks are waiting in it",
            "voicehook redrive",
        ),
        (
            |operation, _| with_attributes(operation, json!({"MaximumMessageSize": "262144"})),
            0,
            "queue",
            "warning",
            "at most 262144 bytes",
            "MaximumMessageSize to 1048576",
        ),
        (
            |operation, _| with_attributes(operation, json!({"SqsManagedSseEnabled": "false"})),
            0,
            "queue",
            "warning",
            "not encrypted at rest",
            "SqsManagedSseEnabled",
        ),
    ];
    for (instead, status, name, result, detail, next) in cases {
        let found = Deployment::with(instead).await.doctor(&["--no-send"]);
        found.assert(status, name, result, detail, next);
    }
    let short: Instead = |operation, _| with_attributes(operation, json!({"MessageRetentionPeriod": "3600"}));
    let found = Deployment::with(short).await.doctor(&["--no-send"]);
    found.assert(0, "queue", "warning", "lost after 3600 s", "MessageRetentionPeriod");
    let deployment = Deployment::with(AS_IT_SHOULD_BE).await;
    let none = deployment.doctor_with(&[("QUARANTINE_QUEUE_URL", "")], &["--no-send"]);
    none.assert(0, "quarantine", "warning", "not kept", "QUARANTINE_QUEUE_URL");
    let open = deployment.doctor_with(
        &[("ALLOW_PLAINTEXT", "true"), ("ENABLEX_APP_ID", APP_ID), ("ENABLEX_APP_ID_SECRET", "")],
        &["--no-send"],
    );
    open.assert(0, "variables", "warning", "ALLOW_PLAINTEXT", "Set WEBHOOK_TOKEN too");
    let closed = deployment.doctor_with(&[("ALLOW_PLAINTEXT", "true")], &["--no-send"]);
    assert!(!closed.text.contains("anyone who knows the URL"), "the secret has a token: {}", closed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_without_a_token_are_named_because_they_are_never_sent() {
    let deployment = Deployment::with(AS_IT_SHOULD_BE).await;
    let actions = ("ACTIONS", r#"{"call.incomingcall":{"play":{"text":"hello"}}}"#);
    let of_the_environment = [("ENABLEX_APP_ID", APP_ID), ("ENABLEX_APP_ID_SECRET", "")];
    let without = deployment.doctor_with(&[actions, of_the_environment[0], of_the_environment[1]], &["--no-send"]);
    without.assert(0, "variables", "warning", "ACTIONS are set but never sent", "Set WEBHOOK_TOKEN too");
    let token = ("WEBHOOK_TOKEN", TOKEN);
    for variables in [&[actions][..], &[actions, token, of_the_environment[0], of_the_environment[1]]] {
        let with = deployment.doctor_with(variables, &["--no-send"]);
        assert!(!with.text.contains("never sent"), "{}", with.text);
        assert!(with.has("variables", "ok", "ACTIONS", ""), "{}", with.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_webhook_that_is_in_quarantine_is_found_there_and_taken_off_alone() {
    for (app_id, variable, reason, next) in [
        ("another", ("ALLOWED_ALGORITHMS", "aes-256-cbc"), "undecryptable", "The function has a different AppID"),
        (APP_ID, ("ALLOWED_ALGORITHMS", "aes-128-cbc"), "malformed", "ALLOWED_ALGORITHMS is the same"),
    ] {
        let deployment = Deployment::with(AS_IT_SHOULD_BE).await;
        let receiver = deployment.receiver_with_quarantine(app_id, &[variable]);
        let other = voicehook()
            .args(["trigger", "hold", "--corrupt", "tampered", "--url", &receiver.url, "--app-id", APP_ID])
            .output()
            .unwrap();
        assert!(other.status.success(), "{}", printed(&other));
        let found = deployment.doctor(&["--url", &receiver.url]);
        assert!(found.has("test webhook", "ok", "kept, request id local-", ""), "{}", found.text);
        let detail = format!("in quarantine, and was deleted: {reason}");
        found.assert(1, "event", "failed", &detail, next);
        let quarantine = deployment.queue("quarantine");
        let sent = deployment.asked("SendMessage");
        let (own, others) = sent.split_last().unwrap();
        let id = |message: &Value| message["MessageAttributes"]["request_id"]["StringValue"].clone();
        let deleted = deployment.asked("DeleteMessageBatch");
        assert_eq!(
            deleted.iter().map(|request| request["Entries"][0]["ReceiptHandle"].clone()).collect::<Vec<_>>(),
            [id(own)]
        );
        let given_back = deployment.asked("ChangeMessageVisibilityBatch");
        let entries = given_back.iter().filter(|request| request["QueueUrl"] == quarantine.as_str());
        let entries: Vec<Value> = entries.flat_map(|request| request["Entries"].as_array().unwrap().clone()).collect();
        let others = others.iter().filter(|message| message["QueueUrl"] == quarantine.as_str());
        assert_eq!(
            entries.iter().map(|entry| entry["ReceiptHandle"].to_string()).collect::<BTreeSet<_>>(),
            others.map(|other| id(other).to_string()).collect::<BTreeSet<_>>()
        );
        assert!(entries.iter().all(|entry| entry["VisibilityTimeout"] == 0), "{entries:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_url_answers_decides_the_advice() {
    let deployment = Deployment::with(AS_IT_SHOULD_BE).await;
    let receiver = deployment.receiver(APP_ID);
    let base = receiver.url.strip_suffix(&format!("/default/{TOKEN}")).unwrap();
    let no_such_path = receiver.url.replace("/webhook", "/webhooks");
    let wrong_token = format!("{base}/default/another-token-of-16");
    let without_token = base.to_owned();
    for url in [&no_such_path, &wrong_token, &without_token] {
        let found = deployment.doctor(&["--url", url]);
        found.assert(1, "url", "failed", "answered a probe with 404", "the token is that of WEBHOOK_TOKEN");
        assert!(!found.text.contains("another-token-of-16"), "a token is echoed: {}", found.text);
    }
    let nobody = format!("http://127.0.0.1:9/webhook/default/{TOKEN}");
    let found = deployment.doctor(&["--url", &nobody]);
    found.assert(1, "url", "failed", "cannot be reached", "WebhookUrl");
    let found = deployment.doctor(&[]);
    found.assert(0, "test webhook", "skipped", "no URL", "--url");
    let found = deployment.doctor(&["--url", &receiver.url, "--app", "sales"]);
    found.assert(1, "test webhook", "failed", "no app sales", "--app");
    let found = deployment.doctor(&["--url", &receiver.url, "--no-receive"]);
    found.assert(0, "event", "skipped", "not checked", "voicehook-doctor-");

    let with_another_app_id = deployment.receiver("another");
    let found = deployment.doctor(&["--url", &with_another_app_id.url]);
    found.assert(1, "test webhook", "failed", "answered 400", "the current AppID");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_voicehooks_is_told_apart() {
    let cases: [(Instead, &str, &str); 5] = [
        (|operation, _| (operation == "POST /webhook").then(|| (200, json!({}))), "without x-request-id", "WebhookUrl"),
        (
            |operation, _| (operation == "POST /webhook").then(|| (202, json!({}))),
            "an older version of voicehook",
            "Deploy again",
        ),
        (
            |operation, _| (operation == "POST /webhook").then(|| (403, json!({}))),
            "in front of the function rejected it",
            "AWS WAF",
        ),
        (
            |operation, _| (operation == "POST /webhook").then(|| (503, json!({}))),
            "did not accept the event",
            "sam logs",
        ),
        (|operation, _| (operation == "POST /webhook").then(|| (502, json!({}))), "does not answer", "sam logs"),
    ];
    for (post, detail, next) in cases {
        let aws = AwsStub::start(move |operation, request| match operation {
            "GET /webhook" => (200, json!({})),
            _ => post(operation, request).unwrap_or_else(|| right(operation, request, &Mutex::default())),
        })
        .await;
        let deployment = Deployment { aws, asked: Arc::default() };
        let url = format!("{}/webhook", deployment.aws.endpoint);
        deployment.doctor(&["--url", &url]).assert(1, "test webhook", "failed", detail, next);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_does_not_come_is_a_failure_and_so_is_a_queue_that_may_not_be_read() {
    let silent: Instead = |operation, _| (operation == "ReceiveMessage").then(|| (200, json!({"Messages": []})));
    let deployment = Deployment::with(silent).await;
    let receiver = deployment.receiver(APP_ID);
    let found = deployment.doctor(&["--url", &receiver.url, "--wait", "1"]);
    let detail = "neither on the queue nor in quarantine within 1 s";
    found.assert(1, "event", "failed", detail, "a subscriber reads this queue");
    let none = deployment.doctor_with(&[("QUARANTINE_QUEUE_URL", "")], &["--url", &receiver.url, "--wait", "1"]);
    none.assert(1, "event", "failed", "not on the queue within 1 s", "request id local-");
    let denied: Instead = |operation, _| (operation == "ReceiveMessage").then(|| error("AccessDeniedException"));
    let deployment = Deployment::with(denied).await;
    let receiver = deployment.receiver(APP_ID);
    let found = deployment.doctor(&["--url", &receiver.url]);
    found.assert(1, "event", "failed", "the queue cannot be read", "--no-receive");
    let half: Instead = |operation, request| {
        let is_quarantine = request["QueueUrl"].as_str().is_some_and(|url| url.ends_with("quarantine"));
        (operation == "ReceiveMessage" && is_quarantine).then(|| error("AccessDeniedException"))
    };
    let deployment = Deployment::with(half).await;
    let receiver = deployment.receiver_with_quarantine("another", &[]);
    let found = deployment.doctor(&["--url", &receiver.url, "--wait", "1"]);
    found.assert(1, "event", "failed", "the quarantine cannot be read", "sqs:ReceiveMessage");
    let lost: Instead =
        |operation, _| (operation == "SendMessage").then(|| error("com.amazonaws.sqs#QueueDoesNotExist"));
    let deployment = Deployment::with(lost).await;
    let receiver = deployment.receiver(APP_ID);
    let found = deployment.doctor(&["--url", &receiver.url]);
    found.assert(1, "test webhook", "failed", "the queue did not accept the event", "not_queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_has_each_check_with_its_next_step_and_no_colours_in_a_pipe() {
    let none: Instead = |operation, _| (operation == "GetQueueAttributes").then(|| error("QueueDoesNotExist"));
    let deployment = Deployment::with(none).await;
    let mut command = deployment.voicehook();
    command.args(["doctor", "--no-send"]);
    let output = command.output().unwrap();
    let table = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{table}");
    assert!(output.stderr.is_empty() && !table.contains('\u{1b}'), "{table:?}");
    let row = table.lines().position(|line| line.contains("failed") && line.contains("does not exist")).unwrap();
    assert!(table.lines().nth(row + 1).unwrap().trim_start().starts_with("-> Fix QUEUE_URL"), "{table}");
    assert!(table.lines().next_back().unwrap().contains("2 failed, 0 warnings"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_the_table_is_as_wide_as_the_terminal_and_coloured_unless_no_color_is_set() {
    let none: Instead = |operation, _| (operation == "GetQueueAttributes").then(|| error("QueueDoesNotExist"));
    let deployment = Deployment::with(none).await;
    let mut command = deployment.voicehook();
    command.args(["doctor", "--no-send"]);
    for (no_color, coloured) in [("", true), ("1", false)] {
        let Some(mut terminal) = typing(command.env("NO_COLOR", no_color), 60, "", "") else { return };
        let output = terminal.output().unwrap();
        let shown = printed(&output);
        assert_eq!(output.status.code(), Some(1), "{shown:?}");
        assert_eq!(shown.contains("\u{1b}[31m") || shown.contains("\u{1b}[38;5;9m"), coloured, "{shown:?}");
        let plain = without_escapes(&shown);
        assert!(plain.contains("does not exist") && plain.contains("-> Fix"), "{plain}");
        let widest = plain.split(['\r', '\n']).map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| (50..=60).contains(&widest)), "{widest:?}: {plain}");
    }
}

/// Terminal output without its escape sequences.
fn without_escapes(shown: &str) -> String {
    let mut parts = shown.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let is_end = |character: char| character.is_ascii_alphabetic();
    first + &parts.map(|part| part.split_once(is_end).map_or("", |(_, rest)| rest)).collect::<String>()
}

#[test]
fn an_aws_that_cannot_be_reached_is_named_in_one_short_line_with_what_to_see_to() {
    let mut command = voicehook();
    command.args(["doctor", "--stack", "voicehook", "--json"]).envs([
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ]);
    let found = Checked::new(&command.output().unwrap());
    found.assert(1, "stack", "failed", "voicehook cannot be read in us-east-1: dispatch failure", "AWS_REGION");
    let detail = found.checks[0]["detail"].as_str().unwrap();
    assert!(!detail.contains("DispatchFailure") && detail.contains("refused"), "{detail}");
}
