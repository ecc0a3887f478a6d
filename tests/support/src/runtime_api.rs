//! Lambda's Runtime API, as far as a function needs it: hands out invocations, as many at once as are asked for, and
//! takes the answers. <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
#[cfg(unix)]
pub use rustix::process::Signal;
#[cfg(unix)]
use rustix::{
    io::Errno,
    process::{Pid, kill_process},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

/// The longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

struct Invocation {
    id: String,
    event: String,
    trace_header: Option<String>,
}

struct Shared {
    waiting: tokio::sync::Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// `None` once nothing is answered any more.
    answers: Mutex<Option<HashMap<String, oneshot::Sender<Value>>>>,
    asked_for: watch::Sender<usize>,
    handed_out: watch::Sender<usize>,
    invoked: AtomicUsize,
    has_extension: watch::Sender<bool>,
}

/// The server.
#[derive(Clone)]
pub struct RuntimeApi {
    address: SocketAddr,
    invoke: mpsc::UnboundedSender<Invocation>,
    shared: Arc<Shared>,
    server: Arc<JoinHandle<()>>,
}

impl RuntimeApi {
    pub async fn start() -> Self {
        let (invoke, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            waiting: tokio::sync::Mutex::new(waiting),
            answers: Mutex::new(Some(HashMap::new())),
            asked_for: watch::Sender::new(0),
            handed_out: watch::Sender::new(0),
            invoked: AtomicUsize::new(0),
            has_extension: watch::Sender::new(false),
        });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{answer}", post(answer))
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(next_event))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap_or_default() });
        Self { address, invoke, shared, server: Arc::new(server) }
    }

    /// The function, its environment empty but for what Lambda sets, its output captured. `binary` is
    /// `env!("CARGO_BIN_EXE_lambda")`.
    pub fn function(&self, binary: &str, variables: &[(&str, &str)]) -> Child {
        self.function_by(Command::new(binary), variables)
    }

    /// The same with a command that becomes the function.
    pub fn function_by(&self, mut function: Command, variables: &[(&str, &str)]) -> Child {
        function.env_clear().envs([
            ("AWS_LAMBDA_RUNTIME_API", self.address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "voicehook-test"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDOFTHETEST"),
            ("AWS_SECRET_ACCESS_KEY", "secret-access-key-of-the-test"),
            ("AWS_SESSION_TOKEN", "session-token-of-the-test"),
        ]);
        function.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        function.spawn().unwrap()
    }

    /// Sends SIGTERM, as Lambda does to a function with an extension, and to no other.
    #[cfg(unix)]
    pub async fn terminate(&self, function: &Child) {
        let mut has_extension = self.shared.has_extension.subscribe();
        let registered = has_extension.wait_for(|is_there| *is_there);
        assert!(tokio::time::timeout(PATIENCE, registered).await.is_ok(), "the function registers no extension");
        terminate(function);
    }

    /// Hands an event to the next worker that asks for one.
    pub fn invoke(&self, event: Value, trace_header: Option<&str>) -> oneshot::Receiver<Value> {
        self.invoke_with_text(event.to_string(), trace_header)
    }

    /// The same with the text of an event, which need not be JSON that `serde_json` can read.
    pub fn invoke_with_text(&self, event: String, trace_header: Option<&str>) -> oneshot::Receiver<Value> {
        let id = format!("invocation-{}", self.shared.invoked.load(Ordering::Relaxed));
        self.invoke_as(id, event, trace_header)
    }

    /// The same with an id of the invocation that nothing else has.
    pub fn invoke_as(&self, id: String, event: String, trace_header: Option<&str>) -> oneshot::Receiver<Value> {
        let (sender, receiver) = oneshot::channel();
        self.shared.invoked.fetch_add(1, Ordering::Relaxed);
        if let Some(answers) = self.shared.answers.lock().unwrap().as_mut() {
            answers.insert(id.clone(), sender);
        }
        let trace_header = trace_header.map(str::to_owned);
        assert!(self.invoke.send(Invocation { id, event, trace_header }).is_ok());
        receiver
    }

    /// Waits until every invocation so far has been handed out.
    pub async fn all_handed_out(&self) {
        self.handed_out(self.shared.invoked.load(Ordering::Relaxed)).await;
    }

    /// Takes no more connections, after the function's process has ended: whoever waits for an answer is told that there is
    /// none. Returns how many wait.
    pub fn stop(&self) -> usize {
        self.server.abort();
        self.shared.answers.lock().unwrap().take().map_or(0, |waiting| waiting.len())
    }

    /// Waits until so many invocations have been handed out since the start.
    pub async fn handed_out(&self, count: usize) {
        reached(&self.shared.handed_out, count).await;
    }

    /// Waits until so many invocations have been asked for since the start.
    pub async fn asked_for(&self, count: usize) {
        reached(&self.shared.asked_for, count).await;
    }
}

async fn reached(number: &watch::Sender<usize>, count: usize) {
    let mut number = number.subscribe();
    let reached = number.wait_for(|number| *number >= count);
    assert!(tokio::time::timeout(PATIENCE, reached).await.is_ok(), "the function does not ask for invocations");
}

/// Sends SIGTERM.
#[cfg(unix)]
pub fn terminate(function: &Child) {
    signal(function.id().unwrap(), Signal::TERM);
}

/// Sends a signal to a process, which may have ended.
#[cfg(unix)]
pub fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    assert!(matches!(kill_process(pid, signal), Ok(()) | Err(Errno::SRCH)), "{signal:?} cannot be sent");
}

async fn next(State(shared): State<Arc<Shared>>) -> (HeaderMap, String) {
    shared.asked_for.send_modify(|number| *number += 1);
    let Some(invocation) = shared.waiting.lock().await.recv().await else { return std::future::pending().await };
    shared.handed_out.send_modify(|number| *number += 1);
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(10);
    let mut headers = HeaderMap::new();
    headers.insert("lambda-runtime-aws-request-id", invocation.id.parse().unwrap());
    headers.insert("lambda-runtime-deadline-ms", deadline.as_millis().to_string().parse().unwrap());
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:voicehook-test";
    headers.insert("lambda-runtime-invoked-function-arn", arn.parse().unwrap());
    if let Some(trace_header) = invocation.trace_header {
        headers.insert("lambda-runtime-trace-id", trace_header.parse().unwrap());
    }
    (headers, invocation.event)
}

async fn register(headers: HeaderMap) -> (HeaderMap, &'static str) {
    assert!(headers.contains_key("lambda-extension-name"));
    (HeaderMap::from_iter([("lambda-extension-identifier".parse().unwrap(), "1".parse().unwrap())]), "{}")
}

async fn next_event(State(shared): State<Arc<Shared>>, headers: HeaderMap) {
    assert_eq!(headers["lambda-extension-identifier"], "1");
    shared.has_extension.send_replace(true);
    std::future::pending::<()>().await;
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path((id, kind)): Path<(String, String)>,
    answer: Bytes,
) -> StatusCode {
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let waiting = shared.answers.lock().unwrap().as_mut().and_then(|answers| answers.remove(&id));
    if let Some(waiting) = waiting {
        let answer = if kind == "response" { answer } else { json!({"error": answer}) };
        let _ = waiting.send(answer);
    }
    StatusCode::ACCEPTED
}

/// An API Gateway HTTP API's event with a webhook in it.
pub fn webhook_event(path: &str, query: &str, body: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "ANY /webhook", "rawPath": path, "rawQueryString": query,
        "headers": {
            "content-type": "application/json", "x-algoritm": "aes-256-cbc", "x-format": "hex", "x-encoding": "utf8",
        },
        "requestContext": {
            "http": {
                "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "test",
            },
            "requestId": "gateway-request", "stage": "$default", "apiId": "api", "accountId": "123456789012",
            "routeKey": "ANY /webhook", "time": "23/Nov/2026:10:53:06 +0000", "timeEpoch": 1_795_431_186_000_u64,
        },
        "body": body, "isBase64Encoded": false,
    })
}
