//! `voicehook dev`: the receiver on this machine, with a sample call to look at.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use tokio::net::TcpListener;
use voicehook::{
    app_id::{AppIds, FixedAppId},
    aws::Aws,
    config::{AppIdSetting, Config},
    gateway::Receiver,
    queue::Sqs,
    telemetry,
};

use crate::{
    aws_configuration, console,
    local_queue::LocalQueue,
    local_server,
    samples::{self, Call, INBOUND_CALL},
    send::{DEV_APP_ID, Encrypted, Writing},
};

/// Stands in for the queue's URL where events stay in memory.
const IN_MEMORY: &str = "http://localhost/in-memory/voicehook.fifo";

/// Starts the local receiver and plays one sample call into it
#[derive(Parser)]
#[command(after_help = "Examples:
  voicehook dev
  voicehook dev --once
  AWS_ENDPOINT_URL=http://127.0.0.1:4566 voicehook dev --queue-url http://127.0.0.1:4566/000000000000/events.fifo

The variables of the function (WEBHOOK_TOKEN, ALLOWED_ALGORITHMS, ALLOW_PLAINTEXT, PUBLISH_DEADLINE_MS) count here too.")]
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
    /// How the messages carry their events: raw, the default, or cloudevents
    #[arg(long, env = "EVENT_FORMAT", value_name = "FORMAT")]
    event_format: Option<String>,
    /// Ends after the sample call: with status 0, or with 1 if an event is missing
    #[arg(long)]
    once: bool,
}

impl Dev {
    /// Serves until interrupted, or until the sample call is over.
    #[tokio::main]
    pub(crate) async fn run(self) -> Result<ExitCode, String> {
        telemetry::start_for_a_terminal();
        let config = self.config()?;
        let queue = match self.queue_url {
            Some(_) => LocalQueue::Sqs(Box::new(sqs(&config).await)),
            None => LocalQueue::in_memory(),
        };
        let token = std::env::var("WEBHOOK_TOKEN").ok().filter(|_| config.settings.token.is_some());
        let app_ids = AppIds::new(FixedAppId::new(&self.app_id), config.app_id_ttl);
        let receiver = Receiver::new(config.settings, app_ids, queue);

        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            format!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let path = token.map_or_else(|| "/webhook".to_owned(), |token| format!("/webhook/default/{token}"));
        let url = format!("http://{address}{path}");
        let queue_name = self.queue_url.as_deref().unwrap_or("in memory");
        console::line(format_args!("voicehook listens on {url}\nqueue: {queue_name}\n\nA sample inbound call:"));

        let server = tokio::spawn(local_server::serve(listener, receiver, interrupted()));
        let missing = play_inbound_call(&url, &self.app_id).await?;
        if self.once {
            return Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        hint(&url, &self.app_id)?;
        server.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(ExitCode::SUCCESS)
    }

    /// The function's configuration, with the command line in the place of the AppID and the queue.
    fn config(&self) -> Result<Config, String> {
        let config = Config::read(|name| match name {
            "ENABLEX_APP_ID" => Some(self.app_id.clone()),
            "ENABLEX_APP_ID_SECRET" => None,
            "QUEUE_URL" => Some(self.queue_url.clone().unwrap_or_else(|| IN_MEMORY.to_owned())),
            "EVENT_FORMAT" => self.event_format.clone(),
            _ => std::env::var(name).ok(),
        });
        let config = config.map_err(|error| error.to_string())?;
        debug_assert!(matches!(config.app_id, AppIdSetting::Environment(_)));
        Ok(config)
    }
}

async fn sqs(config: &Config) -> Sqs {
    Sqs::new(&Aws::new(aws_configuration().await), config.queue_url.clone(), config.settings.publish_deadline)
}

/// Sends the events of one call, one after the other, and returns how many of them did not reach the queue.
async fn play_inbound_call(url: &str, app_id: &str) -> Result<usize, String> {
    let (url, app_id, call) = (url.to_owned(), app_id.to_owned(), Call::random());
    let play = move || {
        let mut missing = 0;
        for name in INBOUND_CALL {
            let event = samples::event(name, &call).ok_or_else(|| format!("no sample {name}"))?;
            let answer = Encrypted::new(&event, &app_id, &Writing::default())?.post(&url)?;
            if answer.status != 200 {
                missing += 1;
                console::error(format_args!(
                    "{name} is missing: the receiver answered {} {}",
                    answer.status, answer.body
                ));
            }
        }
        let arrived = INBOUND_CALL.len() - missing;
        console::line(format_args!("{arrived} of {} events reached the queue.", INBOUND_CALL.len()));
        Ok(missing)
    };
    tokio::task::spawn_blocking(play).await.map_err(|error| error.to_string())?
}

fn hint(url: &str, app_id: &str) -> Result<(), String> {
    let event = samples::event("call.ringing", &Call::random()).unwrap_or_default();
    let curl = Encrypted::new(&event, app_id, &Writing::default())?.as_curl(url);
    let app_id = if app_id == DEV_APP_ID { "" } else { " --app-id \"$ENABLEX_APP_ID\"" };
    let program = console::program();
    console::line(format_args!(
        "\nSend one more from another terminal:\n\n  {program} trigger disconnected --url {url}{app_id}\n\nor without voicehook:\n\n  {curl}\n\nListening; Ctrl-C ends."
    ));
    Ok(())
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
