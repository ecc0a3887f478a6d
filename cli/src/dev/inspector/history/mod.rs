//! `voicehook dev --history`: webhooks in a file, so that the inspector shows them again after a restart.
//!
//! The file keeps each webhook as it came, with its ciphertext; [`Reopener`] decrypts it at the next start. It is for its
//! owner alone (mode 0600), holds no token, and is rewritten when it has become too long.

mod entry;
mod reopen;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

pub(crate) use self::{entry::Entry, reopen::Reopener};
use super::journal::MAX_WEBHOOKS;
use crate::console;

/// The version of the format.
const VERSION: u32 = 1;
/// The file is rewritten with what the inspector still keeps when it is twice as long as after the last time, and longer
/// than this.
const LEAST_BYTES: u64 = 64 * 1024 * 1024;

/// The options.
#[derive(Args, Debug)]
pub(crate) struct HistoryArgs {
    /// Keep the last 500 webhooks in this file, encrypted as they came, and show them again after a restart. Webhooks that
    /// came without encryption are readable in it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["once", "no_inspect"])]
    history: Option<PathBuf>,
}

impl HistoryArgs {
    /// Opens the file, if there is to be one. Returns what is in it, too. A recording needs a file of its own.
    pub(crate) fn open(&self, recording: Option<&Path>) -> anyhow::Result<Option<(History, Vec<Entry>)>> {
        let Some(path) = &self.history else { return Ok(None) };
        if recording.is_some_and(|recording| is_same(recording, path)) {
            bail!("--history and --record cannot share a file; name another one for --history");
        }
        History::open(path).with_context(|| format!("--history {}", path.display())).map(Some)
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// The first line of the file.
#[derive(Deserialize, Serialize)]
struct Header {
    voicehook_history: u32,
}

/// Writes a history.
#[derive(Debug)]
pub(crate) struct History {
    path: PathBuf,
    file: File,
    lines: usize,
    bytes: u64,
    /// Both when the file was last rewritten.
    rewritten: (usize, u64),
    /// Whether webhooks that arrive are written.
    is_on: bool,
    /// Whether the last line is cut, because the disk was full.
    is_cut: bool,
    has_failed: bool,
}

impl History {
    fn open(path: &Path) -> anyhow::Result<(Self, Vec<Entry>)> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            bail!("is not a file");
        }
        let mut file = options().read(true).write(true).create(true).truncate(false).open(&path)?;
        lock(&file)?;
        for_owner(&file)?;
        let Read { entries, damaged, is_complete } = read(&mut file)?;
        let lines = entries.len() + damaged;
        let bytes = file.seek(io::SeekFrom::End(0))?;
        let mut history = Self {
            path,
            file,
            lines,
            bytes,
            rewritten: (lines, bytes),
            is_on: false,
            is_cut: false,
            has_failed: false,
        };
        if damaged > 0 {
            let shown = history.path.display();
            let what = if damaged == 1 { "one line is".to_owned() } else { format!("{damaged} lines are") };
            console::note(format_args!("--history {shown}: {what} damaged or incomplete, and left out."));
        }
        if damaged > 0 || !is_complete || bytes == 0 {
            history.replace(entries.iter())?;
        }
        Ok((history, entries))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what arrives from now on.
    pub(super) fn start(&mut self) {
        self.is_on = true;
    }

    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether a webhook could not be written.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Appends a webhook.
    pub(super) fn append(&mut self, entry: &Entry) {
        let written = entry.line().and_then(|mut line| {
            if std::mem::replace(&mut self.is_cut, true) {
                line.insert(0, b'\n');
            }
            self.file.write_all(&line)?;
            self.is_cut = false;
            self.lines += 1;
            self.bytes += line.len() as u64;
            Ok(())
        });
        self.check(written);
    }

    /// Whether it holds much that is no longer needed.
    pub(super) const fn is_too_long(&self) -> bool {
        let (lines, bytes) = self.rewritten;
        self.lines > lines + MAX_WEBHOOKS || (self.bytes > LEAST_BYTES && self.bytes > 2 * bytes)
    }

    /// Replaces all of it.
    pub(super) fn rewrite(&mut self, entries: impl Iterator<Item = Entry>) {
        let replaced = self.replace(entries);
        self.check(replaced);
    }

    /// Writes another file and puts it in place of the old one, which stays as it is if that fails.
    fn replace(&mut self, entries: impl Iterator<Item = impl std::borrow::Borrow<Entry>>) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let other = self.path.with_file_name(format!(".{name}.{}", std::process::id()));
        let written = write(&other, entries).and_then(|written| {
            fs::rename(&other, &self.path)?;
            Ok(written)
        });
        let (file, lines, bytes) = written.inspect_err(|_| {
            let _ = fs::remove_file(&other);
        })?;
        (self.file, self.lines, self.bytes, self.rewritten) = (file, lines, bytes, (lines, bytes));
        self.is_cut = false;
        Ok(())
    }

    /// Says once that the history is incomplete.
    fn check(&mut self, written: io::Result<()>) {
        if let Err(error) = written
            && !std::mem::replace(&mut self.has_failed, true)
        {
            console::error(format_args!("--history: a webhook could not be written: {error}"));
        }
    }
}

/// Writes a new file. Returns it with the number of its lines and bytes.
fn write(
    path: &Path,
    entries: impl Iterator<Item = impl std::borrow::Borrow<Entry>>,
) -> io::Result<(File, usize, u64)> {
    // Of a process with the same id that ended while it wrote.
    let _ = fs::remove_file(path);
    let file = options().write(true).create_new(true).open(path)?;
    let _ = file.try_lock();
    let mut writer = io::BufWriter::new(file);
    writeln!(writer, "{}", serde_json::to_string(&Header { voicehook_history: VERSION })?)?;
    let mut lines = 0;
    for entry in entries {
        writer.write_all(&entry.borrow().line()?)?;
        lines += 1;
    }
    let mut file = writer.into_inner()?;
    let bytes = file.stream_position()?;
    Ok((file, lines, bytes))
}

/// What is in a file.
struct Read {
    /// As many as the inspector keeps, the newest.
    entries: Vec<Entry>,
    /// The lines that are not webhooks.
    damaged: usize,
    /// Whether the last line ends.
    is_complete: bool,
}

fn read(file: &mut File) -> anyhow::Result<Read> {
    let mut read = Read { entries: Vec::new(), damaged: 0, is_complete: true };
    let mut lines = BufReader::new(file);
    let header = serde_json::to_string(&Header { voicehook_history: VERSION })? + "\n";
    let mut first = Vec::new();
    // A file that is something else may be one endless line.
    lines.by_ref().take(header.len() as u64 + 64).read_until(b'\n', &mut first)?;
    match serde_json::from_slice(&first) {
        Ok(Header { voicehook_history: VERSION }) => {}
        Ok(Header { voicehook_history }) => {
            bail!("has version {voicehook_history}, and this voicehook reads version {VERSION} only")
        }
        Err(_) if header.as_bytes().starts_with(&first) => read.is_complete = false,
        Err(_) => bail!("is not a history of `voicehook dev`, and would be overwritten; name another file"),
    }
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice(&line) {
            _ if line.trim_ascii().is_empty() => {}
            Ok(entry) => read.entries.push(entry),
            Err(_) => read.damaged += 1,
        }
        read.is_complete = line.ends_with(b"\n");
        line.clear();
        // Not one by one, because the rest moves.
        if read.entries.len() >= 2 * MAX_WEBHOOKS {
            read.entries.drain(..MAX_WEBHOOKS);
        }
    }
    let too_many = read.entries.len().saturating_sub(MAX_WEBHOOKS);
    read.entries.drain(..too_many);
    Ok(read)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Two processes would overwrite what the other has written. File systems without locks have to do without.
fn lock(file: &File) -> anyhow::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(anyhow!("is in use by another `voicehook dev`; name another file")),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

/// Takes away what others may do with a file that is there already.
#[cfg(unix)]
fn for_owner(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { file.set_permissions(fs::Permissions::from_mode(mode & 0o700)) }
}

#[cfg(not(unix))]
fn for_owner(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use jiff::Timestamp;
    use voicehook_lambda::receiver::Outcome;

    use super::{
        super::{Exchange, Origin},
        *,
    };

    #[test]
    fn a_write_that_fails_half_way_costs_only_its_webhook() {
        let path = std::env::temp_dir().join(format!("voicehook-history-{}.jsonl", std::process::id()));
        let (request, answer) = (Request::new(Vec::new()), Response::new(String::new()));
        let exchange = Exchange::new(Timestamp::UNIX_EPOCH, Origin::Received, request, None, &answer, Outcome::Probe);
        let (mut history, _) = History::open(&path).unwrap();
        history.append(&Entry::new(1, &exchange));
        history.file.write_all(b"{\"id\":2,").unwrap();
        let writable = std::mem::replace(&mut history.file, File::open(&path).unwrap());
        history.append(&Entry::new(2, &exchange));
        assert!(history.has_failed());
        history.file = writable;
        history.append(&Entry::new(3, &exchange));
        drop(history);
        let (_, entries) = History::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [1, 3]);
    }
}
