//! What the benchmarks of the handler share: webhooks of any size, and a receiver that has no queue behind it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each benchmark uses a part, and fails by panicking"
)]

pub mod guard;
pub mod ways;

use std::{hint::black_box, sync::LazyLock, time::Duration};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use aws_types::{SdkConfig, region::Region};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};
use voicehook_lambda::{
    app_id::{AppIdSource, AppIdUnavailable, AppIds, Apps, FixedAppId, Version},
    aws::{self, Aws},
    decrypt::{Algorithm, Encoding, Format},
    queue::{Message, Queue, QueueError, QueueKind, QueueUrl, Sent, Sqs},
    receiver::{Opener, Origin, Receiver, Request, Settings},
    sender,
    webhook::Accept,
};

pub const APP_ID: &str = "voicehook-dev";

/// An event's JSON text of so many bytes: a transcript. Every 80 characters there is a quotation mark, which JSON
/// escapes.
pub fn event(bytes: usize) -> String {
    event_of(0x0c6d_2e1b_7a90, bytes)
}

/// The event of one of many calls.
pub fn event_of(call: usize, bytes: usize) -> String {
    const WORDS: &str = r#"thank you for calling, your call is important to us and will be answered \"soon\", "#;
    let mut event =
        format!(r#"{{"voice_id":"5f2d8a66-3b1c-4d0e-9a7f-{call:012x}","from":"+12025550123","to":"+12025550199","#);
    event.push_str(r#""channel_id":"a1b2c3d4e5f6","timestamp":"2026-11-23T10:53:06Z","state":"transcript","text":""#);
    let end = bytes - 2;
    while event.len() + WORDS.len() <= end {
        event.push_str(WORDS);
    }
    event.extend(std::iter::repeat_n('.', end - event.len()));
    event + "\"}"
}

/// `encrypted_data` of an event.
pub fn encrypted(event: &str, algorithm: &str, format: Format) -> String {
    sender::encrypt(event, APP_ID, Algorithm::named(algorithm).unwrap(), format, Encoding::Utf8)
}

/// The body of a webhook: aes-256-cbc, hex, UTF-8.
pub fn body(event: &str) -> String {
    format!(r#"{{"encrypted_data":"{}"}}"#, encrypted(event, "aes-256-cbc", Format::Hex))
}

/// A whole webhook.
pub fn request(bytes: usize) -> Request {
    let request = http::Request::builder()
        .method("POST")
        .uri("/webhook")
        .header("content-type", "application/json")
        .header("x-algoritm", "aes-256-cbc")
        .header("x-format", "hex")
        .header("x-encoding", "utf8")
        .body(body(&event(bytes)))
        .unwrap();
    // With an id, as Lambda gives one.
    Request { origin: Origin::local("8476a536-e9f4-11e8-9739-2dfe598c3fcd"), ..request.into() }
}

/// Has every message as soon as it is there.
pub struct NoQueue;

impl Queue for NoQueue {
    fn kind(&self) -> QueueKind {
        QueueKind::Fifo
    }

    async fn send(&self, message: Message, _: Instant) -> Result<Sent, QueueError> {
        black_box(message);
        Ok(Sent { message_id: "5fea7756-0ea4-451a-a703-a558b933e274".to_owned(), failover: false })
    }
}

/// SQS's answer for a message.
const TAKEN: &str = r#"{"MessageId":"5fea7756-0ea4-451a-a703-a558b933e274"}"#;

/// Sends nothing, and has the answer at once.
#[derive(Debug)]
struct NoNetwork;

impl HttpConnector for NoNetwork {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        black_box(request);
        HttpConnectorFuture::ready(answer(TAKEN.into()))
    }
}

/// Sends nothing, and has the answer when everything else has had its turn. Of a batch it has all messages.
#[derive(Debug)]
struct SlowNetwork;

impl HttpConnector for SlowNetwork {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        static ALL: LazyLock<String> = LazyLock::new(|| {
            let entry = |id| format!(r#"{{"Id":"{id}","MessageId":"5fea7756-0ea4-451a-a703-a558b933e274"}}"#);
            format!(r#"{{"Successful":[{}],"Failed":[]}}"#, (0..10).map(entry).collect::<Vec<_>>().join(","))
        });
        let is_batch = request.headers().get("x-amz-target") == Some("AmazonSQS.SendMessageBatch");
        black_box(request);
        HttpConnectorFuture::new(async move {
            tokio::task::yield_now().await;
            answer(if is_batch { ALL.as_str() } else { TAKEN }.into())
        })
    }
}

fn answer(body: SdkBody) -> Result<HttpResponse, ConnectorError> {
    Ok(HttpResponse::new(200.try_into().unwrap(), body))
}

/// SQS as the function has it, up to the HTTP request.
pub fn aws() -> Aws {
    aws_over(SharedHttpConnector::new(NoNetwork))
}

fn aws_over(connector: SharedHttpConnector) -> Aws {
    let credentials = Credentials::new("bench", "bench", Some("token".repeat(100)), None, "bench");
    let shared = SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
        .http_client(aws::http_client(connector.clone()))
        .sleep_impl(TokioSleep::new())
        .build();
    Aws::new(shared).sending_directly(connector, credentials)
}

pub const QUEUE_URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo";

pub fn sqs() -> Sqs {
    Sqs::new(&aws(), QueueUrl::new(QUEUE_URL).unwrap())
}

/// The same, where requests take a while.
pub fn sqs_that_waits() -> Sqs {
    Sqs::new(&aws_over(SharedHttpConnector::new(SlowNetwork)), QueueUrl::new(QUEUE_URL).unwrap())
}

pub fn app_ids<S: AppIdSource>(source: S) -> AppIds<S> {
    AppIds::new(source, Duration::from_secs(86_400))
}

/// Has another AppID than the one that the webhooks are encrypted with, which is the one before it.
pub struct Rotated;

impl AppIdSource for Rotated {
    async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
        Ok(Apps::bare(match version {
            Version::Current => "voicehook-new",
            Version::Previous => APP_ID,
        }))
    }
}

/// The receiver in front of a queue.
pub fn receiver<Q: Queue>(queue: Q) -> Receiver<FixedAppId, Q> {
    receiver_with(app_ids(FixedAppId::new(APP_ID)), queue)
}

pub fn receiver_with<S: AppIdSource, Q: Queue>(app_ids: AppIds<S>, queue: Q) -> Receiver<S, Q> {
    Receiver::new(Settings::default(), app_ids, queue)
}

/// The part of the receiver that opens envelopes.
pub fn opener() -> Opener<FixedAppId> {
    Opener { accept: Accept::all(), max_event_age: None, app_ids: app_ids(FixedAppId::new(APP_ID)) }
}

/// The runtime that the function has with one webhook at a time.
pub fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}
