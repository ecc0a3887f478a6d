//! The HTTP client of the AWS clients: hyper's pool, TLS by rustls on ring, and HTTP/1.1.
//!
//! In comes a request of the SDK; out comes the answer, or an error of a kind that the SDK knows whether to try again.
//! The SDK's own client brings HTTP/2 besides, which a webhook has no use for, and a pool with more work in it.

use std::time::Duration;

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
};
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, builderstates::WantsSchemes};
use hyper_util::{
    client::legacy::{Client, connect},
    rt::TokioExecutor,
};

/// How long an idle connection is kept. SQS closes idle ones after a minute or so, and a function that was frozen does
/// not notice: a connection older than this is opened anew rather than tried.
const POOL_IDLE: Duration = Duration::from_secs(20);
/// Longest wait for a TCP connection. Where one attempt has less time than that, as for a secret, that is the limit.
const CONNECT: Duration = Duration::from_secs(1);

/// Whose word is taken that a server is who it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Mozilla's, which are in the program: to read and parse the machine's costs a cold start a millisecond.
    Carried,
    /// The machine's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`. Where there are none, every request fails and says
    /// so.
    OfTheMachine,
}

impl Authorities {
    /// The machine's where somebody named them, else the carried ones.
    pub(super) fn of_the_environment() -> Self {
        let is_set = |name| super::variable(name).is_some();
        if is_set("SSL_CERT_FILE") || is_set("SSL_CERT_DIR") { Self::OfTheMachine } else { Self::Carried }
    }

    fn tls(self) -> Result<HttpsConnectorBuilder<WantsSchemes>, BoxError> {
        let ring = rustls::crypto::ring::default_provider();
        let builder = HttpsConnectorBuilder::new();
        Ok(match self {
            Self::Carried => builder.with_provider_and_webpki_roots(ring)?,
            Self::OfTheMachine => builder.with_provider_and_native_roots(ring)?,
        })
    }
}

/// An HTTP client with TLS by rustls and ring, whatever the SDK's default is: the default's first random number costs a
/// cold start 25 to 100 ms of CPU.
#[must_use]
pub fn http_connector(authorities: Authorities) -> SharedHttpConnector {
    let mut tcp = connect::HttpConnector::new();
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let client = authorities.tls().map(|tls| {
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        // The pool has no timer: a connection's age is looked at when it is wanted.
        Client::builder(TokioExecutor::new()).pool_idle_timeout(POOL_IDLE).build(connector)
    });
    SharedHttpConnector::new(Http(client.map_err(|error| error.to_string())))
}

/// The same as the SDK takes it.
#[must_use]
pub fn http_client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

/// The client, or why there is none.
#[derive(Debug)]
struct Http(Result<Client<HttpsConnector<connect::HttpConnector>, SdkBody>, String>);

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let failed = |error: BoxError| HttpConnectorFuture::ready(Err(ConnectorError::user(error)));
        let (client, request) = match (&self.0, request.try_into_http1x()) {
            (Ok(client), Ok(request)) => (client, request),
            (Err(error), _) => return failed(error.clone().into()),
            (_, Err(error)) => return failed(error.into()),
        };
        let answer = client.request(request);
        HttpConnectorFuture::new(async move {
            // Whatever happens to a connection, the SDK tries again: an event that arrives twice has the same
            // deduplication id.
            let answer = answer.await.map_err(|error| ConnectorError::io(error.into()))?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
