//! `voicehook dev`: runs the receiver on this machine, sends it a sample call, and serves the inspector.

mod forward;
mod inspector;
mod local_queue;
mod local_receiver;
mod play;
mod record;

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::anyhow;
use axum::{Router, extract::Request};
use clap::Parser;
use tokio::{net::TcpListener, time::timeout};
use voicehook_lambda::{
    app_id::{AppIdSetting, AppIds, FixedAppId, trimmed},
    aws::Aws,
    config::Config,
    queue::{Queue as _, QueueUrl, Sqs},
    receiver::Receiver,
    telemetry,
};

use self::{
    forward::ForwardArgs,
    inspector::{Entry, History, HistoryArgs, Inspector, Journal, Masks, Reopener},
    local_queue::LocalQueue,
    local_receiver::LocalReceiver,
    play::Player,
    record::RecordArgs,
};
use crate::{
    aws, console,
    page::{self, AccessToken},
    queue::QueueReader,
    send::DEV_APP_ID,
    setting,
};

/// The value of `--quarantine` without a URL.
const QUARANTINE_IN_MEMORY: &str = "in memory";
/// Placeholder for the queue URL when events stay in memory.
const IN_MEMORY: &str = "http://localhost/in-memory/voicehook.fifo";
/// How long SQS may take to say at the start whether a queue exists.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// For the last bytes of the answers once all webhooks are handled. Requests that are still incomplete do not hold up the end.
const LAST_BYTES: Duration = Duration::from_millis(250);

/// Start a local receiver and send it a sample call
#[allow(clippy::doc_markdown, reason = "the lines are the text of --help")]
#[derive(Parser)]
#[command(after_help = "Examples:
  voicehook dev
  voicehook dev --once
  voicehook dev --quarantine
  voicehook dev --forward-to 3001
  voicehook dev --forward-to localhost:3001/events --forward-fail 1/3 --forward-fail-as timeout
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 voicehook dev --queue-url $QUEUE_URL

The function's variables WEBHOOK_TOKEN, ALLOWED_ALGORITHMS, ALLOW_PLAINTEXT, MAX_EVENT_AGE_SECONDS, ACTIONS and \
PUBLISH_DEADLINE_MS apply here too. QUEUE_URL, FAILOVER_QUEUE_URL and ENABLEX_APP_ID_SECRET do not, so that nothing is \
sent to a real queue by mistake.")]
pub(crate) struct Dev {
    /// Address to listen on, or only a port of this machine; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3000", value_parser = page::address)]
    listen: SocketAddr,
    /// The AppID to decrypt webhooks with [env: ENABLEX_APP_ID] [default: voicehook-dev]
    #[arg(long)]
    app_id: Option<String>,
    /// Send the events to this SQS queue instead of keeping them in memory
    #[arg(long)]
    queue_url: Option<String>,
    /// Keep webhooks that cannot be decrypted, in memory or in this SQS queue, and answer them with 200. Without it, the
    /// answer is a 4xx
    #[arg(long, env = "QUARANTINE_QUEUE_URL", value_name = "QUEUE_URL", num_args = 0..=1, require_equals = true,
        default_missing_value = QUARANTINE_IN_MEMORY)]
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
    #[command(flatten)]
    forward: ForwardArgs,
    #[command(flatten)]
    history: HistoryArgs,
}

impl Dev {
    /// Serves until interrupted or, with `--once`, until the sample call is over.
    #[tokio::main]
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::start_for_a_terminal();
        let config = self.config()?;
        let recorder = self.record.open()?.map(Arc::new);
        let (queue, quarantine) = self.queues(&config).await?;
        let queued = queue.count();
        let history = self.history.open(self.record.path())?;
        let token = setting::read("WEBHOOK_TOKEN").filter(|_| config.settings.token.is_some());
        let app_ids = AppIds::new(FixedAppId::new(&self.app_id()), config.app_id_ttl);
        let reopener = Reopener::new(&config, queue.kind(), &self.app_id(), token.as_deref());
        let receiver = Receiver::new(config.settings, app_ids, queue).with_quarantine(quarantine);

        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            anyhow!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        let address = listener.local_addr()?;
        let path = token.as_ref().map_or_else(|| "/webhook".to_owned(), |token| format!("/webhook/default/{token}"));
        let player = Player::new(format!("http://{address}{path}"), self.app_id());
        let forwarder = self.forward.forwarder(address, self.once)?;
        let in_history = history.as_ref().map(|(history, entries)| (history.path(), entries.len()));
        let access = self.introduce(&player, address, in_history)?;

        let journal = journal(access.as_ref(), token.as_deref(), history, &reopener).await?.map(Arc::new);
        let receiver =
            LocalReceiver::new(receiver, journal.clone()).recording(recorder.clone()).forwarding(forwarder.clone());
        let receiver = Arc::new(receiver);
        let inspector = journal.clone().zip(access).map(|(journal, token)| {
            let (receiver, player) = (Arc::clone(&receiver), player.clone());
            Inspector { journal, receiver, player, queue: self.queue_name().to_owned(), token }.router()
        });
        let closing = journal.clone();
        let mut server =
            tokio::spawn(serve(listener, Arc::clone(&receiver), inspector.unwrap_or_default(), async move {
                interrupted().await;
                closing.inspect(|journal| journal.close());
            }));
        let ended = async {
            interrupted().await;
            receiver.drained().await;
        };
        let played = async {
            let missing = player.inbound_call(&queued).await?;
            if self.once {
                return anyhow::Ok(missing + forward::settled(forwarder.as_deref()).await);
            }
            recorder.iter().for_each(|recorder| recorder.start());
            journal.iter().for_each(|journal| journal.start_history());
            invite(&player)?;
            std::future::pending().await
        };
        tokio::select! {
            missing = played => return Ok(if missing? == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
            served = &mut server => served??,
            () = ended => if let Ok(served) = timeout(LAST_BYTES, server).await { served?? },
        }
        let not_taken = forward::not_taken(forwarder.as_deref());
        let has_failed = self.once
            || not_taken > 0
            || recorder.is_some_and(|recorder| recorder.has_failed())
            || journal.is_some_and(|journal| journal.history_has_failed());
        Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// The queues for events and for what cannot be decrypted. SQS is asked whether it has them.
    async fn queues(&self, config: &Config) -> anyhow::Result<(LocalQueue, Option<LocalQueue>)> {
        let events = self.queue_url.as_ref().map(|_| &config.queue_url);
        let quarantine = config.quarantine_queue_url.as_ref();
        let aws = match events.or(quarantine) {
            Some(_) => {
                let region = [events, quarantine].into_iter().flatten().find_map(QueueUrl::region);
                Some(aws::connect(region).await?)
            }
            None => None,
        };
        let events = sqs(aws.as_ref(), "--queue-url", events).await?;
        let quarantine = sqs(aws.as_ref(), "--quarantine", quarantine).await?;
        let quarantine = self.quarantine().map(|_| LocalQueue::for_quarantine(quarantine));
        Ok((LocalQueue::for_events(events), quarantine))
    }

    /// Prints where everything is. Returns the token of the inspector, if there is to be one.
    fn introduce(
        &self,
        player: &Player,
        address: SocketAddr,
        history: Option<(&Path, usize)>,
    ) -> anyhow::Result<Option<AccessToken>> {
        console::line(format_args!("voicehook listens on {}", player.url));
        let access = self.inspector_access(address)?;
        console::line(format_args!("queue: {}", self.queue_name()));
        if let Some(place) = self.quarantine() {
            console::line(format_args!("quarantine: {place}"));
        }
        self.forward.introduce();
        if let Some((path, webhooks)) = history {
            console::line(format_args!("history: {}, {webhooks} webhooks", path.display()));
        }
        console::line("\nA sample inbound call:");
        Ok(access)
    }

    fn app_id(&self) -> String {
        let given = self.app_id.clone().or_else(|| setting::read("ENABLEX_APP_ID"));
        given.map_or_else(|| DEV_APP_ID.to_owned(), |app_id| trimmed(&app_id).to_owned())
    }

    fn queue_name(&self) -> &str {
        self.queue_url.as_deref().unwrap_or("in memory")
    }

    fn quarantine(&self) -> Option<&str> {
        self.quarantine.as_deref().and_then(setting::given)
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
            "ENABLEX_APP_ID" => Some(self.app_id()),
            "ENABLEX_APP_ID_SECRET" => None,
            "QUEUE_URL" => Some(self.queue_url.clone().unwrap_or_else(|| IN_MEMORY.to_owned())),
            "QUARANTINE_QUEUE_URL" => {
                self.quarantine().filter(|place| *place != QUARANTINE_IN_MEMORY).map(str::to_owned)
            }
            "FAILOVER_QUEUE_URL" => None,
            "EVENT_FORMAT" => self.event_format.clone(),
            _ => std::env::var(name).ok(),
        });
        let config = config?;
        debug_assert!(matches!(config.app_id, AppIdSetting::Environment(_)));
        Ok(config)
    }
}

/// A real or emulated queue, after a look whether it is there.
async fn sqs(aws: Option<&Aws>, option: &str, url: Option<&QueueUrl>) -> anyhow::Result<Option<Sqs>> {
    let Some((aws, url)) = aws.zip(url) else { return Ok(None) };
    match timeout(FIRST_LOOK, QueueReader::new(aws, url.clone(), 0).about()).await {
        Ok(about) => about.map_err(|failure| anyhow!("{option}: {failure}"))?,
        Err(_) => return Err(anyhow!("{option}: SQS did not answer within {} s", FIRST_LOOK.as_secs())),
    };
    Ok(Some(Sqs::new(aws, url.clone())))
}

/// What the inspector shows, with the webhooks of earlier runs. `None` if there is no inspector.
async fn journal(
    access: Option<&AccessToken>,
    token: Option<&str>,
    history: Option<(History, Vec<Entry>)>,
    reopener: &Reopener,
) -> anyhow::Result<Option<Journal>> {
    let journal = access.map(|access| Journal::new().masking(Masks::new(token.into_iter().chain([access.secret()]))));
    let Some((history, entries)) = history else { return Ok(journal) };
    let without = || anyhow!("--history needs the inspector, which is only for this machine: --listen 127.0.0.1:3000");
    let earlier = reopener.reopen(entries).await;
    Ok(Some(journal.ok_or_else(without)?.remembering(history, earlier)))
}

/// Says how to send another webhook.
fn invite(player: &Player) -> anyhow::Result<()> {
    console::line(format_args!(
        "\nSend another one from a second terminal:\n\n  {}\n\nor without voicehook:\n\n  {}\n\nListening; Ctrl-C ends.",
        player.trigger_line(),
        player.curl_line()?,
    ));
    Ok(())
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
