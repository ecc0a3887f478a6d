//! Keeps what a source of AppIDs said, asks it again when that is due, and lets webhooks wait for fresher AppIDs.
//!
//! Each version is requested at most once a second, however many webhooks wait for it: an hour of garbage costs at most
//! 7,200 requests (0.05 US dollars for 10,000 of them). Each request is a separate task that outlives the webhook that
//! started it, so that what a slow source says in the end is there for the next webhook. A webhook that waits asks again
//! after a second, also where the request before is still on its way: its connection may be dead.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{AppIdSource, AppIdUnavailable, Apps, Known, LONGEST_REQUEST, SecretsManagerError, Version};

/// The shortest time between the beginnings of two requests for the same version.
const PACE: Duration = Duration::from_secs(1);
/// The next renewal is tried so much after the beginning of one that failed. A webhook that does not open asks sooner.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// A cache in front of an [`AppIdSource`].
#[derive(Debug)]
pub struct AppIds<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    source: S,
    time_to_live: Duration,
    known: RwLock<Arc<Known>>,
    /// Wakes the webhooks that wait for more to be known, in the order in which they began to.
    changed: Notify,
    requests: Mutex<[Requests; 2]>,
}

/// The requests for one version.
#[derive(Clone, Copy, Debug, Default)]
struct Requests {
    /// When the last one began.
    last: Option<Instant>,
    /// How many are on their way.
    pending: usize,
}

impl<S: AppIdSource> AppIds<S> {
    /// A cache that is still empty, unless the source is one that never changes.
    pub fn new(source: S, time_to_live: Duration) -> Self {
        let fixed = source.fixed();
        let known = fixed.map_or_else(Known::default, |apps| {
            warn_of_typos(Version::Current, &apps);
            Known::fixed(apps)
        });
        let (known, changed) = (RwLock::new(Arc::new(known)), Notify::new());
        Self { shared: Arc::new(Shared { source, time_to_live, known, changed, requests: Mutex::default() }) }
    }

    /// What is known now, without waiting. Where its time to live is over, it is renewed in the background.
    #[must_use]
    pub fn known(&self) -> Arc<Known> {
        let known = self.shared.known();
        for version in known.due(Instant::now()) {
            self.shared.renew(version);
        }
        known
    }

    /// Waits for a first version to be known.
    ///
    /// # Errors
    /// [`AppIdUnavailable`]: there is none until then, or the source refuses.
    pub async fn first(&self, until: Instant) -> Result<Arc<Known>, AppIdUnavailable> {
        let known = self.known();
        if known.is_empty() { self.fresher(&known, Instant::now(), until).await } else { Ok(known) }
    }

    /// Waits for more than was `seen`: other AppIDs, or the knowledge that the same ones are fresh for a webhook that
    /// arrived at that time ([`Known::is_fresh`]).
    ///
    /// # Errors
    /// [`AppIdUnavailable`]: one of the versions could not be read until then, or the source refuses.
    pub async fn fresher(
        &self,
        seen: &Known,
        arrived: Instant,
        until: Instant,
    ) -> Result<Arc<Known>, AppIdUnavailable> {
        loop {
            let mut changed = pin!(self.shared.changed.notified());
            // From here on, no change is missed.
            changed.as_mut().enable();
            let known = self.shared.known();
            if known.is_fresh(arrived) || !known.has_the_apps_of(seen) {
                return Ok(known);
            }
            let next = known.wanted(arrived).map(|version| self.shared.ask(version)).min();
            let Some(next) = next.filter(|_| Instant::now() < until) else {
                return Err(known.why_not_fresh(arrived));
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(next.min(until)) => {}
            }
        }
    }
}

impl<S: AppIdSource> Shared<S> {
    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins a request unless one is on its way. One that began too long ago does not count: Lambda freezes the process
    /// between webhooks, and requests with it.
    fn renew(self: &Arc<Self>, version: Version) {
        let is_on_its_way = self.requests(|requests| {
            let Requests { last, pending } = requests[version as usize];
            pending > 0 && last.is_some_and(|last| last.elapsed() < LONGEST_REQUEST)
        });
        if !is_on_its_way {
            self.ask(version);
        }
    }

    /// Begins a request if the last one began a second ago. Returns when the next one may begin.
    fn ask(self: &Arc<Self>, version: Version) -> Instant {
        let now = Instant::now();
        let (begins, next) = self.requests(|requests| {
            let requests = &mut requests[version as usize];
            let allowed = requests.last.map(|last| last + PACE).filter(|allowed| *allowed > now);
            if allowed.is_none() {
                *requests = Requests { last: Some(now), pending: requests.pending + 1 };
            }
            (allowed.is_none(), allowed.unwrap_or(now + PACE))
        });
        if begins {
            let pending = Pending { shared: Arc::clone(self), version };
            // Without a runtime there are no webhooks that could wait for it.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(pending.request(now));
            }
        }
        next
    }

    fn requests<T>(&self, of: impl FnOnce(&mut [Requests; 2]) -> T) -> T {
        of(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps an answer. The log is written afterwards, so that a slow reader does not hold up webhooks.
    fn take(&self, version: Version, began: Instant, answer: Result<Apps, AppIdUnavailable>) {
        let after = |time: Duration| Instant::now().checked_add(time);
        match answer {
            Ok(apps) => {
                let due = after(self.time_to_live);
                if let Some(new) = self.modify(|known| known.read(version, began, apps, due)) {
                    warn_of_typos(version, &new);
                }
            }
            Err(error) => {
                let retry = began.checked_add(PAUSE_AFTER_FAILURE.min(self.time_to_live));
                if self.modify(|known| known.failed(version, began, error.clone(), retry)) {
                    let version = version.stage();
                    tracing::warn!(%error, version, "the AppIDs could not be renewed; the ones fetched before go on serving");
                }
            }
        }
    }

    fn modify<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let result = change(Arc::make_mut(&mut self.known.write().unwrap_or_else(PoisonError::into_inner)));
        self.changed.notify_waiters();
        result
    }
}

/// A request on its way. However it ends, it is counted off.
struct Pending<S: AppIdSource> {
    shared: Arc<Shared<S>>,
    version: Version,
}

impl<S: AppIdSource> Pending<S> {
    async fn request(self, began: Instant) {
        let answer = timeout(LONGEST_REQUEST, self.shared.source.fetch(self.version)).await.unwrap_or_else(|_| {
            let seconds = LONGEST_REQUEST.as_secs();
            Err(SecretsManagerError::Unreachable(format!("no answer within {seconds} s")).into())
        });
        self.shared.take(self.version, began, answer);
    }
}

impl<S: AppIdSource> Drop for Pending<S> {
    fn drop(&mut self) {
        self.shared.requests(|requests| requests[self.version as usize].pending -= 1);
    }
}

fn warn_of_typos(version: Version, apps: &Apps) {
    for typo in apps.typos() {
        let version = version.stage();
        tracing::warn!(version, "{typo}; if webhooks do not open, correct the AppID");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::sleep;

    use super::*;

    #[derive(Clone, Default)]
    struct Counting(Arc<AtomicUsize>);

    impl AppIdSource for Counting {
        async fn fetch(&self, _: Version) -> Result<Apps, AppIdUnavailable> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Apps::bare("app-id-0123456789"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn app_ids_are_renewed_as_often_as_their_time_to_live_says_however_short_it_is() {
        let (source, time_to_live) = (Counting::default(), Duration::from_secs(2));
        let app_ids = AppIds::new(source.clone(), time_to_live);
        app_ids.first(Instant::now() + time_to_live).await.unwrap();
        for asked in 1..9 {
            assert_eq!(source.0.load(Ordering::Relaxed), asked);
            sleep(time_to_live).await;
            let _ = app_ids.known();
            // The request is a task that has to run.
            sleep(Duration::from_millis(1)).await;
        }
    }
}
