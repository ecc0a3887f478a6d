//! What Lambda invokes the function with, and what it answers, as far as a webhook needs it.
//!
//! [`GatewayEvent`] is the event of an HTTP API (payload 2.0), a Function URL (the same), a REST API (payload 1.0) or an
//! Application Load Balancer in either header mode. It becomes a [`Request`] with the few headers that count, and the
//! response becomes an answer in the form that the same gateway expects.
//!
//! JSON of every shape can be read as a [`GatewayEvent`], because `lambda_runtime` logs what cannot, with the value that
//! serde did not expect, which may be the token. So each value of an unexpected type counts as missing. What is left, such
//! as a body with a lone surrogate, a [`Payload`] takes as an event that is not a gateway's.
//!
//! Sources: <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>,
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html>

use std::fmt;

use http::{HeaderMap, HeaderValue, Method, Response};
use lambda_http::Context;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap as _,
};
use serde_json::value::RawValue;
use thiserror::Error;
use voicehook_event::json::{self, Key};

use super::{context::GatewayContext, ping};
use crate::{
    receiver::{Request, token_in},
    scan,
    webhook::HEADERS,
};

/// What a visitor makes of values that it did not expect. Its own error would repeat them.
macro_rules! otherwise {
    ($value:expr; $($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok($value)
        })*
    };
}

/// An event of one of the gateways, or something else that the function was invoked with.
#[derive(Debug, Default)]
pub struct GatewayEvent {
    raw_path: Option<String>,
    path: Option<String>,
    raw_query_string: Option<String>,
    /// The `token` of the query: as `queryStringParameters` and as `multiValueQueryStringParameters` have it.
    tokens: [Option<String>; 2],
    headers: HeaderMap,
    multi_value_headers: HeaderMap,
    context: GatewayContext,
    method: Option<String>,
    body: Option<String>,
    is_base64_encoded: bool,
    is_ping: bool,
}

/// The function was invoked by something that is not a gateway.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAGatewayEvent {
    /// Something that only keeps the function warm, or a schedule: there is nothing to do.
    #[error("this is a warm-up ping or a scheduled event, not a webhook")]
    Ping,
    /// Anything else.
    #[error(
        "voicehook takes the events of Amazon API Gateway, Lambda Function URLs and Application Load Balancers, and \
         warm-up pings; this is none of them"
    )]
    Other {
        /// Lambda's id of the invocation.
        invocation_id: String,
    },
}

impl<'de> Deserialize<'de> for GatewayEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EventVisitor)
    }
}

/// Whatever Lambda hands over. Reading it never fails, because `lambda_runtime` would log that without the invocation's id.
#[derive(Debug)]
pub(super) struct Payload(pub(super) GatewayEvent);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(GatewayEvent::deserialize(deserializer).unwrap_or_default()))
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = GatewayEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GatewayEvent, A::Error> {
        let mut event = GatewayEvent::default();
        while let Some(Key(name)) = map.next_key()? {
            match name.as_ref() {
                b"body" => event.body = large_text(map.next_value()?).map_err(A::Error::custom)?,
                name => event.set(name, map.next_value()?),
            }
        }
        Ok(event)
    }

    otherwise!(
        GatewayEvent::default();
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str
    );

    fn visit_unit<E>(self) -> Result<GatewayEvent, E> {
        Ok(GatewayEvent::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<GatewayEvent, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| GatewayEvent::default())
    }
}

impl GatewayEvent {
    fn set(&mut self, name: &[u8], value: &RawValue) {
        match name {
            b"rawPath" => self.raw_path = text(value),
            b"path" => self.path = text(value),
            b"rawQueryString" => self.raw_query_string = text(value),
            b"queryStringParameters" => self.tokens[0] = token(value),
            b"multiValueQueryStringParameters" => self.tokens[1] = token(value),
            b"headers" => self.headers = headers(value),
            b"multiValueHeaders" => self.multi_value_headers = headers(value),
            b"requestContext" => self.context = GatewayContext::read(value),
            b"httpMethod" => self.method = text(value),
            b"isBase64Encoded" => self.is_base64_encoded = value.get() == "true",
            _ => self.is_ping |= ping::is_sign_of_ping(name, value),
        }
    }

    /// The request that the gateway received, with what Lambda says of the invocation.
    ///
    /// # Errors
    /// [`NotAGatewayEvent`].
    pub fn into_request(mut self, context: Context) -> Result<(Request, Gateway), NotAGatewayEvent> {
        let method = self.method.take().or_else(|| self.context.method.take());
        let Some(method) = method.and_then(|method| Method::from_bytes(method.as_bytes()).ok()) else {
            return Err(match self.is_ping {
                true => NotAGatewayEvent::Ping,
                false => NotAGatewayEvent::Other { invocation_id: context.request_id },
            });
        };
        let gateway = self.gateway();
        let token = self.token(gateway);
        let request = Request {
            method,
            path: self.raw_path.or(self.path).unwrap_or_default(),
            token,
            // Where both are there, this one has every value.
            headers: if self.multi_value_headers.is_empty() { self.headers } else { self.multi_value_headers },
            body: body(self.body.unwrap_or_default(), self.is_base64_encoded),
            origin: self.context.origin(context),
        };
        Ok((request, gateway))
    }

    /// The same for an event that was captured: nothing is known of its invocation.
    ///
    /// # Errors
    /// [`NotAGatewayEvent`].
    pub fn into_captured_request(self) -> Result<Request, NotAGatewayEvent> {
        self.into_request(Context::default()).map(|(request, _)| request)
    }

    const fn gateway(&self) -> Gateway {
        match (self.context.is_load_balancer, self.raw_path.is_some()) {
            (true, _) => Gateway::LoadBalancer,
            (false, true) => Gateway::HttpApi,
            (false, false) => Gateway::RestApi,
        }
    }

    fn token(&mut self, gateway: Gateway) -> Option<String> {
        let in_query = self.raw_query_string.as_deref().and_then(token_in);
        in_query.or_else(|| {
            let token = self.tokens.iter_mut().find_map(Option::take)?;
            match gateway {
                // A load balancer passes on what stands in the URL.
                Gateway::LoadBalancer => token_in(&format!("token={token}")),
                Gateway::HttpApi | Gateway::RestApi => Some(token),
            }
        })
    }
}

/// The text of a string, which may be large; `None` for a value of another type. A lone surrogate is an error,
/// as is a number out of range.
fn large_text(value: &RawValue) -> serde_json::Result<Option<String>> {
    let Some(content) = value.get().strip_prefix('"').and_then(|content| content.strip_suffix('"')) else {
        // A number that no type can hold is an error as well.
        if value.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            serde_json::from_str::<f64>(value.get())?;
        }
        return Ok(None);
    };
    match unescaped(content) {
        Some(text) => Ok(Some(text)),
        None => serde_json::from_str(value.get()).map(Some),
    }
}

/// What a JSON string stands for, if it has no escapes but those that a JSON text has as a string: of quotation marks,
/// reverse solidi and line feeds. `serde_json` would copy it twice.
fn unescaped(content: &str) -> Option<String> {
    let (mut text, mut rest) = (String::with_capacity(content.len()), content);
    while let Some(place) = scan::position::<16>(rest.as_bytes(), |byte| byte == b'\\') {
        text.push_str(&rest[..place]);
        text.push(match rest.as_bytes().get(place + 1)? {
            byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
            b'n' => '\n',
            _ => return None,
        });
        rest = &rest[place + 2..];
    }
    text.push_str(rest);
    Some(text)
}

/// A string. What JSON can escape and UTF-8 cannot hold becomes U+FFFD.
pub(super) fn text(value: &RawValue) -> Option<String> {
    let bytes = json::string(value)?.into_owned();
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Every string of a value: a string, or a list of them.
fn texts(value: &RawValue) -> Vec<String> {
    if !value.get().starts_with('[') {
        return text(value).into_iter().collect();
    }
    let values: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
    values.into_iter().filter_map(text).collect()
}

fn token(parameters: &RawValue) -> Option<String> {
    let mut token = None;
    let _ = json::members(parameters.get(), |name, value| {
        if name == b"token" {
            token = texts(value).into_iter().next();
        }
    });
    token
}

/// The headers that a webhook is read by. A value that HTTP does not allow is left out.
fn headers(pairs: &RawValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let _ = json::members(pairs.get(), |name, value| {
        let known = HEADERS.iter().find(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()));
        let Some(name) = known else { return };
        for value in texts(value).into_iter().filter_map(|value| HeaderValue::try_from(value).ok()) {
            headers.append(name, value);
        }
    });
    headers
}

/// A body that is announced as base64 and is not is taken as it stands, and then refused as no webhook.
fn body(text: String, is_base64: bool) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    if is_base64 && base64_simd::STANDARD.check(&bytes).is_ok() {
        let length = base64_simd::STANDARD.decode_inplace(&mut bytes).map_or(0, |decoded| decoded.len());
        bytes.truncate(length);
    }
    bytes
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

/// What Lambda gets back.
pub(super) enum LambdaAnswer {
    /// A response in the form of a gateway.
    Http(Gateway, Response<String>),
    /// An empty object, for what is not a webhook and asks for nothing.
    Empty,
}

impl Serialize for LambdaAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut answer = serializer.serialize_map(None)?;
        let Self::Http(gateway, response) = self else { return answer.end() };
        let status = response.status();
        answer.serialize_entry("statusCode", &status.as_u16())?;
        answer.serialize_entry("headers", &HeaderPairs(response.headers(), Some))?;
        if *gateway == Gateway::LoadBalancer {
            answer.serialize_entry("statusDescription", &status.to_string())?;
            // Instead of `headers` where the target group is set so.
            answer.serialize_entry("multiValueHeaders", &HeaderPairs(response.headers(), |value| [value]))?;
        }
        answer.serialize_entry("body", response.body())?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(event: &str) -> Option<Option<String>> {
        serde_json::from_str::<GatewayEvent>(event).ok().map(|event| event.body)
    }

    #[test]
    fn a_body_is_what_serde_json_reads_wherever_an_escape_is() {
        for escape in [r#"\""#, r"\\", r"\/", r"\n", r"\r", r"\t", r"\b", r"\f", r"\u00e9", r"\ud83d\ude00", "é"] {
            for length in 0..40 {
                let json = format!("\"{}{escape}{escape}{}\"", "a".repeat(length), "b".repeat(40 - length));
                let expected: String = serde_json::from_str(&json).unwrap();
                assert_eq!(body_of(&format!(r#"{{"body":{json}}}"#)), Some(Some(expected)), "{escape} at {length}");
            }
        }
        assert_eq!(body_of(r#"{"body":""}"#), Some(Some(String::new())));
    }

    #[test]
    fn a_body_that_is_no_string_counts_as_missing_and_one_that_no_string_can_hold_is_an_error() {
        for other in ["null", "true", "7", "[\"a\"]", "{\"a\":\"b\"}"] {
            assert_eq!(body_of(&format!(r#"{{"body":{other}}}"#)), Some(None), "{other}");
        }
        for broken in [r#""\ud83d""#, r#""\x""#, r#""\"#, "\"\u{1}\""] {
            assert_eq!(body_of(&format!(r#"{{"body":{broken}}}"#)), None, "{broken}");
        }
    }
}
