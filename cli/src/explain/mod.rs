//! Explains what is wrong with a webhook and what to do about it, for every command that shows one: `decrypt`, the
//! inspector of `dev`, and `inspect`.
//!
//! The function never reveals which step of a decryption failed, because that would make it a padding oracle. Here the
//! AppID is the user's own, and it is safe to tell. A command adds what only it knows: the inspector its URL, `decrypt`
//! the readings that it searched for. No [`Finding`] contains an AppID or any of the plaintext.

mod ciphers;
pub(crate) mod evidence;
mod finding;
mod step;

use http::HeaderMap;
use voicehook_lambda::{
    decrypt::{self, Algorithm, Envelope, Fault, Format, KeyAndIv, Plaintext},
    receiver::Refusal,
    webhook::{
        ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED, Accept, ENCODING_HEADER, FORMAT_HEADER, Malformed, Webhook,
    },
};
use zeroize::Zeroizing;

pub(crate) use self::{
    finding::Finding,
    step::{Step, step_that_refused},
};
use crate::{known_app_ids::KnownAppIds, send::DEV_APP_ID};

/// What to do with the right AppID where a command takes it.
pub(crate) const GIVE_IT: &str = "give it with --app-id or ENABLEX_APP_ID";
/// The same where a deployment has it.
pub(crate) const STORE_IT: &str = "store it in the deployment's secret (ENABLEX_APP_ID_SECRET), or set ENABLEX_APP_ID";

const BLOCK: usize = 16;
const TURN_ON_ENCRYPTION: &str = "Turn on webhook encryption for the project in the EnableX portal";
const ACCEPT_PLAINTEXT: &str = "Or accept plaintext events: set ALLOW_PLAINTEXT=true (AllowPlaintext in the template), \
                                together with a WEBHOOK_TOKEN";

/// A webhook that was refused.
pub(crate) struct Refused<'a> {
    /// All its headers, also those that the function does not look at.
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// The app that it was sent to.
    pub(crate) app: &'a str,
    pub(crate) refusal: &'a Refusal,
    /// The AppIDs that it may have been encrypted with. Without any, the sample AppID is tried alone.
    pub(crate) known: &'a KnownAppIds,
    /// What to do with the right AppID: [`GIVE_IT`] or [`STORE_IT`].
    pub(crate) remedy: &'static str,
}

impl Refused<'_> {
    /// What is wrong, and what to do.
    pub(crate) fn explain(&self) -> Finding {
        match self.refusal {
            Refusal::NotFound => Finding::new(
                "the path, the name of the app or the token is wrong",
                "Enter the URL of the receiver in the EnableX portal, with the app and the token that it has",
            ),
            Refusal::Malformed(malformed) => self.malformed(malformed),
            Refusal::Undecryptable(fault) => self.undecryptable(*fault),
            Refusal::TooOld => Finding::with_steps(
                "the event's timestamp is older than MAX_EVENT_AGE_SECONDS allows",
                ["Compare the clocks of sender and receiver", "Unset or raise MAX_EVENT_AGE_SECONDS"],
            ),
            Refusal::TooLarge { limit } => Finding::new(
                format!("with its attributes, the message is larger than the {limit} bytes that SQS accepts"),
                "Check which field of the event is so long",
            ),
            Refusal::AppIdUnavailable(error) => {
                Finding::new(error.to_string(), "Give the AppID with --app-id or ENABLEX_APP_ID")
            }
            other => Finding::new(other.reason(), "See the function's log"),
        }
    }

    fn malformed(&self, malformed: &Malformed) -> Finding {
        let problem = malformed.to_string();
        let one = |next: &str| Finding::new(problem.clone(), next);
        match malformed {
            Malformed::MissingHeader { header, .. } => self.missing_header(header, &problem),
            Malformed::UnsupportedValue { header, given, .. } => unsupported_value(header, given, problem),
            Malformed::NotAllowed { .. } => one(
                "Add it to ALLOWED_ALGORITHMS (AllowedAlgorithms in the template), or set that to all; read SECURITY.md \
                 before you add one that is not CBC",
            ),
            Malformed::PlainEvent => plain_event(),
            Malformed::AmbiguousHeader(_) => one("Find out which proxy adds the second one"),
            Malformed::UnsupportedContentEncoding(_) => one("Send the body without compression"),
            Malformed::UnsupportedMediaType(_) => one("Send content-type: application/json"),
            Malformed::PlainNotAnEvent(_) => {
                one("Send a JSON object, or encrypt the event and name the cipher in x-algoritm")
            }
            Malformed::NotJson { .. } if self.body.starts_with(b"encrypted_data=") => {
                one("The body is a form: send content-type: application/x-www-form-urlencoded, or send JSON")
            }
            Malformed::NoEncryptedDataInForm if self.body.starts_with(b"{") => {
                one("The body is JSON: send content-type: application/json")
            }
            Malformed::NotJson { .. } => Finding::with_steps(
                problem,
                [
                    "Compare the body with what EnableX sends; a body that was cut off ends in the middle",
                    "With curl, put the body in single quotes, so that the shell does not change it",
                ],
            ),
            _ => one(r#"Compare the body with what EnableX sends: {"encrypted_data": "..."}"#),
        }
    }

    fn missing_header(&self, header: &str, problem: &str) -> Finding {
        let letters = |name: &str| name.to_ascii_lowercase().replace(|letter: char| !letter.is_ascii_alphabetic(), "");
        let wanted = letters(header.trim_start_matches("x-"));
        let is_algorithm = header == ALGORITHM_HEADER;
        let is_alike = |name: &&str| {
            let name = letters(name);
            name.contains(&wanted) || (is_algorithm && (name.contains("algor") || name.contains("cipher")))
        };
        let others = self.headers.keys().map(http::HeaderName::as_str);
        let others = others.filter(|name| ![ALGORITHM_HEADER, FORMAT_HEADER, ENCODING_HEADER].contains(name));
        // The encoding of the content is another matter.
        let alike = others.filter(|name| !name.starts_with("content-") && !name.starts_with("accept-")).find(is_alike);
        if let Some(name) = alike {
            return Finding::new(
                format!("header {header} is missing, but there is a header {name}"),
                format!(
                    "Send it as {header}; EnableX spells x-algoritm without an h, and voicehook takes x-algorithm too"
                ),
            );
        }
        let proxy = "Check whether a proxy or a tunnel drops headers that begin with x-; EnableX always sends this one";
        if is_algorithm {
            let encryption = format!("{TURN_ON_ENCRYPTION}: without it, events come as plain JSON");
            return Finding::with_steps(problem, [&encryption, ACCEPT_PLAINTEXT, proxy]);
        }
        Finding::new(problem, proxy)
    }

    fn undecryptable(&self, fault: Fault) -> Finding {
        let accept = Accept::all();
        let Ok(Webhook::Encrypted(envelope)) = Webhook::read(self.headers, self.body, &accept) else {
            return Finding::new(fault_in_words(fault), "Capture the webhook again, whole, with its headers");
        };
        match fault {
            Fault::Format => wrong_format(&String::from_utf8_lossy(&envelope.encrypted_data), Some(envelope.format)),
            Fault::Length => {
                let bytes = decrypt::decode(envelope.format, &envelope.encrypted_data).unwrap_or_default();
                wrong_length(bytes.len(), envelope.algorithm)
            }
            Fault::Padding => self.wrong_app_id(&envelope, "the padding at the end of the decrypted text is invalid"),
            Fault::Text | Fault::Json if !envelope.algorithm.mode.is_padded() => self
                .wrong_app_id(&envelope, "in this mode decryption succeeds with any AppID, but the result is not JSON"),
            Fault::Text => Finding::new(
                "decryption succeeded, but the bytes are not text in the encoding named by x-encoding",
                "Name the encoding of the text in x-encoding; EnableX uses utf8",
            ),
            Fault::Json => Finding::with_steps(
                "decryption with the AppID succeeded, but the text is not JSON",
                [
                    "Encrypt the JSON of one event and nothing else",
                    "If the text has a different encoding than x-encoding names, correct x-encoding",
                ],
            ),
            _ => Finding::new(
                "decryption succeeded, but the JSON is not an object: it is an array, a string or a number",
                "Encrypt the JSON object of one event",
            ),
        }
    }

    fn wrong_app_id(&self, envelope: &Envelope<'_>, why: &str) -> Finding {
        let other = other_app_ids(self.known, self.app).into_iter().find(|other| other.opens(envelope));
        other.map_or_else(|| usual_cause(why, self.remedy), |other| other.finding)
    }
}

/// An AppID that is not that of the app, and what it means if a webhook can be decrypted with it.
pub(crate) struct OtherAppId {
    pub(crate) text: Zeroizing<String>,
    pub(crate) finding: Finding,
}

impl OtherAppId {
    /// Whether the function would decrypt a webhook with it, and not by chance.
    fn opens(&self, envelope: &Envelope<'_>) -> bool {
        let key = KeyAndIv::derive(&self.text);
        let event = decrypt::open(envelope, &key).and_then(Plaintext::into_event);
        let written = evidence::Written::from(envelope.encoding);
        event.is_ok_and(|event| evidence::of_object(event.text(), written) >= evidence::CERTAIN)
    }
}

/// The AppIDs of other apps, and the sample AppID.
pub(crate) fn other_app_ids(known: &KnownAppIds, app: &str) -> Vec<OtherAppId> {
    let others = known.app_ids.iter().filter(|other| other.app != app).map(|other| OtherAppId {
        text: other.text.clone(),
        finding: Finding::new(
            format!("the webhook was sent to app {app}, but it was encrypted with {}", other.name()),
            format!("Enter the URL of app {} in the EnableX portal for this project", other.app),
        ),
    });
    let sample = OtherAppId {
        text: Zeroizing::new(DEV_APP_ID.to_owned()),
        finding: Finding::new(
            "it was encrypted with voicehook's sample AppID, but this receiver has a different one",
            "Send with this receiver's AppID: voicehook trigger --app-id \"$ENABLEX_APP_ID\"",
        ),
    };
    let has_sample = known.app_ids.iter().any(|other| *other.text == DEV_APP_ID);
    others.chain((!has_sample).then_some(sample)).collect()
}

/// The explanation of a failure that has many causes. It is a guess, and says so.
pub(crate) fn usual_cause(why: &str, remedy: &str) -> Finding {
    Finding::with_steps(
        format!("{why}; the usual cause is that it was encrypted with a different AppID than this one"),
        [
            &format!(
                "Copy the AppID from the EnableX portal (the project's App ID, not its App Key), check that the webhook \
                 belongs to that project, and {remedy}"
            ),
            "If the AppID is right, x-algoritm may name a different cipher than the one it was encrypted with",
            "If both are right, the ciphertext was changed on the way",
        ],
    )
}

/// A webhook without encryption.
pub(crate) fn plain_event() -> Finding {
    Finding::with_steps(
        "the body is the event itself, in plaintext: the webhook is not encrypted",
        [TURN_ON_ENCRYPTION, ACCEPT_PLAINTEXT],
    )
}

/// A value of a header that voicehook does not support. `problem` is the function's own message.
fn unsupported_value(header: &str, given: &str, problem: String) -> Finding {
    if ![ALGORITHM_HEADER, ALGORITHM_HEADER_AS_DOCUMENTED].contains(&header) {
        let next =
            format!("Send a supported value in {header}, as the EnableX portal or the sender lets you choose it");
        return Finding::new(problem, next);
    }
    if let Some(name) = ciphers::meant(given) {
        return Finding::new(problem, format!("Send {header}: {name}, if that is the cipher it was encrypted with"));
    }
    let next =
        "Choose a supported cipher in the EnableX portal, or in what sends the webhook: aes-256-cbc is the usual one";
    match ciphers::described(given) {
        Some(what) => {
            // The list of what is supported comes last.
            let (message, list) = problem.split_once("; ").unwrap_or((&problem, ""));
            Finding::new(format!("{message}: it is {what}; {list}"), next)
        }
        None => Finding::new(problem, next),
    }
}

/// Whether the name of a cipher that voicehook does not support is more than another spelling of one that it does.
pub(crate) fn is_another_cipher(name: &str) -> bool {
    ciphers::meant(name).is_none()
}

/// Why `encrypted_data` cannot be decoded. Without a format, it is in none of the supported ones.
pub(crate) fn wrong_format(data: &str, format: Option<Format>) -> Finding {
    let is_base64 = |digit: char| digit.is_ascii_alphanumeric() || "+/=-_ \r\n\t".contains(digit);
    let (name, wrong) = match format {
        Some(Format::Hex) => ("hex", data.chars().position(|digit| !digit.is_ascii_hexdigit())),
        Some(Format::Base64) => ("base64", data.chars().position(|digit| !is_base64(digit))),
        Some(Format::Latin1) => ("latin1", data.chars().position(|character| u32::from(character) > 0xff)),
        None => ("a supported format", None),
    };
    let count = data.chars().count();
    let problem = match wrong.and_then(|index| Some((index, data.chars().nth(index)?))) {
        _ if data.is_empty() => "encrypted_data is empty".to_owned(),
        Some((index, digit)) => {
            format!("encrypted_data is not {name}: character {} of encrypted_data is {digit:?}", index + 1)
        }
        None if format == Some(Format::Hex) => {
            format!("encrypted_data is not {name}: it has {count} digits, an odd number, so at least one is missing")
        }
        None => format!("encrypted_data is not {name}: its {count} characters do not encode a whole number of bytes"),
    };
    // Hexadecimal digits with one missing are base64 too, but nobody sent them as that.
    let may_be_base64 = format == Some(Format::Hex)
        && wrong.is_some()
        && decrypt::decode(Format::Base64, data.as_bytes()).is_some_and(|bytes| !bytes.is_empty());
    let again = "Send it, or capture it, again: complete and unchanged";
    if may_be_base64 {
        return Finding::with_steps(problem, ["If it is base64, which it may be, send x-format: base64", again]);
    }
    let encoding =
        "Check that x-format names its format, that it is not encoded twice, and that a + in a form is sent as %2B";
    Finding::with_steps(problem, [again, encoding])
}

/// A ciphertext that a cipher with padding cannot have made.
pub(crate) fn wrong_length(bytes: usize, algorithm: Algorithm) -> Finding {
    if bytes == 0 {
        return Finding::new("encrypted_data is empty", "Send, or capture, the complete ciphertext");
    }
    let missing = BLOCK - bytes % BLOCK;
    let are = if missing == 1 { "byte is" } else { "bytes are" };
    Finding::with_steps(
        format!(
            "the ciphertext has {bytes} bytes, which is not a multiple of 16 bytes, as {algorithm} requires: probably \
             at least {missing} {are} missing"
        ),
        [
            "If it was cut off on the way, by a limit of a log, a proxy or a database column, send or capture it again, \
             complete",
            "If it is complete, x-algoritm names a different cipher than the one it was encrypted with",
        ],
    )
}

/// Why the function refuses a webhook, in a few words.
pub(crate) fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Malformed(malformed) => malformed.to_string(),
        Refusal::NotFound => "no such app".to_owned(),
        Refusal::Undecryptable(fault) => format!("{} ({})", fault_in_words(*fault), fault.name()),
        Refusal::TooOld => "the event is older than MAX_EVENT_AGE_SECONDS".to_owned(),
        Refusal::AppIdUnavailable(error) => error.to_string(),
        other => other.reason().to_owned(),
    }
}

const fn fault_in_words(fault: Fault) -> &'static str {
    match fault {
        Fault::Format => "encrypted_data is not in the format named by x-format",
        Fault::Length => "ciphertext length is not a multiple of 16 bytes",
        Fault::Padding => "invalid padding with this AppID",
        Fault::Text => "the plaintext is not valid in the encoding named by x-encoding",
        Fault::Json => "the plaintext is not JSON",
        Fault::NotAnObject => "the plaintext is JSON, but not an object",
        _ => "decryption failed",
    }
}
