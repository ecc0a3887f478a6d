//! A line of the function's log.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    FunctionLog, Record,
    metrics::{self, Metric},
};
use crate::clock;

/// The line of a webhook: flat, so that every query language can filter on any of it.
pub(super) struct WebhookLine<'a> {
    record: &'a Record,
    log: &'a FunctionLog,
    metrics: Vec<Metric>,
    is_cold_start: bool,
}

/// The line of something else that is counted.
pub(super) struct CountLine<'a> {
    pub(super) metric: &'static str,
    pub(super) log: &'a FunctionLog,
}

impl<'a> WebhookLine<'a> {
    /// `None` where the log's level leaves the line out and it has no metrics.
    pub(super) fn new(record: &'a Record, log: &'a FunctionLog, is_cold_start: bool) -> Option<Self> {
        let line = Self { record, log, metrics: metrics::of_webhook(record, is_cold_start), is_cold_start };
        (line.is_logged() || !line.metrics.is_empty()).then_some(line)
    }

    fn is_logged(&self) -> bool {
        self.record.summary.level <= self.log.level
    }

    fn entry<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
        let record = self.record;
        line.serialize_entry("request_id", &record.request_id)?;
        optional(line, "trace_id", record.trace_id.as_deref())?;
        optional(line, "event_id", record.event_id.as_deref())?;
        if let Some(sent) = &record.summary.sent {
            line.serialize_entry("message_id", &sent.message_id)?;
            line.serialize_entry("failover", &sent.failover)?;
        }
        optional(line, "event_type", record.event_type.as_deref())?;
        optional(line, "voice_id", record.voice_id.as_deref())?;
        line.serialize_entry("outcome", record.summary.outcome)?;
        optional(line, "detail", record.summary.detail.as_deref())?;
        optional(line, "error", record.summary.error.as_deref())?;
        line.serialize_entry("status", &record.status)?;
        line.serialize_entry("bytes", &record.bytes)?;
        let stages = &record.stages;
        for (name, took) in [
            ("parse_micros", stages.parse),
            ("app_id_micros", stages.app_id),
            ("decrypt_micros", stages.decrypt),
            ("publish_micros", stages.publish),
            ("total_micros", stages.total),
        ] {
            line.serialize_entry(name, &(took.as_micros() as u64))?;
        }
        line.serialize_entry("cold_start", &self.is_cold_start)
    }
}

impl Serialize for WebhookLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        if self.is_logged() {
            start(&mut line, self.record.summary.level.as_str(), "webhook")?;
            self.entry(&mut line)?;
        } else {
            start(&mut line, &self.log.level.to_string(), "metrics")?;
        }
        optional(&mut line, "app", self.record.app.as_deref())?;
        optional(&mut line, "reason", self.record.summary.reason)?;
        embed(&mut line, self.log, &self.metrics, self.record.app.is_some())?;
        line.end()
    }
}

impl Serialize for CountLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        start(&mut line, &self.log.level.to_string(), "metrics")?;
        embed(&mut line, self.log, &[metrics::of_count(self.metric)], false)?;
        line.end()
    }
}

/// The line that says how many lines had to be dropped, with its line break.
pub(super) fn dropped(lines: u64) -> Vec<u8> {
    let line = serde_json::json!({
        "timestamp": format!("{:.3}", clock::now()),
        "level": "WARN",
        "message": "the reader of the log stood still; lines were dropped, with their metrics",
        "dropped": lines,
    });
    format!("{line}\n").into_bytes()
}

/// What Lambda wants of a line. Lambda filters by `level` once more, so a line that is only there for its metrics takes
/// the log's own level. <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
fn start<M: SerializeMap>(line: &mut M, level: &str, message: &str) -> Result<(), M::Error> {
    line.serialize_entry("timestamp", &format_args!("{:.3}", clock::now()))?;
    line.serialize_entry("level", &level.to_ascii_uppercase())?;
    line.serialize_entry("message", message)
}

fn embed<M: SerializeMap>(
    line: &mut M,
    log: &FunctionLog,
    metrics: &[Metric],
    of_an_app: bool,
) -> Result<(), M::Error> {
    if metrics.is_empty() {
        return Ok(());
    }
    line.serialize_entry("service", &log.metrics.service)?;
    for metric in metrics {
        line.serialize_entry(metric.name, &metric.value)?;
    }
    line.serialize_entry("_aws", &log.metrics.embedded(metrics, of_an_app))
}

fn optional<M: SerializeMap>(line: &mut M, name: &str, value: Option<impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| line.serialize_entry(name, &value))
}
