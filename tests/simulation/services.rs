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

    pub fn react(
        &mut self,
        service: Service,
        environment: usize,
        request: &HttpRequest,
        reaction: Reaction,
        now: Milliseconds,
        ledger: &mut Ledger,
    ) -> Does {
        let has = |places: u16, place: usize| places >> place & 1 == 1;
        let mut carry_out = |is_stored: &dyn Fn(usize) -> bool, said: &dyn Fn(usize) -> Said| {
            self.carry_out(service, environment, request, now, ledger, is_stored, said)
        };
        let well = |carry_out: &mut dyn FnMut(&dyn Fn(usize) -> bool, &dyn Fn(usize) -> Said) -> (u16, Value)| {
            let (status, body) = carry_out(&|_| true, &|_| Said::Taken);
            wire::answer(status, &body.to_string())
        };
        let error = |status, code: &str| {
            let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": "injected"});
            wire::answer(status, &body.to_string())
        };
        let mut does = Does::default();
        match reaction {
            Reaction::Well => does.answers.push((0, well(&mut carry_out), End::Open)),
            Reaction::Lost => does.is_dead = true,
            Reaction::Closed { reset, stores } => {
                if stores {
                    well(&mut carry_out);
                }
                does.answers.push((0, Vec::new(), if reset { End::Reset } else { End::Closed }));
            }
            Reaction::Silent { stores } => {
                if stores {
                    well(&mut carry_out);
                }
            }
            Reaction::Cut { after, closes } => {
                let mut bytes = well(&mut carry_out);
                bytes.truncate(usize::from(after).min(bytes.len() - 1));
                does.answers.push((0, bytes, if closes { End::Closed } else { End::More }));
            }
            Reaction::Drips { gap } => {
                let bytes = well(&mut carry_out);
                let drops = bytes.chunks(DROP).count();
                let drops = bytes.chunks(DROP).enumerate().map(|(place, drop)| {
                    let end = if place + 1 == drops { End::Open } else { End::More };
                    (place as Milliseconds * Milliseconds::from(gap), drop.to_vec(), end)
                });
                does.answers = drops.collect();
            }
            Reaction::Late { by } => does.carry_out_after = Some(by.into()),
            Reaction::Error { status, code, stores } => {
                if stores {
                    well(&mut carry_out);
                }
                does.answers.push((0, error(status, code), End::Open));
            }
            Reaction::Refuses { status, code } => does.answers.push((0, error(status, code), End::Open)),
            Reaction::Partial { places, stores } => {
                let said = |place| if has(places, place) { Said::Failed } else { Said::Taken };
                let (status, body) = carry_out(&|place| stores || !has(places, place), &said);
                does.answers.push((0, wire::answer(status, &body.to_string()), End::Open));
            }
            Reaction::Contradicts => {
                let (status, body) = carry_out(&|_| true, &|_| Said::Both);
                does.answers.push((0, wire::answer(status, &body.to_string()), End::Open));
            }
            Reaction::Forgets { places, stores } => {
                let said = |place| if has(places, place) { Said::Nothing } else { Said::Taken };
                let (status, body) = carry_out(&|place| stores || !has(places, place), &said);
                does.answers.push((0, wire::answer(status, &body.to_string()), End::Open));
            }
            Reaction::Nonsense { answer, stores } => {
                if stores {
                    well(&mut carry_out);
                }
                does.answers.push((0, wire::answer(200, answer), End::Open));
            }
        }
        does
    }

    /// The right answer, given now.
    pub fn answer(
        &mut self,
        service: Service,
        environment: usize,
        request: &HttpRequest,
        now: Milliseconds,
        ledger: &mut Ledger,
    ) -> Vec<u8> {
        let (status, body) = self.carry_out(service, environment, request, now, ledger, &|_| true, &|_| Said::Taken);
        wire::answer(status, &body.to_string())
    }

    #[allow(clippy::too_many_arguments, reason = "one place that knows all operations")]
    fn carry_out(
        &mut self,
        service: Service,
        environment: usize,
        request: &HttpRequest,
        now: Milliseconds,
        ledger: &mut Ledger,
        is_stored: &dyn Fn(usize) -> bool,
        said: &dyn Fn(usize) -> Said,
    ) -> (u16, Value) {
        match request.operation.as_str() {
            "GetSecretValue" => {
                let is_previous = request.body["VersionStage"] == "AWSPREVIOUS";
                ledger.asked(environment, is_previous, now);
                return ledger.secrets.answer(&request.body);
            }
            "GetQueueAttributes" => return (200, json!({"Attributes": {}})),
            _ => {}
        }
        let queue = &mut self.queues[service as usize];
        let error = |(code, message): sqs::SqsError| {
            (400, json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": message}))
        };
        let Some(entries) = request.body["Entries"].as_array() else {
            if let Err(refusal) = queue.check(&request.body) {
                return error(refusal);
            }
            let number = is_stored(0).then(|| ledger.store(queue, service, environment, &request.body, now));
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
