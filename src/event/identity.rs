//! Which event is which: the `event_id`, by which a FIFO queue and subscribers tell that two deliveries are one event.
//!
//! EnableX gives no event an id, and different events can have the same bytes: a menu that is played again, a key that is
//! pressed twice. So equal bytes are one event only where the event itself proves it, by when it happened and to what.
//! Everything else counts as a new event each time it is delivered: in doubt it arrives twice rather than being lost.

use sha2::{Digest as _, Sha256};

use voicehook_event::Moment;

use super::Event;

/// What happens to a call once.
const ONCE_IN_A_CALL: [&str; 4] = ["call.incomingcall", "call.initiated", "call.connected", "call.disconnected"];
/// What happens to a broadcast once.
const END_OF_A_BROADCAST: &str = "call.broadcastcall_complete";

impl Event {
    /// The event's identity: lower-case hex SHA-256 of the app's name, a NUL byte and the body, and unless the event
    /// [proves](Self::proves_its_identity) which one it is, of another NUL byte and the id of the invocation that
    /// delivered it.
    ///
    /// `body` is the event's text as it goes on the queue. `invocation_id` is Lambda's own, because a caller can choose
    /// a gateway's.
    #[must_use]
    pub fn id(&self, app: &str, body: &str, invocation_id: &str) -> String {
        let mut hash = Sha256::new().chain_update(app).chain_update([0]).chain_update(body);
        if !self.proves_its_identity() {
            hash.update([0]);
            hash.update(invocation_id);
        }
        hex_simd::encode_to_string(hash.finalize(), hex_simd::AsciiCase::Lower)
    }

    /// Whether two deliveries with the same bytes are one event. That takes a timestamp to the second or finer, and
    /// either a call's id and a fraction of a second or something that happens to a call once, or a broadcast's id and
    /// the broadcast's end.
    #[must_use]
    pub fn proves_its_identity(&self) -> bool {
        let Some(moment) = self.moment().filter(Moment::has_seconds) else { return false };
        let event_type = self.event_type();
        let of_call = moment.has_fraction() || ONCE_IN_A_CALL.contains(&event_type.as_ref());
        (self.voice_id().is_some() && of_call) || (self.broadcast_id().is_some() && event_type == END_OF_A_BROADCAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proves(text: &str) -> bool {
        Event::from_json(text.to_owned()).unwrap().proves_its_identity()
    }

    #[test]
    fn only_an_event_that_says_when_and_to_what_it_happened_proves_its_identity() {
        for text in [
            r#"{"voice_id":"v","state":"bridged","timestamp":"2026-06-15T10:52:10.001Z"}"#,
            r#"{"voice_id":"v","playstate":"digitcollected","digit":"1","timestamp":1795431126004}"#,
            r#"{"voice_id":"v","state":"Incoming call","timestamp":"2020-02-16T10:52:00Z"}"#,
            r#"{"voiceId":"v","event":"initiated","timestamp":"2020-02-16T10:52:00Z"}"#,
            r#"{"voice_Id":"v","state":"connected","timestamp":"2020-02-16T10:52:00.000Z"}"#,
            r#"{"voice_id":"v","state":"disconnected","timestamp":1795431126}"#,
            r#"{"broadcast_id":"b","state":"broadcastcomplete","timestamp":"2026-06-15T10:52:10Z"}"#,
        ] {
            assert!(proves(text), "{text}");
        }
        for text in [
            r#"{"voice_id":"v","playstate":"digitcollected","digit":"1"}"#,
            r#"{"voice_id":"v","playstate":"digitcollected","digit":"1","timestamp":"2026-06-15T10:52:10Z"}"#,
            r#"{"voice_id":"v","state":"bridged","timestamp":"2026-06-15T10:52:10.000Z"}"#,
            r#"{"voice_id":"v","event":"initiated","play_id":"1","timestamp":"2020-02-16T10:52:00Z"}"#,
            r#"{"voice_id":"v","state":"connected"}"#,
            r#"{"voice_id":"v","state":"connected","timestamp":"2021-02-18T12:47-00Z"}"#,
            r#"{"state":"connected","timestamp":"2026-06-15T10:52:10.001Z"}"#,
            r#"{"broadcast_id":"b","state":"connected","timestamp":"2026-06-15T10:52:10.001Z"}"#,
            r#"{"broadcast_id":"b","state":"broadcastcall_complete"}"#,
            r#"{"voice_id":"v","state":"broadcastcall_complete","timestamp":"2026-06-15T10:52:10Z"}"#,
        ] {
            assert!(!proves(text), "{text}");
        }
    }

    #[test]
    fn deliveries_that_prove_to_be_one_event_have_one_id_and_others_have_their_own() {
        let id = |text: &str, app, invocation| Event::from_json(text.to_owned()).unwrap().id(app, text, invocation);
        let (proven, unproven) = (
            r#"{"voice_id":"v","state":"connected","timestamp":1795431126}"#,
            r#"{"voice_id":"v","state":"connected"}"#,
        );
        assert_eq!(id(proven, "sales", "1"), id(proven, "sales", "2"));
        assert_ne!(id(proven, "sales", "1"), id(proven, "care", "1"));
        assert_ne!(id(unproven, "sales", "1"), id(unproven, "sales", "2"));
        assert_eq!(id(unproven, "sales", "1"), id(unproven, "sales", "1"));
        // `printf 'sales\0{}\0one' | sha256sum`
        assert_eq!(id("{}", "sales", "one"), "5e320a1130349b511c9aa875beda03be923e0bebc472a3f254175dae204d366b");
    }
}
