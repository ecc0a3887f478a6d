//! An execution environment: a process of the function, its Runtime API, and what can happen to both. It is frozen as Lambda
//! does it (SIGSTOP, SIGCONT), its log is not read for a while, and it ends with or without a warning (SIGTERM, SIGKILL).

use std::{
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::Child,
    sync::{Semaphore, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use voicehook_test_support::runtime_api::{RuntimeApi, Signal, signal};

use crate::{
    lambda_binary,
    ledger::{Ledger, Outcome, Took},
    webhooks::CONFIDENTIAL,
};

/// Nothing takes so long, whatever is frozen.
const PATIENCE: Duration = Duration::from_secs(30);

/// How an environment is started.
#[derive(Clone)]
pub struct Configuration {
    pub at_once: usize,
    pub variables: Vec<(&'static str, String)>,
}

/// An environment. When its process has ended, another one takes its place.
pub struct Environment {
    configuration: Configuration,
    ledger: Arc<Ledger>,
    slots: Semaphore,
    process: Mutex<Arc<Process>>,
}

/// A process, from its start to its end.
struct Process {
    api: RuntimeApi,
    id: u32,
    child: tokio::sync::Mutex<Child>,
    /// Whether its end is our doing.
    is_ended: AtomicBool,
    frozen: Mutex<Option<Instant>>,
    /// How long it was frozen so far, in milliseconds.
    frozen_for: AtomicU64,
    /// The most that [`waited_for_processor`] has said so far, in nanoseconds.
    waited: AtomicU64,
    reads_log: watch::Sender<bool>,
    log: JoinHandle<()>,
}

/// What a process has at the moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub resident_kib: u64,
    pub descriptors: usize,
    pub sockets: usize,
    pub threads: usize,
}

impl Environment {
    pub async fn start(configuration: Configuration, ledger: Arc<Ledger>) -> Self {
        let process = Mutex::new(Arc::new(Process::start(&configuration, &ledger).await));
        Self { slots: Semaphore::new(configuration.at_once), configuration, ledger, process }
    }

    fn process(&self) -> Arc<Process> {
        Arc::clone(&self.process.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a free slot, has an event handled, and says what came of it, and after how long. Afterwards the process is
    /// frozen, if that is wanted and nothing else is in flight.
    pub async fn deliver(&self, invocation: String, event: impl FnOnce() -> String, freezes: bool) -> (Outcome, Took) {
        let _slot = self.slots.acquire().await.unwrap();
        if self.configuration.at_once == 1 {
            self.process().thaw();
        }
        let began = Instant::now();
        let own = std::process::id();
        let waited_before = waited_for_processor(own);
        let (process, frozen_before, process_before, answer) = self.invoke(invocation, event());
        let answer = timeout(PATIENCE, answer).await;
        let frozen = process.frozen() - frozen_before;
        let waited = process.waited() - process_before + waited_for_processor(own).saturating_sub(waited_before);
        let took = Took { time: began.elapsed().saturating_sub(frozen), waited };
        let outcome = match answer {
            Ok(Ok(answer)) => self.judge(&answer),
            Ok(Err(_)) => Outcome::Unanswered,
            Err(_) => {
                self.ledger.violation("an environment that is not frozen does not answer".to_owned());
                Outcome::Unanswered
            }
        };
        if freezes && self.configuration.at_once == 1 {
            process.freeze();
        }
        (outcome, took)
    }

    /// Hands an event to the process that is there now, and to none that is about to be terminated.
    fn invoke(
        &self,
        invocation: String,
        event: String,
    ) -> (Arc<Process>, Duration, Duration, oneshot::Receiver<Value>) {
        let process = self.process.lock().unwrap();
        let (frozen, waited) = (process.frozen(), process.waited());
        let answer = process.api.invoke_as(invocation, event, None);
        (Arc::clone(&process), frozen, waited, answer)
    }

    fn judge(&self, answer: &Value) -> Outcome {
        match (answer["statusCode"].as_u64(), answer["body"].as_str()) {
            (Some(200), Some("{}")) => Outcome::Kept,
            (Some(503), Some(_)) => Outcome::Refused,
            _ => {
                self.ledger.violation(format!("neither 200 nor 503: {answer}"));
                Outcome::Refused
            }
        }
    }

    /// SIGKILL: what is in flight goes without an answer. A new process follows.
    pub async fn kill(&self) {
        let process = self.process();
        process.is_ended.store(true, Ordering::Relaxed);
        signal(process.id, Signal::KILL);
        self.replace(&process).await;
    }

    /// SIGTERM, with no new invocations: what is in flight is answered, and then the process ends.
    pub async fn terminate(&self) {
        let next = Arc::new(Process::start(&self.configuration, &self.ledger).await);
        let process = std::mem::replace(&mut *self.process.lock().unwrap(), next);
        process.thaw();
        process.is_ended.store(true, Ordering::Relaxed);
        process.api.all_handed_out().await;
        // And has arrived.
        tokio::time::sleep(Duration::from_millis(100)).await;
        signal(process.id, Signal::TERM);
        let ended = timeout(PATIENCE, async { process.child.lock().await.wait().await }).await;
        if !matches!(&ended, Ok(Ok(status)) if status.success()) {
            self.ledger.violation(format!("after SIGTERM: {ended:?}"));
        }
        let unanswered = process.api.stop();
        if unanswered > 0 {
            self.ledger.violation(format!("{unanswered} invocations not answered after SIGTERM"));
        }
    }

    async fn replace(&self, process: &Process) {
        let _ = process.child.lock().await.wait().await;
        process.api.stop();
        *self.process.lock().unwrap() = Arc::new(Process::start(&self.configuration, &self.ledger).await);
    }

    /// Frozen while something may be in flight, which Lambda does not do, but a machine that is short of CPU does.
    pub async fn pause(&self, time: Duration) {
        let process = self.process();
        process.freeze();
        tokio::time::sleep(time).await;
        process.thaw();
    }

    /// The log is not read for a while; its pipe has 64 KiB.
    pub async fn leave_log_unread(&self, time: Duration) {
        let process = self.process();
        process.reads_log.send_replace(false);
        tokio::time::sleep(time).await;
        process.reads_log.send_replace(true);
    }

    /// What the process has now; `None` where it has been replaced meanwhile.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.process().id)
    }

    /// Whether the process runs on, unless it was ended. Where it does not, another one takes its place.
    pub async fn look_after(&self) {
        let process = self.process();
        let Ok(mut child) = process.child.try_lock() else { return };
        let ended = child.try_wait().ok().flatten();
        drop(child);
        if let Some(status) = ended
            && !process.is_ended.load(Ordering::Relaxed)
        {
            self.ledger.violation(format!("the function ended by itself: {status}"));
            process.is_ended.store(true, Ordering::Relaxed);
            self.replace(&process).await;
        }
    }

    /// Ends the process, and waits for the end of its log.
    pub async fn end(&self) {
        let process = self.process();
        process.reads_log.send_replace(true);
        process.thaw();
        // What was logged last is written.
        tokio::time::sleep(Duration::from_millis(100)).await;
        process.is_ended.store(true, Ordering::Relaxed);
        signal(process.id, Signal::KILL);
        let _ = process.child.lock().await.wait().await;
        process.api.stop();
    }
}

/// How long the threads of a process have been ready to run and waited for a processor, all together.
/// <https://docs.kernel.org/scheduler/sched-stats.html>
fn waited_for_processor(id: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let waited = threads.filter_map(|thread| {
        let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        statistics.split(' ').nth(1)?.parse::<u64>().ok()
    });
    Duration::from_nanos(waited.sum())
}

impl Process {
    /// How long it was frozen so far.
    fn frozen(&self) -> Duration {
        Duration::from_millis(self.frozen_for.load(Ordering::Relaxed))
    }

    /// How long it waited for a processor so far.
    fn waited(&self) -> Duration {
        let waited = waited_for_processor(self.id).as_nanos().try_into().unwrap();
        // A thread that has ended takes its time with it, and so does the process.
        let most = self.waited.fetch_max(waited, Ordering::Relaxed);
        Duration::from_nanos(waited.max(most))
    }

    async fn start(configuration: &Configuration, ledger: &Arc<Ledger>) -> Self {
        let api = RuntimeApi::start().await;
        let at_once = configuration.at_once.to_string();
        let mut variables: Vec<(&str, &str)> =
            configuration.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if configuration.at_once > 1 {
            variables.push(("AWS_LAMBDA_MAX_CONCURRENCY", &at_once));
        }
        let mut child = api.function(&lambda_binary(), &variables);
        let reads_log = watch::Sender::new(true);
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let ledger_of_errors = Arc::clone(ledger);
        tokio::spawn(read(stderr, watch::Sender::new(true).subscribe(), move |line| {
            ledger_of_errors.violation(format!("on standard error: {}", String::from_utf8_lossy(line)));
        }));
        let ledger = Arc::clone(ledger);
        let log = tokio::spawn(read(stdout, reads_log.subscribe(), move |line| check_line(line, &ledger)));
        Self {
            api,
            id: child.id().unwrap(),
            child: tokio::sync::Mutex::new(child),
            is_ended: AtomicBool::new(false),
            frozen: Mutex::default(),
            frozen_for: AtomicU64::new(0),
            waited: AtomicU64::new(0),
            reads_log,
            log,
        }
    }

    fn freeze(&self) {
        let mut frozen = self.frozen.lock().unwrap();
        if frozen.is_none() && !self.is_ended.load(Ordering::Relaxed) {
            signal(self.id, Signal::STOP);
            *frozen = Some(Instant::now());
        }
    }

    fn thaw(&self) {
        let mut frozen = self.frozen.lock().unwrap();
        if let Some(since) = frozen.take() {
            let time = since.elapsed().as_millis().try_into().unwrap();
            self.frozen_for.fetch_add(time, Ordering::Relaxed);
            if !self.is_ended.load(Ordering::Relaxed) {
                signal(self.id, Signal::CONT);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.log.abort();
    }
}

async fn read(pipe: impl AsyncRead + Unpin, mut reads: watch::Receiver<bool>, line_read: impl Fn(&[u8])) {
    let mut lines = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        let _ = reads.wait_for(|reads| *reads).await;
        line.clear();
        match lines.read_until(b'\n', &mut line).await {
            Ok(read) if read > 0 => line_read(&line),
            _ => return,
        }
    }
}

/// A line is whole, and has nothing in it that a log must not have. The last one of a process that was killed can be cut.
fn check_line(line: &[u8], ledger: &Ledger) {
    let text = String::from_utf8_lossy(line);
    if line.ends_with(b"\n") && serde_json::from_slice::<Value>(line).is_err() {
        ledger.violation(format!("in the log, and no JSON: {text}"));
    }
    if CONFIDENTIAL.iter().any(|word| text.contains(word)) {
        ledger.violation(format!("in the log, and confidential: {text}"));
    }
}

impl Usage {
    fn of(id: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
        };
        let links: Vec<_> = fs::read_dir(format!("/proc/{id}/fd"))
            .ok()?
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .collect();
        Some(Self {
            resident_kib: number("VmRSS")?,
            descriptors: links.len(),
            sockets: links.iter().filter(|link| link.to_string_lossy().starts_with("socket:")).count(),
            threads: number("Threads")?.try_into().ok()?,
        })
    }
}
