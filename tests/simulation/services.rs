//! SQS and Secrets Manager together: which reaction a request meets, and what comes of it.

use serde_json::{Value, json};

use super::{
    Milliseconds,
    faults::{Fault, Reaction, Service},
    ledger::Ledger,
    plan::Setup,
    sqs::{self, SimulatedQueue},
    wire::{self, HttpRequest},
};

const MAX_MESSAGE_BYTES: usize = 1_048_576;
/// The most bytes of an answer that drips, at a time.
const DROP: usize = 40;

/// What becomes of a connection after some bytes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It waits for the next request.
    Open,
    /// More of the answer comes, or should.
    More,
    Closed,
    Reset,
}

/// A request, where it came from, and when.
#[derive(Clone, Copy)]
pub struct Asked<'r> {
    pub service: Service,
    pub environment: usize,
    pub request: &'r HttpRequest,
    pub now: Milliseconds,
}

/// What a service does with a request.
#[derive(Default)]
pub struct Does {
    pub is_dead: bool,
    pub carry_out_after: Option<Milliseconds>,
    /// After how long which bytes come back.
    pub answers: Vec<(Milliseconds, Vec<u8>, End)>,
}

/// What a batch's answer says of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Taken,
    Failed,
    Both,
    Nothing,
}

/// What becomes of the message at each place of a request.
struct Fate<'f> {
    is_stored: &'f dyn Fn(usize) -> bool,
    said: &'f dyn Fn(usize) -> Said,
}

pub struct Services {
    queues: [SimulatedQueue; 3],
    /// How many requests each service got.
    requests: [u64; 4],
}

impl Services {
    pub fn new(setup: &Setup) -> Self {
        let limits = [MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES, setup.quarantine_limit];
        let queues = limits.map(|limit| SimulatedQueue::new(setup.fifo, limit));
        Self { queues, requests: [0; 4] }
    }

    /// How a service reacts to a request, and the call that this is about, where it is about one.
    pub fn reaction(
        &mut self,
        service: Service,
        request: &HttpRequest,
        faults: &[Fault],
        now: Milliseconds,
    ) -> (Reaction, Option<usize>) {
        let number = self.requests[service as usize];
        self.requests[service as usize] += 1;
        for fault in faults {
            match *fault {
                Fault::Poison { call, from, until } if service == Service::Queue && (from..until).contains(&now) => {
                    if let Some(reaction) = poisoned(request, call) {
                        return (reaction, Some(call));
                    }
                }
                Fault::Request { service: of, number: wanted, reaction } if of == service && wanted == number => {
                    return (reaction, None);
                }
                Fault::Outage { service: of, from, until, reaction }
                    if of == service && (from..until).contains(&now) =>
                {
                    return (reaction, None);
                }
                _ => {}
            }
        }
        (Reaction::Well, None)
    }

    pub fn react(&mut self, asked: Asked<'_>, reaction: Reaction, ledger: &mut Ledger) -> Does {
        let has = |places: u16, place: usize| places >> place & 1 == 1;
        let mut does = Does::default();
        let answer = match reaction {
            Reaction::Well => self.answer(asked, ledger),
            Reaction::Closed { stores, .. }
            | Reaction::Silent { stores }
            | Reaction::Error { stores, .. }
            | Reaction::Nonsense { stores, .. }
                if stores =>
            {
                self.answer(asked, ledger)
            }
            Reaction::Cut { .. } | Reaction::Drips { .. } | Reaction::Held { .. } => self.answer(asked, ledger),
            Reaction::Partial { places, stores } | Reaction::Forgets { places, stores } => {
                let instead = if matches!(reaction, Reaction::Partial { .. }) { Said::Failed } else { Said::Nothing };
                let said = |place| if has(places, place) { instead } else { Said::Taken };
                let is_stored = |place| stores || !has(places, place);
                self.carry_out(asked, ledger, &Fate { is_stored: &is_stored, said: &said })
            }
            Reaction::Contradicts => {
                self.carry_out(asked, ledger, &Fate { is_stored: &|_| true, said: &|_| Said::Both })
            }
            _ => Vec::new(),
        };
        match reaction {
            Reaction::Well | Reaction::Partial { .. } | Reaction::Forgets { .. } | Reaction::Contradicts => {
                does.answers.push((0, answer, End::Open));
            }
            Reaction::Lost => does.is_dead = true,
            Reaction::Silent { .. } => {}
            Reaction::Closed { reset, .. } => {
                does.answers.push((0, Vec::new(), if reset { End::Reset } else { End::Closed }));
            }
            Reaction::Cut { after, closes } => {
                let cut = answer[..usize::from(after).min(answer.len() - 1)].to_vec();
                does.answers.push((0, cut, if closes { End::Closed } else { End::More }));
            }
            Reaction::Drips { gap } => {
                let drops = answer.chunks(DROP).count();
                does.answers.extend(answer.chunks(DROP).enumerate().map(|(place, drop)| {
                    let end = if place + 1 == drops { End::Open } else { End::More };
                    (place as Milliseconds * Milliseconds::from(gap), drop.to_vec(), end)
                }));
            }
            Reaction::Held { by } => does.answers.push((by.into(), answer, End::Open)),
            Reaction::Late { by } => does.carry_out_after = Some(by.into()),
            Reaction::Error { status, code, .. } | Reaction::Refuses { status, code } => {
                let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "injected"});
                does.answers.push((0, wire::answer(status, &body.to_string()), End::Open));
            }
            Reaction::Nonsense { answer, .. } => does.answers.push((0, wire::answer(200, answer), End::Open)),
        }
        does
    }

    /// The right answer, given now.
    pub fn answer(&mut self, asked: Asked<'_>, ledger: &mut Ledger) -> Vec<u8> {
        self.carry_out(asked, ledger, &Fate { is_stored: &|_| true, said: &|_| Said::Taken })
    }

    /// Carries out an operation. Of messages, those at some places are stored, and something is said of each.
    fn carry_out(&mut self, asked: Asked<'_>, ledger: &mut Ledger, fate: &Fate<'_>) -> Vec<u8> {
        let Asked { environment, request, now, .. } = asked;
        let (status, body) = match request.operation.as_str() {
            "GetSecretValue" => {
                let is_previous = request.body["VersionStage"] == "AWSPREVIOUS";
                ledger.asked(environment, is_previous, now);
                ledger.secrets.answer(&request.body)
            }
            "GetQueueAttributes" => (200, json!({"Attributes": {}})),
            _ => self.send(asked, ledger, fate),
        };
        wire::answer(status, &body.to_string())
    }

    /// `SendMessage`, or `SendMessageBatch`.
    fn send(&mut self, asked: Asked<'_>, ledger: &mut Ledger, fate: &Fate<'_>) -> (u16, Value) {
        let (Asked { service, environment, request, now }, Fate { is_stored, said }) = (asked, fate);
        let input = &request.body;
        let queue = &mut self.queues[service as usize];
        let error = |(code, message): sqs::SqsError| {
            (400, json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message}))
        };
        let Some(entries) = input["Entries"].as_array() else {
            if let Err(refusal) = queue.check(input) {
                return error(refusal);
            }
            let number = is_stored(0).then(|| ledger.store(queue, service, environment, input, now));
            return match (said(0), number) {
                (Said::Taken | Said::Both, number) => (200, sqs::sent(number.unwrap_or_default())),
                (Said::Failed, _) => error(("InternalError", String::new())),
                (Said::Nothing, _) => (200, json!({})),
            };
        };
        if let Err(refusal) = queue.check_batch(entries) {
            return error(refusal);
        }
        ledger.check_batch(entries);
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        let mut left: Vec<&Value> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            let id = &entry["Id"];
            let refusal = queue.check(entry).err();
            let number =
                (refusal.is_none() && is_stored(place)).then(|| ledger.store(queue, service, environment, entry, now));
            if number.is_none() {
                left.push(entry);
            } else {
                let before = left.iter().filter(|other| other["MessageGroupId"] == entry["MessageGroupId"]);
                before.for_each(|other| ledger.may_be_reordered(other, entry));
            }
            let said = if refusal.is_some() { Said::Failed } else { said(place) };
            if matches!(said, Said::Taken | Said::Both) {
                let message_id = sqs::message_id(number.unwrap_or_default());
                successful.push(json!({"Id": id, "MessageId": message_id, "MD5OfMessageBody": ""}));
            }
            if matches!(said, Said::Failed | Said::Both) {
                let (code, message) = refusal.unwrap_or(("InternalError", String::new()));
                failed.push(json!({"Id": id, "Code": code, "Message": message, "SenderFault": false}));
            }
        }
        (200, json!({"Successful": successful, "Failed": failed}))
    }
}

/// What a request meets that has messages of a call that the queue does not take.
fn poisoned(request: &HttpRequest, call: usize) -> Option<Reaction> {
    let is_of_call = |message: &Value| message["MessageGroupId"].as_str().and_then(call_of) == Some(call);
    let Some(entries) = request.body["Entries"].as_array() else {
        return is_of_call(&request.body).then_some(Reaction::Silent { stores: false });
    };
    let places = entries.iter().enumerate().filter(|(_, entry)| is_of_call(entry));
    let places = places.fold(0, |places, (place, _)| places | 1 << place);
    (places > 0).then_some(Reaction::Partial { places, stores: false })
}

/// The call of a message group of a FIFO queue.
pub fn call_of(group: &str) -> Option<usize> {
    group.rsplit_once(":call-")?.1.parse().ok()
}
