//! Sends `doctor`'s test webhook through the public URL, and explains the answer.
//!
//! Its event has the type `call.doctor` and a `voice_id` that starts with `voicehook-doctor-`, so that subscribers can
//! ignore it.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::Message;
use jiff::Timestamp;
use voicehook_lambda::{app_id::Token, config::Config, decrypt::Algorithm, queue::Quarantined};

use crate::{
    checks::Checks,
    http,
    send::{Answer, EncryptionArgs, WebhookRequest},
};

/// Slower answers get a warning: EnableX gives up after five seconds.
const SLOW: Duration = Duration::from_secs(4);

/// A webhook with an event that belongs to no real call.
pub(super) struct TestWebhook {
    voice_id: String,
    event: String,
    encryption: EncryptionArgs,
}

impl TestWebhook {
    /// Creates one that the configuration accepts.
    pub(super) fn new(config: &Config) -> Self {
        let allowed = &config.settings.accept.algorithms;
        let usual = EncryptionArgs::default();
        let algorithm = Algorithm::named(&usual.algorithm).filter(|algorithm| allowed.contains(algorithm));
        let algorithm =
            algorithm.or_else(|| allowed.first().copied()).map_or(usual.algorithm.clone(), |other| other.to_string());
        let voice_id = format!("voicehook-doctor-{}-{}", Timestamp::now().as_nanosecond(), std::process::id());
        let event = format!(
            r#"{{"voice_id":"{voice_id}","state":"doctor","timestamp":"{:.3}","note":"test webhook of voicehook doctor"}}"#,
            Timestamp::now()
        );
        Self { voice_id, event, encryption: EncryptionArgs { algorithm, ..usual } }
    }

    /// Sends it as an app and reports what the answer means. `None` if voicehook did not keep it.
    pub(super) async fn send(self, url: &str, app: &str, app_id: &str, checks: &mut Checks) -> Option<Posted> {
        const NAME: &str = "test webhook";
        let start = Instant::now();
        let sent = match WebhookRequest::new(&self.event, app_id, &self.encryption) {
            Ok(webhook) => post(webhook.clone(), url).await.map(|answer| (webhook.body, answer)),
            Err(error) => Err(error),
        };
        let took = start.elapsed();
        let (body, answer) = match sent {
            Ok(sent) => sent,
            Err(error) => {
                let next = "Check that the URL is the stack's output WebhookUrl";
                checks.failed(NAME, error.to_string().replace(url, &shown(url)), next);
                return None;
            }
        };
        let (200, Some(request_id)) = (answer.status, answer.request_id) else {
            let (detail, next) = explain(answer.status);
            checks.failed(NAME, format!("answered {}: {detail}", answer.status), next);
            return None;
        };
        let detail = format!("answered 200 in {} ms: kept, request id {request_id}", took.as_millis());
        if took > SLOW {
            let next = "Check the publish latency on the dashboard, and give the function more memory";
            checks.warning(NAME, format!("{detail}; that is too slow for EnableX"), next);
        } else {
            checks.ok(NAME, detail);
        }
        Some(Posted { voice_id: self.voice_id, app: app.to_owned(), body, request_id })
    }
}

async fn post(webhook: WebhookRequest, url: &str) -> anyhow::Result<Answer> {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || webhook.post(&url)).await?
}

/// The test webhook after it was sent, with its answer.
pub(super) struct Posted {
    pub(super) voice_id: String,
    pub(super) app: String,
    pub(super) body: String,
    /// The `x-request-id` of the answer.
    pub(super) request_id: String,
}

impl Posted {
    /// Whether a message of an event queue carries its event.
    pub(super) fn is_event(&self, message: &Message) -> bool {
        let voice_id = message.message_attributes.as_ref().and_then(|attributes| attributes.get("voice_id"));
        voice_id.and_then(|attribute| attribute.string_value.as_deref()) == Some(&self.voice_id)
    }

    /// Whether a quarantined webhook is this one, by its id, or by its bytes if a gateway assigned other ids.
    pub(super) fn is_quarantined_as(&self, record: &Quarantined) -> bool {
        let has_id = [record.request_id.as_str(), record.invocation_id()].contains(&self.request_id.as_str());
        let has_body = record.body().is_some_and(|body| body == self.body.as_bytes());
        record.app == self.app && (has_id || has_body)
    }
}

/// Probes the URL as the EnableX portal does. Returns whether it answers with 200.
pub(super) async fn probe(url: &str, checks: &mut Checks) -> bool {
    let asked = url.to_owned();
    let probe = tokio::task::spawn_blocking(move || {
        let client = http::client(&asked, Duration::from_secs(10))?;
        Ok::<_, anyhow::Error>(client.get(&asked).call()?.status().as_u16())
    });
    let status = probe.await.map_err(|error| error.to_string());
    let status = status.and_then(|status| status.map_err(|error| error.to_string().replace(url, &shown(url))));
    match &status {
        Ok(200) => checks.ok("url", format!("{} answers", shown(url))),
        Ok(status) => {
            let (detail, next) = explain(*status);
            checks.failed("url", format!("{} answered a probe with {status}: {detail}", shown(url)), next);
        }
        Err(error) => {
            let next = "Compare it with the stack's output WebhookUrl, and check that your network can reach it";
            checks.failed("url", format!("{} cannot be reached: {error}", shown(url)), next);
        }
    }
    matches!(status, Ok(200))
}

/// The URL without its token, even if the token is in the wrong place: hides everything after the app, and every segment
/// that is long enough to be a token.
pub(super) fn shown(url: &str) -> String {
    let (url, query) = url.split_once('?').map_or((url, ""), |(url, _)| (url, "?…"));
    let (url, more) = match url.split_once("/webhook/").and_then(|(_, rest)| Some((rest, rest.find('/')?))) {
        Some((rest, end_of_app)) => (&url[..url.len() - rest.len() + end_of_app], "/…"),
        None => (url, ""),
    };
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let could_be_a_token = |segment: &str| segment.len() >= Token::SHORTEST;
    let segments = path.split('/').map(|segment| if could_be_a_token(segment) { "…" } else { segment });
    let separator = if scheme.is_empty() { "" } else { "://" };
    format!("{scheme}{separator}{host}{}{more}{query}", segments.collect::<Vec<_>>().join("/"))
}

/// What a status of a deployed voicehook, or of something in front of it, means, and what to do.
const fn explain(status: u16) -> (&'static str, &'static str) {
    match status {
        200 => (
            "but without x-request-id, so the answer is not from this version of voicehook",
            "Compare the URL with the stack's output WebhookUrl, or deploy again if the function runs an older version",
        ),
        202 => (
            "an older version of voicehook could not decrypt it, and quarantined it",
            "Deploy again with this version. Then check that the function has the current AppID",
        ),
        400 => (
            "the function could not decrypt it",
            "Check that --app and the URL name the same app, and that the function has the current AppID; its log says why",
        ),
        403 => {
            ("something in front of the function rejected it", "Check the AWS WAF rules and the API's resource policy")
        }
        404 => (
            "no such path or app, or a wrong token",
            "Use the URL as it is in the EnableX portal: WebhookUrl, followed by /APP/TOKEN if there is a token. Check that \
             the token is that of WEBHOOK_TOKEN or of the secret",
        ),
        405 | 415 => ("the URL does not accept webhooks", "Compare it with the stack's output WebhookUrl"),
        429 => ("too many requests", "Raise ThrottlingRateLimit, or the function's concurrency"),
        503 => (
            "the function could not get the AppID, or the queue did not accept the event",
            "Check the function's log (sam logs --stack-name STACK --tail): app_id_unavailable or not_queued says which, and why. Often the \
             function's role lacks a permission",
        ),
        500 | 502 | 504 => (
            "the function does not answer",
            "Check the end of the function's log (sam logs --stack-name STACK --tail): with a wrong configuration it stops on startup",
        ),
        _ => ("this answer is not from voicehook", "Compare the URL with the stack's output WebhookUrl"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_url_is_shown_without_its_token_wherever_the_token_is() {
        for (url, expected) in [
            ("https://abc.execute-api.us-east-1.amazonaws.com/webhook", ""),
            ("https://abc.execute-api.us-east-1.amazonaws.com/prod/webhook/sales", ""),
            ("http://127.0.0.1:8787/webhook/default/0123456789abcdef", "http://127.0.0.1:8787/webhook/default/…"),
            ("https://a.example/webhook/default/short/and/more", "https://a.example/webhook/default/…"),
            ("https://a.example/webhook/0123456789abcdef", "https://a.example/webhook/…"),
            ("https://a.example/webhooks/default/0123456789abcdef", "https://a.example/webhooks/default/…"),
            ("https://a.example/webhook?token=0123456789abcdef", "https://a.example/webhook?…"),
            ("a.example/0123456789abcdef", "a.example/…"),
        ] {
            assert_eq!(shown(url), if expected.is_empty() { url } else { expected });
        }
    }

    #[test]
    fn a_record_is_the_test_webhooks_by_an_id_or_by_its_bytes_and_only_in_its_app() {
        let posted = Posted {
            voice_id: "v".to_owned(),
            app: "default".to_owned(),
            body: "{}".to_owned(),
            request_id: "r1".to_owned(),
        };
        let is_own = |app: &str, request_id: &str, invocation_id: Option<&str>, body: &str| {
            let record = json!({
                "version": 1, "id": "i", "part": 1, "parts": 1, "reason": "undecryptable", "app": app,
                "received_at": "2026-11-23T10:52:06Z", "request_id": request_id, "invocation_id": invocation_id,
                "headers": {}, "body_base64": body,
            });
            posted.is_quarantined_as(&serde_json::from_value(record).unwrap())
        };
        assert!(is_own("default", "r1", None, ""));
        assert!(is_own("default", "of the gateway", Some("r1"), ""));
        assert!(is_own("default", "of the gateway", Some("of lambda"), "e30="));
        assert!(!is_own("default", "another", Some("another"), "e30"));
        assert!(!is_own("sales", "r1", None, "e30="));
    }
}
