//! `voicehook inspect`: shows what a deployment could not handle, the webhooks in its quarantine and its dead letters,
//! explains each, and redrives those that a person selects, in a page or with a script.
//!
//! It receives messages only when asked, because SQS hides what is received, counts it towards `maxReceiveCount`, and
//! delivers nothing else of its message group meanwhile. What is looked at is given back at once. Nothing is moved
//! without `--allow-redrive`, and a message is deleted only after SQS has accepted it elsewhere. Plaintext and phone
//! numbers are in the page and in its API alone, never on standard output or in a log.

mod dead_letters;
mod deployment;
mod look;
mod page;
mod plan;
mod production;
mod quarantined;
mod redrive;
mod server;

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use anyhow::anyhow;
use clap::Args;
use serde_json::json;
use tokio::net::TcpListener;
use voicehook_lambda::telemetry;

use self::{
    deployment::Deployment,
    production::{Kind, Production},
};
use crate::{
    console,
    page::{self as shared, AccessToken},
};

/// How long requests may take to end after Ctrl-C. What they have begun with the queues is finished in any case.
const REQUESTS_END: Duration = Duration::from_secs(1);

/// Show, explain and redrive what a deployment could not handle
#[allow(clippy::doc_markdown, reason = "the lines are the text of --help")]
#[derive(Args)]
#[command(
    long_about = "Show what is in quarantine and among the dead letters of a deployment, explain each message, and \
redrive what you select.

It prints the URL of a page, which is served on this machine alone. Nothing is received before you ask for it there: \
receiving hides messages from other readers, counts towards the queue's maxReceiveCount, and blocks the message groups of a \
FIFO queue. What was looked at is visible again at once.

With --stack, the queues, the AppIDs and the settings are those of the stack's function. Otherwise the queues come from \
the options, and the AppIDs from ENABLEX_APP_ID or ENABLEX_APP_ID_SECRET; without one, webhooks are listed but not \
decrypted. The variables QUEUE_URL, QUARANTINE_QUEUE_URL, ALLOWED_ALGORITHMS, ALLOW_PLAINTEXT and EVENT_FORMAT apply as \
for the function.",
    after_help = "Examples:
  voicehook inspect --stack voicehook
  voicehook inspect --stack voicehook --allow-redrive
  voicehook inspect --quarantine-url $QUARANTINE_QUEUE_URL
  voicehook inspect --stack voicehook --json | jq .quarantine.messages

Your credentials must be allowed to receive from both queues and to change the visibility of messages, with \
--allow-redrive to delete messages and to send to the event queue; with --stack also to read the stack, the function's \
configuration and the secret."
)]
pub(crate) struct Inspect {
    /// Name of a deployed stack
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["quarantine_url", "dead_letter_url", "queue_url", "event_format"]
    )]
    stack: Option<String>,
    /// URL of the quarantine queue [env: QUARANTINE_QUEUE_URL]
    #[arg(long, value_name = "URL")]
    quarantine_url: Option<String>,
    /// URL of the dead-letter queue [default: that of the event queue]
    #[arg(long, value_name = "URL")]
    dead_letter_url: Option<String>,
    /// URL of the event queue, which a redrive sends to [env: QUEUE_URL]
    #[arg(long, value_name = "URL")]
    queue_url: Option<String>,
    /// How the messages carry their events: raw, the default, or cloudevents [env: EVENT_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    event_format: Option<String>,
    /// Allow to move what is selected to the event queue
    #[arg(long)]
    allow_redrive: bool,
    /// The most messages that a look receives from a queue
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max: u16,
    /// Address of this machine to listen on, or only a port; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:3030", value_name = "ADDRESS", value_parser = shared::address)]
    listen: SocketAddr,
    /// The token in the page's URL, for scripts and for a page that stays open across restarts. Random by default
    #[arg(long, env = "VOICEHOOK_INSPECT_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    inspect_token: Option<String>,
    /// Look once at both queues, print what is there as JSON without the content of events, and exit
    #[arg(long, conflicts_with = "allow_redrive")]
    json: bool,
}

impl Inspect {
    /// Serves the page until interrupted or, with `--json`, looks once.
    #[tokio::main]
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::start_for_a_terminal();
        if !self.listen.ip().to_canonical().is_loopback() {
            return Err(anyhow!(
                "--listen {}: the page shows the content of calls, so it is served on this machine alone; use 127.0.0.1 \
                 or [::1]",
                self.listen.ip()
            ));
        }
        let (deployment, aws) = Deployment::find(&self).await?;
        let production = Arc::new(Production::new(aws, deployment, usize::from(self.max), self.allow_redrive));
        if self.json { look_once(&production).await } else { self.serve(production).await }
    }

    async fn serve(self, production: Arc<Production>) -> anyhow::Result<ExitCode> {
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            anyhow!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        let address = listener.local_addr()?;
        let given = self.inspect_token.as_deref().filter(|token| !token.is_empty());
        let token = AccessToken::new(given, address.port())?;
        for (label, name) in production.names() {
            console::line(format_args!("{label}: {}", name.unwrap_or("none")));
        }
        console::line(match production.redrive_is_off() {
            None => "redrive: allowed".to_owned(),
            Some(why) => format!("redrive: off; {why}"),
        });
        console::line(format_args!("inspector: http://{address}{}", token.path()));
        console::line("\nNothing is received before you ask for it in the page. Ctrl-C ends.");

        let (interrupt, interrupted) = tokio::sync::oneshot::channel::<()>();
        let router = server::router(Arc::clone(&production), token);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let shutdown = async { _ = interrupted.await };
        let mut server = tokio::spawn(async { axum::serve(listener, service).with_graceful_shutdown(shutdown).await });
        tokio::select! {
            ended = &mut server => ended??,
            pressed = tokio::signal::ctrl_c() => pressed?,
        }
        production.stop();
        let _ = interrupt.send(());
        let _ = tokio::time::timeout(REQUESTS_END, server).await;
        tokio::select! {
            () = production.idle() => Ok(ExitCode::SUCCESS),
            pressed = tokio::signal::ctrl_c() => {
                pressed?;
                console::note("Stopped before all messages were given back; they are visible again within two minutes.");
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

/// Prints what a look at both queues sees. What an event says is left out.
async fn look_once(production: &Arc<Production>) -> anyhow::Result<ExitCode> {
    let mut report = json!({});
    for kind in Kind::ALL.into_iter().filter(|kind| production.url(*kind).is_some()) {
        report[kind.key()] = production.look(kind).await.map_err(|why| anyhow!("{}: {why}", kind.key()))?;
    }
    console::line(report);
    Ok(ExitCode::SUCCESS)
}
