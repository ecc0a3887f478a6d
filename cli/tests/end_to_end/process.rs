//! Child processes that do not outlive their test.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Longest wait for what a process is to do.
const START: Duration = Duration::from_secs(60);

/// Between two looks at whether it does.
const POLL: Duration = Duration::from_millis(20);

/// A process and all that it started, ended with it. What it prints goes to a file.
pub(crate) struct Process {
    child: Child,
    output: File,
}

impl Process {
    /// Starts a process and waits until it listens on a port.
    pub(crate) fn start(command: Command, port: u16) -> Self {
        let mut process = Self::spawn(command);
        process.wait_until("it listens", |_| TcpStream::connect(("127.0.0.1", port)).is_ok());
        process
    }

    /// Starts a process.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let output = tempfile();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output.try_clone().unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, output }
    }

    /// Waits until something is true of what the process printed. It fails the test where the process ends before, or
    /// takes too long.
    pub(crate) fn wait_until(&mut self, what: &str, reached: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !reached(&self.printed()) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < START, "not reached: {what}: {}", self.printed());
            std::thread::park_timeout(POLL);
        }
    }

    /// Id of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it printed so far.
    pub(crate) fn printed(&mut self) -> String {
        let mut text = Vec::new();
        self.output.seek(SeekFrom::Start(0)).unwrap();
        self.output.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(self.child.id());
        let _ = self.child.wait();
    }
}

/// Kills a process and everything that it started, which may be in other process groups.
pub(crate) fn kill(process: u32) {
    let children = children(process);
    // The shell's own: not every machine has a program of that name.
    let _ = Command::new("sh").args(["-c", &format!("kill -KILL {process}")]).status();
    children.into_iter().for_each(kill);
}

/// The processes that a process started.
pub(crate) fn children(process: u32) -> Vec<u32> {
    let ids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent(*id) == Some(process)).collect()
}

/// The parent's id stands in the second field behind the name, which is in parentheses and may hold anything.
fn parent(process: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    status.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A file without a name.
fn tempfile() -> File {
    let path = format!("{}/output-{}-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id(), free_port());
    let file = File::options().read(true).append(true).create_new(true).open(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Runs a command to its end and returns what it printed on standard output; a failure fails the test.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (printed, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed with {}:\n{printed}\n{errors}", output.status);
    printed.into_owned()
}
