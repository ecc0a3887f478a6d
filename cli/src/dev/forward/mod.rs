//! `voicehook dev --forward-to`: posts each queued event to the developer's own application.
//!
//! The application stands for a subscriber of the queue: its answer decides whether the event is posted again, and is never
//! the answer to the webhook, which does not wait for it. Events of one call are posted one after the other, in the order in
//! which they were queued. As on a queue with a dead-letter queue, an event that was refused too often is given up. While the
//! application cannot be reached, events are held and nothing counts.

mod action;
mod forwarding;
mod rehearsal;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::anyhow;
use clap::Args;
use jiff::Timestamp;
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};
use voicehook_lambda::queue::Message;

pub(crate) use self::forwarding::Forwarding;
use self::{
    forwarding::{Attempt, State},
    rehearsal::{Fault, Rehearsal, Share},
};
use super::inspector::Journal;
use crate::{
    console,
    forward::{self, Application, Delivery, Reply, backoff},
    http::is_this_machine,
    printable::one_line,
};

/// How many events are posted at the same time. Events of one call never are.
const AT_ONCE: usize = 16;
/// Longest time until an application that cannot be reached is tried again, in seconds: it may be restarting.
const LONGEST_ABSENCE: u32 = 5;
/// How many bytes of events may wait for the application.
const MOST_WAITING: usize = 64 << 20;

/// The options.
#[derive(Args, Debug)]
pub(crate) struct ForwardArgs {
    /// Post each queued event to your application, as `listen --forward-to` does: a URL, localhost:3001/events, or a port of
    /// this machine. Its answer is shown in the inspector, and is never the answer to the webhook
    #[arg(long, value_name = "URL", value_parser = forward::url)]
    forward_to: Option<String>,
    /// How often an event is posted that your application refuses, or does not answer within 30 s, before it is given up
    #[arg(long, value_name = "COUNT", default_value_t = 5, requires = "forward_to")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    forward_attempts: u32,
    /// Rehearse failures: let this share of the posts fail, such as 1/3 or 20%, as --forward-fail-as says
    #[arg(long, value_name = "SHARE", requires = "forward_to")]
    forward_fail: Option<Share>,
    /// How they fail, in turn: with a status from 300 to 599, which your application does not see; by a `timeout`, after your
    /// application has got the event, so that it gets it twice; or as a `refused` connection, which it does not see
    #[arg(long, value_name = "KIND", value_delimiter = ',', default_value = "500,timeout,refused")]
    #[arg(requires = "forward_fail")]
    forward_fail_as: Vec<Fault>,
}

impl ForwardArgs {
    /// Prepares to post. `once`: only for the events of the sample call, so an application that is not there is not waited
    /// for.
    pub(crate) fn forwarder(&self, listening: SocketAddr, once: bool) -> anyhow::Result<Option<Arc<Forwarder>>> {
        let Some(url) = &self.forward_to else { return Ok(None) };
        let uri: ::http::Uri = url.parse()?;
        if is_this_machine(&uri) && uri.port_u16() == Some(listening.port()) {
            return Err(anyhow!(
                "--forward-to {url} is this receiver itself; expected the address of your application"
            ));
        }
        let application = Application::new(url.clone()).map_err(|error| anyhow!("--forward-to: {error:#}"))?;
        let rehearsal = self.rehearsal();
        let most = Most { attempts: self.forward_attempts, tries: if once { self.forward_attempts } else { u32::MAX } };
        Ok(Some(Arc::new(Forwarder::new(application, most, rehearsal))))
    }

    /// Prints where events are posted to, if they are.
    pub(crate) fn introduce(&self) {
        if let Some(url) = &self.forward_to {
            console::line(format_args!("forward: {url}"));
        }
        if let (Some(share), Some(rehearsal)) = (self.forward_fail, self.rehearsal()) {
            console::line(format_args!("rehearsed failures: {share} of the posts, as {rehearsal}"));
        }
    }

    fn rehearsal(&self) -> Option<Rehearsal> {
        self.forward_fail.map(|share| Rehearsal::new(share, self.forward_fail_as.clone()))
    }
}

/// How many events the application has not taken, once all of them are settled.
pub(crate) async fn settled(forwarder: Option<&Forwarder>) -> usize {
    let Some(forwarder) = forwarder else { return 0 };
    let _ = forwarder.open.subscribe().wait_for(|open| *open == 0).await;
    not_taken(Some(forwarder))
}

/// How many events the application has not taken so far. Says it on standard error.
pub(crate) fn not_taken(forwarder: Option<&Forwarder>) -> usize {
    let Some(forwarder) = forwarder else { return 0 };
    let count = *forwarder.open.borrow() + forwarder.given_up.load(Ordering::Relaxed);
    match count {
        0 => {}
        1 => console::error("1 event was not taken by your application"),
        _ => console::error(format_args!("{count} events were not taken by your application")),
    }
    count
}

/// How often an event is posted.
#[derive(Clone, Copy, Debug)]
struct Most {
    /// Posts that reached the application.
    attempts: u32,
    /// All posts.
    tries: u32,
}

/// Posts events to one application.
#[derive(Debug)]
pub(crate) struct Forwarder {
    application: Application,
    most: Most,
    rehearsal: Option<Rehearsal>,
    /// By message group: what waits behind the event that is being posted.
    groups: Mutex<HashMap<String, VecDeque<Job>>>,
    permits: Semaphore,
    /// How many events are neither taken nor given up.
    open: watch::Sender<usize>,
    waiting_bytes: AtomicUsize,
    given_up: AtomicUsize,
    is_unreachable: AtomicBool,
}

/// An event that is to be posted.
#[derive(Debug)]
struct Job {
    message: Message,
    forwarding: Arc<Forwarding>,
    /// Where the inspector shows it.
    shown: Option<(Arc<Journal>, u64)>,
}

impl Forwarder {
    fn new(application: Application, most: Most, rehearsal: Option<Rehearsal>) -> Self {
        Self {
            application,
            most,
            rehearsal,
            groups: Mutex::default(),
            permits: Semaphore::new(AT_ONCE),
            open: watch::Sender::new(0),
            waiting_bytes: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            is_unreachable: AtomicBool::new(false),
        }
    }

    /// What becomes of an event that is to be posted.
    pub(crate) fn prepare(&self, message: &Message) -> Arc<Forwarding> {
        Arc::new(Forwarding::new(self.application.url(), message))
    }

    /// Posts an event once those before it of its group are settled, without waiting for that.
    pub(crate) fn post(
        self: &Arc<Self>,
        message: Message,
        forwarding: Arc<Forwarding>,
        shown: Option<(Arc<Journal>, u64)>,
    ) {
        let group = message.group_id.clone();
        let bytes = message.bytes();
        let job = Job { message, forwarding, shown };
        self.open.send_modify(|open| *open += 1);
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) > MOST_WAITING {
            console::error("--forward-to: too many events wait for your application; one is not posted");
            self.settle(&job, false);
            return;
        }
        match self.groups().entry(group.clone()) {
            Entry::Occupied(mut waiting) => waiting.get_mut().push_back(job),
            Entry::Vacant(new) => {
                new.insert(VecDeque::from([job]));
                tokio::spawn(Arc::clone(self).work(group));
            }
        }
    }

    async fn work(self: Arc<Self>, group: String) {
        while let Some(job) = self.next(&group) {
            self.deliver(&job).await;
        }
    }

    fn next(&self, group: &str) -> Option<Job> {
        let mut groups = self.groups();
        let job = groups.get_mut(group).and_then(VecDeque::pop_front);
        if job.is_none() {
            groups.remove(group);
        }
        job
    }

    /// Posts an event until it is taken or given up.
    async fn deliver(&self, job: &Job) {
        let mut received = 0;
        for tries in 1.. {
            let attempt = self.attempt(job, received + 1).await;
            self.note_whether_reached(&attempt);
            received += u32::from(attempt.counts());
            let is_over = attempt.is_taken() || received >= self.most.attempts || tries >= self.most.tries;
            let seconds = if attempt.counts() { backoff(received) } else { backoff(tries).min(LONGEST_ABSENCE) };
            let again_in = (!is_over).then_some(seconds);
            if is_over || attempt.counts() || attempt.is_rehearsed {
                console::line(self.line(job, &attempt, again_in, tries));
            }
            let is_taken = attempt.is_taken();
            job.forwarding.add(attempt);
            let Some(seconds) = again_in else { return self.settle(job, is_taken) };
            job.changed();
            sleep(Duration::from_secs(seconds.into())).await;
        }
    }

    /// Posts an event once.
    async fn attempt(&self, job: &Job, receive_count: u32) -> Attempt {
        let _permit = self.permits.acquire().await;
        let rehearsed = self.rehearsal.as_ref().and_then(Rehearsal::next);
        let (at, start) = (Timestamp::now(), Instant::now());
        let result = match rehearsed {
            Some(Fault::Status(status)) => {
                Ok(Reply { status, headers: ::http::HeaderMap::new(), body: Vec::new(), is_whole: true })
            }
            Some(Fault::Refused) => Err(self.application.no_answer("connection refused", false)),
            Some(Fault::Timeout) => {
                let _ = self.application.post(job.delivery(receive_count)).await;
                Err(self.application.no_answer("timeout, after your application had got the event", true))
            }
            None => self.application.post(job.delivery(receive_count)).await,
        };
        Attempt { at, took: start.elapsed(), result, is_rehearsed: rehearsed.is_some() }
    }

    /// Says once that the application cannot be reached, however many events wait for it.
    fn note_whether_reached(&self, attempt: &Attempt) {
        if attempt.is_rehearsed {
            return;
        }
        match &attempt.result {
            Err(error) if !error.was_reached => {
                if !self.is_unreachable.swap(true, Ordering::Relaxed) {
                    let is_held = self.most.tries == u32::MAX;
                    let then = if is_held { ". The events are held, and posted when it does" } else { "" };
                    console::error(format_args!("--forward-to: {error}{then}"));
                }
            }
            _ => self.is_unreachable.store(false, Ordering::Relaxed),
        }
    }

    fn settle(&self, job: &Job, is_taken: bool) {
        self.waiting_bytes.fetch_sub(job.message.bytes(), Ordering::Relaxed);
        self.given_up.fetch_add(usize::from(!is_taken), Ordering::Relaxed);
        job.forwarding.end(if is_taken { State::Taken } else { State::GivenUp });
        job.changed();
        self.open.send_modify(|open| *open -= 1);
    }

    fn line(&self, job: &Job, attempt: &Attempt, again_in: Option<u32>, tries: u32) -> String {
        let event_type = one_line(job.message.attribute("event_type").unwrap_or_default());
        let then = match again_in {
            _ if attempt.is_taken() => String::new(),
            Some(seconds) => format!("; again in {seconds} s"),
            None => format!("; given up after {tries} {}", if tries == 1 { "attempt" } else { "attempts" }),
        };
        let took = if attempt.counts() { format!(" in {} ms", attempt.took.as_millis()) } else { String::new() };
        format!("posted  {event_type:<26} {}{took}{then}", one_line(&attempt.text()))
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Job>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// The request. In memory all messages have the same id, so it is that of the webhook.
    fn delivery(&self, receive_count: u32) -> Arc<Delivery> {
        let attributes = self.message.attributes.iter().map(|(name, value)| (*name, value.as_str()));
        let id = self.message.attribute("request_id").unwrap_or_default();
        Arc::new(Delivery::new(id, receive_count, attributes, self.message.body.clone()))
    }

    /// Tells the inspector that there is news.
    fn changed(&self) {
        if let Some((journal, id)) = &self.shown {
            journal.changed(*id);
        }
    }
}
