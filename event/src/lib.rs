//! The voice events of EnableX, as voicehook puts them on a queue.
//!
//! A subscriber finds an event's JSON text in the body of an SQS message and wants to `match` on it: that is
//! [`VoiceEvent`]. EnableX has changed the names and the forms of its fields several times; the ones of every generation
//! are known here and nowhere else. The receiver routes its messages by the same [`kind`] and the same [`Moment`].
//!
//! A [`Call`] puts the events of one call together, in whatever order they arrive and however often.
//!
//! JSON is read as `JSON.parse` reads it: only the fields of the top level count, and of a field that is there twice the
//! last one.

mod call;
mod fields;
pub mod json;
pub mod kind;
mod moment;
#[cfg(test)]
mod schema;
mod states;
mod typed;

pub use self::{
    call::{Answer, Call, Direction, Missing, Prompt, Recording},
    fields::{Json, OtherFields},
    kind::normalized,
    moment::Moment,
    states::{CallState, PlayState},
    typed::{BroadcastCall, BroadcastResult, CallEvent, PlayEvent, VoiceEvent},
};

/// The names of the field that holds the call's id, of all generations. The first one that says anything counts.
pub const VOICE_ID: [&str; 3] = ["voice_id", "voiceId", "voice_Id"];
