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

use super::{
    Exchange, Masks,
    history::{Entry, History},
};

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
    masks: Arc<Masks>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last change.
    last: u64,
    /// The number of the change that last emptied the journal, or filled it again.
    emptied: u64,
    /// The number of the last webhook.
    last_id: u64,
    kept: VecDeque<Kept>,
    /// What was last cleared, until there is no room for it.
    cleared: VecDeque<Kept>,
    /// The size of both.
    bytes: usize,
    is_closed: bool,
    history: Option<History>,
}

#[derive(Debug)]
struct Kept {
    id: u64,
    /// The number of the change that added it.
    change: u64,
    exchange: Arc<Exchange>,
    /// Whether the history has it.
    is_in_history: bool,
}

/// A change that a reader has not seen.
#[derive(Debug)]
pub(crate) enum Change {
    /// Everything before it is no longer kept. So many webhooks were cleared and can be brought back.
    Emptied { cleared: usize },
    /// A webhook was added. Of the earlier ones, those from `oldest` on are still kept.
    Added { id: u64, exchange: Arc<Exchange>, oldest: u64 },
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self {
            run: format!("{:x}", Timestamp::now().as_microsecond()),
            state: Mutex::default(),
            last: watch::Sender::new(0),
            masks: Arc::default(),
        }
    }

    /// What its webhooks must not show.
    pub(crate) fn masking(self, masks: Masks) -> Self {
        Self { masks: Arc::new(masks), ..self }
    }

    /// Keeps webhooks in a file, too, from [`start_history`](Self::start_history) on. Begins with those of earlier runs.
    pub(crate) fn remembering(self, history: History, earlier: Vec<(u64, Exchange)>) -> Self {
        for (id, exchange) in earlier {
            let exchange = exchange.masked(&self.masks);
            self.state().push(id, exchange, true);
        }
        self.state().history = Some(history);
        self
    }

    /// Writes what arrives from now on to the history.
    pub(crate) fn start_history(&self) {
        self.state().history.iter_mut().for_each(History::start);
    }

    /// Whether a webhook is missing in the history.
    pub(crate) fn history_has_failed(&self) -> bool {
        self.state().history.as_ref().is_some_and(History::has_failed)
    }

    /// The alphanumeric id of this run.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Adds a webhook and returns its number, counted from 1. Drops the oldest ones to make room.
    pub(crate) fn add(&self, exchange: Exchange) -> u64 {
        let exchange = exchange.masked(&self.masks);
        let mut state = self.state();
        let id = state.last_id + 1;
        let is_in_history = state.history.as_ref().is_some_and(History::is_on);
        state.push(id, exchange, is_in_history);
        if is_in_history {
            state.write_newest();
        }
        let change = state.last;
        drop(state);
        self.last.send_replace(change);
        id
    }

    /// Notes that there is news of a webhook: readers get it again.
    pub(crate) fn changed(&self, id: u64) {
        let mut state = self.state();
        let change = state.last + 1;
        let Some(kept) = state.kept.iter_mut().find(|kept| kept.id == id) else { return };
        kept.change = change;
        state.last = change;
        drop(state);
        self.last.send_replace(change);
    }

    /// Clears all webhooks. They can be brought back by [`restore`](Self::restore).
    pub(crate) fn empty(&self) {
        let mut state = self.state();
        if !state.kept.is_empty() {
            state.cleared = std::mem::take(&mut state.kept);
            state.bytes = state.cleared.iter().map(|kept| kept.exchange.bytes()).sum();
        }
        state.last += 1;
        state.emptied = state.last;
        state.write_all();
        self.last.send_replace(state.last);
    }

    /// Brings back what was last cleared, in front of what arrived since. Returns whether there was anything.
    pub(crate) fn restore(&self) -> bool {
        let mut state = self.state();
        if state.cleared.is_empty() {
            return false;
        }
        let since = std::mem::take(&mut state.kept);
        state.kept = std::mem::take(&mut state.cleared);
        state.kept.extend(since);
        state.make_room();
        // All readers begin anew, so all webhooks are changes again.
        state.last += 1;
        state.emptied = state.last;
        let first = state.last + 1;
        for (change, kept) in (first..).zip(&mut state.kept) {
            kept.change = change;
        }
        state.last += u64::try_from(state.kept.len()).unwrap_or(u64::MAX);
        state.write_all();
        self.last.send_replace(state.last);
        true
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
        self.state().kept.iter().find(|kept| kept.id == id).map(|kept| Arc::clone(&kept.exchange))
    }

    /// Looks up a webhook by its number, or by the id that the sender was given.
    pub(crate) fn find(&self, name: &str) -> Option<(u64, Arc<Exchange>)> {
        let number = name.parse().ok();
        let state = self.state();
        let is_it = |kept: &&Kept| number.map_or_else(|| kept.exchange.key() == name, |number: u64| kept.id == number);
        state.kept.iter().find(is_it).map(|kept| (kept.id, Arc::clone(&kept.exchange)))
    }

    /// All webhooks that are kept, with their numbers, the oldest first.
    pub(crate) fn all(&self) -> Vec<(u64, Arc<Exchange>)> {
        self.state().kept.iter().map(|kept| (kept.id, Arc::clone(&kept.exchange))).collect()
    }

    /// The changes after number `seen`, in the order of the webhooks, each with the number up to which everything has been
    /// seen with it. For a reader that has seen nothing (`None`), the first one is [`Change::Emptied`].
    pub(crate) fn since(&self, seen: Option<u64>) -> Vec<(u64, Change)> {
        let state = self.state();
        let seen = seen.filter(|seen| *seen >= state.emptied && *seen <= state.last);
        let cleared = state.cleared.len();
        let emptied = seen.is_none().then_some((state.emptied, Change::Emptied { cleared }));
        let oldest = state.kept.front().map_or(state.last_id, |kept| kept.id);
        let added = state.kept.iter().filter(|kept| seen.is_none_or(|seen| kept.change > seen));
        let added = added.map(|Kept { id, change, exchange, .. }| {
            (*change, Change::Added { id: *id, exchange: Arc::clone(exchange), oldest })
        });
        let mut changes: Vec<(u64, Change)> = emptied.into_iter().chain(added).collect();
        // A webhook that changed has a higher number than later ones, which a reader that loses the connection in between
        // has not seen.
        let mut lowest_behind = state.last + 1;
        for (number, _) in changes.iter_mut().rev() {
            (*number, lowest_behind) = (lowest_behind - 1, lowest_behind.min(*number));
        }
        changes
    }

    /// Notifies of new changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a webhook as a change.
    fn push(&mut self, id: u64, exchange: Exchange, is_in_history: bool) {
        self.last += 1;
        self.last_id = id;
        self.bytes += exchange.bytes();
        let exchange = Arc::new(exchange);
        self.kept.push_back(Kept { id, change: self.last, exchange, is_in_history });
        self.make_room();
    }

    /// Writes the newest webhook to the history, or all of it if it holds much that is no longer kept.
    fn write_newest(&mut self) {
        let (Some(history), Some(newest)) = (&mut self.history, self.kept.back()) else { return };
        history.append(&Entry::new(newest.id, &newest.exchange));
        if history.is_too_long() {
            self.write_all();
        }
    }

    /// Replaces the history by what is kept.
    fn write_all(&mut self) {
        let Some(history) = &mut self.history else { return };
        let kept = self.kept.iter().filter(|kept| kept.is_in_history);
        history.rewrite(kept.map(|kept| Entry::new(kept.id, &kept.exchange)));
    }

    /// Drops what was cleared, and then the oldest webhooks, while there is too much.
    fn make_room(&mut self) {
        while self.kept.len() > MAX_WEBHOOKS || (self.bytes > MAX_BYTES && self.kept.len() + self.cleared.len() > 1) {
            let are_too_many = self.kept.len() > MAX_WEBHOOKS;
            let cleared = if are_too_many { None } else { self.cleared.pop_front() };
            let Some(oldest) = cleared.or_else(|| self.kept.pop_front()) else { break };
            self.bytes -= oldest.exchange.bytes();
        }
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

    fn ids(changes: &[(u64, Change)]) -> Vec<u64> {
        changes
            .iter()
            .filter_map(|(_, change)| if let Change::Added { id, .. } = change { Some(*id) } else { None })
            .collect()
    }

    #[test]
    fn what_was_cleared_comes_back_in_front_of_what_arrived_since() {
        let journal = Journal::new();
        journal.add(exchange(1));
        journal.add(exchange(1));
        journal.empty();
        assert!(matches!(journal.since(Some(2)).as_slice(), [(3, Change::Emptied { cleared: 2 })]));
        assert_eq!(journal.add(exchange(1)), 3);
        assert!(journal.restore());
        let changes = journal.since(Some(4));
        assert!(matches!(changes[0], (5, Change::Emptied { cleared: 0 })));
        assert_eq!(ids(&changes), [1, 2, 3]);
        let last = changes.last().unwrap().0;
        assert_eq!(numbers(&journal.since(Some(last))), [], "a reader that has seen all of them waits");
        assert_eq!(journal.add(exchange(1)), 4);
        assert_eq!(ids(&journal.since(Some(last))), [4]);
        assert!(!journal.restore(), "it comes back once");
    }

    #[test]
    fn clearing_an_empty_list_keeps_what_was_cleared_before() {
        let journal = Journal::new();
        journal.add(exchange(1));
        journal.empty();
        journal.empty();
        assert!(journal.restore());
        assert!(journal.get(1).is_some());
    }

    #[test]
    fn what_was_cleared_makes_room_before_what_is_kept() {
        let journal = Journal::new();
        for _ in 0..5 {
            journal.add(exchange(6 * 1024 * 1024));
        }
        journal.empty();
        let ids: Vec<u64> = (0..10).map(|_| journal.add(exchange(6 * 1024 * 1024))).collect();
        assert!(ids.iter().all(|id| journal.get(*id).is_some()));
        assert!(!journal.restore());
    }

    #[test]
    fn no_more_come_back_than_are_kept() {
        let journal = Journal::new();
        for _ in 0..MAX_WEBHOOKS {
            journal.add(exchange(1));
        }
        journal.empty();
        journal.add(exchange(1));
        assert!(journal.restore());
        assert_eq!(journal.since(None).len(), 1 + MAX_WEBHOOKS);
        assert!(journal.get(1).is_none() && journal.get(2).is_some());
    }

    #[test]
    fn news_of_a_webhook_is_a_change_in_the_webhooks_order() {
        let journal = Journal::new();
        for _ in 0..3 {
            journal.add(exchange(1));
        }
        journal.changed(2);
        let ids = |changes: &[(u64, Change)]| {
            let id = |change: &Change| if let Change::Added { id, .. } = change { *id } else { 0 };
            changes.iter().map(|(number, change)| (*number, id(change))).collect::<Vec<_>>()
        };
        assert_eq!(ids(&journal.since(None)), [(0, 0), (2, 1), (2, 2), (4, 3)]);
        assert_eq!(ids(&journal.since(Some(2))), [(2, 2), (4, 3)], "after a connection that was lost before the last");
        assert_eq!(ids(&journal.since(Some(3))), [(4, 2)]);
        journal.changed(99);
        assert_eq!(ids(&journal.since(Some(4))), []);
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
