//! Which queues, AppIDs and settings `inspect` works with: those of a deployed stack, or of the options and variables.

use std::collections::BTreeMap;

use anyhow::anyhow;
use voicehook_lambda::{
    aws::Aws,
    config::Config,
    queue::{QueueKind, QueueUrl},
};

use super::Inspect;
use crate::{aws, checks::Checks, console, queue::QueueReader, setting, stack};

/// Stands for what was not given where the configuration needs a value. It is never used.
const NOT_GIVEN: &str = "https://localhost/0/not-given";

/// A deployment.
pub(super) struct Deployment {
    /// Where webhooks are kept that could not be opened.
    pub(super) quarantine: Option<QueueUrl>,
    /// Where SQS keeps what subscribers did not delete.
    pub(super) dead_letters: Option<QueueUrl>,
    /// Where events go.
    pub(super) events: Option<QueueUrl>,
    /// After how many receives SQS moves an event to the dead letters.
    pub(super) max_receive_count: Option<String>,
    /// AppIDs and settings. Its queues are those above, where they are known.
    pub(super) config: Config,
    /// Whether there is a source of AppIDs.
    pub(super) has_app_ids: bool,
}

impl Deployment {
    /// Reads the stack, or else the options and this process's variables.
    ///
    /// # Errors
    /// Everything that is wrong with them, and what to do.
    pub(super) async fn find(options: &Inspect) -> anyhow::Result<(Self, Aws)> {
        let (mut found, aws) = match &options.stack {
            Some(name) => {
                let aws = aws::connect(None).await?;
                let variables = of_stack(&aws, name).await?;
                (Self::read(&variables, options)?, aws)
            }
            None => {
                let found = Self::read(&of_options(options), options)?;
                let urls = [&found.events, &found.quarantine, &found.dead_letters];
                let region = urls.into_iter().flatten().find_map(QueueUrl::region);
                let aws = aws::connect(region).await?;
                (found, aws)
            }
        };
        found.ask_the_event_queue(&aws).await?;
        found.check()?;
        Ok((found, aws))
    }

    fn read(variables: &BTreeMap<String, String>, options: &Inspect) -> anyhow::Result<Self> {
        let given = |name: &str| variables.get(name).and_then(|value| setting::given(value)).map(str::to_owned);
        let url = |name: &str, option: &str| {
            let source = if options.stack.is_some() { name } else { option };
            given(name).map(|url| QueueUrl::new(&url).map_err(|error| anyhow!("{source} {error}"))).transpose()
        };
        let quarantine = url("QUARANTINE_QUEUE_URL", "--quarantine-url")?;
        let events = url("QUEUE_URL", "--queue-url")?;
        let dead_letters = options.dead_letter_url.as_deref().map(QueueUrl::new).transpose();
        let dead_letters = dead_letters.map_err(|error| anyhow!("--dead-letter-url {error}"))?;
        let has_app_ids = given("ENABLEX_APP_ID").or_else(|| given("ENABLEX_APP_ID_SECRET")).is_some();
        let config = Config::read(|name| match name {
            "QUEUE_URL" => Some(given(name).unwrap_or_else(|| NOT_GIVEN.to_owned())),
            "ENABLEX_APP_ID" if !has_app_ids => Some(NOT_GIVEN.to_owned()),
            // They have no part in a redrive.
            "FAILOVER_QUEUE_URL" | "ACTIONS" => None,
            name => given(name),
        })?;
        Ok(Self { quarantine, dead_letters, events, max_receive_count: None, config, has_app_ids })
    }

    /// Asks for the dead-letter queue of the event queue, unless one was given, and for its `maxReceiveCount`.
    async fn ask_the_event_queue(&mut self, aws: &Aws) -> anyhow::Result<()> {
        let Some(events) = &self.events else { return Ok(()) };
        let reader = QueueReader::new(aws, events.clone(), 0);
        let about = match reader.about().await {
            Ok(Some(about)) => about,
            Ok(None) => {
                if self.dead_letters.is_none() {
                    console::note(
                        "You may not read the attributes of the event queue (sqs:GetQueueAttributes), so its dead-letter \
                         queue is unknown; name it with --dead-letter-url.",
                    );
                }
                return Ok(());
            }
            Err(failure) => return Err(anyhow!("{}: {failure}", events.name())),
        };
        self.max_receive_count = about.max_receive_count;
        if let (None, Some(arn)) = (&self.dead_letters, about.dead_letter_arn) {
            let url = reader.url_of(&arn).await;
            self.dead_letters = Some(url.map_err(|failure| anyhow!("{arn}: {failure}"))?);
        }
        Ok(())
    }

    fn check(&self) -> anyhow::Result<()> {
        let Self { quarantine, dead_letters, events, .. } = self;
        if quarantine.is_none() && dead_letters.is_none() {
            return Err(anyhow!(
                "there is neither a quarantine nor a dead-letter queue to inspect; name them with --quarantine-url and \
                 --dead-letter-url, or a deployment with --stack"
            ));
        }
        let all = [("quarantine", quarantine), ("dead-letter queue", dead_letters), ("event queue", events)];
        for (index, (name, url)) in all.iter().enumerate() {
            if let Some((other, _)) = all[..index].iter().find(|(_, other)| url.is_some() && other == url) {
                return Err(anyhow!("the {other} and the {name} are the same queue"));
            }
        }
        if let (Some(dead_letters), Some(events)) = (dead_letters, events)
            && dead_letters.kind() != events.kind()
        {
            let kind = |url: &QueueUrl| if url.kind() == QueueKind::Fifo { "a FIFO queue" } else { "a standard queue" };
            return Err(anyhow!(
                "{} is {} and {} is {}: a dead-letter queue has the type of the queue that its messages come from",
                dead_letters.name(),
                kind(dead_letters),
                events.name(),
                kind(events)
            ));
        }
        Ok(())
    }
}

/// The variables of the stack's function.
async fn of_stack(aws: &Aws, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut checks = Checks::default();
    let stack = stack::read(aws, name, &mut checks).await;
    console::progress("");
    let problems = checks.problems();
    let Some(stack) = stack else { return Err(anyhow!("{}", problems.join("; "))) };
    for problem in problems {
        console::note(problem);
    }
    Ok(stack.variables)
}

/// This process's variables, with the options in their place.
fn of_options(options: &Inspect) -> BTreeMap<String, String> {
    let mut variables = stack::environment();
    for (name, option) in [
        ("QUARANTINE_QUEUE_URL", &options.quarantine_url),
        ("QUEUE_URL", &options.queue_url),
        ("EVENT_FORMAT", &options.event_format),
    ] {
        if let Some(value) = option {
            variables.insert(name.to_owned(), value.clone());
        }
    }
    variables
}
