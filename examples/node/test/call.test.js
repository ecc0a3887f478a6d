// The calls of examples/fixtures: node --test
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';

import { apply, merge, newCall } from '../call.js';

const FOLDER = new URL('../../fixtures/calls/', import.meta.url);
const fixtures = readdirSync(FOLDER).map((name) => ({ name, ...JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) }));

const callOf = (voiceId, deliveries) => deliveries.reduce(
  (call, { event_id, received_at, event }) => apply(call, event_id, received_at, event), newCall(voiceId));

/** Numbers that look random and are the same each time. */
function* numbers(seed) {
  for (;;) yield (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
}

function shuffled(list, random) {
  const keyed = list.map((it) => [random.next().value, it]);
  return keyed.sort(([a], [b]) => a - b).map(([, it]) => it);
}

test('there are fixtures', () => assert.ok(fixtures.length >= 12));

for (const { name, description, voice_id, deliveries, call } of fixtures) {
  test(`${name}: ${description}`, () => {
    assert.deepEqual(callOf(voice_id, deliveries), call);
    const random = numbers(7);
    for (let round = 0; round < 30; round += 1) {
      const again = deliveries.filter(() => random.next().value < 0.4);
      const order = shuffled([...deliveries, ...again], random);
      const whole = callOf(voice_id, order);
      assert.deepEqual(whole, call);
      const split = Math.floor(random.next().value * (order.length + 1));
      const [a, b] = [order.slice(0, split), order.slice(split)].map((part) => JSON.parse(JSON.stringify(callOf(voice_id, part))));
      assert.deepEqual(merge(a, b), call);
      assert.deepEqual(merge(b, a), call);
      assert.equal(merge(whole, a), whole, 'what is known changes nothing');
    }
  });
}
