//! What AWS says is wrong, for a person.

use std::{error::Error, iter::successors};

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

/// An error of an AWS client in one line: the service's own words where it answered, else all causes. The SDK's
/// `DisplayErrorContext` goes on with a page of debugging output.
#[must_use]
pub fn described<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => causes(error),
    }
}

/// An error and what caused it, and what caused that, in one line.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
