//! Sample calls, event by event as EnableX reports them, for `trigger scenario` and the inspector of `dev`.
//!
//! A scenario is a list of [`Moment`]s: which events are sent, and when. The timestamps and durations in the events
//! match.

use std::{ops::AddAssign as _, time::Duration};

use jiff::Timestamp;

use crate::samples::{Call, random_id, with_timestamp};

/// How many numbers the broadcast calls by default.
pub(crate) const RECIPIENTS: usize = 5;

/// A scenario.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// One line for `--list` and the inspector.
    pub(crate) about: &'static str,
    play: fn(&mut Script, usize),
}

/// Events that are sent at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since the previous moment, or since the start.
    pub(crate) delay: Duration,
    /// JSON texts; several are sent concurrently.
    pub(crate) events: Vec<String>,
}

/// All scenarios.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "inbound-ivr",
        about: "a caller goes through two menus, one by key press and one by voice, and hangs up; one menu is played twice",
        play: |script, _| inbound_ivr(script),
    },
    Scenario {
        name: "outbound-bridge",
        about: "a call to a customer is bridged to an agent, recorded, and ends",
        play: |script, _| outbound_bridge(script),
    },
    Scenario {
        name: "broadcast",
        about: "several numbers are called at once: some answer, one is busy, one does not answer and is called again",
        play: broadcast,
    },
    Scenario {
        name: "recording-race",
        about: "recording_complete and disconnected are sent at the same moment",
        play: |script, _| recording_race(script),
    },
    Scenario {
        name: "duplicates",
        about: "each event is sent twice, with a timestamp that proves it is the same event: a FIFO queue keeps one of each",
        play: |script, _| duplicates(script),
    },
    Scenario {
        name: "out-of-order",
        about: "events are sent in a different order than their timestamps",
        play: |script, _| out_of_order(script),
    },
    Scenario {
        name: "voice-bot",
        about: "the audio of a call is streamed, with transcripts; the stream fails and starts again",
        play: |script, _| voice_bot(script),
    },
    Scenario {
        name: "no-answer",
        about: "an outbound call rings, and nobody answers",
        play: |script, _| no_answer(script),
    },
    Scenario {
        name: "spellings",
        about: "a call whose events use the spellings of all versions of the EnableX API; a key is pressed twice",
        play: |script, _| spellings(script),
    },
];

impl Scenario {
    /// Looks up a scenario by its name.
    pub(crate) fn from_name(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    /// What is sent, and when. `recipients` is how many numbers the broadcast calls; the other scenarios ignore it.
    pub(crate) fn moments(&self, begin: Timestamp, recipients: usize) -> Vec<Moment> {
        let mut script = Script { now: begin, delay: Duration::ZERO, moments: Vec::new() };
        (self.play)(&mut script, recipients);
        script.moments
    }
}

/// How long a scenario takes in real time.
pub(crate) fn duration(moments: &[Moment]) -> Duration {
    moments.iter().map(|moment| moment.delay).sum()
}

/// Builds a scenario.
struct Script {
    /// The current time in the call.
    now: Timestamp,
    /// Since the previous moment.
    delay: Duration,
    moments: Vec<Moment>,
}

impl Script {
    /// Lets time pass, in seconds.
    fn wait(&mut self, seconds: f64) -> &mut Self {
        let delay = Duration::from_secs_f64(seconds);
        self.now.add_assign(delay);
        self.delay += delay;
        self
    }

    /// Sends events concurrently.
    fn send(&mut self, events: impl Into<Vec<String>>) {
        self.moments.push(Moment { delay: std::mem::take(&mut self.delay), events: events.into() });
    }

    fn state(&mut self, call: &Call, state: &str) {
        self.send([call.state(state, self.now, "")]);
    }

    /// A prompt's event without a timestamp, as most are. Its bytes may equal those of another event.
    fn play(&mut self, call: &Call, prompt: &Prompt, playstate: &str, more: &str) {
        self.send([call.play(playstate, prompt.prompt_ref, prompt.play_id, more)]);
    }

    fn play_with_timestamp(&mut self, call: &Call, prompt: &Prompt, playstate: &str, more: &str) {
        self.play(call, prompt, playstate, &with_timestamp(self.now, more));
    }

    /// Waits until the clock is between two whole seconds, so that the timestamps that follow all have a fraction.
    fn wait_for_a_fraction(&mut self) -> &mut Self {
        let fraction = f64::from(self.now.subsec_millisecond()) / 1000.0;
        self.wait((1.2 - fraction) % 1.0)
    }
}

/// A prompt played to the caller.
struct Prompt {
    prompt_ref: &'static str,
    play_id: &'static str,
}

const WELCOME: Prompt = Prompt { prompt_ref: "welcome", play_id: "1" };
const MENU: Prompt = Prompt { prompt_ref: "menu", play_id: "2" };
const GOODBYE: Prompt = Prompt { prompt_ref: "goodbye", play_id: "3" };

/// The fields of a call that has ended. `cause` is a cause code of ITU-T Q.850.
fn over(seconds: f64, reason: &str, cause: u8) -> String {
    format!(r#","call_duration":{seconds},"disconnect_reason":"{reason}","disconnect_cause_code":{cause}"#)
}

fn recording() -> String {
    format!(r#","recording_url":"https://example.com/recordings/{}.wav""#, random_id())
}

fn inbound_ivr(script: &mut Script) {
    let call = Call::random();
    script.state(&call, "incomingcall");
    script.wait(0.6).state(&call, "connected");
    script.wait(0.2).play(&call, &WELCOME, "initiated", "");
    script.wait(4.0).play(&call, &WELCOME, "digitcollected", r#","digit":"1""#);
    script.wait(0.3).play(&call, &MENU, "initiated", "");
    script.wait(6.0).play(&call, &MENU, "menutimeout", "");
    script.wait(0.2).play(&call, &MENU, "initiated", "");
    script.wait(3.5).play(&call, &MENU, "digitcollected", r#","asrtext":"what are your opening hours""#);
    script.wait(0.4).play(&call, &GOODBYE, "initiated", "");
    script.wait(5.0).play(&call, &GOODBYE, "playfinished", "");
    let end = script.wait(0.8).now;
    script.send([call.state("disconnected", end, &over(20.4, "normal_clearing", 16))]);
}

fn outbound_bridge(script: &mut Script) {
    let call = Call::random();
    script.state(&call, "initiated");
    script.wait(0.9).state(&call, "ringing");
    script.wait(3.2).state(&call, "connected");
    script.wait(0.2).play_with_timestamp(&call, &WELCOME, "initiated", "");
    script.wait(3.0).play_with_timestamp(&call, &WELCOME, "playfinished", "");
    script.wait(0.3).state(&call, "bridging");
    script.wait(2.5).state(&call, "bridged");
    script.wait(6.0).state(&call, "hold");
    let end = script.wait(8.0).now;
    script.send([
        call.state("bridge_disconnected", end, ""),
        call.state("disconnected", end, &over(20.0, "normal_clearing", 16)),
    ]);
    let later = script.wait(1.5).now;
    script.send([call.state("recording_complete", later, &recording())]);
}

/// The outcomes of a broadcast's calls, assigned in turn.
const RESULTS: [&str; 5] = ["answered", "busy", "answered", "no_answer", "answered"];

fn broadcast(script: &mut Script, recipients: usize) {
    let broadcast_id = random_id();
    let calls: Vec<(Call, &str)> = (0..recipients)
        .map(|recipient| (Call::for_broadcast(&broadcast_id, recipient), RESULTS[recipient % RESULTS.len()]))
        .collect();
    let Some((first, _)) = calls.first() else { return };
    let of = |result: &'static str| calls.iter().filter(move |(_, of)| *of == result).map(|(call, _)| call);
    let all = |state: &str, now: Timestamp, calls: &mut dyn Iterator<Item = &Call>, more: &str| -> Vec<String> {
        calls.map(|call| call.state(state, now, more)).collect()
    };
    let now = script.now;
    script.send(all("initiated", now, &mut calls.iter().map(|(call, _)| call), ""));
    let now = script.wait(1.0).now;
    script.send(all("disconnected", now, &mut of("busy"), &over(0.0, "user_busy", 17)));
    let now = script.wait(2.0).now;
    script.send(all("connected", now, &mut of("answered"), ""));
    script.wait(0.2).send(of("answered").map(|call| call.play("initiated", "1", "1", "")).collect::<Vec<_>>());
    script.wait(7.0).send(of("answered").map(|call| call.play("playfinished", "1", "1", "")).collect::<Vec<_>>());
    let now = script.wait(0.3).now;
    script.send(all("disconnected", now, &mut of("answered"), &over(7.5, "normal_clearing", 16)));
    for attempt in ["", r#","attempt":2"#] {
        let now = script.wait(10.0).now;
        if !attempt.is_empty() {
            script.send(all("initiated", now, &mut of("no_answer"), attempt));
        }
        let now = script.wait(10.0).now;
        let more = over(0.0, "no_answer", 19) + attempt;
        script.send(all("disconnected", now, &mut of("no_answer"), &more));
    }
    let info = |(call, result): &(Call, &str)| format!(r#"{{"to":"{}","result":"{result}"}}"#, call.to());
    let info: Vec<String> = calls.iter().map(info).collect();
    let end = script.wait(0.5).now;
    let more = format!(r#","broadcast_call_info":[{}]"#, info.join(","));
    script.send([first.end_of_broadcast("broadcastcall_complete", end, &more)]);
    script.moments.retain(|moment| !moment.events.is_empty());
}

fn recording_race(script: &mut Script) {
    let call = Call::random();
    script.state(&call, "incomingcall");
    script.wait(0.5).state(&call, "connected");
    let end = script.wait(5.0).now;
    script.send([
        call.state("recording_complete", end, &recording()),
        call.state("disconnected", end, &over(5.0, "normal_clearing", 16)),
    ]);
}

fn duplicates(script: &mut Script) {
    let call = Call::random();
    script.wait_for_a_fraction();
    let mut sent = Vec::new();
    for (wait, state) in [(0.0, "incomingcall"), (0.5, "connected"), (3.0, "bridging"), (1.5, "bridged")] {
        let event = call.state(state, script.wait(wait).now, "");
        script.send([event.clone(), event.clone()]);
        sent.push(event);
    }
    let pressed = with_timestamp(script.wait(1.0).now, r#","digit":"1""#);
    let pressed = call.play("digitcollected", WELCOME.prompt_ref, WELCOME.play_id, &pressed);
    script.send([pressed.clone()]);
    let end = call.state("disconnected", script.wait(5.0).now, &over(10.5, "normal_clearing", 16));
    script.send([end.clone()]);
    sent.extend([pressed, end]);
    for event in sent.split_off(4) {
        script.wait(2.0).send([event]);
    }
}

fn out_of_order(script: &mut Script) {
    let call = Call::random();
    script.state(&call, "initiated");
    let ringing = call.state("ringing", script.wait(0.5).now, "");
    script.wait(0.1).state(&call, "connected");
    script.wait(0.1).send([ringing]);
    let bridging = call.state("bridging", script.wait(3.0).now, "");
    script.wait(0.4).state(&call, "bridged");
    script.wait(0.1).send([bridging]);
    let recording = call.state("recording_complete", script.wait(6.0).now, &recording());
    let end = script.wait(0.1).now;
    script.send([call.state("disconnected", end, &over(9.6, "normal_clearing", 16))]);
    script.wait(4.0).send([recording]);
}

fn voice_bot(script: &mut Script) {
    let call = Call::random();
    script.state(&call, "incomingcall");
    script.wait(0.5).state(&call, "connected");
    script.wait(0.3).state(&call, "stream_started");
    for (wait, said) in [(2.5, "Hello, this is the voice assistant. How can I help you?"), (4.0, "मेरा ऑर्डर कहाँ है?")]
    {
        let now = script.wait(wait).now;
        script.send([call.state("transcript", now, &format!(r#","text":"{said}""#))]);
    }
    script.wait(1.0).state(&call, "stream_failed");
    script.wait(0.5).state(&call, "stream_started");
    let now = script.wait(3.0).now;
    script.send([call.state("transcript", now, r#","text":"Your parcel arrives tomorrow.""#)]);
    let end = script.wait(2.0).now;
    script.send([
        call.state("stream_stopped", end, ""),
        call.state("disconnected", end, &over(13.3, "normal_clearing", 16)),
    ]);
}

fn no_answer(script: &mut Script) {
    let call = Call::random();
    script.state(&call, "initiated");
    script.wait(1.2).state(&call, "ringing");
    let end = script.wait(30.0).now;
    script.send([call.state("disconnected", end, &over(0.0, "no_answer", 19))]);
}

fn spellings(script: &mut Script) {
    let call = Call::random();
    script.send([call.old_state("Incoming call", script.now, "")]);
    script.wait(0.6).send([call.event("connected", r#","owner_ref":"ticket 4711","custom_data":{"order":17}"#)]);
    script.wait(0.2).send([call.event("initiated", r#","prompt_ref":"pin","play_id":"1""#)]);
    let key = call.event("digitcollected", r#","prompt_ref":"pin","play_id":"1","digit":"7""#);
    script.wait(2.0).send([key.clone()]);
    script.wait(0.4).send([key]);
    script.wait(0.3).play(&call, &MENU, "initiated", "");
    script.wait(4.0).play(&call, &MENU, "speech_recognized", r#","reason":"completed","text":"sales, please""#);
    let now = script.wait(0.1).now;
    script.send([call.state("recognized", now, r#","text":"sales, please""#)]);
    script.wait(0.5).state(&call, "bridging");
    let now = script.wait(2.0).now;
    script.send([call.old_state("Bridged", now, "")]);
    script.wait(3.0).send([call.event("dtmfcollected", r#","digit":5"#)]);
    let now = script.wait(1.0).now;
    script.send([call.state("dtmfcollected", now, r#","digit":"5""#)]);
    let end = script.wait(4.0).now;
    script.send([call.old_state("disconnected", end, &over(17.5, "normal_clearing", 16))]);
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use voicehook_lambda::{
        event::Event,
        queue::{Delivery, EventFormat, Message, QueueKind},
    };

    use super::*;

    /// Deduplicates like a FIFO queue of SQS: keeps the first message with each `MessageDeduplicationId`.
    #[derive(Default)]
    struct FifoQueue {
        messages: Vec<Message>,
        ids: BTreeSet<String>,
        /// Each webhook is a separate invocation.
        invocations: u32,
    }

    impl FifoQueue {
        fn send(&mut self, event: Event) {
            self.invocations += 1;
            let invocation_id = self.invocations.to_string();
            let delivery = Delivery {
                app: "default",
                received_at: Timestamp::UNIX_EPOCH,
                request_id: "the same for all",
                invocation_id: &invocation_id,
                trace_header: None,
            };
            let message = EventFormat::Raw.message(event, &delivery, QueueKind::Fifo).message;
            if self.ids.insert(message.deduplication_id.clone().unwrap()) {
                self.messages.push(message);
            }
        }
    }

    #[test]
    fn a_fifo_queue_keeps_each_distinct_event_of_every_scenario_once() {
        for milliseconds in [0, 1, 250, 500, 999] {
            let begin = Timestamp::from_millisecond(1_795_431_126_000 + milliseconds).unwrap();
            for scenario in SCENARIOS {
                let events = events_from(scenario, begin);
                let texts: BTreeSet<String> = events.iter().map(|event| event.text().to_owned()).collect();
                let expected = if scenario.name == "duplicates" { texts.len() } else { events.len() };
                let mut queue = FifoQueue::default();
                events.into_iter().for_each(|event| queue.send(event));
                assert_eq!(queue.messages.len(), expected, "{}, begun at {begin}", scenario.name);
            }
        }
    }

    #[test]
    fn some_distinct_events_have_the_same_bytes() {
        for name in ["inbound-ivr", "spellings"] {
            let texts: BTreeSet<String> = events(name).iter().map(|event| event.text().to_owned()).collect();
            assert!(texts.len() < events(name).len(), "{name}");
        }
    }

    #[test]
    fn every_kind_of_the_spellings_is_known() {
        let types: BTreeSet<String> = events("spellings").iter().map(|event| event.event_type().into_owned()).collect();
        let calls = ["incomingcall", "connected", "recognized", "bridging", "bridged", "dtmfcollected", "disconnected"];
        let plays = ["initiated", "digitcollected", "speech_recognized"];
        let calls = calls.iter().map(|state| format!("call.{state}"));
        let plays = plays.iter().map(|playstate| format!("play.{playstate}"));
        assert_eq!(types, calls.chain(plays).collect());
    }

    fn events(name: &str) -> Vec<Event> {
        events_from(Scenario::from_name(name).unwrap(), Timestamp::UNIX_EPOCH)
    }

    fn events_from(scenario: &Scenario, begin: Timestamp) -> Vec<Event> {
        let texts = scenario.moments(begin, 12).into_iter().flat_map(|moment| moment.events);
        texts.map(|text| Event::from_json(text).unwrap()).collect()
    }

    #[test]
    fn every_scenario_ends_each_of_its_calls_and_the_timestamps_lie_inside_of_it() {
        for scenario in SCENARIOS {
            let moments = scenario.moments(Timestamp::UNIX_EPOCH, 12);
            assert!(moments.iter().all(|moment| !moment.events.is_empty()), "{}", scenario.name);
            let end = Timestamp::UNIX_EPOCH + duration(&moments);
            let mut calls = BTreeMap::new();
            for event in events(scenario.name) {
                assert!(event.timestamp().is_none_or(|time| time <= end), "{}: {}", scenario.name, event.text());
                if let Some(voice_id) = event.voice_id() {
                    *calls.entry(voice_id.to_owned()).or_insert(false) |= event.event_type() == "call.disconnected";
                }
            }
            assert!(calls.values().all(|over| *over), "{}: {calls:?}", scenario.name);
            assert_eq!(calls.len(), if scenario.name == "broadcast" { 12 } else { 1 }, "{}", scenario.name);
        }
    }

    #[test]
    fn the_recording_race_is_two_events_in_one_moment() {
        let moments = Scenario::from_name("recording-race").unwrap().moments(Timestamp::UNIX_EPOCH, 1);
        let last = moments.last().unwrap();
        assert_eq!(last.events.len(), 2);
        assert!(last.events[0].contains("recording_complete") && last.events[1].contains("disconnected"));
    }

    #[test]
    fn duplicates_are_the_same_to_the_byte_and_prove_their_identity() {
        let mut counts = BTreeMap::new();
        for event in events("duplicates") {
            assert!(event.proves_its_identity(), "{}", event.text());
            *counts.entry(event.text().to_owned()).or_insert(0) += 1;
        }
        assert!(counts.len() == 6 && counts.values().all(|count| *count == 2), "{counts:?}");
    }

    #[test]
    fn out_of_order_is_out_of_order() {
        let times: Vec<_> = events("out-of-order").iter().filter_map(Event::timestamp).collect();
        assert!(!times.is_sorted(), "{times:?}");
    }

    #[test]
    fn a_broadcast_says_what_became_of_each_number() {
        let events = events("broadcast");
        let last: serde_json::Value = serde_json::from_str(events.last().unwrap().text()).unwrap();
        assert_eq!(last["broadcast_call_info"].as_array().unwrap().len(), 12);
        assert!(events.iter().all(|event| event.broadcast_id() == last["broadcast_id"].as_str()));
        assert!(events.iter().any(|event| event.text().contains(r#""attempt":2"#)));
    }
}
