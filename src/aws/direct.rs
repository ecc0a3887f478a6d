//! Requests to AWS without the SDK around them, for the way of a webhook.
//!
//! In come an operation and its input in JSON; out comes its output in JSON, if the service did what it was asked for.
//! If not, or if anything else is wrong, the caller has the SDK do it: the SDK tries again, and knows what an error
//! means. Signature and connections are the SDK's own. What is saved is all that the SDK does around an operation, which
//! is most of a small webhook's CPU.
//!
//! The protocol is AWS JSON 1.0. <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        http::{HttpConnector as _, SharedHttpConnector},
        identity::Identity,
        orchestrator::HttpRequest,
    },
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use lambda_http::http::{
    Request,
    header::{CONTENT_TYPE, USER_AGENT},
};

const JSON: &str = "application/x-amz-json-1.0";
const NAME: &str = concat!("voicehook/", env!("CARGO_PKG_VERSION"));

/// The way to one service in one region.
#[derive(Debug)]
pub(crate) struct Direct {
    connector: SharedHttpConnector,
    identity: Identity,
    service: &'static str,
    region: String,
    endpoint: String,
}

impl Direct {
    pub(super) fn new(
        connector: SharedHttpConnector,
        credentials: Credentials,
        service: &'static str,
        region: &str,
        endpoint: &str,
    ) -> Self {
        let identity = credentials.into();
        Self { connector, identity, service, region: region.to_owned(), endpoint: endpoint.to_owned() }
    }

    /// One attempt at an operation, without a time-out. `target` is the value of `X-Amz-Target`.
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
        let headers = [(CONTENT_TYPE.as_str(), JSON), ("x-amz-target", target)];
        let parameters = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?;
        let signable = SignableRequest::new("POST", &self.endpoint, headers.into_iter(), SignableBody::Bytes(&input))?;
        let (signature, _) = sign(signable, &parameters.into())?.into_parts();
        let mut request = Request::post(&self.endpoint).header(USER_AGENT, NAME);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(input))?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request.try_into()?)
    }
}
