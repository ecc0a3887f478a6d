//! What a person at the terminal reads.

use std::{fmt::Display, io::Write as _};

/// Prints one line. A reader that has gone away, as in `voicehook … | head`, is no error.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints an error.
pub(crate) fn error(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "voicehook: {text}");
}

/// How this program is called from where it was started: by cargo, or by its name.
pub(crate) fn program() -> &'static str {
    if std::env::var_os("CARGO").is_some() { "cargo run --" } else { "voicehook" }
}
