//! Webhooks while the secret becomes due every second, by how long Secrets Manager takes.

use std::time::{Duration, Instant};

use crate::{
    Arguments, Bench, Environment,
    aws::{Aws, Latency},
    distribution::{header, row},
    function::Kind,
};

/// The pause between two webhooks.
const PAUSE: Duration = Duration::from_millis(10);
/// Seconds of each row without `--rounds`.
const ROUNDS: usize = 20;

pub async fn run(bench: &Bench<'_>, arguments: &Arguments) {
    let seconds = Duration::from_secs(arguments.rounds.unwrap_or(ROUNDS) as u64);
    for function in arguments.voicehooks() {
        header(&format!("{}: the secret is due each second, by its latency", function.name));
        for milliseconds in [1, 20, 100, 2000] {
            let aws = Aws::start(bench.directory).await;
            let Environment { api, process: _process } = bench.environment(function, &aws, Kind::WithSecret).await;
            api.invoke(100).await;
            aws.set_latency(Latency { secret: Duration::from_millis(milliseconds), ..Latency::default() });
            let (start, asked, mut times) = (Instant::now(), aws.secrets(), Vec::new());
            while start.elapsed() < seconds {
                times.extend(api.invoke(1).await);
                tokio::time::sleep(PAUSE).await;
            }
            row(&format!("{milliseconds} ms"), times, &format!("asked {} times", aws.secrets() - asked));
        }
    }
}
