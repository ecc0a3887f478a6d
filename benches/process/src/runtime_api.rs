//! Lambda's Runtime API, as far as a function needs it, with a clock: as many invocations as there is budget for, each
//! handed to whoever asks, and the time from there to its answer.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

/// Longest wait for a function.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Runtime API for one process.
pub struct RuntimeApi {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    events: Vec<Bytes>,
    budget: Semaphore,
    clock: Mutex<Clock>,
    changed: Notify,
}

#[derive(Default)]
struct Clock {
    first_asked: Option<Instant>,
    handed_out: HashMap<usize, Instant>,
    number: usize,
    took: Vec<Duration>,
    refused: Option<String>,
}

impl RuntimeApi {
    /// Serves these events in turn.
    pub async fn start(events: Vec<Bytes>) -> Self {
        let shared =
            Arc::new(Shared { events, budget: Semaphore::new(0), clock: Mutex::default(), changed: Notify::new() });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{answer}", post(answer))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let listener = axum::serve::ListenerExt::tap_io(listener, |connection| {
            connection.set_nodelay(true).expect("a TCP connection");
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        Self { address, shared, server }
    }

    /// When the function first asked for an invocation.
    pub async fn first_asked(&self) -> Instant {
        self.wait(|clock| clock.first_asked).await
    }

    /// Hands out so many invocations, at once where the function asks for several, and waits for the answers: the time
    /// from handing out to answer of each, sorted.
    pub async fn invoke(&self, count: usize) -> Vec<Duration> {
        self.shared.clock.lock().expect("a clock").took = Vec::with_capacity(count);
        self.shared.budget.add_permits(count);
        let mut took = self.wait(|clock| (clock.took.len() == count).then(|| std::mem::take(&mut clock.took))).await;
        took.sort_unstable();
        took
    }

    async fn wait<T>(&self, mut done: impl FnMut(&mut Clock) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let changed = self.shared.changed.notified();
                {
                    let mut clock = self.shared.clock.lock().expect("a clock");
                    if let Some(answer) = &clock.refused {
                        panic!("the function did not answer with 200: {answer}");
                    }
                    if let Some(value) = done(&mut clock) {
                        return value;
                    }
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the function has stopped asking or answering")
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let asked = Instant::now();
    if shared.clock.lock().expect("a clock").first_asked.get_or_insert(asked) == &asked {
        shared.changed.notify_one();
    }
    shared.budget.acquire().await.expect("a budget").forget();
    let deadline = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a date") + Duration::from_secs(10);
    let mut clock = shared.clock.lock().expect("a clock");
    let number = clock.number;
    clock.number += 1;
    let headers = [
        ("lambda-runtime-aws-request-id", format!("8476a536-e9f4-11e8-9739-{number:012}")),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench".to_owned()),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1".to_owned(),
        ),
        ("content-type", "application/json".to_owned()),
    ];
    let event = shared.events[number % shared.events.len()].clone();
    clock.handed_out.insert(number, Instant::now());
    (headers, event)
}

async fn answer(State(shared): State<Arc<Shared>>, Path((id, _)): Path<(String, String)>, answer: Bytes) -> StatusCode {
    let answered = Instant::now();
    let number = id.rsplit('-').next().and_then(|number| number.parse().ok());
    let mut clock = shared.clock.lock().expect("a clock");
    let start = number.and_then(|number: usize| clock.handed_out.remove(&number)).expect("an answer to an invocation");
    if answer.windows(16).any(|window| window == br#""statusCode":200"#) {
        clock.took.push(answered - start);
    } else {
        clock.refused = Some(String::from_utf8_lossy(&answer).into_owned());
    }
    shared.changed.notify_one();
    StatusCode::ACCEPTED
}
