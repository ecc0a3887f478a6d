// The bot as a Lambda function, at an emulator of DynamoDB and Secrets Manager: AWS_ENDPOINT_URL=http://127.0.0.1:4566 node --test
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';

import { startStub } from '../stub.js';

const skip = process.env.AWS_ENDPOINT_URL ? false : 'AWS_ENDPOINT_URL names no emulator';

test('an event that comes twice is acted on once, and one that failed is tried again', { skip }, async (t) => {
  const { DynamoDB } = await import('@aws-sdk/client-dynamodb');
  const { SecretsManager } = await import('@aws-sdk/client-secrets-manager');
  const [stub, name] = [await startStub(t), randomUUID()];
  await new DynamoDB().createTable({
    TableName: name, BillingMode: 'PAY_PER_REQUEST', KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
  });
  await new SecretsManager().createSecret({ Name: name, SecretString: JSON.stringify({ app_id: 'id', app_key: 'key' }) });
  Object.assign(process.env, { EVENTS_TABLE: name, ENABLEX_SECRET: name, ENABLEX_URL: stub.baseUrl, AWS_LAMBDA_FUNCTION_NAME: 'bot' });
  const { handler } = await import('../lambda.js');
  const record = (eventId, eventType, event) => ({
    messageId: `message of ${eventId}`, body: JSON.stringify({ voice_id: 'v', ...event }), attributes: { MessageGroupId: 'default:v' },
    eventSource: 'aws:sqs', eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:events.fifo',
    messageAttributes: Object.fromEntries(Object.entries({
      event_id: eventId, event_type: eventType, voice_id: 'v', received_at: new Date().toISOString(),
    }).map(([key, stringValue]) => [key, { stringValue, dataType: 'String' }])),
  });
  const invoke = async (...Records) => {
    const context = { functionName: 'bot', awsRequestId: randomUUID(), getRemainingTimeInMillis: () => 30_000 };
    const { batchItemFailures } = await handler({ Records }, context);
    return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
  };
  const [incoming, connected] = [record('1', 'call.incomingcall'), record('2', 'call.connected')];
  stub.answers.push(200, 503);
  assert.deepEqual(await invoke(incoming, connected), ['message of 2']);
  assert.deepEqual(await invoke(incoming, connected, connected), []);
  const asked = stub.requests.map(({ path }) => path.split('/').at(-1));
  assert.deepEqual(asked, ['accept', 'play', 'play'], 'accepted once; the menu twice, because the first time failed');
});
