//! The configuration: environment variables, checked together.
//!
//! A [`ConfigError`] lists every mistake with the name of its variable and what would be right. A variable that is set to an
//! empty value counts as not set.

use std::{fmt, ops::RangeInclusive, time::Duration};

use thiserror::Error;

use crate::{
    app_id::{AppIdSetting, AppIds, ConfiguredSource, Token, trimmed},
    aws::{Aws, MissingVariables},
    decrypt::Algorithm,
    names::list,
    queue::{BatchingQueue, EventFormat, Failover, QueueUrl, Sqs},
    receiver::{Actions, Receiver, Settings},
    webhook::Accept,
};

/// A rotated secret is in use everywhere after five minutes.
const APP_ID_TTL: Duration = Duration::from_secs(300);

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the AppIDs come from.
    pub app_id: AppIdSetting,
    /// How long a fetched secret is used (`APP_ID_TTL_SECONDS`).
    pub app_id_ttl: Duration,
    /// Where events go (`QUEUE_URL`).
    pub queue_url: QueueUrl,
    /// Where they go when that queue fails (`FAILOVER_QUEUE_URL`).
    pub failover_queue_url: Option<QueueUrl>,
    /// Where webhooks are kept that cannot be opened (`QUARANTINE_QUEUE_URL`).
    pub quarantine_queue_url: Option<QueueUrl>,
    /// How the receiver treats a request.
    pub settings: Settings,
}

/// Everything that is wrong with the configuration.
#[derive(Clone, Debug, Default, Error, PartialEq, Eq)]
pub struct ConfigError {
    /// The mistakes, each a variable and what is wrong with it.
    pub mistakes: Vec<(String, String)>,
}

impl ConfigError {
    /// Several errors as one.
    #[must_use]
    pub fn all<const N: usize>(errors: [Option<Self>; N]) -> Self {
        Self { mistakes: errors.into_iter().flatten().flat_map(|error| error.mistakes).collect() }
    }

    fn add(&mut self, variable: &str, mistake: impl Into<String>) {
        self.mistakes.push((variable.to_owned(), mistake.into()));
    }
}

impl From<MissingVariables> for ConfigError {
    fn from(missing: MissingVariables) -> Self {
        let mut error = Self::default();
        for variable in missing.0 {
            error.add(variable, "is not set; Lambda sets it, elsewhere set it as for any AWS client");
        }
        error
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (variable, mistake)) in self.mistakes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{variable} {mistake}")?;
        }
        Ok(())
    }
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables by name.
    ///
    /// # Errors
    /// All mistakes together.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader { variable: &variable, wrong: ConfigError::default() };
        let app_id = reader.app_id();
        let queue_url = reader.queue_url("QUEUE_URL");
        if queue_url.is_none() && reader.get("QUEUE_URL").is_none() {
            reader.mistake("QUEUE_URL", "is not set; set it to the URL of the SQS queue that the events go to");
        }
        let failover_queue_url = reader.queue_url("FAILOVER_QUEUE_URL");
        if let (Some(first), Some(second)) = (&queue_url, &failover_queue_url)
            && first.kind() != second.kind()
        {
            reader.mistake("FAILOVER_QUEUE_URL", "must be a queue of the same type as QUEUE_URL: FIFO or standard");
        }
        let quarantine_queue_url = reader.queue_url("QUARANTINE_QUEUE_URL");
        let settings = reader.settings();
        let app_id_ttl = reader.number("APP_ID_TTL_SECONDS", 1..=86_400).map_or(APP_ID_TTL, Duration::from_secs);
        match (app_id, queue_url, reader.wrong) {
            (Some(app_id), Some(queue_url), wrong) if wrong.mistakes.is_empty() => {
                Ok(Self { app_id, app_id_ttl, queue_url, failover_queue_url, quarantine_queue_url, settings })
            }
            (_, _, wrong) => Err(wrong),
        }
    }

    /// The receiver that is configured, in front of its queues.
    #[must_use]
    pub fn receiver(self, aws: &Aws) -> Receiver<ConfiguredSource, Failover<BatchingQueue>> {
        let sqs = |url| BatchingQueue::new(Sqs::new(aws, url));
        let queue = Failover::new(sqs(self.queue_url), self.failover_queue_url.map(sqs));
        let quarantine = self.quarantine_queue_url.map(|url| Failover::new(sqs(url), None));
        let app_ids = AppIds::new(ConfiguredSource::new(self.app_id, aws), self.app_id_ttl);
        Receiver::new(self.settings, app_ids, queue).with_quarantine(quarantine)
    }
}

struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    wrong: ConfigError,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| trimmed(&value).to_owned()).filter(|value| !value.is_empty())
    }

    fn mistake(&mut self, name: &str, mistake: impl Into<String>) {
        self.wrong.add(name, mistake);
    }

    fn parsed<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(&self.get(name)?) {
            Ok(value) => Some(value),
            Err(mistake) => {
                self.mistake(name, mistake);
                None
            }
        }
    }

    fn queue_url(&mut self, name: &str) -> Option<QueueUrl> {
        self.parsed(name, |url| QueueUrl::new(url).map_err(|error| error.to_string()))
    }

    fn app_id(&mut self) -> Option<AppIdSetting> {
        match (self.get("ENABLEX_APP_ID"), self.get("ENABLEX_APP_ID_SECRET")) {
            (Some(app_id), None) => Some(AppIdSetting::Environment(app_id.into())),
            (None, Some(secret)) => Some(AppIdSetting::Secret(secret)),
            (Some(_), Some(_)) => {
                self.mistake("ENABLEX_APP_ID", "and ENABLEX_APP_ID_SECRET are both set; set one of them");
                None
            }
            (None, None) => {
                self.mistake("ENABLEX_APP_ID", "is not set, nor is ENABLEX_APP_ID_SECRET; set one of them");
                None
            }
        }
    }

    fn settings(&mut self) -> Settings {
        let defaults = Settings::default();
        Settings {
            accept: Accept {
                algorithms: self.parsed("ALLOWED_ALGORITHMS", algorithms).unwrap_or(defaults.accept.algorithms),
                plaintext: self.parsed("ALLOW_PLAINTEXT", boolean).unwrap_or(defaults.accept.plaintext),
            },
            token: self.parsed("WEBHOOK_TOKEN", |token| Token::new(token).map_err(str::to_owned)),
            max_event_age: self.number("MAX_EVENT_AGE_SECONDS", 1..=31_536_000).map(Duration::from_secs),
            event_format: self.parsed("EVENT_FORMAT", event_format).unwrap_or(defaults.event_format),
            actions: self.parsed("ACTIONS", Actions::parse).unwrap_or_default(),
            publish_deadline: self
                .number("PUBLISH_DEADLINE_MS", 100..=25_000)
                .map_or(defaults.publish_deadline, Duration::from_millis),
        }
    }

    fn number(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.parsed(name, |text| {
            text.parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }
}

fn algorithms(text: &str) -> Result<Vec<Algorithm>, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(Accept::all().algorithms);
    }
    text.split(',')
        .map(str::trim)
        .map(|name| {
            let supported =
                || format!("{name:?} is not supported; supported: all, or a list of {}", list(Algorithm::NAMES));
            Algorithm::named(name).ok_or_else(supported)
        })
        .collect()
}

fn event_format(text: &str) -> Result<EventFormat, String> {
    EventFormat::named(text).ok_or_else(|| format!("must be one of: {}", list(EventFormat::NAMES)))
}

fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: (&str, &str) = ("QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/123456789012/events.fifo");
    const APP_ID: (&str, &str) = ("ENABLEX_APP_ID", "an-app-id");

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    fn mistakes(variables: &[(&str, &str)]) -> Vec<String> {
        read(variables).unwrap_err().mistakes.into_iter().map(|(variable, _)| variable).collect()
    }

    #[test]
    fn an_app_id_and_a_queue_are_enough() {
        let config = read(&[APP_ID, QUEUE]).unwrap();
        assert_eq!(config.settings.publish_deadline, Duration::from_secs(4));
        assert_eq!(config.app_id_ttl, Duration::from_secs(300));
        assert!(!config.settings.accept.plaintext);
    }

    #[test]
    fn the_cbc_modes_are_allowed_unless_others_are_named_or_all() {
        let allowed = |text: &str| {
            let allowed = read(&[APP_ID, QUEUE, ("ALLOWED_ALGORITHMS", text)]).unwrap().settings.accept.algorithms;
            Algorithm::NAMES
                .iter()
                .filter(|(_, algorithm)| allowed.contains(algorithm))
                .map(|(name, _)| *name)
                .collect()
        };
        let every: Vec<&str> = Algorithm::NAMES.iter().map(|(name, _)| *name).collect();
        let cbc: Vec<&str> = vec!["aes-128-cbc", "aes-192-cbc", "aes-256-cbc", "aes128", "aes192", "aes256"];
        let one: Vec<&str> = vec!["aes-256-ctr"];
        for (text, expected) in [("", &cbc), (" ", &cbc), ("all", &every), (" ALL ", &every), ("aes-256-CTR", &one)] {
            let allowed: Vec<&str> = allowed(text);
            assert_eq!(allowed, *expected, "{text:?}");
        }
        assert_eq!(mistakes(&[APP_ID, QUEUE, ("ALLOWED_ALGORITHMS", "aes-256-cbc,all")]), ["ALLOWED_ALGORITHMS"]);
    }

    #[test]
    fn all_mistakes_are_reported_together_each_with_its_variable() {
        let all = mistakes(&[
            ("QUEUE_URL", "events"),
            ("ALLOWED_ALGORITHMS", "aes-256-cbc,rot13"),
            ("ALLOW_PLAINTEXT", "yes"),
            ("WEBHOOK_TOKEN", "short"),
            ("PUBLISH_DEADLINE_MS", "4s"),
            ("APP_ID_TTL_SECONDS", "0"),
            ("FAILOVER_QUEUE_URL", "failover"),
            ("QUARANTINE_QUEUE_URL", "quarantine"),
            ("MAX_EVENT_AGE_SECONDS", "-1"),
            ("EVENT_FORMAT", "xml"),
            ("ACTIONS", r#"{"call.incomingcall": 1}"#),
        ]);
        assert_eq!(
            all,
            [
                "ENABLEX_APP_ID",
                "QUEUE_URL",
                "FAILOVER_QUEUE_URL",
                "QUARANTINE_QUEUE_URL",
                "ALLOWED_ALGORITHMS",
                "ALLOW_PLAINTEXT",
                "WEBHOOK_TOKEN",
                "MAX_EVENT_AGE_SECONDS",
                "EVENT_FORMAT",
                "ACTIONS",
                "PUBLISH_DEADLINE_MS",
                "APP_ID_TTL_SECONDS"
            ]
        );
    }

    #[test]
    fn a_failover_queue_of_the_other_type_is_a_mistake() {
        let other = ("FAILOVER_QUEUE_URL", "https://sqs.us-west-2.amazonaws.com/123456789012/events");
        assert_eq!(mistakes(&[APP_ID, QUEUE, other]), ["FAILOVER_QUEUE_URL"]);
    }

    #[test]
    fn exactly_one_source_of_app_ids_is_wanted() {
        assert_eq!(mistakes(&[QUEUE]), ["ENABLEX_APP_ID"]);
        assert_eq!(mistakes(&[QUEUE, APP_ID, ("ENABLEX_APP_ID_SECRET", "s")]), ["ENABLEX_APP_ID"]);
        assert!(matches!(read(&[QUEUE, ("ENABLEX_APP_ID_SECRET", "s")]).unwrap().app_id, AppIdSetting::Secret(_)));
    }

    #[test]
    fn a_variable_set_to_nothing_counts_as_not_set() {
        assert!(read(&[APP_ID, QUEUE, ("ENABLEX_APP_ID_SECRET", " "), ("WEBHOOK_TOKEN", "")]).is_ok());
        assert_eq!(mistakes(&[APP_ID, ("QUEUE_URL", "")]), ["QUEUE_URL"]);
    }

    #[test]
    fn a_byte_order_mark_around_a_value_is_cut_off() {
        let AppIdSetting::Environment(app_id) =
            read(&[QUEUE, ("ENABLEX_APP_ID", "\u{feff}an-app-id ")]).unwrap().app_id
        else {
            panic!("no AppID")
        };
        assert_eq!(*app_id, "an-app-id");
        assert_eq!(mistakes(&[QUEUE, ("ENABLEX_APP_ID", "\u{feff}")]), ["ENABLEX_APP_ID"]);
    }

    #[test]
    fn neither_the_app_id_nor_the_token_can_be_printed() {
        let config = read(&[APP_ID, QUEUE, ("WEBHOOK_TOKEN", "0123456789abcdef")]).unwrap();
        let printed = format!("{config:?}");
        assert!(!printed.contains("an-app-id") && !printed.contains("0123456789abcdef"), "{printed}");
        let error = read(&[APP_ID, ("WEBHOOK_TOKEN", "0123456789 abcdef")]).unwrap_err().to_string();
        assert!(!error.contains("0123456789"), "{error}");
    }
}
