//! End to end, with real parts: the built `bootstrap` under AWS's own Lambda Runtime Interface Emulator, and the real
//! `template.yaml`, built by `sam build` and deployed by `sam deploy` to a local emulator of the AWS services.
//!
//! All tools are Python packages; the tests install them into a virtual environment under the target folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

mod aws_emulator;
mod cargo_lambda;
mod cloud_events;
mod deployment;
mod doctor;
mod inspect;
mod lambda_emulator;
mod listen;
mod nothing_lost;
mod process;
mod subscribers;
#[path = "../support/tool.rs"]
mod tool;
mod tools;

use std::{collections::BTreeMap, process::Command};

use aws_emulator::{AwsEmulator, Received};
use lambda_emulator::{LambdaEmulator, http_api_event};
use process::run;
use serde::Deserialize;
use serde_json::{Value, json};
use tools::Tools;
use voicehook_test_support::node_with_create_cipher;

const APP_ID: &str = "end-to-end-ключ";
const STATES: [&str; 8] = [
    "incomingcall",
    "connected",
    "bridging",
    "bridged",
    "hold",
    "bridge_disconnected",
    "recording_complete",
    "disconnected",
];

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    encrypted_data: String,
}

impl Webhook {
    fn body(&self) -> String {
        format!(r#"{{"encrypted_data":"{}"}}"#, self.encrypted_data)
    }
}

/// Webhooks as Node encrypts them, one for each event.
fn encrypted_by_node(app_id: &str, events: &[String]) -> Option<Vec<Webhook>> {
    let mut node = node_with_create_cipher()?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/oracles/encrypt.js");
    let output = node.arg(script).arg(app_id).args(events).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split('\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The events of some calls, call by call: each with a time that tells it from every other, so that a repeat is dropped.
fn events(calls: usize) -> Vec<String> {
    let of_call = |call: usize| {
        STATES.iter().enumerate().map(move |(second, state)| {
            let timestamp = format!("2026-11-23T10:52:0{second}.007Z");
            format!(r#"{{"voice_id":"call-{call}","state":"{state}","timestamp":"{timestamp}","note":"नमस्ते"}}"#)
        })
    };
    (0..calls).flat_map(of_call).collect()
}

/// The states of each call, in the order in which its messages came.
fn states_by_call(messages: &[Received]) -> BTreeMap<&str, Vec<&str>> {
    let mut calls: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for message in messages {
        let state = message.attributes["event_type"].strip_prefix("call.").unwrap();
        calls.entry(&message.attributes["voice_id"]).or_default().push(state);
    }
    calls
}

fn assert_every_event_arrived_whole(messages: &[Received], events: &[String]) {
    let mut bodies: Vec<&str> = messages.iter().map(|message| message.body.as_str()).collect();
    let mut sent: Vec<&str> = events.iter().map(String::as_str).collect();
    bodies.sort_unstable();
    sent.sort_unstable();
    assert_eq!(bodies, sent);
    for message in messages {
        for name in ["event_id", "event_type", "voice_id", "app", "received_at", "request_id", "content_type"] {
            assert!(message.attributes.contains_key(name), "{name} is missing: {:?}", message.attributes);
        }
    }
}

/// Requests that a stranger can send, and that a careless function panics on.
fn hostile_events() -> Vec<(&'static str, Value, u16)> {
    let path = "/webhook/sales/0123456789abcdef";
    let with = |pointer: &str, value: Value| {
        let mut event = http_api_event(path, "{}");
        *event.pointer_mut(pointer).unwrap() = value;
        event
    };
    let mut host = http_api_event(path, "{}");
    host["headers"]["host"] = json!("a b:99999999");
    host["headers"]["x-forwarded-proto"] = json!("a b://");
    let alb = json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b"}},
        "httpMethod": "POST", "path": "/web hook/|%zz", "queryStringParameters": {"a": "<%zz>"},
        "headers": {"host": "[::1", "content-type": "application/json"}, "body": "*", "isBase64Encoded": true,
    });
    vec![
        (
            "a body that is no base64",
            {
                let mut event = with("/body", json!("*no base64*"));
                event["isBase64Encoded"] = json!(true);
                event
            },
            400,
        ),
        ("a host that is none", host, 400),
        ("a query that makes no URI", with("/rawQueryString", json!("a=<b> c\u{e9}")), 400),
        ("a path that makes no URI", with("/rawPath", json!("/web hook/\u{0}|<>\u{e9}")), 404),
        ("an ALB request that is wrong throughout", alb, 404),
    ]
}

#[tokio::test]
async fn the_built_function_under_the_runtime_interface_emulator_queues_each_event_once() {
    let Some(tools) = Tools::install() else { return };
    let events = events(3);
    let Some(webhooks) = encrypted_by_node(APP_ID, &events) else {
        return;
    };
    let aws = AwsEmulator::start(&tools);
    let queue_url = aws.create_fifo_queue("events.fifo").await;
    let secret = format!(r#"{{"apps":{{"default":"unused","sales":"{APP_ID}"}},"token":"0123456789abcdef"}}"#);
    aws.create_secret("enablex", &secret).await;
    let variables = [("QUEUE_URL", queue_url.as_str()), ("ENABLEX_APP_ID_SECRET", "enablex")];
    let function = LambdaEmulator::start(&tools, &aws, &variables);

    let mut statuses = BTreeMap::new();
    let mut post = |path: &str, body: &str| {
        let response = function.invoke(path, body);
        let status = response["statusCode"].as_u64().unwrap_or_else(|| panic!("no response: {response}"));
        *statuses.entry(status).or_insert(0) += 1;
    };
    for webhook in &webhooks {
        post("/webhook/sales/0123456789abcdef", &webhook.body());
    }
    for webhook in webhooks.iter().take(5) {
        post("/webhook/sales/0123456789abcdef", &webhook.body()); // once more, as EnableX may do
        post("/webhook/default/0123456789abcdef", &webhook.body()); // another app's AppID
        post("/webhook/sales/0123456789abcdeF", &webhook.body());
        post("/webhook/sales/0123456789abcdef", &webhook.body()[1..]);
    }
    assert_eq!(statuses, BTreeMap::from([(200, events.len() + 5), (400, 10), (404, 5)]));
    for (what, event, status) in hostile_events() {
        assert_eq!(function.invoke_with(&event)["statusCode"], status, "{what}");
    }

    let messages = aws.receive_all(&queue_url, events.len()).await;
    assert_every_event_arrived_whole(&messages, &events);
    assert!(states_by_call(&messages).values().all(|states| *states == STATES), "{:?}", states_by_call(&messages));
    assert!(messages.iter().all(|message| message.attributes["app"] == "sales"));
    let log = function.stop();
    for secret in [APP_ID, "0123456789abcdef", "नमस्ते"] {
        assert!(!log.contains(secret), "the log holds {secret:?}");
    }
    assert!(log.contains(r#""outcome":"queued""#), "{log}");
}

#[tokio::test]
async fn the_local_receiver_sends_its_sample_call_to_a_real_queue() {
    let Some(tools) = Tools::install() else { return };
    let aws = AwsEmulator::start(&tools);
    let queue_url = aws.create_fifo_queue("events.fifo").await;
    let mut dev = Command::new(env!("CARGO_BIN_EXE_voicehook"));
    dev.args(["dev", "--once", "--listen", "127.0.0.1:0", "--queue-url", &queue_url]);
    let printed = run(aws.client_environment(&mut dev));
    assert!(printed.contains("9 of 9 events reached the queue"), "{printed}");
    let messages = aws.receive_all(&queue_url, 9).await;
    let types: Vec<&str> = messages.iter().map(|message| message.attributes["event_type"].as_str()).collect();
    assert_eq!(types.len(), 9);
    assert_eq!((types[0], types[8]), ("call.incomingcall", "call.disconnected"));
}

#[tokio::test]
async fn the_real_template_deployed_takes_webhooks_from_url_to_queue() {
    let Some(tools) = Tools::install() else { return };
    let events = events(4);
    let Some(webhooks) = encrypted_by_node(APP_ID, &events) else {
        return;
    };
    let aws = AwsEmulator::start(&tools);
    aws.create_secret("enablex", &format!(r#"{{"app_id":"{APP_ID}"}}"#)).await;
    let existing = aws.secret_arn("enablex").await;
    let new_secret_and_fifo = format!("AppId={APP_ID} QueueType=fifo");
    let existing_secret_and_standard = format!("AppIdSecretArn={existing} QueueType=standard");

    for (stack, parameters) in
        [("voicehook-fifo", new_secret_and_fifo), ("voicehook-standard", existing_secret_and_standard)]
    {
        let outputs = tools.deploy(&aws, stack, &parameters);
        let host = format!("{}.execute-api.localhost", outputs["api_id"]);
        let post = |webhook: &Webhook| aws.post(&host, "/webhook", &webhook.body());
        // Calls run side by side, and each sends its events one after the other, as a call does.
        std::thread::scope(|scope| {
            for call in webhooks.chunks(STATES.len()) {
                scope.spawn(move || call.iter().for_each(|webhook| assert_eq!(post(webhook).0, 200)));
            }
        });
        let tampered = Webhook { encrypted_data: "00".repeat(32) };
        assert_eq!(post(&tampered), (200, "{}".to_owned()), "the answer does not tell whether it opened");
        assert_eq!(aws.receive_all(&outputs["QuarantineQueueUrl"], 1).await.len(), 1);
        assert_eq!(aws.post(&host, "/webhook", "").0, 200, "a probe");

        let messages = aws.receive_all(&outputs["QueueUrl"], events.len()).await;
        assert_every_event_arrived_whole(&messages, &events);
        if stack.ends_with("fifo") {
            let calls = states_by_call(&messages);
            assert!(calls.values().all(|states| *states == STATES), "{calls:?}");
        }
    }
}
