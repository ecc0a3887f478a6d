// The Lambda function at an emulator of DynamoDB and SQS: AWS_ENDPOINT_URL=http://127.0.0.1:4566 node --test
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';

const skip = process.env.AWS_ENDPOINT_URL ? false : 'AWS_ENDPOINT_URL names no emulator';

/** A queue with messages as voicehook writes them, and the function that takes them. */
async function setUp({ fifo = false } = {}) {
  const { DynamoDB } = await import('@aws-sdk/client-dynamodb');
  const { SQS } = await import('@aws-sdk/client-sqs');
  const [dynamodb, sqs, name] = [new DynamoDB(), new SQS(), randomUUID()];
  const table = async (TableName, AttributeName) => {
    await dynamodb.createTable({
      TableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: [{ AttributeName, KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName, AttributeType: 'S' }],
    });
    return TableName;
  };
  process.env.EVENTS_TABLE = await table(`events-${name}`, 'id');
  process.env.CALLS_TABLE = await table(`calls-${name}`, 'voice_id');
  process.env.AWS_LAMBDA_FUNCTION_NAME = 'subscriber';
  const { handler } = await import(`../lambda.js?${name}`);
  const QueueName = fifo ? `${name}.fifo` : name;
  const { QueueUrl } = await sqs.createQueue({ QueueName, Attributes: fifo ? { FifoQueue: 'true' } : {} });

  const send = async (voiceId, state, more = {}, eventId = `${voiceId} ${state}`) => {
    const attributes = { event_id: eventId, event_type: `call.${state}`, voice_id: voiceId, received_at: '2026-11-23T10:52:06.000Z' };
    const MessageAttributes = Object.fromEntries(
      Object.entries(attributes).filter(([, value]) => value).map(([key, StringValue]) => [key, { DataType: 'String', StringValue }]));
    const MessageBody = JSON.stringify({ voice_id: voiceId, state, ...more });
    const group = fifo ? { MessageGroupId: `default:${voiceId}`, MessageDeduplicationId: randomUUID() } : {};
    await sqs.sendMessage({ QueueUrl, MessageBody, MessageAttributes, ...group });
  };
  /** Hands the queue's messages to the function, and deletes what it does not report, as Lambda does. */
  const invoke = async () => {
    const { Messages = [] } = await sqs.receiveMessage({
      QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'], MessageSystemAttributeNames: ['All'], VisibilityTimeout: 0,
    });
    const Records = Messages.map(({ MessageId, Body, ReceiptHandle, Attributes, MessageAttributes }) => ({
      messageId: MessageId, body: Body, receiptHandle: ReceiptHandle, attributes: Attributes, eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${QueueName}`, awsRegion: 'us-east-1',
      messageAttributes: Object.fromEntries(Object.entries(MessageAttributes ?? {}).map(
        ([key, { StringValue }]) => [key, { stringValue: StringValue, dataType: 'String' }])),
    }));
    const context = { functionName: 'subscriber', awsRequestId: randomUUID(), getRemainingTimeInMillis: () => 30_000 };
    const { batchItemFailures } = await handler({ Records }, context);
    const failed = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    for (const { messageId, receiptHandle } of Records) {
      if (!failed.includes(messageId)) await sqs.deleteMessage({ QueueUrl, ReceiptHandle: receiptHandle });
    }
    return Records.filter(({ messageId }) => failed.includes(messageId)).map(({ body }) => JSON.parse(body));
  };
  const call = async (voiceId) => {
    const { Item } = await dynamodb.getItem({ TableName: process.env.CALLS_TABLE, Key: { voice_id: { S: voiceId } } });
    return Item && JSON.parse(Item.call.S);
  };
  return { dynamodb, send, invoke, call };
}

/** The lines that the function has logged since. */
function logged(t) {
  const lines = [];
  t.mock.method(console, 'log', (line) => lines.push(JSON.parse(line)));
  return lines;
}

test('one poisonous event fails alone, the others are handled once though they come twice', { skip }, async (t) => {
  const { send, invoke, call } = await setUp();
  const lines = logged(t);
  await send('a', 'disconnected', { call_duration: 12 });
  await send('a', 'recording_complete'); // without its URL
  await send('a', 'connected');
  await send('a', 'incomingcall');
  await send('a', 'connected');
  const failed = await invoke();
  assert.deepEqual(failed.map(({ state }) => state), ['recording_complete']);
  assert.equal((await invoke()).length, 1, 'it comes again');
  const handled = lines.filter(({ result }) => result).map(({ event_id }) => event_id).sort();
  assert.deepEqual(handled, ['a connected', 'a disconnected', 'a incomingcall']);
  const { state, duration_ms, missing } = await call('a');
  assert.deepEqual({ state, duration_ms, missing }, { state: 'disconnected', duration_ms: 12000, missing: [] });
});

test('on a FIFO queue the rest of the call waits for the event that failed, and other calls do not', { skip }, async () => {
  const { send, invoke, call } = await setUp({ fifo: true });
  await send('a', 'connected');
  await send('a', 'recording_complete');
  await send('b', 'connected');
  await send('a', 'disconnected');
  const failed = await invoke();
  assert.deepEqual(failed.map(({ voice_id, state }) => `${voice_id} ${state}`), ['a recording_complete', 'a disconnected']);
  assert.equal((await call('b')).state, 'connected');
});

test('a message without an event_id fails and takes nobody with it', { skip }, async () => {
  const { send, invoke } = await setUp();
  await send('a', 'connected');
  await send('a', 'hold', {}, '');
  assert.deepEqual((await invoke()).map(({ state }) => state), ['hold']);
});

test('functions that write the same call at the same time lose nothing', { skip }, async () => {
  const { dynamodb, call } = await setUp();
  const { applyToTable } = await import('../calls.js');
  const keys = Array.from({ length: 8 }, (_, number) => ({
    voiceId: 'a', eventId: `e${number}`, receivedAt: `2026-11-23T10:52:0${number}.000Z`,
    event: { voice_id: 'a', playstate: 'digitcollected', digit: `${number}` },
  }));
  await Promise.all([...keys, ...keys].map((delivery) => applyToTable(dynamodb, process.env.CALLS_TABLE, delivery)));
  const [{ answers }] = (await call('a')).prompts;
  assert.equal(answers.map(({ digits }) => digits).join(''), '01234567');
});
