//! The function's standard output, which never makes a webhook wait.
//!
//! A pipe whose reader stands still fills up, and then an ordinary write blocks the thread, and with it every webhook.
//! So lines are written without blocking. What cannot be written at once is kept, in its order, and written by a thread
//! as soon as there is room; beyond [`MAX_BACKLOG`] lines are dropped, and the number of dropped ones is logged.

use std::{
    io::{self, Write},
    mem,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

/// How much is kept while the reader stands still, in bytes.
const MAX_BACKLOG: usize = 512 * 1024;

/// A log's output. Each line is written whole, or dropped whole.
pub(super) struct Output<W: 'static> {
    state: Mutex<State<W>>,
    /// Starts a thread that calls [`Output::write_backlog`] when there is room. Called once for each backlog.
    when_writable: fn(&'static Self),
}

struct State<W> {
    writer: W,
    backlog: Vec<u8>,
    dropped: u64,
}

impl<W: Write + 'static> Output<W> {
    pub(super) const fn new(writer: W, when_writable: fn(&'static Self)) -> Self {
        Self { state: Mutex::new(State { writer, backlog: Vec::new(), dropped: 0 }), when_writable }
    }

    /// Writes a line, with its line break, now or later.
    pub(super) fn write(&'static self, line: &[u8]) {
        let mut state = self.state();
        let was_blocked = !state.backlog.is_empty();
        state.write(line);
        let is_blocked = !state.backlog.is_empty();
        drop(state);
        if is_blocked && !was_blocked {
            (self.when_writable)(self);
        }
    }

    /// Writes what was kept, as far as there is room. Returns whether all of it is written.
    pub(super) fn write_backlog(&self) -> bool {
        let mut state = self.state();
        state.write_backlog();
        state.backlog.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write> State<W> {
    fn write(&mut self, line: &[u8]) {
        self.write_backlog();
        if self.backlog.is_empty() {
            let written = written(&mut self.writer, line);
            self.backlog.extend_from_slice(&line[written..]);
        } else if self.backlog.len() + line.len() <= MAX_BACKLOG {
            self.backlog.extend_from_slice(line);
        } else {
            self.dropped += 1;
        }
    }

    fn write_backlog(&mut self) {
        let written = written(&mut self.writer, &self.backlog);
        self.backlog.drain(..written);
        if self.backlog.is_empty() && self.dropped > 0 {
            let line = super::line::dropped(mem::take(&mut self.dropped));
            let written = self::written(&mut self.writer, &line);
            self.backlog.extend_from_slice(&line[written..]);
        }
    }
}

/// Writes as much as there is room for. A log that cannot be written to at all takes everything: it must not cost a
/// webhook.
fn written(writer: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < bytes.len() {
        match writer.write(&bytes[written..]) {
            Ok(more) if more > 0 => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return written,
            Ok(_) | Err(_) => return bytes.len(),
        }
    }
    written
}

/// The process's standard output.
pub(super) fn standard_output() -> &'static Output<platform::Stdout> {
    static OUTPUT: OnceLock<Output<platform::Stdout>> = OnceLock::new();
    OUTPUT.get_or_init(|| Output::new(platform::Stdout::open(), platform::write_when_writable))
}

/// Standard output as a log library wants it, which writes a line at a time.
pub(super) struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        standard_output().write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
mod platform {
    use std::{
        fs::File,
        io::{self, Write},
        thread,
    };

    use rustix::{
        event::{PollFd, PollFlags, poll},
        fs::{FileType, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, open},
        io::dup,
    };

    use super::Output;

    /// Standard output, such that writing to it does not block; `None` where the process has none.
    pub(in crate::telemetry) struct Stdout(Option<File>);

    impl Stdout {
        pub(super) fn open() -> Self {
            Self(unblocked().ok())
        }
    }

    impl Write for Stdout {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.as_mut().map_or(Ok(bytes.len()), |file| file.write(bytes))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Only pipes and sockets have a reader that can stand still. A pipe is opened anew where that is allowed, because the
    /// flag would also change it for every process that shares it.
    fn unblocked() -> io::Result<File> {
        let stdout = io::stdout();
        if !matches!(FileType::from_raw_mode(fstat(&stdout)?.st_mode), FileType::Fifo | FileType::Socket) {
            return Ok(dup(&stdout)?.into());
        }
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if let Ok(opened) = open("/proc/self/fd/1", flags, Mode::empty()) {
            return Ok(opened.into());
        }
        let same = dup(&stdout)?;
        fcntl_setfl(&same, fcntl_getfl(&same)? | OFlags::NONBLOCK)?;
        Ok(same.into())
    }

    pub(super) fn write_when_writable(output: &'static Output<Stdout>) {
        let write = move || {
            while !output.write_backlog() {
                let file = output.state().writer.0.as_ref().map(File::try_clone);
                let Some(Ok(file)) = file else { return };
                // Whatever it says, the next write tells more.
                let _ = poll(&mut [PollFd::new(&file, PollFlags::OUT)], None);
            }
        };
        // Without a thread, the next line writes what is left.
        let _ = thread::Builder::new().name("log".to_owned()).spawn(write);
    }
}

/// Elsewhere writes may block: the standard library has no other, and the function runs on Linux only.
#[cfg(not(unix))]
mod platform {
    pub(in crate::telemetry) use std::io::Stdout as Inner;
    use std::io::{self, Write};

    use super::Output;

    pub(in crate::telemetry) struct Stdout(Inner);

    impl Stdout {
        pub(super) fn open() -> Self {
            Self(io::stdout())
        }
    }

    impl Write for Stdout {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    pub(super) fn write_when_writable(_: &'static Output<Stdout>) {}
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;

    /// A pipe with room for so many bytes.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<(usize, VecDeque<u8>)>>);

    impl Pipe {
        fn make_room(&self, bytes: usize) {
            self.0.lock().unwrap().0 += bytes;
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().1.iter().copied().collect()).unwrap()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut pipe = self.0.lock().unwrap();
            let taken = bytes.len().min(pipe.0);
            pipe.0 -= taken;
            pipe.1.extend(&bytes[..taken]);
            if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// How often a thread was asked for, by all outputs of this test.
    static THREADS: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn lines_that_find_no_room_come_later_whole_and_in_order_and_those_above_the_limit_are_counted() {
        let pipe = Pipe::default();
        let output: &'static Output<Pipe> = Box::leak(Box::new(Output::new(pipe.clone(), |_| {
            THREADS.fetch_add(1, Ordering::SeqCst);
        })));
        pipe.make_room(10);
        let line = format!("{}\n", "x".repeat(1023));
        let lines = MAX_BACKLOG / line.len() + 10;
        for _ in 0..lines {
            output.write(line.as_bytes());
        }
        assert!(!output.write_backlog());
        assert_eq!(THREADS.load(Ordering::SeqCst), 1);
        pipe.make_room(usize::MAX / 2);
        assert!(output.write_backlog());
        output.write(b"after\n");
        let text = pipe.text();
        let (whole, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|text| *text == line.trim_end());
        assert_eq!((whole.len(), rest.len()), (MAX_BACKLOG / line.len(), 2));
        let dropped: serde_json::Value = serde_json::from_str(rest[0]).unwrap();
        assert_eq!(dropped["dropped"], lines - whole.len());
        assert_eq!(rest[1], "after");
    }

    #[test]
    fn an_output_that_is_closed_costs_nothing() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let output: &'static Output<Closed> = Box::leak(Box::new(Output::new(Closed, |_| unreachable!())));
        output.write(b"line\n");
        assert!(output.write_backlog());
    }
}
