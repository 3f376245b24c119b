// A gate that is restored from a backup: vouchers that were used since buy nothing again, and the published client goes on with
// another channel.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';

import { startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { startGate } from '../../scripts/miniflare.mjs';

const PRICE = 10_000n;
/** Seconds after a restore in which terms of x402 are not offered. */
const CLOSED = 3_600;

//
test('vouchers that a restored ledger has lost buy nothing, and the client opens another channel', { timeout: 120_000 }, async () => {
  const chain = await startChain();
  const facilitator = await startFacilitator({ chain });
  const origin = await startOrigin();
  const vars = { ...gateVars({ chain, facilitator, origin }), ROUTES: [{ path: '/report/*', price: '$0.01', session_delay_secs: 900 }] };
  const secrets = { GATE_SECRET: 'g'.repeat(40), LEDGER_SALT: 's'.repeat(40) };
  const start = (more: object, port?: number): ReturnType<typeof startGate> =>
    startGate({ build: 'build', port, vars: { ...vars, ...more }, secrets } as never);
  let gate = await start({});
  const { url } = gate;
  const [payer] = chain.accounts.payers;
  assert.ok(payer);
  const client = new BatchSettlementEvmScheme({ ...payer, readContract: chain.publicClient.readContract } as never, {
    depositStrategy: () => 10n * PRICE,
  });
  const payments: string[] = [];
  const noting = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    payments.push(...[request.headers.get('payment-signature')].filter((it) => it !== null));
    return fetch(request);
  };
  const pay = wrapFetchWithPaymentFromConfig(noting as typeof fetch, { schemes: [{ network: 'eip155:*', client }] });
  for (let request = 0; request < 4; request += 1) assert.equal((await pay(`${url}/report/live`)).status, 200);
  const used = [...payments];
  assert.equal(used.length, 4);
  await gate.stop();
  // Nothing of it is in the backup.
  gate = await start({ LEDGER_CLOSED_BEFORE: Math.floor(Date.now() / 1000) - CLOSED }, Number(new URL(url).port));
  for (const payment of used) {
    const answer = await fetch(`${url}/report/live`, { headers: { 'payment-signature': payment } });
    assert.equal(answer.status, 402);
    await answer.arrayBuffer();
  }
  for (let request = 0; request < 2; request += 1) {
    const answer = await pay(`${url}/report/live`);
    assert.equal(answer.status, 200);
    const settlement = JSON.parse(Buffer.from(answer.headers.get('payment-response') ?? '', 'base64').toString());
    assert.equal(settlement.extra.channelState.chargedCumulativeAmount, String(PRICE * BigInt(request + 1)));
  }
  await gate.stop();
  await origin.stop();
  await facilitator.stop();
  await chain.stop();
});
