//! The JSON schemas of what voicehook puts on queues, for subscribers in any language, generated from the types.
//!
//! A test fails where a file of `schemas/` is not what the types say; `UPDATE_SCHEMAS=1 cargo test --lib schema` updates the
//! files.

use std::{borrow::Cow, fs, path::Path};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::VoiceEvent;
use crate::queue::Quarantined;

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

fn assert_in_sync<T: JsonSchema>(name: &str) {
    let schema = schemars::schema_for!(T);
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        fs::write(&file, &generated).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == generated,
        "schemas/{name} differs from the types; `UPDATE_SCHEMAS=1 cargo test --lib schema` writes it anew"
    );
}

#[test]
fn the_schema_of_voice_events_is_what_the_types_say() {
    assert_in_sync::<VoiceEvent>("voice-event.schema.json");
}

#[test]
fn the_schema_of_quarantined_webhooks_is_what_the_type_says() {
    assert_in_sync::<Quarantined>("quarantined-webhook.schema.json");
}
