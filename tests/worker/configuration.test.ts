/** Configuration: the forms that mean the same, and what health says. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { Value } from './support/gate.ts';
import {
  ASSET,
  expectFreshTerms,
  expectPaid,
  jsonOf,
  openWorld,
  PAY_TO,
  payFor,
  routes,
  send,
  type WorldOptions,
} from './support/world.ts';

const room = { max_timeout_secs: 60, origin_timeout_secs: 2 };
const token = { address: ASSET, name: 'USDC', version: '2', decimals: 6 };
const plain = { path: '/after/*', price: '$0.01', ...room };
const vars = (values: { readonly [name: string]: Value }): WorldOptions => ({ vars: values });

/** Each of these asks 10000 atomic units of the same token for `/after/x`. */
const same: readonly (readonly [what: string, options: WorldOptions])[] = [
  ['ROUTES as a JSON value', vars({ ROUTES: routes() })],
  ['RECOVERY as JSON text', vars({ RECOVERY: '{"settle_secs":2,"resend_secs":[1,1,1]}' })],
  ['a version 1 network name', vars({ NETWORK: 'base-sepolia' })],
  ['a list of networks', vars({ NETWORK: ['eip155:84532'] })],
  ['PAY_TO by network', vars({ PAY_TO: { 'eip155:84532': PAY_TO } })],
  ['a lower-case PAY_TO', vars({ PAY_TO: PAY_TO.toLowerCase() })],
  ['another number of shards', vars({ LEDGER_SHARDS: 4 })],
  ['a price in atomic units', { routes: [{ ...plain, price: { amount: '10000', asset: 'USDC' } }] }],
  ['an asset given in full', { routes: [{ ...plain, asset: token }] }],
  ['the recipient in the route', { routes: [{ ...plain, pay_to: PAY_TO }] }],
  ['the network in the route', { routes: [{ ...plain, network: 'eip155:84532' }] }],
  ['the protocol in the route', { routes: [{ ...plain, protocols: ['x402'] }] }],
  ['a dearer route around it', { routes: [plain, { path: '/*', price: '$0.05', ...room }] }],
  ['a free exception beside it', { routes: [plain, { path: '/after/free/*', price: 'free' }] }],
];

describe('configuration', () => {
  for (const [what, options] of same) {
    it(`${what} is understood`, async () => {
      const world = await openWorld(options);
      try {
        const { required } = expectFreshTerms(await world.gate.raw('GET', '/after/x'), 'payment_required');
        assert.equal(required.accepts.length, 1);
        const { network, amount, asset, payTo } = required.accepts[0] ?? {};
        assert.deepEqual({ network, amount, asset, payTo }, { network: 'eip155:84532', amount: '10000', asset: ASSET, payTo: PAY_TO });
        const payment = await payFor(world, '/after/x');
        expectPaid(await send(world, '/after/x', payment), payment);
      } finally {
        await world.stop();
      }
    });
  }

  it('a list of facilitators sends a secret to the one that wants it', async () => {
    const origin = await openWorld();
    const secrets = { FACILITATOR_TOKEN: 'the-token-of-this-facilitator' };
    const url = [{ url: `${origin.facilitator.url}/base//`, networks: ['eip155:*'], auth: { bearer: 'FACILITATOR_TOKEN' } }];
    const world = await openWorld({ secrets, vars: { FACILITATOR_URL: url } });
    try {
      const payment = await payFor(world, '/after/listed');
      expectPaid(await send(world, '/after/listed', payment), payment);
      assert.deepEqual(
        origin.facilitator.calls.map((call) => [call.method, call.target, call.headers['authorization']]),
        ['verify', 'settle'].map((name) => ['POST', `/base/${name}`, `Bearer ${secrets.FACILITATOR_TOKEN}`]),
      );
    } finally {
      await Promise.all([world.stop(), origin.stop()]);
    }
  });

  it('patterns are enough to protect a path', async () => {
    const patterns = [{ pattern: '/after/*', price: '$0.01', description: 'by pattern' }];
    const world = await openWorld({ without: ['ROUTES'], vars: { PROTECTED_PATTERNS: patterns } });
    try {
      const { required } = expectFreshTerms(await world.gate.raw('GET', '/after/x'));
      assert.equal(required.accepts[0]?.amount, '10000');
      assert.equal(required.resource.description, 'by pattern');
      assert.equal((await world.gate.raw('GET', '/free')).status, 200);
    } finally {
      await world.stop();
    }
  });

  it('health is open and says what is served', async () => {
    const world = await openWorld();
    try {
      const answer = await world.gate.raw('GET', '/_farebox/health');
      assert.equal(answer.status, 200);
      const health = jsonOf(answer);
      assert.equal(health['ok'], true);
      for (const member of ['version', 'networks', 'protocols', 'routes']) assert.ok(member in health, member);
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(world.origin.calls.length, 0);
    } finally {
      await world.stop();
    }
  });
});
