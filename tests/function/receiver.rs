//! The status table, row by row, and what every answer keeps to itself.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Response;
use tokio::time::Instant;
use voicehook_lambda::receiver::Request;
use voicehook_lambda::{
    app_id::{AppId, AppIdSource, AppIdUnavailable, AppIds, Apps, FixedAppId, SecretsManagerError, Token, Version},
    decrypt::{Algorithm, Encoding, Format},
    queue::{Message, Quarantined, Queue, QueueError, QueueKind, Sent},
    receiver::{Actions, MAX_BODY_BYTES, Receiver, Settings},
    sender,
    webhook::Accept,
};
use voicehook_test_support::{
    APP_ID, EVENT, TestQueue, encrypted_body, headers, receiver, receiver_with, request, with_id,
};

async fn respond(request: Request) -> (Response<String>, TestQueue) {
    let queue = TestQueue::new(QueueKind::Fifo);
    (receiver(&queue).respond(&request).await, queue)
}

/// The answer to a request that must not leave a message.
async fn refuse(request: Request) -> Response<String> {
    let (response, queue) = respond(request).await;
    assert_eq!(queue.messages().len(), 0);
    response
}

fn with(method: &str, uri: &str, body: &str) -> Request {
    headers().method(method).uri(uri).body(body.to_owned()).unwrap().into()
}

#[tokio::test]
async fn a_queued_event_gets_200_and_the_id_of_the_request() {
    let request = with_id(request(EVENT), "request-1");
    let (response, queue) = respond(request).await;
    assert_eq!((response.status().as_u16(), response.body().as_str()), (200, "{}"));
    let headers: Vec<(&str, &str)> =
        response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("content-type", "application/json"), ("x-request-id", "request-1")]);
    assert_eq!(queue.messages().len(), 1);
}

#[tokio::test]
async fn an_action_answers_an_event_that_is_queued_where_the_url_has_a_token() {
    let actions =
        r#"{"call.connected": {"play": {"text": "Hello", "prompt_ref": "hello"}}, "play.*": {"hangup": true}}"#;
    let actions = Actions::parse(actions).unwrap();
    let with_token = Settings {
        actions: actions.clone(),
        token: Some(Token::new("0123456789abcdef").unwrap()),
        ..Settings::default()
    };
    let garbage = r#"{"encrypted_data":"00112233445566778899aabbccddeeff"}"#;
    let prompt = encrypted_body(r#"{"voice_id":"a b","playstate":"initiated"}"#);
    let other = encrypted_body(r#"{"voice_id":"v","state":"hold"}"#);
    let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
    let answering = receiver_with(with_token, FixedAppId::new(APP_ID), &queue).with_quarantine(Some(quarantine));
    for (body, expected) in [
        (encrypted_body(EVENT).as_str(), r#"{"play": {"text": "Hello", "prompt_ref": "hello"},"voice_id":"5f2d8a66"}"#),
        (&prompt, r#"{"hangup": true}"#),
        (&other, "{}"),
        (garbage, "{}"),
        ("", "{}"),
    ] {
        let response = answering.respond(&with("POST", "/webhook/default/0123456789abcdef", body)).await;
        assert_eq!((response.status().as_u16(), response.body().as_str()), (200, expected), "{body}");
    }
    assert_eq!(queue.messages()[0].body, EVENT, "what is queued does not change");

    let without_token = Settings { actions, ..Settings::default() };
    let response = receiver_with(without_token, FixedAppId::new(APP_ID), &queue).respond(&request(EVENT)).await;
    assert_eq!(response.body(), "{}", "an action would tell a stranger that something opened");
}

#[tokio::test]
async fn a_probe_gets_200_and_leaves_no_message() {
    for probe in [with("GET", "/webhook", ""), with("HEAD", "/", ""), with("POST", "/webhook", "")] {
        let response = refuse(probe).await;
        assert_eq!((response.status().as_u16(), response.body().as_str()), (200, "{}"));
    }
    let without_headers = http::Request::builder().method("POST").uri("/webhook").body("").unwrap().into();
    assert_eq!(refuse(without_headers).await.status(), 200);
}

#[tokio::test]
async fn an_unknown_path_or_app_gets_404() {
    for uri in ["/webhooks", "/webhook/nobody", "/webhook/default/token/more", "/webhook/default/not-configured"] {
        let response = refuse(with("POST", uri, &encrypted_body(EVENT))).await;
        assert_eq!(
            (response.status().as_u16(), response.body()),
            (404, &r#"{"error": "not found"}"#.to_owned()),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn a_wrong_token_looks_like_a_path_that_does_not_exist() {
    let token = "0123456789abcdef";
    let settings = Settings { token: Some(Token::new(token).unwrap()), ..Settings::default() };
    let queue = TestQueue::new(QueueKind::Fifo);
    let receiver = receiver_with(settings, FixedAppId::new(APP_ID), &queue);
    let post = |uri: &str| with("POST", uri, &encrypted_body(EVENT));
    for uri in
        ["/webhook", "/webhook?token=wrong", "/webhook/default/0123456789abcdeF", "/webhook/default/0123456789abcdef0"]
    {
        let response = receiver.respond(&post(uri)).await;
        assert_eq!(
            (response.status().as_u16(), response.body()),
            (404, &r#"{"error": "not found"}"#.to_owned()),
            "{uri}"
        );
    }
    assert_eq!(receiver.respond(&with("GET", "/webhook", "")).await.status(), 404, "a probe needs the token too");
    assert_eq!(queue.messages().len(), 0);
    for uri in ["/webhook/default/0123456789abcdef", "/webhook?token=0123456789abcdef", "/?a=b&token=0123456789abcdef"]
    {
        assert_eq!(receiver.respond(&post(uri)).await.status(), 200, "{uri}");
    }
}

#[tokio::test]
async fn another_method_gets_405_with_allow() {
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = refuse(with(method, "/webhook", &encrypted_body(EVENT))).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "POST, GET, HEAD");
    }
}

#[tokio::test]
async fn a_body_above_the_limit_gets_413() {
    let longest = MAX_BODY_BYTES - r#"{"encrypted_data":""}"#.len();
    for (length, status) in [(longest, 400), (longest + 1, 413), (MAX_BODY_BYTES, 413)] {
        let body = format!(r#"{{"encrypted_data":"{}"}}"#, "0".repeat(length));
        assert_eq!(refuse(with("POST", "/webhook", &body)).await.status(), status, "{length}");
    }
}

#[tokio::test]
async fn a_body_just_below_the_limit_is_read_and_an_event_too_large_for_sqs_gets_413() {
    let event = format!(r#"{{"state":"transcript","text":"{}"}}"#, "x".repeat(3_000_000));
    let body = encrypted_body(&event);
    assert!(body.len() > 6_000_000 && body.len() < MAX_BODY_BYTES);
    let response = refuse(with("POST", "/webhook", &body)).await;
    assert_eq!(response.status(), 413);
    assert!(response.body().contains("1048576 bytes"), "{}", response.body());
}

#[tokio::test]
async fn an_event_that_just_fits_is_queued_whole() {
    let event = format!(r#"{{"state":"transcript","text":"{}"}}"#, "x".repeat(1_000_000));
    let (response, queue) = respond(request(&event)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(queue.messages()[0].body, event);
}

#[tokio::test]
async fn another_content_type_gets_415() {
    for content_type in ["text/plain", "multipart/form-data; boundary=x", "application/xml"] {
        let mut request = with("POST", "/webhook", "<event/>");
        request.headers.insert("content-type", content_type.parse().unwrap());
        let response = refuse(request).await;
        assert_eq!(response.status(), 415);
        assert!(response.body().contains("application/json"), "{}", response.body());
    }
}

#[tokio::test]
async fn a_malformed_webhook_gets_400_that_names_what_is_wrong_and_what_would_be_right() {
    let without = |header: &str| {
        let mut request = request(EVENT);
        request.headers.remove(header);
        request
    };
    let with_header = |header: &'static str, value: &str| {
        let mut request = request(EVENT);
        request.headers.insert(header, value.parse().unwrap());
        request
    };
    let with_body = |body: &str| with("POST", "/webhook", body);
    let mut form = with_body(r#"{"encryptedData":"ab"}"#);
    form.headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let mut twice = request(EVENT);
    twice.headers.append("x-format", "base64".parse().unwrap());
    let cases = [
        (without("x-algoritm"), vec!["x-algoritm", "missing", "aes-256-cbc"]),
        (without("x-format"), vec!["x-format", "missing", "hex", "base64"]),
        (without("x-encoding"), vec!["x-encoding", "missing", "utf8"]),
        (with_header("x-algoritm", "aes-256-gcm"), vec!["x-algoritm", "aes-256-gcm", "aes-256-cbc"]),
        (with_header("x-algoritm", "aes-256-cbc, aes-128-cbc"), vec!["x-algoritm", "more than once"]),
        (with_header("x-format", "base32"), vec!["x-format", "base32", "base64url"]),
        (with_header("x-encoding", "ebcdic"), vec!["x-encoding", "ebcdic", "utf-16le"]),
        (twice, vec!["x-format", "more than once"]),
        (with_body("{}"), vec!["encrypted_data", "no field"]),
        (with_body(r#"{"encrypted_data":5}"#), vec!["encrypted_data", "not a string"]),
        (with_body(r#"{"encrypted_data":["a"]}"#), vec!["encrypted_data", "not a string"]),
        (with_body(r#"{"a":{"encrypted_data":"ab"}}"#), vec!["encrypted_data", "no field"]),
        (with_body("[]"), vec!["not an object"]),
        (with_body("{\"encrypted_data\":\n\"ab"), vec!["not valid JSON", "line 2"]),
        (with_body("hello"), vec!["not valid JSON"]),
        (form, vec!["form", "encrypted_data", "application/json"]),
    ];
    for (request, words) in cases {
        let response = refuse(request).await;
        let message = response.body();
        assert_eq!(response.status(), 400, "{message}");
        serde_json::from_str::<serde_json::Value>(message).unwrap();
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message}");
        }
    }
}

#[tokio::test]
async fn every_failed_decryption_gets_the_same_answer() {
    let algorithm = Algorithm::named("aes-256-cbc").unwrap();
    let body = |data: &str| format!(r#"{{"encrypted_data":{}}}"#, serde_json::Value::from(data));
    let encrypted = |text: &str, app_id: &str| sender::encrypt(text, app_id, algorithm, Format::Hex, Encoding::Utf8);
    let good = encrypted(EVENT, APP_ID);
    let failures = [
        ("empty", String::new()),
        ("odd number of digits", good[1..].to_owned()),
        ("no digits", "zz".repeat(16)),
        ("half a block missing", good[..good.len() - 16].to_owned()),
        ("a block missing", good[..good.len() - 32].to_owned()),
        ("wrong AppID", encrypted(EVENT, "another")),
        ("no JSON", encrypted("hello", APP_ID)),
        ("no object", encrypted("[1]", APP_ID)),
        ("not even text", sender::encrypt("\u{ff}", APP_ID, algorithm, Format::Hex, Encoding::Latin1)),
    ];
    let mut answers = HashSet::new();
    for (_, data) in &failures {
        let response = refuse(with("POST", "/webhook", &body(data))).await;
        answers.insert(format!("{} {:?} {}", response.status(), response.headers(), response.body()));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.starts_with("400")), "{answers:?}");
}

/// A source of AppIDs that never answers.
struct Down;

impl AppIdSource for Down {
    async fn fetch(&self, _: Version) -> Result<Apps, AppIdUnavailable> {
        Err(SecretsManagerError::Unreachable("down".to_owned()).into())
    }
}

#[tokio::test]
async fn without_an_app_id_a_webhook_gets_503_with_retry_after() {
    let queue = TestQueue::new(QueueKind::Fifo);
    let response = receiver_with(Settings::default(), Down, &queue).respond(&request(EVENT)).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert!(response.body().contains("AppID"));
}

#[tokio::test]
async fn whatever_the_queue_fails_with_a_webhook_gets_503_with_retry_after() {
    let failures = [
        QueueError::NoSuchQueue,
        QueueError::Denied("AccessDenied".to_owned()),
        QueueError::Throttled("ThrottlingException".to_owned()),
        QueueError::OutOfTime,
        QueueError::Rejected("InvalidMessageContents".to_owned()),
        QueueError::Unreachable("connection refused".to_owned()),
    ];
    let mut answers = HashSet::new();
    for failure in failures {
        let response = receiver(&TestQueue::failing(failure)).respond(&request(EVENT)).await;
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        answers.insert(response.into_body());
    }
    assert_eq!(answers.len(), 1, "the sender learns nothing of the queue: {answers:?}");
}

#[tokio::test]
async fn only_allowed_algorithms_are_taken_and_the_answer_lists_them() {
    let accept = Accept { algorithms: vec![Algorithm::named("aes-128-cbc").unwrap()], plaintext: false };
    let queue = TestQueue::new(QueueKind::Fifo);
    let receiver = receiver_with(Settings { accept, ..Settings::default() }, FixedAppId::new(APP_ID), &queue);
    let response = receiver.respond(&request(EVENT)).await;
    assert_eq!(response.status(), 400);
    assert!(response.body().contains("aes-128-cbc, aes128\""), "{}", response.body());
}

#[tokio::test]
async fn a_plain_event_is_taken_only_where_the_operator_opted_in() {
    let plain = || {
        let mut request = with("POST", "/webhook", EVENT);
        request.headers.remove("x-algoritm");
        request
    };
    assert_eq!(refuse(plain()).await.status(), 400);
    let accept = Accept { plaintext: true, ..Accept::default() };
    let queue = TestQueue::new(QueueKind::Fifo);
    let receiver = receiver_with(Settings { accept, ..Settings::default() }, FixedAppId::new(APP_ID), &queue);
    assert_eq!(receiver.respond(&plain()).await.status(), 200);
    assert_eq!(queue.messages()[0].body, EVENT);
    let mut broken = plain();
    broken.body = b"{".to_vec();
    assert_eq!(receiver.respond(&broken).await.status(), 400);
}

#[tokio::test]
async fn the_servers_header_wins_over_the_documented_one() {
    let mut both = request(EVENT);
    both.headers.insert("x-algorithm", "rot13".parse().unwrap());
    assert_eq!(respond(both).await.0.status(), 200);
}

#[tokio::test]
async fn content_types_may_have_parameters_and_any_case() {
    for content_type in
        ["application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8", "application/vnd.enablex+json"]
    {
        let mut request = request(EVENT);
        request.headers.insert("content-type", content_type.parse().unwrap());
        assert_eq!(respond(request).await.0.status(), 200, "{content_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_queue_gets_the_time_that_is_left_after_the_app_id_was_fetched() {
    struct Slow;
    impl AppIdSource for Slow {
        async fn fetch(&self, _: Version) -> Result<Apps, AppIdUnavailable> {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            Ok(Apps::single(AppId::new(APP_ID)))
        }
    }
    #[derive(Clone, Default)]
    struct Deadlines(Arc<Mutex<Vec<Duration>>>);
    impl Queue for Deadlines {
        fn kind(&self) -> QueueKind {
            QueueKind::Standard
        }
        async fn send(&self, _: Message, deadline: Instant) -> Result<Sent, QueueError> {
            self.0.lock().unwrap().push(deadline - Instant::now());
            Err(QueueError::OutOfTime)
        }
    }
    let queue = Deadlines::default();
    let app_ids = AppIds::new(Slow, Duration::from_secs(300));
    let receiver = Receiver::new(Settings::default(), app_ids, queue.clone());
    receiver.respond(&request(EVENT)).await;
    assert_eq!(*queue.0.lock().unwrap(), [Duration::from_millis(2500)]);
}

#[tokio::test]
async fn a_panic_gets_500_and_the_next_webhook_is_served() {
    #[derive(Default)]
    struct PanicsOnce(std::sync::atomic::AtomicBool);
    impl Queue for PanicsOnce {
        fn kind(&self) -> QueueKind {
            QueueKind::Standard
        }
        async fn send(&self, _: Message, _: Instant) -> Result<Sent, QueueError> {
            let panicked = self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
            assert!(panicked, "injected, with the phone number +12025550123");
            Ok(Sent { message_id: "message-1".to_owned(), failover: false })
        }
    }
    let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300));
    let receiver = Receiver::new(Settings::default(), app_ids, PanicsOnce::default());
    let response = receiver.respond(&request(EVENT)).await;
    assert_eq!((response.status().as_u16(), response.body().as_str()), (500, r#"{"error": "internal error"}"#));
    assert_eq!(receiver.respond(&request(EVENT)).await.status(), 200);
}

/// Receives with a quarantine. Returns the status, what is on the queue and what is in quarantine.
async fn with_quarantine(settings: Settings, request: Request) -> (u16, Vec<Message>, Vec<Quarantined>) {
    let (queue, quarantine) = (TestQueue::new(QueueKind::Fifo), TestQueue::new(QueueKind::Standard));
    let receiver = receiver_with(settings, FixedAppId::new(APP_ID), &queue).with_quarantine(Some(quarantine.clone()));
    let response = receiver.respond(&request).await;
    let kept = quarantine.messages().iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect();
    (response.status().as_u16(), queue.messages(), kept)
}

#[tokio::test]
async fn what_cannot_be_opened_gets_200_and_is_in_quarantine_whole_with_its_reason() {
    let mut without_format = request(EVENT);
    without_format.headers.remove("x-format");
    let old = r#"{"state":"connected","timestamp":"2020-01-01T00:00:00Z"}"#;
    let large = format!(r#"{{"state":"transcript","text":"{}"}}"#, "x".repeat(2_000_000));
    let aged = Settings { max_event_age: Some(Duration::from_secs(3600)), ..Settings::default() };
    let cases = [
        (
            "undecryptable",
            with("POST", "/webhook", r#"{"encrypted_data":"00112233445566778899aabbccddeeff"}"#),
            Settings::default(),
        ),
        ("malformed", without_format, Settings::default()),
        ("malformed", with("POST", "/webhook", r#"{"encrypted_data":"#), Settings::default()),
        ("too_old", request(old), aged),
        ("too_large", request(&large), Settings::default()),
    ];
    for (reason, request, settings) in cases {
        let body = request.body.clone();
        let (status, queued, kept) = with_quarantine(settings, request).await;
        assert_eq!((status, queued.len()), (200, 0), "{reason}");
        assert!(kept.iter().all(|part| part.reason == reason && part.app == "default"), "{reason}");
        assert_eq!(kept.iter().flat_map(|part| part.body().unwrap()).collect::<Vec<u8>>(), body, "{reason}");
        assert_eq!(kept[0].headers["x-algoritm"], "aes-256-cbc");
    }
}

#[tokio::test]
async fn what_is_no_webhook_at_all_is_not_worth_a_place_in_quarantine() {
    let mut request = with("POST", "/webhook", r#"{"hello":"world"}"#);
    request.headers.remove("x-algoritm");
    let (status, _, kept) = with_quarantine(Settings::default(), request).await;
    assert_eq!((status, kept.len()), (400, 0));
}

#[tokio::test]
async fn where_the_quarantine_fails_or_is_flooded_the_sender_is_asked_to_come_again() {
    let garbage = || with("POST", "/webhook", r#"{"encrypted_data":"00"}"#);
    let queue = TestQueue::new(QueueKind::Fifo);
    let failing = TestQueue::failing(QueueError::NoSuchQueue);
    let down = receiver(&queue).with_quarantine(Some(failing));
    assert_eq!(down.respond(&garbage()).await.status(), 503);
    let quarantine = TestQueue::new(QueueKind::Standard);
    let flooded = receiver(&queue).with_quarantine(Some(quarantine.clone()));
    let mut last = 200;
    for _ in 0..1000 {
        last = flooded.respond(&garbage()).await.status().as_u16();
    }
    assert_eq!(last, 503);
    let kept = quarantine.messages().len();
    assert!((500..900).contains(&kept), "{kept}");
    assert_eq!(flooded.respond(&request(EVENT)).await.status(), 200, "a good webhook is not held up");
}

#[tokio::test]
async fn without_a_quarantine_an_event_that_is_too_old_gets_400() {
    let settings = Settings { max_event_age: Some(Duration::from_secs(60)), ..Settings::default() };
    let queue = TestQueue::new(QueueKind::Fifo);
    let receiver = receiver_with(settings, FixedAppId::new(APP_ID), &queue);
    let old = r#"{"state":"connected","timestamp":"2020-01-01T00:00:00Z"}"#;
    assert_eq!(receiver.respond(&request(old)).await.status(), 400);
    for young in [r#"{"state":"connected","timestamp":"2999-01-01T00:00:00Z"}"#, r#"{"playstate":"initiated"}"#] {
        assert_eq!(receiver.respond(&request(young)).await.status(), 200, "{young}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_nobody_can_open_is_answered_in_time_while_secrets_manager_is_silent() {
    struct SilentAfterTheStart;
    impl AppIdSource for SilentAfterTheStart {
        async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
            match version {
                Version::Current => Ok(Apps::single(AppId::new(APP_ID))),
                Version::Previous => std::future::pending().await,
            }
        }
    }
    let queue = TestQueue::new(QueueKind::Fifo);
    let receiver = receiver_with(Settings::default(), SilentAfterTheStart, &queue);
    let start = Instant::now();
    let garbage = with("POST", "/webhook", &format!(r#"{{"encrypted_data":"{}"}}"#, "00".repeat(32)));
    assert_eq!(receiver.respond(&garbage).await.status(), 503, "it was not judged by all versions");
    assert!(start.elapsed() <= Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(receiver.respond(&request(EVENT)).await.status(), 200);
}
