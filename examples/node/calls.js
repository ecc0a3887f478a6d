// @ts-check
// Calls in a DynamoDB table. Two functions that take in events of one call at the same time do not overwrite each other:
// each writes only if the item is still the one that it read, and reads again if it is not.
import { setTimeout } from 'node:timers/promises';

import { apply, newCall } from './call.js';

/** @typedef {import('./voice-event.d.ts').Call} Call */

const [ATTEMPTS, REMEMBERED] = [20, 28 * 24 * 3600]; // a call is kept for four weeks, in seconds

/**
 * Takes an event into its call, and returns the call as it is now.
 * @param {import('@aws-sdk/client-dynamodb').DynamoDB} dynamodb
 * @param {string} TableName its key is `voice_id`, its time to live `expires_at`
 * @param {{ voiceId: string, eventId: string, receivedAt: string, event: import('./voice-event.d.ts').VoiceEvent }} delivery
 * @returns {Promise<Call>}
 */
export async function applyToTable(dynamodb, TableName, { voiceId, eventId, receivedAt, event }) {
  const Key = { voice_id: { S: voiceId } };
  for (let attempt = 1; ; attempt += 1) {
    const { Item } = await dynamodb.getItem({ TableName, Key, ConsistentRead: true });
    /** @type {Call} */
    const before = Item?.call.S ? JSON.parse(Item.call.S) : newCall(voiceId);
    const after = apply(before, eventId, receivedAt, event);
    if (after === before) return after; // it was applied before
    const version = Item?.version.N ?? '0';
    try {
      await dynamodb.putItem({
        TableName,
        Item: {
          ...Key, call: { S: JSON.stringify(after) }, state: { S: after.state ?? 'unknown' }, version: { N: `${Number(version) + 1}` },
          expires_at: { N: `${Math.floor(Date.now() / 1000) + REMEMBERED}` },
        },
        ConditionExpression: 'attribute_not_exists(voice_id) OR version = :read',
        ExpressionAttributeValues: { ':read': { N: version } },
      });
      return after;
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException' || attempt === ATTEMPTS) throw error;
      await setTimeout(Math.random() * 10 * attempt); // somebody else was faster
    }
  }
}
