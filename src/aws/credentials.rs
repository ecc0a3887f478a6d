//! Notices that the credentials of this process have ended.
//!
//! Lambda gives a function its credentials when the environment starts, and ends the environment before they expire. An
//! environment of Managed Instances lives for days, and a role's sessions can be revoked: then every request is refused
//! until the process ends and Lambda starts another one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// How long all requests must have been refused. A single refusal can come from a host of AWS that lags behind.
const REFUSED_FOR: Duration = Duration::from_secs(3);

/// Whether AWS accepts this process's credentials. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct CredentialsHealth(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    ended: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Without it, the configuration is wrong, and another process would be no better.
    ever_accepted: bool,
    refused_since: Option<Instant>,
}

impl CredentialsHealth {
    /// A request was accepted.
    pub(crate) fn accepted(&self) {
        *self.seen() = Seen { ever_accepted: true, refused_since: None };
    }

    /// A request was refused because of the credentials.
    pub(crate) fn refused(&self) {
        let mut seen = self.seen();
        let now = Instant::now();
        let since = *seen.refused_since.get_or_insert(now);
        if seen.ever_accepted && now.duration_since(since) >= REFUSED_FOR {
            self.0.ended.send_replace(true);
        }
    }

    /// Waits until credentials that once were accepted have been refused for some seconds, by every request.
    pub async fn ended(&self) {
        // The sender is in `self`, so it is not dropped.
        let _ = self.0.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    fn have_ended(health: &CredentialsHealth) -> bool {
        health.ended().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_end_after_seconds_of_nothing_but_refusals() {
        let health = CredentialsHealth::default();
        health.accepted();
        health.refused();
        advance(REFUSED_FOR).await;
        assert!(!have_ended(&health));
        health.refused();
        assert!(have_ended(&health));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_accepted_in_between_starts_the_count_again() {
        let health = CredentialsHealth::default();
        for _ in 0..10 {
            health.accepted();
            health.refused();
            advance(REFUSED_FOR / 2).await;
            health.refused();
        }
        assert!(!have_ended(&health));
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_that_never_worked_do_not_end_the_process() {
        let health = CredentialsHealth::default();
        for _ in 0..10 {
            health.refused();
            advance(REFUSED_FOR).await;
        }
        assert!(!have_ended(&health));
    }
}
