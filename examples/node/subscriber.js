// Handles each voice event of voicehook's queue once: QUEUE_URL=... EVENTS_TABLE=... node subscriber.js
import { DynamoDB } from '@aws-sdk/client-dynamodb';
import { SQS } from '@aws-sdk/client-sqs';

const { QUEUE_URL: QueueUrl, EVENTS_TABLE: TableName } = process.env;
const [sqs, dynamodb] = [new SQS(), new DynamoDB()];
// The same for every event, in whichever of its spellings EnableX wrote it (state, playstate or event; voice_id or voice_Id).
const ATTRIBUTES = ['event_id', 'event_type', 'voice_id'];
const [LEASE, REMEMBERED] = [30, 28 * 24 * 3600]; // seconds: for handling an event; twice as long as SQS can keep one

/**
 * What your application does with an event. What it returns is printed: no numbers, digits or links to recordings.
 * @param {string} eventType
 * @param {string | undefined} voiceId
 * @param {import('./voice-event.d.ts').CallEvent & import('./voice-event.d.ts').PlayEvent} event
 */
async function handle(eventType, voiceId, event) {
  if (eventType === 'call.recording_complete') return `recorded at ${new URL(event.recording_url).hostname}`;
  return eventType;
}

/** Handles an event unless that is done already. An error leaves the message on the queue. */
async function handleOnce({ MessageAttributes, Body }) {
  const [eventId, eventType, voiceId] = ATTRIBUTES.map((name) => MessageAttributes[name]?.StringValue);
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
    console.log(eventId, voiceId, await handle(eventType, voiceId, JSON.parse(Body)));
  } catch (error) {
    await dynamodb.deleteItem({ TableName, Key });
    throw error;
  }
  await dynamodb.putItem({ TableName, Item });
}

for (;;) {
  const { Messages = [] } = await sqs.receiveMessage({
    QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: ATTRIBUTES,
    MessageSystemAttributeNames: ['MessageGroupId'],
  });
  const failed = new Set(); // on a FIFO queue no event may overtake an earlier one of its call
  for (const message of Messages) {
    const call = QueueUrl.endsWith('.fifo') && message.Attributes.MessageGroupId;
    if (call && failed.has(call)) continue;
    try {
      await handleOnce(message);
      await sqs.deleteMessage({ QueueUrl, ReceiptHandle: message.ReceiptHandle });
    } catch (error) { // it comes again after the queue's visibility timeout
      failed.add(call);
      console.log(`failed: ${error}`);
    }
  }
}
