/**
 * Receipts, checked by the reference implementation alone: who served the payment is whoever the gate lists, before
 * and after its secret is rotated, and nothing in a receipt can be changed.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type EIP712SignedReceipt, extractReceiptFromResponse, verifyReceiptSignatureEIP712 } from '@x402/extensions/offer-receipt';

import { freshPayer, type JsonObject, type Payer, type Payment } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import { signStatement } from './support/statement.ts';
import {
  ASSET,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  type Mode,
  openWorld,
  PAY_TO,
  payFor,
  SECRETS,
  send,
  type World,
} from './support/world.ts';

const HOST = 'http://shop.example';
const IDENTIFIER = 'pay_0123456789abcdef0123456789abcdef';
const OLD_SECRET = String(SECRETS['GATE_SECRET']);
const NEW_SECRET = 'another-gate-secret-of-the-test-suite-0123456789';
const NEWEST_SECRET = 'a-third-gate-secret-of-the-test-suite-0123456789';

type Served = {
  readonly mode: Mode;
  readonly path: string;
  readonly payer: Payer;
  readonly payment: Payment;
  readonly receipt: EIP712SignedReceipt;
  /** What the origin was told. */
  readonly id: string;
  readonly correlation: string;
};

describe('receipts', () => {
  let world: World;
  /** Served before the secret was rotated. */
  const earlier: Served[] = [];
  before(async () => {
    world = await openWorld();
    for (const mode of MODES) earlier.push(await serve(mode));
  });
  after(() => world.stop());

  for (const mode of MODES) {
    it(`the receipt of a served payment is one of the reference and names what was paid for (${mode})`, async () => {
      const { path, payment, receipt } = served(mode);
      const { signer, payload } = await verifyReceiptSignatureEIP712(receipt);
      assert.deepEqual(await keys(), { current: signer });
      const { issuedAt, ...named } = payload;
      assert.ok(Math.abs(issuedAt - Date.now() / 1000) < 120);
      assert.deepEqual(named, {
        version: 1,
        network: 'eip155:84532',
        resourceUrl: `${HOST}${path}`,
        payer: payment.payer,
        transaction: payment.transaction,
      });
    });

    //
    it(`a receipt is looked up by the secret or the wallet, and by nobody else (${mode})`, async () => {
      const { payer, payment, receipt, id, correlation } = served(mode);
      for (const row of [secretRow(IDENTIFIER), await wallet(payer, payment, id)]) {
        const found = await lookUp(id, row);
        const { signer, payload } = await verifyReceiptSignatureEIP712(found.receipt);
        assert.deepEqual(await keys(), { current: signer });
        assert.deepEqual({ ...payload, issuedAt: 0 }, { ...receipt.payload, issuedAt: 0 });
        assert.deepEqual(found.named, {
          id,
          kid: `did:pkh:eip155:1:${signer}`,
          route: `/${mode}/*`,
          network: 'eip155:84532',
          asset: ASSET,
          amount: '10000',
          pay_to: PAY_TO,
          transaction: payment.transaction,
          correlation_id: correlation,
        });
      }
      const others = [[], [secretRow('x'.repeat(30))], [await wallet(freshPayer(), payment, id)]];
      for (const rows of others) {
        const answer = await world.gate.raw('GET', `/_farebox/receipts/${id}`, rows);
        expectProblem(answer, { status: 404, code: 'not_found' });
      }
    });
  }

  //
  it('no member of a receipt can be changed, nor can its signature be used for another one', async () => {
    const [one, other] = [served('after').receipt, served('before').receipt];
    const changed: Partial<EIP712SignedReceipt['payload']>[] = [
      { version: 2 },
      { network: 'eip155:8453' },
      { resourceUrl: `${HOST}/after/dearer` },
      { payer: PAY_TO },
      { issuedAt: one.payload.issuedAt + 1 },
      { transaction: other.payload.transaction ?? '' },
    ];
    const forged = changed.map((members) => ({ ...one, payload: { ...one.payload, ...members } }));
    assert.equal(await isListed(one), true);
    for (const receipt of [...forged, { ...one, signature: other.signature }]) {
      assert.equal(await isListed(receipt), false, JSON.stringify(receipt.payload));
    }
  });

  describe('after the secret was rotated', () => {
    let previous: string;
    before(async () => {
      previous = String((await keys())['current']);
      await world.gate.restart('dispose', { secrets: { GATE_SECRET: NEW_SECRET, GATE_SECRET_PREVIOUS: OLD_SECRET } });
    });

    for (const mode of MODES) {
      //
      it(`an old receipt is still verified by a listed key, a new one by the new key (${mode})`, async () => {
        const { current, previous: listed } = await keys();
        assert.equal(listed, previous);
        assert.notEqual(current, previous);
        assert.equal((await verifyReceiptSignatureEIP712(served(mode).receipt)).signer, previous);
        const next = await serve(mode);
        assert.equal((await verifyReceiptSignatureEIP712(next.receipt)).signer, current);
        assert.equal((await lookUp(next.id, secretRow(IDENTIFIER))).named['kid'], `did:pkh:eip155:1:${current}`);
      });

      it(`an old payment is delivered again with the same receipt under the new key (${mode})`, async () => {
        const { path, payer, payment, receipt } = served(mode);
        const asked = await signStatement(payer.account, { payment, asset: ASSET, method: 'GET', url: `${HOST}${path}` });
        const bare = { ...payment, row: withoutIdentifier(payment) };
        for (const again of [await send(world, path, payment), await send(world, path, bare, { headers: [asked] })]) {
          expectPaid(again, payment);
          assert.equal(again.headers['payment-replayed'], 'true');
          const { signer, payload } = await verifyReceiptSignatureEIP712(receiptIn(again));
          assert.equal(signer, (await keys())['current']);
          assert.deepEqual(payload, receipt.payload);
        }
        const refused = expectProblem(await send(world, path, bare), { status: 409, code: 'payment_already_delivered' });
        assert.equal(refused['payment'], undefined, 'the authorization alone is public');
        assert.equal(world.origin.of(path).length, 1);
        assert.equal(world.facilitator.of('settle', payment.payer).length, 1);
      });

      it(`an old receipt is still found under its id (${mode})`, async () => {
        const { payer, payment, receipt, id } = served(mode);
        for (const row of [secretRow(IDENTIFIER), await wallet(payer, payment, id)]) {
          const { receipt: found, named } = await lookUp(id, row);
          const { signer, payload } = await verifyReceiptSignatureEIP712(found);
          assert.equal(signer, (await keys())['current']);
          assert.equal(named['id'], id);
          assert.deepEqual({ ...payload, issuedAt: 0 }, { ...receipt.payload, issuedAt: 0 });
        }
      });
    }

    //
    it('the key of a secret that is configured no more verifies nothing', async () => {
      const { current } = await keys();
      await world.gate.restart('dispose', { secrets: { GATE_SECRET: NEWEST_SECRET, GATE_SECRET_PREVIOUS: NEW_SECRET } });
      assert.equal((await keys())['previous'], current);
      assert.equal(await isListed(served('after').receipt), false);
    });
  });

  async function serve(mode: Mode): Promise<Served> {
    const path = `/${mode}/served-${world.origin.calls.length}`;
    const payer = freshPayer();
    const payment = await payFor(world, path, { payer, identifier: IDENTIFIER });
    const answer = await send(world, path, payment);
    expectPaid(answer, payment);
    const id = world.origin.of(path)[0]?.headers['farebox-payment'];
    assert.match(String(id), /^rcpt_[a-z2-7]{26}$/);
    return {
      mode,
      path,
      payer,
      payment,
      receipt: receiptIn(answer),
      id: String(id),
      correlation: String(answer.headers['x-correlation-id']),
    };
  }

  function served(mode: Mode): Served {
    const found = earlier.find((one) => one.mode === mode);
    assert.ok(found);
    return found;
  }

  /** Addresses of the published keys by their status. */
  async function keys(): Promise<Record<string, string>> {
    const answer = await world.gate.raw('GET', '/.well-known/farebox-keys.json');
    assert.equal(answer.status, 200);
    const { keys: listed } = JSON.parse(answer.text) as { keys: { status: string; address: string; kid: string }[] };
    for (const { kid, address } of listed) assert.equal(kid, `did:pkh:eip155:1:${address}`);
    return Object.fromEntries(listed.map(({ status, address }) => [status, address]));
  }

  async function isListed(receipt: EIP712SignedReceipt): Promise<boolean> {
    const { signer } = await verifyReceiptSignatureEIP712(receipt);
    return Object.values(await keys()).includes(signer);
  }

  async function lookUp(id: string, row: HeaderRow): Promise<{ receipt: EIP712SignedReceipt; named: JsonObject }> {
    const answer = await world.gate.raw('GET', `/_farebox/receipts/${id}`, [row]);
    assert.equal(answer.status, 200, answer.text);
    const { format, payload, signature, ...named } = jsonOf(answer);
    return { receipt: { format, payload, signature } as unknown as EIP712SignedReceipt, named };
  }

  function wallet(signer: Payer, payment: Payment, id: string): Promise<HeaderRow> {
    const url = `${HOST}/_farebox/receipts/${id}`;
    return signStatement(signer.account, { payment, asset: ASSET, method: 'RECEIPT', url });
  }
});

/** The receipt in a settlement header, as the reference client finds it. */
function receiptIn({ status, headers }: Answer): EIP712SignedReceipt {
  const receipt = extractReceiptFromResponse(
    new Response(null, { status, headers: { 'PAYMENT-RESPONSE': headers['payment-response'] ?? '' } }),
  );
  assert.ok(receipt?.format === 'eip712');
  return receipt;
}

function secretRow(secret: string): HeaderRow {
  return ['Idempotency-Key', secret];
}

/** The same payment from a client that has forgotten the identifier it once chose. */
function withoutIdentifier({ json, row: [name] }: Payment): HeaderRow {
  const { extensions: _, ...rest } = JSON.parse(json) as JsonObject;
  return [name, Buffer.from(JSON.stringify(rest)).toString('base64')];
}
