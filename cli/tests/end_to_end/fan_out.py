"""deploy/fan-out.yaml at the local emulator, as far as that goes: it has neither archives nor pipes from SQS to a bus, so the
stack is deployed without the two, and what the pipe writes is written by hand.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 python tests/end_to_end/fan_out.py
"""

import json
import re
import sys
import time
import uuid
from pathlib import Path

import boto3

TEMPLATE = Path(__file__).resolve().parents[3] / "deploy" / "fan-out.yaml"


def without(text, *resources):
    """The template without resources, and without what refers to them in the outputs."""
    for name in resources:
        text, removed = re.subn(rf"\n  {name}:\n(?:    .*\n|\n(?=    ))+", "\n", text)
        assert removed == 1, name
    return re.sub(r"\n  ArchiveName:\n(?:    .*\n)+", "\n", text)


def deploy():
    cloudformation, name = boto3.client("cloudformation"), f"fan-out-{uuid.uuid4().hex[:8]}"
    cloudformation.create_stack(
        StackName=name, TemplateBody=without(TEMPLATE.read_text("utf-8"), "Pipe", "Archive"), Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": "QueueArn", "ParameterValue": "arn:aws:sqs:us-east-1:000000000000:events.fifo"}])
    for _ in range(60):
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] != "CREATE_IN_PROGRESS":
            break
        time.sleep(0.5)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def entry(bus, state, source="voicehook"):
    """An entry as the pipe's parameters make it of a message."""
    attributes = {"event_id": state, "event_type": f"call.{state}", "voice_id": "v"}
    attributes = {name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()}
    detail = {"attributes": attributes, "event": {"voice_id": "v", "state": state}}
    return {"EventBusName": bus, "Source": source, "DetailType": f"call.{state}", "Detail": json.dumps(detail)}


def received(queue_url):
    """The ids and states of the events on a queue, as a subscriber reads them."""
    found, sqs = [], boto3.client("sqs")
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in messages:
            body = json.loads(message["Body"])
            found.append((body["attributes"]["event_id"]["stringValue"], body["event"]["state"]))
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found)


def main():
    outputs = deploy()
    states = ["connected", "recording_complete", "disconnected"]
    entries = [entry(outputs["BusName"], state) for state in states] + [entry(outputs["BusName"], "connected", "somebody")]
    response = boto3.client("events").put_events(Entries=entries)
    assert response["FailedEntryCount"] == 0, response
    every, finished = received(outputs["AllEventsQueueUrl"]), received(outputs["FinishedCallsQueueUrl"])
    assert every == sorted((state, state) for state in states), every
    assert finished == [("disconnected", "disconnected"), ("recording_complete", "recording_complete")], finished
    assert received(outputs["UndeliveredQueueUrl"]) == []
    print("both subscribers got their events")


if __name__ == "__main__":
    sys.exit(main())
