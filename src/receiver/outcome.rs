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
