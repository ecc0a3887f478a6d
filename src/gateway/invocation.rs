//! What the gateway and Lambda say of a request beside the request itself.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lambda_http::{Context, Request, RequestExt as _};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::payload::text;
use crate::json;

/// Time kept free before the invocation's own deadline, to answer in.
const TIME_TO_ANSWER: Duration = Duration::from_millis(100);
/// What a webhook gets at the least from its hand-over on, also where its time was over before: EnableX may have given up
/// waiting, but does not send it again.
const LEAST: Duration = Duration::from_millis(250);
/// A gateway's time that is longer ago than this is not believed: no gateway waits so long, and clocks differ.
const LONGEST_WAY: Duration = Duration::from_secs(10);

/// One invocation. An extension of the requests that come from a gateway.
#[derive(Clone, Debug, Default)]
pub(super) struct Invocation {
    /// The path, as the gateway passes it on.
    pub(super) path: String,
    /// The stage of an API Gateway.
    pub(super) stage: Option<String>,
    /// The query's `token`.
    pub(super) token: Option<String>,
    /// The gateway's id of the request, else Lambda's. A caller can choose it.
    pub(super) request_id: String,
    /// Lambda's own id of the invocation, else a random one. Nobody else can choose it.
    pub(super) invocation_id: String,
    /// The X-Ray trace header.
    pub(super) trace_header: Option<String>,
    /// When the gateway took the request, in milliseconds since 1970.
    received: Option<u64>,
    /// When Lambda ends the invocation, in milliseconds since 1970; 0 where it does not.
    ends: u64,
}

impl Invocation {
    /// Of a request that came from a gateway.
    pub(super) fn from_gateway(context: Context, gateway: GatewayContext, path: String, token: Option<String>) -> Self {
        let request_id = gateway.request_id.filter(|id| !id.is_empty());
        Self {
            request_id: request_id.unwrap_or_else(|| context.request_id.clone()),
            path,
            token,
            stage: gateway.stage,
            received: gateway.time,
            invocation_id: Some(context.request_id).filter(|id| !id.is_empty()).unwrap_or_else(random_id),
            trace_header: context.xray_trace_id,
            ends: context.deadline,
        }
    }

    /// Of a request that came from a gateway, or, by any other server, with the id of its Lambda context.
    pub(super) fn of(request: &Request) -> Self {
        if let Some(invocation) = request.extensions().get::<Self>() {
            return invocation.clone();
        }
        let context = request.lambda_context_ref().cloned().unwrap_or_default();
        let token = request.uri().query().and_then(token_in);
        Self::from_gateway(context, GatewayContext::default(), request.uri().path().to_owned(), token)
    }

    /// When the answer must be on its way: the configured time after the gateway took the request, or the invocation's
    /// end if that is sooner.
    pub(super) fn deadline(&self, arrived: Instant, allowed: Duration) -> Instant {
        self.deadline_at(SystemTime::now(), arrived, allowed)
    }

    /// The same, where the request `arrived` when the clock showed `now`.
    fn deadline_at(&self, now: SystemTime, arrived: Instant, allowed: Duration) -> Instant {
        let on_its_way = self.received.and_then(|received| now.duration_since(time(received)?).ok());
        let on_its_way = on_its_way.filter(|took| *took <= LONGEST_WAY).unwrap_or_default();
        // An end that had passed before the request arrived is not one: `cargo lambda watch` sends 1970.
        let ends_in = time(self.ends).and_then(|ends| ends.duration_since(now).ok());
        let ends_in = ends_in.map_or(Duration::MAX, |left| left.saturating_sub(TIME_TO_ANSWER));
        arrived + allowed.saturating_sub(on_its_way).max(LEAST.min(allowed)).min(ends_in)
    }
}

fn time(milliseconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// An id that nobody else has, for a server that gives its requests none.
fn random_id() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

/// What a gateway says of a request in `requestContext`.
#[derive(Debug, Default)]
pub(super) struct GatewayContext {
    pub(super) stage: Option<String>,
    pub(super) request_id: Option<String>,
    /// Of the payload 2.0.
    pub(super) method: Option<String>,
    /// When it took the request, in milliseconds since 1970.
    pub(super) time: Option<u64>,
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
}

/// The `token` of a query string.
pub(super) fn token_in(query: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    fields.find(|(name, _)| name == "token").map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_431_186_000;
    const ALLOWED: Duration = Duration::from_secs(4);

    /// How long a request may take whose gateway and whose Lambda say this, in milliseconds.
    fn allowed(request_context: &str, lambda_deadline: u64) -> u128 {
        let request_context: &RawValue = serde_json::from_str(request_context).unwrap();
        let mut context = Context::default();
        context.deadline = lambda_deadline;
        let invocation = Invocation::from_gateway(context, GatewayContext::read(request_context), String::new(), None);
        let arrived = Instant::now();
        let deadline = invocation.deadline_at(time(NOW).unwrap(), arrived, ALLOWED);
        assert!(deadline >= arrived);
        (deadline - arrived).as_millis()
    }

    #[test]
    fn the_deadline_counts_from_the_gateways_own_time_of_the_request() {
        for (request_context, expected) in [
            (r#"{"timeEpoch": 1795431183000}"#, 1000),
            (r#"{"requestTimeEpoch": 1795431183000}"#, 1000),
            (r#"{"timeEpoch": "1795431183000"}"#, 1000),
            (r#"{"timeEpoch": 1795431186000}"#, 4000),
            (r#"{"timeEpoch": 1795431176000}"#, 250),
        ] {
            assert_eq!(allowed(request_context, 0), expected, "{request_context}");
        }
    }

    #[test]
    fn a_gateways_time_that_cannot_be_right_is_not_believed() {
        for request_context in [
            "{}",
            "null",
            r#"{"timeEpoch": 1795431175000}"#,
            r#"{"timeEpoch": 1795431186001}"#,
            r#"{"timeEpoch": 18446744073709551615}"#,
            r#"{"timeEpoch": -3000}"#,
            r#"{"timeEpoch": "soon"}"#,
            r#"{"timeEpoch": [1795431183000]}"#,
            r#"{"timeEpoch": ""}"#,
        ] {
            assert_eq!(allowed(request_context, 0), 4000, "{request_context}");
        }
    }

    #[test]
    fn the_end_of_the_invocation_counts_unless_it_had_passed_before_the_request_arrived() {
        for (ends, expected) in [
            (NOW + 3000, 2900),
            (NOW + 9000, 4000),
            (NOW + 50, 0),
            (NOW - 1, 4000),
            (1000, 4000),
            (0, 4000),
            (u64::MAX, 4000),
        ] {
            assert_eq!(allowed("{}", ends), expected, "{ends}");
        }
    }

    #[test]
    fn requests_without_an_id_of_lambda_get_one_that_nobody_else_has() {
        let id = || Invocation::of(&Request::default()).invocation_id;
        assert_ne!(id(), id());
        let mut context = Context::default();
        context.request_id = "lambda".to_owned();
        let gateway = GatewayContext { request_id: Some("chosen".to_owned()), ..GatewayContext::default() };
        let invocation = Invocation::from_gateway(context, gateway, String::new(), None);
        assert_eq!((invocation.request_id.as_str(), invocation.invocation_id.as_str()), ("chosen", "lambda"));
    }
}
