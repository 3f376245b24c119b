import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';

import { NETWORK, NETWORK_V1 } from '../../demo/chain.mjs';
import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { sharedWorld } from '../support/suite.ts';
import { settlementOf, stockClients } from './clients.ts';
import { changesDuring, startWorld, transfersOf, type World } from './world.ts';

const world = sharedWorld(startWorld);

const modes = [
  { settle: 'after', path: '/report', verified: 1 },
  { settle: 'before', path: '/report-before', verified: 0 },
];

for (const client of stockClients) {
  for (const { settle, path, verified } of modes) {
    test(`${client.name} pays a route that settles ${settle} the origin, and the money has moved`, async () => {
      const { payer, payee } = world.chain.accounts;
      const { result, change } = await changesDuring(world, payer.address, () => client.get(`${world.gate.url}${path}`, payer));

      assert.equal(result.status, 200, result.text);
      assert.equal(JSON.parse(result.text).report, 'Rainfall, Tuesday');
      assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified, settled: 1 });

      const settlement = settlementOf(result.headers, client.version);
      assert.equal(settlement.success, true);
      assert.equal(settlement.network, client.version === 1 ? NETWORK_V1 : NETWORK);
      assert.equal(settlement.payer.toLowerCase(), payer.address.toLowerCase());
      assert.deepEqual(await transfersOf(world, settlement.transaction), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
    });
  }
}

test('the origin sees neither the payment nor its headers', async () => {
  const { payer } = world.chain.accounts;
  for (const client of stockClients) {
    await client.get(`${world.gate.url}/report`, payer);
    const seen = world.origin.requests.at(-1);
    assert.equal(seen?.url, '/report');
    const names = Object.keys(seen?.headers ?? {});
    assert.deepEqual(
      names.filter((name) => name === 'x-payment' || name === 'payment-signature'),
      [],
    );
  }
});

test('a path without a price is forwarded without a payment', async () => {
  const { payer } = world.chain.accounts;
  const { result, change } = await changesDuring(world, payer.address, () => fetch(`${world.gate.url}/about`));
  assert.equal(result.status, 200);
  assert.equal(await result.text(), 'An origin that knows nothing of payments.\n');
  assert.deepEqual(change, { paid: 0n, received: 0n, asked: 1, verified: 0, settled: 0 });
});

describe('a route that is offered on several networks', () => {
  let several: World;
  before(async () => {
    several = await startWorld({
      vars: {
        NETWORK: [NETWORK, 'solana-devnet', 'eip155:80002'],
        PAY_TO: {
          'solana-devnet': '7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU',
          [NETWORK]: world.chain.accounts.payee.address,
          'polygon-amoy': world.chain.accounts.payee.address,
        },
      },
    });
  });
  after(() => several?.stop());

  for (const client of stockClients) {
    it(`is paid by ${client.name} on the one that it can pay on`, async () => {
      const { payer } = several.chain.accounts;
      const { result, change } = await changesDuring(several, payer.address, () => client.get(`${several.gate.url}/report`, payer));
      assert.equal(result.status, 200, result.text);
      assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified: 1, settled: 1 });
    });
  }
});
