"""What a subscriber of examples/ works with, at the local emulator.

    python subscriber_resources.py create NAME   a queue (FIFO, if the name says so), its dead-letter queue and a table
    python subscriber_resources.py lease TABLE EVENT_ID SECONDS   an event that somebody else is at work on
    python subscriber_resources.py done TABLE    the ids of the events that are done
    python subscriber_resources.py log GROUP     what a function wrote to its log group
"""

import json
import sys
import time

import boto3


def create(name):
    sqs, fifo = boto3.client("sqs"), name.endswith(".fifo")

    def queue(name, attributes):
        attributes = {**attributes, **({"FifoQueue": "true"} if fifo else {})}
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    dead_url, dead_arn = queue(f"dead-{name}", {})
    # On a FIFO queue every event behind one that failed is received again with it, so many receives say nothing.
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 100 if fifo else 3})
    url, arn = queue(name, {"VisibilityTimeout": "3", "RedrivePolicy": redrive})
    table = f"table-{name}"
    boto3.client("dynamodb").create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "event_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "event_id", "AttributeType": "S"}],
    )
    return {"url": url, "arn": arn, "dead_letter_url": dead_url, "table": table}


def lease(table, event_id, seconds):
    item = {"event_id": event_id, "lease_until": int(time.time()) + int(seconds)}
    boto3.resource("dynamodb").Table(table).put_item(Item=item)


def done(table):
    items = boto3.resource("dynamodb").Table(table).scan(ConsistentRead=True)["Items"]
    return sorted(item["event_id"] for item in items if "lease_until" not in item and "expires_at" in item)


def log(group):
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


print(json.dumps({"create": create, "lease": lease, "done": done, "log": log}[sys.argv[1]](*sys.argv[2:])))
