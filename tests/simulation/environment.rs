//! One execution environment of the function: a runtime of its own with a paused clock, and the receiver in it.
//!
//! An environment runs up to a time that the world names, or until it does something that others notice. While it does
//! not run it is frozen: its tasks stand still, whatever is due. Dropping it is `kill -9`.

use std::{
    cell::Cell,
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::Credentials;
use hyper_util::rt::TokioTimer;
use lambda_http::Context;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, advance, sleep_until},
};
use voicehook_lambda::{
    app_id::ConfiguredSource,
    aws::{Aws, Connections},
    clock,
    config::Config,
    lambda::GatewayEvent,
    queue::{BatchingQueue, Failover},
    receiver::Receiver,
};

use super::{
    Milliseconds,
    network::{Connector, Outbox, Output},
};

/// The time of day when a simulation begins: 2026-11-23T10:52:00Z.
pub const EPOCH: u64 = 1_795_431_120_000;

pub struct Environment {
    runtime: Runtime,
    receiver: Arc<Receiver<ConfiguredSource, Failover<BatchingQueue>>>,
    outbox: Outbox,
    /// When its clock stood at `origin`, or would have if it had never stood still.
    began: Milliseconds,
    origin: Instant,
    /// How far its wall clock is ahead, in milliseconds.
    pub skew: i64,
    /// The world's time up to which it has run.
    pub local: Milliseconds,
    /// Frozen, between webhooks or by a fault.
    pub is_frozen: bool,
    pub is_ready: bool,
    pub in_flight: usize,
    /// The most webhooks that it has had at once.
    pub most_in_flight: usize,
}

thread_local! {
    /// The time of day at an instant of the environment that runs on this thread.
    static TIME_OF_DAY: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
}

/// The wall clock of the environment that runs on this thread.
fn time_of_day() -> SystemTime {
    let Some((origin, milliseconds)) = TIME_OF_DAY.get() else { return UNIX_EPOCH };
    UNIX_EPOCH + Duration::from_millis(milliseconds) + Instant::now().saturating_duration_since(origin)
}

impl Environment {
    /// A cold start, which ends with [`Output::Ready`].
    pub fn start(variables: &[(&'static str, String)], now: Milliseconds) -> Self {
        clock::supply(time_of_day);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let entered = runtime.enter();
        let origin = Instant::now();
        let outbox = Outbox::default();
        let connections = Connections::through(Connector(outbox.clone()), |pool| {
            pool.pool_timer(TokioTimer::new());
        });
        let credentials = Credentials::new("id", "key", Some("token".to_owned()), None, "simulation");
        let aws = Aws::in_lambda("us-east-1".to_owned(), credentials, connections);
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let receiver = Arc::new(Config::read(variable).unwrap().receiver(&aws));
        drop(entered);
        let (starting, ready) = (Arc::clone(&receiver), outbox.clone());
        runtime.spawn(async move {
            starting.warm_up().await;
            ready.put(Output::Ready);
        });
        Self {
            runtime,
            receiver,
            outbox,
            began: now,
            origin,
            skew: 0,
            local: now,
            is_frozen: false,
            is_ready: false,
            in_flight: 0,
            most_in_flight: 0,
        }
    }

    /// Runs until then, or until it has done something: then `local` says when that was.
    pub fn run(&mut self, until: Milliseconds) -> Vec<Output> {
        self.set_time_of_day();
        let until = self.origin + Duration::from_millis(until - self.began);
        let (outbox, runtime) = (&self.outbox, &self.runtime);
        let (outputs, now) = runtime.block_on(async {
            let mut end = pin!(sleep_until(until));
            let outputs = poll_fn(|context| match outbox.poll_take(context) {
                Poll::Ready(outputs) => Poll::Ready(outputs),
                Poll::Pending => end.as_mut().poll(context).map(|()| Vec::new()),
            });
            (outputs.await, Instant::now())
        });
        self.local = self.began + (now - self.origin).as_millis() as Milliseconds;
        outputs
    }

    /// Goes on after it was frozen. Its monotonic clock has gone on meanwhile, unless that stood too.
    pub fn thaw(&mut self, now: Milliseconds, clock_stood: bool) {
        let frozen_for = now - self.local;
        if clock_stood {
            self.began += frozen_for;
        } else {
            self.set_time_of_day();
            self.runtime.block_on(advance(Duration::from_millis(frozen_for)));
        }
        self.local = now;
        self.is_frozen = false;
    }

    /// Hands a webhook over, as Lambda's runtime does: it takes its place in the order of arrival at once.
    pub fn hand_over(&mut self, delivery: usize, event: String, invocation_id: String, ends: u64) {
        let (receiver, outbox) = (Arc::clone(&self.receiver), self.outbox.clone());
        let place = receiver.arrivals().take_place();
        self.in_flight += 1;
        self.most_in_flight = self.most_in_flight.max(self.in_flight);
        self.runtime.spawn(async move {
            let mut context = Context::default();
            (context.request_id, context.deadline) = (invocation_id, ends);
            let event: GatewayEvent = serde_json::from_str(&event).unwrap();
            let (request, _) = event.into_request(context).unwrap();
            let response = receiver.respond_in(Some(place), &request).await;
            outbox.put(Output::Answered { delivery, response });
        });
    }

    /// Its wall clock, in milliseconds since 1970.
    pub const fn wall_clock(&self, now: Milliseconds) -> u64 {
        (EPOCH + now).saturating_add_signed(self.skew)
    }

    /// How many tasks live in it.
    pub fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    fn set_time_of_day(&self) {
        TIME_OF_DAY.set(Some((self.origin, self.wall_clock(self.began))));
    }
}
