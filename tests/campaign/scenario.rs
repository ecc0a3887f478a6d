//! One row of the campaign: functions of one configuration, calls whose webhooks they get, and what happens to them.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};
use voicehook_test_support::{Random, runtime_api::webhook_event};

use crate::{
    environment::{Configuration, Environment, Usage},
    ledger::{At, Ledger, Outcome, Rules, Summary, invocation_id},
    sqs::{Faults, Outage, Sqs},
    webhooks::{APP_ID, Key},
};

/// What the functions have as `PUBLISH_DEADLINE_MS`. Half of the default, so that twice as many faults fit into an hour.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// A configuration of the function.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub fifo: bool,
    pub at_once: usize,
    pub has_failover: bool,
    /// The AppID comes from Secrets Manager, which fails as SQS does.
    pub has_secret: bool,
    pub faults: Faults,
    pub seed: u64,
}

/// What came of it.
pub struct Ran {
    pub scenario: Scenario,
    pub summary: Summary,
    pub requests: usize,
    pub injected: Vec<(&'static str, usize)>,
    pub killed: usize,
    pub frozen: usize,
    /// Of the environment that was never ended, in the order of time.
    pub usage: Vec<Usage>,
}

struct Running {
    scenario: Scenario,
    ledger: Arc<Ledger>,
    sqs: Sqs,
    /// The first one is never ended.
    environments: Vec<Environment>,
    next_call: AtomicU32,
    is_over: AtomicBool,
    killed: AtomicUsize,
    frozen: AtomicUsize,
    usage: Mutex<Vec<Usage>>,
}

impl Scenario {
    pub fn name(&self) -> String {
        format!(
            "{}, {} at once{}{}",
            if self.fifo { "FIFO" } else { "standard" },
            self.at_once,
            if self.has_failover { ", failover" } else { "" },
            if self.has_secret { ", secret" } else { "" },
        )
    }

    /// Runs it until then, and some seconds longer: what has begun is ended.
    pub async fn run(self, until: Instant, samples: u32) -> Ran {
        let running = Arc::new(self.start().await);
        let mut calls = JoinSet::new();
        for caller in 0..self.callers() {
            calls.spawn(Arc::clone(&running).call(caller));
        }
        let mut around = JoinSet::new();
        around.spawn(Arc::clone(&running).outages());
        around.spawn(Arc::clone(&running).ends_and_pauses());
        around.spawn(Arc::clone(&running).watch((until - Instant::now()) / samples));
        sleep_until(until).await;
        running.is_over.store(true, Ordering::Relaxed);
        calls.join_all().await;
        around.join_all().await;
        running.sqs.settled().await;
        for environment in &running.environments {
            environment.end().await;
        }
        running.ran()
    }

    const fn callers(&self) -> usize {
        if self.at_once == 1 { 6 } else { 60 }
    }

    async fn start(self) -> Running {
        let rules = Rules { fifo: self.fifo, has_failover: self.has_failover, app_id_can_fail: self.has_secret };
        let ledger = Arc::new(Ledger::new(rules));
        let sqs = Sqs::start(Arc::clone(&ledger), self.faults, self.seed).await;
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", sqs.endpoint()),
            ("QUEUE_URL", sqs.queue_url(At::Queue, self.fifo)),
            ("QUARANTINE_QUEUE_URL", sqs.queue_url(At::Quarantine, self.fifo)),
            ("PUBLISH_DEADLINE_MS", DEADLINE.as_millis().to_string()),
        ];
        if self.has_failover {
            variables.push(("FAILOVER_QUEUE_URL", sqs.queue_url(At::Failover, self.fifo)));
        }
        if self.has_secret {
            variables.push(("ENABLEX_APP_ID_SECRET", "campaign".to_owned()));
            variables.push(("APP_ID_TTL_SECONDS", "2".to_owned()));
        } else {
            variables.push(("ENABLEX_APP_ID", APP_ID.to_owned()));
        }
        let configuration = Configuration { at_once: self.at_once, variables };
        let mut environments = Vec::new();
        for _ in 0..if self.at_once == 1 { 3 } else { 2 } {
            environments.push(Environment::start(configuration.clone(), Arc::clone(&ledger)).await);
        }
        Running {
            scenario: self,
            ledger,
            sqs,
            environments,
            next_call: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
            killed: AtomicUsize::new(0),
            frozen: AtomicUsize::new(0),
            usage: Mutex::default(),
        }
    }
}

impl Running {
    fn random(&self, of: u64) -> Random {
        Random::new(self.scenario.seed << 32 | of)
    }

    /// Call after call: most webhooks are sent when the one before was answered, some beside it. What was not answered
    /// with 200 is sent again every other time, as a new delivery.
    async fn call(self: Arc<Self>, caller: usize) {
        let mut random = self.random(1000 + caller as u64);
        while !self.is_over.load(Ordering::Relaxed) {
            let call = self.next_call.fetch_add(1, Ordering::Relaxed);
            let (places, overlaps) = (1 + random.below(20) as u32, random.percent(30));
            let mut place = 0;
            while place < places && !self.is_over.load(Ordering::Relaxed) {
                let key = |place| Key { call, place };
                let first = self.deliver(key(place), true, random.next());
                if overlaps && random.percent(50) {
                    let second = self.deliver(key(place + 1), false, random.next());
                    tokio::join!(biased; first, second);
                    place += 2;
                    continue;
                }
                if first.await != Outcome::Kept && random.percent(50) {
                    self.deliver(key(place), true, random.next()).await;
                }
                place += 1;
                sleep(Duration::from_millis(random.below(20) as u64)).await;
            }
        }
    }

    /// Enters a delivery into the books at once, and has it handled by one of the environments.
    fn deliver(&self, key: Key, in_sequence: bool, seed: u64) -> impl Future<Output = Outcome> + Send + '_ {
        let number = self.ledger.sent(key, in_sequence);
        let mut random = Random::new(seed);
        let environment = &self.environments[random.below(self.environments.len())];
        let freezes = self.scenario.at_once == 1 && random.percent(20);
        async move {
            let body = key.webhook().body();
            let event = || {
                let mut event = webhook_event("/webhook", "", &body);
                event["requestContext"]["requestId"] = format!("delivery-{number}").into();
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
                event["requestContext"]["timeEpoch"] = u64::try_from(now).unwrap().into();
                event.to_string()
            };
            let (outcome, took) = environment.deliver(invocation_id(number), event, freezes).await;
            self.frozen.fetch_add(usize::from(freezes), Ordering::Relaxed);
            self.ledger.answered(number, outcome, took);
            outcome
        }
    }

    async fn pause(&self, random: &mut Random, from: usize, to: usize) {
        let until = Instant::now() + Duration::from_millis((from + random.below(to - from)) as u64);
        while !self.is_over.load(Ordering::Relaxed) && Instant::now() < until {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Times in which much fails at once.
    async fn outages(self: Arc<Self>) {
        let mut random = self.random(1);
        let of_a_queue = [Outage::Unavailable, Outage::Throttled, Outage::Stalls];
        while !self.is_over.load(Ordering::Relaxed) {
            self.pause(&mut random, 500, 6_000).await;
            let at = At::ALL[random.below(3)];
            match random.below(6) {
                0 => self.sqs.kill_connections(),
                1 => self.sqs.set(Outage::Refused),
                2 => self.sqs.set(Outage::Silent),
                _ => self.sqs.set(of_a_queue[random.below(3)](at)),
            }
            // Most end within the deadline.
            let longest = if random.percent(80) { 1_300 } else { 3_000 };
            self.pause(&mut random, 100, longest).await;
            self.sqs.set(Outage::None);
        }
    }

    /// What happens to environments, other than the faults of AWS.
    async fn ends_and_pauses(self: Arc<Self>) {
        let mut random = self.random(2);
        while !self.is_over.load(Ordering::Relaxed) {
            self.pause(&mut random, 200, 3_000).await;
            let any = &self.environments[random.below(self.environments.len())];
            let mortal = &self.environments[1 + random.below(self.environments.len() - 1)];
            let time = Duration::from_millis(100 + random.below(1_500) as u64);
            match random.below(6) {
                0 | 1 => {
                    self.killed.fetch_add(1, Ordering::Relaxed);
                    mortal.kill().await;
                }
                2 if self.scenario.at_once > 1 => mortal.terminate().await,
                2 | 3 => {
                    self.frozen.fetch_add(1, Ordering::Relaxed);
                    any.pause(time).await;
                }
                _ => any.leave_log_unread(time * 3).await,
            }
        }
    }

    /// Looks after the processes, and measures the one that is never ended.
    async fn watch(self: Arc<Self>, every: Duration) {
        let mut next = Instant::now() + every;
        while !self.is_over.load(Ordering::Relaxed) {
            for environment in &self.environments {
                environment.look_after().await;
            }
            if Instant::now() >= next {
                self.usage.lock().unwrap().extend(self.environments[0].usage());
                next += every;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn ran(&self) -> Ran {
        let (requests, injected) = self.sqs.counted();
        Ran {
            scenario: self.scenario,
            summary: self.ledger.summary(),
            requests,
            injected: injected.into_iter().collect(),
            killed: self.killed.load(Ordering::Relaxed),
            frozen: self.frozen.load(Ordering::Relaxed),
            usage: self.usage.lock().unwrap().clone(),
        }
    }
}
