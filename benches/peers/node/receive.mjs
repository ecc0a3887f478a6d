// What both functions in JavaScript do with a webhook: EnableX's sample, then SQS by the AWS SDK.
import crypto from 'node:crypto';
import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';

const sqs = new SQSClient({});

export const receivedWith = (createDecipher) => async (request) => {
  const { encrypted_data: data } = JSON.parse(request.body);
  const { 'x-algoritm': algorithm, 'x-format': format, 'x-encoding': encoding } = request.headers;
  const decipher = createDecipher(algorithm, process.env.ENABLEX_APP_ID);
  const text = decipher.update(data, format, encoding) + decipher.final(encoding);
  const event = JSON.parse(text);
  console.log('event', event.state);
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: process.env.QUEUE_URL,
      MessageBody: JSON.stringify(event),
      MessageGroupId: event.voice_id,
      MessageDeduplicationId: crypto.createHash('md5').update(text).digest('hex'),
    }),
  );
  return { statusCode: 200, headers: { 'content-type': 'application/json' }, body: '{}' };
};
