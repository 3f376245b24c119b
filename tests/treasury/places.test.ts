/** The treasury is killed while payments go to a merchant that hangs: what others wait for is sent again beside it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, it } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { holdFirst, Merchant } from './support/merchant.ts';
import { OPERATOR, Treasury } from './support/worker.ts';

/** Payments to the merchant that hangs. */
const HANGING = 8;
/** More than one look of the alarm finds. */
const PAYOUTS = 3;

let treasury: Treasury;
let hanging: Merchant;
let other: Merchant;
/** The settlements that the facilitator was asked for; the first of each has no answer. */
const settled: string[] = [];
/** The facilitator, and a node that is broken. */
const facilitator = createServer(async (asked, response) => {
  let body = '';
  for await (const piece of asked) body += String(piece);
  if (asked.url !== '/settle') return response.writeHead(500).end();
  const { payload } = JSON.parse(body).paymentPayload;
  const nonce = String(payload.authorization.nonce);
  settled.push(nonce);
  if (settled.filter((one) => one === nonce).length === 1) return undefined;
  const told = { success: true, network: 'eip155:84532', payer: payload.authorization.from, transaction: `0x${'ab'.repeat(32)}` };
  return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(told));
});

before(async () => {
  [hanging, other] = [await Merchant.start(), await Merchant.start()];
  await new Promise<void>((resolve) => facilitator.listen(0, '127.0.0.1', resolve));
  other.scripts.set('/other', holdFirst);
  const url = `http://127.0.0.1:${(facilitator.address() as AddressInfo).port}`;
  treasury = await Treasury.start({
    vars: {
      SEND_SECS: 1,
      FACILITATOR_URL: url,
      RPC_URL: `${url}/node`,
      ORGANIZATIONS: [
        {
          name: 'acme',
          environment: 'test',
          policy: { allowedOrigins: [hanging.url, other.url], payoutsPerDay: { USDC: '1.00' }, wallet: 'main' },
          agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
        },
      ],
    },
  });
});
after(async () => {
  await treasury?.stop();
  facilitator.closeAllConnections();
  facilitator.close();
  await hanging?.stop();
  await other?.stop();
});

//
it('a merchant that hangs holds up no payout and no payment to another one', { timeout: 120_000 }, async () => {
  const token = await treasury.token();
  const begin = (token: string, path: string, body: unknown) =>
    void treasury.ask('POST', path, { token, body: body as string }).catch(() => {});
  const paid = (merchant: Merchant) => merchant.paid.length;
  for (let at = 0; at < HANGING; at += 1) {
    hanging.scripts.set(`/${at}`, () => {});
    begin(token, '/api/sdk/payment-decisions', hanging.decision(`/${at}`, { key: `hangs-${at}` }));
  }
  await eventually('the merchant that hangs is paid', async () => paid(hanging) === HANGING);
  begin(token, '/api/sdk/payment-decisions', other.decision('/other', { key: 'other' }));
  for (let at = 0; at < PAYOUTS; at += 1)
    begin(OPERATOR, '/api/payouts', {
      organization: 'acme',
      wallet: 'main',
      network: 'eip155:84532',
      asset: 'USDC',
      to: '0x90F79bf6EB2c4f870365E785982E1f101E93b906',
      amount: '0.01',
      idempotencyKey: `payout-${at}`,
    });
  await eventually('all are sent', async () => paid(other) === 1 && settled.length === PAYOUTS);
  await treasury.kill();
  await eventually('the alarm has begun', async () => paid(hanging) > HANGING);
  // In the order in which they are sent, whatever time that takes.
  await eventually('the others are sent again', async () => paid(other) === 2 && settled.length === 2 * PAYOUTS);
  assert.equal(paid(hanging) - HANGING, 1);
});
