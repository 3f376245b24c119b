import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { decodeFunctionData, type Hex, parseSignature, serializeSignature } from 'viem';

import { USDC } from '../../demo/chain.mjs';
import { EXPECTED } from '../crash/expected.ts';
import { get } from '../crash/payments.ts';
import { codeOf } from '../crash/verdict.ts';
import { sharedWorld } from '../support/suite.ts';
import { encode, type JsonObject, type Payment } from '../worker/support/payer.ts';
import { signStatement } from '../worker/support/statement.ts';
import { payingFetch, settlementOf } from './clients.ts';
import { type FaultyWorld, insist, MODES, sendTo, signFor, startFaultyWorld, TURNS, tally } from './faulty-world.ts';
import { lost } from './twisted.ts';

const world = sharedWorld(startFaultyWorld);

const IDENTIFIER = 'pay_0123456789abcdef0123456789abcdef';

describe('lost replies', { concurrency: 4 }, () => {
  for (const mode of MODES) {
    for (const how of ['silence', 'cut'] as const) {
      //
      test(`@x402/fetch in a loop, the first settle reply lost by ${how} after applying (${mode}): one transfer`, async () => {
        const payer = world.payer();
        const path = `/report/${mode}/loop-${how}`;
        world.facilitator.script(payer.address, [lost(how)]);
        const paying = payingFetch(fetch, { ...payer.account, privateKey: payer.privateKey });
        const codes: (string | undefined)[] = [];
        const last = await insist(TURNS, async () => {
          const response = await paying(`${world.gate.url}${path}`);
          const answer = {
            status: response.status,
            headers: Object.fromEntries(response.headers),
            text: await response.text(),
            complete: true,
          };
          codes.push(codeOf(answer));
          return answer;
        });

        const { debits, asked } = await tally(world, payer.address, path);
        assert.equal(debits, 1);
        if (EXPECTED.unknownEndsBy === 'alarm') {
          assert.equal(last.status, 200, `${codes.join(', ')}: ${last.text}`);
          assert.equal(JSON.parse(last.text).report, 'Rainfall, Tuesday');
          assert.equal(settlementOf(new Headers(last.headers), 2).success, true);
          assert.equal(asked, 1);
        } else {
          assert.deepEqual(codes, ['settlement_unknown', 'payment_unresolved']);
          assert.ok(asked <= 1);
        }
      });
    }
  }

  for (const mode of MODES) {
    //
    test(`a payer whose response was lost gets it again, and nobody else does (${mode})`, async () => {
      const payer = world.payer();
      const path = `/report/${mode}/again`;
      const payment = await signFor(world, payer, path, IDENTIFIER);
      const first = await sendTo(world, path, payment);
      assert.equal(first.status, 200, first.text);
      const { transaction } = settlementOf(new Headers(first.headers), 2);

      const again = await sendTo(world, path, payment);
      assert.equal(again.status, 200, again.text);
      assert.equal(again.text, first.text);
      assert.equal(again.headers['payment-replayed'], 'true');
      assert.equal(settlementOf(new Headers(again.headers), 2).transaction, transaction);

      const rebuilt = await rebuild(transaction, payment);
      const guessed = withIdentifier(rebuilt, 'pay_ffffffffffffffffffffffffffffffff');
      const attempts = [
        { path, header: rebuilt, code: 'payment_already_delivered' },
        { path, header: guessed, code: 'payment_already_delivered' },
        { path: `/report/${mode}/other`, header: rebuilt, code: 'payment_already_used' },
      ];
      for (const attempt of attempts) {
        const answer = await get(`${world.gate.url}${attempt.path}`, { 'payment-signature': encodeJson(attempt.header) });
        assert.equal(answer.status, 409, answer.text);
        assert.equal(codeOf(answer), attempt.code);
        assert.ok(!answer.text.includes('Rainfall'));
      }
      assert.deepEqual(await tally(world, payer.address, path), { debits: 1, asked: 1 });
      if (EXPECTED.walletSignature) {
        const signed = await sendTo(world, path, payment, { 'farebox-redelivery': await redelivery(payment, path, payer) });
        assert.equal(signed.text, first.text);
        const forged = await sendTo(world, path, payment, {
          'farebox-redelivery': await redelivery(payment, path, world.chain.accounts.payee),
        });
        assert.ok(!forged.text.includes('Rainfall') || forged.headers['payment-replayed'] === 'true');
      }
    });

    test(`a payer with neither identifier nor wallet signature gets the 409 that says how (${mode})`, async () => {
      const payer = world.payer();
      const path = `/report/${mode}/silent`;
      const payment = await signFor(world, payer, path);
      assert.equal((await sendTo(world, path, payment)).status, 200);
      const again = await sendTo(world, path, payment);
      assert.equal(again.status, 409);
      assert.equal(codeOf(again), 'payment_already_delivered');
      const { detail } = JSON.parse(again.text) as { detail: string };
      const ways = ['payment-identifier', 'Idempotency-Key', ...(EXPECTED.walletSignature ? ['Farebox-Redelivery'] : [])];
      assert.deepEqual(
        ways.filter((way) => !detail.includes(way)),
        [],
        detail,
      );
      assert.deepEqual(await tally(world, payer.address, path), { debits: 1, asked: 1 });
      if (EXPECTED.walletSignature) {
        const forged = await sendTo(world, path, payment, {
          'farebox-redelivery': await redelivery(payment, path, world.chain.accounts.payee),
        });
        assert.ok(!forged.text.includes('Rainfall'), 'another wallet fetches nothing');
        const signed = await sendTo(world, path, payment, { 'farebox-redelivery': await redelivery(payment, path, payer.account) });
        assert.equal(signed.status, 200, signed.text);
      }
    });
  }
});

/** The payment as anybody can build it again from what the chain has made public, and from public terms. */
async function rebuild(transaction: Hex, payment: Payment): Promise<JsonObject> {
  const { input } = await world.chain.publicClient.getTransaction({ hash: transaction });
  const { args } = decodeFunctionData({ abi: world.chain.token.abi, data: input }) as { args: readonly (string | bigint | number)[] };
  const [from, to, value, validAfter, validBefore, nonce, ...rest] = args;
  const signature =
    rest.length === 1 ? String(rest[0]) : serializeSignature({ v: BigInt(rest[0] ?? 0), r: rest[1] as Hex, s: rest[2] as Hex });
  parseSignature(signature as Hex);
  const public_ = JSON.parse(payment.json) as JsonObject;
  const authorization = {
    from: String(from),
    to: String(to),
    value: String(value),
    validAfter: String(validAfter),
    validBefore: String(validBefore),
    nonce: String(nonce),
  };
  return { x402Version: 2, payload: { signature, authorization }, accepted: public_['accepted'] ?? null };
}

function withIdentifier(payload: JsonObject, id: string): JsonObject {
  return { ...payload, extensions: { 'payment-identifier': { info: { required: false, id } } } };
}

function encodeJson(payload: JsonObject): string {
  return encode(JSON.stringify(payload))[1];
}

type Signer = FaultyWorld['chain']['accounts']['payee'] | ReturnType<FaultyWorld['payer']>['account'];

/** The header by which a wallet asks for what it has paid. */
async function redelivery(payment: Payment, path: string, signer: Signer | ReturnType<FaultyWorld['payer']>): Promise<string> {
  const wallet = 'account' in signer ? signer.account : signer;
  const url = `${world.gate.url}${path}`;
  const [, value] = await signStatement(wallet, { payment, asset: USDC, method: 'GET', url });
  return value;
}
