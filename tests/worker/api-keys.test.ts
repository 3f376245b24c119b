/** Keys that pass priced routes without a payment. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import {
  expectCalls,
  expectFreshTerms,
  expectPaid,
  MODES,
  NO_CALLS,
  openWorld,
  payFor,
  routes,
  rowsNamed,
  send,
  type World,
} from './support/world.ts';

const [KEY, NEXT] = [randomBytes(24).toString('base64url'), randomBytes(24).toString('hex')] as const;
const digest = (key: string) => createHash('sha256').update(key).digest('hex');
const API_KEYS = JSON.stringify([
  { name: 'acme', sha256: digest(KEY) },
  { name: 'acme', sha256: digest(NEXT) },
]);
const SSE = { headers: { 'Content-Type': 'text/event-stream' }, body: ['data: one\n\n', 'data: two\n\n'], everyMs: 20 };

describe('API keys', () => {
  let world: World;
  before(async () => {
    const closed = { path: '/closed/*', price: '$0.01', api_keys: false, max_timeout_secs: 60, origin_timeout_secs: 2 };
    world = await openWorld({ probe: true, secrets: { API_KEYS }, routes: routes([closed]) });
  });
  after(() => world.stop());

  for (const mode of MODES) {
    it(`a listed key passes, and its bearer is named to the origin in its place (${mode})`, async () => {
      await world.gate.ledger('ok');
      for (const key of [KEY, NEXT]) {
        const path = `/${mode}/by-key-${key.length}`;
        const answer = await world.gate.raw('GET', path, [
          ['X-API-Key', key],
          ['Farebox-Client', 'forged'],
        ]);
        assert.equal(answer.status, 200, answer.text);
        assert.equal(answer.headers['cache-control'], 'private, no-store');
        assert.equal(answer.headers['access-control-allow-origin'], '*');
        assert.equal(answer.headers['payment-response'], undefined);
        const [call] = world.origin.of(path);
        assert.deepEqual(rowsNamed(call?.rows ?? [], 'farebox-client'), ['acme']);
        assert.equal(call?.headers['x-api-key'], undefined);
      }
      const { calls, fetched } = await world.gate.ledger();
      assert.deepEqual([calls, fetched.length], [0, 2], 'no object, and the origin once each');
    });

    it(`a payment beside a key is left for another time (${mode})`, async () => {
      const path = `/${mode}/both`;
      const payment = await payFor(world, path);
      const answer = await send(world, path, payment, { headers: [['X-API-Key', KEY]] });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['payment-response'], undefined);
      expectCalls(world, payment.payer, path, { ...NO_CALLS, origin: 1 });
      assert.equal(world.origin.of(path)[0]?.headers['payment-signature'], undefined);
      expectPaid(await send(world, path, payment), payment);
    });
  }

  it('a key that is not listed pays, and goes to the origin as it is', async () => {
    for (const key of [`${KEY}x`, KEY.slice(1), digest(KEY), KEY.toUpperCase(), `${KEY}, ${NEXT}`, 'short']) {
      expectFreshTerms(await world.gate.raw('GET', '/after/wrong', [['X-API-Key', key]]), 'payment_required');
    }
    expectFreshTerms(
      await world.gate.raw('GET', '/after/wrong', [
        ['X-API-Key', KEY],
        ['X-API-Key', KEY],
      ]),
      'payment_required',
    );
    const payment = await payFor(world, '/after/wrong');
    expectPaid(await send(world, '/after/wrong', payment, { headers: [['X-API-Key', 'the-origins-own-key']] }), payment);
    assert.equal(world.origin.of('/after/wrong')[0]?.headers['x-api-key'], 'the-origins-own-key');
  });

  it('a route may take no keys', async () => {
    expectFreshTerms(await world.gate.raw('GET', '/closed/x', [['X-API-Key', KEY]]), 'payment_required');
    assert.equal(world.origin.of('/closed/x').length, 0);
  });

  it('bodies go up and streams come down', async () => {
    const body = randomBytes(200_000);
    const posted = await world.gate.raw('POST', '/after/post', [['X-API-Key', KEY]], body);
    assert.equal(posted.status, 200, posted.text);
    const call = world.origin.of('/after/post')[0];
    assert.equal(call?.bodyDigest, createHash('sha256').update(body).digest('hex'));
    world.origin.script('/after/stream', SSE);
    const streamed = await world.gate.raw('GET', '/after/stream', [['X-API-Key', KEY]]);
    assert.deepEqual([streamed.status, streamed.text], [200, 'data: one\n\ndata: two\n\n']);
    const head = await world.gate.raw('HEAD', '/after/head', [['X-API-Key', KEY]]);
    assert.deepEqual([head.status, head.text, world.origin.of('/after/head')[0]?.method], [200, '', 'HEAD']);
  });

  it('a page of another site may send the field', async () => {
    const answer = await world.gate.raw('OPTIONS', '/after/x', [['Origin', 'https://app.example']]);
    const allowed = (answer.headers['access-control-allow-headers'] ?? '').split(', ');
    assert.ok(allowed.includes('X-API-Key'), allowed.join());
  });

  it('no key and no digest is printed', () => {
    for (const secret of [KEY, NEXT, digest(KEY)]) assert.ok(!world.gate.printed.includes(secret));
  });
});
