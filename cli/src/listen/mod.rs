//! `voicehook listen`: shows events as they arrive on a queue, and optionally forwards them to a web application.
//!
//! On exit, messages that were received but not deleted become visible to other readers again.

mod filter;
mod message;
mod session;

use std::{pin::pin, process::ExitCode, sync::Arc, time::Duration};

use anyhow::anyhow;
use clap::Args;
use tokio::time::Instant;

use self::{
    filter::{Filter, passes},
    message::Received,
    session::{Session, Then},
};
use crate::{
    aws, console,
    forward::{self, Application},
    queue::{self, About, Failure, QueueReader},
};

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
    after_help = "Received messages are hidden from other readers until they are deleted or the command exits (if it is \
killed, for up to --visibility-timeout seconds). This limits --peek, and messages that a --filter excludes:
- A FIFO queue delivers the later events of a call only once the earlier ones are deleted or visible again: --peek shows \
the first few events of each call, and a filter by type can get stuck behind an event that it excludes.
- Every receive counts: a queue with a dead-letter queue moves a message there after maxReceiveCount.
- Your application does not get these events in the meantime. Use a separate queue, or a quiet hour.

--forward-to posts the body as it is, with its content type, and the attributes as headers: event_type is \
x-voicehook-event-type. Redirects are not followed. An event that is answered with another status than 2xx goes back to \
the queue and is posted again after 1, 2, 4 … 60 s; each time counts towards maxReceiveCount. While the application cannot \
be reached, events are held and tried again, which does not count. On a FIFO queue the later events of the call wait. An \
event can be posted more than once: your application must process each x-voicehook-event-id only once. Identical bodies \
with different ids are different events, such as a key pressed twice.

Exit status: 0, or 1 if --max was not reached before --idle-exit, the application has not taken an event, or the queue \
cannot be read.

Examples:
  voicehook listen --queue-url $QUEUE_URL
  voicehook listen --queue-url $QUEUE_URL --filter 'type=call.*'
  voicehook listen --queue-url $QUEUE_URL --forward-to http://127.0.0.1:8080/
  voicehook listen --queue-url $QUEUE_URL --delete --json --max 10 | jq .body"
)]
pub(crate) struct Listen {
    /// URL of the queue
    #[arg(long, env = "QUEUE_URL")]
    queue_url: Option<String>,
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

/// Why listening ended.
enum End {
    /// As many events as were asked for, Ctrl-C, or the reader of its output has gone.
    Done,
    /// No event came for a while.
    Idle,
}

impl Listen {
    /// Shows events until there is a reason to end.
    #[tokio::main]
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let url = queue::named("--queue-url", "QUEUE_URL", self.queue_url.as_deref())?;
        let aws = aws::connect(url.region()).await?;
        let queue = Arc::new(QueueReader::new(&aws, url, self.visibility_timeout));
        let about = queue.about().await.map_err(|failure| anyhow!("--queue-url: {failure}"))?;
        self.introduce(&queue, about.as_ref());
        let max_receive_count = about.and_then(|about| about.max_receive_count?.parse().ok());
        let patience = self.idle_exit.map(Duration::from_secs);
        let session = Session::new(self.then()?, self.json, Arc::clone(&queue), max_receive_count, patience);
        let end = tokio::select! {
            end = self.listen(&session, &queue) => end,
            () = queue.keep_hidden() => Ok(End::Done),
        };
        let released = queue.release().await;
        let end = end.map_err(|failure| anyhow!("--queue-url: {failure}"))?;
        let released = released.map_err(|failure| {
            let seconds = self.visibility_timeout;
            anyhow!("--queue-url: {failure}. What was received is visible again within {seconds} s")
        })?;
        let done = session.done();
        console::note(format_args!("{}{}{}", events(done), not_taken(session.not_taken()), left(released)));
        let missed = matches!(end, End::Idle) && self.max.is_some_and(|max| done < max as usize);
        Ok(if missed || session.not_taken() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn then(&self) -> anyhow::Result<Then> {
        Ok(match &self.forward_to {
            Some(url) => Then::Forward(Application::new(url.clone())?),
            None if self.delete => Then::Delete,
            None => Then::Leave,
        })
    }

    /// Says on standard error what is read and what becomes of it.
    fn introduce(&self, queue: &QueueReader, about: Option<&About>) {
        let waiting = about.map_or_else(String::new, |about| format!(" ({} waiting)", about.waiting));
        let then = match &self.forward_to {
            Some(url) => format!("posted to {url}, and deleted after a 2xx"),
            None if self.delete => "deleted once they are shown".to_owned(),
            None => "left on the queue, and hidden from other readers until this ends".to_owned(),
        };
        console::note(format_args!("Events of {}{waiting} are {then}. Ctrl-C ends.", queue.name()));
        let leaves = self.forward_to.is_none() && !self.delete;
        if leaves && queue.is_fifo() {
            console::note("On a FIFO queue the later events of a call stay behind those that are left: see --help.");
        }
        if let Some(count) = about.and_then(|about| about.max_receive_count.as_ref())
            && (!self.delete || !self.filter.is_empty())
        {
            console::note(format_args!("A message that was received {count} times goes to the dead-letter queue."));
        }
    }

    async fn listen(&self, session: &Session, queue: &QueueReader) -> Result<End, Failure> {
        let mut interrupted = pin!(tokio::signal::ctrl_c());
        let mut idle_since = Instant::now();
        let mut was_reached = false;
        loop {
            let Some(wait) = self.wait(idle_since) else { return Ok(End::Idle) };
            let missing = self.max.map_or(usize::MAX, |max| max as usize - session.done());
            // Where most are left out, a small request would only cost more of them.
            let at_once = if self.filter.is_empty() { missing } else { usize::MAX };
            let mut receiving = pin!(queue.receive(at_once, wait));
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
            let received = received.new.into_iter().map(Received::read);
            let mut events: Vec<Received> = received.filter(|message| passes(&self.filter, message)).collect();
            events.truncate(missing);
            if !events.is_empty() {
                let mut handling = pin!(session.handle(events));
                tokio::select! {
                    handled = &mut handling => handled?,
                    _ = &mut interrupted => {
                        session.end();
                        handling.await?;
                    }
                }
                idle_since = Instant::now();
            }
            let done = session.done();
            if session.is_over() || self.max.is_some_and(|max| done >= max as usize) {
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

fn events(count: usize) -> String {
    if count == 1 { "1 event.".to_owned() } else { format!("{count} events.") }
}

fn not_taken(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " 1 event was not taken by the application.".to_owned(),
        _ => format!(" {count} events were not taken by the application."),
    }
}

fn left(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " 1 message is visible to other readers again.".to_owned(),
        _ => format!(" {count} messages are visible to other readers again."),
    }
}
