//! What an application answered, as an entry of `ACTIONS`: the variable with which voicehook itself would answer so.

use serde_json::{Value, value::RawValue};
use voicehook_lambda::receiver::Actions;

use crate::{
    forward::Reply,
    json_text::{Fields, compact},
};

/// voicehook adds it to each action, so an entry has none.
const VOICE_ID: &str = "voice_id";

/// The value of `ACTIONS` that answers events of a type as the application did, or why there is none. `None` if the
/// application answered nothing, or what voicehook answers anyway.
pub(super) fn entry(reply: &Reply, event_type: &str) -> Option<Result<String, String>> {
    if !reply.is_taken() || reply.body.trim_ascii().is_empty() {
        return None;
    }
    let object = std::str::from_utf8(&reply.body).ok().and_then(|text| serde_json::from_str::<Fields>(text).ok());
    let Some(Fields(fields)) = object.filter(|_| reply.is_whole) else {
        return Some(Err("ACTIONS cannot give this answer, because it is not a JSON object.".to_owned()));
    };
    let fields: Vec<_> = fields.into_iter().filter(|(name, _)| name != VOICE_ID).collect();
    if fields.is_empty() {
        return None;
    }
    let member =
        |(name, value): &(String, Box<RawValue>)| format!("{}:{}", Value::from(name.as_str()), compact(value.get()));
    let members = fields.iter().map(member).collect::<Vec<_>>().join(",");
    let actions = format!("{{{}:{{{members}}}}}", Value::from(event_type));
    let checked = Actions::parse(&actions).map_err(|error| format!("ACTIONS cannot give this answer: it {error}."));
    Some(checked.map(|_| actions))
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, StatusCode};

    use super::*;

    fn entry_of(status: StatusCode, body: &str) -> Option<Result<String, String>> {
        let reply = Reply { status, headers: HeaderMap::new(), body: body.into(), is_whole: true };
        entry(&reply, "call.connected")
    }

    #[test]
    fn a_json_object_is_an_entry_without_white_space_and_without_the_calls_id() {
        let body = "{\n  \"play\": {\"text\": \"a \\\" b\", \"n\": 1.50},\n  \"voice_id\": \"5f2d\"\n}\n";
        let expected = r#"{"call.connected":{"play":{"text":"a \" b","n":1.50}}}"#;
        assert_eq!(entry_of(StatusCode::OK, body), Some(Ok(expected.to_owned())));
    }

    #[test]
    fn what_actions_cannot_hold_is_named() {
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(2048));
        for (body, why) in
            [("[1]", "not a JSON object"), ("OK", "not a JSON object"), (large.as_str(), "the limit is 2048")]
        {
            let error = entry_of(StatusCode::OK, body).unwrap().unwrap_err();
            assert!(error.starts_with("ACTIONS cannot give this answer") && error.contains(why), "{error}");
        }
    }

    #[test]
    fn no_answer_an_empty_one_and_an_error_need_no_entry() {
        for (status, body) in [(200, ""), (200, " \n"), (200, "{}"), (200, r#"{"voice_id":"1"}"#), (500, r#"{"a":1}"#)]
        {
            assert_eq!(entry_of(StatusCode::from_u16(status).unwrap(), body), None, "{status} {body}");
        }
    }
}
