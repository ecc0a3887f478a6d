"""The Lambda function at an emulator of DynamoDB and SQS: AWS_ENDPOINT_URL=http://127.0.0.1:4566 python -m unittest"""

import contextlib
import importlib
import io
import json
import os
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace


@unittest.skipUnless("AWS_ENDPOINT_URL" in os.environ, "AWS_ENDPOINT_URL names no emulator")
class Lambda(unittest.TestCase):
    def set_up(self, fifo=False):
        """A queue, and the function that takes its messages."""
        import boto3

        self.dynamodb, self.sqs, name = boto3.resource("dynamodb"), boto3.client("sqs"), str(uuid.uuid4())
        for variable, table, key in (("EVENTS_TABLE", f"events-{name}", "id"), ("CALLS_TABLE", f"calls-{name}", "voice_id")):
            self.dynamodb.create_table(
                TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}])
            os.environ[variable] = table
        os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "subscriber"
        import lambda_function

        self.function = importlib.reload(lambda_function)
        self.fifo, self.name = fifo, f"{name}.fifo" if fifo else name
        attributes = {"FifoQueue": "true"} if fifo else {}
        self.queue_url = self.sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        self.log = io.StringIO()

    def send(self, voice_id, state, event_id=None, **more):
        event_id = f"{voice_id} {state}" if event_id is None else event_id
        attributes = {"event_id": event_id, "event_type": f"call.{state}", "voice_id": voice_id,
                      "received_at": "2026-11-23T10:52:06.000Z"}
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value}
        group = {"MessageGroupId": f"default:{voice_id}", "MessageDeduplicationId": str(uuid.uuid4())} if self.fifo else {}
        body = json.dumps({"voice_id": voice_id, "state": state, **more})
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body, MessageAttributes=attributes, **group)

    def invoke(self):
        """Hands the queue's messages to the function, and deletes what it does not report, as Lambda does."""
        messages = self.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"], VisibilityTimeout=0).get("Messages", [])
        records = [{
            "messageId": it["MessageId"], "body": it["Body"], "receiptHandle": it["ReceiptHandle"],
            "attributes": it["Attributes"], "eventSource": "aws:sqs", "awsRegion": "us-east-1",
            "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{self.name}",
            "messageAttributes": {name: {"stringValue": value["StringValue"], "dataType": "String"}
                                  for name, value in it.get("MessageAttributes", {}).items()},
        } for it in messages]
        context = SimpleNamespace(function_name="subscriber", aws_request_id="1", get_remaining_time_in_millis=lambda: 30000)
        with contextlib.redirect_stdout(self.log):
            response = self.function.handler({"Records": records}, context)
        failed = [failure["itemIdentifier"] for failure in response["batchItemFailures"]]
        for record in records:
            if record["messageId"] not in failed:
                self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=record["receiptHandle"])
        bodies = (json.loads(it["body"]) for it in records if it["messageId"] in failed)
        return [f"{body['voice_id']} {body['state']}" for body in bodies]

    def call(self, voice_id):
        item = self.dynamodb.Table(os.environ["CALLS_TABLE"]).get_item(Key={"voice_id": voice_id})["Item"]
        return json.loads(item["call"])

    def test_one_poisonous_event_fails_alone_and_the_others_are_handled_once_though_they_come_twice(self):
        self.set_up()
        self.send("a", "disconnected", call_duration=12)
        self.send("a", "recording_complete")  # without its URL
        self.send("a", "connected")
        self.send("a", "incomingcall")
        self.send("a", "connected")
        self.assertEqual(self.invoke(), ["a recording_complete"])
        self.assertEqual(self.invoke(), ["a recording_complete"], "it comes again")
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        handled = sorted(line["event_id"] for line in lines if line.get("result"))
        self.assertEqual(handled, ["a connected", "a disconnected", "a incomingcall"])
        call = self.call("a")
        self.assertEqual((call["state"], call["duration_ms"], call["missing"]), ("disconnected", 12000, []))

    def test_on_a_fifo_queue_the_rest_of_the_call_waits_for_the_event_that_failed_and_other_calls_do_not(self):
        self.set_up(fifo=True)
        self.send("a", "connected")
        self.send("a", "recording_complete")
        self.send("b", "connected")
        self.send("a", "disconnected")
        self.assertEqual(self.invoke(), ["a recording_complete", "a disconnected"])
        self.assertEqual(self.call("b")["state"], "connected")

    def test_a_message_without_an_event_id_fails_and_takes_nobody_with_it(self):
        self.set_up()
        self.send("a", "connected")
        self.send("a", "hold", event_id="")
        self.assertEqual(self.invoke(), ["a hold"])

    def test_functions_that_write_the_same_call_at_the_same_time_lose_nothing(self):
        self.set_up()
        from calls import apply_to_table

        table = self.dynamodb.Table(os.environ["CALLS_TABLE"])

        def write(number):
            event = {"voice_id": "a", "playstate": "digitcollected", "digit": str(number)}
            apply_to_table(table, "a", f"e{number}", f"2026-11-23T10:52:0{number}.000Z", event)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, [*range(8), *range(8)]))
        answers = self.call("a")["prompts"][0]["answers"]
        self.assertEqual("".join(answer["digits"] for answer in answers), "01234567")


if __name__ == "__main__":
    unittest.main()
