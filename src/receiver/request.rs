//! A request, as the receiver takes it from Lambda or from any other server.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, Method};
use tokio::time::Instant;

use crate::clock;

/// Time kept free before the invocation's own deadline, to answer in.
const TIME_TO_ANSWER: Duration = Duration::from_millis(100);
/// What a webhook gets at the least from its hand-over on, also where its time was over before: EnableX may have given up
/// waiting, but does not send it again.
const LEAST: Duration = Duration::from_millis(250);
/// A gateway's time that is longer ago than this is not believed: no gateway waits so long, and clocks differ.
const LONGEST_WAY: Duration = Duration::from_secs(10);

/// An HTTP request, and what is known of how it came here.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, as the gateway passes it on.
    pub path: String,
    /// The query's `token`.
    pub token: Option<String>,
    /// The headers; at least [those that count](crate::webhook::HEADERS).
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
    /// How it came here.
    pub origin: Origin,
}

/// What a gateway and Lambda say of a request beside the request itself.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The stage of an API Gateway, which a path may begin with.
    pub stage: Option<String>,
    /// The gateway's id of the request, else Lambda's. A caller can choose it.
    pub request_id: String,
    /// Lambda's own id of the invocation, else a random one. A caller cannot choose it.
    pub invocation_id: String,
    /// The X-Ray trace header.
    pub trace_header: Option<String>,
    /// When the gateway took the request, in milliseconds since 1970.
    pub taken: Option<u64>,
    /// When Lambda ends the invocation, in milliseconds since 1970; 0 where it does not.
    pub ends: u64,
}

impl Origin {
    /// Of a request that did not come through Lambda, with an id that its server gave it.
    #[must_use]
    pub fn local(request_id: &str) -> Self {
        let invocation_id = if request_id.is_empty() { random_id() } else { request_id.to_owned() };
        let request_id = request_id.to_owned();
        Self { stage: None, request_id, invocation_id, trace_header: None, taken: None, ends: 0 }
    }

    /// When the answer must be on its way: the configured time after the gateway took the request, or the invocation's
    /// end if that is sooner.
    pub(super) fn deadline(&self, arrived: Instant, allowed: Duration) -> Instant {
        self.deadline_at(clock::system_time(), arrived, allowed)
    }

    /// The same, where the request `arrived` when the clock showed `now`.
    fn deadline_at(&self, now: SystemTime, arrived: Instant, allowed: Duration) -> Instant {
        let on_its_way = self.taken.and_then(|taken| now.duration_since(time(taken)?).ok());
        let on_its_way = on_its_way.filter(|took| *took <= LONGEST_WAY).unwrap_or_default();
        // An end that had passed before the request arrived is not one: `cargo lambda watch` sends 1970.
        let ends_in = time(self.ends).and_then(|ends| ends.duration_since(now).ok());
        let ends_in = ends_in.map_or(Duration::MAX, |left| left.saturating_sub(TIME_TO_ANSWER));
        arrived + allowed.saturating_sub(on_its_way).max(LEAST.min(allowed)).min(ends_in)
    }
}

impl<B: Into<Vec<u8>>> From<http::Request<B>> for Request {
    /// A request that did not come through Lambda, and has no id.
    fn from(request: http::Request<B>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            token: parts.uri.query().and_then(token_in),
            headers: parts.headers,
            body: body.into(),
            origin: Origin::local(""),
        }
    }
}

/// The `token` of a query string.
pub(crate) fn token_in(query: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(query.as_bytes());
    fields.find(|(name, _)| name == "token").map(|(_, value)| value.into_owned())
}

fn time(milliseconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
}

/// A unique id, for a server that does not assign request ids.
pub(crate) fn random_id() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0), random.hash_one(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_431_186_000;
    const ALLOWED: Duration = Duration::from_secs(4);

    /// How long a request may take whose gateway and whose Lambda say this, in milliseconds.
    fn allowed(taken: Option<u64>, ends: u64) -> u128 {
        let origin = Origin { taken, ends, ..Origin::local("") };
        let arrived = Instant::now();
        let deadline = origin.deadline_at(time(NOW).unwrap(), arrived, ALLOWED);
        assert!(deadline >= arrived);
        (deadline - arrived).as_millis()
    }

    #[test]
    fn the_deadline_counts_from_the_gateways_own_time_of_the_request() {
        for (taken, expected) in [(NOW - 3000, 1000), (NOW, 4000), (NOW - 10_000, 250)] {
            assert_eq!(allowed(Some(taken), 0), expected, "{taken}");
        }
    }

    #[test]
    fn a_gateways_time_that_cannot_be_right_is_not_believed() {
        for taken in [None, Some(NOW - 11_000), Some(NOW + 1), Some(u64::MAX)] {
            assert_eq!(allowed(taken, 0), 4000, "{taken:?}");
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
            assert_eq!(allowed(None, ends), expected, "{ends}");
        }
    }

    #[test]
    fn requests_without_an_id_get_a_unique_one() {
        let id = || Origin::local("").invocation_id;
        assert_ne!(id(), id());
    }
}
