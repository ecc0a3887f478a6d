//! Each event once, though SQS may deliver it twice: a DynamoDB table of the events that were handled.
//!
//! The key is the `event_id`, which tells whether two deliveries are one event. An item with `lease_until` is being worked on until
//! then, and a function that died over it loses it; an item without is done. `expires_at` is the table's time to live.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::{
    Client, Error,
    error::DisplayErrorContext,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use thiserror::Error as ThisError;

/// How long an event is remembered, in seconds: twice as long as SQS can keep it.
const REMEMBERED: u64 = 28 * 24 * 60 * 60;

/// DynamoDB did not do what it was asked.
#[derive(Debug, ThisError)]
#[error("DynamoDB: {}", DisplayErrorContext(.0))]
pub struct TableError(#[from] Box<Error>);

/// Who handles an event.
pub enum Claim {
    /// We do, until the deadline.
    Ours,
    /// It is done.
    Done,
    /// Somebody else does.
    Busy,
}

/// The table.
pub struct Once {
    client: Client,
    table: String,
}

impl Once {
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Takes an event, until a deadline in milliseconds since 1970.
    pub async fn claim(&self, event_id: &str, deadline: u64) -> Result<Claim, TableError> {
        let put = self.client.put_item().table_name(&self.table).item("event_id", text(event_id));
        let put = put
            .item("lease_until", number(deadline.div_ceil(1000)))
            .item("expires_at", number(now() + REMEMBERED))
            .condition_expression("attribute_not_exists(event_id) OR lease_until < :now")
            .expression_attribute_values(":now", number(now()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await.map_err(Error::from) {
            Ok(_) => Ok(Claim::Ours),
            Err(Error::ConditionalCheckFailedException(refused)) => {
                let leased = refused.item().is_some_and(|item| item.contains_key("lease_until"));
                Ok(if leased { Claim::Busy } else { Claim::Done })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Remembers that an event is done.
    pub async fn done(&self, event_id: &str) -> Result<(), TableError> {
        let put = self.client.put_item().table_name(&self.table).item("event_id", text(event_id));
        let put = put.item("expires_at", number(now() + REMEMBERED));
        put.send().await.map(drop).map_err(failed)
    }

    /// Gives an event back.
    pub async fn release(&self, event_id: &str) -> Result<(), TableError> {
        let delete = self.client.delete_item().table_name(&self.table).key("event_id", text(event_id));
        delete.send().await.map(drop).map_err(failed)
    }
}

fn failed(error: impl Into<Error>) -> TableError {
    TableError(Box::new(error.into()))
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
