//! What becomes of a request: one table of names, reasons, statuses, log levels and metrics, and the answer.

use http::{HeaderValue, Response, StatusCode};
use tracing::Level;

use super::Refusal;
use crate::{
    queue::{NotQuarantined, QueueError},
    telemetry::{SentRecord, Summary},
};

/// The largest request body, in bytes: what Lambda takes in one synchronous invocation.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_BODY_BYTES: usize = 6 * 1024 * 1024;

/// When the sender may try again, in seconds.
const RETRY_AFTER: &str = "1";

/// What became of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The event is on the queue.
    Queued {
        /// What the sender is told to do (`ACTIONS`): a JSON object.
        action: Option<String>,
        /// The queue's id of the message.
        message_id: String,
        /// Whether the failover queue took it.
        failover: bool,
    },
    /// Somebody asked whether the URL works.
    Probe,
    /// There is no event for the queue, but the request is safe in quarantine.
    Quarantined(Refusal),
    /// There is no event for the queue, and no quarantine for such a request.
    Refused(Refusal),
    /// There is no event for the queue, and the quarantine does not have the request either.
    NotQuarantined(Refusal, NotQuarantined),
    /// Neither `POST` nor a probe.
    MethodNotAllowed,
    /// The body is larger than [`MAX_BODY_BYTES`].
    BodyTooLarge,
    /// The queue does not have the event.
    NotQueued(QueueError),
    /// A mistake in voicehook itself.
    Panicked,
}

/// What there is to say of an outcome, in one row of a table.
struct Row {
    /// A stable name for logs and metrics.
    name: &'static str,
    /// Why it did not become a message: a stable code.
    reason: Option<&'static str>,
    status: StatusCode,
    /// `INFO` where all is well, `WARN` where the sender must change something, `ERROR` where the operator must.
    level: Level,
    metric: Option<&'static str>,
}

impl Row {
    const fn new(
        name: &'static str,
        reason: Option<&'static str>,
        status: StatusCode,
        level: Level,
        metric: Option<&'static str>,
    ) -> Self {
        Self { name, reason, status, level, metric }
    }

    /// Something that is its own reason.
    const fn itself(name: &'static str, status: StatusCode, level: Level, metric: Option<&'static str>) -> Self {
        Self::new(name, Some(name), status, level, metric)
    }
}

impl Outcome {
    /// The table of names, reasons, statuses, levels and metrics.
    const fn row(&self) -> Row {
        use StatusCode as Code;
        const FAILED: Option<&str> = Some("Failed");
        const REFUSED: Option<&str> = Some("Refused");
        match self {
            Self::Queued { .. } => Row::new("queued", None, Code::OK, Level::INFO, Some("Accepted")),
            Self::Probe => Row::new("probe", None, Code::OK, Level::INFO, None),
            Self::Quarantined(refusal) => {
                let level = if let Refusal::AppIdUnavailable(_) = refusal { Level::ERROR } else { Level::WARN };
                Row::new("quarantined", Some(refusal.reason()), Code::OK, level, Some("Quarantined"))
            }
            Self::Refused(refusal) => match refusal {
                Refusal::NotFound => Row::itself("not_found", refusal.status(), Level::INFO, REFUSED),
                Refusal::AppIdUnavailable(_) => {
                    Row::itself("app_id_unavailable", refusal.status(), Level::ERROR, FAILED)
                }
                _ => Row::new("refused", Some(refusal.reason()), refusal.status(), Level::WARN, REFUSED),
            },
            Self::NotQuarantined(refusal, error) => {
                let name = if let NotQuarantined::Limited = error { "quarantine_limited" } else { "not_quarantined" };
                Row::new(name, Some(refusal.reason()), Code::SERVICE_UNAVAILABLE, Level::ERROR, FAILED)
            }
            Self::MethodNotAllowed => Row::itself("method_not_allowed", Code::METHOD_NOT_ALLOWED, Level::INFO, None),
            Self::BodyTooLarge => Row::itself("body_too_large", Code::PAYLOAD_TOO_LARGE, Level::INFO, REFUSED),
            Self::NotQueued(error) => {
                Row::new("not_queued", Some(error.name()), Code::SERVICE_UNAVAILABLE, Level::ERROR, FAILED)
            }
            Self::Panicked => Row::itself("panicked", Code::INTERNAL_SERVER_ERROR, Level::ERROR, FAILED),
        }
    }

    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.row().name
    }

    /// Why it did not become a message: a stable code for logs and metrics. `None` where nothing is wrong.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        self.row().reason
    }

    /// The HTTP response; every failed decryption gets the same bytes. The request's id is on every response, so that its
    /// line in the log can be found.
    #[must_use]
    pub fn response(&self, request_id: &str) -> Response<String> {
        let status = self.row().status;
        let body = match self {
            Self::Queued { action: Some(action), .. } => action.clone(),
            // The same for all of them, so that the answer does not tell whether a ciphertext was decrypted.
            Self::Queued { action: None, .. } | Self::Probe | Self::Quarantined(_) => "{}".to_owned(),
            Self::Refused(refusal) => error(&refusal.message()),
            Self::MethodNotAllowed => error("method not allowed; webhooks come by POST"),
            Self::BodyTooLarge => error(&format!("the body is larger than {MAX_BODY_BYTES} bytes")),
            Self::Panicked => error("internal error"),
            Self::NotQueued(_) | Self::NotQuarantined(..) => {
                error("the event could not be queued at the moment; try again")
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        set(&mut response, "content-type", "application/json");
        set(&mut response, "x-request-id", request_id);
        match status {
            StatusCode::METHOD_NOT_ALLOWED => set(&mut response, "allow", "POST, GET, HEAD"),
            StatusCode::SERVICE_UNAVAILABLE => set(&mut response, "retry-after", RETRY_AFTER),
            _ => {}
        }
        response
    }

    /// What the log and the metrics say of it.
    pub(super) fn summary(&self) -> Summary {
        let Row { name, reason, level, metric, .. } = self.row();
        let (detail, error) = match self {
            Self::Refused(Refusal::AppIdUnavailable(error)) => (None, Some(error.to_string())),
            Self::Refused(refusal) | Self::Quarantined(refusal) => (refusal.detail(), None),
            Self::NotQuarantined(refusal, error) => (refusal.detail(), Some(error.to_string())),
            Self::NotQueued(error) => (None, Some(error.to_string())),
            _ => (None, None),
        };
        let (sent, second_metric) = match self {
            Self::Queued { message_id, failover, .. } => {
                let sent = SentRecord { message_id: message_id.clone(), failover: *failover };
                (Some(sent), failover.then_some("Failover"))
            }
            Self::NotQuarantined(_, NotQuarantined::Limited) => (None, Some("QuarantineLimited")),
            _ => (None, None),
        };
        Summary { outcome: name, reason, level, detail, error, sent, metrics: [metric, second_metric] }
    }
}

/// An error for the sender, as JSON.
fn error(message: &str) -> String {
    format!("{{\"error\": {}}}", serde_json::Value::from(message))
}

/// Sets a header; a value that HTTP does not allow is left out.
fn set(response: &mut Response<String>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app_id::AppIdUnavailable, decrypt::Fault};

    #[test]
    fn the_log_says_of_each_outcome_what_it_is_how_urgent_it_is_and_what_went_wrong() {
        let undecryptable = || Refusal::Undecryptable(Fault::Padding);
        let no_app_id = || Refusal::AppIdUnavailable(AppIdUnavailable::OutOfTime);
        let out_of_time = "Secrets Manager did not answer in time for this webhook";
        let no_queue = QueueError::NoSuchQueue.to_string();
        let limited = NotQuarantined::Limited.to_string();
        let not_kept = format!("quarantine (QUARANTINE_QUEUE_URL): {no_queue}");
        for (outcome, line, [detail, error], metrics) in [
            (Outcome::Probe, "INFO probe", [None, None], [None, None]),
            (
                Outcome::Quarantined(undecryptable()),
                "WARN quarantined",
                [Some("padding"), None],
                [Some("Quarantined"), None],
            ),
            (
                Outcome::Quarantined(no_app_id()),
                "ERROR quarantined",
                [Some(out_of_time), None],
                [Some("Quarantined"), None],
            ),
            (Outcome::Refused(undecryptable()), "WARN refused", [Some("padding"), None], [Some("Refused"), None]),
            (Outcome::Refused(Refusal::NotFound), "INFO not_found", [None, None], [Some("Refused"), None]),
            (
                Outcome::Refused(no_app_id()),
                "ERROR app_id_unavailable",
                [None, Some(out_of_time)],
                [Some("Failed"), None],
            ),
            (
                Outcome::NotQuarantined(undecryptable(), NotQuarantined::Limited),
                "ERROR quarantine_limited",
                [Some("padding"), Some(&limited)],
                [Some("Failed"), Some("QuarantineLimited")],
            ),
            (
                Outcome::NotQuarantined(undecryptable(), NotQuarantined::Queue(QueueError::NoSuchQueue)),
                "ERROR not_quarantined",
                [Some("padding"), Some(&not_kept)],
                [Some("Failed"), None],
            ),
            (Outcome::MethodNotAllowed, "INFO method_not_allowed", [None, None], [None, None]),
            (Outcome::BodyTooLarge, "INFO body_too_large", [None, None], [Some("Refused"), None]),
            (
                Outcome::NotQueued(QueueError::NoSuchQueue),
                "ERROR not_queued",
                [None, Some(&no_queue)],
                [Some("Failed"), None],
            ),
            (Outcome::Panicked, "ERROR panicked", [None, None], [Some("Failed"), None]),
        ] {
            let said = outcome.summary();
            assert_eq!(format!("{} {}", said.level, said.outcome), line);
            assert_eq!([said.detail.as_deref(), said.error.as_deref()], [detail, error], "{line}");
            assert_eq!(said.metrics, metrics, "{line}");
            assert!(said.sent.is_none(), "{line}");
        }
    }

    #[test]
    fn the_log_says_where_a_queued_event_is() {
        for (failover, second_metric) in [(false, None), (true, Some("Failover"))] {
            let said = Outcome::Queued { action: None, message_id: "message-1".to_owned(), failover }.summary();
            let sent = said.sent.unwrap();
            assert_eq!((sent.message_id.as_str(), sent.failover), ("message-1", failover));
            assert_eq!((said.outcome, said.metrics), ("queued", [Some("Accepted"), second_metric]));
        }
    }

    #[test]
    fn each_outcome_has_its_status_and_says_when_to_come_again_and_by_which_method() {
        for (outcome, status, retry_after, allow) in [
            (Outcome::Probe, 200, None, None),
            (Outcome::Refused(Refusal::Undecryptable(Fault::Json)), 400, None, None),
            (Outcome::Refused(Refusal::TooOld), 400, None, None),
            (Outcome::Refused(Refusal::NotFound), 404, None, None),
            (Outcome::MethodNotAllowed, 405, None, Some("POST, GET, HEAD")),
            (Outcome::Refused(Refusal::TooLarge { limit: 1024 }), 413, None, None),
            (Outcome::BodyTooLarge, 413, None, None),
            (Outcome::Panicked, 500, None, None),
            (Outcome::Refused(Refusal::AppIdUnavailable(AppIdUnavailable::OutOfTime)), 503, Some("1"), None),
            (Outcome::NotQueued(QueueError::OutOfTime), 503, Some("1"), None),
            (Outcome::NotQuarantined(Refusal::TooOld, NotQuarantined::Limited), 503, Some("1"), None),
        ] {
            let response = outcome.response("request-1");
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(response.status(), status, "{outcome:?}");
            assert_eq!((header("retry-after"), header("allow")), (retry_after, allow), "{outcome:?}");
            assert_eq!((header("x-request-id"), header("content-type")), (Some("request-1"), Some("application/json")));
        }
    }
}
