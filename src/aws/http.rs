//! The HTTP client of the AWS clients: hyper's pool, TLS by rustls on ring, and HTTP/1.1.
//!
//! The SDK's default client brings HTTP/2, which a webhook has no use for, and a pool that does more work. This one can
//! also [drop its idle connections](Connections::renew), and limits the size of an answer.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, builderstates::WantsSchemes};
use hyper_util::{
    client::legacy::{
        Builder, Client,
        connect::{self, Connect},
    },
    rt::TokioExecutor,
};
use tokio::time::Instant;

/// How long an idle connection is kept. SQS closes idle ones after a minute or so, and a function that was frozen does
/// not notice: a connection older than this is opened anew rather than tried.
const POOL_IDLE: Duration = Duration::from_secs(20);
/// Longest wait for a TCP connection. Where one attempt has less time than that, as for a secret, that is the limit.
const CONNECT: Duration = Duration::from_secs(1);

/// Shorter than any time after which a request is given up: connections that are younger were not among those that
/// timed out, or have been renewed already.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

/// Which root certificates are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustRoots {
    /// Mozilla's, compiled into the program: reading and parsing the system's costs a cold start a millisecond.
    Bundled,
    /// The system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Without any, every request fails and says so.
    System,
}

impl TrustRoots {
    /// The system's where `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, else the bundled ones.
    pub(super) fn from_environment() -> Self {
        let is_set = |name| super::variable(name).is_some();
        if is_set("SSL_CERT_FILE") || is_set("SSL_CERT_DIR") { Self::System } else { Self::Bundled }
    }

    fn tls(self) -> Result<HttpsConnectorBuilder<WantsSchemes>, BoxError> {
        let ring = rustls::crypto::ring::default_provider();
        let builder = HttpsConnectorBuilder::new();
        Ok(match self {
            Self::Bundled => builder.with_provider_and_webpki_roots(ring)?,
            Self::System => builder.with_provider_and_native_roots(ring)?,
        })
    }
}

/// How the function connects: by TCP, with TLS where the URL says so.
pub type Tcp = HttpsConnector<connect::HttpConnector>;

/// An HTTP client with TLS by rustls and ring, whatever the SDK's default is: the default's first random number costs a
/// cold start 25 to 100 ms of CPU. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Connections<C = Tcp> {
    /// How a connection is made, or why that is not possible.
    connector: Result<C, Arc<str>>,
    /// The client with the pool in use.
    client: Arc<RwLock<Option<Pool<C>>>>,
    largest_answer: usize,
    /// What else is set for a pool.
    prepare: fn(&mut Builder),
}

#[derive(Clone, Debug)]
struct Pool<C> {
    client: Client<C, SdkBody>,
    since: Instant,
}

/// What can be [renewed](Connections::renew), whatever its connections are made of.
pub(super) trait Renew: fmt::Debug + Send + Sync {
    /// Uses none of the idle connections any more.
    fn renew(&self);
}

impl<C: fmt::Debug + Send + Sync> Renew for Connections<C> {
    fn renew(&self) {
        Self::renew(self);
    }
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(roots: TrustRoots) -> Self {
        let mut tcp = connect::HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let connector = roots.tls().map(|tls| tls.https_or_http().enable_http1().wrap_connector(tcp));
        let connector = connector.map_err(|error| error.to_string().into());
        Self { connector, client: Arc::default(), largest_answer: usize::MAX, prepare: |_| {} }
    }
}

impl<C> Connections<C> {
    /// None yet, and each will be made by a connector, for instance within the process. `prepare` can set more for the
    /// pool, such as the clock that it tells the age of a connection by.
    #[must_use]
    pub fn through(connector: C, prepare: fn(&mut Builder)) -> Self {
        Self { connector: Ok(connector), client: Arc::default(), largest_answer: usize::MAX, prepare }
    }

    /// Reads answers up to this size, in bytes, and fails with larger ones.
    #[must_use]
    pub fn with_limit(self, largest_answer: usize) -> Self {
        Self { largest_answer, ..self }
    }

    /// Uses none of the idle connections any more. Requests that are on their way end as they would have; many that time
    /// out together renew the connections once.
    pub fn renew(&self) {
        let mut pool = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if pool.as_ref().is_some_and(|pool| pool.since.elapsed() >= SHORTEST_TIMEOUT) {
            *pool = None;
        }
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Connections<C> {
    fn client(&self) -> Result<Client<C, SdkBody>, BoxError> {
        if let Some(pool) = &*self.client.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(pool.client.clone());
        }
        let connector = self.connector.clone().map_err(|error| error.to_string())?;
        let mut pool = self.client.write().unwrap_or_else(PoisonError::into_inner);
        let pool = pool.get_or_insert_with(|| {
            // The pool has no timer: a connection's age is checked when it is about to be used.
            let mut builder = Client::builder(TokioExecutor::new());
            (self.prepare)(builder.pool_idle_timeout(POOL_IDLE));
            Pool { client: builder.build(connector), since: Instant::now() }
        });
        Ok(pool.client.clone())
    }
}

/// The same as the SDK takes it.
#[must_use]
pub fn http_client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

impl<C: Connect + Clone + fmt::Debug + Send + Sync + 'static> HttpConnector for Connections<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let failed = |error: BoxError| HttpConnectorFuture::ready(Err(ConnectorError::user(error)));
        let (client, request) = match (self.client(), request.try_into_http1x()) {
            (Ok(client), Ok(request)) => (client, request),
            (Err(error), _) => return failed(error),
            (_, Err(error)) => return failed(error.into()),
        };
        let (answer, limit) = (client.request(request), self.largest_answer);
        HttpConnectorFuture::new(async move {
            // Whatever happens to a connection, the caller tries again: an event that arrives twice has the same
            // deduplication id.
            let answer = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            let answer = answer.map(|body| SdkBody::from_body_1_x(Limited::new(body, limit)));
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
