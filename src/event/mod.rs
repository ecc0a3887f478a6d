//! The plaintext as a voice event: the few fields that it is routed by, and its identity.
//!
//! The function passes an event's text on as it is; what it reads of it is an [`Event`]. The spellings of EnableX's fields
//! are those of `voicehook-event`, the package for subscribers, which reads all of an event.

mod identity;
mod routed;

pub use self::routed::{Event, NotAnEvent};
