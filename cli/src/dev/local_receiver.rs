//! Stands in for API Gateway and Lambda: answers HTTP requests, and records each one in the inspector's journal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use axum::{body, extract};
use http::{Request, Response, request::Parts};
use jiff::Timestamp;
use tokio::sync::RwLock;
use voicehook_lambda::{
    app_id::FixedAppId,
    receiver::{self, Answer, MAX_BODY_BYTES, Outcome, Receiver, Refusal},
    telemetry,
};

use super::{
    forward::Forwarder,
    inspector::{Exchange, Journal, Origin, is_inspectors},
    local_queue::{self, LocalQueue, event_of},
    record::{Received, Recorder},
};

/// Receives webhooks on this machine.
#[derive(Debug)]
pub(crate) struct LocalReceiver {
    receiver: Receiver<FixedAppId, LocalQueue>,
    /// Records webhooks for the inspector.
    journal: Option<Arc<Journal>>,
    /// Writes webhooks to a file.
    recorder: Option<Arc<Recorder>>,
    /// Posts events to the developer's application.
    forwarder: Option<Arc<Forwarder>>,
    /// Part of each request id, because several runs of the program may share a queue.
    run: String,
    count: AtomicUsize,
    /// Held for reading while a webhook is handled.
    handling: RwLock<()>,
}

impl LocalReceiver {
    pub(crate) fn new(receiver: Receiver<FixedAppId, LocalQueue>, journal: Option<Arc<Journal>>) -> Self {
        let run = format!("{:x}", Timestamp::now().as_microsecond());
        let (recorder, forwarder, count, handling) = Default::default();
        Self { receiver, journal, recorder, forwarder, run, count, handling }
    }

    /// Records what arrives.
    pub(crate) fn recording(self, recorder: Option<Arc<Recorder>>) -> Self {
        Self { recorder, ..self }
    }

    /// Posts events to the developer's application.
    pub(crate) fn forwarding(self, forwarder: Option<Arc<Forwarder>>) -> Self {
        Self { forwarder, ..self }
    }

    /// Handles an HTTP request.
    pub(crate) async fn respond(&self, request: extract::Request) -> Response<body::Body> {
        let (parts, body) = request.into_parts();
        if is_inspectors(parts.uri.path()) {
            return self.not_found();
        }
        match body::to_bytes(body, MAX_BODY_BYTES).await {
            Ok(body) => self.receive(parts, body.into(), Origin::Received).await.0,
            Err(_) => self.too_large(parts),
        }
    }

    /// Handles a request whose body has been read. Returns the answer, and the request's number in the journal.
    pub(crate) async fn receive(
        &self,
        parts: Parts,
        body: Vec<u8>,
        origin: Origin,
    ) -> (Response<body::Body>, Option<u64>) {
        let _handling = self.handling.read().await;
        let (arrived, instant) = (Timestamp::now(), Instant::now());
        let request = Request::from_parts(parts, body);
        let origin_of_request = receiver::Origin::local(&self.next_request_id());
        let received = receiver::Request { origin: origin_of_request, ..request.clone().into() };
        let (Answer { response, outcome, record }, message) =
            local_queue::watched(self.receiver.receive(&received)).await;
        telemetry::webhook(&record);
        // As the message says it, so that the history can make the message again.
        let received_at = message.as_ref().and_then(|message| message.attribute("received_at")?.parse().ok());
        let arrived = received_at.unwrap_or(arrived);
        if let (Some(recorder), Origin::Received) = (&self.recorder, &origin) {
            let (event, status) = (message.as_ref().and_then(event_of), response.status());
            recorder.record(&Received { arrived: instant, request: &request, event, outcome: &outcome, status });
        }
        let is_queued = matches!(outcome, Outcome::Queued { .. });
        let to_post =
            self.forwarder.as_ref().zip(message.as_ref()).filter(|_| is_queued).map(|(forwarder, message)| {
                let forwarding = forwarder.prepare(message);
                (forwarder, message.clone(), forwarding)
            });
        let id = self.journal.as_ref().map(|journal| {
            let forwarding = to_post.as_ref().map(|(_, _, forwarding)| Arc::clone(forwarding));
            let exchange = Exchange::new(arrived, origin, request, message, &response, outcome);
            journal.add(Exchange { app: record.app, stages: record.stages, forwarding, ..exchange })
        });
        if let Some((forwarder, message, forwarding)) = to_post {
            forwarder.post(message, forwarding, self.journal.clone().zip(id));
        }
        (response.map(body::Body::from), id)
    }

    /// Waits until all webhooks that are being handled now have their answers.
    pub(crate) async fn drained(&self) {
        drop(self.handling.write().await);
    }

    /// Each request gets its own id, so that two events with the same bytes count as two.
    fn next_request_id(&self) -> String {
        format!("local-{}-{}", self.run, 1 + self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// The answer to a request for the inspector that the inspector did not take: as if there were none. Nothing of it is kept.
    fn not_found(&self) -> Response<body::Body> {
        Outcome::Refused(Refusal::NotFound).response(&self.next_request_id()).map(body::Body::from)
    }

    /// Answers a request whose body was too large to read.
    fn too_large(&self, parts: Parts) -> Response<body::Body> {
        let outcome = Outcome::BodyTooLarge;
        let response = outcome.response(&self.next_request_id());
        if let Some(journal) = &self.journal {
            let request = Request::from_parts(parts, Vec::new());
            journal.add(Exchange::new(Timestamp::now(), Origin::Received, request, None, &response, outcome));
        }
        response.map(body::Body::from)
    }
}
