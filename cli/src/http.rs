//! The tool's HTTP client, for all that it posts to a receiver or to an application.
//!
//! It follows no redirect, because the answer of another page says nothing about the event. What goes to this machine never
//! goes through a proxy; elsewhere `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (names, addresses, networks such
//! as `10.0.0.0/8`) count. Requests to AWS use no proxy.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use ureq::{Agent, Proxy, ProxyProtocol};

/// A client for one URL. Clones share its connections.
pub(crate) fn client(url: &str, timeout: Duration) -> anyhow::Result<Agent> {
    let uri: Uri = url.parse().map_err(|error| anyhow!("{url:?} is not a URL: {error}"))?;
    let proxy = if is_this_machine(&uri) { None } else { proxy(&Matcher::from_env(), &uri)? };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(timeout))
        .proxy(proxy);
    Ok(config.build().into())
}

/// Whether a URL names this machine.
pub(crate) fn is_this_machine(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let name = host.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// The proxy for a URL, without its path: the log of a proxy shows what it is given.
fn proxy(matcher: &Matcher, uri: &Uri) -> anyhow::Result<Option<Proxy>> {
    let Some(intercept) = matcher.intercept(uri) else { return Ok(None) };
    let address = intercept.uri();
    let host = address.host().context("the proxy of HTTP_PROXY or HTTPS_PROXY is not a URL with a host")?;
    let protocol = match address.scheme_str() {
        None | Some("http") => ProxyProtocol::Http,
        Some("https") => ProxyProtocol::Https,
        Some(other) => return Err(anyhow!("a proxy of type {other} is not supported; use http:// or https://")),
    };
    let mut proxy = Proxy::builder(protocol).host(host);
    if let Some(port) = address.port_u16() {
        proxy = proxy.port(port);
    }
    if let Some((user, password)) = credentials(&intercept) {
        proxy = proxy.username(&user).password(&password);
    }
    proxy.build().map(Some).map_err(|error| anyhow!("the proxy {host} cannot be used: {error}"))
}

/// User and password of a proxy's URL.
fn credentials(intercept: &Intercept) -> Option<(String, String)> {
    let header = intercept.basic_auth()?.to_str().ok()?.strip_prefix("Basic ")?.to_owned();
    let decoded = String::from_utf8(base64_simd::STANDARD.decode_to_vec(header).ok()?).ok()?;
    decoded.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_through(no_proxy: &str, url: &str) -> Option<String> {
        let matcher = Matcher::builder().all("http://user:word@proxy.example:3128").no(no_proxy).build();
        let proxy = proxy(&matcher, &url.parse().unwrap()).unwrap()?;
        Some(format!("{}:{} {}", proxy.host(), proxy.port(), proxy.username().unwrap_or_default()))
    }

    #[test]
    fn no_proxy_names_hosts_addresses_and_networks() {
        let through = Some("proxy.example:3128 user".to_owned());
        assert_eq!(goes_through("", "https://hooks.example/webhook"), through);
        assert_eq!(goes_through("10.0.0.0/8,.internal", "https://hooks.example/webhook"), through);
        assert_eq!(goes_through("10.0.0.0/8", "http://10.1.2.3/webhook"), None);
        assert_eq!(goes_through("10.0.0.0/8", "http://11.1.2.3/webhook"), through);
        assert_eq!(goes_through(".internal", "http://hooks.internal/webhook"), None);
        assert_eq!(goes_through("*", "https://hooks.example/webhook"), None);
    }

    #[test]
    fn loopback_in_every_spelling_is_this_machine() {
        for url in [
            "http://127.0.0.1:3000/",
            "http://127.9.9.9/",
            "http://[::1]:3000/",
            "http://LOCALHOST/",
            "http://a.localhost/",
        ] {
            assert!(is_this_machine(&url.parse().unwrap()), "{url}");
        }
        for url in ["http://10.0.0.1/", "http://localhost.example/", "http://example/"] {
            assert!(!is_this_machine(&url.parse().unwrap()), "{url}");
        }
    }
}
