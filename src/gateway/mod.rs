//! HTTP in, HTTP out: route, size, method, token, probe; and the status table.
//!
//! In comes a request of API Gateway (payload 1.0 or 2.0), a Function URL, an ALB or the local server, all as one
//! [`Request`]; out comes a response. `Receiver::handle` is the way of a webhook from end to end: it is the one place
//! that knows all the other modules.

mod answer;
mod invocation;
mod judge;
mod lambda;
mod open;
mod payload;
mod route;
mod shutdown;

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use lambda_http::{Body, Request, Response};
use tokio::time::Instant;

pub use self::{
    answer::{MAX_BODY_BYTES, Outcome, Refusal},
    lambda::{invocations_at_once, run_on_lambda},
    open::{Opener, Times, Unopened},
    payload::{Gateway, GatewayEvent, NotAGatewayEvent},
};
use self::{
    invocation::Invocation,
    judge::{Judge, Judged},
    open::Judgement as _,
    route::Route,
};
use crate::{
    app_id::{AppIdSource, AppIds},
    config::Settings,
    event::Event,
    queue::{Delivery, Quarantine, Queue, QueueError, Refused, Sent},
    telemetry::{self, Record, Stages},
    webhook::looks_like_a_webhook,
};

/// Longest wait for the AppIDs in a cold start. The first webhook waits on where that was not enough.
const WARM_UP: Duration = Duration::from_secs(1);

/// The name of the app that a request's path names, whether there is one of that name or not. `None` where the path is
/// no webhook's.
#[must_use]
pub fn named_app(request: &Request) -> Option<String> {
    let Invocation { path, stage, .. } = Invocation::of(request);
    Route::of(&path, stage.as_deref(), None).map(|route| route.app().to_owned())
}

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
        let (mut app_id, mut queue) = (Duration::ZERO, Duration::ZERO);
        let (app_ids, ()) = tokio::join!(
            Stages::wait(&mut app_id, self.opener.app_ids.first(Instant::now() + WARM_UP)),
            Stages::wait(&mut queue, self.queue.warm_up())
        );
        if let Err(error) = app_ids {
            tracing::error!(%error, "no AppID at the start; webhooks get 503 until there is one");
        }
        let (app_id_micros, queue_micros) = (app_id.as_micros() as u64, queue.as_micros() as u64);
        tracing::debug!(app_id_micros, queue_micros, "the AppIDs are fetched and the queue is connected, side by side");
    }

    /// Receives one request, answers it and writes its line to the log.
    pub async fn respond(&self, request: Request) -> Response<Body> {
        let (response, record) = self.receive(&request).await;
        telemetry::webhook(&record);
        response
    }

    /// Receives one request, and says what there is to say about it. A panic on the way is answered as well.
    pub async fn receive(&self, request: &Request) -> (Response<Body>, Record) {
        let arrived = Instant::now();
        let invocation = Invocation::of(request);
        let trace_header = invocation.trace_header.as_deref();
        let mut record = Record::new(invocation.request_id.clone(), trace_header, request.body().len());
        let handled = self.handle(request, &invocation, arrived, &mut record);
        if let Ok(outcome) = AssertUnwindSafe(handled).catch_unwind().await {
            record.outcome = outcome;
        }
        let response = record.outcome.response();
        record.status = response.status();
        record.stages.total = arrived.elapsed();
        (response, record)
    }

    /// Handles one webhook.
    async fn handle(
        &self,
        request: &Request,
        invocation: &Invocation,
        arrived: Instant,
        record: &mut Record,
    ) -> Outcome {
        let route = Route::of(&invocation.path, invocation.stage.as_deref(), invocation.token.as_deref());
        let Some(route) = route.filter(Route::is_possible) else { return Outcome::NotFound };
        let times = Times { arrived, deadline: invocation.deadline(arrived, self.settings.publish_deadline) };
        let delivery = Delivery {
            app: route.app(),
            received_at: Timestamp::now(),
            request_id: &invocation.request_id,
            trace_header: invocation.trace_header.as_deref(),
        };
        let judge = Judge { opener: &self.opener, token: self.settings.token.as_ref(), request, route };
        let known = self.opener.app_ids.known();
        let judged = judge.by(&known, record);
        // Nothing has waited up to here; from here on everything may.
        let judged = if judged.is_settled_by(&known, times) {
            judged
        } else {
            let mut waited = Duration::ZERO;
            let fresh = self.opener.judge_fresh(known, judged, times, |known| judge.by(known, record));
            let fresh = Stages::wait(&mut waited, fresh).await;
            record.stages.app_id += waited;
            fresh.unwrap_or_else(|unjudged| judge.without_fresh_app_ids(unjudged))
        };
        let refusal = match judged {
            Judged::Answered(outcome) => return outcome,
            Judged::NotFound => return Outcome::NotFound,
            Judged::Event(event) => match self.publish(event, &delivery, times.deadline, record).await {
                Ok(queued) => return queued,
                Err(QueueError::TooLarge { limit, .. }) => Refusal::TooLarge { limit },
                Err(error) => return Outcome::NotQueued(error),
            },
            Judged::Undecryptable(fault) => Refusal::Undecryptable(fault),
            Judged::Refused(refusal) => refusal,
        };
        self.refuse(refusal, request, &delivery, times.deadline, record).await
    }

    /// A webhook without an event for the queue: into quarantine, where there is one.
    async fn refuse(
        &self,
        refusal: Refusal,
        request: &Request,
        delivery: &Delivery<'_>,
        deadline: Instant,
        record: &mut Record,
    ) -> Outcome {
        let (headers, body): (_, &[u8]) = (request.headers(), request.body().as_ref());
        let Some(quarantine) = self.quarantine.as_ref().filter(|_| looks_like_a_webhook(headers, body)) else {
            return match refusal {
                Refusal::AppIdUnavailable(error) => Outcome::AppIdUnavailable(error),
                refusal => Outcome::Refused(refusal),
            };
        };
        let Delivery { app, received_at, request_id, .. } = *delivery;
        let refused = Refused { reason: refusal.reason(), app, received_at, request_id, headers, body };
        match Stages::wait(&mut record.stages.publish, quarantine.keep(&refused, deadline)).await {
            Ok(()) => Outcome::Quarantined(refusal),
            Err(error) => Outcome::NotQuarantined(refusal, error),
        }
    }

    async fn publish(
        &self,
        event: Event,
        delivery: &Delivery<'_>,
        deadline: Instant,
        record: &mut Record,
    ) -> Result<Outcome, QueueError> {
        let publish = &mut record.stages.publish;
        let message = Stages::time(publish, || self.settings.event_format.message(event, delivery, self.queue.kind()));
        record.event_bytes = Some(message.body.len());
        record.event_type = message.attribute("event_type").map(str::to_owned);
        record.voice_id = message.attribute("voice_id").map(str::to_owned);
        let event_id = message.event_id().to_owned();
        let Sent { message_id, failover } = Stages::wait(publish, self.queue.send(message, deadline)).await?;
        Ok(Outcome::Queued { message_id, event_id, failover })
    }
}
