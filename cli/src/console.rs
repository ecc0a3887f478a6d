//! Terminal output of all commands: results to standard output, everything else to standard error.
//!
//! What a stranger sent passes through [`printable`](crate::printable) before it reaches a terminal. A closed pipe, as in `voicehook … | head`,
//! is not an error; any other failure to write, such as a full disk, ends the program with status 1.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    sync::OnceLock,
};

/// Why standard output could not be written, unless its reader has gone.
static WRITE_ERROR: OnceLock<String> = OnceLock::new();

/// Prints one line.
pub(crate) fn line(text: impl Display) {
    note_error(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Why not everything was written to standard output, unless its reader has gone.
pub(crate) fn write_error() -> Option<&'static str> {
    note_error(std::io::stdout().lock().flush());
    WRITE_ERROR.get().map(String::as_str)
}

fn note_error(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        WRITE_ERROR.get_or_init(|| error.to_string());
    }
}

/// Prints one line, coloured on a terminal unless `NO_COLOR` is set.
///
/// # Errors
/// If its reader has gone, or it cannot be written.
pub(crate) fn styled_line(text: impl Display) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    let written = writeln!(output, "{text}").and_then(|()| output.flush());
    if let Err(error) = &written {
        note_error(Err(io::Error::new(error.kind(), error.to_string())));
    }
    written
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
    note_error(std::io::stdout().lock().write_all(text));
}
