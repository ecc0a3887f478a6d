//! Sends the messages of concurrent webhooks with few requests to SQS, and keeps the order of each message group.
//!
//! A message that comes alone goes at once. While a request is on its way, messages gather, and go together as soon as it
//! is back, or ten of them are there, or [`LINGER`] is over: so a slow queue adds little latency, and several requests can
//! be on their way.
//!
//! On a FIFO queue a message takes its place in its group when [`Queue::send`] is called, and a group has one request on
//! its way at a time, so that a retry does not change the order. What has gathered of a group meanwhile goes in one
//! batch. Of a batch, each group is free as soon as SQS has all of its messages; what SQS did not take is sent again
//! before the group's next messages, and counted as `Reordered` where SQS took a later one of the group.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{
    MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, Sent, Sqs,
    sqs::{Hurry, MAX_ENTRIES},
};
use crate::telemetry;

/// The longest that a message waits for others. SQS answers in 5 to 20 ms, so nearly always the request before it is back
/// by then.
const LINGER: Duration = Duration::from_millis(10);

/// A queue in SQS, shared by the webhooks of one process.
#[derive(Clone, Debug)]
pub struct BatchingQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sqs: Sqs,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many requests are on their way.
    requests: usize,
    /// The groups of which messages are on their way, on a FIFO queue, and how to hurry their request up.
    busy: HashMap<String, Arc<Hurry>>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    message: Message,
    deadline: Instant,
    answer: oneshot::Sender<Result<Sent, QueueError>>,
}

/// A request on its way. When it is back, however it ended, others may go.
struct Request {
    queue: BatchingQueue,
    hurry: Arc<Hurry>,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.queue.state().requests -= 1;
        self.queue.send_waiting();
    }
}

/// A group of which messages are on their way. When they are not any more, however that ended, its next ones may go.
struct Group {
    queue: BatchingQueue,
    id: String,
}

impl Drop for Group {
    fn drop(&mut self) {
        self.queue.state().busy.remove(&self.id);
        self.queue.send_waiting();
    }
}

/// What a new message has to do.
enum Admission {
    Go(Box<Message>, Request, Vec<Group>),
    Wait(oneshot::Receiver<Result<Sent, QueueError>>, String),
}

impl BatchingQueue {
    /// In front of a queue.
    #[must_use]
    pub fn new(sqs: Sqs) -> Self {
        Self(Arc::new(Shared { sqs, state: Mutex::default() }))
    }

    fn admit(&self, message: Message, deadline: Instant) -> Admission {
        let mut state = self.state();
        let is_alone = state.requests == 0 && state.waiting.is_empty();
        if is_alone && !state.busy.contains_key(&message.group_id) {
            let (request, groups) = self.begin(&mut state, [&message].into_iter());
            return Admission::Go(Box::new(message), request, groups);
        }
        let (answer, receiver) = oneshot::channel();
        let group = message.group_id.clone();
        state.waiting.push_back(Waiting { message, deadline, answer });
        drop(state);
        if let Some((request, groups, full)) = self.next(true) {
            self.spawn(request, groups, full);
        }
        Admission::Wait(receiver, group)
    }

    /// Sends everything that may go.
    fn send_waiting(&self) {
        while let Some((request, groups, batch)) = self.next(false) {
            self.spawn(request, groups, batch);
        }
    }

    /// What can go in one request, if anything can; with `only_full`, if that fills the request.
    fn next(&self, only_full: bool) -> Option<(Request, Vec<Group>, Vec<Waiting>)> {
        let mut state = self.state();
        let batch = state.take(self.kind(), only_full);
        if batch.is_empty() {
            return None;
        }
        let (request, groups) = self.begin(&mut state, batch.iter().map(|waiting| &waiting.message));
        Some((request, groups, batch))
    }

    fn begin<'m>(&self, state: &mut State, messages: impl Iterator<Item = &'m Message>) -> (Request, Vec<Group>) {
        state.requests += 1;
        let (mut groups, hurry) = (Vec::new(), Arc::new(Hurry::default()));
        if self.kind() == QueueKind::Fifo {
            for message in messages {
                if state.busy.insert(message.group_id.clone(), Arc::clone(&hurry)).is_none() {
                    groups.push(Group { queue: self.clone(), id: message.group_id.clone() });
                }
            }
        }
        (Request { queue: self.clone(), hurry }, groups)
    }

    /// Spawned, because none of the waiters may cancel it for the others.
    fn spawn(&self, request: Request, groups: Vec<Group>, batch: Vec<Waiting>) {
        tokio::spawn(commit(self.clone(), request, groups, batch));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes what can go in one request, in the order in which it came; with `only_full`, all of it or nothing.
    fn take(&mut self, kind: QueueKind, only_full: bool) -> Vec<Waiting> {
        self.waiting.retain(|waiting| !waiting.answer.is_closed());
        let (mut taken, mut bytes, mut is_full) = (Vec::new(), 0, false);
        // A group's message that stays holds back the later ones.
        let mut held_back = HashSet::new();
        let mut deduplication_ids = HashSet::new();
        for (place, Waiting { message, .. }) in self.waiting.iter().enumerate() {
            let group = message.group_id.as_str();
            if kind == QueueKind::Fifo {
                let is_free = !held_back.contains(group) && !self.busy.contains_key(group);
                // Two with one id in one batch: SQS does not say which of them it takes.
                if !is_free || !deduplication_ids.insert(message.deduplication_id.as_deref()) {
                    held_back.insert(group);
                    continue;
                }
            }
            bytes += message.bytes();
            is_full = taken.len() == MAX_ENTRIES || (bytes > MAX_MESSAGE_BYTES && !taken.is_empty());
            if is_full {
                break;
            }
            taken.push(place);
        }
        if only_full && !is_full && taken.len() < MAX_ENTRIES {
            return Vec::new();
        }
        let taken: Vec<Option<Waiting>> = taken.into_iter().rev().map(|place| self.waiting.remove(place)).collect();
        taken.into_iter().rev().flatten().collect()
    }
}

/// Sends a batch and tells each waiter. What the queue did not take of it is sent again, so that no message costs another
/// one its place; meanwhile the groups of the others go on.
async fn commit(queue: BatchingQueue, request: Request, groups: Vec<Group>, batch: Vec<Waiting>) {
    let sqs = &queue.0.sqs;
    let hurry = Arc::clone(&request.hurry);
    let taken = match batch.as_slice() {
        [] | [_] => Ok(vec![None; batch.len()]),
        _ => {
            let deadlines: Vec<Instant> = batch.iter().map(|waiting| waiting.deadline).collect();
            let messages: Vec<&Message> = batch.iter().map(|waiting| &waiting.message).collect();
            sqs.send_batch(&messages, &deadlines, &hurry).await
        }
    };
    let is_alone = batch.len() == 1;
    let taken = match taken {
        Ok(taken) => taken,
        Err(QueueError::Rejected(_) | QueueError::TooLarge { .. }) => vec![None; batch.len()],
        Err(error) => {
            for waiting in batch {
                let _ = waiting.answer.send(Err(error.clone()));
            }
            return;
        }
    };
    let left = answer(batch, taken);
    // The only message of a request is still on its way with it.
    let request = is_alone.then_some(request);
    let mut groups: BTreeMap<String, Group> = groups.into_iter().map(|group| (group.id.clone(), group)).collect();
    let left: Vec<_> = left.into_iter().map(|(id, waiting)| (groups.remove(&id), waiting)).collect();
    // These are complete.
    drop(groups);
    join_all(left.into_iter().map(|(group, waiting)| send_again(sqs, &hurry, group, waiting))).await;
    drop(request);
}

/// Answers whose message SQS has. Returns the others, by what must stay in order: their group.
fn answer(batch: Vec<Waiting>, taken: Vec<Option<Sent>>) -> BTreeMap<String, Vec<Waiting>> {
    let mut left: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
    for (waiting, taken) in batch.into_iter().zip(taken) {
        let is_late = left.contains_key(&waiting.message.group_id);
        match taken {
            Some(sent) => {
                if is_late && waiting.message.deduplication_id.is_some() {
                    telemetry::count("Reordered");
                }
                let _ = waiting.answer.send(Ok(sent));
            }
            None => left.entry(waiting.message.group_id.clone()).or_default().push(waiting),
        }
    }
    left
}

/// Sends messages of one group again, each by itself: on a FIFO queue one after the other, else side by side.
async fn send_again(sqs: &Sqs, hurry: &Hurry, group: Option<Group>, waiting: Vec<Waiting>) {
    let again = async |Waiting { message, deadline, answer }| {
        let _ = answer.send(sqs.send_one(message, deadline, hurry).await);
    };
    if group.is_some() {
        for waiting in waiting {
            again(waiting).await;
        }
    } else {
        join_all(waiting.into_iter().map(again)).await;
    }
}

impl Queue for BatchingQueue {
    fn kind(&self) -> QueueKind {
        self.0.sqs.kind()
    }

    async fn warm_up(&self) {
        self.0.sqs.warm_up().await;
    }

    fn send(&self, message: Message, deadline: Instant) -> impl Future<Output = Result<Sent, QueueError>> + Send {
        let bytes = message.bytes();
        let admission = (bytes <= MAX_MESSAGE_BYTES).then(|| self.admit(message, deadline));
        async move {
            match admission {
                None => Err(QueueError::TooLarge { limit: MAX_MESSAGE_BYTES }),
                Some(Admission::Go(message, request, groups)) => {
                    let sent = self.0.sqs.send_one(*message, deadline, &request.hurry).await;
                    drop((groups, request));
                    sent
                }
                Some(Admission::Wait(answer, group)) => self.wait(answer, &group, deadline).await,
            }
        }
    }
}

impl BatchingQueue {
    /// Waits for what becomes of a message, and sends what is there when it has waited long enough for others. Shortly
    /// before its deadline it hurries up what its group has on its way: that may have more time than this message.
    async fn wait(
        &self,
        mut answer: oneshot::Receiver<Result<Sent, QueueError>>,
        group: &str,
        deadline: Instant,
    ) -> Result<Sent, QueueError> {
        if let Ok(answer) = timeout_at(deadline.min(Instant::now() + LINGER), &mut answer).await {
            return answer.unwrap_or_else(|_| Err(given_up()));
        }
        self.send_waiting();
        if let Ok(answer) = timeout_at(Hurry::due(deadline), &mut answer).await {
            return answer.unwrap_or_else(|_| Err(given_up()));
        }
        let hurry = self.state().busy.get(group).cloned();
        if let Some(hurry) = hurry {
            hurry.up();
        }
        let answer = timeout_at(deadline, answer).await.map_err(|_| QueueError::OutOfTime)?;
        answer.unwrap_or_else(|_| Err(given_up()))
    }
}

/// Of a message whose request ended without an answer.
fn given_up() -> QueueError {
    QueueError::Unreachable("the request was given up".to_owned())
}
