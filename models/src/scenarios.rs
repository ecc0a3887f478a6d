//! What is run under schedules, and what must hold.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, HeaderValue, Method};
use shuttle::rand::{Rng as _, thread_rng};
use tokio::time::{self, Instant, sleep};

use crate::{
    app_id::{AppIds, Version},
    aws::Aws,
    decrypt::{Algorithm, Encoding, Format},
    queue::{BatchingQueue, Failover, QueueUrl, Sqs},
    receiver::{Origin, Receiver, Request, Settings},
    schedules::{Time, milliseconds, time_of_day},
    sender::encrypt,
    services::{self, Behavior, Secret, SecretRequest, Taken},
};

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/123456789012/events.fifo";
/// The AppIDs: the one at the beginning, the one after a rotation, the one before, and nobody's.
const FIRST: &str = "first-app-id";
const SECOND: &str = "second-app-id";
const EARLIER: &str = "earlier-app-id";
const NOBODYS: &str = "nobodys-app-id";
/// A second, at which a request for a version may follow another one, and for which an answer counts.
const PACE: Duration = Duration::from_secs(1);
/// So long before a webhook's deadline a silence may end.
const ENOUGH: Duration = Duration::from_millis(600);

/// Says what does not hold.
macro_rules! must {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

/// Webhooks, and the services around them.
#[derive(Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// What must hold, for the reader.
    pub holds: &'static str,
    pub time: Time,
    pub webhooks: usize,
    pub calls: usize,
    /// One webhook in so many is encrypted with nobody's AppID. 0: none.
    pub garbage: usize,
    /// How long after the one before a webhook may come, in milliseconds: one of these.
    pub pauses: &'static [u64],
    /// How much of a webhook's time is over when it arrives, in milliseconds: one of these.
    pub ways: &'static [u64],
    /// How long SQS answers nothing at the beginning, in milliseconds: up to this.
    pub silence: u64,
    pub sqs: Behavior,
    pub secret: Behavior,
    /// Whether the cache is filled before the first webhook.
    pub is_warm: bool,
    /// How long AppIDs are used, in milliseconds.
    pub time_to_live: u64,
    /// Whether the secret rotates once, at any time.
    pub rotates: bool,
    /// Whether the events of a call stay in order: no webhook waits for a secret, with which it would give up its place.
    pub is_in_order: bool,
    /// The longest time until an answer, of webhooks that open and of others, in milliseconds.
    pub longest: Option<(u64, u64)>,
}

/// What most scenarios have in common: webhooks that nothing stands in the way of.
const USUAL: Scenario = Scenario {
    name: "",
    holds: "",
    time: Time::Prompt,
    webhooks: 6,
    calls: 2,
    garbage: 0,
    pauses: &[0],
    ways: &[0],
    silence: 0,
    sqs: Behavior { takes: &[20], fails: 0 },
    secret: Behavior { takes: &[300], fails: 0 },
    is_warm: true,
    time_to_live: 300_000,
    rotates: false,
    is_in_order: true,
    longest: None,
};

/// A secret that is rotated, and fails.
const ROTATION: Scenario = Scenario {
    name: "rotation",
    holds: "single flight; nothing is refused by old AppIDs, nor while an answer is outstanding",
    webhooks: 8,
    garbage: 4,
    pauses: &[0, 10, 200, 400, 1100],
    secret: Behavior { takes: &[10, 600, 1500], fails: 6 },
    time_to_live: 800,
    rotates: true,
    is_in_order: false,
    ..USUAL
};

/// All of them.
pub static SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "order",
        holds: "the events of a call are on the queue in the order of arrival, once, and 200 means kept",
        time: Time::Hurried(16),
        pauses: &[0, 0, 0, 5, 50],
        sqs: Behavior { takes: &[2, 20, 700], fails: 6 },
        ..USUAL
    },
    Scenario {
        name: "bounded waiting",
        holds: "a webhook waits 10 ms and for two requests to SQS at the most: no wake-up is lost",
        pauses: &[0, 0, 0, 1, 5, 15],
        longest: Some((50, 50)),
        ..USUAL
    },
    Scenario {
        name: "silence",
        holds: "a silence of SQS that ends 600 ms before a webhook's deadline costs nothing, and none waits past its own",
        webhooks: 5,
        pauses: &[0, 0, 5, 100, 700],
        ways: &[0, 0, 1000, 2000, 3000],
        silence: 3500,
        ..USUAL
    },
    Scenario {
        name: "cold start",
        holds: "each version is requested once, and every webhook goes on when it is there: no wake-up is lost",
        webhooks: 4,
        calls: 1,
        garbage: 3,
        pauses: &[0, 0, 100, 300],
        is_warm: false,
        is_in_order: false,
        longest: Some((350, 600)),
        ..USUAL
    },
    ROTATION,
    Scenario {
        name: "rotation and freezes",
        holds: "nothing is refused by old AppIDs, nor while an answer is outstanding",
        time: Time::Hurried(64),
        ..ROTATION
    },
    Scenario {
        name: "renewal",
        holds: "single flight also where an answer takes longer than the AppIDs live, and no webhook waits for it",
        webhooks: 5,
        calls: 5,
        pauses: &[0, 10, 900, 1100],
        secret: Behavior { takes: &[10, 2500], fails: 0 },
        time_to_live: 500,
        longest: Some((50, 50)),
        ..USUAL
    },
];

/// A webhook that was answered.
#[derive(Clone, Debug)]
struct Answered {
    event: String,
    call: usize,
    opens: bool,
    arrived: Instant,
    deadline: Instant,
    answered: Instant,
    status: u16,
}

impl Scenario {
    /// Runs it once, in a schedule, and says what did not hold.
    pub async fn run(&'static self, is_traced: bool) -> Result<(), String> {
        let sqs = services::Sqs::new(self.sqs);
        let secret = Secret::new(self.secret, FIRST, Some(EARLIER));
        secret.is_calm(self.is_warm);
        let app_ids = AppIds::new(secret.clone(), milliseconds(self.time_to_live));
        let queue = BatchingQueue::new(Sqs::new(&Aws(Arc::clone(&sqs)), QueueUrl::new(QUEUE).expect("a queue")));
        let receiver = Arc::new(Receiver::new(Settings::default(), app_ids, Failover::new(queue, None)));
        if self.is_warm {
            receiver.warm_up().await;
        }
        secret.is_calm(false);
        sqs.is_silent_for(milliseconds(thread_rng().gen_range(0..=self.silence)));
        time::be_prompt(false);
        let rotation = self.rotates.then(|| tokio::spawn(rotate(secret.clone())));
        let mut webhooks = Vec::new();
        for number in 0..self.webhooks {
            sleep(milliseconds(self.pauses[thread_rng().gen_range(0..self.pauses.len())])).await;
            webhooks.push(tokio::spawn(self.hand_over(number, &receiver, secret.of_sender())));
        }
        let mut answered = Vec::new();
        for webhook in webhooks {
            answered.push(webhook.await.expect("no panic"));
        }
        if let Some(rotation) = rotation {
            rotation.await.expect("no panic");
        }
        // What was begun ends, so that nothing is cut off in the middle.
        time::be_prompt(true);
        sleep(30 * PACE).await;
        let (taken, requests) = (sqs.taken(), secret.requests());
        if is_traced {
            println!("{answered:#?}\n{taken:#?}\n{requests:#?}");
        }
        self.check(&answered, &taken, &requests)
    }

    /// As the Lambda room does it: the place is taken now, and the rest is a task.
    fn hand_over(
        &'static self,
        number: usize,
        receiver: &Arc<Receiver<Secret, Failover<BatchingQueue>>>,
        current: &'static str,
    ) -> impl Future<Output = Answered> + Send + use<> {
        let (receiver, place) = (Arc::clone(receiver), receiver.arrivals().take_place());
        let arrived = Instant::now();
        let opens = self.garbage == 0 || number % self.garbage != self.garbage - 1;
        let call = number % self.calls;
        let event = format!(r#"{{"state":"bridged","voice_id":"call-{call}","custom_data":"{number}"}}"#);
        let mut request = request(&event, if opens { current } else { NOBODYS }, number);
        let way = milliseconds(self.ways[thread_rng().gen_range(0..self.ways.len())]);
        let taken = time_of_day().duration_since(UNIX_EPOCH).expect("later than 1970").saturating_sub(way);
        request.origin.taken = u64::try_from(taken.as_millis()).ok();
        let deadline = arrived + Settings::default().publish_deadline.saturating_sub(way);
        async move {
            let response = receiver.respond_in(Some(place), &request).await;
            let status = response.status().as_u16();
            Answered { event, call, opens, arrived, deadline, answered: Instant::now(), status }
        }
    }

    fn check(&self, answered: &[Answered], taken: &Taken, requests: &[SecretRequest]) -> Result<(), String> {
        self.is_kept_once(answered, taken)?;
        if self.is_in_order {
            is_in_order(answered, taken)?;
        }
        for webhook in answered {
            self.is_in_time(webhook)?;
            self.is_not_lost_to_a_silence(webhook, taken)?;
            is_refused_for_good_only_by_fresh_app_ids(webhook, requests)?;
            is_not_given_up_early(webhook, requests)?;
        }
        self.is_single_flight(requests)
    }

    fn is_kept_once(&self, answered: &[Answered], taken: &Taken) -> Result<(), String> {
        for Answered { event, opens, status, .. } in answered {
            let times = taken.groups.values().flatten().filter(|body| *body == event).count();
            must!(times <= 1, "an event is on the queue {times} times");
            must!(*status != 200 || times == 1, "200 without a message");
            must!(*opens || times == 0, "garbage is on the queue");
            must!([200, 400, 503].contains(status), "status {status}");
            must!(!*opens || *status != 400, "a webhook that opens was refused for good");
        }
        Ok(())
    }

    /// Where time passes only while all wait, deadlines are exact.
    fn is_not_lost_to_a_silence(&self, webhook: &Answered, taken: &Taken) -> Result<(), String> {
        let Answered { deadline, answered, status, .. } = webhook;
        must!(
            self.time != Time::Prompt || answered <= deadline,
            "answered {:?} after the deadline",
            *answered - *deadline
        );
        let left = *deadline - taken.silent_until;
        must!(
            self.silence == 0 || left < ENOUGH || *status == 200,
            "status {status}, and SQS was silent until {left:?} before the deadline"
        );
        Ok(())
    }

    fn is_in_time(&self, webhook: &Answered) -> Result<(), String> {
        let Some((opening, others)) = self.longest else { return Ok(()) };
        let longest = milliseconds(if webhook.opens { opening } else { others });
        let took = webhook.answered - webhook.arrived;
        must!(took <= longest, "a webhook waited {took:?}, and {longest:?} is the most");
        let expected = if webhook.opens { 200 } else { 400 };
        must!(webhook.status == expected, "status {} instead of {expected}, and nothing failed", webhook.status);
        Ok(())
    }

    fn is_single_flight(&self, requests: &[SecretRequest]) -> Result<(), String> {
        for version in [Version::Current, Version::Previous] {
            let of_version: Vec<_> = requests.iter().filter(|request| request.version == version).collect();
            for (before, request) in of_version.iter().enumerate() {
                let since = request.began.since_beginning();
                must!(since >= PACE * before as u32, "{} requests for one version in {since:?}", before + 1);
            }
            if self.time != Time::Prompt {
                // Time may pass between the decision to ask and the request.
                continue;
            }
            for pair in of_version.windows(2) {
                let apart = pair[1].began - pair[0].began;
                must!(apart >= PACE, "two requests for one version within {apart:?}");
                // Where no webhook waits, the next one begins after the one before has ended.
                let ended = pair[0].ended.is_some_and(|(ended, _)| ended <= pair[1].began);
                must!(self.garbage > 0 || ended, "a renewal began beside another one");
            }
        }
        Ok(())
    }
}

/// At some time.
async fn rotate(secret: Secret) {
    sleep(milliseconds(100 * thread_rng().gen_range(0..30))).await;
    secret.rotate(SECOND);
}

fn request(event: &str, app_id: &str, number: usize) -> Request {
    let algorithm = Algorithm::NAMES.iter().find(|(name, _)| *name == "aes-256-cbc").expect("a name").1;
    let data = encrypt(event, app_id, algorithm, Format::Hex, Encoding::Utf8);
    let headers = [
        ("content-type", "application/json"),
        ("x-algoritm", "aes-256-cbc"),
        ("x-format", "hex"),
        ("x-encoding", "utf8"),
    ];
    Request {
        method: Method::POST,
        path: "/webhook".to_owned(),
        token: None,
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
            .collect::<HeaderMap>(),
        body: format!(r#"{{"encrypted_data":"{data}"}}"#).into_bytes(),
        origin: Origin::local(&format!("request-{number}")),
    }
}

/// Of each call, what is on the queue came in that order, unless SQS itself took a later one of a batch and not an earlier
/// one.
fn is_in_order(answered: &[Answered], taken: &Taken) -> Result<(), String> {
    let place = |event: &str| answered.iter().position(|webhook| webhook.event == *event);
    for bodies in taken.groups.values() {
        for (at, earlier) in bodies.iter().enumerate() {
            for later in &bodies[at + 1..] {
                let is_of_sqs = taken.reordered.iter().any(|(first, second)| first == later && second == earlier);
                must!(place(earlier) < place(later) || is_of_sqs, "the order of a call changed");
            }
        }
    }
    let calls = answered.iter().map(|webhook| webhook.call).max().map_or(0, |last| last + 1);
    must!(taken.groups.len() <= calls, "a group for each call");
    Ok(())
}

/// 400 needs an answer for each version to a request that began a second before the webhook's arrival, or later.
fn is_refused_for_good_only_by_fresh_app_ids(webhook: &Answered, requests: &[SecretRequest]) -> Result<(), String> {
    if webhook.status != 400 {
        return Ok(());
    }
    for version in [Version::Current, Version::Previous] {
        let is_fresh = requests.iter().any(|request| {
            let is_answered = request.ended.is_some_and(|(ended, is_read)| is_read && ended <= webhook.answered);
            request.version == version && request.began + PACE >= webhook.arrived && is_answered
        });
        must!(is_fresh, "refused for good, and {version:?} was not read since");
    }
    Ok(())
}

/// Half of the time belongs to the search for AppIDs; before it is over, nothing is given up, since every failure passes.
fn is_not_given_up_early(webhook: &Answered, requests: &[SecretRequest]) -> Result<(), String> {
    if webhook.status != 503 || requests.is_empty() {
        return Ok(());
    }
    let half = (webhook.deadline - webhook.arrived) / 2;
    let took = webhook.answered - webhook.arrived;
    must!(took >= half, "503 after {took:?}, while an answer was outstanding");
    Ok(())
}
