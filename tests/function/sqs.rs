//! The SQS client against a server that fails on command: 200 only after SQS has the message, an answer in time
//! always.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use futures_util::{FutureExt as _, future::join_all};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{task::JoinSet, time::Instant};
use voicehook_lambda::{
    app_id::{AppIds, FixedAppId},
    aws::Aws,
    event::Event,
    queue::{BatchingQueue, Delivery, EventFormat, Failover, Queue as _, QueueKind, QueueUrl, Sqs},
    receiver::{Receiver, Settings},
};
use voicehook_test_support::sqs_stub::{Reaction, SqsStub};
use voicehook_test_support::{APP_ID, EVENT, SECRET_ACCESS_KEY, aws, aws_by_the_sdk, fifo_message, request};

const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo";
/// Short, so that timeouts do not take long; long enough for two attempts on a busy machine.
const DEADLINE: Duration = Duration::from_millis(900);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(3);

fn receiver(aws: &Aws, queue_url: &str) -> Receiver<FixedAppId, Sqs> {
    let settings = Settings { publish_deadline: DEADLINE, ..Settings::default() };
    let queue = Sqs::new(aws, QueueUrl::new(queue_url).unwrap());
    Receiver::new(settings, AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300)), queue)
}

#[tokio::test]
async fn the_request_to_sqs_carries_body_attributes_and_ids() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let response = receiver(&aws(&stub.endpoint()), &stub.queue_url()).respond(&request(EVENT)).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("x-message-id") && !response.headers().contains_key("x-event-id"));
    let sent = &stub.accepted()[0];
    assert_eq!(sent["QueueUrl"], stub.queue_url());
    assert_eq!(sent["MessageBody"], EVENT);
    assert_eq!(sent["MessageGroupId"], "default:5f2d8a66");
    assert_eq!(sent["MessageDeduplicationId"], sent["MessageAttributes"]["event_id"]["StringValue"]);
    assert_eq!(sent["MessageAttributes"]["event_type"]["StringValue"], "call.connected");
    assert_eq!(sent["MessageAttributes"]["event_type"]["DataType"], "String");
    assert_eq!(stub.requests(), 1);
}

#[tokio::test]
async fn credentials_have_ended_where_they_are_refused_and_not_where_a_queue_is_denied() {
    for (reaction, have_ended) in [(Reaction::Denied, false), (Reaction::ExpiredToken, true)] {
        let stub = SqsStub::start(&[Reaction::Accept], reaction).await;
        let aws = aws(&stub.endpoint());
        let queue = Sqs::new(&aws, QueueUrl::new(&stub.queue_url()).unwrap());
        let sends = async || queue.send(fifo_message(EVENT), Instant::now() + DEADLINE).await.is_ok();
        assert!(sends().await && !sends().await);
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(4)).await;
        tokio::time::resume();
        assert!(!sends().await);
        assert_eq!(aws.credentials().ended().now_or_never().is_some(), have_ended, "{reaction:?}");
    }
}

#[tokio::test]
async fn what_is_printed_of_a_queue_for_debugging_names_it_and_shows_no_credentials() {
    let queue = Sqs::new(&aws("http://127.0.0.1:1"), QueueUrl::new(QUEUE_URL).unwrap());
    let printed = format!("{queue:?}");
    assert!(printed.contains(r#"SdkQueue { url: "https://sqs.us-east-1"#), "{printed}");
    assert!(!printed.contains(SECRET_ACCESS_KEY), "{printed}");
}

#[tokio::test]
async fn a_cold_start_asks_the_queue_once_and_again_by_the_sdk_where_that_failed() {
    for (reactions, requests) in [(&[][..], 1), (&[Reaction::InternalError], 2)] {
        let stub = SqsStub::start(reactions, Reaction::Accept).await;
        let queue = Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap());
        Failover::new(BatchingQueue::new(queue), None).warm_up().await;
        assert_eq!(stub.requests(), requests, "{reactions:?}");
    }
}

#[tokio::test]
async fn a_request_without_the_sdk_says_what_one_of_the_sdk_says() {
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let delivery = Delivery {
        app: "default",
        received_at: Timestamp::now(),
        request_id: "r",
        invocation_id: "r",
        trace_header: Some(header),
    };
    let mut said = Vec::new();
    for aws in [aws, aws_by_the_sdk] {
        for kind in [QueueKind::Fifo, QueueKind::Standard] {
            let stub = SqsStub::start(&[], Reaction::Accept).await;
            let queue = Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(QUEUE_URL).unwrap());
            let message =
                EventFormat::Raw.message(Event::from_json(EVENT.to_owned()).unwrap(), &delivery, kind).message;
            queue.send(message, Instant::now() + DEADLINE).await.unwrap();
            queue.warm_up().await;
            let (head, body) = stub.last_request();
            let headers = ["x-amz-target", "content-type"].map(|name| header_of(&head, name).to_owned());
            said.push((stub.accepted(), headers, serde_json::from_str::<Value>(&body).unwrap(), stub.requests()));
        }
    }
    assert_eq!(said[..2], said[2..]);
}

#[tokio::test]
async fn the_signature_of_a_request_without_the_sdk_is_the_one_that_the_sdk_computes_of_it() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    assert_eq!(receiver(&aws(&stub.endpoint()), &stub.queue_url()).respond(&request(EVENT)).await.status(), 200);
    let (head, body) = stub.last_request();
    assert_eq!(header_of(&head, "x-amz-security-token"), "token");

    let identity = Credentials::new("test", SECRET_ACCESS_KEY, Some("token".to_owned()), None, "test").into();
    let time = Timestamp::strptime("%Y%m%dT%H%M%S%z", header_of(&head, "x-amz-date").replace('Z', "+0000")).unwrap();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sqs")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_second().unsigned_abs()))
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let headers = ["content-type", "x-amz-target"].map(|name| (name, header_of(&head, name)));
    let url = format!("http://{}/", header_of(&head, "host"));
    let request =
        SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes())).unwrap();
    let signed = sign(request, &parameters.into()).unwrap();
    let (_, expected) = signed.output().headers().find(|(name, _)| *name == "authorization").unwrap();
    assert_eq!(header_of(&head, "authorization"), expected);
}

fn header_of<'h>(head: &'h str, name: &str) -> &'h str {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.into_iter().find(|(of_line, _)| of_line.eq_ignore_ascii_case(name)).unwrap();
    value.trim()
}

#[tokio::test]
async fn a_passing_fault_costs_a_retry_and_no_event() {
    for fault in [
        Reaction::InternalError,
        Reaction::Unavailable,
        Reaction::Throttle,
        Reaction::KmsThrottle,
        Reaction::DropRequest,
        Reaction::DropAnswer,
        Reaction::Stall,
    ] {
        for aws in [aws, aws_by_the_sdk] {
            let stub = SqsStub::start(&[fault], Reaction::Accept).await;
            let response = receiver(&aws(&stub.endpoint()), &stub.queue_url()).respond(&request(EVENT)).await;
            assert_eq!((response.status().as_u16(), stub.accepted().len()), (200, 1), "{fault:?}");
            assert_eq!(stub.requests(), 2, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_lasting_fault_gets_503_in_time_and_never_200() {
    for fault in [
        Reaction::InternalError,
        Reaction::Unavailable,
        Reaction::Throttle,
        Reaction::NoSuchQueue,
        Reaction::Denied,
        Reaction::Nonsense,
        Reaction::NoMessageId,
        Reaction::EmptyMessageId,
        Reaction::ExpiredToken,
        Reaction::Endless,
        Reaction::DropRequest,
        Reaction::DropAnswer,
        Reaction::Stall,
    ] {
        for aws in [aws, aws_by_the_sdk] {
            let stub = SqsStub::start(&[], fault).await;
            let receiver = receiver(&aws(&stub.endpoint()), &stub.queue_url());
            let start = Instant::now();
            let answered = tokio::time::timeout(DEADLINE + SLACK, receiver.respond(&request(EVENT))).await;
            let response = answered.unwrap_or_else(|_| panic!("{fault:?}: no answer after {:?}", start.elapsed()));
            assert_eq!((response.status().as_u16(), stub.accepted().len()), (503, 0), "{fault:?}");
            assert_eq!(response.headers()["retry-after"], "1", "{fault:?}");
            assert!(response.body().contains("try again"), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_blip_costs_no_event_however_long_an_outage_there_was_before() {
    let stub = SqsStub::start(&[], Reaction::InternalError).await;
    let receiver = receiver(&aws(&stub.endpoint()), &stub.queue_url());
    // The SDK's own quota for retries is spent after 13 failed webhooks.
    let mut outage = JoinSet::new();
    let receiver = Arc::new(receiver);
    for _ in 0..40 {
        let receiver = Arc::clone(&receiver);
        outage.spawn(async move { receiver.respond(&request(EVENT)).await.status().as_u16() });
    }
    assert!(outage.join_all().await.into_iter().all(|status| status == 503));
    stub.script(&[Reaction::InternalError, Reaction::Throttle, Reaction::Unavailable], Reaction::Accept);
    assert_eq!(receiver.respond(&request(EVENT)).await.status(), 200);
    assert_eq!(stub.accepted().len(), 1);
}

#[tokio::test]
async fn of_connections_that_died_in_a_freeze_one_is_met_and_no_more() {
    for aws in [aws, aws_by_the_sdk] {
        let stub = SqsStub::start(&[], Reaction::Accept).await;
        let queue = Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap());
        let deadline = || Instant::now() + Duration::from_secs(20);
        let message = fifo_message(EVENT);
        stub.open(false);
        let mut side_by_side = JoinSet::new();
        for _ in 0..5 {
            let (queue, message) = (queue.clone(), message.clone());
            side_by_side.spawn(async move { queue.send(message, deadline()).await.is_ok() });
        }
        stub.read(5).await;
        stub.open(true);
        assert!(side_by_side.join_all().await.into_iter().all(|sent| sent));
        // Younger connections are not thought dead.
        tokio::time::sleep(Duration::from_millis(200)).await;
        stub.kill_connections();
        for _ in 0..5 {
            assert!(queue.send(message.clone(), deadline()).await.is_ok());
        }
        assert_eq!(stub.requests_on_dead_connections(), 1);
    }
}

#[tokio::test]
async fn a_cold_start_waits_for_a_queue_that_stalls_and_not_as_long_as_a_webhook_may() {
    let stub = SqsStub::start(&[], Reaction::Stall).await;
    let queue = Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap());
    assert!(tokio::time::timeout(Duration::from_secs(1) + SLACK, queue.warm_up()).await.is_ok());
}

#[tokio::test]
async fn a_refused_connection_gets_503() {
    // Nobody listens on the discard port.
    let response = receiver(&aws("http://127.0.0.1:9"), "http://127.0.0.1:9/000000000000/events.fifo")
        .respond(&request(EVENT))
        .await;
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn connections_that_the_other_side_closed_while_idle_cost_no_event() {
    let stub = SqsStub::start(&[], Reaction::AcceptAndClose).await;
    let receiver = receiver(&aws(&stub.endpoint()), &stub.queue_url());
    for _ in 0..20 {
        assert_eq!(receiver.respond(&request(EVENT)).await.status(), 200);
    }
    assert_eq!(stub.accepted().len(), 20);
}

/// Webhooks sent in one run of the equation.
const WEBHOOKS: usize = 100;

/// Sends webhooks, twenty at a time, and checks that each is where its answer says: 200 on a queue, everything else
/// still with the sender. Returns how many were answered 200.
async fn equation(first: &SqsStub, second: Option<&SqsStub>, what: &str) -> usize {
    let sqs = |stub: &SqsStub| Sqs::new(&aws(&stub.endpoint()), QueueUrl::new(&stub.queue_url()).unwrap());
    let queue = |stub: &SqsStub| BatchingQueue::new(sqs(stub));
    let queue = Failover::new(queue(first), second.map(queue));
    let settings = Settings { publish_deadline: DEADLINE, ..Settings::default() };
    let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300));
    let receiver = Arc::new(Receiver::new(settings, app_ids, queue));
    let mut answered = HashSet::new();
    let mut refused = 0;
    for batch in 0..WEBHOOKS / 20 {
        let mut inflight = JoinSet::new();
        for number in 0..20 {
            let (receiver, event) = (Arc::clone(&receiver), format!(r#"{{"voice_id":"{batch}-{number}"}}"#));
            inflight.spawn(async move {
                let start = Instant::now();
                let response = receiver.respond(&request(&event)).await;
                (event, response, start.elapsed())
            });
        }
        while let Some(done) = inflight.join_next().await {
            let (event, response, took) = done.unwrap();
            assert!(took < DEADLINE + SLACK, "{what}: an answer took {took:?}");
            match response.status().as_u16() {
                200 => assert!(answered.insert(event)),
                503 => refused += 1,
                other => panic!("{what}: status {other}"),
            }
        }
    }
    let accepted = first.accepted().into_iter().chain(second.map(SqsStub::accepted).unwrap_or_default());
    let accepted: Vec<Value> = accepted.collect();
    let text = |field: &'static str| accepted.iter().map(move |message| message[field].as_str().unwrap().to_owned());
    let queued: HashSet<String> = text("MessageBody").collect();
    let identities: HashSet<String> = text("MessageDeduplicationId").collect();
    assert_eq!(identities.len(), queued.len(), "{what}: an event was sent again under another id");
    assert!(answered.is_subset(&queued), "{what}: a webhook was answered 200 without its message");
    assert!(queued.len() + refused >= WEBHOOKS, "{what}: {} queued, {refused} refused", queued.len());
    if !(what.starts_with("AcceptAndDropAnswer") || what.starts_with("Contradict")) {
        assert_eq!(queued.len() + refused, WEBHOOKS, "{what}");
    }
    answered.len()
}

#[tokio::test]
async fn messages_and_refusals_add_up_to_the_webhooks_sent_whatever_fails_how_often() {
    let faults = [
        Reaction::InternalError,
        Reaction::Unavailable,
        Reaction::Throttle,
        Reaction::NoSuchQueue,
        Reaction::Denied,
        Reaction::Nonsense,
        Reaction::DropRequest,
        Reaction::DropAnswer,
        Reaction::AcceptAndDropAnswer,
        Reaction::AcceptAndClose,
        Reaction::AcceptHalf,
        Reaction::Contradict,
        Reaction::KmsThrottle,
        Reaction::Endless,
        Reaction::Stall,
    ];
    // Most of the time is spent on waiting.
    for faults in faults.chunks(3) {
        join_all(faults.iter().map(|fault| equations(*fault))).await;
    }
}

async fn equations(fault: Reaction) {
    for every in [100, 10, 1] {
        let what = format!("{fault:?} at every request of {every}");
        let alone = SqsStub::start_with_fault(fault, every).await;
        let queued = equation(&alone, None, &what).await;
        let passing = !matches!(fault, Reaction::NoSuchQueue | Reaction::Denied);
        if every > 1 && passing {
            assert_eq!(queued, WEBHOOKS, "{what}: a retry would have helped");
        }
        let first = SqsStub::start_with_fault(fault, every).await;
        let second = SqsStub::start(&[], Reaction::Accept).await;
        let queued = equation(&first, Some(&second), &format!("{what}, with failover")).await;
        assert_eq!(queued, WEBHOOKS, "{what}: the failover queue takes what the first one does not");
    }
}

#[tokio::test]
async fn a_queue_that_nobody_serves_costs_no_event_where_there_is_another_one() {
    let second = SqsStub::start(&[], Reaction::Accept).await;
    let nobody = Sqs::new(&aws("http://127.0.0.1:9"), QueueUrl::new(&second.queue_url()).unwrap());
    let there = Sqs::new(&aws(&second.endpoint()), QueueUrl::new(&second.queue_url()).unwrap());
    let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300));
    let receiver = Receiver::new(Settings::default(), app_ids, Failover::new(nobody, Some(there)));
    assert_eq!(receiver.respond(&request(EVENT)).await.status(), 200);
    assert_eq!(second.accepted()[0]["MessageAttributes"]["failover"]["StringValue"], "true");
}
