//! What the types cannot say to the JSON schema of voice events, `schemas/voice-event.schema.json`.
//!
//! A test fails where the file is not what the types say; `UPDATE_SCHEMAS=1 cargo test --workspace --lib schema` updates it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::VoiceEvent;

#[path = "../../schemas/in_sync.rs"]
mod in_sync;

/// A number, which may come as a string.
pub(super) struct Number;

impl JsonSchema for Number {
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}

/// Whatever your application gave to EnableX.
pub(super) struct Any;

impl JsonSchema for Any {
    fn schema_name() -> Cow<'static, str> {
        "Any".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}

/// An event with neither a `state` nor a `playstate` that says anything.
pub(super) fn neither(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "An event with neither of them: of the newest generation, which names its kind in `event` and has the fields of the other two, or without a kind.",
        "type": "object",
        "properties": {
            "state": { "not": { "type": "string", "minLength": 1 } },
            "playstate": { "not": { "type": "string", "minLength": 1 } },
            "event": { "description": "What happened: a name of `state`, or of `playstate` for a prompt.", "type": ["string", "null"] },
        },
    })
}

#[test]
fn the_schema_of_voice_events_is_what_the_types_say() {
    in_sync::assert_in_sync("voice-event.schema.json", &schemars::schema_for!(VoiceEvent));
}
