//! The 410 webhooks of `tests/vectors/reference.jsonl`, judged by Node's own `createDecipher`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use voicehook_lambda::{
    decrypt::{self, KeyAndIv, Plaintext},
    webhook::{Accept, Webhook},
};
use voicehook_test_support::{
    aws_stub::{AwsStub, error},
    runtime_api::{PATIENCE, RuntimeApi, webhook_event},
};

#[derive(Deserialize)]
struct Case {
    name: String,
    app_id: String,
    headers: BTreeMap<String, String>,
    body: String,
    expect: Expect,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Expect {
    Event(String),
    Refuse(String),
}

fn cases() -> Vec<Case> {
    let lines = include_str!("../vectors/reference.jsonl").split('\n').filter(|line| !line.is_empty());
    let cases: Vec<Case> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cases.len(), 410);
    cases
}

fn judge(case: &Case) -> Expect {
    let headers: HeaderMap = case
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
        .collect();
    let envelope = match Webhook::read(&headers, case.body.as_bytes(), &Accept::all()) {
        Ok(Webhook::Encrypted(envelope)) => envelope,
        Ok(Webhook::Plain(_)) => panic!("{}: taken as plain text", case.name),
        Err(_) => return Expect::Refuse("malformed".to_owned()),
    };
    decrypt::open(&envelope, &KeyAndIv::derive(&case.app_id))
        .and_then(Plaintext::into_event)
        .map_or_else(|_| Expect::Refuse("undecryptable".to_owned()), |mut event| Expect::Event(event.take_text()))
}

#[test]
fn every_reference_webhook_is_opened_or_refused_as_node_does() {
    let cases = cases();
    let wrong: Vec<&str> =
        cases.iter().filter(|case| judge(case) != case.expect).map(|case| case.name.as_str()).collect();
    assert_eq!(wrong, Vec::<&str>::new());
}

/// An HTTP API's event with a case, for the app of that name.
fn event_of(case: &Case, app: &str) -> Value {
    let mut event = webhook_event(&format!("/webhook/{app}"), "", &case.body);
    event["headers"] = json!(case.headers);
    event
}

/// The messages that the function sends, each with its app.
type Sent = Arc<Mutex<Vec<(String, String)>>>;

/// Secrets Manager with the AppIDs of all apps, and a queue that remembers.
async fn aws(apps: &BTreeMap<&str, String>) -> (AwsStub, Sent) {
    let by_name: BTreeMap<&String, &str> = apps.iter().map(|(app_id, name)| (name, *app_id)).collect();
    let secret = json!({ "apps": by_name }).to_string();
    let sent = Sent::default();
    let kept = Arc::clone(&sent);
    let keep = move |message: &Value| {
        let app = message["MessageAttributes"]["app"]["StringValue"].as_str().unwrap_or_default().to_owned();
        kept.lock().unwrap().push((app, message["MessageBody"].as_str().unwrap_or_default().to_owned()));
    };
    let stub = AwsStub::start(move |operation, request| match operation {
        "GetSecretValue" if request["VersionStage"] == "AWSCURRENT" => (200, json!({ "SecretString": secret })),
        "GetSecretValue" => error("ResourceNotFoundException"),
        "SendMessage" => {
            keep(request);
            (200, json!({"MessageId": "1"}))
        }
        "SendMessageBatch" => {
            let entries = request["Entries"].as_array().unwrap();
            entries.iter().for_each(&keep);
            let taken: Vec<Value> = entries
                .iter()
                .map(|entry| json!({"Id": entry["Id"], "MessageId": "1", "MD5OfMessageBody": ""}))
                .collect();
            (200, json!({"Successful": taken, "Failed": []}))
        }
        _ => (200, json!({})),
    });
    (stub.await, sent)
}

/// What `.ci/arm64` runs too, with the binary for that processor.
#[tokio::test]
async fn the_binary_queues_and_refuses_every_reference_webhook_as_node_does() {
    let cases = cases();
    let app_ids: BTreeSet<&str> = cases.iter().map(|case| case.app_id.as_str()).collect();
    let apps: BTreeMap<&str, String> = app_ids.into_iter().enumerate().map(|(n, id)| (id, format!("a{n}"))).collect();
    let (stub, sent) = aws(&apps).await;
    let api = RuntimeApi::start().await;
    let queue_url = format!("{}/000000000000/events", stub.endpoint);
    let _function = api.function(
        &crate::lambda_binary(),
        &[
            ("AWS_LAMBDA_MAX_CONCURRENCY", "64"),
            ("AWS_ENDPOINT_URL", &stub.endpoint),
            ("QUEUE_URL", &queue_url),
            ("ENABLEX_APP_ID_SECRET", "enablex"),
            ("ALLOWED_ALGORITHMS", "all"),
            ("PUBLISH_DEADLINE_MS", "25000"),
        ],
    );
    let answers: Vec<_> =
        cases.iter().map(|case| api.invoke(event_of(case, &apps[case.app_id.as_str()]), None)).collect();
    let mut expected = Vec::new();
    for (case, answer) in cases.iter().zip(answers) {
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        match &case.expect {
            Expect::Event(event) => {
                assert_eq!(status, 200, "{}: {answer}", case.name);
                expected.push((apps[case.app_id.as_str()].clone(), event.clone()));
            }
            Expect::Refuse(_) => assert!(matches!(status, 400 | 415), "{}: {answer}", case.name),
        }
    }
    let mut sent = sent.lock().unwrap().clone();
    sent.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sent.len(), expected.len());
    assert!(sent == expected, "a message is not the event that Node reads");
}
