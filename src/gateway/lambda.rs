//! The receiver as a Lambda function.

use std::sync::Arc;

use lambda_http::{Error, LambdaEvent, service_fn};
use lambda_runtime::{Runtime, tower::util::MapFutureLayer};
use tokio_util::task::TaskTracker;

use super::{
    Receiver,
    payload::{GatewayAnswer, GatewayEvent},
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
            Ok::<_, Error>(GatewayAnswer::new(gateway, receiver.respond(request).await))
        }
    });
    if invocations_at_once() > 1
        && let Err(error) = shutdown::ask_for_sigterm().await
    {
        tracing::warn!(%error, "no extension; at the end of this environment, what is in flight may go without an answer");
    }
    // Around everything, so that an invocation is in flight until Lambda has its answer.
    let in_flight = TaskTracker::new();
    let tracked = in_flight.clone();
    let track = MapFutureLayer::new(move |invocation| tracked.track_future(invocation));
    let serving = Runtime::new(respond).layer(track).run_concurrent();
    tokio::select! {
        lost = serving => lost,
        () = shutdown::terminated() => {
            in_flight.close();
            in_flight.wait().await;
            Ok(())
        }
    }
}
