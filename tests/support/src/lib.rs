//! What the tests and benchmarks share: a queue that remembers, a receiver in front of it, and stubs of AWS and of Lambda.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::must_use_candidate,
    reason = "a test fails by panicking"
)]

pub mod aws_stub;
mod random;
pub mod runtime_api;
pub mod sqs_stub;

use std::{
    io::Write as _,
    process::Command,
    sync::{Arc, Mutex},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_types::{SdkConfig, region::Region};
use jiff::Timestamp;
use tokio::time::Instant;

pub use self::random::Random;
use voicehook_lambda::{
    app_id::{AppIdSource, AppIds, FixedAppId},
    aws::{self, Aws},
    decrypt::{Algorithm, Encoding, Format},
    event::Event,
    lambda::GatewayEvent,
    queue::{Delivery, EventFormat, MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, Sent},
    receiver::{Origin, Receiver, Request, Settings},
    sender,
};

/// The AppID of the files in `events/`.
pub const APP_ID: &str = "voicehook-dev";

/// Of the clients.
pub const SECRET_ACCESS_KEY: &str = "secret of the tests";

/// An event like those of EnableX.
pub const EVENT: &str = r#"{"voice_id": "5f2d8a66", "state":"connected", "from":"+12025550123", "n":1.50}"#;

/// A queue that keeps what it gets, or fails as it is told.
#[derive(Clone)]
pub struct TestQueue {
    pub kind: QueueKind,
    pub failure: Option<QueueError>,
    pub messages: Arc<Mutex<Vec<Message>>>,
}

impl TestQueue {
    pub fn new(kind: QueueKind) -> Self {
        Self { kind, failure: None, messages: Arc::default() }
    }

    pub fn failing(failure: QueueError) -> Self {
        Self { failure: Some(failure), ..Self::new(QueueKind::Fifo) }
    }

    fn take(&self, message: Message) -> Result<Sent, QueueError> {
        if message.bytes() > MAX_MESSAGE_BYTES {
            return Err(QueueError::TooLarge { limit: MAX_MESSAGE_BYTES });
        }
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.messages.lock().unwrap().push(message);
        Ok(Sent { message_id: "message-1".to_owned(), failover: false })
    }

    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }
}

impl Queue for TestQueue {
    fn kind(&self) -> QueueKind {
        self.kind
    }

    /// The message is there when this is called, as a queue must have it.
    fn send(&self, message: Message, _deadline: Instant) -> impl Future<Output = Result<Sent, QueueError>> + Send {
        std::future::ready(self.take(message))
    }
}

/// A receiver with one AppID and default settings.
pub fn receiver(queue: &TestQueue) -> Receiver<FixedAppId, TestQueue> {
    receiver_with(Settings::default(), FixedAppId::new(APP_ID), queue)
}

pub fn receiver_with<S: AppIdSource>(settings: Settings, source: S, queue: &TestQueue) -> Receiver<S, TestQueue> {
    Receiver::new(settings, AppIds::new(source, std::time::Duration::from_secs(300)), queue.clone())
}

/// The body of a webhook that carries an event.
pub fn encrypted_body(event: &str) -> String {
    let algorithm = Algorithm::named("aes-256-cbc").unwrap();
    let data = sender::encrypt(event, APP_ID, algorithm, Format::Hex, Encoding::Utf8);
    format!(r#"{{"encrypted_data":"{data}"}}"#)
}

/// A webhook of EnableX, still without its body.
pub fn headers() -> http::request::Builder {
    headers_with_encoding("utf8")
}

/// The same with another `x-encoding`.
pub fn headers_with_encoding(encoding: &str) -> http::request::Builder {
    http::Request::builder()
        .method("POST")
        .uri("/webhook")
        .header("content-type", "application/json")
        .header("x-algoritm", "aes-256-cbc")
        .header("x-format", "hex")
        .header("x-encoding", encoding)
}

/// AWS clients for an emulator or a stub, as the function has them.
pub fn aws(endpoint: &str) -> Aws {
    let connections = aws::Connections::new(aws::TrustRoots::System).with_limit(1024 * 1024);
    let connector = SharedHttpConnector::new(connections.clone());
    aws_over(connector.clone(), endpoint).sending_directly(connector, credentials()).over(connections)
}

/// The same as the command-line tool has them: everything goes through the SDK.
pub fn aws_by_the_sdk(endpoint: &str) -> Aws {
    let connections = aws::Connections::new(aws::TrustRoots::System).with_limit(1024 * 1024);
    aws_over(SharedHttpConnector::new(connections.clone()), endpoint).over(connections)
}

fn aws_over(connector: SharedHttpConnector, endpoint: &str) -> Aws {
    let shared = SdkConfig::builder()
        .behavior_version(aws::behavior_version())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials()))
        .http_client(aws::http_client(connector))
        .sleep_impl(TokioSleep::new())
        .endpoint_url(endpoint)
        .build();
    Aws::new(shared)
}

/// With a session token, as Lambda's have one.
fn credentials() -> Credentials {
    Credentials::new("test", SECRET_ACCESS_KEY, Some("token".to_owned()), None, "test")
}

/// The request in an event of a gateway.
pub fn request_of(event: &str) -> Request {
    serde_json::from_str::<GatewayEvent>(event).unwrap().into_captured_request().unwrap()
}

/// A whole webhook.
pub fn request(event: &str) -> Request {
    headers().body(encrypted_body(event)).unwrap().into()
}

/// An event as a message for a FIFO queue.
pub fn fifo_message(event: &str) -> Message {
    let received_at = Timestamp::now();
    let delivery = Delivery { app: "default", received_at, request_id: "r", invocation_id: "r", trace_header: None };
    EventFormat::Raw.message(Event::from_json(event.to_owned()).unwrap(), &delivery, QueueKind::Fifo).message
}

/// The same request with an id, as a server gives it one.
pub fn with_id(request: impl Into<Request>, request_id: &str) -> Request {
    Request { origin: Origin::local(request_id), ..request.into() }
}

/// Node, if it is one that still has `crypto.createCipher`; else says in one line why the caller is skipped.
pub fn node_with_create_cipher() -> Option<Command> {
    let version = Command::new("node").arg("--version").output().ok().map(|output| output.stdout);
    let version = version.and_then(|version| String::from_utf8(version).ok()).unwrap_or_default();
    let major: Option<u32> =
        version.trim().strip_prefix('v').and_then(|version| version.split('.').next()?.parse().ok());
    match major {
        Some(major) if major < 22 => {
            let mut node = Command::new("node");
            node.arg("--no-deprecation");
            Some(node)
        }
        Some(_) => {
            skipped(&format!("Node {} has no crypto.createCipher any more; this needs Node 20", version.trim()));
            None
        }
        None => {
            skipped("Node is not installed; this needs Node 20");
            None
        }
    }
}

/// Says why a test did not run, past the test runner's capture of what tests print.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
