//! SQS over TLS, as far as a sender needs it: takes every message and counts it, after a pause that stands for the way
//! to a real queue. And Secrets Manager, as far as it needs that.

use std::{
    fs,
    path::Path,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use crate::{tls, webhooks};

/// The server.
pub struct Aws {
    pub port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    latency: Mutex<Latency>,
    messages: AtomicUsize,
    requests: AtomicUsize,
    secrets: AtomicUsize,
    idle: watch::Sender<Idle>,
}

/// How long requests take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// A request to SQS.
    pub queue: Duration,
    /// One request to SQS of a hundred.
    pub slow: Option<Duration>,
    /// A request to Secrets Manager.
    pub secret: Duration,
}

/// What becomes of connections that are idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    Kept,
    /// The server says that it closes them.
    Closed,
    /// Nothing is heard of them any more, as behind a NAT gateway that has forgotten them.
    Lost,
}

impl Aws {
    /// Serves with the certificate in a directory.
    pub async fn start(directory: &Path) -> Self {
        let shared = Arc::new(Shared {
            latency: Mutex::default(),
            messages: AtomicUsize::default(),
            requests: AtomicUsize::default(),
            secrets: AtomicUsize::default(),
            idle: watch::Sender::new(Idle::Kept),
        });
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(accept(listener, acceptor(directory), router, Arc::clone(&shared)));
        Self { port, shared, server }
    }

    /// How long requests take from now on.
    pub fn set_latency(&self, latency: Latency) {
        *self.shared.latency.lock().expect("a latency") = latency;
    }

    /// How many messages were taken, and in how many requests.
    pub fn taken(&self) -> (usize, usize) {
        (self.shared.messages.load(Ordering::Relaxed), self.shared.requests.load(Ordering::Relaxed))
    }

    /// How often Secrets Manager was asked.
    pub fn secrets(&self) -> usize {
        self.shared.secrets.load(Ordering::Relaxed)
    }

    /// What becomes of the connections that are there now.
    pub fn set_idle(&self, idle: Idle) {
        self.shared.idle.send_replace(idle);
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, router: Router, shared: Arc<Shared>) {
    loop {
        let (connection, _) = listener.accept().await.expect("a connection");
        connection.set_nodelay(true).expect("a TCP connection");
        tokio::spawn(serve(connection, acceptor.clone(), router.clone(), shared.idle.subscribe()));
    }
}

async fn serve(connection: TcpStream, acceptor: TlsAcceptor, router: Router, mut idle: watch::Receiver<Idle>) {
    let Ok(stream) = acceptor.accept(connection).await else { return };
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = pin!(serving);
    tokio::select! {
        _ = &mut serving => return,
        // Connections that come later are kept.
        _ = idle.changed() => {}
    }
    let idle = *idle.borrow();
    match idle {
        Idle::Kept => {}
        Idle::Closed => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
        Idle::Lost => std::future::pending().await,
    }
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let operation = headers.get("x-amz-target").map_or("", |target| target.to_str().expect("a target"));
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let mut status = StatusCode::OK;
    let answer = match operation.rsplit('.').next().expect("a name") {
        "SendMessage" => {
            shared.take(1).await;
            receipt(&request)
        }
        "SendMessageBatch" => {
            let entries = request["Entries"].as_array().expect("entries");
            assert!((1..=10).contains(&entries.len()), "SQS takes up to ten messages at once");
            shared.take(entries.len()).await;
            json!({"Successful": entries.iter().map(receipt).collect::<Value>(), "Failed": []})
        }
        "GetQueueAttributes" => json!({"Attributes": {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:events.fifo"}}),
        "GetSecretValue" => {
            let answer = shared.secret(request["VersionStage"].as_str().unwrap_or("AWSCURRENT")).await;
            answer.unwrap_or_else(|| {
                status = StatusCode::BAD_REQUEST;
                json!({"__type": "ResourceNotFoundException", "Message": "no such version"})
            })
        }
        other => panic!("{other:?} is not expected here"),
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string())
}

impl Shared {
    async fn take(&self, messages: usize) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let Latency { queue, slow, .. } = self.latency();
        pause(slow.filter(|_| number % 100 == 99).unwrap_or(queue)).await;
        self.messages.fetch_add(messages, Ordering::Relaxed);
    }

    /// `None` for a version that does not exist.
    async fn secret(&self, stage: &str) -> Option<Value> {
        self.secrets.fetch_add(1, Ordering::Relaxed);
        pause(self.latency().secret).await;
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-id-a1b2c3";
        (stage == "AWSCURRENT").then(|| json!({"ARN": arn, "Name": "app-id", "SecretString": webhooks::APP_ID}))
    }

    fn latency(&self) -> Latency {
        *self.latency.lock().expect("a latency")
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// What SQS answers for a message. The SDK for JavaScript compares the MD5 with its own.
fn receipt(message: &Value) -> Value {
    let md5 = Md5::digest(message["MessageBody"].as_str().expect("a body"));
    json!({
        "Id": message["Id"], "MessageId": "5fea7756-0ea4-451a-a703-a558b933e274",
        "MD5OfMessageBody": md5.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        "SequenceNumber": "18849496460467696128",
    })
}

fn acceptor(directory: &Path) -> TlsAcceptor {
    let read = |name| fs::read(directory.join(name)).expect("a file that openssl wrote");
    let certificate = CertificateDer::from_pem_slice(&read(tls::CERTIFICATE)).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&read(tls::KEY)).expect("a key");
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    TlsAcceptor::from(Arc::new(config.expect("a certificate with its key")))
}
