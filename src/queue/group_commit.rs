//! Many webhooks at once, with few requests to SQS.
//!
//! In come messages, each with somebody who waits for it; out go requests of one message or several, and each waiter
//! gets the word on its own message. A message that comes alone goes at once. While a request is on its way, messages
//! gather, and go together as soon as it is back, or ten of them are there, or [`GATHER`] is over: so a slow queue delays
//! nobody much, and several requests can be on their way.
//!
//! On a FIFO queue a message waits for the one of the same group before it, so that a retry does not change their order.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout, timeout_at},
};

use super::{MAX_MESSAGE_BYTES, Message, Queue, QueueError, QueueKind, Sent, Sqs, sqs::MAX_ENTRIES};

/// The longest that a message waits for others. SQS answers in 5 to 20 ms, so nearly always the request before it is back
/// by then.
const GATHER: Duration = Duration::from_millis(10);

/// A queue in SQS, shared by the webhooks of one process.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    sqs: Sqs,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    requests: usize,
    /// The groups of the messages that are on their way, on a FIFO queue.
    groups: HashSet<String>,
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
    queue: GroupCommit,
    groups: Vec<String>,
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.requests -= 1;
        for group in &self.groups {
            state.groups.remove(group);
        }
        drop(state);
        self.queue.send_waiting();
    }
}

/// What a message has to do.
enum Turn {
    Go(Box<Message>, Request),
    Wait(oneshot::Receiver<Result<Sent, QueueError>>),
}

impl GroupCommit {
    /// In front of a queue.
    #[must_use]
    pub fn new(sqs: Sqs) -> Self {
        Self { sqs, state: Arc::default() }
    }

    fn turn(&self, message: Message, deadline: Instant) -> Turn {
        let mut state = self.state();
        if state.requests == 0 && state.waiting.is_empty() {
            let request = self.request(&mut state, [&message].into_iter());
            return Turn::Go(Box::new(message), request);
        }
        let (answer, receiver) = oneshot::channel();
        state.waiting.push_back(Waiting { message, deadline, answer });
        drop(state);
        if let Some((request, full)) = self.next(true) {
            self.spawn(request, full);
        }
        Turn::Wait(receiver)
    }

    /// Sends everything that may go.
    fn send_waiting(&self) {
        while let Some((request, batch)) = self.next(false) {
            self.spawn(request, batch);
        }
    }

    /// What can go in one request, if anything can; with `only_full`, if that fills the request.
    fn next(&self, only_full: bool) -> Option<(Request, Vec<Waiting>)> {
        let mut state = self.state();
        let batch = state.take(self.kind(), only_full);
        if batch.is_empty() {
            return None;
        }
        let request = self.request(&mut state, batch.iter().map(|waiting| &waiting.message));
        Some((request, batch))
    }

    fn request<'m>(&self, state: &mut State, messages: impl Iterator<Item = &'m Message>) -> Request {
        state.requests += 1;
        let groups: Vec<String> = match self.kind() {
            QueueKind::Fifo => messages.map(|message| message.group_id.clone()).collect(),
            QueueKind::Standard => Vec::new(),
        };
        state.groups.extend(groups.iter().cloned());
        Request { queue: self.clone(), groups }
    }

    /// On a task of its own, because none of the waiters may end it for the others.
    fn spawn(&self, request: Request, batch: Vec<Waiting>) {
        let sqs = self.sqs.clone();
        tokio::spawn(async move {
            commit(&sqs, batch).await;
            drop(request);
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes what can go in one request, in the order in which it came; with `only_full`, all of it or nothing.
    fn take(&mut self, kind: QueueKind, only_full: bool) -> Vec<Waiting> {
        self.waiting.retain(|waiting| !waiting.answer.is_closed());
        let (mut taken, mut bytes, mut is_full) = (Vec::new(), 0, false);
        let mut groups = HashSet::new();
        for (place, Waiting { message, .. }) in self.waiting.iter().enumerate() {
            // Also where the message itself has to stay: the next one of its group must not overtake it.
            let goes_alone = kind == QueueKind::Standard || groups.insert(message.group_id.as_str());
            if !goes_alone || self.groups.contains(&message.group_id) {
                continue;
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

/// Sends a batch and tells each waiter. What the queue did not take of it is tried alone, so that no message costs
/// another one its place.
async fn commit(sqs: &Sqs, mut batch: Vec<Waiting>) {
    let taken = match batch.as_slice() {
        [] | [_] => Ok(vec![None]),
        _ => {
            let deadline = batch.iter().map(|waiting| waiting.deadline).max().unwrap_or_else(Instant::now);
            sqs.send_batch(batch.iter().map(|waiting| &waiting.message), deadline).await
        }
    };
    let taken = match taken {
        Ok(taken) => taken,
        Err(QueueError::Refused(_) | QueueError::TooLarge { .. }) => vec![None; batch.len()],
        Err(error) => {
            for waiting in batch {
                let _ = waiting.answer.send(Err(error.clone()));
            }
            return;
        }
    };
    let alone = batch.drain(..).zip(taken).map(async |(Waiting { message, deadline, answer }, taken)| {
        let result = match taken {
            Some(sent) => Ok(sent),
            None => sqs.send(message, deadline).await,
        };
        let _ = answer.send(result);
    });
    join_all(alone).await;
}

impl Queue for GroupCommit {
    fn kind(&self) -> QueueKind {
        self.sqs.kind()
    }

    async fn warm_up(&self) {
        self.sqs.warm_up().await;
    }

    async fn send(&self, message: Message, deadline: Instant) -> Result<Sent, QueueError> {
        let bytes = message.bytes();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(QueueError::TooLarge { bytes, limit: MAX_MESSAGE_BYTES });
        }
        match self.turn(message, deadline) {
            Turn::Go(message, request) => {
                let sent = self.sqs.send(*message, deadline).await;
                drop(request);
                sent
            }
            Turn::Wait(mut answer) => {
                let gathered = match timeout(GATHER, &mut answer).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        self.send_waiting();
                        timeout_at(deadline, answer).await.map_err(|_| QueueError::OutOfTime)?
                    }
                };
                gathered.unwrap_or_else(|_| Err(QueueError::Unreachable("the request was given up".to_owned())))
            }
        }
    }
}
