"""Handles each voice event of voicehook's queue once: QUEUE_URL=... EVENTS_TABLE=... python subscriber.py"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import boto3

if TYPE_CHECKING:
    from voice_event import CallEvent, VoiceEvent

SQS, TABLE = boto3.client("sqs"), boto3.resource("dynamodb").Table(os.environ["EVENTS_TABLE"])
QUEUE = {"QueueUrl": os.environ["QUEUE_URL"]}
# The same for every event, in whichever of its spellings EnableX wrote it (state, playstate or event; voice_id or voice_Id).
ATTRIBUTES = ["event_id", "event_type", "voice_id"]
LEASE, REMEMBERED = 30, 28 * 24 * 3600  # seconds: for handling an event; twice as long as SQS can keep one


def handle(event_type: str, voice_id: str | None, event: VoiceEvent) -> str:
    """What your application does with an event. What it returns is printed: no numbers, digits or links to recordings."""
    if event_type == "call.recording_complete":
        url = cast("CallEvent", event)["recording_url"]
        return f"recorded at {urlsplit(url or '').hostname}"
    return event_type


def handle_once(message):
    """Handles an event unless that is done already. An error leaves the message on the queue."""
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    event_id, voice_id = attributes["event_id"], attributes.get("voice_id")
    now = int(time.time())
    item = {"event_id": event_id, "expires_at": now + REMEMBERED}
    free = "attribute_not_exists(event_id) OR lease_until < :now"
    try:
        TABLE.put_item(Item={**item, "lease_until": now + LEASE}, ConditionExpression=free,
                       ExpressionAttributeValues={":now": now}, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    except TABLE.meta.client.exceptions.ConditionalCheckFailedException as taken:
        if "lease_until" in taken.response["Item"]:
            raise  # somebody else is at work on it
        return
    try:
        result = handle(attributes["event_type"], voice_id, json.loads(message["Body"]))
        print(event_id, voice_id, result, flush=True)
    except Exception:
        TABLE.delete_item(Key={"event_id": event_id})
        raise
    TABLE.put_item(Item=item)


while True:
    received = SQS.receive_message(**QUEUE, MaxNumberOfMessages=10, WaitTimeSeconds=20, MessageAttributeNames=ATTRIBUTES,
                                   MessageSystemAttributeNames=["MessageGroupId"])
    failed = set()  # on a FIFO queue no event may overtake an earlier one of its call
    for message in received.get("Messages", []):
        call = QUEUE["QueueUrl"].endswith(".fifo") and message["Attributes"]["MessageGroupId"]
        if call and call in failed:
            continue
        try:
            handle_once(message)
            SQS.delete_message(**QUEUE, ReceiptHandle=message["ReceiptHandle"])
        except Exception as error:  # it comes again after the queue's visibility timeout
            failed.add(call)
            print(f"failed: {error!r}", flush=True)
