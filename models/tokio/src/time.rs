//! Timers over a clock that moves when the scheduler says so.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::Future,
    mem,
    ops::{Add, AddAssign, Sub},
    pin::Pin,
    task::{Context, Poll, Waker},
};

pub use std::time::Duration;

/// Of one execution. All tasks of an execution are on one thread.
#[derive(Default)]
struct Clock {
    now: Duration,
    next_timer: u64,
    timers: BTreeMap<(Duration, u64), Waker>,
    /// Waits for the first timer.
    keeper: Option<Waker>,
    may_hurry: bool,
    is_stopped: bool,
}

thread_local! {
    static CLOCK: RefCell<Clock> = RefCell::default();
}

fn clock<T>(with: impl FnOnce(&mut Clock) -> T) -> T {
    CLOCK.with(|clock| with(&mut clock.borrow_mut()))
}

/// Begins an execution: time is zero and prompt, and there are no timers.
pub fn reset() {
    // Wakers of an earlier execution are dropped outside of the borrow.
    drop(CLOCK.with(RefCell::take));
}

/// From now on time passes only while all tasks wait, or not so.
pub fn be_prompt(is_prompt: bool) {
    clock(|clock| clock.may_hurry = !is_prompt);
}

pub fn may_hurry() -> bool {
    clock(|clock| clock.may_hurry)
}

/// Ends [`keep`], at the end of an execution.
pub fn stop() {
    let keeper = clock(|clock| {
        clock.is_stopped = true;
        clock.keeper.take()
    });
    if let Some(keeper) = keeper {
        keeper.wake();
    }
}

/// Moves time to the next timer, over and over. When that happens is up to the scheduler.
pub async fn keep() {
    while std::future::poll_fn(|context| {
        clock(|clock| match (clock.is_stopped, clock.timers.is_empty()) {
            (true, _) => Poll::Ready(false),
            (_, false) => Poll::Ready(true),
            _ => {
                clock.keeper = Some(context.waker().clone());
                Poll::Pending
            }
        })
    })
    .await
    {
        advance();
        shuttle_tokio::task::yield_now().await;
    }
}

fn advance() {
    let due = clock(|clock| {
        let next = clock.timers.first_key_value().map(|((at, _), _)| *at)?;
        clock.now = clock.now.max(next);
        let later = clock.timers.split_off(&(clock.now, u64::MAX));
        Some(mem::replace(&mut clock.timers, later))
    });
    due.into_iter().flatten().for_each(|(_, waker)| waker.wake());
}

/// A time since the beginning of the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        Self(clock(|clock| clock.now))
    }

    /// Of the execution.
    pub fn since_beginning(&self) -> Duration {
        self.0
    }

    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }

    pub fn checked_add(&self, time: Duration) -> Option<Self> {
        self.0.checked_add(time).map(Self)
    }

    pub fn checked_sub(&self, time: Duration) -> Option<Self> {
        self.0.checked_sub(time).map(Self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0 + time)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, time: Duration) {
        self.0 += time;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(time))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// Waits until a time.
#[derive(Debug)]
pub struct Sleep {
    until: Instant,
    timer: Option<u64>,
}

pub fn sleep(time: Duration) -> Sleep {
    sleep_until(Instant(clock(|clock| clock.now.saturating_add(time))))
}

pub fn sleep_until(until: Instant) -> Sleep {
    Sleep { until, timer: None }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (until, timer) = (self.until.0, self.timer);
        let (registered, keeper) = clock(|clock| {
            if clock.now >= until {
                return (None, None);
            }
            let timer = timer.unwrap_or_else(|| {
                clock.next_timer += 1;
                clock.next_timer
            });
            clock.timers.insert((until, timer), context.waker().clone());
            (Some(timer), clock.keeper.take())
        });
        if let Some(keeper) = keeper {
            keeper.wake();
        }
        self.timer = registered.or(timer);
        if registered.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let Some(timer) = self.timer else { return };
        drop(clock(|clock| clock.timers.remove(&(self.until.0, timer))));
    }
}

pin_project_lite::pin_project! {
    /// A future, and the time at which it is given up.
    #[derive(Debug)]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

pub fn timeout<F: Future>(time: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(time) }
}

pub fn timeout_at<F: Future>(until: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep_until(until) }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, error::Elapsed>;

    /// As tokio does it: what is ready is not timed out.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(done) = this.future.poll(context) {
            return Poll::Ready(Ok(done));
        }
        this.sleep.poll(context).map(|()| Err(error::Elapsed(())))
    }
}

pub mod error {
    /// The time was over first.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Elapsed(pub(super) ());

    impl std::fmt::Display for Elapsed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("deadline has elapsed")
        }
    }

    impl std::error::Error for Elapsed {}
}
