//! One run of `listen`: what becomes of each message that was received.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::message::{Forwarded, Received};
use crate::{
    console,
    forward::{Application, backoff},
    queue::{Failure, QueueReader},
};

/// What becomes of a message that is shown.
pub(super) enum Then {
    Leave,
    Delete,
    Forward(Application),
}

/// What the messages of a run have in common.
pub(super) struct Session {
    then: Then,
    json: bool,
    queue: Arc<QueueReader>,
    /// After how many receives SQS moves a message to the dead-letter queue.
    max_receive_count: Option<u32>,
    /// How long an application that cannot be reached is tried; without an end if `None`.
    patience: Option<Duration>,
    /// Nothing more is to be begun.
    over: watch::Sender<bool>,
    /// Events that were shown, and posted where that is asked for.
    done: AtomicUsize,
    /// The ids of messages that the application has not taken so far.
    not_taken: Mutex<HashSet<String>>,
    is_unreachable: AtomicBool,
}

impl Session {
    pub(super) fn new(
        then: Then,
        json: bool,
        queue: Arc<QueueReader>,
        max_receive_count: Option<u32>,
        patience: Option<Duration>,
    ) -> Self {
        Self {
            then,
            json,
            queue,
            max_receive_count,
            patience,
            over: watch::Sender::new(false),
            done: AtomicUsize::new(0),
            not_taken: Mutex::default(),
            is_unreachable: AtomicBool::new(false),
        }
    }

    /// Events that were shown, and posted where that is asked for.
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// How many events the application was given and has not taken.
    pub(super) fn not_taken(&self) -> usize {
        self.refused().len()
    }

    pub(super) fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Lets what is being done end, and begins nothing more.
    pub(super) fn end(&self) {
        self.over.send_replace(true);
    }

    /// Handles what was received together, in its order; what is posted, side by side with other groups.
    pub(super) async fn handle(&self, messages: Vec<Received>) -> Result<(), Failure> {
        match &self.then {
            Then::Leave => messages.iter().for_each(|message| _ = self.show(message, None)),
            Then::Delete => {
                for message in &messages {
                    if self.show(message, None) {
                        self.delete(message).await?;
                    }
                }
            }
            Then::Forward(application) => {
                let groups = self.groups(messages).into_iter();
                let forwarded = join_all(groups.map(|group| self.forward(application, group))).await;
                return forwarded.into_iter().collect();
            }
        }
        Ok(())
    }

    async fn delete(&self, message: &Received) -> Result<(), Failure> {
        self.queue.delete(std::slice::from_ref(&message.id)).await
    }

    /// What must stay in its order: the messages of a group on a FIFO queue.
    fn groups(&self, messages: Vec<Received>) -> Vec<Vec<Received>> {
        let mut groups: Vec<Vec<Received>> = Vec::new();
        for message in messages {
            let same = |group: &&mut Vec<Received>| self.queue.is_fifo() && group[0].group_id == message.group_id;
            match groups.iter_mut().find(same) {
                Some(group) => group.push(message),
                None => groups.push(vec![message]),
            }
        }
        groups
    }

    /// Posts the messages of one group. What is refused goes back to the queue, and all behind it, so that they come in
    /// their order again.
    async fn forward(&self, application: &Application, group: Vec<Received>) -> Result<(), Failure> {
        for message in &group {
            let Some(forwarded) = self.post(application, message).await else { return Ok(()) };
            let Some(seconds) = forwarded.again_in else {
                self.refused().remove(&message.id);
                self.delete(message).await?;
                self.show(message, Some(&forwarded));
                continue;
            };
            self.print(message, Some(&forwarded));
            self.warn_of_dead_letters(message);
            return self.queue.give_back(&message.id, seconds).await;
        }
        Ok(())
    }

    /// Posts a message until the application answers. While it does not, the message stays hidden and held: giving it
    /// back would count as a receive, and take it to the dead-letter queue within seconds. `None` if the run is over.
    async fn post(&self, application: &Application, message: &Received) -> Option<Forwarded> {
        let began = Instant::now();
        for attempt in 1.. {
            if self.is_over() {
                return None;
            }
            self.refused().insert(message.id.clone());
            let forwarded = message.forward(application).await;
            let Err(error) = &forwarded.answer else {
                self.is_unreachable.store(false, Ordering::Relaxed);
                return Some(forwarded);
            };
            if !self.is_unreachable.swap(true, Ordering::Relaxed) {
                console::note(format_args!("{error}. The events stay hidden and are posted when it does."));
            }
            if self.patience.is_some_and(|patience| began.elapsed() >= patience) {
                self.end();
            }
            let mut over = self.over.subscribe();
            tokio::select! {
                () = sleep(Duration::from_secs(backoff(attempt).into())) => {}
                _ = over.wait_for(|over| *over) => {}
            }
        }
        None
    }

    /// Says what the next receive would mean, before it happens.
    fn warn_of_dead_letters(&self, message: &Received) {
        let Some(max) = self.max_receive_count.filter(|max| message.receive_count + 1 >= *max) else { return };
        let (received, id) = (message.receive_count, &message.id);
        let then =
            if received >= max { "SQS moves it to the dead-letter queue now" } else { "one more, and SQS moves it" };
        console::note(format_args!(
            "Message {id} was received {received} of {max} times (maxReceiveCount): {then}{}.",
            if received >= max { "" } else { " to the dead-letter queue" }
        ));
    }

    /// Prints a message that counts. `false` if the reader of the output has gone, which ends the run.
    fn show(&self, message: &Received, forwarded: Option<&Forwarded>) -> bool {
        let is_read = !self.is_over() || forwarded.is_some();
        if is_read && self.print(message, forwarded) {
            self.done.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        false
    }

    fn print(&self, message: &Received, forwarded: Option<&Forwarded>) -> bool {
        let line = if self.json { message.json(forwarded) } else { message.line(Timestamp::now(), forwarded) };
        let is_printed = console::styled_line(line).is_ok();
        if !is_printed {
            self.end();
        }
        is_printed
    }

    fn refused(&self) -> MutexGuard<'_, HashSet<String>> {
        self.not_taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
