//! The function as a process, between a Runtime API that hands out many invocations at once and an SQS that can be
//! made to wait.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Child,
    sync::oneshot,
    time::timeout,
};
use voicehook_test_support::runtime_api::{PATIENCE, RuntimeApi, Signal, signal, terminate, webhook_event};
use voicehook_test_support::sqs_stub::{Reaction, SqsStub};
use voicehook_test_support::{APP_ID, encrypted_body};

const IN_FLIGHT: usize = 64;
const TOKEN: &str = "token-0123456789abcdef";
const EVENT: &str = r#"{"voice_id":"5f2d8a66","state":"connected","from":"+12025550123","note":"confidential"}"#;
/// Nothing that anybody could mean as a webhook.
const NOT_AN_EVENT: &str = r#"{"from":"+12025550123","note":"confidential"}"#;

/// A function with room for many invocations at once, and its queue.
async fn function(stub: &SqsStub, api: &RuntimeApi) -> Child {
    let (queue_url, endpoint) = (stub.queue_url(), stub.endpoint());
    api.function(
        &crate::lambda_binary(),
        &[
            ("AWS_LAMBDA_MAX_CONCURRENCY", &IN_FLIGHT.to_string()),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("QUEUE_URL", &queue_url),
            ("ENABLEX_APP_ID", APP_ID),
            ("PUBLISH_DEADLINE_MS", "25000"),
        ],
    )
}

fn trace_header(call: usize) -> String {
    format!("Root=1-5759e988-{call:024x};Parent=53995c3f42cd8ad8;Sampled=1")
}

/// Sends one webhook of each of so many calls, each with its own trace.
fn invoke_all(api: &RuntimeApi) -> Vec<oneshot::Receiver<Value>> {
    let invoke = |call: usize| {
        let event = format!(r#"{{"voice_id":"call-{call}","state":"connected"}}"#);
        api.invoke(webhook_event("/webhook", "", &encrypted_body(&event)), Some(&trace_header(call)))
    };
    (0..IN_FLIGHT).map(invoke).collect()
}

async fn statuses(answers: Vec<oneshot::Receiver<Value>>) -> BTreeMap<u64, usize> {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        *statuses.entry(answer["statusCode"].as_u64().unwrap_or_default()).or_insert(0) += 1;
    }
    statuses
}

#[tokio::test]
async fn sixty_four_webhooks_in_flight_are_queued_each_with_its_own_trace() {
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    stub.open(false);
    let _function = function(&stub, &api).await;
    let answers = invoke_all(&api);
    // None is answered yet, so all of them are in flight.
    api.handed_out(IN_FLIGHT).await;
    stub.open(true);
    assert_eq!(statuses(answers).await, BTreeMap::from([(200, IN_FLIGHT)]));

    let traces: HashSet<(String, String)> = stub
        .accepted()
        .iter()
        .filter(|request| request["MessageBody"].is_string())
        .map(|request| {
            let trace = &request["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"];
            (request["MessageGroupId"].as_str().unwrap().to_owned(), trace.as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(traces, (0..IN_FLIGHT).map(|call| (format!("default:call-{call}"), trace_header(call))).collect());
}

#[tokio::test]
async fn a_function_that_is_told_to_end_answers_what_is_in_flight_first() {
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    stub.open(false);
    let mut function = function(&stub, &api).await;
    let answers = invoke_all(&api);
    api.handed_out(IN_FLIGHT).await;
    api.terminate(&function).await;
    stub.open(true);
    assert_eq!(statuses(answers).await, BTreeMap::from([(200, IN_FLIGHT)]));
    let ended = timeout(PATIENCE, function.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn an_invocation_that_lambda_hands_out_just_before_it_ends_the_function_is_answered() {
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    let mut function = function(&stub, &api).await;
    api.asked_for(IN_FLIGHT).await;
    // Until it goes on, the function sees neither the invocations nor the signal.
    signal(function.id().unwrap(), Signal::STOP);
    let answers = invoke_all(&api);
    api.handed_out(IN_FLIGHT).await;
    api.terminate(&function).await;
    signal(function.id().unwrap(), Signal::CONT);
    assert_eq!(statuses(answers).await, BTreeMap::from([(200, IN_FLIGHT)]));
    let ended = timeout(PATIENCE, function.wait()).await.unwrap().unwrap();
    assert!(ended.success(), "{ended}");
}

/// The numbers of the events on the queue, in their order.
fn numbers(stub: &SqsStub) -> Vec<usize> {
    let bodies = stub.accepted().into_iter().filter_map(|message| message["MessageBody"].as_str().map(str::to_owned));
    let numbers: Vec<usize> = bodies
        .map(|body| serde_json::from_str::<Value>(&body).unwrap()["number"].as_u64().unwrap().try_into().unwrap())
        .collect();
    numbers
}

fn numbered(number: usize) -> Value {
    webhook_event("/webhook", "", &encrypted_body(&format!(r#"{{"voice_id":"call","number":{number}}}"#)))
}

/// What is not promised: `lambda_runtime`'s workers fetch invocations independently of each other, so that two that Lambda
/// hands out together can swap before voicehook sees either. docs/performance.md has the figures.
#[tokio::test]
async fn webhooks_of_one_call_at_sixty_four_at_once_are_all_queued_and_few_have_swapped() {
    const WEBHOOKS: usize = 2000;
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    let _function = function(&stub, &api).await;
    let answers = (0..WEBHOOKS).map(|number| api.invoke(numbered(number), None)).collect();
    assert_eq!(statuses(answers).await, BTreeMap::from([(200, WEBHOOKS)]));
    let mut queued = numbers(&stub);
    let swapped = queued.windows(2).filter(|pair| pair[0] > pair[1]).count();
    println!(
        "{swapped} of {WEBHOOKS} webhooks, handed out as fast as they are fetched, came before the one before them"
    );
    queued.sort_unstable();
    assert_eq!(queued, (0..WEBHOOKS).collect::<Vec<_>>());
}

/// What is not promised either: an order between environments.
#[tokio::test]
async fn webhooks_that_overlap_in_time_may_swap_between_two_environments() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let (slow, fast) = (RuntimeApi::start().await, RuntimeApi::start().await);
    let _slow = function(&stub, &slow).await;
    stub.read(1).await;
    let _fast = function(&stub, &fast).await;
    stub.read(2).await;
    // What each has connected is dead, and only the first one's first attempt finds out before the other has sent.
    stub.kill_connections();
    let first = slow.invoke(numbered(1), None);
    stub.lost(1).await;
    let second = fast.invoke(numbered(2), None);
    stub.lost(2).await;
    assert_eq!(statuses(vec![first, second]).await, BTreeMap::from([(200, 2)]));
    let mut queued = numbers(&stub);
    println!("queued in the order {queued:?}");
    queued.sort_unstable();
    assert_eq!(queued, [1, 2]);
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_no_answer_and_has_every_line_once_somebody_does() {
    const WEBHOOKS: usize = 400;
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    let mut function = function(&stub, &api).await;
    for call in 0..WEBHOOKS {
        let body = encrypted_body(&format!(r#"{{"voice_id":"call-{call}","state":"connected"}}"#));
        let answer = api.invoke(webhook_event("/webhook", "", &body), None);
        assert_eq!(timeout(PATIENCE, answer).await.unwrap().unwrap()["statusCode"], 200, "webhook {call}");
    }
    let mut log = BufReader::new(function.stdout.take().unwrap()).lines();
    for call in 0..WEBHOOKS {
        let line = timeout(PATIENCE, log.next_line()).await.unwrap().unwrap().unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["voice_id"], format!("call-{call}"), "{line}");
    }
}

#[tokio::test]
async fn a_function_whose_credentials_have_expired_ends_after_it_has_answered() {
    for at_once in ["1", "64"] {
        let stub = SqsStub::start(&[], Reaction::Accept).await;
        let api = RuntimeApi::start().await;
        let (queue_url, endpoint) = (stub.queue_url(), stub.endpoint());
        let mut function = api.function(
            &crate::lambda_binary(),
            &[
                ("AWS_LAMBDA_MAX_CONCURRENCY", at_once),
                ("AWS_ENDPOINT_URL", &endpoint),
                ("QUEUE_URL", &queue_url),
                ("ENABLEX_APP_ID", APP_ID),
            ],
        );
        let mut stdout = function.stdout.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stdout.read_to_string(&mut log).await.map(|_| log)
        });
        let webhook = || webhook_event("/webhook", "", &encrypted_body(EVENT));
        let status = async |answer: oneshot::Receiver<Value>| {
            timeout(PATIENCE, answer).await.unwrap().unwrap()["statusCode"].clone()
        };
        assert_eq!(status(api.invoke(webhook(), None)).await, 200);
        stub.script(&[], Reaction::ExpiredToken);
        // One webhook after the other, for as long as the function takes them.
        let ended = loop {
            let answer = api.invoke(webhook(), None);
            tokio::select! {
                status = status(answer) => assert_eq!(status, 503),
                ended = function.wait() => break ended.unwrap(),
            }
        };
        assert!(ended.success(), "{ended}");
        let log = log.await.unwrap().unwrap();
        assert!(log.contains("AWS no longer accepts the credentials"));
        assert!(log.contains("ExpiredTokenException: the credentials are not valid"));
    }
}

#[tokio::test]
async fn with_a_quarantine_the_functions_whole_answer_is_the_same_for_what_opens_and_what_does_not() {
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    let (queue_url, endpoint) = (stub.queue_url(), stub.endpoint());
    let _function = api.function(
        &crate::lambda_binary(),
        &[
            ("AWS_ENDPOINT_URL", &endpoint),
            ("QUEUE_URL", &queue_url),
            ("QUARANTINE_QUEUE_URL", &queue_url.replace("events.fifo", "quarantine")),
            ("ENABLEX_APP_ID", APP_ID),
        ],
    );
    let good = encrypted_body(EVENT);
    let mut answers = Vec::new();
    for body in [&good, &good.replace('7', "8"), &good.replace("\"}", "0\"}"), &encrypted_body("[1]")] {
        let answer = api.invoke_with_text(webhook_event("/webhook", "", body).to_string(), None);
        answers.push(timeout(PATIENCE, answer).await.unwrap().unwrap().to_string());
    }
    assert!(answers[0].contains(r#""statusCode":200"#), "{}", answers[0]);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let queued = stub.accepted().iter().filter(|message| message["MessageBody"] == EVENT).count();
    assert_eq!(queued, 1);
}

/// What a run of requests of every kind left in the log, at some level.
async fn log_of_every_outcome(level: &str) -> String {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let api = RuntimeApi::start().await;
    let (queue_url, endpoint) = (stub.queue_url(), stub.endpoint());
    let mut function = api.function(
        &crate::lambda_binary(),
        &[
            ("AWS_LAMBDA_LOG_LEVEL", level),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("QUEUE_URL", &queue_url),
            ("QUARANTINE_QUEUE_URL", &queue_url.replace("events.fifo", "quarantine")),
            ("ENABLEX_APP_ID", APP_ID),
            ("WEBHOOK_TOKEN", TOKEN),
            ("MAX_EVENT_AGE_SECONDS", "60"),
            ("PUBLISH_DEADLINE_MS", "300"),
        ],
    );
    let path = format!("/webhook/default/{TOKEN}");
    let good = encrypted_body(EVENT);
    let old = encrypted_body(&EVENT.replace('{', r#"{"timestamp":"2020-01-01T00:00:00Z","#));
    let requests = [
        (path.as_str(), "", good.as_str(), 200),
        ("/webhook", &format!("token={TOKEN}"), &good, 200),
        (&path, "", "", 200),
        (&path, "", &good.replace('7', "8"), 200),
        (&path, "", &old, 200),
        (&path, "", "+12025550123", 200),
        (&path, "", NOT_AN_EVENT, 400),
        ("/webhook/default/0123456789abcdeF-wrong", "", &good, 404),
        ("/webhook", "token=0123456789abcdeF-wrong", &good, 404),
    ];
    for (path, query, body, status) in requests {
        let mut event = webhook_event(path, query, body);
        if body == NOT_AN_EVENT {
            event["headers"] = json!({"content-type": "application/json"});
        }
        let answer = api.invoke(event, Some(&trace_header(1)));
        assert_eq!(timeout(PATIENCE, answer).await.unwrap().unwrap()["statusCode"], status, "{path} {body}");
    }
    stub.open(false);
    let answer = api.invoke(webhook_event(&path, "", &good), None);
    assert_eq!(timeout(PATIENCE, answer).await.unwrap().unwrap()["statusCode"], 503);
    terminate(&function);
    let (mut log, mut errors) = (String::new(), String::new());
    function.stdout.take().unwrap().read_to_string(&mut log).await.unwrap();
    function.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
    assert!(timeout(PATIENCE, function.wait()).await.unwrap().unwrap().success());
    log + &errors
}

#[tokio::test]
async fn the_whole_log_at_trace_level_holds_no_secret_and_no_phone_number() {
    let log = log_of_every_outcome("TRACE").await;
    for secret in [
        APP_ID,
        // Key and IV, as `openssl enc -aes-256-cbc -md md5 -nosalt -k APP_ID -P` prints them.
        "96A5E6147112D6679BEFA4674F2ED36F",
        "D68321CA8E61D8C84F82083143397C0B",
        TOKEN,
        "0123456789abcdeF-wrong",
        "12025550123",
        "secret-access-key-of-the-test",
        "session-token-of-the-test",
        "confidential",
    ] {
        assert!(!log.to_lowercase().contains(&secret.to_lowercase()), "the log holds {secret}:\n{log}");
    }
}

#[tokio::test]
async fn each_request_is_one_flat_line_with_the_time_of_each_stage_and_so_are_the_steps_of_a_cold_start() {
    let log = log_of_every_outcome("DEBUG").await;
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = ["configuration_micros", "clients_micros", "app_id_micros", "queue_micros"];
    let of_init = |line: &&Value| line["level"] == "DEBUG" && line["message"] != "metrics";
    for step in steps {
        assert!(lines.iter().filter(of_init).any(|line| line[step].is_u64()), "{step} is not in the log");
    }
    // The last webhook's.
    let late = "SQS did not answer in time; the next attempt uses a new connection";
    assert!(lines.iter().any(|line| line["message"] == late));
    let webhooks: Vec<&Value> = lines.iter().filter(|line| line["message"] == "webhook").collect();
    let outcomes: Vec<(&str, Option<&str>, u64)> = webhooks
        .iter()
        .map(|line| (line["outcome"].as_str().unwrap(), line["reason"].as_str(), line["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("queued", None, 200),
            ("queued", None, 200),
            ("probe", None, 200),
            ("quarantined", Some("undecryptable"), 200),
            ("quarantined", Some("too_old"), 200),
            ("quarantined", Some("malformed"), 200),
            ("refused", Some("malformed"), 400),
            ("not_found", Some("not_found"), 404),
            ("not_found", Some("not_found"), 404),
            ("not_queued", Some("out_of_time"), 503),
        ]
    );
    let cold: Vec<bool> = webhooks.iter().map(|line| line["cold_start"].as_bool().unwrap()).collect();
    assert!(cold[0] && !cold[1..].contains(&true), "{cold:?}");
    let queued = webhooks[0];
    assert_eq!((&queued["level"], &queued["app"]), (&"INFO".into(), &"default".into()));
    assert_eq!((&queued["event_type"], &queued["voice_id"]), (&"call.connected".into(), &"5f2d8a66".into()));
    assert_eq!(queued["trace_id"], "1-5759e988-000000000000000000000001");
    assert_eq!(queued["request_id"], "gateway-request");
    assert_eq!(queued["event_id"].as_str().unwrap().len(), 64);
    for line in webhooks {
        assert!(line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
        let stages = ["parse", "app_id", "decrypt", "publish"].map(|stage| format!("{stage}_micros"));
        let sum: u64 = stages.iter().map(|stage| line[stage].as_u64().unwrap()).sum();
        assert!(sum <= line["total_micros"].as_u64().unwrap(), "{line}");
        let flat = line.as_object().unwrap().iter().filter(|(name, _)| *name != "_aws");
        assert!(flat.clone().all(|(_, value)| !value.is_object() && !value.is_array()), "{line}");
    }
}

#[tokio::test]
async fn metrics_are_valid_embedded_metrics_at_every_log_level() {
    let schema = serde_json::from_str(include_str!("../vectors/embedded-metric-format.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for level in ["DEBUG", "ERROR"] {
        let log = log_of_every_outcome(level).await;
        let mut sums: BTreeMap<(String, String), u64> = BTreeMap::new();
        for line in log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let Some(directives) = line["_aws"]["CloudWatchMetrics"].as_array() else { continue };
            assert!(schema.is_valid(&line), "{line}");
            for directive in directives {
                for dimension in
                    directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap())
                {
                    assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension} is no member of {line}");
                }
                let dimensions = directive["Dimensions"].to_string();
                for metric in directive["Metrics"].as_array().unwrap() {
                    let name = metric["Name"].as_str().unwrap();
                    let value = line[name].as_u64().unwrap();
                    let counted = if metric["Unit"] == "Count" { value } else { 1 };
                    *sums.entry((name.to_owned(), dimensions.clone())).or_default() += counted;
                }
            }
            let dropped_by_lambda = level == "ERROR" && line["level"] != "ERROR";
            assert!(!dropped_by_lambda, "{line}");
        }
        let of_apps = r#"[["service"],["service","app"]]"#;
        let sum = |name: &str, dimensions: &str| sums.get(&(name.to_owned(), dimensions.to_owned())).copied();
        for (name, expected) in [
            ("Accepted", 2),
            ("Quarantined", 3),
            ("Refused", 1),
            ("Failed", 1),
            ("ColdStart", 1),
            ("EventBytes", 3),
            ("DecryptLatency", 5),
            ("PublishLatency", 6),
        ] {
            assert_eq!(sum(name, of_apps), Some(expected), "{name} at {level}: {sums:?}");
        }
        assert_eq!(sum("Refused", r#"[["service"]]"#), Some(2), "of no app");
        assert_eq!(sum("Refused", r#"[["service","reason"]]"#), Some(3));
        assert_eq!(sum("Quarantined", r#"[["service","reason"]]"#), Some(3));
        assert_eq!(sum("Failed", r#"[["service","reason"]]"#), Some(1));
    }
}
