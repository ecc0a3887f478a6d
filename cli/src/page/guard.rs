//! Access control of the inspector: only who is on this machine and knows the token may read it, and only its own page and
//! scripts may change anything.
//!
//! Checks the request's headers and the peer's address. The address alone proves nothing: webhooks often come through a
//! tunnel whose last hop is this machine, and any page that a developer visits can send requests to loopback. The token
//! alone would do, but a URL is easily shared; so a leaked one is of no use elsewhere.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Method, StatusCode, header, uri::Authority};

use super::token::{AccessToken, Proof};

/// Headers that proxies and tunnels add, and browsers do not.
const FORWARDED: [&str; 8] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
];

/// Why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It comes from another machine, directly or through a proxy. To such a caller, the inspector does not exist.
    NotLocal,
    /// It names another host, whose name was made to resolve to loopback (DNS rebinding).
    OtherHost,
    /// It has no token, or a wrong one.
    NoToken,
    /// It would change something, but comes neither from the inspector's page nor from a script that has the token.
    OtherOrigin,
}

impl Refusal {
    /// The answer to the caller. `None` if it must not learn that there is an inspector.
    pub(super) const fn answer(self) -> Option<(StatusCode, &'static str)> {
        match self {
            Self::NotLocal => None,
            Self::OtherHost => Some((
                StatusCode::FORBIDDEN,
                "The inspector answers only under 127.0.0.1, localhost or [::1]. Open it under one of these names.\n",
            )),
            Self::NoToken => Some((
                StatusCode::UNAUTHORIZED,
                "The inspector needs its token, which is in the URL that voicehook printed. Scripts send it in the \
                 header x-voicehook-inspect-token.\n",
            )),
            Self::OtherOrigin => {
                Some((StatusCode::FORBIDDEN, "Only the inspector's own page may send this request (header Origin).\n"))
            }
        }
    }
}

/// Checks a request.
pub(super) fn check(
    peer: SocketAddr,
    method: &Method,
    headers: &HeaderMap,
    token: &AccessToken,
) -> Result<(), Refusal> {
    if !peer.ip().to_canonical().is_loopback() || FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Err(Refusal::NotLocal);
    }
    let host = single(headers, header::HOST.as_str()).filter(|host| is_loopback(host)).ok_or(Refusal::OtherHost)?;
    let proof = token.proof(headers).ok_or(Refusal::NoToken)?;
    let changes_nothing = matches!(*method, Method::GET | Method::HEAD);
    let is_script = proof == Proof::Header && !headers.contains_key(header::ORIGIN);
    let is_own_page = single(headers, header::ORIGIN.as_str()) == Some(&format!("http://{host}"));
    if changes_nothing || is_script || is_own_page { Ok(()) } else { Err(Refusal::OtherOrigin) }
}

/// Whether it is `localhost` or a loopback address, with any port.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    !host.contains('@')
        && (name.eq_ignore_ascii_case("localhost")
            || address.parse().is_ok_and(|address: IpAddr| address.is_loopback()))
}

fn single<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: (&str, &str) = ("cookie", "voicehook-inspect-3000=0123456789abcdef");
    const SCRIPT: (&str, &str) = ("x-voicehook-inspect-token", "0123456789abcdef");

    /// Checks a request that has the cookie.
    fn checked(peer: &str, method: &Method, headers: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        checked_with(Some(COOKIE), peer, method, headers)
    }

    fn checked_with(
        proof: Option<(&'static str, &'static str)>,
        peer: &str,
        method: &Method,
        headers: &[(&'static str, &'static str)],
    ) -> Result<(), Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers.iter().copied().chain(proof) {
            map.append(name, value.parse().unwrap());
        }
        let token = AccessToken::new(Some("0123456789abcdef"), 3000).unwrap();
        check(peer.parse().unwrap(), method, &map, &token)
    }

    const LOCAL: &str = "127.0.0.1:50000";

    #[test]
    fn other_machines_find_nothing() {
        for peer in ["192.0.2.1:50000", "[2001:db8::1]:50000", "[::ffff:192.0.2.1]:50000"] {
            assert_eq!(checked(peer, &Method::GET, &[("host", "127.0.0.1:3000")]), Err(Refusal::NotLocal), "{peer}");
        }
        for peer in [LOCAL, "127.8.0.9:50000", "[::1]:50000", "[::ffff:127.0.0.1]:50000"] {
            assert_eq!(checked(peer, &Method::GET, &[("host", "127.0.0.1:3000")]), Ok(()), "{peer}");
        }
    }

    #[test]
    fn a_tunnel_that_ends_on_this_machine_opens_nothing() {
        for header in FORWARDED {
            let headers = [("host", "localhost:3000"), (header, "192.0.2.1")];
            assert_eq!(checked(LOCAL, &Method::GET, &headers), Err(Refusal::NotLocal), "{header}");
        }
    }

    #[test]
    fn a_host_name_that_only_resolves_to_loopback_opens_nothing() {
        for host in [
            "rebound.example:3000",
            "localhost.example",
            "127.0.0.1.example",
            "localhost@rebound.example",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(checked(LOCAL, &Method::GET, &[("host", host)]), Err(Refusal::OtherHost), "{host}");
        }
        assert_eq!(checked(LOCAL, &Method::GET, &[]), Err(Refusal::OtherHost));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(checked(LOCAL, &Method::GET, &twice), Err(Refusal::OtherHost));
        for host in ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "[::1]:3000", "127.1.2.3"] {
            assert_eq!(checked(LOCAL, &Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_tunnel_that_forwards_bytes_opens_nothing_without_the_token() {
        let headers = [("host", "127.0.0.1:3000")];
        let wrong = [("cookie", "voicehook-inspect-3000=0123456789abcdeF"), ("authorization", "Bearer 0")];
        for proof in [None, Some(wrong[0]), Some(wrong[1])] {
            for method in [Method::GET, Method::HEAD, Method::POST] {
                assert_eq!(checked_with(proof, LOCAL, &method, &headers), Err(Refusal::NoToken), "{proof:?}");
            }
        }
    }

    #[test]
    fn the_token_opens_nothing_to_other_machines_and_other_hosts() {
        for proof in [COOKIE, SCRIPT] {
            let elsewhere = checked_with(Some(proof), "192.0.2.1:50000", &Method::GET, &[("host", "127.0.0.1:3000")]);
            assert_eq!(elsewhere, Err(Refusal::NotLocal));
            let rebound = checked_with(Some(proof), LOCAL, &Method::GET, &[("host", "rebound.example:3000")]);
            assert_eq!(rebound, Err(Refusal::OtherHost));
        }
    }

    #[test]
    fn a_script_with_the_token_may_change_something_but_not_in_a_page_of_another_origin() {
        let post = |headers: &[_]| checked_with(Some(SCRIPT), LOCAL, &Method::POST, headers);
        assert_eq!(post(&[("host", "localhost:3000")]), Ok(()));
        assert_eq!(post(&[("host", "localhost:3000"), ("origin", "http://localhost:3000")]), Ok(()));
        let foreign = [("host", "localhost:3000"), ("origin", "http://localhost:8080")];
        assert_eq!(post(&foreign), Err(Refusal::OtherOrigin));
    }

    #[test]
    fn only_a_page_of_the_inspector_may_change_something() {
        let post = |origin| checked(LOCAL, &Method::POST, &[("host", "localhost:3000"), ("origin", origin)]);
        assert_eq!(post("http://localhost:3000"), Ok(()));
        for origin in ["http://localhost:8080", "http://127.0.0.1:3000", "https://localhost:3000", "null", ""] {
            assert_eq!(post(origin), Err(Refusal::OtherOrigin), "{origin}");
        }
        assert_eq!(checked(LOCAL, &Method::POST, &[("host", "localhost:3000")]), Err(Refusal::OtherOrigin));
        assert_eq!(checked(LOCAL, &Method::DELETE, &[("host", "localhost:3000")]), Err(Refusal::OtherOrigin));
    }
}
