//! Requests as gateways, proxies and people really send them.

use lambda_http::Context;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt as _, time::timeout};
use voicehook_lambda::receiver::Request;
use voicehook_lambda::{
    app_id::{FixedAppId, Token},
    decrypt::Algorithm,
    lambda::{GatewayEvent, NotAGatewayEvent},
    queue::{Message, Quarantined, QueueKind},
    receiver::Settings,
    webhook::Accept,
};
use voicehook_test_support::runtime_api::{PATIENCE, RuntimeApi, terminate, webhook_event};
use voicehook_test_support::sqs_stub::{Reaction, SqsStub};
use voicehook_test_support::{APP_ID, EVENT, TestQueue, encrypted_body, receiver_with, request_of};

const TOKEN: &str = "0123456789abcdef";

/// The status, the answer's body, what is on the queue and what is in quarantine.
async fn receive(settings: Settings, request: Request) -> (u16, String, Vec<Message>) {
    let queue = TestQueue::new(QueueKind::Fifo);
    let response = receiver_with(settings, FixedAppId::new(APP_ID), &queue).respond(&request).await;
    (response.status().as_u16(), response.into_body(), queue.messages())
}

async fn assert_queued(what: &str, settings: Settings, request: Request) {
    let (status, answer, messages) = receive(settings, request).await;
    assert_eq!((status, messages.len()), (200, 1), "{what}: {answer}");
}

fn with_token() -> Settings {
    Settings { token: Some(Token::new(TOKEN).unwrap()), ..Settings::default() }
}

fn plaintext() -> Settings {
    Settings { accept: Accept { plaintext: true, ..Accept::default() }, ..Settings::default() }
}

/// A `POST` to `/webhook` with these headers.
fn post(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Request {
    let mut request = http::Request::post("/webhook");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap().into()
}

const ENCRYPTED: [(&str, &str); 3] = [("x-algoritm", "aes-256-cbc"), ("x-format", "hex"), ("x-encoding", "utf8")];

/// An encrypted webhook whose body headers say something about the body.
fn encrypted(headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Request {
    post(&[&ENCRYPTED, headers].concat(), body)
}

fn form(json: &str) -> String {
    json.replace(r#"{"encrypted_data":""#, "encrypted_data=").replace(r#""}"#, "")
}

#[tokio::test]
async fn requests_of_public_reports_are_queued() {
    for (file, settings) in [
        (include_str!("../cases/alb-multi-value-token.json"), with_token()),
        (include_str!("../cases/base-paths.json"), Settings::default()),
        (include_str!("../cases/headers-joined-by-a-comma.json"), Settings::default()),
    ] {
        let file: Value = serde_json::from_str(file).unwrap();
        let cases = file.as_array().cloned().unwrap_or_else(|| vec![file.clone()]);
        for case in cases {
            assert_queued(&case.to_string(), settings.clone(), request_of(&case.to_string())).await;
        }
    }
}

/// An event of a load balancer.
fn alb(more: Value) -> Value {
    let mut event = json!({
        "requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "POST", "path": "/webhook",
        "body": encrypted_body(EVENT), "isBase64Encoded": false,
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[tokio::test]
async fn a_load_balancer_is_understood_in_both_header_modes() {
    let headers = json!({"Content-Type": "application/json", "X-Algoritm": "aes-256-cbc", "X-Format": "hex", "X-Encoding": "utf8"});
    let several = json!({"content-type": ["application/json"], "x-algoritm": ["aes-256-cbc"], "x-format": ["hex", "hex"], "x-encoding": ["utf8"]});
    for event in [
        json!({"headers": headers, "queryStringParameters": {"token": TOKEN}}),
        json!({"headers": headers, "queryStringParameters": {"token": "%30123456789abcdef"}}),
        json!({"multiValueHeaders": several, "multiValueQueryStringParameters": {"token": ["%30123456789abcdef"]}}),
        json!({"multiValueHeaders": several, "multiValueQueryStringParameters": {"a": [], "token": [TOKEN, "other"]}}),
        json!({"multiValueHeaders": {}, "headers": headers, "queryStringParameters": {"token": TOKEN}}),
    ] {
        assert_queued(&event.to_string(), with_token(), request_of(&alb(event).to_string())).await;
    }
    let wrong = alb(json!({"multiValueHeaders": several, "multiValueQueryStringParameters": {"token": ["wrong"]}}));
    assert_eq!(receive(with_token(), request_of(&wrong.to_string())).await.0, 404);
}

#[tokio::test]
async fn equal_values_of_a_header_are_one_and_different_ones_name_it() {
    for header in ["x-algoritm", "x-format", "x-encoding"] {
        let with = |join: &dyn Fn(&str) -> String| {
            let mut request = encrypted(&[("content-type", "application/json")], encrypted_body(EVENT));
            let value = request.headers[header].to_str().unwrap().to_owned();
            request.headers.insert(header, join(&value).parse().unwrap());
            request
        };
        for joined in [|value: &str| format!("{value},{value}"), |value: &str| format!("{value}, {value} ,")] {
            assert_queued(header, Settings::default(), with(&joined)).await;
        }
        let (status, answer, _) = receive(Settings::default(), with(&|value| format!("{value},other"))).await;
        assert!(status == 400 && answer.contains(header) && answer.contains("more than once"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_may_begin_with_a_byte_order_mark() {
    let json = [("content-type", "application/json")];
    let with_mark = format!("\u{feff}{}", encrypted_body(EVENT));
    assert_queued("encrypted", Settings::default(), encrypted(&json, with_mark)).await;
    let (status, _, messages) = receive(plaintext(), post(&json, format!("\u{feff}{EVENT}"))).await;
    assert_eq!((status, messages[0].body.as_str()), (200, EVENT));
}

#[tokio::test]
async fn a_body_that_can_be_read_is_read_whatever_its_headers_say() {
    let body = encrypted_body(EVENT);
    let form = form(&body);
    for headers in [
        &[][..],
        &[("content-type", "")],
        &[("content-type", "text/plain")],
        &[("content-type", "application/json,text/plain")],
        &[("content-type", "application/json"), ("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "multipart/form-data; boundary=\"a,b\"")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
        &[("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "br, gzip")],
        &[("content-type", "application/json,application/json; charset=utf-8")],
    ] {
        assert_queued(&format!("JSON, {headers:?}"), Settings::default(), encrypted(headers, body.clone())).await;
        assert_queued(&format!("form, {headers:?}"), Settings::default(), encrypted(headers, form.clone())).await;
        assert_queued(&format!("plain, {headers:?}"), plaintext(), post(headers, EVENT)).await;
    }
}

#[tokio::test]
async fn a_content_encoding_or_type_that_cannot_be_read_is_named_or_kept() {
    let compressed = || vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56];
    for (headers, named) in [
        (&[("content-type", "application/json"), ("content-encoding", "gzip")][..], "gzip"),
        (&[("content-type", "application/x-www-form-urlencoded"), ("content-encoding", "br")], "br"),
        (&[("content-type", "text/plain"), ("content-encoding", "identity, deflate")], "identity, deflate"),
        (&[("content-type", "text/plain"), ("content-encoding", "identity")], "text/plain"),
        (&[("content-type", "application/json,text/html")], "application/json, text/html"),
        (&[], "content-type"),
    ] {
        for settings in [Settings::default(), plaintext()] {
            let (status, answer, _) = receive(settings, encrypted(headers, compressed())).await;
            assert!(status == 415 && answer.contains(named), "{status} {answer}");
        }
        let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
        let receiver = receiver_with(Settings::default(), FixedAppId::new(APP_ID), &queue);
        let receiver = receiver.with_quarantine(Some(quarantine.clone()));
        assert_eq!(receiver.respond(&encrypted(headers, compressed())).await.status(), 200);
        let kept: Quarantined = serde_json::from_str(&quarantine.messages()[0].body).unwrap();
        assert_eq!(kept.reason, "malformed");
        for (name, value) in headers {
            assert_eq!(kept.headers[*name], *value);
        }
    }
    let identity = [("content-type", "application/json"), ("content-encoding", "identity")];
    let (status, answer, _) = receive(Settings::default(), encrypted(&identity, "{")).await;
    assert!(status == 400 && answer.contains("line 1, column 1"), "{answer}");
}

#[tokio::test]
async fn what_is_json_is_not_looked_into_for_a_form() {
    let (status, answer, _) = receive(Settings::default(), encrypted(&[], r#"{"a":"&encrypted_data=00"}"#)).await;
    assert_eq!(status, 415, "{answer}");
    let json = [("content-type", "application/json")];
    let (status, answer, _) = receive(Settings::default(), encrypted(&json, r#"["&encrypted_data=00"]"#)).await;
    assert!(status == 400 && answer.contains("not an object"), "{answer}");
}

#[tokio::test]
async fn a_plain_event_is_named_as_one_and_kept_in_quarantine() {
    for event in [
        r#"{"state": "connected", "voice_id": "1"}"#,
        r#"{"event": "digitcollected", "voice_Id": "1", "digit": "4"}"#,
        "\u{feff}{\"playstate\": \"playfinished\", \"channel_id\": \"1\"}",
    ] {
        for headers in [&[("content-type", "application/json")][..], &[]] {
            let (status, answer, _) = receive(Settings::default(), post(headers, event)).await;
            assert!(status == 400 && answer.contains("ALLOW_PLAINTEXT=true"), "{status} {answer}");
            let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
            let receiver = receiver_with(Settings::default(), FixedAppId::new(APP_ID), &queue);
            let receiver = receiver.with_quarantine(Some(quarantine.clone()));
            assert_eq!(receiver.respond(&post(headers, event)).await.status(), 200);
            let kept: Quarantined = serde_json::from_str(&quarantine.messages()[0].body).unwrap();
            assert_eq!((kept.reason.as_str(), kept.body().unwrap()), ("malformed", event.as_bytes().to_vec()));
        }
    }
}

#[tokio::test]
async fn only_the_cbc_modes_are_taken_unless_the_operator_allows_others() {
    let body = |name: &str| {
        let algorithm = Algorithm::named(name).unwrap();
        let data = voicehook_lambda::sender::encrypt(
            EVENT,
            APP_ID,
            algorithm,
            voicehook_lambda::decrypt::Format::Hex,
            voicehook_lambda::decrypt::Encoding::Utf8,
        );
        let mut request =
            encrypted(&[("content-type", "application/json")], format!(r#"{{"encrypted_data":"{data}"}}"#));
        request.headers.insert("x-algoritm", name.parse().unwrap());
        request
    };
    for (name, algorithm) in Algorithm::NAMES {
        let is_cbc = algorithm.mode == voicehook_lambda::decrypt::Mode::Cbc;
        let (status, answer, _) = receive(Settings::default(), body(name)).await;
        assert_eq!(status, if is_cbc { 200 } else { 400 }, "{name}: {answer}");
        if !is_cbc {
            for part in [*name, "is supported, but not allowed here", "allowed values: aes-128-cbc, aes-192-cbc"] {
                assert!(answer.contains(part), "{part}: {answer}");
            }
        }
        let all = Settings { accept: Accept::all(), ..Settings::default() };
        assert_queued(name, all, body(name)).await;
    }
}

fn read(event: &Value) -> Result<Request, NotAGatewayEvent> {
    let event: GatewayEvent = serde_json::from_str(&event.to_string()).unwrap();
    let mut context = Context::default();
    context.request_id = "invocation".to_owned();
    event.into_request(context).map(|(request, _)| request)
}

#[test]
fn pings_and_schedules_are_told_from_other_events() {
    for ping in [
        json!({"warmer": true}),
        json!({"warmer": true, "concurrency": 3}),
        json!({"source": "serverless-plugin-warmup"}),
        json!({"source": "serverless-plugin-warmup", "event": {"source": "x"}, "headers": null}),
        json!({"warmup": "true"}),
        json!({"keepWarm": 1}),
        json!({"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}),
        json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"}),
    ] {
        assert_eq!(read(&ping).unwrap_err(), NotAGatewayEvent::Ping, "{ping}");
    }
    for other in [
        json!({}),
        json!({"warmer": false}),
        json!({"source": "aws.s3", "detail-type": "Object Created"}),
        json!({"Records": [{"eventSource": "aws:sqs", "body": "{}"}]}),
        json!("warmer"),
        json!(["warmer"]),
        json!(42),
        json!(null),
        json!({"httpMethod": "no method"}),
    ] {
        let expected = NotAGatewayEvent::Other { invocation_id: "invocation".to_owned() };
        assert_eq!(read(&other).unwrap_err(), expected, "{other}");
    }
    let mut webhook = alb(json!({}));
    webhook["warmer"] = json!(true);
    assert!(read(&webhook).is_ok(), "a gateway's event is never a ping");
}

#[test]
fn lone_surrogates_and_values_of_other_types_fail_no_event() {
    for event in [
        "null",
        "true",
        "-5",
        "1.5",
        r#""text""#,
        r#"{"\udc00": 1, "httpMethod": "POST", "path": "\ud800"}"#,
        r#"{"httpMethod": "\ud83d", "body": 1}"#,
        r#"{"httpMethod": "POST", "headers": {"x-format": "\ud800", "\ud800": []}, "body": {"a": ["\ud800"]}}"#,
        r#"{"httpMethod": "POST", "multiValueHeaders": {"x-format": ["hex", 5, null, "\ud800"]}, "requestContext": "a"}"#,
        &format!("{}{}", "[".repeat(100), "]".repeat(100)),
    ] {
        assert!(serde_json::from_str::<GatewayEvent>(event).is_ok(), "{event}");
    }
}

/// What the function, as a process, answers to these events, one after the other, and all that it wrote.
async fn run(events: &[Value], level: &str) -> (Vec<Value>, String) {
    run_with_texts(&events.iter().map(Value::to_string).collect::<Vec<_>>(), level).await
}

/// The same with the texts of events.
async fn run_with_texts(events: &[String], level: &str) -> (Vec<Value>, String) {
    let (stub, api) = (SqsStub::start(&[], Reaction::Accept).await, RuntimeApi::start().await);
    let (queue_url, endpoint) = (stub.queue_url(), stub.endpoint());
    let mut function = api.function(
        &crate::lambda_binary(),
        &[
            ("AWS_LAMBDA_LOG_LEVEL", level),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("QUEUE_URL", &queue_url),
            ("ENABLEX_APP_ID", APP_ID),
            ("WEBHOOK_TOKEN", TOKEN),
        ],
    );
    let mut answers = Vec::new();
    for event in events {
        answers.push(timeout(PATIENCE, api.invoke_with_text(event.clone(), None)).await.unwrap().unwrap());
    }
    terminate(&function);
    let (mut log, mut errors) = (String::new(), String::new());
    function.stdout.take().unwrap().read_to_string(&mut log).await.unwrap();
    function.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
    (answers, log + &errors)
}

/// Events that are wrong in one place each, with the token there.
fn malformed_events() -> Vec<Value> {
    let whole = webhook_event(&format!("/webhook/default/{TOKEN}"), &format!("token={TOKEN}"), &encrypted_body(EVENT));
    let odd = [
        json!(TOKEN),
        json!([TOKEN]),
        json!([[TOKEN, {TOKEN: TOKEN}]]),
        json!({TOKEN: TOKEN}),
        json!({"token": TOKEN}),
        json!({"token": [TOKEN]}),
        json!({"token": {"token": [TOKEN]}}),
        json!({"content-type": {"token": TOKEN}, "x-format": [[TOKEN]], "referer": TOKEN}),
    ];
    let members = [
        "version",
        "path",
        "rawPath",
        "rawQueryString",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "headers",
        "multiValueHeaders",
        "requestContext",
        "httpMethod",
        "body",
        "isBase64Encoded",
        "cookies",
        "source",
    ];
    let mut events = odd.to_vec();
    for odd in odd {
        for member in members {
            let mut event = whole.clone();
            event[member] = odd.clone();
            events.push(event.clone());
            // Where that is not a gateway's event any more.
            event.as_object_mut().unwrap().retain(|name, _| name == member);
            events.push(event);
        }
        for member in ["http", "stage", "timeEpoch", "requestTimeEpoch", "elb"] {
            let mut event = whole.clone();
            event["requestContext"][member] = odd.clone();
            events.push(event);
        }
    }
    events
}

#[tokio::test]
async fn the_token_is_in_no_line_and_in_no_error_whatever_the_event_looks_like() {
    let events = malformed_events();
    let (answers, log) = run(&events, "TRACE").await;
    for (event, answer) in events.iter().zip(&answers) {
        assert!(!answer.to_string().contains(TOKEN), "{answer} to {event}");
    }
    for line in log.lines() {
        assert!(!line.contains(TOKEN), "{line}");
    }
    assert!(answers.iter().any(|answer| answer["error"].is_object()), "some of them are not a gateway's");
    assert!(!log.contains("deserialization"), "all of them can be read");
    let not_json = serde_json::from_str::<GatewayEvent>(&format!(r#"{{"{TOKEN}": {TOKEN}"#)).unwrap_err();
    assert!(!not_json.to_string().contains(TOKEN), "{not_json}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_fails_with_one_line_that_has_the_id_and_not_the_token() {
    let events = [
        r#""\ud800""#.to_owned(),
        "-1e999".to_owned(),
        format!(r#"{{"httpMethod": "POST", "path": "/webhook/default/{TOKEN}", "body": "\ud800"}}"#),
        format!(r#"{{"httpMethod": "POST", "path": "/webhook/default/{TOKEN}", "body": 1e999}}"#),
        format!(r#"{{"path": "/webhook/default/{TOKEN}", "body": {{"{TOKEN}": 1, "\ud800": 1}}}}"#),
        format!("{}{}", "[".repeat(1000), "]".repeat(1000)),
        format!(r#"{{"{TOKEN}": {TOKEN}}}"#),
        format!(r#"{{"path": "/webhook/default/{TOKEN}""#),
        String::new(),
    ];
    let (answers, log) = run_with_texts(&events, "INFO").await;
    assert!(!log.contains(TOKEN), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), events.len(), "{log}");
    for (index, (answer, line)) in answers.iter().zip(&lines).enumerate() {
        assert_eq!(answer["error"]["errorType"], "NotAGatewayEvent", "{}", events[index]);
        assert!(!answer.to_string().contains(TOKEN), "{answer}");
        assert_eq!(line["request_id"], format!("invocation-{index}"), "{line}");
    }
}

#[tokio::test]
async fn a_ping_is_answered_without_a_line_and_another_event_fails_with_one_that_has_the_id() {
    let events = [
        json!({"warmer": true, "concurrency": 3}),
        json!({"source": "serverless-plugin-warmup"}),
        json!({"Records": [{"eventSource": "aws:s3"}]}),
        json!({"version": "0", "source": "aws.events", "detail-type": "Scheduled Event"}),
    ];
    let (answers, log) = run(&events, "INFO").await;
    for index in [0, 1, 3] {
        assert_eq!(answers[index], json!({}), "{}", events[index]);
    }
    assert_eq!(answers[2]["error"]["errorType"], "NotAGatewayEvent");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = &lines[..] else { unreachable!("{log}") };
    assert_eq!((&line["level"], &line["request_id"]), (&"ERROR".into(), &"invocation-2".into()));
    assert!(line["error"].as_str().unwrap().contains("Application Load Balancers"), "{line}");
}
