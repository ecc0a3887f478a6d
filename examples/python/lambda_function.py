"""The subscriber as a Lambda function, on Powertools: each event once by its event_id, and only what failed comes again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor, EventType, SqsFifoPartialProcessor, process_partial_response,
)
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function

from calls import apply_to_table

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from voice_event import Call, CallEvent, VoiceEvent

CALLS = boto3.resource("dynamodb").Table(os.environ["CALLS_TABLE"])
STORE = DynamoDBPersistenceLayer(table_name=os.environ["EVENTS_TABLE"])
CONFIG = IdempotencyConfig(
    event_key_jmespath="messageAttributes.event_id.stringValue",
    raise_on_no_idempotency_key=True,
    expires_after_seconds=28 * 24 * 3600,  # twice as long as SQS can keep a message
)


def handle(event_type: str, event: VoiceEvent, call: Call | None) -> str:
    """What your application does with an event. What it returns is logged: no numbers, digits or links to recordings.

    `event_type` has one spelling for each kind; `call` is what is known about the call by now, whatever order its events
    arrived in.
    """
    if event_type == "call.recording_complete":
        url = cast("CallEvent", event)["recording_url"]
        return f"recorded at {urlsplit(url or '').hostname}"
    if call and call.get("state") == "disconnected" and not call["missing"]:
        return f"{event_type}: over after {call.get('duration_ms', 0) / 1000} s"
    return event_type


@idempotent_function(data_keyword_argument="record", persistence_store=STORE, config=CONFIG)
def handle_once(record: SQSRecord) -> None:
    """Runs once for each event_id. While another invocation is at work on one, it fails and comes again."""
    attributes = {name: value["stringValue"] for name, value in record["messageAttributes"].items()}
    event_id, event_type, event = attributes["event_id"], attributes["event_type"], json.loads(record["body"])
    call = None
    if voice_id := attributes.get("voice_id"):
        call = apply_to_table(CALLS, voice_id, event_id, attributes["received_at"], event)
    print(json.dumps({"event_id": event_id, "result": handle(event_type, event, call)}), flush=True)


def logged(record: SQSRecord) -> None:
    try:
        handle_once(record=record)
    except Exception as error:
        print(json.dumps({"message_id": record["messageId"], "error": repr(error)}), flush=True)
        raise


def handler(batch: dict[str, Any], context: LambdaContext) -> Any:
    CONFIG.register_lambda_context(context)
    is_fifo = batch["Records"][0]["eventSourceARN"].endswith(".fifo")
    # On a FIFO queue no event may overtake an earlier one of its call: the rest of the call waits with the one that failed.
    processor = SqsFifoPartialProcessor(skip_group_on_error=True) if is_fifo else BatchProcessor(EventType.SQS)
    processor.raise_on_entire_batch_failure = False
    return process_partial_response(event=batch, record_handler=logged, processor=processor, context=context)
