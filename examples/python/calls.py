"""Calls in a DynamoDB table. Two functions that take in events of one call at the same time do not overwrite each other:
each writes only if the item is still the one that it read, and reads again if it is not.
"""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

from call import apply, new_call

if TYPE_CHECKING:
    from voice_event import Call, VoiceEvent

ATTEMPTS, REMEMBERED = 20, 28 * 24 * 3600  # a call is kept for four weeks, in seconds


def apply_to_table(table: Any, voice_id: str, event_id: str, received_at: str, event: VoiceEvent) -> Call:
    """Takes an event into its call, and returns the call as it is now.

    `table` is boto3's; its key is `voice_id`, its time to live `expires_at`.
    """
    for attempt in range(1, ATTEMPTS + 1):
        item = table.get_item(Key={"voice_id": voice_id}, ConsistentRead=True).get("Item")
        before = json.loads(item["call"]) if item else new_call(voice_id)
        after = apply(before, event_id, received_at, event)
        if after is before:  # it was applied before
            return after
        version = int(item["version"]) if item else 0
        try:
            table.put_item(
                Item={"voice_id": voice_id, "call": json.dumps(after), "state": after.get("state", "unknown"),
                      "version": version + 1, "expires_at": int(time.time()) + REMEMBERED},
                ConditionExpression="attribute_not_exists(voice_id) OR version = :read",
                ExpressionAttributeValues={":read": version},
            )
            return after
        except table.meta.client.exceptions.ConditionalCheckFailedException:
            if attempt == ATTEMPTS:
                raise
            time.sleep(random.uniform(0, 0.01 * attempt))  # somebody else was faster
    raise AssertionError("unreachable")
