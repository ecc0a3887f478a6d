//! What the benchmarks of the handler share: webhooks of any size, and a receiver that has no queue behind it.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each benchmark uses a part, and fails by panicking"
)]

use std::{hint::black_box, time::Duration};

use lambda_http::{Body, Request, http};
use tokio::{
    runtime::{Builder, Runtime},
    time::Instant,
};
use voicehook::{
    app_id::{AppIds, FixedAppId},
    config::Settings,
    gateway::Receiver,
    queue::{Message, Queue, QueueError, QueueKind, Sent},
    sender,
    webhook::{Algorithm, Encoding, Format},
};

pub const APP_ID: &str = "voicehook-dev";

/// An event's JSON text of so many bytes: a transcript. Every 80 characters there is a quotation mark, which JSON
/// escapes.
pub fn event(bytes: usize) -> String {
    const WORDS: &str = r#"thank you for calling, your call is important to us and will be answered \"soon\", "#;
    let mut event =
        r#"{"voice_id":"5f2d8a66-3b1c-4d0e-9a7f-0c6d2e1b7a90","from":"+12025550123","to":"+12025550199","#.to_owned();
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

/// A whole webhook: aes-256-cbc, hex, UTF-8.
pub fn request(bytes: usize) -> Request {
    let data = encrypted(&event(bytes), "aes-256-cbc", Format::Hex);
    http::Request::builder()
        .method("POST")
        .uri("/webhook")
        .header("content-type", "application/json")
        .header("x-algoritm", "aes-256-cbc")
        .header("x-format", "hex")
        .header("x-encoding", "utf8")
        .body(Body::Text(format!(r#"{{"encrypted_data":"{data}"}}"#)))
        .unwrap()
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

/// The receiver, and the runtime that the function has with one webhook at a time.
pub fn receiver() -> (Runtime, Receiver<FixedAppId, NoQueue>) {
    let app_ids = AppIds::new(FixedAppId::new(APP_ID), Duration::from_secs(86_400));
    let receiver = Receiver::new(Settings::default(), app_ids, NoQueue);
    (Builder::new_current_thread().enable_time().build().unwrap(), receiver)
}
