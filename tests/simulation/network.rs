//! The ends of the connections that the function holds: bytes over [`tokio::io::duplex`] instead of TCP and TLS.
//!
//! Whatever the function does with a connection is put into its environment's [`Outbox`], from which the world takes it.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Response, Uri};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use lambda_runtime::tower::Service;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::oneshot,
    time::timeout,
};

/// The longest wait for a connection, as the function's own connector has it.
const CONNECT: Duration = Duration::from_secs(1);

/// What an environment does that others notice.
pub enum Output {
    /// It wants a connection to a host.
    Connect { host: String, answer: oneshot::Sender<io::Result<Line>> },
    /// It has written so many bytes.
    Wrote { connection: usize, bytes: usize },
    /// It has dropped a connection.
    Dropped { connection: usize },
    /// It is ready for webhooks.
    Ready,
    /// A webhook has its answer.
    Answered { delivery: usize, response: Response<String> },
}

/// What an environment has done and the world has not seen yet.
#[derive(Clone, Default)]
pub struct Outbox(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    outputs: Vec<Output>,
    waker: Option<Waker>,
}

impl Outbox {
    pub fn put(&self, output: Output) {
        let mut contents = self.0.lock().unwrap();
        contents.outputs.push(output);
        if let Some(waker) = contents.waker.take() {
            waker.wake();
        }
    }

    /// Takes everything; registers for more where there is nothing.
    pub fn poll_take(&self, context: &Context<'_>) -> Poll<Vec<Output>> {
        let mut contents = self.0.lock().unwrap();
        if contents.outputs.is_empty() {
            contents.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut contents.outputs))
    }
}

/// The function's end of a new connection.
pub struct Line {
    pub connection: usize,
    pub io: DuplexStream,
    pub is_reset: Arc<AtomicBool>,
}

/// Makes connections for one environment.
#[derive(Clone)]
pub struct Connector(pub Outbox);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let outbox = self.0.clone();
        Box::pin(async move {
            let (answer, line) = oneshot::channel();
            outbox.put(Output::Connect { host: url.host().unwrap_or_default().to_owned(), answer });
            let line = timeout(CONNECT, line).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
            let line = line.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))??;
            Ok(TokioIo::new(Stream { line, outbox }))
        })
    }
}

/// A connection, as the function reads and writes it.
pub struct Stream {
    line: Line,
    outbox: Outbox,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.line.io).poll_read(context, into);
        match poll {
            Poll::Ready(_) if self.line.is_reset.load(Ordering::Relaxed) => {
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
            poll => poll,
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.line.io).poll_write(context, bytes);
        if let Poll::Ready(Ok(bytes)) = poll {
            self.outbox.put(Output::Wrote { connection: self.line.connection, bytes });
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line.io).poll_shutdown(context)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.outbox.put(Output::Dropped { connection: self.line.connection });
    }
}
