//! The test webhook: through the public URL, and onto the queue.
//!
//! Its event has the type `call.doctor` and a `voice_id` that begins with `voicehook-doctor-`, so that subscribers can
//! pass over it. From the queue only this message is taken; what else comes along is given back at once.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{
    Client,
    types::{ChangeMessageVisibilityBatchRequestEntry, Message},
};
use jiff::Timestamp;
use voicehook::{app_id::Token, aws::described, config::Config, queue::QueueUrl, webhook::Algorithm};

use super::checks::Checks;
use crate::send::{Encrypted, Writing};

/// EnableX ends its waiting after five seconds.
const SLOW: Duration = Duration::from_secs(4);
/// How many messages of others are held at most while looking for the own one. Each counts as received.
const MOST_OTHERS: usize = 100;
/// For how long they are hidden where this program is killed meanwhile, in seconds.
const HIDDEN: i32 = 20;

/// A webhook that nobody's call is behind.
pub(super) struct TestWebhook {
    pub(super) voice_id: String,
    event: String,
    writing: Writing,
}

impl TestWebhook {
    /// One that the configuration takes.
    pub(super) fn new(config: &Config) -> Self {
        let allowed = &config.settings.accept.algorithms;
        let usual = Writing::default();
        let algorithm = Algorithm::named(&usual.algorithm).filter(|algorithm| allowed.contains(algorithm));
        let algorithm =
            algorithm.or_else(|| allowed.first().copied()).map_or(usual.algorithm.clone(), |other| other.to_string());
        let voice_id = format!("voicehook-doctor-{}-{}", Timestamp::now().as_nanosecond(), std::process::id());
        let event = format!(
            r#"{{"voice_id":"{voice_id}","state":"doctor","timestamp":"{:.3}","note":"test webhook of voicehook doctor"}}"#,
            Timestamp::now()
        );
        Self { voice_id, event, writing: Writing { algorithm, ..usual } }
    }

    /// Sends it, and says what the answer means. True where SQS has it.
    pub(super) async fn send(&self, url: &str, app_id: &str, checks: &mut Checks) -> bool {
        const NAME: &str = "test webhook";
        let sending = Encrypted::new(&self.event, app_id, &self.writing);
        let (url_to_post, start) = (url.to_owned(), Instant::now());
        let posted = match sending {
            Ok(webhook) => {
                tokio::task::spawn_blocking(move || webhook.post(&url_to_post)).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error),
        };
        let took = start.elapsed();
        let answer = match posted.and_then(|answer| answer) {
            Ok(answer) => answer,
            Err(error) => {
                checks.failed(
                    NAME,
                    error.replace(url, &shown(url)),
                    "See that the URL is the stack's output WebhookUrl",
                );
                return false;
            }
        };
        let milliseconds = took.as_millis();
        match (answer.status, &answer.message_id) {
            (200, Some(id)) if took > SLOW => {
                let next = "See the publish latency on the dashboard, and give the function more memory";
                checks.warning(
                    NAME,
                    format!("answered 200 after {milliseconds} ms (message {id}): too late for EnableX"),
                    next,
                );
                true
            }
            (200, Some(id)) => {
                checks.ok(NAME, format!("answered 200 in {milliseconds} ms: SQS has it as message {id}"));
                true
            }
            _ => {
                let (detail, next) = explain(answer.status);
                checks.failed(NAME, format!("answered {}: {detail}", answer.status), next);
                false
            }
        }
    }

    /// Waits for it on a queue, and takes it off. `Ok(None)` where it did not come; else the number of other messages
    /// that were in front of it.
    pub(super) async fn arrived(
        &self,
        client: &Client,
        url: &QueueUrl,
        wait: Duration,
    ) -> Result<Option<usize>, String> {
        let mut others = Vec::new();
        let found = self.look(client, url, wait, &mut others).await;
        give_back(client, url, &others).await;
        found.map(|found| found.then_some(others.len()))
    }

    async fn look(
        &self,
        client: &Client,
        url: &QueueUrl,
        wait: Duration,
        others: &mut Vec<Message>,
    ) -> Result<bool, String> {
        let start = Instant::now();
        while start.elapsed() < wait && others.len() < MOST_OTHERS {
            let receive = client.receive_message().queue_url(url.as_str()).message_attribute_names("voice_id");
            let receive = receive.max_number_of_messages(10).visibility_timeout(HIDDEN).wait_time_seconds(2);
            let messages = receive.send().await.map_err(|error| described(&error))?.messages.unwrap_or_default();
            let mut found = false;
            for message in messages {
                if !self.is_in(&message) {
                    others.push(message);
                    continue;
                }
                found = true;
                let delete = client.delete_message().queue_url(url.as_str());
                let delete = delete.set_receipt_handle(message.receipt_handle).send().await;
                delete.map_err(|error| format!("it came, but cannot be deleted: {}", described(&error)))?;
            }
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_in(&self, message: &Message) -> bool {
        let voice_id = message.message_attributes.as_ref().and_then(|attributes| attributes.get("voice_id"));
        voice_id.and_then(|attribute| attribute.string_value.as_deref()) == Some(&self.voice_id)
    }
}

/// Makes messages visible to their readers again.
async fn give_back(client: &Client, url: &QueueUrl, messages: &[Message]) {
    for batch in messages.chunks(10) {
        let entries = batch.iter().enumerate().filter_map(|(index, message)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string()).visibility_timeout(0);
            entry.set_receipt_handle(message.receipt_handle.clone()).build().ok()
        });
        let request = client.change_message_visibility_batch().queue_url(url.as_str());
        // Where this fails they become visible by themselves, after HIDDEN.
        let _ = request.set_entries(Some(entries.collect())).send().await;
    }
}

/// Asks the URL as EnableX's portal does. True where it is a voicehook's.
pub(super) async fn probe(url: &str, checks: &mut Checks) -> bool {
    let asked = url.to_owned();
    let probe = tokio::task::spawn_blocking(move || {
        let time_out = Some(Duration::from_secs(10));
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(time_out).build();
        ureq::Agent::from(agent).get(&asked).call().map(|response| response.status().as_u16())
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
            let next = "Compare it with the stack's output WebhookUrl; see that your network lets you reach it";
            checks.failed("url", format!("{} cannot be reached: {error}", shown(url)), next);
        }
    }
    matches!(status, Ok(200))
}

/// The URL without its token, also where the token is in a wrong place: nothing after the app, and no segment that is long
/// enough for a token.
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

/// What a status means when it comes from a deployed voicehook, or from what stands before it.
const fn explain(status: u16) -> (&'static str, &'static str) {
    match status {
        200 => (
            "but without a message id, so it is no voicehook that answered",
            "Compare the URL with the stack's output WebhookUrl",
        ),
        202 => (
            "the function could not open it, and put it into quarantine",
            "The function has another AppID. It sees a changed secret within two seconds: look again then. Else see that \
             --app and the URL name the same app, and, without --stack, that this environment has the function's AppID. The \
             test webhook stays in quarantine; redrive passes it on or it expires",
        ),
        400 => (
            "the function could not open it",
            "See that --app and the URL name the same app, and that the function has today's AppID; its log says why",
        ),
        403 => (
            "something before the function turned it away",
            "See the rules of AWS WAF and the resource policy of the API",
        ),
        404 => (
            "no such path or app, or a wrong token",
            "Give the URL as it is in the EnableX portal: WebhookUrl, and with a token /APP/TOKEN behind it; and see that \
             the token is the one of WEBHOOK_TOKEN or of the secret",
        ),
        405 | 415 => ("the URL does not take webhooks", "Compare it with the stack's output WebhookUrl"),
        429 => ("too many requests", "Raise ThrottlingRateLimit, ThrottlingBurstLimit, or the function's concurrency"),
        503 => (
            "the function did not get the AppID, or the queue did not take the event",
            "Read the function's log (sam logs --tail): app_id_unavailable or not_queued says which, and the reason; it \
             is often a missing permission of the function's role",
        ),
        500 | 502 | 504 => (
            "the function does not answer",
            "Read the last lines of the function's log (sam logs --tail): a wrong configuration ends it at its start",
        ),
        _ => ("this is no answer of voicehook", "Compare the URL with the stack's output WebhookUrl"),
    }
}

#[cfg(test)]
mod tests {
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
}
