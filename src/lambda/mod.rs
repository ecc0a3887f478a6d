//! The receiver as a Lambda function: the gateways' events, the Runtime API loop and the end of an environment.
//!
//! This is the only room that knows `lambda_http` and `lambda_runtime`. It makes a [`Request`](crate::receiver::Request)
//! of each [`GatewayEvent`], and of the response an answer in the form of the same gateway.

mod context;
mod payload;
mod ping;
mod shutdown;

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use lambda_http::{Error, LambdaEvent, service_fn};
use lambda_runtime::{
    Diagnostic, Runtime,
    tower::{Layer, Service},
};
use pin_project_lite::pin_project;
use tokio::time::sleep;
use tokio_util::task::{TaskTracker, task_tracker::TrackedFuture};

pub use self::payload::{Gateway, GatewayEvent, NotAGatewayEvent};
use self::payload::{LambdaAnswer, Payload};
use crate::{
    app_id::AppIdSource,
    queue::Queue,
    receiver::{Arrivals, Place, Receiver},
};

/// How long an invocation may still be on its way that Lambda handed out before it sent SIGTERM. After SIGTERM the process has
/// 600 ms: docs/managed-instances.md.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// How many invocations Lambda sends at once to this environment: one, but for Lambda Managed Instances.
#[must_use]
pub fn invocations_at_once() -> u32 {
    let number = std::env::var("AWS_LAMBDA_MAX_CONCURRENCY").ok().and_then(|number| number.parse().ok());
    number.unwrap_or(1)
}

/// Serves invocations until Lambda ends the process: one at a time, or as many as `AWS_LAMBDA_MAX_CONCURRENCY` says.
/// After SIGTERM, or when `ended` is ready, it returns once everything in flight is answered.
///
/// # Errors
/// Where the Runtime API is lost.
pub async fn run<S: AppIdSource, Q: Queue>(
    receiver: Receiver<S, Q>,
    ended: impl Future<Output = ()>,
) -> Result<(), Error> {
    let receiver = Arc::new(receiver);
    let invocations = Invocations { arrivals: receiver.arrivals().clone(), ..Invocations::default() };
    let respond = service_fn(move |event: LambdaEvent<Payload>| {
        let (receiver, place) = (Arc::clone(&receiver), PLACE.try_with(Cell::take).ok().flatten());
        // In a box, because lambda_runtime moves it ten times, and it has kilobytes.
        Box::pin(async move {
            let Payload(payload) = event.payload;
            match payload.into_request(event.context) {
                Ok((request, gateway)) => Ok(LambdaAnswer::Http(gateway, receiver.respond_in(place, &request).await)),
                Err(NotAGatewayEvent::Ping) => Ok(LambdaAnswer::Empty),
                Err(error @ NotAGatewayEvent::Other { .. }) => Err(logged(error)),
            }
        })
    });
    if invocations_at_once() > 1
        && let Err(error) = shutdown::ask_for_sigterm().await
    {
        tracing::warn!(%error, "no extension; at the end of this environment, what is in flight may go without an answer");
    }
    let serving = Runtime::new(respond).layer(invocations.clone()).run_concurrent();
    let ended = async {
        tokio::select! {
            () = shutdown::terminated() => {}
            () = ended => {}
        }
        invocations.end().await;
    };
    tokio::select! {
        lost = serving => lost,
        () = ended => Ok(()),
    }
}

/// The one line of an invocation that is not a webhook. `lambda_runtime`'s own is filtered out, because it has no id.
fn logged(error: NotAGatewayEvent) -> NotAGatewayEvent {
    if let NotAGatewayEvent::Other { invocation_id } = &error {
        tracing::error!(request_id = invocation_id, %error, "the invocation fails");
    }
    error
}

impl From<NotAGatewayEvent> for Diagnostic {
    fn from(error: NotAGatewayEvent) -> Self {
        Self { error_type: "NotAGatewayEvent".to_owned(), error_message: error.to_string() }
    }
}

tokio::task_local! {
    /// From the layer, which sees an invocation first, to the handler, which is called when it has been parsed.
    static PLACE: Cell<Option<Place>>;
}

/// Wraps the whole of each invocation, from before it is parsed until Lambda has its answer: takes its place in the order
/// of arrival, and counts what is in flight.
#[derive(Clone, Default)]
struct Invocations {
    arrivals: Arrivals,
    in_flight: TaskTracker,
    is_ending: Arc<AtomicBool>,
}

impl Invocations {
    /// Takes no further invocations, but for one by each worker that waits for one already, and waits until everything
    /// in flight is answered.
    async fn end(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        self.in_flight.close();
        sleep(ON_ITS_WAY).await;
        self.in_flight.wait().await;
    }
}

impl<S> Layer<S> for Invocations {
    type Service = Invoked<S>;

    fn layer(&self, inner: S) -> Invoked<S> {
        Invoked { inner, invocations: self.clone() }
    }
}

#[derive(Clone)]
struct Invoked<S> {
    inner: S,
    invocations: Invocations,
}

impl<R, S: Service<R>> Service<R> for Invoked<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answered<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: R) -> Self::Future {
        let place = Cell::new(Some(self.invocations.arrivals.take_place()));
        let answered = PLACE.sync_scope(place, || self.inner.call(invocation));
        Answered {
            answered: Some(self.invocations.in_flight.track_future(answered)),
            is_ending: Arc::clone(&self.invocations.is_ending),
        }
    }
}

pin_project! {
    /// An invocation until Lambda has its answer; for ever, once the process is ending, so that its worker fetches no
    /// invocation that nobody would answer.
    struct Answered<F> {
        // Counts as in flight until it is dropped.
        #[pin]
        answered: Option<TrackedFuture<F>>,
        is_ending: Arc<AtomicBool>,
    }
}

impl<F: Future> Future for Answered<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut invocation = self.project();
        let Some(answered) = invocation.answered.as_mut().as_pin_mut() else { return Poll::Pending };
        let result = ready!(answered.poll(context));
        invocation.answered.set(None);
        if invocation.is_ending.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(result) }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::FutureExt as _;
    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    #[test]
    fn the_handler_gets_the_place_that_was_taken_before_it_was_called() {
        let invocations = Invocations::default();
        let handler = service_fn(|_: ()| {
            let place = PLACE.with(Cell::take).map(|place| place.number());
            async move { Ok::<_, Infallible>(place) }
        });
        let mut service = invocations.layer(handler);
        for number in 0..3 {
            assert_eq!(service.call(()).now_or_never(), Some(Ok(Some(number))));
        }
    }

    #[test]
    fn an_invocation_that_cannot_be_parsed_gives_up_its_place() {
        let invocations = Invocations::default();
        let fails = service_fn(|_: ()| async { Err::<(), _>("not JSON") });
        let failing = invocations.layer(fails).call(());
        assert!(invocations.arrivals.take_place().is_first().now_or_never().is_some());
        drop(failing);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_is_in_flight_and_lets_no_worker_go_on() {
        let invocations = Invocations::default();
        let (answer, answered) = oneshot::channel::<()>();
        let answered = answered.shared();
        let mut service = invocations.layer(service_fn(move |_: ()| answered.clone()));
        let mut in_flight = Box::pin(service.call(()));
        assert!(in_flight.as_mut().now_or_never().is_none());
        let mut end = Box::pin(invocations.end());
        assert!(timeout(10 * ON_ITS_WAY, &mut end).await.is_err());
        answer.send(()).unwrap();
        assert!(in_flight.as_mut().now_or_never().is_none(), "its worker would fetch the next invocation");
        assert!(end.as_mut().now_or_never().is_some());
    }
}
