//! What happens in one simulation, all of it decided by the seed beforehand: how the function is configured, which
//! webhooks are sent, and what goes wrong. What is left of a plan when a fault or a webhook is taken out is a plan too.

use voicehook_test_support::Random;

use super::{
    Milliseconds,
    faults::{Fault, Reaction, Service},
};

/// The time from the first webhook to the last.
pub const SPAN: Milliseconds = 24_000;

#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub setup: Setup,
    pub webhooks: Vec<Webhook>,
    pub faults: Vec<Fault>,
}

/// How the function is configured and run.
#[derive(Clone, Debug)]
pub struct Setup {
    pub fifo: bool,
    pub failover: bool,
    pub quarantine: bool,
    /// The largest message that the quarantine queue takes, in bytes.
    pub quarantine_limit: usize,
    /// AppIDs from Secrets Manager, else from the environment.
    pub secret: bool,
    /// `APP_ID_TTL_SECONDS`.
    pub time_to_live: u64,
    /// `PUBLISH_DEADLINE_MS`.
    pub deadline: Milliseconds,
    /// Lambda's timeout of the function.
    pub timeout: Milliseconds,
    /// One webhook at a time, and frozen in between, as Lambda runs a function; else many, as Managed Instances do.
    pub one_at_a_time: bool,
    /// Environments that run all the time, where they take many webhooks at once.
    pub environments: usize,
}

/// A webhook that `EnableX` sends.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub number: usize,
    pub call: usize,
    pub content: Content,
    /// When it is sent at the earliest.
    pub at: Milliseconds,
    /// Only after the one before it of its call was answered.
    pub in_turn: bool,
    /// From the gateway's own time of the request until the function has it.
    pub way: Milliseconds,
    /// Bytes that make the event larger.
    pub filler: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An event that proves which one it is, by call and time.
    Proven,
    /// An event that does not: a key that is pressed.
    Unproven,
    /// The event of the webhook before it in its call, once more and byte for byte.
    Again,
    /// An event encrypted with the AppID before the current one.
    OfPreviousAppId,
    /// Something that no AppID opens.
    Garbage,
    /// `encrypted_data` that is not in its format.
    Malformed,
    /// For an app that does not exist.
    UnknownApp,
    /// A probe of the URL.
    Probe,
}

impl Content {
    /// Whether it carries an event that must come to the queue.
    pub const fn is_event(self) -> bool {
        matches!(self, Self::Proven | Self::Unproven | Self::Again | Self::OfPreviousAppId)
    }
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5eed);
        let focus = Focus::of(seed);
        let setup = focus.sets(Setup::new(random));
        let webhooks = webhooks(&setup, focus, random);
        let chance = faults(&setup, &webhooks, random);
        // A request meets the first one that is for it.
        let faults = focus.faults(&webhooks, random).into_iter().chain(chance).collect();
        Self { seed, setup, webhooks, faults }
    }
}

/// What a third of the seeds has more of than chance would bring together: mistakes that need three things at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    Anything,
    /// One environment, many webhooks at once, batches of which the queue takes a part, and one webhook long after.
    Crowd,
    /// Rotations while Secrets Manager is slow, around the time when webhooks come.
    Rotations,
}

impl Focus {
    const fn of(seed: u64) -> Self {
        match seed % 6 {
            3 => Self::Rotations,
            5 => Self::Crowd,
            _ => Self::Anything,
        }
    }

    fn sets(self, setup: Setup) -> Setup {
        match self {
            Self::Anything => setup,
            Self::Crowd => Setup { one_at_a_time: false, environments: 1, ..setup },
            Self::Rotations => Setup { secret: true, ..setup },
        }
    }

    fn faults(self, webhooks: &[Webhook], random: &mut Random) -> Vec<Fault> {
        match self {
            Self::Anything => Vec::new(),
            Self::Crowd => partial_batches(webhooks, random),
            Self::Rotations => slow_rotations(webhooks, random),
        }
    }
}

impl Setup {
    fn new(random: &mut Random) -> Self {
        Self {
            fifo: random.percent(75),
            failover: random.percent(35),
            quarantine: random.percent(60),
            quarantine_limit: *random.pick(&[1_048_576, 4096, 2048]),
            secret: random.percent(60),
            time_to_live: *random.pick(&[1, 5, 300]),
            deadline: *random.pick(&[4000, 4000, 4000, 2000, 1000, 8000]),
            timeout: *random.pick(&[10_000, 10_000, 10_000, 3000, 1500]),
            one_at_a_time: random.percent(45),
            environments: random.between(1, 4) as usize,
        }
    }
}

/// Calls with several events each: some one after the other, some all at once, some at any time.
fn webhooks(setup: &Setup, focus: Focus, random: &mut Random) -> Vec<Webhook> {
    let mut webhooks = Vec::new();
    let is_crowd = focus == Focus::Crowd;
    // Calls that are all there at once share batches.
    let rush = (random.percent(35) || is_crowd).then(|| random.between(0, SPAN / 2));
    let garbage = *random.pick(&[0, 5, 30]);
    for call in 0..random.between(1, 7) as usize {
        let in_turn = random.percent(50);
        let mut at = rush.unwrap_or_else(|| random.between(0, SPAN / 2));
        let pace = *random.pick(if is_crowd { &[0, 3, 20, 100, 400] } else { &[0, 3, 30, 400, 2500] });
        for place in 0..random.between(1, 13) {
            let content = match random.between(0, 100) {
                below if below < garbage => {
                    *random.pick(&[Content::Garbage, Content::Garbage, Content::Malformed, Content::UnknownApp])
                }
                below if below < garbage + 2 => Content::Probe,
                below if below < garbage + 8 && setup.secret => Content::OfPreviousAppId,
                _ if place > 0 && random.percent(12) => Content::Again,
                _ if random.percent(50) => Content::Proven,
                _ => Content::Unproven,
            };
            let filler = if random.percent(15) { random.between(700, 4000) } else { random.between(0, 60) } as usize;
            // Those that arrive together and have different times left are the ones that depend on each other.
            let is_late = random.percent(if rush.is_some() { 50 } else { 25 });
            let way = if is_late { random.between(0, setup.deadline) } else { random.between(0, 30) };
            webhooks.push(Webhook { number: webhooks.len(), call, content, at: at.min(SPAN), in_turn, way, filler });
            at += if pace == 0 { 0 } else { random.between(0, 2 * pace) };
        }
    }
    // Long after the others, when the connections that these have left are too old to be used.
    if let Some(straggler) = webhooks.last_mut().filter(|_| is_crowd) {
        straggler.at += random.between(1000, 60_000);
    }
    webhooks
}

/// Of the first batches the queue takes a part, and of one call nothing for a while.
fn partial_batches(webhooks: &[Webhook], random: &mut Random) -> Vec<Fault> {
    let mut faults = Vec::new();
    for _ in 0..random.between(1, 8) {
        let reaction = Reaction::of_batch(random);
        faults.push(Fault::Request { service: Service::Queue, number: random.between(0, 16), reaction });
    }
    let Webhook { call, at, .. } = *random.pick(webhooks);
    if random.percent(50) {
        faults.push(Fault::Poison { call, from: at, until: at + random.between(50, 2500) });
    }
    faults
}

/// Around a webhook, the secret is rotated and Secrets Manager answers late, or as it should not.
fn slow_rotations(webhooks: &[Webhook], random: &mut Random) -> Vec<Fault> {
    let mut faults = Vec::new();
    for _ in 0..random.between(1, 4) {
        let at = (random.pick(webhooks).at + random.between(0, 3000)).saturating_sub(1500);
        let used_after = *random.pick(&[-300, 0, 0, 0, 200]);
        faults.push(Fault::Rotation { at, used_after });
        let reaction = if random.percent(60) {
            Reaction::Held { by: random.between(300, 4000) as u16 }
        } else {
            Reaction::random(Service::Secrets, random)
        };
        let from = (at + random.between(0, 1000)).saturating_sub(1500);
        let until = at + random.between(0, 2500);
        faults.push(Fault::Outage { service: Service::Secrets, from, until, reaction });
    }
    faults
}

/// Most plans have few kinds of faults, because many hide each other.
fn faults(setup: &Setup, webhooks: &[Webhook], random: &mut Random) -> Vec<Fault> {
    let mut services = vec![Service::Queue, Service::Queue];
    services.extend(setup.failover.then_some(Service::Failover));
    services.extend(setup.quarantine.then_some(Service::Quarantine));
    services.extend(setup.secret.then_some(Service::Secrets));
    let mut faults = Vec::new();
    let kinds = if random.percent(10) { 0 } else { random.between(1, 7) };
    for _ in 0..kinds {
        let service = *random.pick(&services);
        let at = random.between(0, SPAN);
        let environment = random.between(0, 4) as usize;
        match random.between(0, 14) {
            0..=2 => {
                let requests = webhooks.len() as u64;
                for _ in 0..random.between(1, 12) {
                    let reaction = Reaction::random(service, random);
                    faults.push(Fault::Request { service, number: random.between(0, requests + 2), reaction });
                }
            }
            3..=5 => {
                let reaction = Reaction::random(service, random);
                let lasts = {
                    let longest = *random.pick(&[1000, 4000, 4000, 15_000]);
                    random.between(50, longest)
                };
                if reaction.can_last() {
                    faults.push(Fault::Outage { service, from: at, until: at + lasts, reaction });
                }
            }
            6 => {
                let until = at + random.between(50, 5000);
                faults.push(Fault::NoConnections { service, from: at, until, refused: random.percent(50) });
            }
            7 => faults.push(Fault::ConnectionsDie { at }),
            8 => faults.push(Fault::IdleConnectionsClose { at }),
            9 => {
                let lasts = *random.pick(&[30, 700, 3000, 30_000]);
                faults.push(Fault::Freeze { environment, at, lasts, clock_stands: random.percent(30) });
            }
            10 => faults.push(if random.percent(50) {
                Fault::Kill { environment, at }
            } else {
                Fault::ClockJump {
                    environment,
                    at,
                    by: *random.pick(&[-3_600_000, -5000, -700, 700, 3000, 86_400_000]),
                }
            }),
            11 if setup.secret => {
                for _ in 0..random.between(1, 4) {
                    let used_after = *random.pick(&[-300, 0, 0, 200, 3000]);
                    faults.push(Fault::Rotation { at: random.between(0, SPAN), used_after });
                }
            }
            12 if setup.fifo => {
                let until = at + random.between(500, 12_000);
                faults.push(Fault::Poison { call: webhooks[0].call, from: at / 2, until });
            }
            13 => {
                // From a webhook on, for most of its time: who waits for it has less.
                let from = random.pick(webhooks).at;
                let until = from + random.between(setup.deadline / 4, setup.deadline);
                let reaction = Reaction::Silent { stores: random.percent(50) };
                faults.push(Fault::Outage { service, from, until, reaction });
            }
            _ => {}
        }
    }
    faults
}
