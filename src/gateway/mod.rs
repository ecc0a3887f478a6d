//! HTTP in, HTTP out: route, size, method, token, probe; and the status table.
//!
//! In comes a request of API Gateway (payload 1.0 or 2.0), a Function URL, an ALB or the local server, all as one
//! [`Request`]; out comes a response. `Receiver::handle` is the way of a webhook from end to end: it is the one place
//! that knows all the other modules.

mod answer;
mod invocation;
mod lambda;
mod open;
mod route;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use lambda_http::{Body, Request, Response, http::Method};
use tokio::time::Instant;

pub use self::{
    answer::{MAX_BODY_BYTES, Outcome, Refusal},
    lambda::run_on_lambda,
    open::{Opener, Unopened},
};
use self::{invocation::Invocation, route::Route};
use crate::{
    app_id::{AppIdSource, AppIds},
    config::Settings,
    event::Event,
    queue::{Delivery, Quarantine, Queue, QueueError, Refused},
    telemetry,
    webhook::looks_like_a_webhook,
};

/// The handler: everything that outlives a webhook.
#[derive(Debug)]
pub struct Receiver<S, Q> {
    settings: Settings,
    opener: Opener<S>,
    queue: Q,
    quarantine: Option<Quarantine<Q>>,
}

impl<S: AppIdSource, Q: Queue> Receiver<S, Q> {
    /// Puts a receiver together.
    pub fn new(settings: Settings, app_ids: AppIds<S>, queue: Q) -> Self {
        let opener = Opener { accept: settings.accept.clone(), max_event_age: settings.max_event_age, app_ids };
        Self { settings, opener, queue, quarantine: None }
    }

    /// Keeps what cannot be opened on another queue.
    #[must_use]
    pub fn with_quarantine(self, queue: Option<Q>) -> Self {
        Self { quarantine: queue.map(Quarantine::new), ..self }
    }

    /// During a cold start: fetches the AppIDs and opens the connection to the queue, side by side. Neither stops the
    /// start where it fails; the first webhook tries again.
    pub async fn warm_up(&self) {
        let (app_ids, ()) = tokio::join!(self.opener.app_ids.current(), self.queue.warm_up());
        if let Err(error) = app_ids {
            tracing::error!(%error, "no AppID at the start; webhooks get 503 until there is one");
        }
    }

    /// Receives one request, answers it and writes its line to the log. A panic on the way is answered and logged too.
    pub async fn respond(&self, request: Request) -> Response<Body> {
        let arrived = Instant::now();
        let invocation = Invocation::of(&request);
        let handled = AssertUnwindSafe(self.handle(&request, &invocation, arrived)).catch_unwind().await;
        let outcome = handled.unwrap_or(Outcome::Panicked);
        let response = outcome.response();
        let (status, bytes) = (response.status(), request.body().len());
        telemetry::webhook(&invocation.request_id, &outcome, status, bytes, arrived.elapsed());
        response
    }

    /// The way of a webhook.
    async fn handle(&self, request: &Request, invocation: &Invocation, arrived: Instant) -> Outcome {
        let route = Route::of(&invocation.path, invocation.stage.as_deref(), invocation.token.as_deref());
        let Some(route) = route else { return Outcome::NotFound };
        let apps = match self.opener.app_ids.current().await {
            Ok(apps) => apps,
            Err(error) => return Outcome::AppIdUnavailable(error),
        };
        let Some(app) = route.find(&apps, self.settings.token.as_ref()) else { return Outcome::NotFound };
        match (request.method(), request.body().as_ref()) {
            (&Method::GET | &Method::HEAD, _) | (&Method::POST, []) => Outcome::Probe,
            (&Method::POST, body) if body.len() > MAX_BODY_BYTES => Outcome::BodyTooLarge,
            (&Method::POST, body) => {
                let delivery = Delivery {
                    app,
                    received_at: Timestamp::now(),
                    request_id: &invocation.request_id,
                    trace_header: invocation.trace_header.as_deref(),
                };
                let deadline = invocation.deadline(arrived, self.settings.publish_deadline);
                self.receive(request, body, &delivery, deadline).await
            }
            _ => Outcome::MethodNotAllowed,
        }
    }

    /// A `POST` with a body: onto the queue, else into quarantine.
    async fn receive(&self, request: &Request, body: &[u8], delivery: &Delivery<'_>, deadline: Instant) -> Outcome {
        let refusal = match self.opener.open(request.headers(), body, delivery.app).await {
            Ok(event) => match self.publish(event, delivery, deadline).await {
                Ok(queued) => return queued,
                Err(QueueError::TooLarge { limit, .. }) => Refusal::TooLarge { limit },
                Err(error) => return Outcome::NotQueued(error),
            },
            Err(Unopened::Malformed(malformed)) => Refusal::Malformed(malformed),
            Err(Unopened::Undecryptable(fault)) => Refusal::Undecryptable(fault),
            Err(Unopened::TooOld) => Refusal::TooOld,
            Err(Unopened::AppIdUnavailable(error)) => return Outcome::AppIdUnavailable(error),
        };
        let Some(quarantine) = self.quarantine.as_ref().filter(|_| looks_like_a_webhook(request.headers(), body))
        else {
            return Outcome::Refused(refusal);
        };
        let Delivery { app, received_at, request_id, .. } = *delivery;
        let refused =
            Refused { reason: refusal.reason(), app, received_at, request_id, headers: request.headers(), body };
        match quarantine.keep(&refused, deadline).await {
            Ok(()) => Outcome::Quarantined(refusal),
            Err(error) => Outcome::NotQuarantined(refusal, error),
        }
    }

    async fn publish(&self, event: Event, delivery: &Delivery<'_>, deadline: Instant) -> Result<Outcome, QueueError> {
        let message = self.settings.event_format.message(event, delivery, self.queue.kind());
        let sent = self.queue.send(&message, deadline).await?;
        Ok(Outcome::Queued { message_id: sent.message_id, event_id: message.event_id().to_owned() })
    }
}
