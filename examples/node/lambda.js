// @ts-check
// The subscriber as a Lambda function, on Powertools: each event once by its event_id, and only what failed comes again.
import { BatchProcessor, EventType, SqsFifoPartialProcessorAsync, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';
import { DynamoDB } from '@aws-sdk/client-dynamodb';

import { applyToTable } from './calls.js';

/** @typedef {import('./voice-event.d.ts').Call} Call */
/** @typedef {import('./voice-event.d.ts').CallEvent & import('./voice-event.d.ts').PlayEvent} Event */

const { EVENTS_TABLE = '', CALLS_TABLE = '' } = process.env;
const dynamodb = new DynamoDB();
const config = new IdempotencyConfig({
  eventKeyJmesPath: 'messageAttributes.event_id.stringValue',
  throwOnNoIdempotencyKey: true,
  expiresAfterSeconds: 28 * 24 * 3600, // twice as long as SQS can keep a message
});
const persistenceStore = new DynamoDBPersistenceLayer({ tableName: EVENTS_TABLE });

/**
 * What your application does with an event. What it returns is logged: no numbers, digits or links to recordings.
 * @param {string} eventType one spelling for each kind, as in the message's attribute
 * @param {Event} event
 * @param {Call | undefined} call what is known about the call by now, whatever order its events arrived in
 */
async function handle(eventType, event, call) {
  if (eventType === 'call.recording_complete') return `recorded at ${new URL(event.recording_url ?? '').hostname}`;
  if (call?.state === 'disconnected' && call.missing.length === 0) return `${eventType}: over after ${(call.duration_ms ?? 0) / 1000} s`;
  return eventType;
}

/** @param {import('aws-lambda').SQSRecord} record */
async function handleRecord({ messageAttributes, body }) {
  const [eventId, eventType, voiceId, receivedAt] = ['event_id', 'event_type', 'voice_id', 'received_at']
    .map((name) => messageAttributes[name]?.stringValue ?? '');
  const event = JSON.parse(body);
  const call = voiceId ? await applyToTable(dynamodb, CALLS_TABLE, { voiceId, eventId, receivedAt, event }) : undefined;
  const result = await handle(eventType, event, call);
  console.log(JSON.stringify({ event_id: eventId, result }));
}

/** Runs handleRecord once for each event_id. While another invocation is at work on one, it fails and comes again. */
const handleOnce = makeIdempotent(handleRecord, { persistenceStore, config });

/** @param {import('aws-lambda').SQSRecord} record */
async function logged(record) {
  try {
    await handleOnce(record);
  } catch (error) {
    console.log(JSON.stringify({ event_id: record.messageAttributes.event_id?.stringValue, error: String(error) }));
    throw error;
  }
}

/** @param {import('aws-lambda').SQSEvent} batch @param {import('aws-lambda').Context} context */
export async function handler(batch, context) {
  config.registerLambdaContext(context);
  const options = { context, throwOnFullBatchFailure: false };
  if (!batch.Records[0].eventSourceARN.endsWith('.fifo')) {
    // One after the other: a message that is twice in a batch would meet itself, and fail.
    return processPartialResponse(batch, logged, new BatchProcessor(EventType.SQS), { ...options, processInParallel: false });
  }
  // No event may overtake an earlier one of its call: the rest of the call waits with the one that failed.
  return processPartialResponse(batch, logged, new SqsFifoPartialProcessorAsync(), { ...options, skipGroupOnError: true });
}
