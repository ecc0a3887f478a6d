//! The URL of an SQS queue, and what it says of the queue.

use http::Uri;
use thiserror::Error;

/// Whether a queue keeps an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// Best-effort order, at least once.
    Standard,
    /// Strict order within a message group, deduplicated.
    Fifo,
}

/// The URL of an SQS queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl(String);

/// A text that is not the URL of a queue.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "is not the URL of an SQS queue; expected https://sqs.REGION.amazonaws.com/ACCOUNT/NAME (an ARN or a name is not enough)"
)]
pub struct QueueUrlError;

impl QueueUrl {
    /// Takes a queue's URL.
    ///
    /// # Errors
    /// Where it is not an `http` or `https` URL with a host, an account and a name.
    pub fn new(url: &str) -> Result<Self, QueueUrlError> {
        let uri: Uri = url.parse().map_err(|_| QueueUrlError)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let segments = uri.path().split('/').filter(|segment| !segment.is_empty()).count();
        let complete = is_http && uri.host().is_some() && segments >= 2 && !url.ends_with('/') && uri.query().is_none();
        complete.then(|| Self(url.to_owned())).ok_or(QueueUrlError)
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The queue's name: the URL's last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// FIFO queues have names that end in `.fifo`.
    #[must_use]
    pub fn kind(&self) -> QueueKind {
        if self.name().ends_with(".fifo") { QueueKind::Fifo } else { QueueKind::Standard }
    }

    /// The region that the host names: `sqs.REGION.amazonaws.com`, a VPC endpoint
    /// (`….sqs.REGION.vpce.amazonaws.com`), or the legacy `REGION.queue.amazonaws.com`.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        let host = self.0.split("://").nth(1)?.split(['/', ':']).next()?;
        let service =
            [".amazonaws.com", ".amazonaws.eu", ".api.aws"].iter().find_map(|domain| host.split_once(domain))?.0;
        if let Some(region) = service.strip_suffix(".queue") {
            return Some(region);
        }
        let mut labels = service.split('.').skip_while(|label| !matches!(*label, "sqs" | "sqs-fips"));
        labels.nth(1)
    }

    /// `https://sqs.REGION.amazonaws.com`, where the URL begins with that; in China it ends in `.cn`, and in the European
    /// Sovereign Cloud the domain is `amazonaws.eu`.
    pub(super) fn regional_endpoint(&self) -> Option<String> {
        let regional = format!("https://sqs.{}.", self.region()?);
        let domain = self.0.strip_prefix(&regional)?.split('/').next()?;
        let is_regional = matches!(domain, "amazonaws.com" | "amazonaws.com.cn" | "amazonaws.eu");
        is_regional.then(|| regional + domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_url_says_its_kind_and_its_region() {
        let url = |text: &str| QueueUrl::new(text).unwrap();
        let fifo = url("https://sqs.eu-west-1.amazonaws.com/123456789012/events.fifo");
        assert_eq!((fifo.kind(), fifo.region(), fifo.name()), (QueueKind::Fifo, Some("eu-west-1"), "events.fifo"));
        assert_eq!(url("https://sqs.cn-north-1.amazonaws.com.cn/1/events").region(), Some("cn-north-1"));
        assert_eq!(url("https://vpce-0a-b.sqs.us-east-2.vpce.amazonaws.com/1/events").region(), Some("us-east-2"));
        assert_eq!(url("https://eu-central-1.queue.amazonaws.com/1/events").region(), Some("eu-central-1"));
        assert_eq!(url("https://sqs.eusc-de-east-1.amazonaws.eu/1/events").region(), Some("eusc-de-east-1"));
        let local = url("http://127.0.0.1:4566/000000000000/events");
        assert_eq!((local.kind(), local.region()), (QueueKind::Standard, None));
    }

    #[test]
    fn what_is_not_a_queue_url_is_refused() {
        for text in [
            "",
            "events",
            "arn:aws:sqs:us-east-1:1:events",
            "https://sqs.us-east-1.amazonaws.com/",
            "ftp://a/b/c",
            "https://h/1",
        ] {
            assert_eq!(QueueUrl::new(text), Err(QueueUrlError), "{text:?}");
        }
    }
}
