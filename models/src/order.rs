//! A model of the batching queue in front of one FIFO queue, all of whose states are checked: group order, and that
//! nothing waits without a reason or for long.
//!
//! It has the rules of `src/queue/batching.rs` and nothing of its code. Time is a choice: a message's lingering may end
//! before or after anything else. What SQS does is a choice, too: it may refuse entries of a batch, and answers may get
//! lost, so that a request is sent once more.

use std::collections::BTreeSet;

use stateright::{Checker as _, Model, Property};

/// A rule that is left out, to show that the model can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A group is free as soon as its request is on its way.
    FreeTooEarly,
    /// What waits is not sent when a group becomes free.
    NotSentWhenFree,
    /// What SQS did not take is sent again side by side with the group's next messages.
    FreeBeforeTheRest,
    /// A message is not sent when it has waited long enough.
    NotSentAfterLingering,
    /// What came last goes first.
    LastComesFirst,
}

/// The rules that can be left out, each with what then does not hold.
pub const FAULTS: [(Fault, &str); 5] = [
    (Fault::FreeTooEarly, ORDER),
    (Fault::NotSentWhenFree, REASON),
    (Fault::FreeBeforeTheRest, ORDER),
    (Fault::NotSentAfterLingering, REASON),
    (Fault::LastComesFirst, PASSED_OVER),
];

const ORDER: &str =
    "the messages of a group are on the queue in the order of arrival, unless SQS itself changed it in a batch";
const ONE: &str = "a group has one request on its way at a time";
const REASON: &str = "what has waited for 10 ms waits only for a request of its own group";
const PASSED_OVER: &str = "a message is passed over only by full requests of what came before it";
const ANSWERED: &str = "every message is answered in the end";

/// The bounds.
#[derive(Clone, Debug)]
pub struct Batching {
    pub messages: u8,
    pub groups: u8,
    /// The most messages of a request: ten in voicehook.
    pub entries: usize,
    /// How many entries SQS refuses at the most, and how many answers get lost.
    pub refusals: u8,
    pub lost: u8,
    pub fault: Option<Fault>,
}

/// A request, or the rest of one: what SQS did not take of a group, which is sent again one by one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    messages: Vec<u8>,
    /// The groups that are not free until it is back.
    holds: Vec<u8>,
    is_rest: bool,
    /// What SQS took, once it was there.
    taken: Option<Vec<bool>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    message: u8,
    /// How many waited before it when it came.
    before: usize,
    has_lingered: bool,
    passed_over: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    arrived: u8,
    waiting: Vec<Waiting>,
    requests: Vec<Request>,
    queue: Vec<u8>,
    answered: u8,
    refusals: u8,
    lost: u8,
    /// Of a batch, the first was refused and the second was taken.
    reordered: BTreeSet<(u8, u8)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Arrive,
    Lingered(u8),
    /// A request is at SQS, which refuses these places.
    Reach(usize, Vec<bool>),
    LoseAnswer(usize),
    Answer(usize),
}

impl Batching {
    const fn group(&self, message: u8) -> u8 {
        message % self.groups
    }

    fn is_free(&self, state: &State, group: u8) -> bool {
        !state.requests.iter().any(|request| request.holds.contains(&group))
    }

    fn arrive(&self, state: &mut State) {
        let message = state.arrived;
        state.arrived += 1;
        let is_alone = state.waiting.is_empty() && state.requests.iter().all(|request| request.is_rest);
        if is_alone && self.is_free(state, self.group(message)) {
            self.begin(state, vec![message]);
            return;
        }
        let before = state.waiting.len();
        state.waiting.push(Waiting { message, before, has_lingered: false, passed_over: 0 });
        self.send_one(state, true);
    }

    fn send_waiting(&self, state: &mut State) {
        while self.send_one(state, false) {}
    }

    /// Sends one request of what waits, if there is one; with `only_full`, if it is full.
    fn send_one(&self, state: &mut State, only_full: bool) -> bool {
        let mut places: Vec<usize> = (0..state.waiting.len()).collect();
        places.retain(|place| self.is_free(state, self.group(state.waiting[*place].message)));
        if self.fault == Some(Fault::LastComesFirst) {
            places.reverse();
        }
        if places.is_empty() || (only_full && places.len() < self.entries) {
            return false;
        }
        let passed_over = places.split_off(places.len().min(self.entries));
        passed_over.into_iter().for_each(|place| state.waiting[place].passed_over += 1);
        places.sort_unstable();
        let messages = places.iter().rev().map(|place| state.waiting.remove(*place).message);
        let mut messages: Vec<u8> = messages.collect();
        messages.reverse();
        self.begin(state, messages);
        true
    }

    fn begin(&self, state: &mut State, messages: Vec<u8>) {
        let mut holds: Vec<u8> = messages.iter().map(|message| self.group(*message)).collect();
        holds.sort_unstable();
        holds.dedup();
        if self.fault == Some(Fault::FreeTooEarly) {
            holds.clear();
        }
        state.requests.push(Request { messages, holds, is_rest: false, taken: None });
        state.requests.sort();
    }

    /// A rest sends its first message only.
    const fn entries_of(request: &Request) -> usize {
        if request.is_rest { 1 } else { request.messages.len() }
    }

    fn reach(state: &mut State, request: usize, refused: Vec<bool>, group: impl Fn(u8) -> u8) {
        let messages = state.requests[request].messages.clone();
        let mut taken = Vec::new();
        for (place, is_refused) in refused.iter().enumerate() {
            let message = messages[place];
            // A message that is on the queue already is taken once more, and not put there again.
            let is_there = state.queue.contains(&message);
            if *is_refused {
                state.refusals += 1;
            } else if !is_there {
                let before = (0..place).filter(|before| refused[*before] && group(messages[*before]) == group(message));
                let changed: Vec<_> = before.map(|before| (messages[before], message)).collect();
                state.reordered.extend(changed);
                state.queue.push(message);
            }
            taken.push(!is_refused);
        }
        state.requests[request].taken = Some(taken);
    }

    /// A request is back. Whose messages are all there is free; the others stay held until their rest is.
    fn answer(&self, state: &mut State, request: usize) {
        let Request { messages, holds, is_rest, taken } = state.requests.remove(request);
        let taken = taken.unwrap_or_default();
        let mut left: Vec<u8> =
            messages.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(left, _)| *left).collect();
        state.answered += (taken.len() - left.len()) as u8;
        left.extend(&messages[taken.len()..]);
        let groups: BTreeSet<u8> = left.iter().map(|message| self.group(*message)).collect();
        for group in groups {
            let messages = left.iter().copied().filter(|message| self.group(*message) == group).collect();
            let is_held = holds.contains(&group) && self.fault != Some(Fault::FreeBeforeTheRest);
            let holds = is_held.then_some(group).into_iter().collect();
            state.requests.push(Request { messages, holds, is_rest: true, taken: None });
        }
        state.requests.sort();
        if !(self.fault == Some(Fault::NotSentWhenFree) && (is_rest || messages.len() > 1)) {
            self.send_waiting(state);
        }
    }
}

impl Model for Batching {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.arrived < self.messages {
            actions.push(Action::Arrive);
        }
        let lingering = state.waiting.iter().filter(|waiting| !waiting.has_lingered);
        actions.extend(lingering.map(|waiting| Action::Lingered(waiting.message)));
        for (place, request) in state.requests.iter().enumerate() {
            if request.taken.is_some() {
                actions.push(Action::Answer(place));
                if state.lost < self.lost {
                    actions.push(Action::LoseAnswer(place));
                }
                continue;
            }
            let entries = Self::entries_of(request);
            for refused in 0..1_u32 << entries {
                let refused: Vec<bool> = (0..entries).map(|entry| refused >> entry & 1 == 1).collect();
                let count = refused.iter().filter(|is_refused| **is_refused).count();
                // Single messages are not refused: then the whole request fails, and is the same as one that is not there yet.
                if count == 0 || (entries > 1 && state.refusals + count as u8 <= self.refusals) {
                    actions.push(Action::Reach(place, refused));
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Arrive => self.arrive(&mut next),
            Action::Lingered(message) => {
                next.waiting
                    .iter_mut()
                    .filter(|waiting| waiting.message == message)
                    .for_each(|waiting| waiting.has_lingered = true);
                if self.fault != Some(Fault::NotSentAfterLingering) {
                    self.send_waiting(&mut next);
                }
            }
            Action::Reach(request, refused) => Self::reach(&mut next, request, refused, |message| self.group(message)),
            Action::LoseAnswer(request) => {
                next.lost += 1;
                next.requests[request].taken = None;
            }
            Action::Answer(request) => self.answer(&mut next, request),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ORDER, |model: &Self, state: &State| {
                let queue = &state.queue;
                let pairs = queue
                    .iter()
                    .enumerate()
                    .flat_map(|(at, first)| queue[at + 1..].iter().map(move |later| (*first, *later)));
                pairs
                    .filter(|(first, later)| model.group(*first) == model.group(*later) && later < first)
                    .all(|(first, later)| state.reordered.contains(&(later, first)))
            }),
            Property::always(ONE, |model: &Self, state: &State| {
                (0..model.groups)
                    .all(|group| state.requests.iter().filter(|request| request.holds.contains(&group)).count() <= 1)
            }),
            Property::always(REASON, |model: &Self, state: &State| {
                let mut lingered = state.waiting.iter().filter(|waiting| waiting.has_lingered);
                lingered.all(|waiting| !model.is_free(state, model.group(waiting.message)))
            }),
            Property::always(PASSED_OVER, |model: &Self, state: &State| {
                state.waiting.iter().all(|waiting| waiting.passed_over <= waiting.before / model.entries)
            }),
            Property::eventually(ANSWERED, |model: &Self, state: &State| state.answered == model.messages),
            // What the bounds let happen at all.
            Property::sometimes("messages of one group are in one request", |_: &Self, state: &State| {
                state.requests.iter().any(|request| !request.is_rest && request.holds.len() < request.messages.len())
            }),
            Property::sometimes("SQS changed the order in a batch", |_: &Self, state: &State| {
                !state.reordered.is_empty()
            }),
            Property::sometimes("a rest holds its group while others go on", |_: &Self, state: &State| {
                state.requests.len() > 1 && state.requests.iter().any(|request| request.is_rest)
            }),
        ]
    }
}

/// What was checked.
#[derive(Debug)]
pub struct Checked {
    pub states: usize,
    pub depth: usize,
    /// What does not hold, or never happens, and how it comes about.
    pub failures: Vec<(&'static str, String)>,
}

/// Checks all states within the bounds.
pub fn check(model: &Batching) -> Checked {
    let checker = model.clone().checker().spawn_bfs().join();
    let mut failures = Vec::new();
    for property in model.properties() {
        let found = checker.discovery(property.name);
        let is_example = matches!(property.expectation, stateright::Expectation::Sometimes);
        match found {
            Some(path) if !is_example => failures.push((property.name, format!("{:?}", path.into_actions()))),
            None if is_example => failures.push((property.name, "never".to_owned())),
            _ => {}
        }
    }
    Checked { states: checker.unique_state_count(), depth: checker.max_depth(), failures }
}
