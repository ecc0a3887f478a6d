//! SQS over TLS, as far as a sender needs it: takes every message and counts it, after a pause that stands for the way
//! to a real queue.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, header},
    response::IntoResponse,
    serve::Listener,
};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use crate::tls;

/// The server.
#[derive(Clone)]
pub struct Sqs {
    pub port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    latency_ms: AtomicU64,
    messages: AtomicUsize,
    requests: AtomicUsize,
}

impl Sqs {
    /// Serves with the certificate in a directory.
    pub async fn start(directory: &Path) -> Self {
        let shared = Arc::<Shared>::default();
        let router = Router::new().fallback(take).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let listener = TlsListener { listener, acceptor: acceptor(directory), handshakes: JoinSet::new() };
        tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        Self { port, shared }
    }

    /// How long a message takes from now on.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.latency_ms.store(latency.as_millis() as u64, Ordering::Relaxed);
    }

    /// How many messages were taken, and in how many requests.
    pub fn taken(&self) -> (usize, usize) {
        (self.shared.messages.load(Ordering::Relaxed), self.shared.requests.load(Ordering::Relaxed))
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let operation = headers.get("x-amz-target").map_or("", |target| target.to_str().expect("a target"));
    let request: Value = serde_json::from_slice(&body).expect("JSON");
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
        other => panic!("{other:?} is not expected here"),
    };
    ([(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer.to_string())
}

impl Shared {
    async fn take(&self, messages: usize) {
        match self.latency_ms.load(Ordering::Relaxed) {
            0 => {}
            latency => tokio::time::sleep(Duration::from_millis(latency)).await,
        }
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
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

/// Accepts connections and their handshakes, several at once.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (connection, address) = accepted.expect("a connection");
                    connection.set_nodelay(true).expect("a TCP connection");
                    let handshake = self.acceptor.accept(connection);
                    self.handshakes.spawn(async move { Some((handshake.await.ok()?, address)) });
                }
                Some(Ok(Some(ready))) = self.handshakes.join_next() => return ready,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
