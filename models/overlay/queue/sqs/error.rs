//! The models' SQS has no errors about credentials.

use crate::queue::QueueError;

pub(super) const fn is_about_credentials(_: &QueueError) -> bool {
    false
}
