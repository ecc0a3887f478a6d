//! Variables and options as the function reads its variables: white space around a value does not count, and an empty value
//! is none.

use voicehook_lambda::app_id::trimmed;

/// The value, if it is one.
pub(crate) fn given(value: &str) -> Option<&str> {
    Some(trimmed(value)).filter(|value| !value.is_empty())
}

/// A variable of this process.
pub(crate) fn read(name: &str) -> Option<String> {
    given(&std::env::var(name).ok()?).map(str::to_owned)
}
