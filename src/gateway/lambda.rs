//! The receiver as a Lambda function.
//!
//! Lambda's event becomes an HTTP request in `lambda_http`, which panics on a few values that a stranger can send: a
//! host or a query that makes no URI, a body that is announced as base64 and is none. They are mended before, so that
//! such a request takes the usual way to its 4xx.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use lambda_http::{
    Adapter, LambdaEvent, Service,
    http::{HeaderMap, Uri, header},
    request::LambdaRequest,
    service_fn,
};
use lambda_runtime::{Runtime, tower::util::MapFutureLayer};
use tokio_util::task::TaskTracker;

use super::{Receiver, shutdown};
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
pub async fn run_on_lambda<S: AppIdSource, Q: Queue>(receiver: Receiver<S, Q>) -> Result<(), lambda_http::Error> {
    let receiver = Arc::new(receiver);
    let respond = service_fn(move |request| {
        let receiver = Arc::clone(&receiver);
        async move { Ok::<_, Infallible>(receiver.respond(request).await) }
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
    let serving = Runtime::new(Mended(Adapter::from(respond))).layer(track).run_concurrent();
    tokio::select! {
        lost = serving => lost,
        () = shutdown::terminated() => {
            in_flight.close();
            in_flight.wait().await;
            Ok(())
        }
    }
}

/// Passes events on after mending them.
#[derive(Clone)]
struct Mended<S>(S);

impl<S: Service<LambdaEvent<LambdaRequest>>> Service<LambdaEvent<LambdaRequest>> for Mended<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut event: LambdaEvent<LambdaRequest>) -> Self::Future {
        mend(&mut event.payload);
        self.0.call(event)
    }
}

fn mend(request: &mut LambdaRequest) {
    match request {
        LambdaRequest::ApiGatewayV1(api) => {
            mend_headers(&mut api.headers);
            mend_headers(&mut api.multi_value_headers);
            mend_body(api.body.as_deref(), &mut api.is_base64_encoded);
        }
        LambdaRequest::ApiGatewayV2(api) => {
            mend_headers(&mut api.headers);
            mend_body(api.body.as_deref(), &mut api.is_base64_encoded);
            api.raw_query_string =
                api.raw_query_string.take().filter(|query| format!("/?{query}").parse::<Uri>().is_ok());
        }
        LambdaRequest::Alb(alb) => {
            mend_headers(&mut alb.headers);
            mend_headers(&mut alb.multi_value_headers);
            mend_body(alb.body.as_deref(), &mut alb.is_base64_encoded);
        }
        _ => {}
    }
}

/// Nothing here depends on the host or on the scheme.
fn mend_headers(headers: &mut HeaderMap) {
    headers.remove(header::HOST);
    headers.remove("x-forwarded-proto");
}

/// A body that is no base64 is taken as it stands; it is no webhook then, and is refused as such.
fn mend_body(body: Option<&str>, is_base64: &mut bool) {
    *is_base64 &= body.is_some_and(|body| base64_simd::STANDARD.check(body.as_bytes()).is_ok());
}
