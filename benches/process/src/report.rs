//! The numbers of all rounds, and what is printed of them: tables in Markdown, and JSON.
//!
//! Of a round counts the median of its starts; of all rounds the median of that. A ratio is taken within each round, so
//! that what slows the machine down for a while slows both sides down.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde_json::{Value, json};

use crate::{Arguments, LARGE, SMALL, function::Function};

/// What voicehook is compared with by ratio.
const PEERS: [&str; 5] = [NOTHING, NAIVE, "Node 24", "Python", "Node 20"];
const NOTHING: &str = "does nothing";
const NAIVE: &str = "naive Rust";
/// The largest zip that is aimed at, in MB.
const ZIP: f64 = 2.7;

/// What is measured of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// From the start of the process to its first question for an invocation.
    Init,
    /// From handing out the first webhook to its answer.
    First,
    InitAndFirst,
    /// CPU time up to the first answer.
    StartCpu,
    /// From handing out to answer, by size of event.
    P50(&'static str),
    P99(&'static str),
    /// CPU time of a webhook, by size of event.
    Cpu(&'static str),
    Memory(&'static str),
    /// With so many webhooks at once, and a queue that takes its time.
    CpuAt(usize),
    ThroughputAt(usize),
    BatchAt(usize),
    MemoryAt(usize),
}

impl Metric {
    /// The rows of the first table.
    const ONE_AT_A_TIME: [Self; 12] = [
        Self::Init,
        Self::First,
        Self::InitAndFirst,
        Self::StartCpu,
        Self::P50(SMALL.name),
        Self::P99(SMALL.name),
        Self::Cpu(SMALL.name),
        Self::Memory(SMALL.name),
        Self::P50(LARGE.name),
        Self::P99(LARGE.name),
        Self::Cpu(LARGE.name),
        Self::Memory(LARGE.name),
    ];

    /// The largest ratio to a peer that is aimed at.
    fn target(self, peer: &str) -> Option<f64> {
        match (self, peer) {
            (Self::Cpu(size), NOTHING) if size == SMALL.name => Some(2.4),
            (Self::Cpu(size), NAIVE) if size == LARGE.name => Some(0.23),
            (Self::StartCpu, NOTHING) => Some(1.65),
            (Self::Memory(size), NAIVE) if size == SMALL.name => Some(0.5),
            _ => None,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => f.write_str("init, ms"),
            Self::First => f.write_str("first webhook, with TLS connection, ms"),
            Self::InitAndFirst => f.write_str("init and first webhook, ms"),
            Self::StartCpu => f.write_str("CPU of init and first webhook, ms"),
            Self::P50(size) => write!(f, "{size}: service time, p50, us"),
            Self::P99(size) => write!(f, "{size}: service time, p99, us"),
            Self::Cpu(size) => write!(f, "{size}: CPU per webhook, us"),
            Self::Memory(size) => write!(f, "{size}: peak memory, MiB"),
            Self::CpuAt(_) => f.write_str("CPU per webhook, us"),
            Self::ThroughputAt(_) => f.write_str("webhooks per second"),
            Self::BatchAt(_) => f.write_str("messages per request to SQS"),
            Self::MemoryAt(_) => f.write_str("peak memory, MiB"),
        }
    }
}

/// All numbers, by round.
pub struct Report<'a> {
    arguments: &'a Arguments,
    rounds: Vec<BTreeMap<(String, Metric), Vec<f64>>>,
}

impl<'a> Report<'a> {
    pub const fn new(arguments: &'a Arguments) -> Self {
        Self { arguments, rounds: Vec::new() }
    }

    pub fn start_round(&mut self) {
        self.rounds.push(BTreeMap::new());
    }

    pub fn add(&mut self, function: &Function, metric: Metric, value: f64) {
        let round = self.rounds.last_mut().expect("a round");
        round.entry((function.name.clone(), metric)).or_default().push(value);
    }

    /// The median of each round.
    fn values(&self, function: &str, metric: Metric) -> Vec<f64> {
        let key = (function.to_owned(), metric);
        self.rounds.iter().filter_map(|round| round.get(&key)).map(|values| median(values.clone())).collect()
    }

    fn value(&self, function: &str, metric: Metric) -> f64 {
        median(self.values(function, metric))
    }

    fn ratio(&self, (function, metric): (&str, Metric), (other, other_metric): (&str, Metric)) -> f64 {
        let pairs = self.values(function, metric).into_iter().zip(self.values(other, other_metric));
        median(pairs.map(|(value, other)| value / other).collect())
    }

    /// Who is compared with whom.
    fn pairs(&self) -> Vec<(&str, &str)> {
        let functions = || self.arguments.functions.iter().map(|function| function.name.as_str());
        let ours = self.arguments.functions.iter().filter(|function| function.is_voicehook);
        ours.flat_map(|function| {
            let peers = functions().filter(|name| PEERS.contains(name));
            peers.map(|peer| (function.name.as_str(), peer))
        })
        .collect()
    }

    pub fn print(&self) {
        self.print_one_at_a_time();
        self.print_side_by_side();
    }

    fn print_one_at_a_time(&self) {
        let functions = &self.arguments.functions;
        let names = functions.iter().map(|function| function.name.clone());
        let ratios = self.pairs().into_iter().map(|(function, peer)| format!("{function} / {peer}"));
        header("one webhook at a time", names.chain(ratios));
        for metric in Metric::ONE_AT_A_TIME {
            let values = functions.iter().map(|function| number(self.value(&function.name, metric)));
            let ratios = self.pairs().into_iter().map(|(function, peer)| {
                let ratio = self.ratio((function, metric), (peer, metric));
                format!(
                    "{ratio:.3}{}",
                    metric.target(peer).map_or(String::new(), |target| aim(ratio <= target, "at most", target))
                )
            });
            row(&metric.to_string(), values.chain(ratios));
        }
        let sizes: Vec<_> = functions.iter().map(Function::sizes).collect();
        row("deployed files, MB", sizes.iter().map(|(bytes, _)| number(*bytes as f64 / 1e6)));
        let zips = functions.iter().zip(&sizes).map(|(function, (_, zip))| {
            let zip = *zip as f64 / 1e6;
            let aim = if function.is_voicehook { aim(zip <= ZIP, "at most", ZIP) } else { String::new() };
            format!("{zip:.3}{aim}")
        });
        row("zip, MB", zips);
    }

    fn print_side_by_side(&self) {
        let many = crate::compare::CONCURRENCY;
        for Function { name, .. } in self.arguments.functions.iter().filter(|function| function.is_voicehook) {
            let title = format!("{name}, {} ms of queue latency", crate::compare::QUEUE_LATENCY.as_millis());
            header(&title, ["one at a time".to_owned(), format!("{many} at once"), "ratio".to_owned()].into_iter());
            for (metric, target) in [
                (Metric::CpuAt as fn(usize) -> Metric, Some((0.5, "at most"))),
                (Metric::ThroughputAt, Some((16.0, "at least"))),
                (Metric::BatchAt, None),
                (Metric::MemoryAt, None),
            ] {
                let ratio = self.ratio((name, metric(many)), (name, metric(1)));
                let aim = target.map_or(String::new(), |(target, word)| {
                    aim(if word == "at most" { ratio <= target } else { ratio >= target }, word, target)
                });
                let values = [1, many].map(|concurrency| number(self.value(name, metric(concurrency))));
                row(&metric(1).to_string(), values.into_iter().chain([format!("{ratio:.3}{aim}")]));
            }
        }
    }

    /// Everything, for programs.
    pub fn write(&self, path: &Path) {
        let round = |round: &BTreeMap<(String, Metric), Vec<f64>>| -> Value {
            let numbers = round.iter().map(|((function, metric), values)| {
                json!({"function": function, "metric": format!("{metric:?}"), "unit": metric.to_string(), "values": values})
            });
            numbers.collect()
        };
        let sizes = self.arguments.functions.iter().map(|function| {
            let (bytes, zip) = function.sizes();
            (function.name.clone(), json!({"files_bytes": bytes, "zip_bytes": zip}))
        });
        let all = json!({
            "rounds": self.rounds.iter().map(round).collect::<Value>(),
            "sizes": sizes.collect::<serde_json::Map<_, _>>(),
        });
        fs::write(path, format!("{all:#}\n")).expect("a writable directory");
        eprintln!("all numbers of all rounds: {}", path.display());
    }
}

fn header(title: &str, columns: impl Iterator<Item = String>) {
    println!();
    let columns: Vec<_> = columns.collect();
    row(title, columns.iter().cloned());
    row("---", columns.iter().map(|_| "---:".to_owned()));
}

fn row(name: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<_> = cells.map(|cell| format!("{cell:>10}")).collect();
    println!("| {name:40} | {} |", cells.join(" | "));
}

fn aim(reached: bool, word: &str, target: f64) -> String {
    format!(" ({}, {word} {target})", if reached { "ok" } else { "missed" })
}

/// Three significant digits, but no digit before the point is lost.
fn number(value: f64) -> String {
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}
