//! SQS and Secrets Manager, as the schedules have them: with latencies and faults that are drawn from the schedule's own
//! random source, and a record of what they did.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use shuttle::rand::{Rng as _, thread_rng};
use tokio::time::{Instant, sleep};

use crate::{
    app_id::{AppId, AppIdSource, AppIdUnavailable, Apps, SecretsManagerError, Version},
    queue::{Message, QueueError, Sent},
};

/// How a service behaves.
#[derive(Clone, Copy, Debug)]
pub struct Behavior {
    /// What a request takes, there and back together, in milliseconds: one of these.
    pub takes: &'static [u64],
    /// One in so many requests is lost on its way, one in so many answers, and one in so many entries of a batch is not
    /// taken. 0: none.
    pub fails: u32,
}

impl Behavior {
    fn half(self) -> Duration {
        Duration::from_millis(self.takes[thread_rng().gen_range(0..self.takes.len())]) / 2
    }

    fn fails(self) -> bool {
        self.fails > 0 && thread_rng().gen_range(0..self.fails) == 0
    }
}

/// A FIFO queue.
#[derive(Debug)]
pub struct Sqs {
    behavior: Behavior,
    /// Nothing schedules while it is locked.
    state: Mutex<Taken>,
}

/// What the queue has.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The bodies by message group, in the order in which they were taken.
    pub groups: BTreeMap<String, Vec<String>>,
    /// A message id for each deduplication id.
    known: BTreeMap<String, String>,
    /// Bodies of two entries of a batch: the first one was not taken and the second one was, so that their order is SQS's.
    pub reordered: Vec<(String, String)>,
    pub requests: usize,
    /// Requests that are there earlier get no answer.
    pub silent_until: Instant,
}

impl Sqs {
    pub fn new(behavior: Behavior) -> Arc<Self> {
        let (groups, known, reordered, silent_until) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Instant::now());
        let taken = Taken { groups, known, reordered, requests: 0, silent_until };
        Arc::new(Self { behavior, state: Mutex::new(taken) })
    }

    pub fn taken(&self) -> Taken {
        self.state().clone()
    }

    /// From now on.
    pub fn is_silent_for(&self, time: Duration) {
        self.state().silent_until = Instant::now() + time;
    }

    pub async fn send(&self, message: &Message) -> Result<Sent, QueueError> {
        let places = self.request(&[message], false).await?;
        places.into_iter().next().flatten().ok_or_else(|| QueueError::Unreachable("not taken".to_owned()))
    }

    pub async fn send_batch(&self, messages: &[&Message]) -> Result<Vec<Option<Sent>>, QueueError> {
        self.request(messages, true).await
    }

    async fn request(&self, messages: &[&Message], is_batch: bool) -> Result<Vec<Option<Sent>>, QueueError> {
        let lost = |what: &str| Err(QueueError::Unreachable(what.to_owned()));
        sleep(self.behavior.half()).await;
        self.state().requests += 1;
        let is_silent = Instant::now() < self.state().silent_until;
        if is_silent && thread_rng().r#gen() {
            // It did not get so far.
            return pending().await;
        }
        if self.behavior.fails() {
            return lost("the request was lost");
        }
        let refused: Vec<bool> = messages.iter().map(|_| is_batch && self.behavior.fails()).collect();
        let taken = self.state().take(messages, &refused);
        if is_silent {
            return pending().await;
        }
        sleep(self.behavior.half()).await;
        if self.behavior.fails() { lost("the answer was lost") } else { Ok(taken) }
    }

    fn state(&self) -> MutexGuard<'_, Taken> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn take(&mut self, messages: &[&Message], refused: &[bool]) -> Vec<Option<Sent>> {
        for (first, message) in messages.iter().enumerate().filter(|(place, _)| refused[*place]) {
            let later = messages
                .iter()
                .enumerate()
                .skip(first)
                .filter(|(place, later)| !refused[*place] && later.group_id == message.group_id);
            self.reordered.extend(later.map(|(_, later)| (message.body.clone(), later.body.clone())));
        }
        let places = messages.iter().zip(refused);
        places.map(|(message, is_refused)| (!is_refused).then(|| self.take_one(message))).collect()
    }

    fn take_one(&mut self, message: &Message) -> Sent {
        let id = message.deduplication_id.clone().unwrap_or_default();
        let next = format!("message-{}", self.known.len());
        let message_id = self.known.entry(id).or_insert_with(|| {
            self.groups.entry(message.group_id.clone()).or_default().push(message.body.clone());
            next
        });
        Sent { message_id: message_id.clone(), failover: false }
    }
}

/// A secret with two versions, which may rotate once.
#[derive(Clone, Debug)]
pub struct Secret {
    behavior: Behavior,
    state: Arc<Mutex<Versions>>,
}

#[derive(Debug)]
struct Versions {
    app_ids: [Option<&'static str>; 2],
    /// Takes the first of its times, and does not fail.
    is_calm: bool,
    rotated: Option<Instant>,
    requests: Vec<SecretRequest>,
}

/// A request for a version of the secret.
#[derive(Clone, Copy, Debug)]
pub struct SecretRequest {
    pub version: Version,
    pub began: Instant,
    /// When it was answered, and whether with the secret. `None`: not yet, or given up.
    pub ended: Option<(Instant, bool)>,
}

impl Secret {
    pub fn new(behavior: Behavior, current: &'static str, previous: Option<&'static str>) -> Self {
        let versions =
            Versions { app_ids: [Some(current), previous], is_calm: false, rotated: None, requests: Vec::new() };
        Self { behavior, state: Arc::new(Mutex::new(versions)) }
    }

    pub fn is_calm(&self, is_calm: bool) {
        self.state().is_calm = is_calm;
    }

    pub fn rotate(&self, new: &'static str) {
        let mut state = self.state();
        state.app_ids = [Some(new), state.app_ids[0]];
        state.rotated = Some(Instant::now());
    }

    /// With which AppID a webhook is encrypted that is sent now: the current one, except in the second after a rotation,
    /// in which voicehook may still count what it read before it.
    pub fn of_sender(&self) -> &'static str {
        let state = self.state();
        let is_just_rotated = state.rotated.is_some_and(|rotated| rotated.elapsed() <= Duration::from_secs(1));
        state.app_ids[usize::from(is_just_rotated)].unwrap_or_default()
    }

    pub fn requests(&self) -> Vec<SecretRequest> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, Versions> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AppIdSource for Secret {
    async fn fetch(&self, version: Version) -> Result<Apps, AppIdUnavailable> {
        let (place, behavior) = {
            let mut state = self.state();
            state.requests.push(SecretRequest { version, began: Instant::now(), ended: None });
            let calm = Behavior { takes: &self.behavior.takes[..1], fails: 0 };
            (state.requests.len() - 1, if state.is_calm { calm } else { self.behavior })
        };
        sleep(behavior.half()).await;
        let app_id = self.state().app_ids[version as usize];
        sleep(behavior.half()).await;
        let fails = behavior.fails();
        self.state().requests[place].ended = Some((Instant::now(), !fails));
        if fails {
            return Err(SecretsManagerError::Unreachable("no answer".to_owned()).into());
        }
        Ok(app_id.map_or_else(Apps::none, |app_id| Apps::single(AppId::new(app_id))))
    }
}
