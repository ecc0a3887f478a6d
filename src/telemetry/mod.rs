//! Logs and metrics: one JSON line per webhook, and one for whatever else an operator must know.
//!
//! A line is a log entry and, in CloudWatch's embedded metric format, the metrics as well. It never contains an AppID, a
//! key, a token, plaintext or a phone number, because a [`Record`] has none.

mod line;
mod metrics;
mod output;
mod record;

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use self::{
    line::{CountLine, WebhookLine},
    metrics::Metrics,
};
pub use self::{
    metrics::{Metric, Unit},
    record::{Record, SentRecord, Stages, Summary},
};

/// How the process logs, once it has been said.
static LOG: OnceLock<Log> = OnceLock::new();

/// A log that was started.
enum Log {
    /// The function's: lines of JSON on standard output.
    Function(FunctionLog),
    /// A person's: text on standard error.
    Terminal,
}

struct FunctionLog {
    level: LevelFilter,
    metrics: Metrics,
    /// Until the first webhook of an environment that was made for it.
    is_cold: AtomicBool,
}

/// Starts the function's log: JSON lines on standard output, at the level of `AWS_LAMBDA_LOG_LEVEL` (default `INFO`).
/// A panic becomes one line too. Metrics go to the namespace of `METRICS_NAMESPACE` (default `voicehook`).
pub fn start() {
    let level = level(LevelFilter::INFO);
    let layer = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let layer = layer.with_writer(|| output::Lines);
    let logging = tracing_subscriber::registry().with(layer.with_target(false).with_filter(filter(level)));
    // A second start leaves the first one in place.
    if logging.try_init().is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map_or_else(String::new, ToString::to_string);
            tracing::error!(place, "panic");
        }));
        LOG.get_or_init(|| {
            Log::Function(FunctionLog {
                level,
                metrics: Metrics::from_environment(),
                is_cold: is_made_on_demand().into(),
            })
        });
    }
}

/// Starts a log for a person: text on standard error, at the level of `AWS_LAMBDA_LOG_LEVEL` (default `WARN`).
pub fn start_for_a_terminal() {
    let layer = fmt::layer().without_time().with_target(false).with_ansi(false).with_writer(std::io::stderr);
    let layer = layer.with_filter(filter(level(LevelFilter::WARN)));
    if tracing_subscriber::registry().with(layer).try_init().is_ok() {
        LOG.get_or_init(|| Log::Terminal);
    }
}

fn level(default: LevelFilter) -> LevelFilter {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").ok();
    let level = level.and_then(|level| match level.to_ascii_uppercase().as_str() {
        "FATAL" => Some(LevelFilter::ERROR),
        other => other.parse().ok(),
    });
    level.unwrap_or(default)
}

/// Libraries are held at `WARN`, because some of them log requests below it. What `lambda_runtime` says of a handler's
/// error, the handler itself has logged with the request's id, and of a panic the panic hook.
fn filter(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("voicehook", level)
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF)
}

/// Whether the first webhook has waited for the start. Lambda makes other environments ahead of their webhooks.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
fn is_made_on_demand() -> bool {
    std::env::var("AWS_LAMBDA_INITIALIZATION_TYPE").map_or(true, |kind| kind == "on-demand")
}

/// Writes the one line of a webhook: at `INFO` where all is well, at `WARN` where the sender must change something, at
/// `ERROR` where the operator must. Where the level leaves the line out, its metrics are written nevertheless.
pub fn webhook(record: &Record) {
    match LOG.get() {
        Some(Log::Function(log)) => {
            let is_cold_start = log.is_cold.swap(false, Ordering::Relaxed);
            if let Some(line) = WebhookLine::new(record, log, is_cold_start) {
                write(&line);
            }
        }
        Some(Log::Terminal) => match record.summary.level {
            Level::ERROR => tracing::error!("{record}"),
            Level::WARN => tracing::warn!("{record}"),
            _ => tracing::info!("{record}"),
        },
        None => {}
    }
}

/// Counts something that is not a webhook.
pub(crate) fn count(metric: &'static str) {
    if let Some(Log::Function(log)) = LOG.get() {
        write(&CountLine { metric, log });
    }
}

/// One write for each line, so that lines of concurrent webhooks do not mix.
fn write(line: &impl serde::Serialize) {
    let Ok(mut line) = serde_json::to_vec(line) else { return };
    line.push(b'\n');
    output::standard_output().write(&line);
}
