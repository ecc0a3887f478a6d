//! What a person at the terminal reads.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

/// Prints one line. A reader that has gone away, as in `voicehook … | head`, is no error.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints one line with colours: on a terminal, and unless `NO_COLOR` is set.
///
/// # Errors
/// The reader has gone away.
pub(crate) fn styled_line(text: impl Display) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    writeln!(output, "{text}")?;
    output.flush()
}

/// Prints a line that is no result: on standard error, so that a pipe does not get it.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints an error.
pub(crate) fn error(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "voicehook: {text}");
}

/// How this program is called from where it was started: by cargo, or by its name.
pub(crate) fn program() -> &'static str {
    if std::env::var_os("CARGO").is_some() { "cargo run --" } else { "voicehook" }
}

/// Shows how far a long command is, on a terminal and in one place; nothing where standard error goes elsewhere.
pub(crate) fn progress(text: impl Display) {
    let mut terminal = std::io::stderr().lock();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r{text}\x1b[K");
    }
}

/// Prints what became of how many.
pub(crate) fn table(what: &str, counts: &BTreeMap<impl Display, usize>) {
    progress("");
    for (result, count) in counts {
        line(format_args!("{count:>8}  {result}"));
    }
    line(format_args!("{:>8}  {what} in all", counts.values().sum::<usize>()));
}

/// Prints a text that was made elsewhere, as it is.
pub(crate) fn bytes(text: &[u8]) {
    let _ = std::io::stdout().lock().write_all(text);
}
