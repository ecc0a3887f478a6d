//! What Lambda is invoked with, and what it answers, as far as a webhook needs it.
//!
//! In comes the event of an HTTP API (payload 2.0), a Function URL (the same), a REST API (payload 1.0) or an ALB, read
//! in one pass, with one copy of the body; out comes a [`Request`] with the few headers that count. Nothing in it can be
//! wrong in a way that stops the function: what is no header is left out, and a body that is announced as base64 and is
//! none is taken as it stands, and refused as no webhook. Out of the [`Response`] comes the answer in the form that the
//! same gateway expects.
//!
//! Sources: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>

use std::{borrow::Cow, fmt};

use lambda_http::{
    Body, Context, Request, Response,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap as _,
};
use thiserror::Error;

use super::invocation::{Invocation, token_in};
use crate::webhook::{ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, ENCODING_HEADER, FORMAT_HEADER};

/// An event of one of the gateways.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayEvent {
    raw_path: Option<String>,
    path: Option<String>,
    raw_query_string: Option<String>,
    query_string_parameters: Option<Query>,
    headers: Option<Headers>,
    multi_value_headers: Option<Headers>,
    request_context: Option<RequestContext>,
    http_method: Option<String>,
    body: Option<String>,
    is_base64_encoded: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    stage: Option<String>,
    request_id: Option<String>,
    http: Option<HttpContext>,
    elb: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct HttpContext {
    method: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Query {
    token: Option<String>,
}

/// The event is of none of the gateways: the function was invoked by something else.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "voicehook takes the events of Amazon API Gateway, Lambda Function URLs and Application Load Balancers, and this is \
     none of them"
)]
pub struct NotAGatewayEvent;

impl GatewayEvent {
    /// The request that the gateway received, with what Lambda says of the invocation.
    ///
    /// # Errors
    /// [`NotAGatewayEvent`].
    pub fn into_request(self, context: Context) -> Result<(Request, Gateway), NotAGatewayEvent> {
        let of_request = self.request_context.unwrap_or_default();
        let method = self.http_method.or_else(|| of_request.http?.method).ok_or(NotAGatewayEvent)?;
        let gateway = match (of_request.elb, self.raw_path.is_some()) {
            (Some(_), _) => Gateway::LoadBalancer,
            (None, true) => Gateway::HttpApi,
            (None, false) => Gateway::RestApi,
        };
        let token = match (self.raw_query_string, self.query_string_parameters) {
            (Some(query), _) => token_in(&query),
            // A load balancer passes on what stands in the URL.
            (None, Some(Query { token: Some(token) })) if gateway == Gateway::LoadBalancer => {
                token_in(&format!("token={token}"))
            }
            (None, query) => query.and_then(|query| query.token),
        };
        let path = self.raw_path.or(self.path).unwrap_or_default();
        let mut request = Request::new(body(self.body.unwrap_or_default(), self.is_base64_encoded.unwrap_or(false)));
        *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(|_| NotAGatewayEvent)?;
        // Where both are there, this one has every value.
        *request.headers_mut() = self.multi_value_headers.or(self.headers).unwrap_or_default().0;
        let mut invocation = Invocation::new(context, of_request.request_id);
        (invocation.path, invocation.token, invocation.stage) = (path, token, of_request.stage);
        request.extensions_mut().insert(invocation);
        Ok((request, gateway))
    }
}

fn body(text: String, is_base64: bool) -> Body {
    if is_base64 && base64_simd::STANDARD.check(text.as_bytes()).is_ok() {
        let mut bytes = text.into_bytes();
        let length = base64_simd::STANDARD.decode_inplace(&mut bytes).map_or(0, |decoded| decoded.len());
        bytes.truncate(length);
        return Body::Binary(bytes);
    }
    Body::Text(text)
}

/// The headers that a webhook is read by.
static HEADERS: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    HeaderName::from_static(ALGORITHM_HEADER),
    HeaderName::from_static(ALGORITHM_HEADER_AS_DOCUMENTED),
    HeaderName::from_static(FORMAT_HEADER),
    HeaderName::from_static(ENCODING_HEADER),
];

/// An object of names and values, or of names and lists of values.
#[derive(Debug, Default)]
struct Headers(HeaderMap);

#[derive(Deserialize)]
#[serde(untagged)]
enum Values<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Several(Vec<String>),
    Other(IgnoredAny),
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let Some(name) = HEADERS.iter().find(|known| name.eq_ignore_ascii_case(known.as_str())) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let mut add = |value: &str| {
                if let Ok(value) = HeaderValue::from_str(value) {
                    headers.append(name.clone(), value);
                }
            };
            match map.next_value()? {
                Values::One(value) => add(&value),
                Values::Several(values) => values.iter().for_each(|value| add(value)),
                Values::Other(_) => {}
            }
        }
        Ok(Headers(headers))
    }
}

/// Who asks, and in which form wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// An HTTP API, or a Function URL.
    HttpApi,
    /// A REST API.
    RestApi,
    /// An Application Load Balancer.
    LoadBalancer,
}

/// A response in the form of a gateway.
pub(super) struct GatewayAnswer {
    gateway: Gateway,
    response: Response<Body>,
}

impl GatewayAnswer {
    pub(super) const fn new(gateway: Gateway, response: Response<Body>) -> Self {
        Self { gateway, response }
    }
}

impl Serialize for GatewayAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(None)?;
        let status = self.response.status();
        answer.serialize_entry("statusCode", &status.as_u16())?;
        answer.serialize_entry("headers", &HeaderPairs(self.response.headers(), Some))?;
        if self.gateway == Gateway::LoadBalancer {
            answer.serialize_entry("statusDescription", &status.to_string())?;
            // Instead of `headers` where the target group is set so.
            answer.serialize_entry("multiValueHeaders", &HeaderPairs(self.response.headers(), |value| [value]))?;
        }
        answer.serialize_entry("body", &String::from_utf8_lossy(self.response.body().as_ref()))?;
        answer.serialize_entry("isBase64Encoded", &false)?;
        answer.end()
    }
}

/// Our own headers, which are text, each with one value.
struct HeaderPairs<'a, F>(&'a HeaderMap, F);

impl<'a, T: Serialize, F: Fn(&'a str) -> T> Serialize for HeaderPairs<'a, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.iter();
        serializer.collect_map(pairs.map(|(name, value)| (name.as_str(), (self.1)(value.to_str().unwrap_or_default()))))
    }
}
