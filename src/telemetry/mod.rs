//! Logs: one JSON line per webhook, and one for whatever else an operator must know.
//!
//! In comes what became of a request; out goes a line on standard output. Never in it: AppID, key, token, plaintext,
//! phone numbers.

use std::{io::Write as _, sync::OnceLock, time::Duration};

use lambda_http::http::StatusCode;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::{
    gateway::{Outcome, Refusal},
    queue::NotQuarantined,
};

/// The CloudWatch namespace (`METRICS_NAMESPACE`), once the function's log is started; elsewhere nothing is counted.
static NAMESPACE: OnceLock<String> = OnceLock::new();

/// Starts the function's log: JSON lines on standard output, at the level of `AWS_LAMBDA_LOG_LEVEL` (default `INFO`).
/// A panic becomes one line too.
pub fn start() {
    let layer = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let logging = tracing_subscriber::registry().with(layer.with_target(false).with_filter(filter(LevelFilter::INFO)));
    let namespace = std::env::var("METRICS_NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
    NAMESPACE.get_or_init(|| namespace.unwrap_or_else(|| "voicehook".to_owned()));
    // A second start leaves the first one in place.
    if logging.try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map_or_else(String::new, ToString::to_string);
            tracing::error!(place, "panic");
        }));
    }
}

/// Starts a log for a person: text on standard error, at the level of `AWS_LAMBDA_LOG_LEVEL` (default `WARN`).
pub fn start_for_a_terminal() {
    let layer = fmt::layer().without_time().with_target(false).with_ansi(false).with_writer(std::io::stderr);
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter(LevelFilter::WARN))).try_init();
}

/// Libraries are held at `WARN`, because some of them log requests below it.
fn filter(default: LevelFilter) -> Targets {
    let level =
        std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| match level.to_ascii_uppercase().as_str() {
            "FATAL" => Some(LevelFilter::ERROR),
            other => other.parse().ok(),
        });
    let level = level.unwrap_or(default);
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("voicehook", level)
}

/// The one line of a webhook: at `INFO` where all is well, at `WARN` where the sender must change something, at `ERROR`
/// where the operator must.
pub(crate) fn webhook(request_id: &str, outcome: &Outcome, status: StatusCode, bytes: usize, took: Duration) {
    let (status, micros) = (status.as_u16(), took.as_micros() as u64);
    let name = outcome.name();
    match outcome {
        Outcome::Queued { message_id, event_id } => {
            tracing::info!(request_id, outcome = name, status, bytes, micros, event_id, message_id, "webhook");
        }
        Outcome::Refused(refusal) | Outcome::Quarantined(refusal) => {
            let (reason, detail) = (refusal.reason(), detail(refusal));
            tracing::warn!(request_id, outcome = name, status, bytes, micros, reason, detail, "webhook");
        }
        Outcome::NotQuarantined(refusal, error) => {
            if *error == NotQuarantined::Limited {
                count("QuarantineLimited");
            }
            let (reason, detail) = (refusal.reason(), detail(refusal));
            tracing::error!(request_id, outcome = name, status, bytes, micros, reason, detail, %error, "webhook");
        }
        Outcome::AppIdUnavailable(error) => {
            tracing::error!(request_id, outcome = name, status, bytes, micros, %error, "webhook");
        }
        Outcome::NotQueued(error) => {
            tracing::error!(request_id, outcome = name, status, bytes, micros, reason = error.name(), %error, "webhook");
        }
        Outcome::Panicked => tracing::error!(request_id, outcome = name, status, bytes, micros, "webhook"),
        _ => tracing::info!(request_id, outcome = name, status, bytes, micros, "webhook"),
    }
}

/// Counts one of something in CloudWatch, by a line in the embedded metric format on standard output.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn count(metric: &str) {
    let Some(namespace) = NAMESPACE.get() else { return };
    let line = serde_json::json!({
        "_aws": {
            "Timestamp": jiff::Timestamp::now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [["service"]],
                "Metrics": [{ "Name": metric, "Unit": "Count" }],
            }],
        },
        "service": "voicehook",
        metric: 1,
    });
    // A log that cannot be written to must not cost a webhook.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// What a log may say of a refusal beyond its reason.
fn detail(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Malformed(malformed) => malformed.to_string(),
        Refusal::Undecryptable(fault) => fault.name().to_owned(),
        Refusal::TooOld => "the event's timestamp is older than MAX_EVENT_AGE_SECONDS".to_owned(),
        Refusal::TooLarge { limit } => format!("the queue takes {limit} bytes"),
    }
}
