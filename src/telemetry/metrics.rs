//! What is counted and measured, and how CloudWatch is told of it.
//!
//! Metric libraries write separate lines; here the log line of a webhook is the metric document too.

use serde::{Serialize, Serializer, ser::SerializeSeq as _};

use super::Record;
use crate::clock;

/// A number for CloudWatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The number.
    pub value: u64,
}

/// CloudWatch's units, as far as they are used.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// So many of something.
    Count,
    /// A time.
    Microseconds,
    /// A size.
    Bytes,
}

impl Metric {
    const fn one(name: &'static str) -> Self {
        Self { name, unit: Unit::Count, value: 1 }
    }
}

/// Where the metrics of this process belong.
pub(super) struct Metrics {
    namespace: String,
    /// The function's name, so that several deployments in one account stay apart.
    pub(super) service: String,
}

impl Metrics {
    pub(super) fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let or_voicehook = |value: Option<String>| value.unwrap_or_else(|| "voicehook".to_owned());
        Self {
            namespace: or_voicehook(variable("METRICS_NAMESPACE")),
            service: or_voicehook(variable("AWS_LAMBDA_FUNCTION_NAME")),
        }
    }

    /// The member `_aws` of a line that holds these metrics.
    pub(super) fn embedded<'a>(&'a self, metrics: &'a [Metric], of_an_app: bool) -> Embedded<'a> {
        Embedded {
            timestamp: clock::now().as_millisecond(),
            directives: Directives { namespace: &self.namespace, metrics, of_an_app },
        }
    }
}

/// The numbers of a webhook. Requests that are none (probes, other methods) have none.
pub(super) fn of_webhook(record: &Record, is_cold_start: bool) -> Vec<Metric> {
    let mut metrics = Vec::with_capacity(6);
    // A GET to an unknown path is not a refused webhook.
    let is_webhook = |name: &&str| *name != REFUSED || record.bytes > 0;
    metrics.extend(record.summary.metrics.into_iter().flatten().filter(is_webhook).map(Metric::one));
    let latencies = [("DecryptLatency", record.stages.decrypt), ("PublishLatency", record.stages.publish)];
    for (name, took) in latencies.into_iter().filter(|(_, took)| !took.is_zero()) {
        metrics.push(Metric { name, unit: Unit::Microseconds, value: took.as_micros() as u64 });
    }
    if let Some(bytes) = record.event_bytes {
        metrics.push(Metric { name: "EventBytes", unit: Unit::Bytes, value: bytes as u64 });
    }
    if is_cold_start {
        metrics.push(Metric::one("ColdStart"));
    }
    metrics
}

/// Something else that is counted.
pub(super) const fn of_count(name: &'static str) -> Metric {
    Metric::one(name)
}

const QUARANTINED: &str = "Quarantined";
const REFUSED: &str = "Refused";
const FAILED: &str = "Failed";

/// What tells CloudWatch which members of a line are metrics.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Embedded<'a> {
    timestamp: i64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Directives<'a>,
}

struct Directives<'a> {
    namespace: &'a str,
    metrics: &'a [Metric],
    of_an_app: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'a str,
    dimensions: &'static [&'static [&'static str]],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: Unit,
}

impl Serialize for Directives<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let define = |metric: &Metric| Definition { name: metric.name, unit: metric.unit };
        let by_reason = |metric: &&Metric| matches!(metric.name, QUARANTINED | REFUSED | FAILED);
        let dimensions: &[&[&str]] =
            if self.of_an_app { &[&["service"], &["service", "app"]] } else { &[&["service"]] };
        let mut directives = serializer.serialize_seq(None)?;
        directives.serialize_element(&Directive {
            namespace: self.namespace,
            dimensions,
            metrics: self.metrics.iter().map(define).collect(),
        })?;
        let metrics: Vec<_> = self.metrics.iter().filter(by_reason).map(define).collect();
        if !metrics.is_empty() {
            let dimensions: &[&[&str]] = &[&["service", "reason"]];
            directives.serialize_element(&Directive { namespace: self.namespace, dimensions, metrics })?;
        }
        directives.end()
    }
}
