//! The function's own receiver, batching queue and AppID cache, from the handler's entry, under schedules of shuttle.
//!
//! A [`Scenario`] hands webhooks to a receiver as the Lambda room does: each takes its place in the order of arrival and
//! is a task of its own. Every lock, channel, timer and task is a point at which another task may go on. In a schedule
//! of which time is [prompt](Time::Prompt) it passes only while all tasks wait, so that bounds of waiting can be exact; in
//! one of which it [hurries](Time::Hurried) a timer may be over at any point, as after a freeze.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fastrand::Rng;
use shuttle::{
    Config, FailurePersistence, MaxSteps, Runner,
    scheduler::{PctScheduler, Schedule, Scheduler, Task, TaskId},
};
use tokio::time;

use crate::scenarios::Scenario;

/// When time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// While all tasks wait.
    Prompt,
    /// Then, and with one in so many of the other steps.
    Hurried(u32),
}

/// Which task goes on.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// Any, with equal probability.
    Random,
    /// The one with the highest priority, where priorities change at so many points: probabilistic concurrency testing.
    Priorities(usize),
}

/// What a run covered.
#[derive(Clone, Debug, Default)]
pub struct Covered {
    pub schedules: usize,
    pub different: usize,
    pub steps: usize,
    /// The seed of the schedule in which a property did not hold, and which.
    pub failure: Option<(u64, String)>,
}

#[derive(Default)]
struct Seen {
    schedules: usize,
    steps: usize,
    seed: u64,
    hashes: HashSet<u64>,
    hash: Option<u64>,
    failure: Option<String>,
}

impl Seen {
    fn end(&mut self) {
        if let Some(hash) = self.hash.take() {
            self.hashes.insert(hash);
        }
    }
}

/// A scheduler that knows the task that keeps time.
struct Timely {
    time: Time,
    left: usize,
    next_seed: u64,
    rng: Rng,
    priorities: Option<PctScheduler>,
    seen: Arc<Mutex<Seen>>,
}

/// The task that keeps time is the first one that is spawned.
fn keeper() -> TaskId {
    TaskId::from(1)
}

impl Timely {
    fn new(time: Time, choice: Choice, seed: u64, schedules: usize, seen: Arc<Mutex<Seen>>) -> Self {
        let priorities = match choice {
            Choice::Random => None,
            Choice::Priorities(points) => Some(PctScheduler::new_from_seed(seed, points, schedules)),
        };
        Self { time, left: schedules, next_seed: seed, rng: Rng::with_seed(seed), priorities, seen }
    }

    fn note(&self, choice: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.steps += 1;
        let hash = seen.hash.unwrap_or(0xcbf2_9ce4_8422_2325);
        seen.hash = Some((hash ^ choice).wrapping_mul(0x0100_0000_01b3).rotate_left(5));
    }
}

impl Scheduler for Timely {
    fn new_execution(&mut self) -> Option<Schedule> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.end();
        if seen.failure.is_some() {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        let seed = self.next_seed;
        self.next_seed += 1;
        (seen.seed, self.rng) = (seed, Rng::with_seed(seed));
        seen.schedules += 1;
        match &mut self.priorities {
            Some(priorities) => priorities.new_execution(),
            None => Some(Schedule::new(seed)),
        }
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let may_pass = runnable.len() == 1
            || match self.time {
                Time::Prompt => false,
                Time::Hurried(_) if !time::may_hurry() => false,
                Time::Hurried(one_in) => self.rng.u32(0..one_in) == 0,
            };
        let others: Vec<&Task> = runnable.iter().copied().filter(|task| may_pass || task.id() != keeper()).collect();
        let next = match &mut self.priorities {
            Some(priorities) => priorities.next_task(&others, current, is_yielding)?,
            None => self.rng.choice(&others)?.id(),
        };
        self.note(usize::from(next) as u64);
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        let value = self.rng.u64(..);
        self.note(value);
        value
    }
}

/// Runs a scenario under so many schedules, or until a property does not hold.
pub fn explore(scenario: &'static Scenario, choice: Choice, seed: u64, schedules: usize, is_traced: bool) -> Covered {
    let mut config = Config::new();
    config.stack_size = 0x4_0000;
    config.failure_persistence = FailurePersistence::None;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    // A schedule of these sizes has some thousand steps: one with more of them never ends.
    config.max_steps = MaxSteps::FailAfter(200_000);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let scheduler = Timely::new(scenario.time, choice, seed, schedules, Arc::clone(&seen));
    let runner = Runner::new(scheduler, config);
    let failed = Arc::clone(&seen);
    let run = move || {
        time::reset();
        fastrand::seed(7);
        let result = shuttle::future::block_on(async {
            let keeper = tokio::spawn(time::keep());
            let result = scenario.run(is_traced).await;
            time::stop();
            keeper.await.expect("it ends");
            result
        });
        failed.lock().unwrap_or_else(PoisonError::into_inner).failure = result.err();
    };
    let result = catch_unwind(AssertUnwindSafe(|| runner.run(run)));
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.end();
    // A deadlock, or a schedule without an end.
    let failure = result.err().map(|panic| said(panic.as_ref())).or_else(|| seen.failure.take());
    let failure = failure.map(|failure| (seen.seed, failure));
    Covered { schedules: seen.schedules, different: seen.hashes.len(), steps: seen.steps, failure }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").lines().next().unwrap_or_default().to_owned()
}

/// Seconds from 1970 to 2026.
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// Time stands still where nothing waits, so the time of day is the beginning of 2026 and the execution's own time.
pub fn time_of_day() -> SystemTime {
    UNIX_EPOCH + BEGINNING + time::Instant::now().since_beginning()
}

/// A time in milliseconds.
pub const fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
