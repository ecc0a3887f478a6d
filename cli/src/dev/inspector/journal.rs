//! Keeps the most recent webhooks in memory, for any number of browsers.
//!
//! Each [`Exchange`] gets a number, and a reader asks for the [`Change`]s after the last number that it has seen. Readers
//! are only woken up and fetch changes themselves, so a slow reader costs no memory and one that reconnects misses nothing.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::Exchange;

/// How many webhooks are kept.
pub(crate) const MAX_WEBHOOKS: usize = 500;
/// How many bytes of them are kept: ten of the largest.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The most recent webhooks.
#[derive(Debug)]
pub(crate) struct Journal {
    /// Identifies this run of the program.
    run: String,
    state: Mutex<State>,
    /// The number of the last change, for readers that wait for the next one.
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    /// The number of the change that last emptied the journal.
    emptied: u64,
    kept: VecDeque<(u64, Arc<Exchange>)>,
    bytes: usize,
    is_closed: bool,
}

/// A change that a reader has not seen.
#[derive(Debug)]
pub(crate) enum Change {
    /// Everything before it was discarded.
    Emptied,
    /// A webhook was added. Of the earlier ones, those from `oldest` on are still kept.
    Added { exchange: Arc<Exchange>, oldest: u64 },
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            run: format!("{:x}", Timestamp::now().as_microsecond()),
            state: Mutex::default(),
            last: watch::Sender::new(0),
        }
    }

    /// The alphanumeric id of this run.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Adds a webhook and returns its number, counted from 1. Drops the oldest ones to make room.
    pub(crate) fn add(&self, exchange: Exchange) -> u64 {
        let mut state = self.state();
        state.last += 1;
        let id = state.last;
        state.bytes += exchange.bytes();
        state.kept.push_back((id, Arc::new(exchange)));
        while state.kept.len() > MAX_WEBHOOKS || (state.bytes > MAX_BYTES && state.kept.len() > 1) {
            let Some((_, oldest)) = state.kept.pop_front() else { break };
            state.bytes -= oldest.bytes();
        }
        drop(state);
        self.last.send_replace(id);
        id
    }

    /// Discards all webhooks.
    pub(crate) fn empty(&self) {
        let mut state = self.state();
        let last = state.last + 1;
        *state = State { last, emptied: last, is_closed: state.is_closed, ..State::default() };
        drop(state);
        self.last.send_replace(last);
    }

    /// Ends the streams of all readers.
    pub(crate) fn close(&self) {
        self.state().is_closed = true;
        self.last.send_modify(|_| {});
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Looks up a webhook by its number, if it is still kept.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Exchange>> {
        self.state().kept.iter().find(|(known, _)| *known == id).map(|(_, exchange)| Arc::clone(exchange))
    }

    /// The changes after number `seen`, in order, with their numbers. For a reader that has seen nothing (`None`), the first
    /// one is [`Change::Emptied`].
    pub(crate) fn since(&self, seen: Option<u64>) -> Vec<(u64, Change)> {
        let state = self.state();
        let seen = seen.filter(|seen| *seen >= state.emptied && *seen <= state.last);
        let emptied = seen.is_none().then_some((state.emptied, Change::Emptied));
        let oldest = state.kept.front().map_or(state.last, |(id, _)| *id);
        let added = state.kept.iter().filter(|(id, _)| seen.is_none_or(|seen| *id > seen));
        let added = added.map(|(id, exchange)| (*id, Change::Added { exchange: Arc::clone(exchange), oldest }));
        emptied.into_iter().chain(added).collect()
    }

    /// Notifies of new changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use voicehook_lambda::receiver::Outcome;

    use super::{super::Origin, *};

    fn exchange(bytes: usize) -> Exchange {
        let request = Request::new(vec![0; bytes]);
        let response = Response::new(String::new());
        Exchange::new(Timestamp::UNIX_EPOCH, Origin::Received, request, None, &response, Outcome::Probe)
    }

    fn numbers(changes: &[(u64, Change)]) -> Vec<(u64, bool)> {
        changes.iter().map(|(id, change)| (*id, matches!(change, Change::Added { .. }))).collect()
    }

    #[test]
    fn a_reader_that_comes_back_gets_what_it_missed_and_nothing_twice() {
        let journal = Journal::new();
        for _ in 0..3 {
            journal.add(exchange(1));
        }
        assert_eq!(numbers(&journal.since(None)), [(0, false), (1, true), (2, true), (3, true)]);
        assert_eq!(numbers(&journal.since(Some(2))), [(3, true)]);
        assert_eq!(numbers(&journal.since(Some(3))), []);
    }

    #[test]
    fn a_reader_from_before_the_journal_was_emptied_is_told_to_forget() {
        let journal = Journal::new();
        journal.add(exchange(1));
        journal.empty();
        journal.add(exchange(1));
        assert_eq!(numbers(&journal.since(Some(1))), [(2, false), (3, true)]);
        assert_eq!(numbers(&journal.since(Some(2))), [(3, true)]);
        assert!(journal.get(1).is_none());
    }

    #[test]
    fn a_reader_with_a_number_that_there_never_was_begins_anew() {
        let journal = Journal::new();
        journal.add(exchange(1));
        assert_eq!(numbers(&journal.since(Some(99))), [(0, false), (1, true)]);
    }

    #[test]
    fn the_oldest_make_room_when_there_are_too_many() {
        let journal = Journal::new();
        for _ in 0..=MAX_WEBHOOKS {
            journal.add(exchange(1));
        }
        let changes = journal.since(None);
        assert_eq!(changes.len(), 1 + MAX_WEBHOOKS);
        assert!(journal.get(1).is_none() && journal.get(2).is_some());
        assert!(matches!(changes.last(), Some((_, Change::Added { oldest: 2, .. }))));
    }

    #[test]
    fn the_oldest_make_room_when_they_are_too_large_together() {
        let journal = Journal::new();
        let ids: Vec<u64> = (0..20).map(|_| journal.add(exchange(6 * 1024 * 1024))).collect();
        let kept = ids.iter().filter(|id| journal.get(**id).is_some()).count();
        assert_eq!(kept, 10);
        assert!(journal.get(20).is_some());
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_webhook_and_by_the_end() {
        let journal = Journal::new();
        let mut changes = journal.changes();
        journal.add(exchange(1));
        changes.changed().await.unwrap();
        journal.close();
        changes.changed().await.unwrap();
        assert!(journal.is_closed());
    }
}
