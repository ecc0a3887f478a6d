//! Load mode of `trigger`: sends many webhooks concurrently and measures the latency of the answers.
//!
//! Prints a summary at the end, also after Ctrl-C. With `--rate`, latency counts from the time at which a webhook was due,
//! not from the time at which a connection was free. Otherwise a receiver that stalls would hide the webhooks that it
//! keeps waiting ("coordinated omission").

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use clap::Args;
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::sync::mpsc;

use super::expectation::Expectation;
use crate::{
    console,
    send::{Connection, WebhookRequest},
};

/// How often a connection that waits for its next webhook checks whether the run is over.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long an interrupted run waits for answers in flight.
const GRACE_PERIOD: Duration = Duration::from_secs(1);
/// Highest latency that can be recorded, in microseconds: an hour, which a run that cannot keep its rate may reach.
const MAX_LATENCY: u64 = 3_600_000_000;
/// Significant decimal digits of recorded latencies.
const PRECISION: u8 = 3;
/// Width of the longest histogram bar, in characters.
const BAR_WIDTH: u64 = 40;

/// Options of load mode.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Load")]
pub(super) struct Load {
    /// Send this many webhooks, each with an event of a new call, and print a summary. With --file all events are
    /// identical, and a FIFO queue keeps only one of them if the event proves its identity
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Send this many at a time, each over its own persistent connection
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000), requires = "count")]
    concurrency: u16,
    /// Send this many per second, as far as --concurrency allows. Latency then counts from the time at which a webhook
    /// was due, so it includes waiting for a free connection. Without a rate, each connection sends its next webhook as
    /// soon as the previous one is answered
    #[arg(long, value_name = "PER_SECOND", value_parser = rate, requires = "count")]
    rate: Option<f64>,
}

fn rate(text: &str) -> anyhow::Result<f64> {
    let rate: f64 = text.parse().map_err(|_| anyhow!("expected a number"))?;
    if rate.is_finite() && rate >= 0.001 {
        Ok(rate)
    } else {
        Err(anyhow::Error::msg("expected at least 0.001 per second"))
    }
}

/// Results so far.
struct Tally {
    /// Of answered webhooks, in microseconds.
    latencies: Histogram<u64>,
    statuses: BTreeMap<u16, u64>,
    /// Webhooks that the receiver kept, on the queue or in quarantine.
    kept: u64,
    /// Answers with an unexpected status.
    wrong: u64,
    unanswered: u64,
    /// Why the first unanswered webhook got no answer.
    error: Option<String>,
}

impl Load {
    pub(super) const fn is_requested(&self) -> bool {
        self.count.is_some()
    }

    /// Runs the load and prints its summary. `make` builds each webhook.
    pub(super) async fn run(
        self,
        make: impl Fn() -> anyhow::Result<WebhookRequest> + Send + Sync + 'static,
        url: String,
        shown: &str,
        json: bool,
        expectation: Expectation,
    ) -> anyhow::Result<ExitCode> {
        let count = self.count.unwrap_or(1);
        let connections = u64::from(self.concurrency).min(count);
        let latencies = Histogram::new_with_max(MAX_LATENCY, PRECISION)?;
        let tally = Tally { latencies, statuses: BTreeMap::new(), kept: 0, wrong: 0, unanswered: 0, error: None };
        let run = Arc::new(Run {
            count,
            rate: self.rate,
            start: Instant::now(),
            next: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            tally: Mutex::new(tally),
            progress: progress_bar(count),
            expectation,
        });
        let (make, url) = (Arc::new(make), Arc::new(url));
        let (ended, mut all_ended) = mpsc::channel::<anyhow::Error>(1);
        for _ in 0..connections {
            let (run, make) = (Arc::clone(&run), Arc::clone(&make));
            let (url, ended) = (Arc::clone(&url), ended.clone());
            thread::spawn(move || {
                if let Err(error) = run.send_all(&*make, &url) {
                    let _ = ended.blocking_send(error);
                }
            });
        }
        drop(ended);
        let interrupted = tokio::select! {
            mistake = all_ended.recv() => match mistake {
                Some(mistake) => return Err(mistake),
                None => false,
            },
            _ = tokio::signal::ctrl_c() => true,
        };
        if interrupted {
            run.is_over.store(true, Ordering::Relaxed);
            let _ = tokio::time::timeout(GRACE_PERIOD, all_ended.recv()).await;
        }
        run.progress.finish_and_clear();
        let elapsed = run.start.elapsed();
        let tally = run.tally();
        if json {
            console::line(tally.as_json(count, connections, elapsed, interrupted));
        } else {
            tally.print(shown, count, connections, elapsed, interrupted);
        }
        let all_right = tally.wrong == 0 && tally.unanswered == 0 && !interrupted;
        Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A load run, shared by its connections.
struct Run {
    count: u64,
    rate: Option<f64>,
    start: Instant,
    /// Number of the next webhook, from 0.
    next: AtomicU64,
    is_over: AtomicBool,
    tally: Mutex<Tally>,
    progress: ProgressBar,
    expectation: Expectation,
}

impl Run {
    /// Sends webhooks over one connection until the run is over.
    fn send_all(&self, make: &impl Fn() -> anyhow::Result<WebhookRequest>, url: &str) -> anyhow::Result<()> {
        let connection = Connection::new(url)?;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count || self.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let webhook = make()?;
            let due = self.rate.map(|rate| self.start + Duration::from_secs_f64(number as f64 / rate));
            if due.is_some_and(|due| !self.wait_until(due)) {
                return Ok(());
            }
            let begin = due.unwrap_or_else(Instant::now);
            let answer = connection.send(&webhook).map(|answer| answer.status);
            let latency = begin.elapsed();
            self.tally().add(answer, latency, self.expectation);
            self.progress.inc(1);
        }
    }

    /// Waits until a webhook is due. `false` if the run ended first.
    fn wait_until(&self, due: Instant) -> bool {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_over.load(Ordering::Relaxed) {
                return left.is_zero();
            }
            thread::sleep(left.min(POLL_INTERVAL));
        }
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shown on standard error, if that is a terminal.
fn progress_bar(count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} sent, {per_sec}, {eta} left");
    ProgressBar::new(count).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Percentiles of the summary.
const PERCENTILES: [(&str, f64); 6] =
    [("p50", 50.0), ("p90", 90.0), ("p95", 95.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];

impl Tally {
    fn add(&mut self, answer: anyhow::Result<u16>, latency: Duration, expectation: Expectation) {
        match answer {
            Ok(status) => {
                *self.statuses.entry(status).or_default() += 1;
                self.kept += u64::from(expectation.is_kept(status));
                self.wrong += u64::from(!expectation.is_met(status));
                self.latencies.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
            }
            Err(error) => {
                self.unanswered += 1;
                self.error.get_or_insert_with(|| error.to_string());
            }
        }
    }

    fn sent(&self) -> u64 {
        self.latencies.len() + self.unanswered
    }

    fn as_json(&self, count: u64, connections: u64, elapsed: Duration, interrupted: bool) -> serde_json::Value {
        let percentiles: serde_json::Map<_, _> = PERCENTILES
            .iter()
            .map(|(name, percentile)| ((*name).to_owned(), self.latencies.value_at_percentile(*percentile).into()))
            .collect();
        let statuses: serde_json::Map<_, _> =
            self.statuses.iter().map(|(status, count)| (status.to_string(), (*count).into())).collect();
        json!({
            "count": count, "sent": self.sent(), "seconds": elapsed.as_secs_f64(), "interrupted": interrupted,
            "per_second": self.sent() as f64 / elapsed.as_secs_f64(), "concurrency": connections,
            "statuses": statuses, "kept": self.kept, "not_as_expected": self.wrong, "unanswered": self.unanswered,
            "first_error": self.error, "latency_micros": percentiles,
        })
    }

    fn print(&self, shown: &str, count: u64, connections: u64, elapsed: Duration, interrupted: bool) {
        let (sent, seconds) = (self.sent(), elapsed.as_secs_f64());
        let done = if interrupted {
            format!("Interrupted after {sent} of {count} webhooks")
        } else {
            format!("{sent} webhooks sent")
        };
        let rate = sent as f64 / seconds;
        console::line(format_args!(
            "{done} to {shown} in {seconds:.2} s: {rate:.1} per second, {connections} at a time\n"
        ));
        for (status, count) in &self.statuses {
            console::line(format_args!("{count:>10}  answered {status}"));
        }
        if self.kept > 0 {
            console::line(format_args!("{:>10}  kept, on the queue or in quarantine", self.kept));
        }
        if let Some(error) = &self.error {
            console::line(format_args!("{:>10}  unanswered; the first one {error}", self.unanswered));
        }
        if self.wrong > 0 {
            console::line(format_args!("{:>10}  not as expected", self.wrong));
        }
        if self.latencies.is_empty() {
            return;
        }
        console::line("");
        for (name, percentile) in PERCENTILES {
            console::line(format_args!("{name:>10}  {}", readable(self.latencies.value_at_percentile(percentile))));
        }
        console::line("");
        self.print_histogram();
    }

    /// Rows for 1, 2, 5, 10, … microseconds, from the lowest latency to the highest.
    fn print_histogram(&self) {
        let (min, max) = (self.latencies.min(), self.latencies.max());
        let mut rows = Vec::new();
        let mut low = 0;
        for high in (0..).map_while(|power| 10_u64.checked_pow(power)).flat_map(|ten| [ten, 2 * ten, 5 * ten]) {
            if high > min {
                rows.push((high, self.latencies.count_between(low, high - 1)));
            }
            if high > max {
                break;
            }
            low = high;
        }
        let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
        for (high, count) in rows {
            let bar = "█".repeat(usize::try_from((count * BAR_WIDTH).div_ceil(most)).unwrap_or(0));
            console::line(format_args!("{:>12}  {bar} {count}", format_args!("< {}", readable(high)).to_string()));
        }
    }
}

/// Formats microseconds for people.
fn readable(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", three_digits(micros as f64 / 1e3)),
        _ => format!("{} s", three_digits(micros as f64 / 1e6)),
    }
}

/// Formats a number of at least 1 to three significant digits, or to the nearest integer.
fn three_digits(number: f64) -> String {
    let decimals = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_written_as_people_read_them() {
        for (micros, text) in [
            (7, "7 µs"),
            (1_000, "1 ms"),
            (1_234, "1.23 ms"),
            (20_000, "20 ms"),
            (123_456, "123 ms"),
            (1_500_000, "1.5 s"),
        ] {
            assert_eq!(readable(micros), text);
        }
    }
}
