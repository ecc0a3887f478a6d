//! The order in which webhooks arrived, kept while they are read and decrypted side by side.
//!
//! A webhook takes a [`Place`] when its invocation arrives, before anything of it is read. It hands its message to the
//! queue when all places before its own are given up, and then gives up its own. A webhook that has to wait for somebody
//! else, such as Secrets Manager, gives up its place at once: so a place is held for some milliseconds of CPU time at
//! most, and garbage does not hold up valid webhooks.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// The webhooks of one environment that hold a place. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Arrivals(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    next: u64,
    /// The places that are held, and who waits to be the first of them.
    places: BTreeMap<u64, Option<Waker>>,
}

/// A webhook's place in the order of arrival, until it is dropped.
#[derive(Debug)]
pub struct Place {
    arrivals: Arrivals,
    number: u64,
}

impl Arrivals {
    /// Takes the next place.
    #[must_use]
    pub fn take_place(&self) -> Place {
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.places.insert(number, None);
        Place { arrivals: self.clone(), number }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// How many places were taken before this one.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Runs some work and gives up the place as soon as that has to wait, so that later webhooks need not wait with it.
    pub async fn during<T>(self, work: impl Future<Output = T>) -> (Option<Self>, T) {
        let mut place = Some(self);
        let mut work = pin!(work);
        let done = poll_fn(|context| {
            let poll = work.as_mut().poll(context);
            if poll.is_pending() {
                place = None;
            }
            poll
        });
        let done = done.await;
        (place, done)
    }

    /// Waits until all earlier places have been given up.
    pub async fn is_first(&self) {
        poll_fn(|context| {
            let mut held = self.arrivals.held();
            if held.places.first_key_value().is_none_or(|(first, _)| *first >= self.number) {
                return Poll::Ready(());
            }
            if let Some(waker) = held.places.get_mut(&self.number) {
                *waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.arrivals.held();
        held.places.remove(&self.number);
        let next = held.places.first_entry().and_then(|mut first| first.get_mut().take());
        drop(held);
        if let Some(next) = next {
            next.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_place_is_first_once_all_earlier_ones_are_given_up_in_whatever_order() {
        let arrivals = Arrivals::default();
        let [first, second, third] = [(); 3].map(|()| arrivals.take_place());
        assert!(first.is_first().now_or_never().is_some());
        assert!(third.is_first().now_or_never().is_none());
        drop(second);
        assert!(third.is_first().now_or_never().is_none());
        drop(first);
        assert!(third.is_first().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_waiting_place_is_woken() {
        let arrivals = Arrivals::default();
        let places: Vec<Place> = (0..100).map(|_| arrivals.take_place()).collect();
        let (sender, mut order) = tokio::sync::mpsc::unbounded_channel();
        for place in places.into_iter().rev() {
            let sender = sender.clone();
            tokio::spawn(async move {
                place.is_first().await;
                sender.send(place.number()).unwrap();
            });
        }
        for expected in 0..100 {
            assert_eq!(order.recv().await, Some(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_waits_gives_up_the_place_and_work_that_does_not_keeps_it() {
        let arrivals = Arrivals::default();
        let (busy, waiting, last) = (arrivals.take_place(), arrivals.take_place(), arrivals.take_place());
        let (kept, ()) = busy.during(async {}).await;
        assert!(kept.is_some());
        let mut waits = Box::pin(waiting.during(tokio::time::sleep(std::time::Duration::from_secs(1))));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(kept);
        assert!(last.is_first().now_or_never().is_some());
        assert!(waits.await.0.is_none());
    }

    #[test]
    fn a_panic_gives_up_the_place() {
        let arrivals = Arrivals::default();
        let (first, second) = (arrivals.take_place(), arrivals.take_place());
        let _ = std::panic::catch_unwind(move || {
            let _first = first;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(second.is_first().now_or_never().is_some());
    }
}
