//! What is known about one call, put together from its events in whatever order they arrive.
//!
//! A subscriber gets the events of a call more than once now and then, and not always in order: two webhooks that overlap,
//! a standard queue, an event that went through quarantine. [`Call`] makes this irrelevant. It is a state-based CRDT (a
//! join semilattice): everything it keeps is the earliest, the latest or the set of what it was given, so that applying
//! events and merging partial calls is commutative, associative and idempotent.
//!
//! The examples in Node and Python have the same merge (`examples/node/call.js`, `examples/python/call.py`), and
//! `examples/fixtures/calls` holds all three to the same results.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::{CallEvent, CallState, Moment, PlayEvent, PlayState, VoiceEvent, normalized};

/// How much of what was pressed, said and played is kept, in bytes as [`size`] counts them: several hundred events.
const INTERACTIONS_BUDGET: usize = 96 * 1024;
/// How much of the recordings is kept: about fifty presigned links, several hundred short ones.
const RECORDINGS_BUDGET: usize = 32 * 1024;
/// What an entry counts beside its texts: its names and timestamps, both in `seen` and in what is derived from it.
const ENTRY_OVERHEAD: usize = 256;
/// The longest texts that are kept, in characters; the rest is cut off.
const LONGEST_ID: usize = 128;
const LONGEST_DIGITS: usize = 64;
const LONGEST_SPEECH: usize = 1000;
const LONGEST_FACT: usize = 256;
/// A link is not cut, because nobody could follow it any more: a longer one is left out.
const LONGEST_URL: usize = 2048;
/// A timestamp out of this range is a mistake, such as seconds taken for milliseconds.
const PLAUSIBLE_MILLISECONDS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000; // the years 2000 to 2099
/// A longer call than this, in seconds, is a mistake too.
const LONGEST_CALL: f64 = 1e9;

/// A call, as far as its events have arrived.
///
/// Give each event of the call to [`apply`](Self::apply), in any order and as often as it comes: the result is the same.
///
/// ```
/// use voicehook_event::{Call, CallState, Missing};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let deliveries = [
///     // (event_id, received_at, body): two attributes and the body of a message
///     ("e4", "2026-11-23T10:52:48.100Z", r#"{"voice_id": "v", "state": "disconnected", "call_duration": 42.5,
///         "disconnect_reason": "normal_clearing", "timestamp": "2026-11-23T10:52:48.000Z"}"#),
///     ("e3", "2026-11-23T10:52:09.000Z", r#"{"voice_id": "v", "playstate": "digitcollected", "prompt_ref": "menu", "digit": "1"}"#),
///     ("e1", "2026-11-23T10:52:05.100Z", r#"{"voice_id": "v", "state": "incomingcall", "timestamp": "2026-11-23T10:52:05.000Z"}"#),
///     ("e4", "2026-11-23T10:52:48.100Z", r#"{"voice_id": "v", "state": "disconnected", "call_duration": 42.5,
///         "disconnect_reason": "normal_clearing", "timestamp": "2026-11-23T10:52:48.000Z"}"#),
///     ("e2", "2026-11-23T10:52:07.000Z", r#"{"voice_id": "v", "playstate": "initiated", "prompt_ref": "menu"}"#),
/// ];
///
/// let mut call = Call::new("v");
/// for (event_id, received_at, body) in deliveries {
///     call.apply(event_id, received_at.parse()?, &body.parse()?);
/// }
///
/// assert_eq!(call.state(), Some(CallState::Disconnected));
/// assert_eq!(call.since(), Some("2026-11-23T10:52:48Z".parse()?));
/// assert_eq!(call.duration().unwrap().as_secs_f64(), 42.5);
/// assert_eq!(call.prompts()[0].answers[0].digits.as_deref(), Some("1"));
/// // A call with a duration was connected, but nobody has said so yet.
/// assert_eq!(call.missing(), [Missing::Connected]);
///
/// // It is kept as JSON, for instance in DynamoDB, and goes on from there.
/// let kept = serde_json::to_string(&call)?;
/// let mut call: Call = serde_json::from_str(&kept)?;
/// let connected = r#"{"voice_id": "v", "state": "connected", "timestamp": "2026-11-23T10:52:05.500Z"}"#.parse()?;
/// assert!(call.apply("e5", "2026-11-23T10:53:00Z".parse()?, &connected));
/// assert!(call.missing().is_empty());
/// assert_eq!(call.state(), Some(CallState::Disconnected), "a call that is over stays over");
/// # Ok(())
/// # }
/// ```
///
/// # When an event happened
///
/// By its own timestamp, if that is exact to the second or finer and lies in this century. Otherwise, such as for most
/// events of prompts, by `received_at`. Where two events have the same time, the earlier step of a call comes first, and
/// where that does not help either, the smaller `event_id`: arbitrary, but the same for everyone.
///
/// # Which state counts
///
/// Calls go forward: a call that was connected does not ring again, and one that is over stays over, whatever arrives
/// later. Between these, the latest event wins. Names that this version does not know change no state.
///
/// # How large it becomes
///
/// Less than 300,000 bytes as JSON, so that it fits into a DynamoDB item (400 KB). Long texts are cut, and of prompts,
/// keys and speech only the latest are kept (96 KiB, several hundred events), of recordings as well (32 KiB). Then
/// [`is_truncated`](Self::is_truncated) says so. This keeps the merge commutative: the call remembers up to which time
/// everything was dropped, and drops what arrives later from before that time. An event stays if it and all later ones
/// fit; more events can only make that false, so the order in which they arrive does not matter. A typical call has 2
/// to 5 KB.
///
/// # What it does not keep
///
/// Transcripts (`call.transcript`) and `custom_data` can be large, and are not needed to tell what is true now.
/// Events without the call's id, such as the end of a broadcast, are of no call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    voice_id: String,
    seen: Seen,
}

/// Everything that the rest is derived from. Each part is merged on its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
struct Seen {
    /// The latest time of any event.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(serialize_with = "millis_if_any", skip_serializing_if = "Option::is_none")]
    last_at: Option<Timestamp>,
    /// Each state that was reported, by its name.
    states: BTreeMap<String, Span>,
    /// What the call's first event that has it says.
    facts: Facts,
    /// Events of prompts, keys and speech, by time.
    interactions: BTreeSet<Interaction>,
    /// Up to which time interactions were dropped.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(serialize_with = "millis_if_any", skip_serializing_if = "Option::is_none")]
    interactions_dropped_until: Option<Timestamp>,
    /// Recordings, by time.
    recordings: BTreeSet<SeenRecording>,
    /// Up to which time recordings were dropped.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(serialize_with = "millis_if_any", skip_serializing_if = "Option::is_none")]
    recordings_dropped_until: Option<Timestamp>,
    /// Whether a text was cut, or a link left out, because it was too long.
    cut: bool,
}

/// Which event reported something, and when it happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Stamp {
    #[cfg_attr(test, schemars(with = "String"))]
    #[serde(serialize_with = "millis")]
    at: Timestamp,
    event_id: String,
}

/// The first and the last event that reported a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Span {
    first: Stamp,
    last: Stamp,
}

/// What an event says about the call. The earliest one counts: after a transfer, `to` is somebody else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "FactOf_{T}"))]
struct Fact<T> {
    #[serde(flatten)]
    stamp: Stamp,
    value: T,
}

/// What the events say about the call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Fact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Fact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broadcast_id: Option<Fact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_ref: Option<Fact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<Fact<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<Fact<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_cause_code: Option<Fact<i64>>,
}

/// An event of a prompt, a key or speech.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Interaction {
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    play_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digits: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// An event that announced a recording.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SeenRecording {
    #[serde(flatten)]
    stamp: Stamp,
    url: String,
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Somebody calls a number of the project.
    Inbound,
    /// The application calls somebody.
    Outbound,
}

/// An event that must have happened, by what else is known, but has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Missing {
    /// The call's first event: `incomingcall` or `initiated`.
    Start,
    /// `connected`: the call was bridged, put on hold or joined to a room, or has a duration.
    Connected,
    /// `bridging` or `bridged`: the other party has left.
    Bridged,
}

/// One playing of a prompt. A menu that is played again is another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Prompt {
    /// The name that your application gave to the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_ref: Option<String>,
    /// EnableX's id of the playing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub play_id: Option<String>,
    /// When it began, if that event has arrived.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(serialize_with = "millis_if_any", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it had been played to its end.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(serialize_with = "millis_if_any", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When the caller had pressed nothing in time.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(serialize_with = "millis_if_any", skip_serializing_if = "Option::is_none")]
    pub timed_out_at: Option<Timestamp>,
    /// What the caller pressed or said.
    pub answers: Vec<Answer>,
}

/// What a party pressed or said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Answer {
    /// When.
    #[cfg_attr(test, schemars(with = "String"))]
    #[serde(serialize_with = "millis")]
    pub at: Timestamp,
    /// The keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digits: Option<String>,
    /// The words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A recording of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Recording {
    /// When it was first announced.
    #[cfg_attr(test, schemars(with = "String"))]
    #[serde(serialize_with = "millis")]
    pub at: Timestamp,
    /// Where it is.
    pub url: String,
}

impl Call {
    /// A call of which nothing but its id is known.
    #[must_use]
    pub fn new(voice_id: impl Into<String>) -> Self {
        Self { voice_id: voice_id.into(), seen: Seen::default() }
    }

    /// Takes in an event. `event_id` and `received_at` are attributes of the message.
    ///
    /// Returns whether anything has changed. An event that was applied before changes nothing, nor does one of another
    /// call or of none.
    pub fn apply(&mut self, event_id: &str, received_at: Timestamp, event: &VoiceEvent) -> bool {
        if event.voice_id().as_deref() != Some(&self.voice_id) {
            return false;
        }
        let mut one = Self::new(self.voice_id.as_str());
        one.take_in(event_id, received_at, event);
        self.merge(&one)
    }

    /// Takes in all that another one knows about the same call. Returns whether anything has changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        if other.voice_id != self.voice_id {
            return false;
        }
        let before = self.clone();
        self.seen.merge(&other.seen);
        *self != before
    }

    /// The call's id.
    #[must_use]
    pub fn voice_id(&self) -> &str {
        &self.voice_id
    }

    /// The state that the call is in. `None` where no event has told yet.
    #[must_use]
    pub fn state(&self) -> Option<CallState> {
        Some(self.current()?.0)
    }

    /// Since when the call is in its [state](Self::state).
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        Some(self.current()?.1)
    }

    /// When a state was first reported.
    #[must_use]
    pub fn first(&self, state: &CallState) -> Option<Timestamp> {
        Some(self.seen.states.get(state.as_str())?.first.at)
    }

    /// When the latest of all events happened.
    #[must_use]
    pub fn last_at(&self) -> Option<Timestamp> {
        self.seen.last_at
    }

    /// Whether the call goes in or out.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        if self.has(&CallState::IncomingCall) {
            return Some(Direction::Inbound);
        }
        self.has(&CallState::Initiated).then_some(Direction::Outbound)
    }

    /// The number that calls.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        value(&self.seen.facts.from)
    }

    /// The number that was called first.
    #[must_use]
    pub fn to(&self) -> Option<&str> {
        value(&self.seen.facts.to)
    }

    /// The id of the broadcast that the call is part of.
    #[must_use]
    pub fn broadcast_id(&self) -> Option<&str> {
        value(&self.seen.facts.broadcast_id)
    }

    /// What your application gave to the call as its reference.
    #[must_use]
    pub fn owner_ref(&self) -> Option<&str> {
        value(&self.seen.facts.owner_ref)
    }

    /// How long the call was, once it is over.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.seen.facts.duration_ms.as_ref().map(|fact| Duration::from_millis(fact.value))
    }

    /// Why the call is over.
    #[must_use]
    pub fn disconnect_reason(&self) -> Option<&str> {
        value(&self.seen.facts.disconnect_reason)
    }

    /// The same as a number: the cause of ITU-T Q.850.
    #[must_use]
    pub fn disconnect_cause_code(&self) -> Option<i64> {
        self.seen.facts.disconnect_cause_code.as_ref().map(|fact| fact.value)
    }

    /// The prompts that were played, by time, with what was answered.
    ///
    /// An event belongs to the latest prompt that it can belong to by its `prompt_ref` and `play_id`. Each `initiated`
    /// begins a new one.
    #[must_use]
    pub fn prompts(&self) -> Vec<Prompt> {
        let mut prompts: Vec<Prompt> = Vec::new();
        for event in self.interactions() {
            let Some(playstate) = event.event_type.strip_prefix("play.") else { continue };
            let playstate = PlayState::from(playstate);
            let known = prompts.iter().rposition(|prompt| event.can_belong_to(prompt));
            let index = known.filter(|_| playstate != PlayState::Initiated).unwrap_or_else(|| {
                prompts.push(Prompt::default());
                prompts.len() - 1
            });
            let prompt = &mut prompts[index];
            prompt.prompt_ref = prompt.prompt_ref.take().or_else(|| event.prompt_ref.clone());
            prompt.play_id = prompt.play_id.take().or_else(|| event.play_id.clone());
            match playstate {
                PlayState::Initiated => prompt.started_at = Some(event.stamp.at),
                PlayState::PlayFinished => prompt.finished_at = Some(event.stamp.at),
                PlayState::MenuTimeout => prompt.timed_out_at = Some(event.stamp.at),
                _ => {}
            }
            prompt.answers.extend(event.answer());
        }
        prompts
    }

    /// What was pressed or said outside of prompts, by time: in a bridged call, for instance.
    #[must_use]
    pub fn inputs(&self) -> Vec<Answer> {
        let outside = |event: &&Interaction| !event.event_type.starts_with("play.");
        self.interactions().into_iter().filter(outside).filter_map(Interaction::answer).collect()
    }

    /// The recordings, by the time when they were announced. One that was announced twice is one.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        let mut urls = BTreeSet::new();
        let announced = self.seen.recordings.iter().filter(|recording| urls.insert(recording.url.as_str()));
        announced.map(|recording| Recording { at: recording.stamp.at, url: recording.url.clone() }).collect()
    }

    /// Which events must have happened, but have not arrived. They may be on their way: look again when more has
    /// arrived, or after some minutes.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        use CallState::{BridgeDisconnected, Bridged, Bridging, Connected, Hold, IncomingCall, Initiated, Joined};
        let any = |states: &[CallState]| states.iter().any(|state| self.has(state));
        let was_connected = any(&[Bridged, BridgeDisconnected, Hold, Joined])
            || self.duration().is_some_and(|duration| !duration.is_zero());
        let is_missing = [
            (Missing::Start, self.seen.last_at.is_some() && !any(&[IncomingCall, Initiated])),
            (Missing::Connected, was_connected && !any(&[Connected])),
            (Missing::Bridged, any(&[BridgeDisconnected]) && !any(&[Bridging, Bridged])),
        ];
        is_missing.into_iter().filter_map(|(missing, is_missing)| is_missing.then_some(missing)).collect()
    }

    /// Whether something was cut or dropped to keep the call small.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        let Seen { cut, interactions_dropped_until, recordings_dropped_until, .. } = &self.seen;
        *cut || interactions_dropped_until.is_some() || recordings_dropped_until.is_some()
    }

    fn has(&self, state: &CallState) -> bool {
        self.seen.states.contains_key(state.as_str())
    }

    /// The state, and since when.
    fn current(&self) -> Option<(CallState, Timestamp)> {
        let phases = self.seen.states.iter().filter_map(|(name, span)| {
            let state = CallState::from(name.as_str());
            let phase = phase(&state)?;
            // What happens once has happened when it was first reported; a call can be bridged again and again.
            let stamp = if phase.stage == TALKING { &span.last } else { &span.first };
            Some(((phase.stage, stamp.at, phase.rank, stamp.event_id.as_str(), name), state, stamp.at))
        });
        phases.max_by(|a, b| a.0.cmp(&b.0)).map(|(_, state, at)| (state, at))
    }

    /// The events of prompts, keys and speech, each once: one with two times counts at the first.
    fn interactions(&self) -> Vec<&Interaction> {
        let mut ids = BTreeSet::new();
        self.seen.interactions.iter().filter(|event| ids.insert(event.stamp.event_id.as_str())).collect()
    }

    fn take_in(&mut self, event_id: &str, received_at: Timestamp, event: &VoiceEvent) {
        let at = when(event, received_at);
        let stamp = Stamp { at, event_id: self.cut(event_id, LONGEST_ID) };
        self.seen.last_at = Some(at);
        match event {
            VoiceEvent::Call(call) => self.take_in_call(&stamp, call),
            VoiceEvent::Play(play) => self.take_in_prompt(&stamp, play),
            VoiceEvent::Other(_) => {}
        }
    }

    fn take_in_call(&mut self, stamp: &Stamp, event: &CallEvent) {
        if !matches!(event.state, CallState::Other(_)) {
            let span = Span { first: stamp.clone(), last: stamp.clone() };
            self.seen.states.insert(event.state.as_str().to_owned(), span);
        }
        self.seen.facts.from = self.fact(stamp, event.from.as_deref());
        self.seen.facts.to = self.fact(stamp, event.to.as_deref());
        self.seen.facts.broadcast_id = self.fact(stamp, event.broadcast_id.as_deref());
        self.seen.facts.owner_ref = self.fact(stamp, event.owner_ref.as_deref());
        match event.state {
            CallState::Disconnected => {
                let seconds = event.call_duration.filter(|seconds| (0.0..=LONGEST_CALL).contains(seconds));
                let duration_ms = seconds.map(|seconds| (seconds * 1000.0 + 0.5).floor() as u64);
                self.seen.facts.duration_ms = duration_ms.map(|value| Fact { stamp: stamp.clone(), value });
                let code = event.disconnect_cause_code;
                self.seen.facts.disconnect_cause_code = code.map(|value| Fact { stamp: stamp.clone(), value });
                self.seen.facts.disconnect_reason = self.fact(stamp, event.disconnect_reason.as_deref());
            }
            CallState::RecordingComplete => match &event.recording_url {
                Some(url) if url.chars().count() <= LONGEST_URL => {
                    self.seen.recordings.insert(SeenRecording { stamp: stamp.clone(), url: url.clone() });
                }
                Some(_) => self.seen.cut = true,
                None => {}
            },
            CallState::DtmfCollected | CallState::Recognized => {
                let interaction = Interaction {
                    stamp: stamp.clone(),
                    event_type: format!("call.{}", event.state),
                    prompt_ref: None,
                    play_id: None,
                    digits: self.cut_if_any(event.digit.as_deref(), LONGEST_DIGITS),
                    text: self.cut_if_any(event.text.as_deref(), LONGEST_SPEECH),
                };
                self.seen.interactions.insert(interaction);
            }
            _ => {}
        }
    }

    fn take_in_prompt(&mut self, stamp: &Stamp, event: &PlayEvent) {
        self.seen.facts.from = self.fact(stamp, event.from.as_deref());
        self.seen.facts.to = self.fact(stamp, event.to.as_deref());
        self.seen.facts.broadcast_id = self.fact(stamp, event.broadcast_id.as_deref());
        self.seen.facts.owner_ref = self.fact(stamp, event.owner_ref.as_deref());
        let name = normalized(event.playstate.as_str());
        let interaction = Interaction {
            stamp: stamp.clone(),
            event_type: self.cut(&format!("play.{name}"), LONGEST_ID),
            prompt_ref: self.cut_if_any(event.prompt_ref.as_deref(), LONGEST_ID),
            play_id: self.cut_if_any(event.play_id.as_deref(), LONGEST_ID),
            digits: self.cut_if_any(event.digit.as_deref(), LONGEST_DIGITS),
            text: self.cut_if_any(event.asrtext.as_deref().or(event.text.as_deref()), LONGEST_SPEECH),
        };
        self.seen.interactions.insert(interaction);
    }

    fn fact(&mut self, stamp: &Stamp, value: Option<&str>) -> Option<Fact<String>> {
        let value = self.cut_if_any(value, LONGEST_FACT)?;
        Some(Fact { stamp: stamp.clone(), value })
    }

    fn cut_if_any(&mut self, text: Option<&str>, longest: usize) -> Option<String> {
        text.map(|text| self.cut(text, longest))
    }

    fn cut(&mut self, text: &str, longest: usize) -> String {
        let end = text.char_indices().nth(longest).map(|(end, _)| end);
        self.seen.cut |= end.is_some();
        text[..end.unwrap_or(text.len())].to_owned()
    }
}

/// When an event happened, to the millisecond.
fn when(event: &VoiceEvent, received_at: Timestamp) -> Timestamp {
    let text = match event {
        VoiceEvent::Call(call) => call.timestamp.clone(),
        VoiceEvent::Play(play) => play.timestamp.clone(),
        VoiceEvent::Other(_) => None,
    };
    let moment = text.and_then(|text| Moment::parse(&text)).filter(Moment::has_seconds);
    let own = moment.map(|moment| moment.at.as_millisecond()).filter(|at| PLAUSIBLE_MILLISECONDS.contains(at));
    let at = own.unwrap_or_else(|| received_at.as_millisecond());
    Timestamp::from_millisecond(at).unwrap_or(received_at)
}

/// How far a call is. It does not go back from one stage to an earlier one.
struct Phase {
    stage: u8,
    /// Decides between states of one stage at the same time.
    rank: u8,
}

const TALKING: u8 = 2;

/// The phase of a call that a state stands for; `None` for what only happens during one, such as a recording.
fn phase(state: &CallState) -> Option<Phase> {
    let (stage, rank) = match state {
        CallState::IncomingCall | CallState::Initiated => (0, 0),
        CallState::Ringing => (1, 0),
        CallState::Connected => (TALKING, 0),
        CallState::Bridging => (TALKING, 1),
        CallState::Bridged => (TALKING, 2),
        CallState::BridgeDisconnected => (TALKING, 3),
        CallState::Hold => (TALKING, 4),
        CallState::Joined => (TALKING, 5),
        CallState::Disconnected => (3, 0),
        _ => return None,
    };
    Some(Phase { stage, rank })
}

impl Seen {
    fn merge(&mut self, other: &Self) {
        self.cut |= other.cut;
        self.last_at = self.last_at.max(other.last_at);
        for (name, span) in &other.states {
            let known = self.states.entry(name.clone()).or_insert_with(|| span.clone());
            replace_if(&mut known.first, &span.first, |new, old| new < old);
            replace_if(&mut known.last, &span.last, |new, old| new > old);
        }
        self.facts.merge(&other.facts);
        self.interactions.extend(other.interactions.iter().cloned());
        self.interactions_dropped_until = self.interactions_dropped_until.max(other.interactions_dropped_until);
        keep_latest(&mut self.interactions, &mut self.interactions_dropped_until, INTERACTIONS_BUDGET);
        self.recordings.extend(other.recordings.iter().cloned());
        self.recordings_dropped_until = self.recordings_dropped_until.max(other.recordings_dropped_until);
        keep_latest(&mut self.recordings, &mut self.recordings_dropped_until, RECORDINGS_BUDGET);
    }
}

impl Facts {
    fn merge(&mut self, other: &Self) {
        keep_earliest(&mut self.from, &other.from);
        keep_earliest(&mut self.to, &other.to);
        keep_earliest(&mut self.broadcast_id, &other.broadcast_id);
        keep_earliest(&mut self.owner_ref, &other.owner_ref);
        keep_earliest(&mut self.duration_ms, &other.duration_ms);
        keep_earliest(&mut self.disconnect_reason, &other.disconnect_reason);
        keep_earliest(&mut self.disconnect_cause_code, &other.disconnect_cause_code);
    }
}

impl Interaction {
    /// By time; at the same time a prompt begins, then is answered, then ends.
    fn order(&self) -> impl Ord + '_ {
        let step = match self.event_type.as_str() {
            "play.initiated" => 0,
            "play.playfinished" => 2,
            "play.menutimeout" => 3,
            _ => 1,
        };
        let Self { stamp, event_type, prompt_ref, play_id, digits, text } = self;
        (stamp.at, step, &stamp.event_id, event_type, prompt_ref, play_id, digits, text)
    }

    fn can_belong_to(&self, prompt: &Prompt) -> bool {
        let fits = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        fits(&self.prompt_ref, &prompt.prompt_ref) && fits(&self.play_id, &prompt.play_id)
    }

    fn answer(&self) -> Option<Answer> {
        let Self { stamp, digits, text, .. } = self;
        let is_one = digits.is_some() || text.is_some();
        is_one.then(|| Answer { at: stamp.at, digits: digits.clone(), text: text.clone() })
    }
}

impl Entry for Interaction {
    fn at(&self) -> Timestamp {
        self.stamp.at
    }

    fn size(&self) -> usize {
        let Self { stamp, event_type, prompt_ref, play_id, digits, text } = self;
        let optional: usize = [prompt_ref, play_id, digits, text].into_iter().flatten().map(|text| size(text)).sum();
        ENTRY_OVERHEAD + size(&stamp.event_id) + size(event_type) + optional
    }
}

impl PartialOrd for Interaction {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Interaction {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl Entry for SeenRecording {
    fn at(&self) -> Timestamp {
        self.stamp.at
    }

    fn size(&self) -> usize {
        ENTRY_OVERHEAD + size(&self.stamp.event_id) + size(&self.url)
    }
}

/// How many bytes a text has in JSON at most, whatever writes it: a character that some writers escape counts as its
/// escape.
fn size(text: &str) -> usize {
    text.encode_utf16()
        .map(|unit| if matches!(unit, 0x20..=0x7e) && unit != 0x22 && unit != 0x5c { 1 } else { 6 })
        .sum()
}

/// What is kept by time, up to a budget.
trait Entry: Ord {
    fn at(&self) -> Timestamp;

    /// How many bytes it counts.
    fn size(&self) -> usize;
}

/// Drops the oldest entries until the others fit, and everything from before that time for good. Without the latter, a
/// small entry could come back after a large one that was dropped with it, and the order of arrival would matter.
fn keep_latest<T: Entry>(entries: &mut BTreeSet<T>, dropped_until: &mut Option<Timestamp>, budget: usize) {
    entries.retain(|entry| Some(entry.at()) > *dropped_until);
    let mut sum = 0;
    let first_too_many = entries.iter().rev().find(|entry| {
        sum += entry.size();
        sum > budget
    });
    if let Some(at) = first_too_many.map(Entry::at) {
        *dropped_until = Some(at);
        entries.retain(|entry| entry.at() > at);
    }
}

fn keep_earliest<T: Ord + Clone>(known: &mut Option<Fact<T>>, other: &Option<Fact<T>>) {
    match (known.as_mut(), other) {
        (Some(known), Some(other)) => replace_if(known, other, |new, old| new < old),
        (None, Some(_)) => known.clone_from(other),
        (_, None) => {}
    }
}

fn replace_if<T: Clone>(old: &mut T, new: &T, wins: impl Fn(&T, &T) -> bool) {
    if wins(new, old) {
        old.clone_from(new);
    }
}

fn value(fact: &Option<Fact<String>>) -> Option<&str> {
    fact.as_ref().map(|fact| fact.value.as_str())
}

/// A timestamp with three decimals always, so that texts sort as times do.
fn millis<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

fn millis_if_any<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => millis(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// A call as JSON. What is read back is `voice_id` and `seen`; the rest is derived from it, for people and
/// programs that only read.
#[derive(Serialize)]
#[cfg_attr(
    test,
    derive(schemars::JsonSchema),
    schemars(rename = "Call", description = "What is known about a call, whatever order its events arrived in.")
)]
struct Written<'a> {
    /// The call's id.
    voice_id: &'a str,
    /// The state that the call is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<CallState>,
    /// Since when: RFC 3339, UTC, milliseconds, like all times here.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    #[serde(serialize_with = "millis_if_any", skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// Who began the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    /// The number that calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    /// The number that was called first.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    /// The id of the broadcast that the call is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    broadcast_id: Option<&'a str>,
    /// What your application gave to the call as its reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_ref: Option<&'a str>,
    /// How long the call was, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    /// Why the call is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<&'a str>,
    /// The same as a number: the cause of ITU-T Q.850.
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_cause_code: Option<i64>,
    /// The prompts that were played, with what was answered.
    prompts: Vec<Prompt>,
    /// What was pressed or said outside of prompts.
    inputs: Vec<Answer>,
    /// The recordings.
    recordings: Vec<Recording>,
    /// Events that must have happened but have not arrived.
    missing: Vec<Missing>,
    /// Whether something was cut or dropped to keep the call small.
    truncated: bool,
    /// What all of this is derived from, and what is merged.
    seen: &'a Seen,
}

impl Serialize for Call {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written {
            voice_id: &self.voice_id,
            state: self.state(),
            since: self.since(),
            direction: self.direction(),
            from: self.from(),
            to: self.to(),
            broadcast_id: self.broadcast_id(),
            owner_ref: self.owner_ref(),
            duration_ms: self.seen.facts.duration_ms.as_ref().map(|fact| fact.value),
            disconnect_reason: self.disconnect_reason(),
            disconnect_cause_code: self.disconnect_cause_code(),
            prompts: self.prompts(),
            inputs: self.inputs(),
            recordings: self.recordings(),
            missing: self.missing(),
            truncated: self.is_truncated(),
            seen: &self.seen,
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Call {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read {
            voice_id: String,
            seen: Seen,
        }
        let Read { voice_id, seen } = Read::deserialize(deserializer)?;
        Ok(Self { voice_id, seen })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// An event as a subscriber gets it.
    #[derive(Clone, Debug)]
    struct Delivery {
        event_id: String,
        received_at: Timestamp,
        event: VoiceEvent,
    }

    impl Delivery {
        fn new(event_id: &str, received_at: &str, event: &Value) -> Self {
            let event = event.to_string().parse().unwrap();
            Self { event_id: event_id.to_owned(), received_at: received_at.parse().unwrap(), event }
        }
    }

    fn call_of<'a>(deliveries: impl IntoIterator<Item = &'a Delivery>) -> Call {
        let mut call = Call::new("v");
        for Delivery { event_id, received_at, event } in deliveries {
            call.apply(event_id, *received_at, event);
        }
        call
    }

    fn json_of(call: &Call) -> Value {
        serde_json::to_value(call).unwrap()
    }

    // The same calls in three languages.

    fn repository() -> PathBuf {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let has_examples = |folder: &&Path| folder.join("examples/fixtures/calls").is_dir();
        package.ancestors().find(has_examples).unwrap().to_owned()
    }

    /// The files of `examples/fixtures/calls`, each with its deliveries. `UPDATE_FIXTURES=1` writes what they expect anew.
    fn fixtures() -> Vec<(PathBuf, Value, Vec<Delivery>)> {
        let folder = repository().join("examples/fixtures/calls");
        let read = |path: PathBuf| {
            let fixture: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let text = |delivery: &Value, name: &str| delivery[name].as_str().unwrap().to_owned();
            let delivery = |it: &Value| Delivery::new(&text(it, "event_id"), &text(it, "received_at"), &it["event"]);
            let deliveries = fixture["deliveries"].as_array().unwrap().iter().map(delivery).collect();
            (path, fixture, deliveries)
        };
        let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap().path())).collect();
        assert!(files.len() >= 12, "only {} fixtures", files.len());
        files
    }

    #[test]
    fn the_shared_fixtures_become_the_calls_that_they_expect() {
        for (path, mut fixture, deliveries) in fixtures() {
            let call = json_of(&call_of(&deliveries));
            if std::env::var_os("UPDATE_FIXTURES").is_some() {
                fixture["call"] = call.clone();
                fs::write(&path, format!("{}\n", serde_json::to_string_pretty(&fixture).unwrap())).unwrap();
            }
            assert_eq!(call, fixture["call"], "{}", path.display());
            assert_eq!(json_of(&call_of(deliveries.iter().rev())), call, "{} backwards", path.display());
            let again = deliveries.iter().chain(&deliveries);
            assert_eq!(json_of(&call_of(again)), call, "{} twice", path.display());
        }
    }

    // The laws.

    /// Events that collide in every way: the same id with another time, the same time with another id, the same id for
    /// another event; and texts so long that some must be dropped.
    fn delivery() -> impl Strategy<Value = Delivery> {
        let name = prop::sample::select(
            &[
                "incomingcall",
                "initiated",
                "ringing",
                "connected",
                "bridging",
                "bridged",
                "bridge_disconnected",
                "hold",
                "disconnected",
                "recording_complete",
                "dtmfcollected",
                "stream_started",
                "teleported",
            ][..],
        );
        let playstate =
            prop::sample::select(&["initiated", "digitcollected", "playfinished", "menutimeout", "sung"][..]);
        let timestamp = prop_oneof![
            Just(Value::Null),
            (0..4).prop_map(|second| json!(format!("2026-11-23T10:52:0{second}Z"))),
            (0..4_u64).prop_map(|second| json!(1_795_431_120_000_u64 + 500 * second)),
            Just(json!("2026-11-23T10:52Z")),
        ];
        let number = prop_oneof![Just(Value::Null), (0..3).prop_map(|number| json!(number)), Just(json!("1.5"))];
        let text = prop_oneof![4 => "[a-c#]{0,2}", 1 => Just("\u{1F600}".repeat(1200)), 1 => Just("\\".repeat(5000))];
        let event = (name, playstate, any::<bool>(), timestamp, number, text).prop_map(
            |(state, playstate, is_play, timestamp, number, text)| {
                if is_play {
                    return json!({
                        "voice_id": "v", "playstate": playstate, "timestamp": timestamp, "digit": number, "text": text,
                        "prompt_ref": text.chars().take(1).collect::<String>(), "to": text,
                    });
                }
                json!({
                    "voice_id": "v", "state": state, "timestamp": timestamp, "call_duration": number, "from": text,
                    "disconnect_cause_code": number, "digit": number, "text": text, "disconnect_reason": text,
                    "recording_url": text.chars().take(2048).collect::<String>(), "owner_ref": number,
                })
            },
        );
        (0..9_u8, 0..4_u8, event).prop_map(|(id, second, event)| {
            Delivery::new(&format!("e{id}"), &format!("2026-11-23T10:52:0{second}.250Z"), &event)
        })
    }

    /// The deliveries of a call, the same shuffled and some of them twice, and where to split these.
    fn deliveries() -> impl Strategy<Value = (Vec<Delivery>, Vec<Delivery>, usize)> {
        prop::collection::vec(delivery(), 1..40).prop_flat_map(|once| {
            let count = once.len();
            let twice = prop::collection::vec(0..count, 0..count);
            (Just(once), twice, any::<prop::sample::Index>()).prop_flat_map(|(once, twice, index)| {
                let again = twice.into_iter().map(|index| once[index].clone());
                let all: Vec<_> = once.iter().cloned().chain(again).collect();
                let split = index.index(all.len() + 1);
                (Just(once), Just(all).prop_shuffle(), Just(split))
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn order_and_duplicates_make_no_difference((once, shuffled, _) in deliveries()) {
            prop_assert_eq!(call_of(&once), call_of(&shuffled));
        }

        #[test]
        fn partial_calls_merge_to_the_whole_one((once, shuffled, split) in deliveries()) {
            let (a, b) = (call_of(&shuffled[..split]), call_of(&shuffled[split..]));
            let (mut ab, mut ba) = (a.clone(), b.clone());
            ab.merge(&b);
            ba.merge(&a);
            prop_assert_eq!(&ab, &ba);
            prop_assert_eq!(&ab, &call_of(&once));
            prop_assert!(!ab.merge(&a) && !ab.merge(&ba), "merging what is known changes nothing");
        }

        #[test]
        fn a_call_that_was_written_and_read_is_the_same_and_goes_on((once, shuffled, split) in deliveries()) {
            let text = serde_json::to_string(&call_of(&shuffled[..split])).unwrap();
            let mut call: Call = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_string(&call).unwrap(), text);
            for Delivery { event_id, received_at, event } in &shuffled[split..] {
                call.apply(event_id, *received_at, event);
            }
            prop_assert_eq!(call, call_of(&once));
        }

        #[test]
        fn an_event_changes_a_call_only_once((once, shuffled, _) in deliveries()) {
            let mut call = call_of(&once);
            for Delivery { event_id, received_at, event } in &shuffled {
                prop_assert!(!call.apply(event_id, *received_at, event), "{event:?}");
            }
        }
    }

    // The bound.

    #[test]
    fn a_call_stays_below_300_000_bytes_whatever_it_is_given() {
        for text in ["\u{1}", "\u{1F600}", "\"", "x"] {
            let long = text.repeat(3_000);
            let mut call = Call::new("v");
            for number in 0..100 {
                let timestamp = 1_795_431_126_000_u64 + number;
                let event_id = format!("{number}{long}");
                let url = format!("https://example.com/{number}/{}", text.repeat(1_900));
                for event in [
                    json!({ "voice_id": "v", "playstate": long, "prompt_ref": format!("{number}{long}"), "play_id": long,
                            "digit": long, "text": long, "from": long, "to": long, "timestamp": timestamp }),
                    json!({ "voice_id": "v", "state": "recording_complete", "recording_url": url, "owner_ref": long,
                            "broadcast_id": long, "timestamp": timestamp }),
                    json!({ "voice_id": "v", "state": CallState::NAMES[number as usize % CallState::NAMES.len()],
                            "disconnect_reason": long, "digit": "1", "timestamp": timestamp }),
                ] {
                    let Delivery { event_id, received_at, event } =
                        Delivery::new(&event_id, "2026-11-23T10:52:06Z", &event);
                    call.apply(&event_id, received_at, &event);
                }
            }
            let length = serde_json::to_string(&call).unwrap().len();
            assert!((50_000..300_000).contains(&length), "{length} bytes of {text:?}");
            assert!(call.is_truncated());
        }
    }

    #[test]
    fn several_hundred_ordinary_events_are_kept_and_of_more_the_latest() {
        let delivery = |number: u64| {
            let event = json!({ "voice_id": "v", "playstate": "digitcollected", "prompt_ref": "menu", "digit": "1",
                                "timestamp": 1_795_431_126_000_u64 + number });
            Delivery::new(&format!("{number:064}"), "2026-11-23T10:52:06Z", &event)
        };
        let deliveries: Vec<_> = (0..600).map(delivery).collect();
        let some = call_of(&deliveries[..250]);
        assert_eq!((some.prompts()[0].answers.len(), some.is_truncated()), (250, false));

        let all = call_of(&deliveries);
        let answers = &all.prompts()[0].answers;
        assert!(all.is_truncated() && answers.len() >= 250, "{} answers", answers.len());
        assert_eq!(answers.last().unwrap().at.as_millisecond(), 1_795_431_126_599);
        assert_eq!(all, call_of(deliveries.iter().rev()));
    }

    #[test]
    fn events_of_another_call_or_of_none_change_nothing() {
        let mut call = Call::new("v");
        for event in [
            json!({ "voice_id": "w", "state": "connected" }),
            json!({ "state": "connected" }),
            json!({ "broadcast_id": "v", "state": "broadcastcomplete" }),
        ] {
            let Delivery { event_id, received_at, event } = Delivery::new("e", "2026-11-23T10:52:06Z", &event);
            assert!(!call.apply(&event_id, received_at, &event), "{event:?}");
        }
        assert!(!call.merge(&call_of(&[]).clone()) && call == Call::new("v"));
        let mut other = Call::new("w");
        assert!(!other.merge(&call_of(&[Delivery::new(
            "e",
            "2026-11-23T10:52:06Z",
            &json!({ "voice_id": "v", "state": "hold" })
        )])));
        assert_eq!(other, Call::new("w"));
    }

    #[test]
    fn the_schema_of_calls_is_what_the_type_says() {
        let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
        let schema = settings.into_generator().into_root_schema_for::<Written<'_>>();
        let generated = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        let file = repository().join("schemas/call.schema.json");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&file, &generated).unwrap();
        }
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == generated,
            "schemas/call.schema.json differs from the type; UPDATE_SCHEMAS=1 writes it anew"
        );
    }
}
