/** A facilitator that misbehaves is named to the operator in words he can act on. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Reply } from './support/facilitator.ts';
import { eventually, expectNextGoodRequest, expectProblem, openWorld, payFor, send, type World } from './support/world.ts';

const UNAVAILABLE = { status: 503, code: 'facilitator_unavailable', retryAfter: 10 } as const;
const UNKNOWN = { status: 503, code: 'settlement_unknown', retryAfter: 5 } as const;
const JSON_TYPE = { 'Content-Type': 'application/json' };
const HTML = { kind: 'raw', status: 200, headers: { 'Content-Type': 'text/html' }, body: '<h1>Welcome</h1>' } as const;
const PATIENCE_MS = 40_000;

const operations = { verify: 'isValid', settle: 'success' } as const;
type Operation = keyof typeof operations;

/** What it does, and what the log says of it. */
function faults(operation: Operation): readonly (readonly [what: string, reply: Reply, words: string])[] {
  const good = `{"${operations[operation]}":true,"transaction":"0x${'ab'.repeat(32)}","network":"eip155:84532"}`;
  return [
    [
      'a redirect',
      { kind: 'raw', status: 308, headers: { ...JSON_TYPE, Location: 'https://elsewhere.example/' }, body: good },
      'redirects, which is not followed (status 308)',
    ],
    ['HTML', HTML, 'answers without JSON (status 200)'],
    [
      'a broken gateway',
      { kind: 'raw', status: 502, headers: { 'Content-Type': 'text/html' }, body: '<h1>Bad Gateway</h1>' },
      'answers without JSON (status 502)',
    ],
    ['bytes that trickle past the deadline', { kind: 'drip', text: good, everyMs: 700 }, 'does not answer in time'],
    [
      'too many bytes',
      { kind: 'raw', status: 200, headers: JSON_TYPE, body: good.replace('}', `,"filler":"${'a'.repeat(70_000)}"}`) },
      'answers with too many bytes',
    ],
    [
      'JSON of something else',
      { kind: 'json', body: { hello: 'world' } },
      `answers with JSON without ${operations[operation]} (status 200)`,
    ],
    [
      'an error in JSON',
      { kind: 'json', status: 500, body: { error: 'boom' } },
      `answers with JSON without ${operations[operation]} (status 500)`,
    ],
    ['a flag as text', { kind: 'json', body: { [operations[operation]]: 'true' } }, `answers with JSON without ${operations[operation]}`],
    ['a lost connection', { kind: 'destroy' }, 'loses the connection'],
    [
      'no key and a wish for one',
      { kind: 'json', status: 401, body: { error: 'who are you' } },
      'requires a key (status 401); set its auth in FACILITATOR_URL',
    ],
  ];
}

describe('a facilitator that misbehaves', { concurrency: 4 }, () => {
  for (const [at, [what]] of faults('verify').entries()) {
    //
    it(`with ${what} is named in the log once a minute, and harms no payer`, async () => {
      const world = await openWorld();
      const started = performance.now();
      try {
        const connection = await world.gate.connect();
        for (const operation of Object.keys(operations) as Operation[]) {
          const [, reply, words] = faults(operation)[at] ?? assert.fail();
          const path = `/after/fault-${operation}`;
          const payment = await payFor(world, path);
          world.facilitator.script(payment.payer, { [operation]: reply });
          for (let turn = 0; turn < 2; turn += 1) {
            const answer = await send(world, path, payment, { connection });
            expectProblem(answer, operation === 'verify' ? UNAVAILABLE : UNKNOWN);
            assert.ok(!answer.text.includes('the paid content'));
          }
          const line = `farebox: ${world.facilitator.url}/${operation} `;
          await eventually('the log names it', () => linesOf(world, line).some((said) => said.includes(words)), PATIENCE_MS);
          const said = linesOf(world, line);
          assert.ok(said.length <= 1 + (performance.now() - started) / 60_000, `said ${said.length} times`);
          assert.deepEqual(
            said.filter((one) => !one.includes(words)),
            [],
          );
        }
        assert.equal(world.facilitator.calls.filter((call) => call.operation === 'other').length, 0);
        await expectNextGoodRequest(world, connection);
        connection.close();
      } finally {
        await world.stop();
      }
    });
  }
});

/** Lines of the log that begin so. */
function linesOf(world: World, beginning: string): string[] {
  return world.gate.printed.split('\n').filter((line) => line.startsWith(beginning));
}
