//! What is known of the AppIDs at one time, and how fresh it is.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{AppId, AppIdUnavailable, Apps, Token, Version};

/// A version counts as fresh for a webhook if the request that read it began at most so long before the webhook
/// arrived. As long as the shortest time between two requests, so that one a second is enough for everyone.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// Both versions of the AppIDs, as far as they were read.
#[derive(Clone, Debug, Default)]
pub struct Known {
    current: Read,
    previous: Read,
    /// From a source that never changes: always fresh.
    is_fixed: bool,
}

/// What is known of one version.
#[derive(Clone, Debug, Default)]
struct Read {
    apps: Option<Arc<Apps>>,
    /// When the request began that read `apps`. `None` where nothing did that counts.
    began: Option<Instant>,
    /// Requests that began until then do not count: what they read may be older than what is known by now.
    outdated_until: Option<Instant>,
    /// The last failure, unless a later request was answered.
    failure: Option<Failure>,
    /// When `apps` are to be renewed.
    due: Option<Instant>,
}

/// What is known of one app: its AppIDs, the current one first, and the token beside each.
#[derive(Clone, Copy, Debug)]
pub struct KnownApp<'k>([Option<(&'k AppId, Option<&'k Token>)>; 2]);

impl<'k> KnownApp<'k> {
    /// The AppIDs, the current one first. None where no version has the app.
    pub fn app_ids(self) -> impl Iterator<Item = &'k AppId> {
        self.0.into_iter().flatten().map(|(app_id, _)| app_id)
    }

    /// The token of each version that has the app, where it has one.
    pub fn tokens(self) -> impl Iterator<Item = Option<&'k Token>> {
        self.0.into_iter().flatten().map(|(_, token)| token)
    }
}

#[derive(Clone, Debug)]
struct Failure {
    began: Instant,
    error: AppIdUnavailable,
}

impl Read {
    fn is_fresh(&self, arrived: Instant) -> bool {
        self.began.is_some_and(|began| began + FRESH >= arrived)
    }

    /// Why it is not fresh, where asking again would not help a webhook that arrived then.
    fn final_failure(&self, arrived: Instant) -> Option<&AppIdUnavailable> {
        let failure = self.failure.as_ref().filter(|failure| failure.began + FRESH > arrived)?;
        Some(&failure.error).filter(|error| !error.is_transient())
    }

    fn knows(&self, began: Instant) -> bool {
        self.began.is_some_and(|known| known >= began) || self.outdated_until.is_some_and(|until| until >= began)
    }
}

impl Known {
    /// What a source knows that never changes.
    pub(crate) fn fixed(apps: Apps) -> Self {
        let current = Read { apps: Some(Arc::new(apps)), ..Read::default() };
        Self { current, is_fixed: true, ..Self::default() }
    }

    /// The AppIDs in use, or the last ones that could be read.
    #[must_use]
    pub const fn current(&self) -> Option<&Arc<Apps>> {
        self.current.apps.as_ref()
    }

    /// The AppIDs in use before them.
    #[must_use]
    pub const fn previous(&self) -> Option<&Arc<Apps>> {
        self.previous.apps.as_ref()
    }

    /// The versions that are known, the current one first.
    pub fn versions(&self) -> impl Iterator<Item = &Apps> {
        self.current().into_iter().chain(self.previous()).map(Arc::as_ref)
    }

    /// One app, in each of the versions that have it.
    #[must_use]
    pub fn app(&self, name: &str) -> KnownApp<'_> {
        KnownApp([self.current(), self.previous()].map(|apps| {
            let apps = apps?;
            Some((apps.get(name)?, apps.token.as_ref()))
        }))
    }

    /// Whether no version was ever read. A missing previous version does not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions().all(Apps::is_empty)
    }

    /// Whether a webhook that arrived then may be refused for good by what is known here.
    #[must_use]
    pub fn is_fresh(&self, arrived: Instant) -> bool {
        self.is_fixed || (self.current.is_fresh(arrived) && self.previous.is_fresh(arrived))
    }

    /// Whether both know the same AppIDs, whatever they know of their age.
    #[must_use]
    pub fn has_the_apps_of(&self, other: &Self) -> bool {
        let is_same = |one: &Read, other: &Read| match (&one.apps, &other.apps) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        };
        is_same(&self.current, &other.current) && is_same(&self.previous, &other.previous)
    }

    /// The versions whose time to live is over.
    pub(super) fn due(&self, now: Instant) -> impl Iterator<Item = Version> + use<> {
        let is_due = |read: &Read| read.due.is_some_and(|due| due <= now);
        versions(is_due(&self.current), is_due(&self.previous))
    }

    /// The versions that may still become fresh for a webhook that arrived then. Before anything is known, the previous
    /// one is worth asking for only where the current one cannot be read.
    pub(super) fn wanted(&self, arrived: Instant) -> impl Iterator<Item = Version> + use<> {
        let is_open = |read: &Read| !read.is_fresh(arrived) && read.final_failure(arrived).is_none();
        let current = is_open(&self.current);
        let previous = is_open(&self.previous) && !(self.is_empty() && current);
        versions(current, previous)
    }

    /// Why this is not fresh for a webhook that arrived then.
    pub(super) fn why_not_fresh(&self, arrived: Instant) -> AppIdUnavailable {
        let why = |read: &Read| {
            let failure = read.failure.as_ref().filter(|failure| read.began.is_none_or(|began| failure.began > began));
            failure.map_or(AppIdUnavailable::OutOfTime, |failure| failure.error.clone())
        };
        if self.current.is_fresh(arrived) {
            AppIdUnavailable::Previous(Box::new(why(&self.previous)))
        } else {
            why(&self.current)
        }
    }

    /// Takes what a request that began then has read. Returns the apps where they are new.
    pub(super) fn read(
        &mut self,
        version: Version,
        began: Instant,
        apps: Apps,
        due: Option<Instant>,
    ) -> Option<Arc<Apps>> {
        let read = self.slot(version);
        if read.knows(began) {
            return None;
        }
        read.began = Some(began);
        read.due = due;
        read.failure.take_if(|failure| failure.began <= began);
        if read.apps.as_ref().is_some_and(|known| known.is_same(&apps)) {
            return None;
        }
        let apps = Arc::new(apps);
        let replaced = read.apps.replace(Arc::clone(&apps));
        if let (Version::Current, Some(replaced)) = (version, replaced) {
            self.rotated(replaced);
        }
        Some(apps)
    }

    /// What was current is previous now, until that version is read again: by a request that begins after this, because
    /// one that is on its way may have been answered before the rotation.
    fn rotated(&mut self, replaced: Arc<Apps>) {
        let now = Some(Instant::now());
        self.previous = Read { apps: Some(replaced), outdated_until: now, due: now, ..Read::default() };
    }

    /// Takes the failure of a request that began then. `retry` is when to renew what is known after all. Returns whether
    /// something is known that goes on serving.
    pub(super) fn failed(
        &mut self,
        version: Version,
        began: Instant,
        error: AppIdUnavailable,
        retry: Option<Instant>,
    ) -> bool {
        let read = self.slot(version);
        // A previous version is requested only once a webhook needs it.
        if read.apps.is_some() || version == Version::Current {
            read.due = read.due.max(retry);
        }
        if !read.knows(began) && read.failure.as_ref().is_none_or(|failure| failure.began < began) {
            read.failure = Some(Failure { began, error });
        }
        read.apps.is_some()
    }

    const fn slot(&mut self, version: Version) -> &mut Read {
        match version {
            Version::Current => &mut self.current,
            Version::Previous => &mut self.previous,
        }
    }
}

/// The versions that are chosen.
fn versions(current: bool, previous: bool) -> impl Iterator<Item = Version> {
    [(Version::Current, current), (Version::Previous, previous)]
        .into_iter()
        .filter_map(|(version, is_chosen)| is_chosen.then_some(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_id::{AppId, SecretsManagerError};

    fn apps(app_id: &str) -> Apps {
        Apps::single(AppId::new(app_id))
    }

    fn has(read: Option<&Arc<Apps>>, app_id: &str) -> bool {
        read.is_some_and(|read| read.is_same(&apps(app_id)))
    }

    /// Both versions, read by requests that began now.
    fn known() -> (Known, Instant) {
        let (mut known, now) = (Known::default(), Instant::now());
        known.read(Version::Current, now, apps("today"), None);
        known.read(Version::Previous, now, apps("older"), None);
        (known, now)
    }

    #[tokio::test(start_paused = true)]
    async fn both_versions_are_fresh_for_a_second() {
        let (known, now) = known();
        assert!(known.is_fresh(now) && known.is_fresh(now + FRESH));
        assert!(!known.is_fresh(now + FRESH + Duration::from_millis(1)));
        assert!(Known::fixed(apps("fixed")).is_fresh(now + 1000 * FRESH));
        let mut half = Known::default();
        half.read(Version::Current, now, apps("today"), None);
        assert!(!half.is_fresh(now));
    }

    #[tokio::test(start_paused = true)]
    async fn a_previous_version_that_was_asked_for_before_a_rotation_was_seen_judges_nothing_after_it() {
        let (mut known, asked) = known();
        tokio::time::advance(FRESH).await;
        let later = Instant::now();
        known.read(Version::Current, later, apps("new"), None);
        assert!(has(known.current(), "new") && has(known.previous(), "today"), "what was current is previous");
        assert_eq!(known.due(later).collect::<Vec<_>>(), [Version::Previous]);
        known.failed(Version::Previous, asked, SecretsManagerError::NotFound.into(), None);
        assert!(
            known.wanted(later).any(|version| version == Version::Previous),
            "that failure was before the rotation"
        );
        for too_early in [asked, later] {
            known.read(Version::Previous, too_early, apps("older"), None);
            assert!(has(known.previous(), "today") && !known.is_fresh(later));
        }
        tokio::time::advance(FRESH).await;
        known.read(Version::Previous, Instant::now(), apps("today"), None);
        assert!(known.is_fresh(later));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_was_overtaken_by_a_later_one_changes_nothing() {
        let (mut known, asked) = known();
        let later = asked + FRESH;
        known.read(Version::Current, later, apps("new"), None);
        known.read(Version::Current, asked, apps("today"), None);
        assert!(has(known.current(), "new"));
        known.failed(Version::Current, asked, SecretsManagerError::NotFound.into(), None);
        assert_eq!(known.why_not_fresh(later + 2 * FRESH), AppIdUnavailable::OutOfTime);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_for_a_webhook_that_came_within_a_second_of_a_failure_that_will_not_pass() {
        let now = Instant::now();
        let wanted = |error: SecretsManagerError, arrived| {
            let mut known = Known::default();
            known.failed(Version::Current, now, error.into(), None);
            known.wanted(arrived).collect::<Vec<_>>()
        };
        let (passes, does_not) = (SecretsManagerError::Unreachable(String::new()), SecretsManagerError::NotFound);
        assert_eq!(wanted(does_not.clone(), now + FRESH - Duration::from_millis(1)), [Version::Previous]);
        assert_eq!(wanted(does_not, now + FRESH), [Version::Current]);
        assert_eq!(wanted(passes, now), [Version::Current]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_latest_failure_is_the_reason_unless_something_was_read_after_it() {
        let (mut known, now) = known();
        let at = |second: u32| now + second * FRESH;
        let unreachable = |text: &str| SecretsManagerError::Unreachable(text.to_owned());
        for (second, error, reason) in [
            (2, unreachable("second"), unreachable("second")),
            (1, unreachable("first"), unreachable("second")),
            (4, unreachable("fourth"), unreachable("fourth")),
        ] {
            known.failed(Version::Current, at(second), error.into(), None);
            assert_eq!(known.why_not_fresh(at(10)), reason.into());
        }
        known.read(Version::Current, at(3), apps("today"), None);
        assert_eq!(known.why_not_fresh(at(10)), unreachable("fourth").into(), "that began after what was read");
        known.read(Version::Current, at(5), apps("today"), None);
        assert_eq!(known.why_not_fresh(at(10)), AppIdUnavailable::OutOfTime);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_apps_read_again_are_nothing_new() {
        let (mut known, now) = known();
        let before = known.clone();
        assert!(known.read(Version::Current, now + FRESH, apps("today"), None).is_none());
        assert!(known.has_the_apps_of(&before) && has(known.previous(), "older"));
    }
}
