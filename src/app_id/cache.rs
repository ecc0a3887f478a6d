//! Keeps what a source of AppIDs said, for its time to live, and through a rotation.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use super::{AppIdSource, AppIdUnavailable, Apps, Version};

/// How long a source that failed is left alone, so that it does not cost every webhook its time-out.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How long after a forced renewal the next one may come: webhooks that nobody can open must not become calls to
/// Secrets Manager, which are paid for.
const PAUSE_BETWEEN_RENEWALS: Duration = Duration::from_secs(10);

/// A cache in front of an [`AppIdSource`].
///
/// Within the time to live, [`AppIds::current`] answers from memory. After it, one caller asks the source while the
/// others go on with the stale value; where the source fails, so does everyone, until it answers again. Without any
/// value yet, all callers wait for the one fetch. [`AppIds::previous`] is the same for the previous version, which is
/// fetched only when a webhook asks for it.
#[derive(Debug)]
pub struct AppIds<S> {
    source: S,
    time_to_live: Duration,
    current: Slot,
    previous: Slot,
    last_renewal: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Slot {
    kept: RwLock<Kept>,
    fetching: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    apps: Option<Arc<Apps>>,
    /// When the source is to be asked again; `None` before the first time.
    next_fetch: Option<Instant>,
}

impl Kept {
    fn is_due(&self) -> bool {
        self.next_fetch.is_none_or(|due| Instant::now() >= due)
    }
}

impl Slot {
    fn keep(&self, apps: Option<Arc<Apps>>, next_fetch: Option<Instant>) {
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept { apps, next_fetch };
    }

    fn kept(&self) -> Kept {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: AppIdSource> AppIds<S> {
    /// A cache that is still empty.
    pub fn new(source: S, time_to_live: Duration) -> Self {
        Self {
            source,
            time_to_live,
            current: Slot::default(),
            previous: Slot::default(),
            last_renewal: Mutex::default(),
        }
    }

    /// The AppIDs to use now.
    ///
    /// # Errors
    /// [`AppIdUnavailable`], only as long as the source has never answered.
    pub async fn current(&self) -> Result<Arc<Apps>, AppIdUnavailable> {
        self.get(Version::Current).await
    }

    /// The AppIDs that were in use before.
    ///
    /// # Errors
    /// [`AppIdUnavailable`], only as long as the source has never answered.
    pub async fn previous(&self) -> Result<Arc<Apps>, AppIdUnavailable> {
        self.get(Version::Previous).await
    }

    /// Asks the source anew, because something did not open with what the caller has `seen`. `None` where there is
    /// nothing newer: the last such renewal was a moment ago, or the source does not answer. Callers that come together
    /// share one fetch.
    pub async fn renewed(&self, seen: &Arc<Apps>) -> Option<Arc<Apps>> {
        let mut last_renewal = self.last_renewal.lock().await;
        if let Some(newer) = self.current.kept().apps.filter(|apps| !Arc::ptr_eq(apps, seen)) {
            return Some(newer);
        }
        if last_renewal.is_some_and(|last| last.elapsed() < PAUSE_BETWEEN_RENEWALS) {
            return None;
        }
        *last_renewal = Some(Instant::now());
        let fetched = self.fetch(Version::Current, Some(Arc::clone(seen))).await.ok()?;
        // What was current is previous now.
        self.previous.keep(None, None);
        Some(fetched).filter(|fetched| !Arc::ptr_eq(fetched, seen))
    }

    async fn get(&self, version: Version) -> Result<Arc<Apps>, AppIdUnavailable> {
        let slot = self.slot(version);
        let kept = slot.kept();
        if !kept.is_due() {
            return kept.apps.ok_or(AppIdUnavailable::NotYet);
        }
        let _fetching = match (slot.fetching.try_lock(), kept.apps) {
            (Ok(turn), _) => turn,
            (Err(_), Some(stale)) => return Ok(stale),
            (Err(_), None) => slot.fetching.lock().await,
        };
        let kept = slot.kept();
        if !kept.is_due() {
            return kept.apps.ok_or(AppIdUnavailable::NotYet);
        }
        self.fetch(version, kept.apps).await
    }

    async fn fetch(&self, version: Version, stale: Option<Arc<Apps>>) -> Result<Arc<Apps>, AppIdUnavailable> {
        let after = |pause| Instant::now().checked_add(pause);
        match self.source.fetch(version).await {
            Ok(apps) => {
                let apps = Arc::new(apps);
                self.slot(version).keep(Some(Arc::clone(&apps)), after(self.time_to_live));
                Ok(apps)
            }
            Err(error) => {
                self.slot(version).keep(stale.clone(), after(PAUSE_AFTER_FAILURE.min(self.time_to_live)));
                let Some(stale) = stale else { return Err(error) };
                tracing::warn!(%error, "the AppIDs could not be renewed; the ones fetched before go on serving");
                Ok(stale)
            }
        }
    }

    const fn slot(&self, version: Version) -> &Slot {
        match version {
            Version::Current => &self.current,
            Version::Previous => &self.previous,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::app_id::{AppId, SecretsManagerError};

    const TIME_TO_LIVE: Duration = Duration::from_secs(300);

    /// Counts its fetches, and fails while it is down. A fetch takes 10 ms of the paused clock.
    #[derive(Default)]
    struct Source {
        fetches: AtomicUsize,
        down: std::sync::atomic::AtomicBool,
    }

    impl AppIdSource for Arc<Source> {
        async fn fetch(&self, _: Version) -> Result<Apps, AppIdUnavailable> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            if self.down.load(Ordering::SeqCst) {
                return Err(SecretsManagerError::NotFound.into());
            }
            Ok(Apps::single(AppId::new("abc")))
        }
    }

    fn app_ids() -> (Arc<Source>, Arc<AppIds<Arc<Source>>>) {
        let source = Arc::new(Source::default());
        (Arc::clone(&source), Arc::new(AppIds::new(source, TIME_TO_LIVE)))
    }

    async fn fifty_at_once(app_ids: &Arc<AppIds<Arc<Source>>>) -> usize {
        let callers: Vec<_> = (0..50)
            .map(|_| {
                tokio::spawn({
                    let app_ids = Arc::clone(app_ids);
                    async move { app_ids.current().await.is_ok() }
                })
            })
            .collect();
        let mut served = 0;
        for caller in callers {
            served += usize::from(caller.await.unwrap());
        }
        served
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_webhooks_at_the_start_cost_one_fetch() {
        let (source, app_ids) = app_ids();
        assert_eq!(fifty_at_once(&app_ids).await, 50);
        assert_eq!(source.fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_value_is_renewed_in_one_flight_while_it_serves() {
        let (source, app_ids) = app_ids();
        app_ids.current().await.unwrap();
        tokio::time::advance(TIME_TO_LIVE).await;
        assert_eq!(fifty_at_once(&app_ids).await, 50);
        assert_eq!(source.fetches.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stale_value_serves_while_the_source_is_down_and_is_renewed_after() {
        let (source, app_ids) = app_ids();
        app_ids.current().await.unwrap();
        source.down.store(true, Ordering::SeqCst);
        tokio::time::advance(TIME_TO_LIVE).await;
        assert_eq!(fifty_at_once(&app_ids).await, 50);
        assert_eq!(source.fetches.load(Ordering::SeqCst), 2, "a source that is down is not asked again at once");
        source.down.store(false, Ordering::SeqCst);
        tokio::time::advance(PAUSE_AFTER_FAILURE).await;
        app_ids.current().await.unwrap();
        assert_eq!(source.fetches.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_down_at_the_start_serves_as_soon_as_it_answers() {
        let (source, app_ids) = app_ids();
        source.down.store(true, Ordering::SeqCst);
        assert_eq!(fifty_at_once(&app_ids).await, 0);
        assert_eq!(source.fetches.load(Ordering::SeqCst), 1);
        source.down.store(false, Ordering::SeqCst);
        tokio::time::advance(PAUSE_AFTER_FAILURE).await;
        assert_eq!(fifty_at_once(&app_ids).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_webhooks_that_do_not_open_cost_one_renewal_in_ten_seconds() {
        let (source, app_ids) = app_ids();
        let seen = app_ids.current().await.unwrap();
        for (after, renewals) in [(Duration::ZERO, 1), (Duration::from_secs(9), 1), (Duration::from_secs(1), 2)] {
            tokio::time::advance(after).await;
            let seen = if renewals == 1 { Arc::clone(&seen) } else { app_ids.current().await.unwrap() };
            let callers: Vec<_> = (0..50)
                .map(|_| {
                    let (app_ids, seen) = (Arc::clone(&app_ids), Arc::clone(&seen));
                    tokio::spawn(async move { app_ids.renewed(&seen).await.is_some() })
                })
                .collect();
            for caller in callers {
                assert!(caller.await.unwrap(), "every caller gets what the one fetch brought");
            }
            assert_eq!(source.fetches.load(Ordering::SeqCst), 1 + renewals);
        }
        let newest = app_ids.current().await.unwrap();
        assert!(app_ids.renewed(&newest).await.is_none());
    }
}
