// @ts-check
// The bot as a Lambda function: each event once, in the order of its call, and only what failed comes again.
import { SqsFifoPartialProcessorAsync, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { SecretsManager } from '@aws-sdk/client-secrets-manager';

import { react } from './bot.js';
import { EnableX } from './enablex.js';

const { EVENTS_TABLE = '', ENABLEX_SECRET = '', ENABLEX_URL } = process.env;
const config = new IdempotencyConfig({
  eventKeyJmesPath: 'messageAttributes.event_id.stringValue', throwOnNoIdempotencyKey: true, expiresAfterSeconds: 28 * 24 * 3600,
});
const persistenceStore = new DynamoDBPersistenceLayer({ tableName: EVENTS_TABLE });

/** @type {Promise<EnableX> | undefined} */
let connected;

/** The API with the credentials of the secret `{"app_id": "…", "app_key": "…"}`. A failure is not kept. */
function enablex() {
  connected ??= (async () => {
    const { SecretString = '' } = await new SecretsManager().getSecretValue({ SecretId: ENABLEX_SECRET });
    const { app_id: appId, app_key: appKey } = JSON.parse(SecretString);
    return new EnableX({ appId, appKey, baseUrl: ENABLEX_URL });
  })();
  connected.catch(() => { connected = undefined; });
  return connected;
}

const reactOnce = makeIdempotent(async (/** @type {import('aws-lambda').SQSRecord} */ { messageAttributes, body }) => {
  const [eventId, eventType = '', voiceId, receivedAt = ''] = ['event_id', 'event_type', 'voice_id', 'received_at']
    .map((name) => messageAttributes[name]?.stringValue);
  const result = voiceId ? await react(await enablex(), { eventType, voiceId, receivedAt, event: JSON.parse(body) }) : 'nothing';
  console.log(JSON.stringify({ event_id: eventId, result }));
}, { persistenceStore, config });

/** @param {import('aws-lambda').SQSRecord} record */
async function logged(record) {
  try {
    await reactOnce(record);
  } catch (error) {
    console.log(JSON.stringify({ event_id: record.messageAttributes.event_id?.stringValue, error: String(error) }));
    throw error;
  }
}

/** @param {import('aws-lambda').SQSEvent} batch @param {import('aws-lambda').Context} context */
export async function handler(batch, context) {
  config.registerLambdaContext(context);
  const options = { context, throwOnFullBatchFailure: false, skipGroupOnError: true };
  return processPartialResponse(batch, logged, new SqsFifoPartialProcessorAsync(), options);
}
