//! Cold starts under the share of a CPU that a function has on Lambda: one at a time by the function's memory, and many
//! at once.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    Arguments, Bench,
    aws::Aws,
    distribution::{header, row},
    function::{Function, Kind},
    milliseconds,
    runtime_api::RuntimeApi,
    share::Share,
};

/// Functions of which the shares are shown, in MB.
const MEMORY: [u64; 4] = [128, 256, 512, 1024];
/// Starts for each of them without `--rounds`.
const STARTS: usize = 11;
/// Of the functions in a burst, in MB: 14.5 % of a CPU each.
const BURST_MEMORY: u64 = 256;
/// How many start together. Thirteen with that share use two CPUs up.
const WAVES: [usize; 3] = [1, 4, 13];
/// Environments of each row without `--rounds`, in multiples of the largest wave.
const ROUNDS: usize = 20;

/// Init and first webhook by the function's memory.
pub async fn shares(bench: &Bench<'_>, arguments: &Arguments) {
    let aws = Aws::start(bench.directory).await;
    for memory in MEMORY {
        header(&format!("init and first webhook with the CPU share of {memory} MB"));
        for function in &arguments.functions {
            let Some(share) = Share::or_say_so(memory, "share") else { return };
            let mut starts = Vec::new();
            for _ in 0..arguments.rounds.unwrap_or(STARTS) {
                starts.extend(cold(bench, &aws, function, std::slice::from_ref(&share)).await);
            }
            print(&function.name, &starts);
        }
    }
}

/// Waves of environments, each with a webhook that waits for it.
pub async fn run(bench: &Bench<'_>, arguments: &Arguments) {
    let aws = Aws::start(bench.directory).await;
    header(&format!("burst into cold environments of {BURST_MEMORY} MB"));
    for function in &arguments.functions {
        for wave in WAVES {
            let shares = (0..wave).map_while(|number| Share::or_say_so(BURST_MEMORY, &number.to_string()));
            let shares: Vec<Share> = shares.collect();
            if shares.len() < wave {
                return;
            }
            let mut starts = Vec::new();
            while starts.len() < WAVES[2] * arguments.rounds.unwrap_or(ROUNDS) {
                starts.extend(cold(bench, &aws, function, &shares).await);
            }
            print(&format!("{}, waves of {wave}", function.name), &starts);
        }
    }
}

/// The time from a start to its first answer, and the CPU time that took.
type Start = (Duration, Duration);

fn print(name: &str, starts: &[Start]) {
    let cpu = starts.iter().map(|(_, cpu)| milliseconds(*cpu)).sum::<f64>() / starts.len() as f64;
    row(name, starts.iter().map(|(time, _)| *time).collect(), &format!("CPU {cpu:.2} ms"));
}

/// Starts an environment under each share at the same time, with one webhook for each.
async fn cold(bench: &Bench<'_>, aws: &Aws, function: &Function, shares: &[Share]) -> Vec<Start> {
    let mut environments = Vec::new();
    for share in shares {
        let api = RuntimeApi::start(bench.small.clone()).await;
        let prepared = function.prepare(&bench.setup(&api, aws, Kind::Plain), Some(share));
        environments.push((api, prepared));
    }
    let started: Vec<_> = environments.into_iter().map(|(api, prepared)| (api, prepared.start())).collect();
    let starts = started.iter().map(|(api, process)| async move {
        // It is handed out as soon as the function asks for it.
        let first = api.invoke(1).await[0];
        (api.first_asked().await + first - process.started, process.cpu())
    });
    join_all(starts).await
}
