//! The SQS client against a server that fails on command: 200 only after SQS has the message, an answer in time
//! always.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/sqs_stub.rs"]
mod sqs_stub;
mod support;

use std::time::{Duration, Instant};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_types::{SdkConfig, region::Region};
use sqs_stub::{Reaction, SqsStub};
use support::{APP_ID, EVENT, request, text};
use voicehook::{
    app_id::{AppIds, FixedAppId},
    aws::{self, Aws},
    config::Settings,
    gateway::Receiver,
    queue::{QueueUrl, Sqs},
};

/// Short, so that time-outs do not take long; long enough for two attempts on a busy machine.
const DEADLINE: Duration = Duration::from_millis(900);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(3);

fn aws(endpoint: &str) -> Aws {
    let shared = SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
        .http_client(aws::http_client())
        .sleep_impl(TokioSleep::new())
        .endpoint_url(endpoint)
        .build();
    Aws::new(shared)
}

fn receiver(endpoint: &str, queue_url: &str) -> Receiver<FixedAppId, Sqs> {
    let settings = Settings { publish_deadline: DEADLINE, ..Settings::default() };
    let queue = Sqs::new(&aws(endpoint), QueueUrl::new(queue_url).unwrap(), DEADLINE);
    Receiver::new(settings, AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(300)), queue)
}

#[tokio::test]
async fn the_request_to_sqs_carries_body_attributes_and_ids() {
    let stub = SqsStub::start(&[], Reaction::Accept).await;
    let response = receiver(&stub.endpoint(), &stub.queue_url()).respond(request(EVENT)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-message-id"], "5fea7756-0ea4-451a-a703-a558b933e274");
    let sent = &stub.accepted()[0];
    assert_eq!(sent["QueueUrl"], stub.queue_url());
    assert_eq!(sent["MessageBody"], EVENT);
    assert_eq!(sent["MessageGroupId"], "default:5f2d8a66");
    assert_eq!(sent["MessageDeduplicationId"], sent["MessageAttributes"]["event_id"]["StringValue"]);
    assert_eq!(sent["MessageAttributes"]["event_type"]["StringValue"], "call.connected");
    assert_eq!(sent["MessageAttributes"]["event_type"]["DataType"], "String");
}

#[tokio::test]
async fn a_passing_fault_costs_a_retry_and_no_event() {
    for fault in [
        Reaction::InternalError,
        Reaction::Unavailable,
        Reaction::Throttle,
        Reaction::DropRequest,
        Reaction::DropAnswer,
        Reaction::Stall,
    ] {
        let stub = SqsStub::start(&[fault], Reaction::Accept).await;
        let response = receiver(&stub.endpoint(), &stub.queue_url()).respond(request(EVENT)).await;
        assert_eq!((response.status().as_u16(), stub.accepted().len()), (200, 1), "{fault:?}");
        assert_eq!(stub.requests(), 2, "{fault:?}");
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
        Reaction::DropRequest,
        Reaction::DropAnswer,
        Reaction::Stall,
    ] {
        let stub = SqsStub::start(&[], fault).await;
        let receiver = receiver(&stub.endpoint(), &stub.queue_url());
        let start = Instant::now();
        let answered = tokio::time::timeout(DEADLINE + SLACK, receiver.respond(request(EVENT))).await;
        let response = answered.unwrap_or_else(|_| panic!("{fault:?}: no answer after {:?}", start.elapsed()));
        assert_eq!((response.status().as_u16(), stub.accepted().len()), (503, 0), "{fault:?}");
        assert_eq!(response.headers()["retry-after"], "1", "{fault:?}");
        assert!(text(&response).contains("try again"), "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_gets_503() {
    // Nobody listens on the discard port.
    let response =
        receiver("http://127.0.0.1:9", "http://127.0.0.1:9/000000000000/events.fifo").respond(request(EVENT)).await;
    assert_eq!(response.status(), 503);
}

#[tokio::test]
async fn connections_that_the_other_side_closed_while_idle_cost_no_event() {
    let stub = SqsStub::start(&[], Reaction::AcceptAndClose).await;
    let receiver = receiver(&stub.endpoint(), &stub.queue_url());
    for _ in 0..20 {
        assert_eq!(receiver.respond(request(EVENT)).await.status(), 200);
    }
    assert_eq!(stub.accepted().len(), 20);
}
