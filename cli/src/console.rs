//! Terminal output of all commands: results to standard output, everything else to standard error.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
};

/// Prints one line. A closed pipe, as in `voicehook … | head`, is not an error.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints one line, coloured on a terminal unless `NO_COLOR` is set.
///
/// # Errors
/// If the pipe is closed.
pub(crate) fn styled_line(text: impl Display) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    writeln!(output, "{text}")?;
    output.flush()
}

/// Prints a line that is not part of the result, on standard error.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints an error.
pub(crate) fn error(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "voicehook: {text}");
}

/// How the user started this program: through cargo, or by its name.
pub(crate) fn program() -> &'static str {
    if std::env::var_os("CARGO").is_some() { "cargo run --" } else { "voicehook" }
}

/// Shows progress in place, if standard error is a terminal.
pub(crate) fn progress(text: impl Display) {
    let mut terminal = std::io::stderr().lock();
    if terminal.is_terminal() {
        let _ = write!(terminal, "\r{text}\x1b[K");
    }
}

/// Prints a count for each result, and the total.
pub(crate) fn table(what: &str, counts: &BTreeMap<impl Display, usize>) {
    progress("");
    for (result, count) in counts {
        line(format_args!("{count:>8}  {result}"));
    }
    line(format_args!("{:>8}  {what} in all", counts.values().sum::<usize>()));
}

/// Prints bytes unchanged.
pub(crate) fn bytes(text: &[u8]) {
    let _ = std::io::stdout().lock().write_all(text);
}
