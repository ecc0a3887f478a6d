//! Posts events to a developer's own web application, for `listen --forward-to` and `dev --forward-to`.
//!
//! An event becomes a `POST` with its body as it is, its `content_type`, and its other attributes as headers
//! (`event_type` as `x-voicehook-event-type`). No redirect is followed: only a 2xx of the application itself means that it
//! has the event.

use std::{
    fmt,
    io::{self, Read as _},
    sync::Arc,
    thread,
    time::Duration,
};

use tokio::sync::oneshot;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};

use crate::http;

/// Longest wait for the application.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time until an event that was refused is posted again, in seconds.
const LONGEST_BACKOFF: u32 = 60;
/// How much of an answer's body is kept, in bytes.
const MOST_OF_A_BODY: u64 = 64 << 10;
/// How much of the rest is read, so that the connection can be used again, in bytes.
const MOST_OF_THE_REST: u64 = 10 << 20;

/// A web application.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    agent: ureq::Agent,
    url: String,
}

/// A request to the application.
#[derive(Debug)]
pub(crate) struct Delivery {
    headers: HeaderMap,
    body: String,
}

/// What the application answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body, or its first 64 KiB.
    pub(crate) body: Vec<u8>,
    /// Whether the body is all of it: neither longer nor broken off.
    pub(crate) is_whole: bool,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    url: String,
    pub(crate) why: String,
    /// Whether the application may have the event. Otherwise there was no connection.
    pub(crate) was_reached: bool,
}

/// Reads a URL, a port of this machine, or `localhost:3000/events`.
pub(crate) fn url(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected http://127.0.0.1:8080/events, localhost:8080/events, or a port";
    let is_port = |text: &str| text.parse::<u16>().is_ok_and(|port| port > 0);
    let port = text.strip_prefix(':').unwrap_or(text);
    let url = if port.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number is no host.
        if !is_port(port) {
            return Err(format!("is not a port from 1 to 65535; {EXPECTED}"));
        }
        format!("http://127.0.0.1:{port}/")
    } else if text.contains("://") {
        text.to_owned()
    } else {
        let authority = text.split('/').next().unwrap_or_default();
        if !authority.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && is_port(port)) {
            return Err(format!("is not a URL; {EXPECTED}"));
        }
        format!("http://{text}")
    };
    let uri: Uri = url.parse().map_err(|error| format!("is not a URL: {error}; {EXPECTED}"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some_and(|host| !host.is_empty()) => Ok(url),
        _ => Err(format!("is not a URL; {EXPECTED}")),
    }
}

/// Seconds until the next try: 1, 2, 4, …
pub(crate) fn backoff(tries: u32) -> u32 {
    1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(LONGEST_BACKOFF).clamp(1, LONGEST_BACKOFF)
}

impl Delivery {
    /// A message of a queue, with its attributes.
    pub(crate) fn new<'a>(
        message_id: &str,
        receive_count: u32,
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: String,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let mut add = |name: &str, value: &str| {
            let name = match name {
                "content_type" => "content-type".to_owned(),
                other => format!("x-voicehook-{}", other.replace('_', "-")),
            };
            // What HTTP does not allow is in the body too.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
                headers.insert(name, value);
            }
        };
        attributes.into_iter().for_each(|(name, value)| add(name, value));
        add("message_id", message_id);
        add("receive_count", &receive_count.to_string());
        Self { headers, body }
    }
}

impl Application {
    pub(crate) fn new(url: String) -> anyhow::Result<Self> {
        Ok(Self { agent: http::client(&url, TIMEOUT)?, url })
    }

    /// Where events are posted to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Posts an event and waits for the answer.
    pub(crate) async fn post(&self, delivery: Arc<Delivery>) -> Result<Reply, NoAnswer> {
        let application = self.clone();
        let (sender, answer) = oneshot::channel();
        // A thread of its own: at its end a program does not wait for one, as it would for tokio's.
        let post = move || _ = sender.send(application.send(&delivery));
        let started = thread::Builder::new().spawn(post);
        match started {
            Ok(_) => answer.await.unwrap_or_else(|error| Err(self.no_answer(&error.to_string(), true))),
            Err(error) => Err(self.no_answer(&error.to_string(), false)),
        }
    }

    /// As if it had not answered.
    pub(crate) fn no_answer(&self, why: &str, was_reached: bool) -> NoAnswer {
        NoAnswer { url: self.url.clone(), why: why.to_owned(), was_reached }
    }

    fn send(&self, delivery: &Delivery) -> Result<Reply, NoAnswer> {
        let mut request = self.agent.post(&self.url);
        for (name, value) in &delivery.headers {
            request = request.header(name, value);
        }
        let response = request.send(&delivery.body);
        response.map(Reply::read).map_err(|error| NoAnswer::of(&self.url, &error))
    }
}

impl Reply {
    /// Whether the application has taken the event.
    pub(crate) fn is_taken(&self) -> bool {
        self.status.is_success()
    }

    /// Reads a response to its end, so that its connection can be used again.
    fn read(mut response: Response<ureq::Body>) -> Self {
        let mut body = Vec::new();
        let mut reader = response.body_mut().with_config().limit(u64::MAX).reader();
        let read = (&mut reader).take(MOST_OF_A_BODY).read_to_end(&mut body);
        let rest = read.is_ok().then(|| io::copy(&mut reader.take(MOST_OF_THE_REST), &mut io::sink()));
        let is_whole = matches!(rest, Some(Ok(0)));
        Self { status: response.status(), headers: response.headers().clone(), body, is_whole }
    }
}

impl NoAnswer {
    fn of(url: &str, error: &ureq::Error) -> Self {
        use ureq::{Error, Timeout};
        let has_no_connection = |kind| {
            use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
            matches!(kind, ConnectionRefused | AddrNotAvailable | HostUnreachable | NetworkUnreachable)
        };
        let was_reached = match error {
            Error::Io(error) => !has_no_connection(error.kind()),
            Error::Timeout(timeout) => !matches!(timeout, Timeout::Connect | Timeout::Resolve),
            Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) => false,
            _ => true,
        };
        let why = match error {
            Error::Timeout(_) => format!("timeout after {} s", TIMEOUT.as_secs()),
            Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
            Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        Self { url: url.to_owned(), why, was_reached }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "{} did not answer: {}", self.url, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_to_a_minute() {
        assert_eq!([1, 2, 3, 7, 100].map(backoff), [1, 2, 4, 60, 60]);
    }

    #[test]
    fn an_application_is_a_url_a_host_with_a_port_or_a_port_of_this_machine() {
        for (text, expected) in [
            ("8080", "http://127.0.0.1:8080/"),
            (":8080", "http://127.0.0.1:8080/"),
            ("localhost:3000", "http://localhost:3000"),
            ("localhost:4242/webhook?a=1", "http://localhost:4242/webhook?a=1"),
            ("[::1]:3000/hook", "http://[::1]:3000/hook"),
            ("http://localhost:3000/hook", "http://localhost:3000/hook"),
            ("https://example.com/", "https://example.com/"),
        ] {
            assert_eq!(url(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["", ":", "0", "70000", "localhost", "localhost:", "/hook", "ftp://host/", "http://", "a b:1"] {
            let error = url(text).unwrap_err();
            assert!(error.contains("expected http://127.0.0.1:8080/events"), "{text}: {error}");
        }
    }

    #[test]
    fn attributes_become_headers_and_what_http_does_not_allow_is_left_out() {
        let attributes =
            [("event_type", "call.connected"), ("content_type", "application/cloudevents+json"), ("app", "a\nb")];
        let Delivery { headers, .. } = Delivery::new("m", 2, attributes, String::new());
        for (name, value) in [
            ("x-voicehook-event-type", "call.connected"),
            ("content-type", "application/cloudevents+json"),
            ("x-voicehook-message-id", "m"),
            ("x-voicehook-receive-count", "2"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert!(!headers.contains_key("x-voicehook-app"));
    }
}
