//! One webhook, from its route to its answer.
//!
//! A [`Request`] of Lambda or of any other server is routed, judged, published and answered by `Receiver::handle`, the one
//! place that knows the rooms below. The status table is one `match` in [`Outcome`].

mod actions;
mod arrivals;
mod judge;
mod open;
mod outcome;
mod refusal;
mod request;
mod route;
mod settings;
mod token;

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use http::Response;
use jiff::Timestamp;
use tokio::time::Instant;

pub(crate) use self::request::{random_id, token_in};
pub use self::{
    actions::Actions,
    arrivals::{Arrivals, Place},
    open::{Opener, Times},
    outcome::{MAX_BODY_BYTES, Outcome},
    refusal::Refusal,
    request::{Origin, Request},
    settings::Settings,
};
use self::{
    judge::{Judge, Judged},
    open::Judgement as _,
    route::Route,
};
use crate::{
    app_id::{AppIdSource, AppIds},
    clock,
    event::Event,
    queue::{Delivery, EventMessage, Quarantine, Queue, QueueError, Sent, Unopened},
    telemetry::{self, Record, Stages},
    webhook::{kept_headers, looks_like_a_webhook},
};

/// Longest wait for the AppIDs in a cold start. The first webhook waits on where that was not enough.
const WARM_UP: Duration = Duration::from_secs(1);

/// The name of the app that a path names, whether there is one of that name or not. `None` where the path is no webhook's.
/// `stage` is the one that an API Gateway names.
#[must_use]
pub fn named_app<'p>(path: &'p str, stage: Option<&str>) -> Option<&'p str> {
    Route::parse(path, stage, None).map(|route| route.app)
}

/// The handler: everything that outlives a webhook.
#[derive(Debug)]
pub struct Receiver<S, Q> {
    settings: Settings,
    opener: Opener<S>,
    queue: Q,
    quarantine: Option<Quarantine<Q>>,
    arrivals: Arrivals,
}

impl<S: AppIdSource, Q: Queue> Receiver<S, Q> {
    /// Puts a receiver together.
    pub fn new(settings: Settings, app_ids: AppIds<S>, queue: Q) -> Self {
        let opener = Opener { accept: settings.accept.clone(), max_event_age: settings.max_event_age, app_ids };
        Self { settings, opener, queue, quarantine: None, arrivals: Arrivals::default() }
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
        } else if !self.settings.actions.is_empty() && !self.sends_actions() {
            tracing::warn!(
                "ACTIONS are not sent, because no token is configured, and an action tells that an event opened"
            );
        }
        let (app_id_micros, queue_micros) = (app_id.as_micros() as u64, queue.as_micros() as u64);
        tracing::debug!(app_id_micros, queue_micros, "the AppIDs are fetched and the queue is connected, side by side");
    }

    /// The order in which requests arrive.
    #[must_use]
    pub const fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Receives one request, answers it and writes its line to the log.
    pub async fn respond(&self, request: &Request) -> Response<String> {
        self.respond_in(None, request).await
    }

    /// The same for a request whose place in the order was taken when it arrived.
    pub async fn respond_in(&self, place: Option<Place>, request: &Request) -> Response<String> {
        let Answer { response, record, .. } = self.receive_in(place, request).await;
        telemetry::webhook(&record);
        response
    }

    /// Receives one request, and says what there is to say about it. A panic on the way is answered as well.
    pub async fn receive(&self, request: &Request) -> Answer {
        self.receive_in(None, request).await
    }

    async fn receive_in(&self, place: Option<Place>, request: &Request) -> Answer {
        let place = place.unwrap_or_else(|| self.arrivals.take_place());
        let arrived = Instant::now();
        let deadline = request.origin.deadline(arrived, self.settings.publish_deadline);
        let received = Received { request, at: clock::now(), times: Times { arrived, deadline } };
        let Origin { request_id, trace_header, .. } = &request.origin;
        let mut record = Record::new(request_id.clone(), trace_header.as_deref(), request.body.len());
        let handled = self.handle(&received, place, &mut record);
        let outcome = AssertUnwindSafe(handled).catch_unwind().await.unwrap_or(Outcome::Panicked);
        let response = outcome.response(request_id);
        record.status = response.status().as_u16();
        record.summary = outcome.summary();
        record.stages.total = arrived.elapsed();
        Answer { response, outcome, record }
    }

    async fn handle(&self, received: &Received<'_>, place: Place, record: &mut Record) -> Outcome {
        let Request { path, token, origin, .. } = received.request;
        let route = Route::parse(path, origin.stage.as_deref(), token.as_deref());
        let Some(route) = route.filter(Route::is_possible) else { return Outcome::Refused(Refusal::NotFound) };
        let token = self.settings.token.as_ref();
        let judge = Judge { opener: &self.opener, token, request: received.request, route };
        let (place, judged) = place.during(self.judge(&judge, received.times, record)).await;
        let refusal = match judged {
            Judged::Answered(outcome) => return outcome,
            // It has nothing for the queue, and must not hold up what has while it waits for the quarantine.
            Judged::Refused(refusal) => {
                drop(place);
                refusal
            }
            Judged::Event(event) => match self.publish(event, route.app, received, place, record).await {
                Ok(sent) => return self.queued(sent, record),
                Err(QueueError::TooLarge { limit }) => Refusal::TooLarge { limit },
                Err(error) => return Outcome::NotQueued(error),
            },
        };
        self.refuse(refusal, route.app, received, record).await
    }

    /// Judges a request by what is known, which never waits, and where that does not settle it, by fresher AppIDs.
    async fn judge(&self, judge: &Judge<'_, S>, times: Times, record: &mut Record) -> Judged {
        let known = self.opener.app_ids.known();
        let judged = judge.by(&known, record);
        if judged.is_settled_by(&known, times) {
            return judged;
        }
        let mut waited = Duration::ZERO;
        let fresh = self.opener.judge_fresh(known, judged, times, |known| judge.by(known, record));
        let judged = Stages::wait(&mut waited, fresh).await;
        record.stages.app_id += waited;
        judged.unwrap_or_else(|unjudged| judge.without_fresh_app_ids(unjudged))
    }

    /// A webhook without an event for the queue: into quarantine, if there is one. A request that names no app,
    /// or carries the wrong token, is not kept: anyone could have sent it.
    async fn refuse(&self, refusal: Refusal, app: &str, received: &Received<'_>, record: &mut Record) -> Outcome {
        let Request { headers, body, origin, .. } = received.request;
        let is_kept = refusal != Refusal::NotFound && looks_like_a_webhook(headers, body);
        let Some(quarantine) = self.quarantine.as_ref().filter(|_| is_kept) else { return Outcome::Refused(refusal) };
        let unopened = Unopened {
            reason: refusal.reason(),
            app,
            received_at: received.at,
            request_id: &origin.request_id,
            invocation_id: &origin.invocation_id,
            headers: &kept_headers(headers),
            body,
        };
        let kept = quarantine.keep(&unopened, received.times.deadline);
        match Stages::wait(&mut record.stages.publish, kept).await {
            Ok(()) => Outcome::Quarantined(refusal),
            Err(error) => Outcome::NotQuarantined(refusal, error),
        }
    }

    /// Puts an event on the queue, behind those of the webhooks that arrived before it.
    async fn publish(
        &self,
        event: Event,
        app: &str,
        received: &Received<'_>,
        place: Option<Place>,
        record: &mut Record,
    ) -> Result<Sent, QueueError> {
        let publish = &mut record.stages.publish;
        let delivery = received.delivery(app);
        let message = Stages::time(publish, || self.settings.event_format.message(event, &delivery, self.queue.kind()));
        let EventMessage { message, event_id, event_type, voice_id } = message;
        record.event_bytes = Some(message.body.len());
        (record.event_id, record.event_type, record.voice_id) = (Some(event_id), Some(event_type), voice_id);
        if let Some(place) = &place {
            place.is_first().await;
        }
        // The message takes its place on the queue here, and waits for its answer after the webhook's is given up.
        let sending = self.queue.send(message, received.times.deadline);
        drop(place);
        Stages::wait(&mut record.stages.publish, sending).await
    }

    fn queued(&self, Sent { message_id, failover }: Sent, record: &Record) -> Outcome {
        let action = record.event_type.as_deref().filter(|_| self.sends_actions());
        let action = action.and_then(|event_type| self.settings.actions.answer(event_type, record.voice_id.as_deref()));
        Outcome::Queued { action, message_id, failover }
    }

    /// An action tells that an event opened, so only a sender with a token gets one.
    fn sends_actions(&self) -> bool {
        let secret_has_token = || self.opener.app_ids.known().current().is_some_and(|apps| apps.token.is_some());
        !self.settings.actions.is_empty() && (self.settings.token.is_some() || secret_has_token())
    }
}

/// What a request got, and what there is to say about it.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP response.
    pub response: Response<String>,
    /// What became of the request.
    pub outcome: Outcome,
    /// Its line in the log.
    pub record: Record,
}

/// A request, and what is known of its delivery.
struct Received<'r> {
    request: &'r Request,
    at: Timestamp,
    times: Times,
}

impl Received<'_> {
    fn delivery<'a>(&'a self, app: &'a str) -> Delivery<'a> {
        let Origin { request_id, invocation_id, trace_header, .. } = &self.request.origin;
        Delivery { app, received_at: self.at, request_id, invocation_id, trace_header: trace_header.as_deref() }
    }
}
