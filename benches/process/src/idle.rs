//! The first webhook after an environment was frozen for a while, by what became of its connection to the queue
//! meanwhile. All idle times pass side by side, so it takes as long as the longest of them.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    Arguments, Bench, Environment,
    aws::{Aws, Idle},
    distribution::{header, row},
    function::Kind,
};

/// Environments of each row without `--rounds`.
const ROUNDS: usize = 10;

/// The longest time that is waited for an answer: a second longer than EnableX does. It stands for no answer.
const GIVES_UP: Duration = Duration::from_secs(6);

/// What can become of a connection, in words.
const FATES: [(Idle, &str); 3] =
    [(Idle::Kept, "connection kept"), (Idle::Closed, "closed by the server"), (Idle::Lost, "lost silently")];

/// An environment between two webhooks.
struct Frozen {
    environment: Environment,
    /// Its own, so that only its connections are closed.
    aws: Aws,
    thaws: Instant,
    row: Row,
}

/// In the order in which they are printed.
type Row = (String, &'static str, u64);

pub async fn run(bench: &Bench<'_>, arguments: &Arguments) {
    let (mut frozen, mut times) = (Vec::new(), BTreeMap::<Row, Vec<Duration>>::new());
    let mut seconds = arguments.idle.clone();
    seconds.sort_unstable_by(|one, other| other.cmp(one));
    for seconds in seconds {
        for _ in 0..arguments.rounds.unwrap_or(ROUNDS) {
            for function in &arguments.functions {
                for (fate, words) in FATES.into_iter().filter(|(fate, _)| function.sends || *fate == Idle::Kept) {
                    thaw(&mut frozen, &mut times, Instant::now()).await;
                    let aws = Aws::start(bench.directory).await;
                    let environment = bench.environment(function, &aws, Kind::Plain).await;
                    environment.api.invoke(3).await;
                    environment.process.freeze();
                    aws.set_idle(fate);
                    let thaws = Instant::now() + Duration::from_secs(seconds);
                    frozen.push(Frozen { environment, aws, thaws, row: (function.name.clone(), words, seconds) });
                }
            }
        }
    }
    while let Some(next) = frozen.iter().map(|frozen| frozen.thaws).min() {
        tokio::time::sleep_until(next.into()).await;
        thaw(&mut frozen, &mut times, next).await;
    }
    header("first webhook after an idle time");
    for ((function, words, seconds), times) in times {
        row(&format!("{function}, {words}, {seconds} s"), times, "");
    }
}

/// Sends a webhook to each environment that is due.
async fn thaw(frozen: &mut Vec<Frozen>, times: &mut BTreeMap<Row, Vec<Duration>>, now: Instant) {
    for Frozen { environment, aws, row, .. } in frozen.extract_if(.., |frozen| frozen.thaws <= now) {
        environment.process.thaw();
        let answered = tokio::time::timeout(GIVES_UP, environment.api.invoke(1)).await;
        times.entry(row).or_default().extend(answered.unwrap_or_else(|_| vec![GIVES_UP]));
        drop((environment, aws));
    }
}
