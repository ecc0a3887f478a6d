//! The webhooks of a campaign. Each is made of its key, so that nothing of it has to be remembered: what arrives on a
//! queue is held against what was sent.

use sha2::{Digest as _, Sha256};
use voicehook_lambda::{
    decrypt::{Algorithm, Encoding, Format},
    sender,
};
use voicehook_test_support::Random;

/// The AppID of the functions, which must not be in their logs.
pub const APP_ID: &str = "app-id-of-the-campaign";
/// What is in every event, and must not be in their logs.
pub const CONFIDENTIAL: [&str; 3] = [APP_ID, "+12025550123", "confidential"];

/// Of so many of a hundred webhooks, the ciphertext does not open.
const GARBAGE_PERCENT: usize = 3;

/// Which webhook: the number of its call, and its place in the call. A delivery that is sent again has the key that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub call: u32,
    pub place: u32,
}

/// What a key stands for.
pub struct Webhook {
    pub call: String,
    /// The event's text.
    pub event: String,
    /// Whether it opens; else it is for the quarantine.
    pub opens: bool,
    /// Whether two deliveries of it are one event (docs/events.md, "Duplicates").
    proves_its_identity: bool,
}

impl Key {
    pub fn webhook(self) -> Webhook {
        let Self { call, place } = self;
        let mut random = Random::new(u64::from(call) << 32 | u64::from(place));
        let filler = "x".repeat(match random.below(200) {
            0 => 60_000,
            1..=9 => 8_000,
            _ => random.below(400),
        });
        let second = place % 60;
        let (what, proves_its_identity) = match place % 4 {
            0 => (format!(r#""state":"connected","timestamp":"2026-06-15T10:52:{second:02}Z""#), true),
            1 => (format!(r#""state":"bridged","timestamp":"2026-06-15T10:52:{second:02}.007Z""#), true),
            2 => (r#""playstate":"digitcollected","prompt_ref":"menu","digit": "1""#.to_owned(), false),
            _ => (r#""event":"playfinished","play_id":"7","note":"\u00e9 \ud83d\ude00 é 1.50e+0""#.to_owned(), false),
        };
        let opens = !random.percent(GARBAGE_PERCENT);
        let call = format!("call-{call}");
        let event = format!(
            r#"{{"voice_id" :"{call}",{what}, "from":"+12025550123","text":"confidential","n":{place}.50,"filler":"{filler}"}}"#
        );
        Webhook { call, event, opens, proves_its_identity }
    }
}

impl Webhook {
    /// The body of the request, as EnableX sends it.
    pub fn body(&self) -> String {
        let app_id = if self.opens { APP_ID } else { "the AppID of somebody else" };
        let algorithm = Algorithm::named("aes-256-cbc").unwrap();
        let data = sender::encrypt(&self.event, app_id, algorithm, Format::Hex, Encoding::Utf8);
        format!(r#"{{"encrypted_data":"{data}"}}"#)
    }

    /// The identity that docs/events.md promises, computed without the function's code.
    pub fn event_id(&self, invocation_id: &str) -> String {
        let mut hash = Sha256::new().chain_update("default\0").chain_update(&self.event);
        if !self.proves_its_identity {
            hash = hash.chain_update([0]).chain_update(invocation_id);
        }
        hex_simd::encode_to_string(hash.finalize(), hex_simd::AsciiCase::Lower)
    }
}
