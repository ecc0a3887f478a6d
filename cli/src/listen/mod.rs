//! `voicehook listen`: shows events as they arrive on a queue, and optionally forwards them to a web application.
//!
//! On exit, messages that were received but not deleted become visible to other readers again.

mod filter;
mod forward;
mod message;
mod source;

use std::{
    io,
    pin::pin,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::anyhow;
use clap::Args;
use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::Instant;
use voicehook_lambda::queue::QueueUrl;

use self::{
    filter::{Filter, passes},
    forward::Application,
    message::{Forwarded, Received},
    source::{Failure, Source},
};
use crate::console;

/// The longest wait for a message in one request, in seconds. SQS allows twenty, but Ctrl-C waits for it: a request that
/// is given up would still be answered, with messages that nobody gives back.
const LONG_POLL: u64 = 3;
/// Before the next try, where the queue could not be reached.
const PAUSE: Duration = Duration::from_secs(2);

/// Shows events as they arrive on a queue, and can post them to a web application
///
/// By default, or with --peek, all messages stay on the queue: they are hidden from other readers while it runs and
/// visible again when it exits. With --delete, or after a 2xx response to --forward-to, they are deleted.
#[allow(clippy::doc_markdown, reason = "the lines are the text of --help")]
#[derive(Args)]
#[command(
    after_help = "Received messages are hidden from other readers until they are deleted or the command exits (if it is killed, for up to
--visibility-timeout seconds). This limits --peek, and messages that a --filter excludes:
  - A FIFO queue delivers the later events of a call only once the earlier ones are deleted or visible again: --peek
    shows the first few events of each call, and a filter by type can get stuck behind an event that it excludes.
  - Every receive counts: a queue with a dead-letter queue moves a message there after maxReceiveCount.
  - Your application does not get these events in the meantime. Use a queue of your own, or a quiet hour.

--forward-to posts the body as it is, with its content type, and the attributes as headers: event_type is
x-voicehook-event-type. Without a 2xx response within 30 s, an event goes back to the queue and is retried after 1, 2, 4 … 60 s;
on a FIFO queue the later events of the call wait for it. An event can be posted more than once: your application must
process each x-voicehook-event-id only once. Identical bodies with different ids are different events, such as a key
pressed twice.

Exit status: 0, or 1 if --max was not reached before --idle-exit or the queue cannot be read.

Examples:
  voicehook listen --queue-url https://sqs.us-east-1.amazonaws.com/123456789012/voicehook-events.fifo
  voicehook listen --queue-url $QUEUE_URL --filter 'type=call.*' --filter app=sales
  voicehook listen --queue-url $QUEUE_URL --forward-to http://127.0.0.1:8080/events
  voicehook listen --queue-url $QUEUE_URL --delete --json --max 10 --idle-exit 30 | jq .attributes.event_type"
)]
pub(crate) struct Listen {
    /// URL of the queue
    #[arg(long, env = "QUEUE_URL")]
    queue_url: String,
    /// Leaves the messages on the queue; this is the default
    #[arg(long, conflicts_with_all = ["delete", "forward_to"])]
    peek: bool,
    /// Deletes each message once it is shown
    #[arg(long, conflicts_with = "forward_to")]
    delete: bool,
    /// Posts each event to this URL, or to this local port, and deletes it after a 2xx response
    #[arg(long, value_name = "URL", value_parser = forward::url)]
    forward_to: Option<String>,
    /// Only events whose type, app, voice_id or broadcast_id matches a pattern with * and ?; of several patterns for
    /// one of them, one must match. What does not match stays on the queue
    #[arg(long, value_name = "NAME=PATTERN")]
    filter: Vec<Filter>,
    /// Prints each message as a line of JSON, with its attributes and its body
    #[arg(long)]
    json: bool,
    /// Exits after this many events
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    max: Option<u32>,
    /// Exits when no event has arrived for this many seconds
    #[arg(long, value_name = "SECONDS")]
    idle_exit: Option<u64>,
    /// Seconds for which SQS hides a message at a time; extended for as long as needed
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(i32).range(10..=43200))]
    visibility_timeout: i32,
}

/// What becomes of a message that is shown.
enum Then {
    Leave,
    Delete,
    Forward(Application),
}

/// Why listening ended.
enum End {
    /// As many events as were asked for, Ctrl-C, or nobody reads what it prints.
    Done,
    /// No event came for a while.
    Idle,
}

impl Listen {
    /// Shows events until there is a reason to end.
    #[tokio::main]
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let url = QueueUrl::new(&self.queue_url).map_err(|error| anyhow!("--queue-url {error}"))?;
        let source = Arc::new(Source::new(url, self.visibility_timeout).await);
        self.introduce(&source).await?;
        let session = Session {
            then: match &self.forward_to {
                Some(url) => Then::Forward(Application::new(url.clone())),
                None if self.delete => Then::Delete,
                None => Then::Leave,
            },
            json: self.json,
            source: Arc::clone(&source),
            is_over: AtomicBool::new(false),
            done: AtomicUsize::new(0),
        };
        let extending = tokio::spawn(extend(Arc::clone(&source)));
        let end = self.listen(&session).await;
        extending.abort();
        let released = source.release().await;
        let end = end.map_err(|failure| anyhow!("--queue-url: {}", failure.message))?;
        let released = released.map_err(|failure| {
            let seconds = self.visibility_timeout;
            anyhow!("--queue-url: {}. What was received is visible again within {seconds} s", failure.message)
        })?;
        let done = session.done.load(Ordering::Relaxed);
        console::note(format_args!("{}{}", events(done), left(released)));
        let missed = matches!(end, End::Idle) && self.max.is_some_and(|max| done < max as usize);
        Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Says on standard error what is read and what becomes of it; a queue that cannot be read ends it here.
    async fn introduce(&self, source: &Source) -> anyhow::Result<()> {
        let about = source.about().await.map_err(|failure| anyhow!("--queue-url: {}", failure.message))?;
        let waiting = about.as_ref().map_or_else(String::new, |about| format!(" ({} waiting)", about.waiting));
        let then = match &self.forward_to {
            Some(url) => format!("posted to {url}, and deleted after a 2xx"),
            None if self.delete => "deleted once they are shown".to_owned(),
            None => "left on the queue, and hidden from other readers until this ends".to_owned(),
        };
        console::note(format_args!("Events of {}{waiting} are {then}. Ctrl-C ends.", source.name()));
        let leaves = self.forward_to.is_none() && !self.delete;
        if leaves && source.is_fifo() {
            console::note("On a FIFO queue the later events of a call stay behind those that are left: see --help.");
        }
        if let Some(count) = about.and_then(|about| about.max_receive_count)
            && (leaves || !self.filter.is_empty())
        {
            console::note(format_args!("A message that was received {count} times goes to the dead-letter queue."));
        }
        Ok(())
    }

    async fn listen(&self, session: &Session) -> Result<End, Failure> {
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        let mut idle_since = Instant::now();
        let mut was_reached = false;
        loop {
            let Some(wait) = self.wait(idle_since) else { return Ok(End::Idle) };
            let missing = self.max.map_or(usize::MAX, |max| max as usize - session.done.load(Ordering::Relaxed));
            // Where most are left out, a small request would only cost more of them.
            let at_once = if self.filter.is_empty() { missing } else { usize::MAX };
            let mut receiving = pin!(session.source.receive(at_once, wait));
            let received = tokio::select! {
                received = &mut receiving => received,
                _ = &mut interrupted => {
                    // Pressed once more, it does not wait.
                    tokio::select! {
                        last = receiving => last.map(drop)?,
                        _ = tokio::signal::ctrl_c() => {}
                    }
                    return Ok(End::Done);
                }
            };
            let received = match received {
                Ok(received) => received,
                Err(failure) if failure.is_passing && was_reached => {
                    console::note(format_args!("{}; trying again", failure.message));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            was_reached = true;
            let mut events: Vec<Received> =
                received.into_iter().filter(|message| passes(&self.filter, message)).collect();
            events.truncate(missing);
            if !events.is_empty() {
                let mut handling = pin!(session.handle(events));
                tokio::select! {
                    handled = &mut handling => handled?,
                    _ = &mut interrupted => {
                        session.is_over.store(true, Ordering::Relaxed);
                        handling.await?;
                    }
                }
                idle_since = Instant::now();
            }
            let done = session.done.load(Ordering::Relaxed);
            if session.is_over.load(Ordering::Relaxed) || self.max.is_some_and(|max| done >= max as usize) {
                return Ok(End::Done);
            }
        }
    }

    /// Seconds to wait for a message; `None` when it was idle for long enough.
    fn wait(&self, idle_since: Instant) -> Option<i32> {
        let Some(idle_exit) = self.idle_exit.map(Duration::from_secs) else { return i32::try_from(LONG_POLL).ok() };
        let idle = idle_since.elapsed();
        // Zero seconds are a look at what is there, once.
        if idle >= idle_exit && !(idle_exit.is_zero() && idle < PAUSE) {
            return None;
        }
        let left = (idle_exit.saturating_sub(idle)).as_secs_f64().ceil() as u64;
        i32::try_from(left.min(LONG_POLL)).ok()
    }
}

/// What the messages of a run have in common.
struct Session {
    then: Then,
    json: bool,
    source: Arc<Source>,
    /// Nothing more is to be begun.
    is_over: AtomicBool,
    /// Events that were shown, and posted where that is asked for.
    done: AtomicUsize,
}

impl Session {
    /// Handles what was received together, in its order; what is posted, side by side with other groups.
    async fn handle(&self, messages: Vec<Received>) -> Result<(), Failure> {
        match &self.then {
            Then::Leave => messages.iter().for_each(|message| _ = self.show(message, None)),
            Then::Delete => {
                for message in &messages {
                    if self.show(message, None) {
                        self.source.delete(message).await?;
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

    /// What must stay in its order: the messages of a group on a FIFO queue.
    fn groups(&self, messages: Vec<Received>) -> Vec<Vec<Received>> {
        let mut groups: Vec<Vec<Received>> = Vec::new();
        for message in messages {
            let same = |group: &&mut Vec<Received>| self.source.is_fifo() && group[0].group_id == message.group_id;
            match groups.iter_mut().find(same) {
                Some(group) => group.push(message),
                None => groups.push(vec![message]),
            }
        }
        groups
    }

    /// Posts the messages of one group. What is not taken goes back to the queue, and all behind it, so that they come
    /// in their order again.
    async fn forward(&self, application: &Application, group: Vec<Received>) -> Result<(), Failure> {
        for message in &group {
            if self.is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let forwarded = application.post(message).await;
            match forwarded.again_in {
                None => {
                    self.source.delete(message).await?;
                    self.show(message, Some(&forwarded));
                }
                Some(seconds) => {
                    self.print(message, Some(&forwarded));
                    return self.source.give_back(message, seconds).await;
                }
            }
        }
        Ok(())
    }

    /// Prints a message that counts. `false` where nobody reads it: then all is over.
    fn show(&self, message: &Received, forwarded: Option<&Forwarded>) -> bool {
        let is_read = !self.is_over.load(Ordering::Relaxed) || forwarded.is_some();
        if is_read && self.print(message, forwarded) {
            self.done.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        false
    }

    fn print(&self, message: &Received, forwarded: Option<&Forwarded>) -> bool {
        let line = if self.json { message.json(forwarded) } else { message.line(Timestamp::now(), forwarded) };
        let printed: io::Result<()> = console::styled_line(line);
        if printed.is_err() {
            self.is_over.store(true, Ordering::Relaxed);
        }
        printed.is_ok()
    }
}

/// Keeps what is held hidden, for as long as it runs.
async fn extend(source: Arc<Source>) {
    loop {
        tokio::time::sleep(source.half_time()).await;
        source.extend().await;
    }
}

fn events(count: usize) -> String {
    if count == 1 { "1 event.".to_owned() } else { format!("{count} events.") }
}

fn left(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " 1 message is visible to other readers again.".to_owned(),
        _ => format!(" {count} messages are visible to other readers again."),
    }
}
