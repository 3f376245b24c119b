// What becomes of a signed payment: confirmed by the chain, taken back by a reorganisation, or unused past its end; and
// what a crash leaves.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { buy, clientOf, startTreasuryWorld, type Told } from './buyers.ts';

const LEASE_SECS = 33;

const world = sharedWorld(() =>
  startTreasuryWorld({
    organizations: ({ scripted, gate }) =>
      ['final', 'torn-up', 'crashed', 'expiring'].map((name) => ({
        name,
        policy: { allowedOrigins: [scripted.url, gate?.url], perMonth: { USDC: '1.00' } },
        agents: [{ name: 'buyer' }],
      })),
  }),
);

const shop = (path: string): string => `${world.merchants.scripted.url}/${path}`;
const receiptOf = async (organization: string, { receipt }: Told) =>
  (await clientOf(world, organization, 'buyer').lookupReceipt(receipt.receiptId)).receipt;
const until = (organization: string, told: Told, status: string) =>
  eventually(
    `the receipt is ${status}`,
    () => receiptOf(organization, told),
    (receipt) => receipt.status === status,
  );

/** Counted in the month's budget of an organization, in dollars. */
async function counted(organization: string): Promise<number> {
  const refused = await buy(clientOf(world, organization, 'buyer'), shop('honest/too-dear?amount=5000000'));
  return Number(/Current spend: \$(\d+\.\d+)\./.exec(refused.reason ?? '')?.[1] ?? Number.NaN);
}

describe('a transfer', () => {
  test('is provisional until twelve blocks are on it, and then confirmed by the chain', async () => {
    const told = await buy(clientOf(world, 'final', 'buyer'), shop('honest/final'));
    assert.deepEqual(
      [told.kind, told.receipt.status, told.receipt.reconciliationStatus],
      ['success', 'provisional', 'required'],
      told.reason,
    );
    await world.mine(12);
    const { reconciliationStatus, confirmationSource, finalityLevelUsed, confirmedAt } = await until('final', told, 'confirmed');
    assert.ok(['none', 'resolved'].includes(reconciliationStatus), reconciliationStatus);
    assert.deepEqual(
      [confirmationSource, finalityLevelUsed, confirmedAt !== undefined],
      ['chain_observer', 'evm_block_confirmations_12', true],
    );
  });

  test('that a reorganised chain forgets is not confirmed; found again, it is', async () => {
    const snapshot = await world.chain.rpc('evm_snapshot', []);
    const told = await buy(clientOf(world, 'torn-up', 'buyer'), shop('honest/torn-up'));
    assert.equal(told.kind, 'success', told.reason);
    const payment = world.merchants.scripted.requests.findLast(({ nonce }) => nonce !== undefined);
    assert.equal(await world.chain.rpc('evm_revert', [snapshot]), true);
    await world.mine(12);
    const receipt = await receiptOf('torn-up', told);
    assert.deepEqual([receipt.status, receipt.reconciliationStatus], ['provisional', 'required']);
    const settled = await fetch(`${world.facilitator.url}/settle`, {
      method: 'POST',
      body: JSON.stringify(settleOf(payment?.payment ?? '')),
    });
    assert.equal(((await settled.json()) as { success: boolean }).success, true);
    await world.mine(12);
    const { reconciliationStatus } = await until('torn-up', told, 'confirmed');
    assert.ok(['none', 'resolved'].includes(reconciliationStatus), reconciliationStatus);
  });
});

describe('a crash', () => {
  test('while a merchant is paid by GET ends with the same bytes sent again, and the decision that they bring', async () => {
    const path = 'slow/crash-get?ms=60000&times=1';
    const told = await crashing(path);
    const paid = world.merchants.scripted.requests.filter((request) => request.path === `/${path}` && request.payment !== undefined);
    assert.deepEqual([told.kind, new Set(paid.map(({ payment }) => payment)).size, await movedBy(paid)], ['success', 1, 1], told.reason);
  });

  test('while a merchant is paid by POST ends with what the chain says, and nothing is sent again', async () => {
    const path = 'slow/crash-post?ms=60000&times=1';
    const told = await crashing(path, { method: 'POST', body: 'one' });
    const paid = world.merchants.scripted.requests.filter((request) => request.path === `/${path}` && request.payment !== undefined);
    assert.deepEqual([told.kind, paid.length, await movedBy(paid)], ['execution_inconclusive', 1, 1], told.reason);
    assert.equal(await counted('crashed'), 0.02);
  });
});

describe('the end of an authorization', () => {
  test('that was never used gives back what it had counted, and the receipt says so', async () => {
    const told = await buy(clientOf(world, 'expiring', 'buyer'), shop('unsettled/expiring'));
    assert.deepEqual([told.kind, told.receipt.status], ['success', 'provisional'], told.reason);
    assert.equal(await counted('expiring'), 0.01);
    await world.wait(900);
    await world.mine(13);
    await until('expiring', told, 'expired_unconfirmed');
    assert.equal(await counted('expiring'), 0);
  });
});

/** Kills the treasury once the merchant has settled, and asks under the same key until there is a decision. */
async function crashing(path: string, init?: RequestInit): Promise<Told> {
  const client = clientOf(world, 'crashed', 'buyer');
  const request = { idempotencyKey: path };
  const { settled } = world.merchants.scripted;
  const before = settled.size;
  const lost = buy(client, shop(path), init, request).then(
    () => false,
    () => true,
  );
  await eventually(
    'the merchant has settled',
    async () => settled.size,
    (size) => size > before,
  );
  await world.crash();
  assert.equal(await lost, true);
  // Past the time in which the one that was killed might still work on it.
  await world.wait(LEASE_SECS);
  return eventually(
    'a decision',
    () => buy(client, shop(path), init, request),
    ({ kind }) => kind !== 'execution_pending',
  );
}

async function movedBy(requests: readonly { readonly nonce: string | undefined }[]): Promise<number> {
  const transfers = await world.transfers();
  return [...new Set(requests.map(({ nonce }) => nonce ?? ''))].filter((nonce) => transfers.has(nonce)).length;
}

/** What a merchant asks its facilitator. */
function settleOf(header: string) {
  const paymentPayload = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
  const {
    extra: { precision: _, ...extra },
    ...accepted
  } = paymentPayload.accepted;
  return { x402Version: 2, paymentPayload, paymentRequirements: { ...accepted, extra } };
}
