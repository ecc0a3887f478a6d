//! `voicehook doctor`: checks a configuration, or a deployed stack, from its variables to an event on the queue.
//!
//! Reads the function's variables, from this environment or from the deployed function, and prints a table of what is
//! right, what is wrong and what to do. Changes nothing, except that it sends a test webhook and deletes it from the queue.

mod arrival;
mod queues;
mod test_webhook;

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use clap::Args;
use voicehook_lambda::{
    app_id::{
        AppIdSetting, AppIdSource as _, AppIdUnavailable, ConfiguredSource, DEFAULT_APP, SecretsManagerError, Version,
    },
    aws::Aws,
    config::Config,
};

use self::{queues::Purpose, test_webhook::TestWebhook};
use crate::{aws, checks::Checks, known_app_ids::KnownAppIds, stack};

/// Check a configuration or a deployed stack, and send a test webhook through it
#[derive(Args)]
#[command(
    long_about = "Check a configuration or a deployed stack, from the variables to an event on the queue. Every problem is \
reported with what to do about it.

With --stack, doctor reads the outputs of the stack and the variables of its function. Otherwise it reads the variables of this \
environment, as the function would. It then sends a test webhook to the URL. The answer is 200 whether or not the function could \
decrypt it, so doctor looks for it on the event queue and in the quarantine, and deletes it.

The event has the type call.doctor and a voice_id that starts with voicehook-doctor-, so that subscribers can ignore it. A \
subscriber that reads the same queue may be faster; if so, use --no-receive. To find its own message, doctor receives up to 100 \
other messages from each queue and returns them at once; SQS counts a receive for each of them (maxReceiveCount).

Your credentials must be allowed to read the stack, the function's configuration, the secret and the queues.",
    after_help = "Examples:
  voicehook doctor --stack voicehook
  voicehook doctor --stack voicehook --no-send --json
  voicehook doctor --url https://example.com/webhook/default/$TOKEN

Exit status: 0 if no check failed (warnings do not count), 1 if one did, 2 on a usage error."
)]
pub(crate) struct Doctor {
    /// Name of a deployed stack [default: use the variables of this environment]
    #[arg(long)]
    stack: Option<String>,
    /// The webhook URL as it is in the EnableX portal [default: the stack's, with the app and the token]
    #[arg(long)]
    url: Option<String>,
    /// The app to send the test webhook as [default: `default`, or else the first one]
    #[arg(long)]
    app: Option<String>,
    /// Do not send a test webhook
    #[arg(long)]
    no_send: bool,
    /// Do not look for the event on the queues; it is enough that the function keeps the webhook, decrypted or not
    #[arg(long)]
    no_receive: bool,
    /// How long to wait for the event, in seconds
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=300))]
    wait: u64,
    /// Print the checks as JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Makes all checks that are possible. Succeeds if none failed.
    #[tokio::main]
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut checks = Checks::default();
        self.check(&mut checks).await;
        checks.print(self.json)?;
        Ok(checks.exit_code())
    }

    /// `None` if it stopped early, because the remaining checks depend on one that failed.
    async fn check(&self, checks: &mut Checks) -> Option<()> {
        let (aws, variables, stack_url) = match &self.stack {
            Some(name) => {
                let aws = connect(None, checks).await?;
                let stack = stack::read(&aws, name, checks).await?;
                (Some(aws), stack.variables, stack.webhook_url)
            }
            None => (None, stack::environment(), None),
        };
        let config = configuration(&variables, checks)?;
        let aws = match aws {
            Some(aws) => aws,
            None => connect(config.queue_url.region(), checks).await?,
        };
        let known = secret(&aws, &config, checks).await;
        let token_of_the_secret = known.as_ref().and_then(|known| known.token.as_ref());
        if config.settings.accept.plaintext && config.settings.token.is_none() && token_of_the_secret.is_none() {
            let next = "Set WEBHOOK_TOKEN too (WebhookToken of the template)";
            checks.warning("variables", "with ALLOW_PLAINTEXT, anyone who knows the URL can send events", next);
        }
        let has_actions = !config.settings.actions.is_empty();
        let has_token = config.settings.token.is_some() || token_of_the_secret.is_some();
        // Unless the secret was read, it is unknown whether it has a token.
        if known.is_some() && actions_are_never_sent(has_actions, has_token) {
            let next = "Set WEBHOOK_TOKEN too (WebhookToken of the template), or put a token into the secret";
            checks.warning("variables", "ACTIONS are set but never sent, because there is no token", next);
        }

        let receivable = queues::check(&aws, &config.queue_url, Purpose::Events, checks).await;
        for (url, purpose) in
            [(&config.failover_queue_url, Purpose::Failover), (&config.quarantine_queue_url, Purpose::Quarantine)]
        {
            if let Some(url) = url {
                queues::check(&aws, url, purpose, checks).await;
            }
        }
        if config.quarantine_queue_url.is_none() {
            let next =
                "Set QUARANTINE_QUEUE_URL (Quarantine=true of the template), or such webhooks are refused and lost";
            checks.warning("quarantine", "webhooks that cannot be opened are not kept", next);
        }
        if self.no_send {
            checks.skipped("test webhook", "--no-send", "Run without --no-send to check that events get through");
            return None;
        }
        let Some(known) = known else {
            checks.skipped("test webhook", "no AppID to encrypt it with", "Fix the secret, then try again");
            return None;
        };
        let token = variables.get("WEBHOOK_TOKEN").filter(|token| !token.trim().is_empty()).map(|token| token.trim());
        let token = token.or_else(|| known.token.as_ref().map(|token| token.as_str()));
        let (app, url) = self.target(&known, stack_url.as_deref(), token, checks)?;
        if !test_webhook::probe(&url, checks).await {
            return None;
        }
        let app_id = &known.current(&app)?.text;
        let posted = TestWebhook::new(&config).send(&url, &app, app_id, checks).await?;
        if self.no_receive || !receivable {
            let next = format!(
                "Look for voice_id {} in your subscriber's output, or for request id {} in the function's log",
                posted.voice_id, posted.request_id
            );
            checks.skipped("event", "the queues were not checked", next);
            return None;
        }
        arrival::check(&aws, &config, &posted, Duration::from_secs(self.wait), checks).await;
        Some(())
    }

    /// The app to send the test webhook to, and the URL.
    fn target(
        &self,
        known: &KnownAppIds,
        stack_url: Option<&str>,
        token: Option<&str>,
        checks: &mut Checks,
    ) -> Option<(String, String)> {
        let app = self.app.as_deref().or_else(|| known.current(DEFAULT_APP).map(|_| DEFAULT_APP));
        let app = app.or_else(|| known.app_ids.first().map(|first| first.app.as_str()))?;
        if known.current(app).is_none() {
            checks.failed("test webhook", format!("there is no app {app}"), "Name one of the apps above with --app");
            return None;
        }
        let Some(url) = self.url.clone().or_else(|| Some(url_for(stack_url?, app, token))) else {
            let next = "Pass the webhook URL with --url, as it is in the EnableX portal";
            checks.skipped("test webhook", "no URL to send it to", next);
            return None;
        };
        Some((app.to_owned(), url))
    }
}

/// An action tells the sender that its event was decrypted, so the function sends actions only if a token keeps strangers out.
const fn actions_are_never_sent(has_actions: bool, has_token: bool) -> bool {
    has_actions && !has_token
}

async fn connect(region: Option<&str>, checks: &mut Checks) -> Option<Aws> {
    match aws::connect(region).await {
        Ok(aws) => Some(aws),
        Err(missing) => {
            checks.failed("AWS", missing.what, missing.next);
            None
        }
    }
}

/// Parses the variables as the function does on startup.
fn configuration(variables: &BTreeMap<String, String>, checks: &mut Checks) -> Option<Config> {
    match Config::read(|name| variables.get(name).cloned()) {
        Ok(config) => {
            let set = NAMES.iter().filter(|name| variables.get(**name).is_some_and(|value| !value.trim().is_empty()));
            checks.ok("variables", set.copied().collect::<Vec<_>>().join(", "));
            Some(config)
        }
        Err(wrong) => {
            for (variable, mistake) in wrong.mistakes {
                let next = "Fix this: the function will not start";
                checks.failed("variables", format!("{variable} {mistake}"), next);
            }
            None
        }
    }
}

/// The function's variables, in the order of docs/configuration.md.
const NAMES: [&str; 14] = [
    "ENABLEX_APP_ID",
    "ENABLEX_APP_ID_SECRET",
    "QUEUE_URL",
    "FAILOVER_QUEUE_URL",
    "QUARANTINE_QUEUE_URL",
    "EVENT_FORMAT",
    "ACTIONS",
    "WEBHOOK_TOKEN",
    "ALLOWED_ALGORITHMS",
    "ALLOW_PLAINTEXT",
    "MAX_EVENT_AGE_SECONDS",
    "APP_ID_TTL_SECONDS",
    "PUBLISH_DEADLINE_MS",
    "METRICS_NAMESPACE",
];

/// Checks whether the AppIDs can be read, and for which apps.
async fn secret(aws: &Aws, config: &Config, checks: &mut Checks) -> Option<KnownAppIds> {
    let source = ConfiguredSource::new(config.app_id.clone(), aws);
    let known = match KnownAppIds::load(&config.app_id, aws).await {
        Ok(known) => known,
        Err(error) => {
            checks.failed("secret", error.to_string(), next_for_the_secret(&error));
            return None;
        }
    };
    let names: Vec<&str> = known.names().collect();
    let token = if known.token.is_some() { ", and a token" } else { "" };
    let detail = format!("AppIDs of {}{token}", names.join(", "));
    for typo in &known.typos {
        let next = "If webhooks cannot be decrypted, enter the AppID exactly as the EnableX portal shows it, with nothing \
                    around it";
        checks.warning("AppID", typo.to_string(), next);
    }
    let AppIdSetting::Secret(_) = &config.app_id else {
        checks.ok("AppID", "in ENABLEX_APP_ID");
        return Some(known);
    };
    checks.ok("secret", detail);
    match source.fetch(Version::Previous).await {
        Err(error) => {
            let next =
                "Store a valid value in the secret twice, so that the wrong one is no longer the previous version";
            checks.warning("secret", format!("its previous version (AWSPREVIOUS) is unusable: {error}"), next);
        }
        Ok(previous) if previous.names().next().is_none() => {
            checks.ok("secret", "no previous version: it was not rotated");
        }
        Ok(_) => {
            checks.ok(
                "secret",
                "webhooks encrypted with its previous version (AWSPREVIOUS) are accepted too, as a rotation requires",
            );
        }
    }
    Some(known)
}

const fn next_for_the_secret(error: &AppIdUnavailable) -> &'static str {
    match error {
        AppIdUnavailable::SecretsManager(SecretsManagerError::NotFound) => {
            "Check that ENABLEX_APP_ID_SECRET (AppIdSecretArn of the template) names a secret in this account and region, \
             and give it a value: aws secretsmanager put-secret-value"
        }
        AppIdUnavailable::SecretsManager(SecretsManagerError::DeletionScheduled) => {
            "Restore it (aws secretsmanager restore-secret --secret-id NAME) before it is deleted, or point \
             ENABLEX_APP_ID_SECRET to another secret"
        }
        AppIdUnavailable::SecretsManager(SecretsManagerError::Key(_)) => {
            "Check that the secret's KMS key is enabled, and that its policy allows you and the function's role to use it \
             (kms:Decrypt)"
        }
        AppIdUnavailable::SecretsManager(SecretsManagerError::Denied(_)) => {
            "Use credentials that allow secretsmanager:GetSecretValue, and kms:Decrypt if the secret has its own key. This \
             check uses your credentials, not the function's"
        }
        AppIdUnavailable::SecretsManager(SecretsManagerError::Refused(_)) => {
            "Check that ENABLEX_APP_ID_SECRET (AppIdSecretArn of the template) is the name or ARN of a secret"
        }
        AppIdUnavailable::SecretsManager(_) | AppIdUnavailable::OutOfTime => {
            "Check AWS_REGION and your credentials, and that Secrets Manager is reachable"
        }
        _ => {
            "Fix the value of the secret (aws secretsmanager put-secret-value); docs/configuration.md describes its format"
        }
    }
}

/// The stack's URL, for an app and with the token.
fn url_for(webhook_url: &str, app: &str, token: Option<&str>) -> String {
    match token {
        Some(token) => format!("{webhook_url}/{app}/{token}"),
        None if app == DEFAULT_APP => webhook_url.to_owned(),
        None => format!("{webhook_url}/{app}"),
    }
}
