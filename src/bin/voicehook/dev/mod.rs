//! `voicehook dev`: the receiver on this machine, with a sample call to look at and an inspector to look at it.

mod inspector;
mod local_queue;
mod local_receiver;
mod play;

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    sync::Arc,
};

use axum::{Router, extract::Request};
use clap::Parser;
use tokio::net::TcpListener;
use voicehook::{
    app_id::{AppIds, FixedAppId, trimmed},
    aws::Aws,
    config::{AppIdSetting, Config},
    gateway::Receiver,
    queue::{QueueUrl, Sqs},
    telemetry,
};

use self::{
    inspector::{Inspector, Journal},
    local_queue::LocalQueue,
    local_receiver::LocalReceiver,
    play::Player,
};
use crate::{aws_configuration, console, send::DEV_APP_ID};

/// The value of `--quarantine` without a URL.
const QUARANTINE_IN_MEMORY: &str = "in memory";
/// Stands in for the queue's URL where events stay in memory.
const IN_MEMORY: &str = "http://localhost/in-memory/voicehook.fifo";

/// Starts the local receiver and plays one sample call into it
#[allow(clippy::doc_markdown, reason = "the lines are the text of --help")]
#[derive(Parser)]
#[command(after_help = "Examples:
  voicehook dev
  voicehook dev --once
  voicehook dev --quarantine
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 voicehook dev --queue-url http://127.0.0.1:4566/000000000000/events.fifo

The variables of the function (WEBHOOK_TOKEN, ALLOWED_ALGORITHMS, ALLOW_PLAINTEXT, MAX_EVENT_AGE_SECONDS, ACTIONS, \
PUBLISH_DEADLINE_MS) count here too, but not its queues and its AppID secret.")]
pub(crate) struct Dev {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The AppID that webhooks are encrypted with
    #[arg(long, env = "ENABLEX_APP_ID", hide_env_values = true, default_value = DEV_APP_ID)]
    app_id: String,
    /// Sends the events to this SQS queue instead of keeping them in memory
    #[arg(long)]
    queue_url: Option<String>,
    /// Keeps webhooks that cannot be opened, in memory or in this SQS queue, and answers them with 200, as the function
    /// does with QUARANTINE_QUEUE_URL. Without it they get a 4xx
    #[arg(long, value_name = "QUEUE_URL", num_args = 0..=1, require_equals = true, default_missing_value = QUARANTINE_IN_MEMORY)]
    quarantine: Option<String>,
    /// How the messages carry their events: raw, the default, or cloudevents
    #[arg(long, env = "EVENT_FORMAT", value_name = "FORMAT")]
    event_format: Option<String>,
    /// Ends after the sample call: with status 0, or with 1 if an event is missing
    #[arg(long)]
    once: bool,
    /// Keeps no webhooks to look at: switches the inspector off
    #[arg(long)]
    no_inspect: bool,
}

impl Dev {
    /// Serves until interrupted, or until the sample call is over.
    #[tokio::main]
    pub(crate) async fn run(self) -> Result<ExitCode, String> {
        telemetry::start_for_a_terminal();
        let config = self.config()?;
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
            format!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let path = token.map_or_else(|| "/webhook".to_owned(), |token| format!("/webhook/default/{token}"));
        let player = Player::new(format!("http://{address}{path}"), trimmed(&self.app_id).to_owned());
        let queue_name = self.queue_url.unwrap_or_else(|| "in memory".to_owned());
        console::line(format_args!("voicehook listens on {}", player.url));
        let inspector_url = inspector_url(address).filter(|_| !self.no_inspect);
        if let Some(url) = &inspector_url {
            console::line(format_args!("inspector: {url}"));
        }
        console::line(format_args!("queue: {queue_name}"));
        if let Some(place) = &self.quarantine {
            console::line(format_args!("quarantine: {place}"));
        }
        console::line("\nA sample inbound call:");

        let journal = inspector_url.map(|_| Arc::new(Journal::new()));
        let receiver = Arc::new(LocalReceiver::new(receiver, journal.clone()));
        let inspector = journal.clone().map(|journal| {
            Inspector { journal, receiver: Arc::clone(&receiver), player: player.clone(), queue: queue_name }.router()
        });
        let server = tokio::spawn(serve(listener, receiver, inspector.unwrap_or_default(), async move {
            interrupted().await;
            journal.inspect(|journal| journal.close());
        }));
        let missing = player.inbound_call(&queued).await?;
        if self.once {
            return Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        console::line(format_args!(
            "\nSend one more from another terminal:\n\n  {}\n\nor without voicehook:\n\n  {}\n\nListening; Ctrl-C ends.",
            player.trigger_line(),
            player.curl_line()?,
        ));
        server.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The function's configuration, with the command line in the place of the AppID and the queue.
    fn config(&self) -> Result<Config, String> {
        let config = Config::read(|name| match name {
            "ENABLEX_APP_ID" => Some(self.app_id.clone()),
            "ENABLEX_APP_ID_SECRET" => None,
            "QUEUE_URL" => Some(self.queue_url.clone().unwrap_or_else(|| IN_MEMORY.to_owned())),
            "QUARANTINE_QUEUE_URL" => self.quarantine.clone().filter(|place| place != QUARANTINE_IN_MEMORY),
            "FAILOVER_QUEUE_URL" => None,
            "EVENT_FORMAT" => self.event_format.clone(),
            _ => std::env::var(name).ok(),
        });
        let config = config.map_err(|error| error.to_string())?;
        debug_assert!(matches!(config.app_id, AppIdSetting::Environment(_)));
        Ok(config)
    }
}

async fn sqs(url: Option<QueueUrl>) -> Option<Sqs> {
    let url = url?;
    Some(Sqs::new(&Aws::new(aws_configuration().await), url))
}

/// Where a browser on this machine finds the inspector. There is none where nothing is received on loopback.
fn inspector_url(listening: SocketAddr) -> Option<String> {
    let ip = match listening.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) | IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, listening.port());
    ip.is_loopback().then(|| format!("http://{address}{}", inspector::PATH))
}

/// Serves until `shutdown` is there, then finishes what is in flight.
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
