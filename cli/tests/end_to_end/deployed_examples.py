"""The examples as Lambda functions, built and deployed by their own templates at the local emulator, with messages of a real
queue: what a user gets who follows their READMEs.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 python tests/end_to_end/deployed_examples.py FOLDER

`sam` must be on the path; FOLDER is where the examples are built.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LONGEST_WAIT = 90


class Example:
    """An example that takes the messages of a FIFO queue."""

    def __init__(self, name, folder, **parameters):
        self.stack, self.sqs = f"{name}-{uuid.uuid4().hex[:8]}", boto3.client("sqs")
        queue = {"FifoQueue": "true"}
        dead = self.sqs.create_queue(QueueName=f"dead-{self.stack}.fifo", Attributes=queue)["QueueUrl"]
        redrive = json.dumps({"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": 3})
        attributes = {**queue, "VisibilityTimeout": "6", "RedrivePolicy": redrive}
        self.url, self.dead = self.sqs.create_queue(QueueName=f"{self.stack}.fifo", Attributes=attributes)["QueueUrl"], dead
        built = folder / name
        shutil.rmtree(built, ignore_errors=True)
        shutil.copytree(EXAMPLES / name, built, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        template = built / "template.yaml"
        # What builds and runs it here is the Python that is here.
        here = f"Runtime: python{sys.version_info.major}.{sys.version_info.minor}"
        template.write_text(re.sub(r"Runtime: python3\.\d+", here, template.read_text("utf-8")), "utf-8")
        parameters |= {"QueueArn": self.arn(self.url), "Architecture": "arm64" if os.uname().machine == "aarch64" else "x86_64"}
        for command in (["build"], [
            "deploy", "--stack-name", self.stack, "--no-confirm-changeset", "--no-progressbar", "--resolve-s3",
            "--capabilities", "CAPABILITY_IAM", "--parameter-overrides", *(f"{k}={v}" for k, v in parameters.items()),
        ]):
            ran = subprocess.run(["sam", *command], cwd=built, capture_output=True, text=True,
                                 env={**os.environ, "SAM_CLI_TELEMETRY": "0"})
            assert ran.returncode == 0, ran.stdout + ran.stderr
        stack = boto3.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def arn(self, url):
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def send(self, event_type, voice_id="v", event_id=None, **event):
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        attributes = {"event_id": event_id or str(uuid.uuid4()), "event_type": event_type, "voice_id": voice_id, "received_at": now}
        kind, name = event_type.split(".")
        self.sqs.send_message(
            QueueUrl=self.url, MessageBody=json.dumps({"voice_id": voice_id, "state" if kind == "call" else "playstate": name, **event}),
            MessageGroupId=f"default:{voice_id}", MessageDeduplicationId=str(uuid.uuid4()),
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()})

    def messages(self, url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        return sum(map(int, self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()))

    def wait_until_empty(self):
        wait_until(lambda: self.messages(self.url) == 0, lambda: f"{self.url} does not become empty: {self.log()}")

    def log(self):
        pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=self.outputs["LogGroupName"])
        return [json.loads(event["message"]) for page in pages for event in page["events"] if event["message"].startswith("{")]

    def handled(self):
        return [line["event_id"] for line in self.log() if line.get("result")]


def wait_until(done, message):
    start = time.monotonic()
    while not done():
        assert time.monotonic() - start < LONGEST_WAIT, message()
        time.sleep(0.2)


def subscriber(name, folder):
    example = Example(name, folder)
    for voice_id in ("a", "b"):
        for state in ("incomingcall", "connected", "bridged", "disconnected"):
            for _ in range(2):
                example.send(f"call.{state}", voice_id, f"{voice_id} {state}", call_duration=12)
    example.send("call.recording_complete", "fails", "fails")  # without its URL
    example.wait_until_empty()
    handled = example.handled()
    for voice_id in ("a", "b"):
        expected = [f"{voice_id} {state}" for state in ("incomingcall", "connected", "bridged", "disconnected")]
        assert [it for it in handled if it.startswith(f"{voice_id} ")] == expected, handled
        item = boto3.resource("dynamodb").Table(example.outputs["CallsTableName"]).get_item(Key={"voice_id": voice_id})["Item"]
        call = json.loads(item["call"])
        assert (call["state"], call["duration_ms"], call["missing"]) == ("disconnected", 12000, []), call
    assert "fails" not in handled and example.messages(example.dead) == 1, handled


def voice_bot(folder):
    asked = []

    class Stub(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_PUT = do_DELETE = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = boto3.client("secretsmanager").create_secret(
        Name=f"enablex-{uuid.uuid4().hex}", SecretString=json.dumps({"app_id": "id", "app_key": "key"}))["ARN"]
    bot = Example("voice-bot", folder, EnableXSecretArn=secret, EnableXUrl=f"http://127.0.0.1:{server.server_port}")
    for event_type, event in (
        ("call.incomingcall", {}), ("call.connected", {}), ("play.digitcollected", {"prompt_ref": "menu-1", "digit": "1"}),
        ("play.playfinished", {"prompt_ref": "last-words"}), ("call.disconnected", {}),
    ):
        event_id = str(uuid.uuid4())
        bot.send(event_type, event_id=event_id, **event)
        bot.send(event_type, event_id=event_id, **event)
    bot.wait_until_empty()
    expected = ["PUT /call/v/accept", "PUT /call/v/play", "PUT /call/v/play", "DELETE /call/v"]
    assert asked == expected, (asked, bot.log())


def main():
    folder = Path(sys.argv[1])
    subscriber("node", folder)
    print("node: each event once, in the order of its call", flush=True)
    subscriber("python", folder)
    print("python: each event once, in the order of its call", flush=True)
    voice_bot(folder)
    print("voice-bot: drives a call through a stub of EnableX's API", flush=True)


if __name__ == "__main__":
    main()
