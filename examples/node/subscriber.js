// Handles each voice event of voicehook's queue once: QUEUE_URL=... EVENTS_TABLE=... node subscriber.js
import { DynamoDB } from '@aws-sdk/client-dynamodb';
import { SQS } from '@aws-sdk/client-sqs';

const { QUEUE_URL: QueueUrl, EVENTS_TABLE: TableName } = process.env;
const [sqs, dynamodb] = [new SQS(), new DynamoDB()];
const [LEASE, REMEMBERED] = [30, 28 * 24 * 3600]; // seconds: for handling an event; twice as long as SQS can keep one

/** What your application does with an event. What it returns is printed: no numbers, digits or links to recordings. */
async function handle(event) {
  if (event.state === 'recording_complete') return `recorded at ${new URL(event.recording_url).hostname}`;
  return event.state ?? event.playstate;
}

/** Handles an event unless that is done already. An error leaves the message on the queue. */
async function handleOnce(eventId, event) {
  const now = Math.floor(Date.now() / 1000);
  const Key = { event_id: { S: eventId } };
  const Item = { ...Key, expires_at: { N: `${now + REMEMBERED}` } };
  try {
    await dynamodb.putItem({
      TableName, Item: { ...Item, lease_until: { N: `${now + LEASE}` } },
      ConditionExpression: 'attribute_not_exists(event_id) OR lease_until < :now',
      ExpressionAttributeValues: { ':now': { N: `${now}` } }, ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
  } catch (error) {
    if (error.name === 'ConditionalCheckFailedException' && !error.Item?.lease_until) return;
    throw error; // among others: somebody else is at work on it
  }
  try {
    console.log(eventId, event.voice_id, await handle(event));
  } catch (error) {
    await dynamodb.deleteItem({ TableName, Key });
    throw error;
  }
  await dynamodb.putItem({ TableName, Item });
}

for (;;) {
  const { Messages = [] } = await sqs.receiveMessage({
    QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: ['event_id'],
    MessageSystemAttributeNames: ['MessageGroupId'],
  });
  const failed = new Set(); // on a FIFO queue no event may overtake an earlier one of its call
  for (const { Body, ReceiptHandle, MessageAttributes, Attributes } of Messages) {
    const call = QueueUrl.endsWith('.fifo') && Attributes.MessageGroupId;
    if (call && failed.has(call)) continue;
    try {
      await handleOnce(MessageAttributes.event_id.StringValue, JSON.parse(Body));
      await sqs.deleteMessage({ QueueUrl, ReceiptHandle });
    } catch (error) { // it comes again after the queue's visibility timeout
      failed.add(call);
      console.log(`failed: ${error}`);
    }
  }
}
