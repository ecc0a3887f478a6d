//! What can go wrong, and when: a fault is data, so that a failing run can be repeated without it.

use voicehook_test_support::Random;

use super::Milliseconds;

/// Somebody whom an environment talks to. Each has a host of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    Queue,
    Failover,
    Quarantine,
    Secrets,
}

impl Service {
    pub const ALL: [Self; 4] = [Self::Queue, Self::Failover, Self::Quarantine, Self::Secrets];

    /// The host's region, which is part of its name.
    pub const fn region(self) -> &'static str {
        match self {
            Self::Queue => "us-east-1",
            Self::Failover => "eu-west-1",
            Self::Quarantine => "us-west-2",
            // That of the function.
            Self::Secrets => "us-east-1",
        }
    }

    pub fn of_host(host: &str) -> Option<Self> {
        match host.split('.').collect::<Vec<_>>()[..2] {
            ["secretsmanager", _] => Some(Self::Secrets),
            ["sqs", region] => Self::ALL.into_iter().find(|service| service.region() == region),
            _ => None,
        }
    }
}

/// How a service reacts to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// As it should.
    Well,
    /// The request never arrives, and the connection is dead.
    Lost,
    /// The connection ends before the answer; the request was carried out, or not.
    Closed { reset: bool, stores: bool },
    /// No answer ever; the request was carried out, or not.
    Silent { stores: bool },
    /// It is carried out, and the answer ends after so many bytes: the connection does, or nothing more comes.
    Cut { after: u16, closes: bool },
    /// It is carried out, and the answer comes in pieces of some bytes, so many milliseconds apart.
    Drips { gap: u16 },
    /// It is carried out at once, and answered so many milliseconds later.
    Held { by: u16 },
    /// It is carried out so many milliseconds later, and answered then, should anyone still listen.
    Late { by: u16 },
    /// An error, though the request may have been carried out.
    Error { status: u16, code: &'static str, stores: bool },
    /// An error that does not pass by itself: nobody tries again.
    Refuses { status: u16, code: &'static str },
    /// Of a batch, the entries at these places are said to have failed, though they may have been stored.
    Partial { places: u16, stores: bool },
    /// Of a batch, every entry is stored, and said to have failed as well.
    Contradicts,
    /// Of a batch, the entries at these places are not mentioned in the answer.
    Forgets { places: u16, stores: bool },
    /// Status 200 and not what an answer is; the request was carried out, or not.
    Nonsense { answer: &'static str, stores: bool },
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The n-th request to a service, from 0.
    Request { service: Service, number: u64, reaction: Reaction },
    /// Every request to a service for some time.
    Outage { service: Service, from: Milliseconds, until: Milliseconds, reaction: Reaction },
    /// No connection to a service for some time: refused, or never answered.
    NoConnections { service: Service, from: Milliseconds, until: Milliseconds, refused: bool },
    /// All connections that are open die, without a word to the environments.
    ConnectionsDie { at: Milliseconds },
    /// The services close all connections on which nothing is on its way, as they do after an idle time.
    IdleConnectionsClose { at: Milliseconds },
    /// One environment stands still. Its monotonic clock goes on meanwhile, or stands too.
    Freeze { environment: usize, at: Milliseconds, lasts: Milliseconds, clock_stands: bool },
    /// One environment ends, with all that it was doing.
    Kill { environment: usize, at: Milliseconds },
    /// The wall clock of one environment jumps.
    ClockJump { environment: usize, at: Milliseconds, by: i64 },
    /// The secret is rotated; `EnableX` encrypts with the new AppID from so many milliseconds later (or earlier) on.
    Rotation { at: Milliseconds, used_after: i64 },
    /// The queue takes nothing of one call for some time, and of other calls everything.
    Poison { call: usize, from: Milliseconds, until: Milliseconds },
}

/// Errors that pass, by status and code.
const SQS_ERRORS: [(u16, &str); 7] = [
    (500, "InternalError"),
    (500, "InternalFailure"),
    (503, "ServiceUnavailable"),
    (400, "ThrottlingException"),
    (400, "RequestThrottled"),
    (400, "KmsThrottled"),
    (403, "RequestLimitExceeded"),
];
/// Errors that do not pass, or refuse the message.
const REFUSALS: [(u16, &str); 6] = [
    (403, "AccessDeniedException"),
    (400, "QueueDoesNotExist"),
    (400, "KmsDisabled"),
    (403, "ExpiredTokenException"),
    (400, "InvalidMessageContents"),
    (400, "UnsupportedOperation"),
];
/// Those of them that are about the message.
const REFUSES_MESSAGE: [&str; 2] = ["InvalidMessageContents", "UnsupportedOperation"];
const SECRETS_ERRORS: [(u16, &str); 6] = [
    (500, "InternalServiceError"),
    (503, "ServiceUnavailable"),
    (400, "ThrottlingException"),
    (429, "TooManyRequestsException"),
    (400, "KMSThrottlingException"),
    (400, "AccessDeniedException"),
];
static NONSENSE: [&str; 4] = ["<html>", "{}", r#"{"MessageId":""}"#, "{\"MessageId\":\"1"];

impl Reaction {
    /// Any but the right one.
    pub fn random(service: Service, random: &mut Random) -> Self {
        let stores = random.percent(50);
        let places = random.between(1, 1024) as u16;
        match random.between(0, if service == Service::Secrets { 8 } else { 13 }) {
            0 => Self::Lost,
            1 => Self::Closed { reset: random.percent(50), stores },
            2 => Self::Silent { stores },
            3 => Self::Cut { after: random.between(1, 250) as u16, closes: random.percent(50) },
            4 => Self::Drips { gap: random.between(1, 120) as u16 },
            5 => Self::Late { by: random.between(50, 5000) as u16 },
            6 => {
                let answer: &'static &'static str = random.pick(&NONSENSE);
                Self::Nonsense { answer, stores }
            }
            7 if service == Service::Secrets => {
                let (status, code) = *random.pick(&SECRETS_ERRORS);
                Self::Error { status, code, stores: false }
            }
            7 | 8 => {
                let (status, code) = *random.pick(&SQS_ERRORS);
                // A server that fails may have done its work; one that refuses has not.
                Self::Error { status, code, stores: stores && status == 500 }
            }
            9 => Self::Partial { places, stores },
            10 => Self::Contradicts,
            11 => {
                let (status, code) = *random.pick(&REFUSALS);
                Self::Refuses { status, code }
            }
            _ => Self::Forgets { places, stores },
        }
    }

    /// One that only a batch can meet.
    pub fn of_batch(random: &mut Random) -> Self {
        let (places, stores) = (random.between(1, 1024) as u16, random.percent(30));
        match random.between(0, 5) {
            0 => Self::Contradicts,
            1 => Self::Forgets { places, stores },
            _ => Self::Partial { places, stores },
        }
    }

    /// Whether the function has to try again. Where it is the message that is refused, a batch may be refused because of
    /// another one.
    pub fn passes(self, is_batch: bool) -> bool {
        match self {
            Self::Refuses { code, .. } => is_batch && REFUSES_MESSAGE.contains(&code),
            _ => true,
        }
    }

    /// Whether a service can do this for a while and then be well again.
    pub const fn can_last(self) -> bool {
        !matches!(self, Self::Contradicts | Self::Partial { .. } | Self::Forgets { .. })
    }
}
