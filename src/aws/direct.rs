//! Requests to AWS without the SDK around them.
//!
//! What the SDK does around an operation is most of a small webhook's CPU. A [`Direct`] sends an operation's input as JSON
//! over the SDK's own connections and returns the output where the service answered 200. For everything else the caller
//! has the SDK repeat the operation, because the SDK knows what an error means.
//!
//! The protocol is AWS JSON 1.0. <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{HttpConnector as _, SharedHttpConnector},
        orchestrator::HttpRequest,
    },
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use http::{
    HeaderValue, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT},
};

use super::signature::{Signed, Signer};
use crate::clock;

const JSON: &str = "application/x-amz-json-1.0";
const NAME: &str = concat!("voicehook/", env!("CARGO_PKG_VERSION"));

/// The way to one service in one region.
#[derive(Debug)]
pub(crate) struct Direct {
    connector: SharedHttpConnector,
    signer: Signer,
    endpoint: Uri,
    host: String,
}

impl Direct {
    /// `None` where the endpoint is not the URL of a server's root.
    pub(super) fn new(
        connector: SharedHttpConnector,
        credentials: Credentials,
        service: &'static str,
        region: &str,
        endpoint: &str,
    ) -> Option<Self> {
        let endpoint: Uri = endpoint.parse().ok()?;
        let host = endpoint.authority().filter(|_| endpoint.path() == "/")?.as_str().to_owned();
        Some(Self { connector, signer: Signer::new(credentials, service, region.to_owned()), endpoint, host })
    }

    /// One attempt at an operation, without a timeout. `target` is the value of `X-Amz-Target`.
    ///
    /// # Errors
    /// Whatever stands between and an answer with status 200: then it is not known whether the service did it.
    pub(crate) async fn call(&self, target: &'static str, input: Vec<u8>) -> Result<impl AsRef<[u8]>, BoxError> {
        let response = self.connector.call(self.signed(target, input)?).await?;
        match response.status().as_u16() {
            200 => Ok(ByteStream::new(response.into_body()).collect().await?.into_bytes()),
            status => Err(format!("HTTP status {status}").into()),
        }
    }

    fn signed(&self, target: &'static str, input: Vec<u8>) -> Result<HttpRequest, BoxError> {
        let signed = Signed { content_type: JSON, host: &self.host, target, body: &input };
        let signature = self.signer.sign(&signed, clock::now())?;
        let secret = |text: &str| {
            let mut value = HeaderValue::from_str(text)?;
            value.set_sensitive(true);
            Ok::<_, BoxError>(value)
        };
        let mut request = Request::post(self.endpoint.clone())
            .header(CONTENT_TYPE, JSON)
            .header(HOST, &self.host)
            .header(USER_AGENT, NAME)
            .header("x-amz-date", signature.date)
            .header("x-amz-target", target)
            .header(AUTHORIZATION, secret(&signature.authorization)?);
        if let Some(token) = self.signer.session_token() {
            request = request.header("x-amz-security-token", secret(token)?);
        }
        Ok(request.body(SdkBody::from(input))?.try_into()?)
    }
}
