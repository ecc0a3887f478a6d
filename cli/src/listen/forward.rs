//! Posts events to a web application.
//!
//! A message becomes a `POST` with its body as it is, its `content_type`, and its other attributes as headers
//! (`event_type` as `x-voicehook-event-type`). The application's status decides what becomes of the message.

use std::time::{Duration, Instant};

use ureq::http::{HeaderName, HeaderValue, Uri};

use super::message::{Forwarded, Received};
use crate::http;

/// Longest wait for the application.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time until an event that was refused is posted again, in seconds.
const LONGEST_BACKOFF: u32 = 60;

/// A web application.
#[derive(Clone)]
pub(super) struct Application {
    agent: ureq::Agent,
    url: String,
}

/// A URL, or a port of this machine.
pub(super) fn url(text: &str) -> Result<String, String> {
    let url = match text.parse::<u16>() {
        Ok(port) => format!("http://127.0.0.1:{port}/"),
        Err(_) => text.to_owned(),
    };
    let uri: Uri = url.parse().map_err(|error| format!("is not a URL: {error}"))?;
    match uri.scheme_str() {
        Some("http" | "https") if uri.host().is_some() => Ok(url),
        _ => Err("is not a URL; expected http://127.0.0.1:8080/events, or a port".to_owned()),
    }
}

impl Application {
    pub(super) fn new(url: String) -> anyhow::Result<Self> {
        Ok(Self { agent: http::client(&url, TIMEOUT)?, url })
    }

    /// Posts an event and waits for the answer.
    pub(super) async fn post(&self, message: &Received) -> Forwarded {
        let (application, message) = (self.clone(), message.clone());
        let backoff = backoff(message.receive_count);
        let start = Instant::now();
        let answer = tokio::task::spawn_blocking(move || application.send(&message)).await;
        let answer = answer.unwrap_or_else(|error| Err(error.to_string()));
        let is_taken = answer.as_ref().is_ok_and(|status| (200..300).contains(status));
        Forwarded { answer, took: start.elapsed(), again_in: (!is_taken).then_some(backoff) }
    }

    fn send(&self, message: &Received) -> Result<u16, String> {
        let mut request = self.agent.post(&self.url);
        for (name, value) in &message.attributes {
            let name = match name.as_str() {
                "content_type" => "content-type".to_owned(),
                other => format!("x-voicehook-{}", other.replace('_', "-")),
            };
            // What HTTP does not allow is in the body too.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
                request = request.header(name, value);
            }
        }
        if message.attribute("content_type").is_none() {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .header("x-voicehook-message-id", &message.id)
            .header("x-voicehook-receive-count", message.receive_count.to_string());
        let unanswered = |error: ureq::Error| format!("{} did not answer: {error}", self.url);
        let mut response = request.send(&message.body).map_err(unanswered)?;
        // Read to its end, so that the connection can be used again.
        let _ = response.body_mut().read_to_vec();
        Ok(response.status().as_u16())
    }
}

/// Seconds until the next try: 1, 2, 4, …
pub(super) fn backoff(receive_count: u32) -> u32 {
    1_u32.checked_shl(receive_count.saturating_sub(1)).unwrap_or(LONGEST_BACKOFF).clamp(1, LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_to_a_minute() {
        assert_eq!([1, 2, 3, 7, 100].map(backoff), [1, 2, 4, 60, 60]);
    }

    #[test]
    fn a_port_is_an_application_on_this_machine() {
        assert_eq!(url("8080").unwrap(), "http://127.0.0.1:8080/");
        assert_eq!(url("http://localhost:3000/hook").unwrap(), "http://localhost:3000/hook");
        for text in ["localhost:3000", "ftp://host/", ""] {
            assert!(url(text).is_err(), "{text}");
        }
    }
}
