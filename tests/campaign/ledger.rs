//! The books of a campaign: what was sent, what was answered, and what each queue has. Everything that arrives is checked
//! when it arrives, and everything that was answered at the end.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::Value;
use voicehook_lambda::queue::Quarantined;

use crate::webhooks::Key;

/// A FIFO queue drops a message whose deduplication id came so long before.
const DEDUPLICATION: Duration = Duration::from_secs(300);
/// How many violations are printed.
const SHOWN: usize = 20;

/// The queues of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Queue,
    Failover,
    Quarantine,
}

impl At {
    pub const ALL: [Self; 3] = [Self::Queue, Self::Failover, Self::Quarantine];
    pub const NAMES: [&str; 3] = ["events", "failover", "quarantine"];
}

/// What became of a delivery, as its sender sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not known yet.
    Sent,
    /// 200.
    Kept,
    /// 503.
    Refused,
    /// The environment was killed.
    Unanswered,
}

/// How long a delivery took, without the time in which the process was frozen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    pub time: Duration,
    /// How long threads of the function and of this process waited for a processor meanwhile, all together: what may be
    /// taken off before an answer is late, so that a busy machine fails no test.
    pub waited: Duration,
}

struct Delivery {
    key: Key,
    outcome: Outcome,
    /// Whether it was sent after the one before it in its call was answered.
    in_sequence: bool,
    took: Took,
    /// Where each queue has it.
    places: [Option<u64>; 3],
    /// Whether a FIFO queue dropped it, because an earlier delivery of the same event is there.
    repeats: bool,
    /// Messages beyond the first, on all queues.
    more: u32,
}

/// What a scenario may do.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub fifo: bool,
    pub has_failover: bool,
    /// Whether the AppID may be out of reach, so that a webhook that opens is kept in quarantine.
    pub app_id_can_fail: bool,
}

/// The books.
pub struct Ledger {
    rules: Rules,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    deliveries: Vec<Delivery>,
    /// When and where a deduplication id was taken, by queue.
    taken: HashMap<(At, String), u64>,
    taken_at: VecDeque<(Instant, At, String)>,
    next_place: u64,
    /// Messages that a FIFO queue dropped.
    dropped: usize,
    violations: Vec<String>,
}

/// What there is to print of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub webhooks: usize,
    pub kept: usize,
    pub refused: usize,
    pub unanswered: usize,
    /// Webhooks with 200 on each queue.
    pub at: [usize; 3],
    /// On a queue without 200.
    pub more_than_promised: usize,
    pub lost: usize,
    /// Messages beyond the first of a delivery, dropped by a FIFO queue or not.
    pub duplicates: usize,
    /// Webhooks that overlapped, and came before the one before them.
    pub swapped: usize,
    pub overlapped: usize,
    pub times: Vec<Duration>,
    /// The longest time without what was waited for a processor.
    pub latest: Duration,
    pub violations: Vec<String>,
}

impl Ledger {
    pub fn new(rules: Rules) -> Self {
        Self { rules, books: Mutex::default() }
    }

    /// Enters a delivery, and gives its number: the gateway's id of the request is `delivery-NUMBER`.
    pub fn sent(&self, key: Key, in_sequence: bool) -> usize {
        let mut books = self.books.lock().unwrap();
        let (took, places) = (Took::default(), [None; 3]);
        let outcome = Outcome::Sent;
        books.deliveries.push(Delivery { key, outcome, in_sequence, took, places, repeats: false, more: 0 });
        books.deliveries.len() - 1
    }

    pub fn answered(&self, number: usize, outcome: Outcome, took: Took) {
        let mut books = self.books.lock().unwrap();
        let delivery = &mut books.deliveries[number];
        (delivery.outcome, delivery.took) = (outcome, took);
    }

    pub fn violation(&self, what: String) {
        self.books.lock().unwrap().violations.push(what);
    }

    /// A queue takes a message: a `SendMessage` request, or an entry of a batch.
    pub fn take(&self, at: At, message: &Value) {
        let checked = if at == At::Quarantine { self.check_record(message) } else { self.check_event(at, message) };
        let mut books = self.books.lock().unwrap();
        match checked {
            Ok(number) => books.take(at, number, message),
            Err(violation) => books.violations.push(format!("{at:?}: {violation}")),
        }
    }

    fn key(&self, request_id: &str) -> Result<(usize, Key), String> {
        let number = request_id.strip_prefix("delivery-").and_then(|number| number.parse::<usize>().ok());
        let found = number.and_then(|number| Some((number, self.books.lock().unwrap().deliveries.get(number)?.key)));
        found.ok_or_else(|| format!("a message of request {request_id:?}, which nobody has sent"))
    }

    /// An event is the one that was sent, byte for byte, with its own identity and group.
    fn check_event(&self, at: At, message: &Value) -> Result<usize, String> {
        let attribute =
            |name: &str| message["MessageAttributes"][name]["StringValue"].as_str().unwrap_or_default().to_owned();
        let (number, key) = self.key(&attribute("request_id"))?;
        let webhook = key.webhook();
        let event_id = webhook.event_id(&invocation_id(number));
        let group = if self.rules.fifo { format!("default:{}", webhook.call) } else { "default".to_owned() };
        let deduplication_id = if self.rules.fifo { Value::from(event_id.as_str()) } else { Value::Null };
        let expected = [
            ("opens", webhook.opens),
            ("may be on this queue", at == At::Queue || self.rules.has_failover),
            ("has its text", message["MessageBody"] == webhook.event.as_str()),
            ("has its event_id", attribute("event_id") == event_id),
            ("has its deduplication id", message["MessageDeduplicationId"] == deduplication_id),
            ("has its group", message["MessageGroupId"] == group.as_str()),
        ];
        match expected.iter().find(|(_, is_so)| !is_so) {
            Some((what, _)) => Err(format!("not true of delivery {number} ({key:?}): it {what}: {message}")),
            None => Ok(number),
        }
    }

    /// A record in quarantine is a webhook that does not open, whole.
    fn check_record(&self, message: &Value) -> Result<usize, String> {
        let record: Quarantined = serde_json::from_str(message["MessageBody"].as_str().unwrap_or_default())
            .map_err(|error| format!("no record: {error}: {message}"))?;
        let (number, key) = self.key(&record.request_id)?;
        let webhook = key.webhook();
        let is_for_quarantine = !webhook.opens || (self.rules.app_id_can_fail && record.reason == "app_id_unavailable");
        let expected = [
            ("is for the quarantine", is_for_quarantine),
            ("is whole", record.parts == 1 && record.body().is_some_and(|body| body == webhook.body().as_bytes())),
            ("keeps its invocation", record.invocation_id() == invocation_id(number)),
        ];
        match expected.iter().find(|(_, is_so)| !is_so) {
            Some((what, _)) => Err(format!("not true of delivery {number} ({key:?}): it {what}: {}", record.reason)),
            None => Ok(number),
        }
    }

    /// Holds the books against each other, when everything has been answered and nothing is on its way.
    pub fn summary(&self) -> Summary {
        let books = self.books.lock().unwrap();
        let mut summary = Summary { violations: books.violations.clone(), ..Summary::default() };
        for (number, delivery) in books.deliveries.iter().enumerate() {
            summary.count(number, delivery);
        }
        if self.rules.fifo {
            summary.check_order(&books.deliveries);
        }
        summary.duplicates += books.dropped;
        summary.times.sort_unstable();
        if summary.violations.len() > SHOWN {
            let hidden = summary.violations.len() - SHOWN;
            summary.violations.truncate(SHOWN);
            summary.violations.push(format!("and {hidden} more"));
        }
        summary
    }
}

/// Lambda's id of the invocation that delivers it.
pub fn invocation_id(number: usize) -> String {
    format!("invocation-{number}")
}

impl Books {
    fn take(&mut self, at: At, number: usize, message: &Value) {
        let now = Instant::now();
        while self.taken_at.front().is_some_and(|(then, ..)| now.duration_since(*then) > DEDUPLICATION) {
            if let Some((_, at, id)) = self.taken_at.pop_front() {
                self.taken.remove(&(at, id));
            }
        }
        let mut place = self.next_place;
        self.next_place += 1;
        let mut first = None;
        if let Some(id) = message["MessageDeduplicationId"].as_str() {
            first = self.taken.get(&(at, id.to_owned())).copied();
            if first.is_none() {
                self.taken.insert((at, id.to_owned()), place);
                self.taken_at.push_back((now, at, id.to_owned()));
            }
        }
        self.dropped += usize::from(first.is_some());
        let delivery = &mut self.deliveries[number];
        if delivery.places[at as usize].is_none() {
            delivery.repeats |= first.is_some();
            place = first.unwrap_or(place);
            delivery.places[at as usize] = Some(place);
        } else if first.is_none() {
            delivery.more += 1;
        }
    }
}

impl Summary {
    fn count(&mut self, number: usize, delivery: &Delivery) {
        self.webhooks += 1;
        self.duplicates += delivery.more as usize;
        let is_somewhere = delivery.places.iter().any(Option::is_some);
        match delivery.outcome {
            Outcome::Kept => {
                self.kept += 1;
                for (at, place) in self.at.iter_mut().zip(delivery.places) {
                    *at += usize::from(place.is_some());
                }
                if !is_somewhere {
                    self.lost += 1;
                    self.violations.push(format!("LOST: delivery {number} ({:?}) was answered 200", delivery.key));
                }
                let [queue, failover, quarantine] = delivery.places.map(|place| place.is_some());
                if quarantine && (queue || failover) {
                    self.violations.push(format!("delivery {number} is on a queue and in quarantine"));
                }
            }
            Outcome::Refused => self.refused += 1,
            Outcome::Unanswered => self.unanswered += 1,
            Outcome::Sent => self.violations.push(format!("delivery {number} has no outcome")),
        }
        self.more_than_promised += usize::from(delivery.outcome != Outcome::Kept && is_somewhere);
        if delivery.outcome != Outcome::Unanswered {
            let Took { time, waited } = delivery.took;
            self.times.push(time);
            self.latest = self.latest.max(time.saturating_sub(waited));
        }
    }

    /// A webhook that is sent after the one before it was answered comes after it, unless one of them took the way through
    /// the failover queue or the quarantine. Others are counted.
    fn check_order(&mut self, deliveries: &[Delivery]) {
        let mut last: HashMap<u32, u64> = HashMap::new();
        for (number, delivery) in deliveries.iter().enumerate() {
            let (Outcome::Kept, [Some(place), None, None]) = (delivery.outcome, delivery.places) else { continue };
            if delivery.repeats {
                continue;
            }
            self.overlapped += usize::from(!delivery.in_sequence);
            let before = last.entry(delivery.key.call).or_default();
            if place < *before {
                if delivery.in_sequence {
                    self.violations.push(format!("ORDER: delivery {number} ({:?}) came too early", delivery.key));
                } else {
                    self.swapped += 1;
                }
            }
            *before = place.max(*before);
        }
    }
}
