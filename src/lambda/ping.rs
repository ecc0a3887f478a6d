//! Tells what only keeps the function warm, and schedules, from other events that are not a gateway's.
//!
//! Sources: <https://www.npmjs.com/package/lambda-warmer>, <https://github.com/juanjoDiaz/serverless-plugin-warmup>,
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html>,
//! <https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html>

use serde_json::value::RawValue;

use super::payload::text;

/// Names of fields that libraries for warming functions set to something true.
const FLAGS: [&str; 8] =
    ["warmer", "warmup", "warm-up", "warm_up", "keepwarm", "keep-warm", "keep_warm", "lambda-warmer"];

/// Whether a member of an event that is not a gateway's says that nothing is wanted of the function.
pub(super) fn is_sign_of_ping(name: &[u8], value: &RawValue) -> bool {
    match name {
        b"source" => text(value).is_some_and(|source| is_source_of_pings(&source)),
        b"detail-type" => text(value).is_some_and(|detail_type| detail_type == "Scheduled Event"),
        _ => {
            FLAGS.iter().any(|flag| name.eq_ignore_ascii_case(flag.as_bytes()))
                && !matches!(value.get(), "false" | "null" | "0" | r#""""#)
        }
    }
}

fn is_source_of_pings(source: &str) -> bool {
    matches!(source, "aws.events" | "aws.scheduler")
        || ["warmup", "warm-up", "warmer"].iter().any(|word| source.to_ascii_lowercase().contains(word))
}
