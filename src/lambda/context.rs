//! What a gateway and Lambda say of an invocation, as the [`Origin`] of its request.

use lambda_http::Context;
use serde_json::value::RawValue;
use voicehook_event::json;

use super::payload::text;
use crate::receiver::{Origin, random_id};

/// What a gateway says of a request in `requestContext`.
#[derive(Debug, Default)]
pub(super) struct GatewayContext {
    stage: Option<String>,
    request_id: Option<String>,
    /// Of the payload 2.0.
    pub(super) method: Option<String>,
    /// When it took the request, in milliseconds since 1970.
    time: Option<u64>,
    pub(super) is_load_balancer: bool,
}

impl GatewayContext {
    /// Reads `requestContext`. What is of an unexpected type counts as missing.
    pub(super) fn read(value: &RawValue) -> Self {
        let mut context = Self::default();
        let _ = json::members(value.get(), |name, value| match name {
            b"stage" => context.stage = text(value),
            b"requestId" => context.request_id = text(value),
            b"http" => {
                let _ = json::members(value.get(), |name, value| {
                    if name == b"method" {
                        context.method = text(value);
                    }
                });
            }
            // The payload 2.0 has the first of them, a REST API the second.
            b"timeEpoch" | b"requestTimeEpoch" => context.time = value.get().trim_matches('"').parse().ok(),
            b"elb" => context.is_load_balancer = value.get() != "null",
            _ => {}
        });
        context
    }

    /// With what Lambda says of the invocation.
    pub(super) fn origin(self, lambda: Context) -> Origin {
        let request_id = self.request_id.filter(|id| !id.is_empty());
        Origin {
            stage: self.stage,
            request_id: request_id.unwrap_or_else(|| lambda.request_id.clone()),
            invocation_id: Some(lambda.request_id).filter(|id| !id.is_empty()).unwrap_or_else(random_id),
            trace_header: lambda.xray_trace_id,
            taken: self.time,
            ends: lambda.deadline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(request_context: &str) -> Option<u64> {
        let request_context: &RawValue = serde_json::from_str(request_context).unwrap();
        GatewayContext::read(request_context).origin(Context::default()).taken
    }

    #[test]
    fn the_time_of_the_request_is_read_as_each_gateway_writes_it() {
        for request_context in [
            r#"{"timeEpoch": 1795431183000}"#,
            r#"{"requestTimeEpoch": 1795431183000}"#,
            r#"{"timeEpoch": "1795431183000"}"#,
        ] {
            assert_eq!(taken(request_context), Some(1_795_431_183_000), "{request_context}");
        }
        for request_context in [
            "{}",
            "null",
            r#"{"timeEpoch": -3000}"#,
            r#"{"timeEpoch": "soon"}"#,
            r#"{"timeEpoch": [1795431183000]}"#,
            r#"{"timeEpoch": ""}"#,
        ] {
            assert_eq!(taken(request_context), None, "{request_context}");
        }
    }

    #[test]
    fn a_caller_can_choose_the_request_id_and_not_the_invocation_id() {
        let mut lambda = Context::default();
        lambda.request_id = "lambda".to_owned();
        let gateway = GatewayContext { request_id: Some("chosen".to_owned()), ..GatewayContext::default() };
        let origin = gateway.origin(lambda);
        assert_eq!((origin.request_id.as_str(), origin.invocation_id.as_str()), ("chosen", "lambda"));
    }
}
