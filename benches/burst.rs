//! Bursts into cold environments, on a scale that one machine can carry, against what the model of `docs/capacity.py`
//! says of them.
//!
//!     cargo bench --bench burst
//!
//! This program plays Lambda: a webhook goes to an idle environment, else to a new one as long as there are not too
//! many and as fast as they may be started, else it is throttled. An environment is a process of the function with a
//! Runtime API of its own. The model gets the time of a warm webhook and of a cold start as measured here, one by one,
//! and says which webhooks arrive when. At the end stands a table in Markdown: what the model said, what came, and the
//! ratio of both.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod support;

use std::{
    process::Command,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{APP_ID, body, event_of};
use tokio::{
    process::Child,
    task::JoinSet,
    time::{sleep, sleep_until},
};
use voicehook_test_support::{
    runtime_api::{RuntimeApi, webhook_event},
    sqs_stub::{Reaction, SqsStub},
};

/// What SQS takes: so long that no environment comes near ten webhooks a second, which is another limit of Lambda's.
const LATENCY: Duration = Duration::from_millis(120);
/// What Lambda takes for an environment before the function's process starts: a guess, and the same in the model.
const CREATION: Duration = Duration::from_millis(200);
const CALLS: usize = 64;
const BYTES: usize = 300;

/// A process of the function, with nothing to do.
struct Environment {
    api: RuntimeApi,
    /// Ends with this.
    _process: Child,
}

/// What came of a scenario.
#[derive(Default)]
struct Done {
    environments: usize,
    answered: usize,
    throttled: usize,
    busy: Duration,
}

struct Lambda {
    stub: SqsStub,
    webhooks: Vec<String>,
    idle: Mutex<Vec<Environment>>,
    done: Mutex<Done>,
    /// The most environments, and how many more each second.
    limits: (usize, f64),
    /// How many may be started at once, and when that was so.
    may_start: Mutex<(f64, Instant)>,
}

#[tokio::main]
async fn main() {
    let (warm, cold) = one_by_one().await;
    println!("a webhook takes {:.0} ms, and {:.0} ms more in a new environment\n", 1e3 * warm, 1e3 * cold);
    // Without cargo's own flag, this is a test of the benchmark.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/capacity.py");
    let model = Command::new("python3").args([model, "check", &warm.to_string(), &cold.to_string()]).output().unwrap();
    let scenarios: Vec<Value> = serde_json::from_slice(&model.stdout).unwrap();
    println!("| | | model | measured | ratio |\n| --- | --- | ---: | ---: | ---: |");
    for scenario in scenarios {
        let (done, predicted) = (play(&scenario).await, &scenario["predicted"]);
        let name = scenario["name"].as_str().unwrap();
        for (what, predicted, measured) in [
            ("environments, and so cold starts", &predicted["environments"], done.environments as f64),
            ("answered with 200", &predicted["answered"], done.answered as f64),
            ("throttled", &predicted["throttled"], done.throttled as f64),
            ("seconds of environments in use", &predicted["busy"], done.busy.as_secs_f64()),
        ] {
            let predicted = predicted.as_f64().unwrap();
            let ratio = if predicted == measured { 1.0 } else { measured / predicted };
            println!("| {name} | {what} | {predicted:.0} | {measured:.0} | {ratio:.2} |");
        }
    }
}

/// What a warm webhook takes, and a new environment more than that, in seconds: means, as environments are in use so
/// long.
async fn one_by_one() -> (f64, f64) {
    let (mut warm, mut first) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let lambda = Lambda::start((1, 1.0)).await;
        for number in 0..20 {
            let began = Instant::now();
            lambda.clone().take(number).await;
            if number == 0 { &mut first } else { &mut warm }.push(began.elapsed().as_secs_f64());
        }
    }
    let mean = |times: Vec<f64>| times.iter().sum::<f64>() / times.len() as f64;
    let (warm, first) = (mean(warm), mean(first));
    (warm, first - warm)
}

/// Has the webhooks of a scenario arrive.
async fn play(scenario: &Value) -> Done {
    let number = |name: &str| scenario[name].as_f64().unwrap();
    let lambda = Lambda::start((number("environments") as usize, number("scaling"))).await;
    let began = tokio::time::Instant::now();
    let mut webhooks = JoinSet::new();
    for (tick, count) in scenario["arrivals"].as_array().unwrap().iter().enumerate() {
        sleep_until(began + Duration::from_secs_f64(tick as f64 * number("tick"))).await;
        for _ in 0..count.as_u64().unwrap() {
            webhooks.spawn(lambda.clone().take(webhooks.len()));
        }
    }
    webhooks.join_all().await;
    std::mem::take(&mut *lambda.done.lock().unwrap())
}

impl Lambda {
    async fn start(limits: (usize, f64)) -> Arc<Self> {
        let stub = SqsStub::start(&[], Reaction::Accept).await;
        stub.set_latency(LATENCY);
        let webhook = |call| webhook_event("/webhook", "", &body(&event_of(call, BYTES))).to_string();
        Arc::new(Self {
            stub,
            webhooks: (0..CALLS).map(webhook).collect(),
            idle: Mutex::default(),
            done: Mutex::default(),
            limits,
            may_start: Mutex::new((10.0 * limits.1, Instant::now())),
        })
    }

    /// A webhook that arrives now.
    async fn take(self: Arc<Self>, number: usize) {
        let began = Instant::now();
        let idle = self.idle.lock().unwrap().pop();
        let environment = match idle {
            Some(environment) => environment,
            None if self.may_start() => self.environment().await,
            None => return self.done.lock().unwrap().throttled += 1,
        };
        let answer = environment.api.invoke_with_text(self.webhooks[number % CALLS].clone(), None).await.unwrap();
        assert_eq!(answer["statusCode"], 200);
        self.idle.lock().unwrap().push(environment);
        let mut done = self.done.lock().unwrap();
        done.answered += 1;
        done.busy += began.elapsed();
    }

    fn may_start(&self) -> bool {
        let (most, a_second) = self.limits;
        let mut may_start = self.may_start.lock().unwrap();
        may_start.0 = (may_start.0 + a_second * may_start.1.elapsed().as_secs_f64()).min(10.0 * a_second);
        may_start.1 = Instant::now();
        let mut done = self.done.lock().unwrap();
        let may = done.environments < most && may_start.0 >= 1.0;
        if may {
            may_start.0 -= 1.0;
            done.environments += 1;
        }
        may
    }

    async fn environment(&self) -> Environment {
        sleep(CREATION).await;
        let api = RuntimeApi::start().await;
        let (endpoint, queue_url) = (self.stub.endpoint(), self.stub.queue_url());
        let variables = [("AWS_ENDPOINT_URL", &*endpoint), ("QUEUE_URL", &queue_url), ("ENABLEX_APP_ID", APP_ID)];
        let mut process = api.function(env!("CARGO_BIN_EXE_lambda"), &variables);
        // Read as Lambda reads it.
        let mut log = process.stdout.take().unwrap();
        tokio::spawn(async move { tokio::io::copy(&mut log, &mut tokio::io::sink()).await });
        Environment { api, _process: process }
    }
}
