//! What was sent and what became of it, and whether that is what was promised.
//!
//! Each [`Rule`] is a sentence of the README or of docs/events.md. It is checked at every step that could break it: when
//! a queue stores a message, when a webhook is answered, when a connection is opened, and at the end.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

use serde_json::Value;

use super::{
    Milliseconds,
    faults::Service,
    plan::{Content, Setup, Webhook},
    secrets::Secrets,
    sender,
};

const LEAST: Milliseconds = 250;
const LONGEST_WAY: u64 = 10_000;
const TIME_TO_ANSWER: u64 = 100;

/// A promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Kept,
    Identity,
    Order,
    InTime,
    Judged,
    CostsNothing,
    OfOthers,
    NothingRewritten,
    Bounded,
    SameAnswer,
}

impl Rule {
    /// The promise in the words of the documentation.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Kept => {
                "200 means that voicehook has it, on the queue or in quarantine; with a refusal it keeps nothing"
            }
            Self::Identity => {
                "retries, failover and redrive keep the event_id; in doubt an event is there twice rather than lost"
            }
            Self::Order => {
                "order per call on a FIFO queue, for webhooks that are sent one after the other, and within an environment"
            }
            Self::InTime => "an answer in time: PUBLISH_DEADLINE_MS holds for everything",
            Self::Judged => "a rotation loses nothing: a webhook is refused for good only by what is true now",
            Self::CostsNothing => "an outage that ends 600 ms or more before the end costs no webhook",
            Self::OfOthers => "the trouble of one call, or somebody's garbage, is not another's",
            Self::NothingRewritten => "nothing is rewritten: key order, number spelling and white space survive",
            Self::Bounded => {
                "nothing grows without bound: connections, requests, tasks; a secret is asked for once a second"
            }
            Self::SameAnswer => "every 200 is the same answer, whatever it was for; every answer is one of the table",
        }
    }
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    pub rule: Rule,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  but {}", self.rule.words(), self.what)
    }
}

/// A webhook on its way.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its number in the plan.
    pub webhook: usize,
    pub call: usize,
    pub content: Content,
    pub text: String,
    pub body: String,
    /// The version of the secret that it is encrypted with.
    pub version: usize,
    pub sent_at: Milliseconds,
    pub environment: Option<usize>,
    pub handed_over: Option<HandedOver>,
    /// The status, once there is one.
    pub answered: Option<(Milliseconds, u16)>,
    /// Answered, or lost with its environment.
    pub is_over: bool,
    /// Its environment stood still meanwhile: no promise about time.
    pub is_disturbed: bool,
}

#[derive(Clone, Debug)]
pub struct HandedOver {
    pub at: Milliseconds,
    /// What the environment's wall clock showed, in milliseconds since 1970.
    pub wall_clock: u64,
    pub invocation_id: String,
    pub event_id: String,
    pub deadline: Milliseconds,
}

/// A fault that an environment met.
pub struct Touch {
    pub at: Milliseconds,
    pub environment: usize,
    pub service: Service,
    /// Only of this call.
    pub call: Option<usize>,
    /// Whether the function has to try again.
    pub passes: bool,
}

pub struct Ledger {
    pub setup: Setup,
    pub deliveries: Vec<Delivery>,
    pub violation: Option<Violation>,
    /// The deliveries that have an event's id.
    pub by_event_id: HashMap<String, Vec<usize>>,
    /// The number of an event's message on the queue and on the failover queue.
    pub places: HashMap<(Service, String), usize>,
    /// The parts of each webhook in quarantine, by the id of its record.
    pub quarantined: HashMap<String, BTreeMap<u64, String>>,
    /// The records of which all parts are there, by invocation.
    pub whole: HashSet<String>,
    pub touches: Vec<Touch>,
    /// Since when an environment has opened webhooks of a version of the secret.
    pub opened: HashMap<(usize, usize), Milliseconds>,
    /// Pairs of events of which the queue took the second and not the first, of one batch.
    pub reordered: HashSet<(String, String)>,
    /// Until when an environment stands still.
    pub stands_until: HashMap<usize, Milliseconds>,
    /// When each version was asked for, by environment.
    pub asked: HashMap<(usize, bool), Vec<Milliseconds>>,
    pub requests: usize,
    /// What Secrets Manager has.
    pub secrets: Secrets,
}

impl Ledger {
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: setup.clone(),
            deliveries: Vec::new(),
            violation: None,
            by_event_id: HashMap::new(),
            places: HashMap::new(),
            quarantined: HashMap::new(),
            whole: HashSet::new(),
            touches: Vec::new(),
            opened: HashMap::new(),
            reordered: HashSet::new(),
            stands_until: HashMap::new(),
            asked: HashMap::new(),
            requests: 0,
            secrets: Secrets::new(),
        }
    }

    /// Keeps the first violation.
    pub fn violate(&mut self, rule: Rule, what: String) {
        self.violation.get_or_insert(Violation { rule, what });
    }

    pub fn faults(&self) -> usize {
        self.touches.len()
    }

    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut statuses = BTreeMap::new();
        for delivery in &self.deliveries {
            *statuses.entry(delivery.answered.map_or(0, |(_, status)| status)).or_default() += 1;
        }
        statuses
    }

    /// A webhook is sent.
    pub fn sent(&mut self, number: usize, webhook: &Webhook, version: usize, now: Milliseconds) -> usize {
        let version = if self.setup.secret { version } else { 0 };
        let before =
            self.deliveries.iter().rev().find(|before| before.call == webhook.call && before.content.is_event());
        let (text, body, content, version) = match (webhook.content, before) {
            (Content::Again, Some(before)) => {
                (before.text.clone(), before.body.clone(), before.content, before.version)
            }
            (content, _) => {
                let text = sender::text(webhook);
                let body = sender::body(content, &text, version);
                let version = if content == Content::OfPreviousAppId { version.saturating_sub(1) } else { version };
                (text, body, content, version)
            }
        };
        self.deliveries.push(Delivery {
            webhook: number,
            call: webhook.call,
            content,
            text,
            body,
            version,
            sent_at: now,
            environment: None,
            handed_over: None,
            answered: None,
            is_over: false,
            is_disturbed: false,
        });
        self.deliveries.len() - 1
    }

    /// A webhook is handed to its environment, whose wall clock shows some time. Returns the gateway's event and the id
    /// of the invocation.
    pub fn handed_over(&mut self, number: usize, at: Milliseconds, wall_clock: u64, ends: u64) -> (String, String) {
        let invocation_id = format!("invocation-{number}");
        let delivery = &mut self.deliveries[number];
        let event_id = sender::event_id(&delivery.text, &invocation_id);
        let taken = super::environment::EPOCH + delivery.sent_at;
        let on_its_way = wall_clock.checked_sub(taken).filter(|took| *took <= LONGEST_WAY).unwrap_or_default();
        let allowed = self.setup.deadline.saturating_sub(on_its_way).max(LEAST.min(self.setup.deadline));
        let ends_in = ends.checked_sub(wall_clock).map_or(u64::MAX, |left| left.saturating_sub(TIME_TO_ANSWER));
        let deadline = at + allowed.min(ends_in);
        if delivery.content.is_event() {
            self.by_event_id.entry(event_id.clone()).or_default().push(number);
        }
        delivery.is_disturbed = delivery.environment.is_some_and(|one| self.stands_until.contains_key(&one));
        delivery.handed_over =
            Some(HandedOver { at, wall_clock, invocation_id: invocation_id.clone(), event_id, deadline });
        (sender::gateway_event(delivery.content, &delivery.body, number, delivery.sent_at), invocation_id)
    }

    /// The webhooks that wait for an environment.
    pub fn waiting_for(&self, environment: usize) -> Vec<usize> {
        let waits = |(number, one): (usize, &Delivery)| {
            (one.environment == Some(environment) && one.handed_over.is_none() && !one.is_over).then_some(number)
        };
        self.deliveries.iter().enumerate().filter_map(waits).collect()
    }

    /// Whether an environment has a webhook already.
    pub fn is_taken(&self, environment: usize) -> bool {
        self.deliveries.iter().any(|one| one.environment == Some(environment) && !one.is_over)
    }

    /// Whether a fault has frozen an environment.
    pub fn stands(&self, environment: usize, now: Milliseconds) -> bool {
        self.stands_until.get(&environment).is_some_and(|until| now < *until)
    }

    /// An environment stands still until then.
    pub fn disturbed(&mut self, environment: usize, until: Milliseconds) {
        self.stands_until.insert(environment, until);
        let of_it = self.deliveries.iter_mut().filter(|one| one.environment == Some(environment) && !one.is_over);
        of_it.for_each(|one| one.is_disturbed = true);
    }

    /// An environment has ended. Returns its webhooks, which get no answer.
    pub fn killed(&mut self, environment: usize) -> Vec<usize> {
        let lost = |(number, one): (usize, &mut Delivery)| {
            let is_lost = one.environment == Some(environment) && !one.is_over;
            one.is_over |= is_lost;
            is_lost.then_some(number)
        };
        self.deliveries.iter_mut().enumerate().filter_map(lost).collect()
    }

    /// A fault met an environment.
    pub fn touched(&mut self, touch: Touch) {
        self.touches.push(touch);
    }

    /// A batch was taken without one message and with a later one of its group.
    pub fn may_be_reordered(&mut self, first: &Value, second: &Value) {
        let id = |entry: &Value| entry["MessageDeduplicationId"].as_str().unwrap_or_default().to_owned();
        self.reordered.insert((id(first), id(second)));
    }
}
