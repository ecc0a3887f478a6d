//! HTTP in, HTTP out: route, size, method, token, probe; and the status table.
//!
//! In comes a request of API Gateway (payload 1.0 or 2.0), a Function URL, an ALB or the local server, all as one
//! [`Request`]; out comes a response. `Receiver::handle` is the way of a webhook from end to end: it is the one place
//! that knows all the other modules.

mod answer;
mod invocation;
mod lambda;
mod route;

use jiff::Timestamp;
use lambda_http::{Body, Request, Response, http::Method};
use tokio::time::Instant;

pub use self::{
    answer::{MAX_BODY_BYTES, Outcome},
    lambda::run_on_lambda,
};
use self::{invocation::Invocation, route::Route};
use crate::{
    app_id::{AppId, AppIdSource, AppIds},
    config::Settings,
    decrypt::{Ciphertext, Fault},
    event::Event,
    queue::{Delivery, Message, Queue},
    telemetry,
    webhook::{Envelope, Webhook},
};

/// The handler: everything that outlives a webhook.
#[derive(Debug)]
pub struct Receiver<S, Q> {
    settings: Settings,
    app_ids: AppIds<S>,
    queue: Q,
}

impl<S: AppIdSource, Q: Queue> Receiver<S, Q> {
    /// Puts a receiver together.
    pub const fn new(settings: Settings, app_ids: AppIds<S>, queue: Q) -> Self {
        Self {
            settings,
            app_ids,
            queue,
        }
    }

    /// The AppIDs, for whoever wants to fetch them before the first webhook comes.
    pub const fn app_ids(&self) -> &AppIds<S> {
        &self.app_ids
    }

    /// The queue.
    pub const fn queue(&self) -> &Q {
        &self.queue
    }

    /// During a cold start: fetches the AppIDs and opens the connection to the queue, side by side. Neither stops the
    /// start where it fails; the first webhook tries again.
    pub async fn warm_up(&self) {
        let (app_ids, ()) = tokio::join!(self.app_ids.current(), self.queue.warm_up());
        if let Err(error) = app_ids {
            tracing::error!(%error, "no AppID at the start; webhooks get 503 until there is one");
        }
    }

    /// Receives one request, answers it and writes its line to the log.
    pub async fn respond(&self, request: Request) -> Response<Body> {
        let arrived = Instant::now();
        let invocation = Invocation::of(&request);
        let outcome = self.handle(&request, &invocation, arrived).await;
        let response = outcome.response();
        telemetry::webhook(
            &invocation.request_id,
            &outcome,
            response.status(),
            request.body().len(),
            arrived.elapsed(),
        );
        response
    }

    /// The way of a webhook.
    async fn handle(&self, request: &Request, invocation: &Invocation, arrived: Instant) -> Outcome {
        let Some(route) = Route::of(
            &invocation.path,
            invocation.stage.as_deref(),
            invocation.token.as_deref(),
        ) else {
            return Outcome::NotFound;
        };
        let apps = match self.app_ids.current().await {
            Ok(apps) => apps,
            Err(error) => return Outcome::AppIdUnavailable(error),
        };
        let Some((app, app_id)) = route.find(&apps, self.settings.token.as_ref()) else {
            return Outcome::NotFound;
        };
        match (request.method(), request.body().as_ref()) {
            (&Method::GET | &Method::HEAD, _) | (&Method::POST, []) => Outcome::Probe,
            (&Method::POST, body) if body.len() > MAX_BODY_BYTES => Outcome::BodyTooLarge,
            (&Method::POST, body) => {
                let event = match self.open(request, body, app_id) {
                    Ok(event) => event,
                    Err(refused) => return refused,
                };
                let delivery = Delivery {
                    app,
                    received_at: Timestamp::now(),
                    request_id: &invocation.request_id,
                    trace_header: invocation.trace_header.as_deref(),
                };
                let deadline = invocation.deadline(arrived, self.settings.publish_deadline);
                self.publish(&Message::new(event, &delivery, self.queue.kind()), deadline)
                    .await
            }
            _ => Outcome::MethodNotAllowed,
        }
    }

    fn open(&self, request: &Request, body: &[u8], app_id: &AppId) -> Result<Event, Outcome> {
        match Webhook::read(request.headers(), body, &self.settings.accept).map_err(Outcome::Malformed)? {
            Webhook::Encrypted(envelope) => decrypt(&envelope, app_id).map_err(Outcome::Undecryptable),
            Webhook::Plain(text) => plain(text).map_err(Outcome::Undecryptable),
        }
    }

    async fn publish(&self, message: &Message, deadline: Instant) -> Outcome {
        match self.queue.send(message, deadline).await {
            Ok(sent) => Outcome::Queued {
                message_id: sent.message_id,
                event_id: message.event_id().to_owned(),
            },
            Err(error) => Outcome::NotQueued(error),
        }
    }
}

fn decrypt(envelope: &Envelope<'_>, app_id: &AppId) -> Result<Event, Fault> {
    Event::read(Ciphertext::decode(envelope)?.open_in_place(app_id))
}

fn plain(text: &[u8]) -> Result<Event, Fault> {
    Event::from_json(String::from_utf8(text.to_vec()).map_err(|_| Fault::Text)?)
}
