//! The receiver as a Lambda function.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use lambda_http::{Error, LambdaEvent, service_fn};
use lambda_runtime::{
    Diagnostic, Runtime,
    tower::{Layer, Service},
};
use tokio_util::task::{TaskTracker, task_tracker::TrackedFuture};

use super::{
    Receiver,
    payload::{GatewayAnswer, GatewayEvent, NotAGatewayEvent},
    shutdown,
};
use crate::{app_id::AppIdSource, queue::Queue};

/// How many invocations Lambda sends at once to this environment: one, but for Lambda Managed Instances.
#[must_use]
pub fn invocations_at_once() -> u32 {
    let number = std::env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok().and_then(|number| number.parse().ok());
    number.unwrap_or(1)
}

/// Serves invocations until Lambda ends the process: one at a time, or as many as `AWS_LAMBDA_MAX_CONCURRENCY` says.
/// After SIGTERM it returns once everything in flight is answered.
///
/// # Errors
/// Where the Runtime API is lost.
pub async fn run_on_lambda<S: AppIdSource, Q: Queue>(receiver: Receiver<S, Q>) -> Result<(), Error> {
    let receiver = Arc::new(receiver);
    let respond = service_fn(move |event: LambdaEvent<GatewayEvent>| {
        let receiver = Arc::clone(&receiver);
        async move {
            let (request, gateway) = event.payload.into_request(event.context)?;
            Ok::<_, NotAGatewayEvent>(GatewayAnswer::new(gateway, receiver.respond(request).await))
        }
    });
    if invocations_at_once() > 1
        && let Err(error) = shutdown::ask_for_sigterm().await
    {
        tracing::warn!(%error, "no extension; at the end of this environment, what is in flight may go without an answer");
    }
    // Around everything, so that an invocation is in flight until Lambda has its answer.
    let in_flight = TaskTracker::new();
    let serving = Runtime::new(respond).layer(Track(in_flight.clone())).run_concurrent();
    tokio::select! {
        lost = serving => lost,
        () = shutdown::terminated() => {
            in_flight.close();
            in_flight.wait().await;
            Ok(())
        }
    }
}

impl From<NotAGatewayEvent> for Diagnostic {
    fn from(error: NotAGatewayEvent) -> Self {
        Self { error_type: "NotAGatewayEvent".to_owned(), error_message: error.to_string() }
    }
}

/// Counts what is in flight. Tower's own layer for that, around a closure, is not `Send` in the eyes of the compiler.
struct Track(TaskTracker);

impl<S> Layer<S> for Track {
    type Service = Tracked<S>;

    fn layer(&self, inner: S) -> Tracked<S> {
        Tracked { inner, in_flight: self.0.clone() }
    }
}

#[derive(Clone)]
struct Tracked<S> {
    inner: S,
    in_flight: TaskTracker,
}

impl<R, S: Service<R>> Service<R> for Tracked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = TrackedFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: R) -> Self::Future {
        self.in_flight.track_future(self.inner.call(invocation))
    }
}
