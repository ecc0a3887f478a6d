//! voicehook receives the webhooks of the EnableX Voice API on AWS Lambda, decrypts each one, and puts the voice event
//! it carried on an SQS queue.
//!
//! # How a webhook is handled
//!
//! A webhook goes forward through these modules and never back:
//!
//! 1. [`gateway`]: HTTP in, HTTP out. Which app does the path name, is the token right, is it a probe, what is the
//!    answer? The status table is one `match` in [`gateway::Outcome::response`].
//! 2. [`webhook`]: the envelope. Which cipher, format and text encoding do the headers name, and where in the body is
//!    `encrypted_data`?
//! 3. [`app_id`]: which AppID may open it. From the environment or from Secrets Manager, cached.
//! 4. [`decrypt`]: ciphertext, cipher, padding, text, as Node's `createDecipher` did it. What comes out is not trusted
//!    yet.
//! 5. [`event`]: the plaintext as a voice event: its text, and the few fields that it is routed by.
//! 6. [`queue`]: the SQS message, its attributes, group and deduplication id, and the queue's confirmation.
//!
//! Beside them: [`config`] reads the environment, [`aws`] is what the AWS clients share and the way to SQS without the
//! SDK, [`telemetry`] writes the log, and [`sender`] is the other side, EnableX's own, for tests and tools.
//!
//! # Cargo features
//!
//! - `cli` (by default): the command-line tool.
//! - `receiver` (by `cli`): everything but [`event::VoiceEvent`] and its parts. A subscriber that wants nothing else depends
//!   on voicehook with `default-features = false`, and compiles serde and jiff.
//!
//! # What is promised
//!
//! 200 means that SQS has the message. A request that cannot be opened is told so, with the same answer whichever step
//! failed. AppIDs, keys and tokens are in types that cannot be printed.

#[cfg(feature = "receiver")]
pub mod app_id;
#[cfg(feature = "receiver")]
pub mod aws;
#[cfg(feature = "receiver")]
pub mod config;
#[cfg(feature = "receiver")]
pub mod decrypt;
pub mod event;
#[cfg(feature = "receiver")]
pub mod gateway;
mod json;
#[cfg(feature = "receiver")]
pub mod queue;
#[cfg(feature = "receiver")]
pub mod sender;
#[cfg(feature = "receiver")]
pub mod telemetry;
#[cfg(feature = "receiver")]
pub mod webhook;
