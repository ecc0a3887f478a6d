//! `voicehook dev`: runs the receiver on this machine, sends it a sample call, and serves the inspector.

mod inspector;
mod local_queue;
mod local_receiver;
mod play;
mod record;
mod redact;

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use anyhow::anyhow;
use axum::{Router, extract::Request};
use clap::Parser;
use tokio::net::TcpListener;
use voicehook_lambda::{
    app_id::{AppIdSetting, AppIds, FixedAppId, trimmed},
    aws::Aws,
    config::Config,
    queue::{QueueUrl, Sqs},
    receiver::Receiver,
    telemetry,
};

use self::{
    inspector::{AccessToken, Inspector, Journal},
    local_queue::LocalQueue,
    local_receiver::LocalReceiver,
    play::Player,
    record::RecordArgs,
};
use crate::{aws, console, send::DEV_APP_ID};

/// The value of `--quarantine` without a URL.
const QUARANTINE_IN_MEMORY: &str = "in memory";
/// Placeholder for the queue URL when events stay in memory.
const IN_MEMORY: &str = "http://localhost/in-memory/voicehook.fifo";

/// Start a local receiver and send it a sample call
#[allow(clippy::doc_markdown, reason = "the lines are the text of --help")]
#[derive(Parser)]
#[command(after_help = "Examples:
  voicehook dev
  voicehook dev --once
  voicehook dev --quarantine
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 voicehook dev --queue-url http://127.0.0.1:4566/000000000000/events.fifo

The function's variables WEBHOOK_TOKEN, ALLOWED_ALGORITHMS, ALLOW_PLAINTEXT, MAX_EVENT_AGE_SECONDS, ACTIONS and \
PUBLISH_DEADLINE_MS apply here too. Those for its queues and its AppID secret do not.")]
pub(crate) struct Dev {
    /// Address to listen on; port 0 picks a free port
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The AppID to decrypt webhooks with
    #[arg(long, env = "ENABLEX_APP_ID", hide_env_values = true, default_value = DEV_APP_ID)]
    app_id: String,
    /// Send the events to this SQS queue instead of keeping them in memory
    #[arg(long)]
    queue_url: Option<String>,
    /// Keep webhooks that cannot be decrypted, in memory or in this SQS queue, and answer them with 200, as the function
    /// does with QUARANTINE_QUEUE_URL. Without it, the answer is a 4xx
    #[arg(long, value_name = "QUEUE_URL", num_args = 0..=1, require_equals = true, default_missing_value = QUARANTINE_IN_MEMORY)]
    quarantine: Option<String>,
    /// Format of the messages: raw (the default) or cloudevents
    #[arg(long, env = "EVENT_FORMAT", value_name = "FORMAT")]
    event_format: Option<String>,
    /// Exit after the sample call, with status 0, or 1 if an event is missing
    #[arg(long)]
    once: bool,
    /// Disable the inspector, and keep no webhooks
    #[arg(long)]
    no_inspect: bool,
    /// The token in the inspector's URL, for scripts and for a page that stays open across restarts. Random by default
    #[arg(long, env = "VOICEHOOK_INSPECT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    inspect_token: Option<String>,
    #[command(flatten)]
    record: RecordArgs,
}

impl Dev {
    /// Serves until interrupted or, with `--once`, until the sample call is over.
    #[tokio::main]
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::start_for_a_terminal();
        let config = self.config()?;
        let recorder = self.record.open()?.map(Arc::new);
        let queue_url = self.queue_url.as_ref().map(|_| config.queue_url.clone());
        let queue = LocalQueue::for_events(sqs(queue_url).await);
        let queued = queue.count();
        let quarantine = match &self.quarantine {
            Some(_) => Some(LocalQueue::for_quarantine(sqs(config.quarantine_queue_url.clone()).await)),
            None => None,
        };
        let token = std::env::var("WEBHOOK_TOKEN").ok().filter(|_| config.settings.token.is_some());
        let app_ids = AppIds::new(FixedAppId::new(&self.app_id), config.app_id_ttl);
        let receiver = Receiver::new(config.settings, app_ids, queue).with_quarantine(quarantine);

        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            anyhow!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        let address = listener.local_addr()?;
        let path = token.map_or_else(|| "/webhook".to_owned(), |token| format!("/webhook/default/{token}"));
        let player = Player::new(format!("http://{address}{path}"), trimmed(&self.app_id).to_owned());
        let queue_name = self.queue_url.as_deref().unwrap_or("in memory").to_owned();
        console::line(format_args!("voicehook listens on {}", player.url));
        let access = self.inspector_access(address)?;
        console::line(format_args!("queue: {queue_name}"));
        if let Some(place) = &self.quarantine {
            console::line(format_args!("quarantine: {place}"));
        }
        console::line("\nA sample inbound call:");

        let journal = access.is_some().then(|| Arc::new(Journal::new()));
        let receiver = LocalReceiver::new(receiver, journal.clone()).recording(recorder.clone());
        let receiver = Arc::new(receiver);
        let inspector = journal.clone().zip(access).map(|(journal, token)| {
            let (receiver, player) = (Arc::clone(&receiver), player.clone());
            Inspector { journal, receiver, player, queue: queue_name, token }.router()
        });
        let server = tokio::spawn(serve(listener, receiver, inspector.unwrap_or_default(), async move {
            interrupted().await;
            journal.inspect(|journal| journal.close());
        }));
        let missing = player.inbound_call(&queued).await?;
        if self.once {
            return Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        recorder.iter().for_each(|recorder| recorder.start());
        console::line(format_args!(
            "\nSend another one from a second terminal:\n\n  {}\n\nor without voicehook:\n\n  {}\n\nListening; Ctrl-C ends.",
            player.trigger_line(),
            player.curl_line()?,
        ));
        server.await??;
        let has_failed = recorder.is_some_and(|recorder| recorder.has_failed());
        Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Prints the inspector's URL, and returns the token in it. `None` if there is to be no inspector.
    fn inspector_access(&self, listening: SocketAddr) -> anyhow::Result<Option<AccessToken>> {
        let Some(origin) = browsable(listening).filter(|_| !self.no_inspect) else { return Ok(None) };
        let given = self.inspect_token.as_deref().filter(|token| !token.is_empty());
        let token = AccessToken::new(given, listening.port())?;
        console::line(format_args!("inspector: {origin}{}", token.path()));
        Ok(Some(token))
    }

    /// Reads the function's configuration, with the AppID and the queues from the command line.
    fn config(&self) -> anyhow::Result<Config> {
        let config = Config::read(|name| match name {
            "ENABLEX_APP_ID" => Some(self.app_id.clone()),
            "ENABLEX_APP_ID_SECRET" => None,
            "QUEUE_URL" => Some(self.queue_url.clone().unwrap_or_else(|| IN_MEMORY.to_owned())),
            "QUARANTINE_QUEUE_URL" => self.quarantine.clone().filter(|place| place != QUARANTINE_IN_MEMORY),
            "FAILOVER_QUEUE_URL" => None,
            "EVENT_FORMAT" => self.event_format.clone(),
            _ => std::env::var(name).ok(),
        });
        let config = config?;
        debug_assert!(matches!(config.app_id, AppIdSetting::Environment(_)));
        Ok(config)
    }
}

async fn sqs(url: Option<QueueUrl>) -> Option<Sqs> {
    let url = url?;
    Some(Sqs::new(&Aws::new(aws::configuration().await), url))
}

/// The origin of the receiver's URLs for a browser on this machine. `None` if it does not listen on loopback.
fn browsable(listening: SocketAddr) -> Option<String> {
    let ip = match listening.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, listening.port());
    ip.is_loopback().then(|| format!("http://{address}"))
}

/// Serves until `shutdown` completes, then finishes the requests in flight.
async fn serve(
    listener: TcpListener,
    receiver: Arc<LocalReceiver>,
    inspector: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let receive = move |request: Request| {
        let receiver = Arc::clone(&receiver);
        async move { receiver.respond(request).await }
    };
    let service = inspector.fallback(receive).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(shutdown).await
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
