// Payments by link on a chain: made by the operator, paid once by whoever has the link, followed to the end.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { checkPaymentLink, followPaymentLink } from '../../pkg/dist/agent/index.js';
import { eventually } from '../support/eventually.ts';
import { buy, clientOf, during, startTreasuryWorld, type TreasuryWorld } from './buyers.ts';

const TO = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';

let world: TreasuryWorld;
before(
  async () => {
    world = await startTreasuryWorld({
      stock: false,
      organizations: () => [
        { name: 'payee', policy: {}, agents: [{ name: 'clerk' }] },
        { name: 'buyers', policy: {}, agents: [{ name: 'buyer' }] },
      ],
    });
    const { status, text } = await world.operate('PUT', 'organizations/buyers/policy', {
      wallet: 'own-1',
      allowedOrigins: [world.treasury.url],
      perMonth: { USDC: '1.00' },
      reviewAbove: { USDC: '0.30' },
    });
    assert.equal(status, 200, text);
  },
  { timeout: 120_000 },
);
after(() => world?.stop());

type Json = Record<string, any>;
const API = 'v6/pay/a2a';
const body = { organization: 'payee', type: 'charge', network: 'eip155:84532', symbol: 'USDC', recipient: TO };
async function made(amount: string, more: Json = {}): Promise<{ id: string; url: string }> {
  const { status, json, text } = await world.operate('POST', `${API}/payment/create`, { ...body, amount, ...more });
  assert.equal(status, 201, text);
  return { id: json.data.paymentId, url: json.data.deliveries.url };
}
const read = async (id: string): Promise<Json> =>
  ((await (await fetch(`${world.treasury.url}/api/${API}/p/${id}`)).json()) as Json)['data'];
const statusOf = async (id: string): Promise<Json> =>
  ((await (await fetch(`${world.treasury.url}/api/${API}/p/${id}/status`)).json()) as Json)['data'];

/** Signs what a link says and shows it, as the clients of the protocol do. */
async function paying(id: string, { key = world.chain.accounts.payer.privateKey }: { key?: `0x${string}` } = {}): Promise<Json> {
  const { challenge } = await read(id);
  const { amount, currency, recipient, methodDetails } = challenge.data.request;
  const payer = privateKeyToAccount(key);
  const nonce = `0x${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('hex')}` as const;
  const validBefore = String(Math.floor(Date.now() / 1000) + 3600);
  const message = { from: payer.address, to: recipient, value: amount, validAfter: '0', validBefore, nonce };
  const signature = await payer.signTypedData({
    domain: { name: 'USDC', version: '2', chainId: methodDetails.chainId, verifyingContract: currency },
    primaryType: 'TransferWithAuthorization',
    types: {
      TransferWithAuthorization: [
        'address from',
        'address to',
        'uint256 value',
        'uint256 validAfter',
        'uint256 validBefore',
        'bytes32 nonce',
      ].map((field) => ({ type: field.split(' ')[0] ?? '', name: field.split(' ')[1] ?? '' })),
    },
    message: { ...message, value: BigInt(amount), validAfter: 0n, validBefore: BigInt(validBefore) },
  });
  return { payload: { type: 'transaction', signature, authorization: { type: methodDetails.authorizationType, ...message } } };
}
async function show(id: string, credential: Json): Promise<Json> {
  const answer = await fetch(`${world.treasury.url}/api/${API}/p/${id}/credential`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(credential),
  });
  return ((await answer.json()) as Json)['data'];
}
const pay = async (id: string) => show(id, await paying(id));

describe('a link', () => {
  test('is paid once though five pay at once, and the same payment is the same answer', async () => {
    const { id } = await made('0.02');
    const credentials = await Promise.all([1, 2, 3, 4, 5].map(() => paying(id)));
    const { result, paid, count } = await during(world, () => Promise.all(credentials.map((credential) => show(id, credential))));
    assert.deepEqual([paid, count, result.filter(({ success }) => success === true).length], [20_000n, 1, 1], JSON.stringify(result));
    for (const { success, errorReason } of result) if (success !== true) assert.deepEqual([success, errorReason], [false, 'already_used']);
    const won = result.findIndex(({ success }) => success === true);
    const again = await during(world, () => show(id, credentials[won] ?? {}));
    assert.deepEqual([again.result, again.count], [result[won], 0]);
    const receipt = (await world.chain.rpc('eth_getTransactionReceipt', [result[won]?.['txHash']])) as Json;
    assert.deepEqual([(await statusOf(id))['txHash'], receipt['status']], [result[won]?.['txHash'], '0x1']);
  });

  test('takes nothing after its end, or once it was taken back', async () => {
    const [ended, back] = [await made('0.02', { expiresIn: 30 }), await made('0.02')];
    assert.equal((await world.operate('POST', `${API}/p/${back.id}/cancel`)).json.data.status, 'cancelled');
    await world.wait(31);
    const { result, count } = await during(world, async () => [await pay(ended.id), await pay(back.id)]);
    assert.deepEqual(
      [result.map(({ status, success, errorReason }) => [status, success, errorReason]), count],
      [
        [
          ['expired', false, 'expired'],
          ['cancelled', false, 'cancelled'],
        ],
        0,
      ],
    );
  });

  test('belongs to who made it: others neither make nor cancel one, and an id that was invented is none', async () => {
    const { id } = await made('0.02');
    for (const path of ['payment/create', `p/${id}/cancel`])
      assert.equal((await fetch(`${world.treasury.url}/api/${API}/${path}`, { method: 'POST', body: '{}' })).status, 401);
    for (const invented of [`${id.slice(0, -1)}x`, 'a2a_payee_1', id.replace('payee', 'buyers')])
      assert.equal((await fetch(`${world.treasury.url}/api/${API}/p/${invented}`)).status, 404);
  });

  test('whose settlement has no answer is found on the chain, and paid once though the treasury was killed', async () => {
    const { id } = await made('0.03');
    const before = await world.transfers();
    const { broken } = world.switches.facilitator.counts;
    world.switches.facilitator.set({ mode: 'lose', path: '/settle', times: 9 });
    const lost = pay(id).catch(() => undefined);
    await eventually(
      'the facilitator is asked',
      async () => world.switches.facilitator.counts.broken,
      (now) => now > broken,
    );
    await world.crash();
    await lost;
    world.switches.facilitator.set();
    assert.equal((await statusOf(id))['status'], 'settling');
    await world.wait(35);
    await world.mine(13);
    const state = await eventually(
      'it is completed',
      () => statusOf(id),
      ({ status }) => status === 'completed',
    );
    const moved = [...(await world.transfers()).entries()].filter(([nonce]) => !before.has(nonce)).map(([, { value }]) => value);
    assert.deepEqual([moved, typeof state['txHash']], [[30_000n], 'string']);
  });

  test('that the facilitator refuses has failed, and is asked for once', async () => {
    const { id } = await made('0.02');
    const poor = generatePrivateKey();
    let calls = 0;
    const outcome = await followPaymentLink({
      paymentId: id,
      pay: async () => {
        calls += 1;
        const { status, success, errorReason } = await show(id, await paying(id, { key: poor }));
        return { status: success === false ? 'rejected' : status, reason: errorReason };
      },
      status: async () => (await statusOf(id)) as { status: string },
    });
    assert.match(outcome.text, new RegExp(`^payment ${id} rejected \\(reason=.*insufficient`));
    assert.deepEqual([calls, outcome.final, (await statusOf(id))['status']], [1, true, 'failed']);
  });

  test('takes no authorization that was used before, and another one then', async () => {
    const [used, late] = [await made('0.02'), await made('0.02')];
    const credential = await paying(used.id);
    assert.equal((await show(used.id, credential))['status'], 'completed');
    // What was sold elsewhere, by the facilitator of both.
    const sold = await paying(late.id);
    const {
      signature,
      authorization: { type: _, ...authorization },
    } = sold['payload'];
    const accepted = {
      scheme: 'exact',
      network: 'eip155:84532',
      amount: '20000',
      asset: USDC,
      payTo: TO,
      maxTimeoutSeconds: 300,
      extra: { name: 'USDC', version: '2' },
    };
    const settled = await fetch(`${world.facilitator.url}/settle`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        x402Version: 2,
        paymentPayload: { x402Version: 2, accepted, payload: { signature, authorization } },
        paymentRequirements: accepted,
      }),
    });
    assert.equal(((await settled.json()) as Json)['success'], true);
    const { result, count } = await during(world, async () => [await show(late.id, credential), await show(late.id, sold)]);
    const refused = { status: 'pending', success: false, errorReason: 'authorization_used' };
    assert.deepEqual([result, count], [[refused, refused], 0]);
    const paid = await during(world, () => pay(late.id));
    assert.deepEqual([paid.result['status'], paid.paid], ['completed', 20_000n]);
  });

  //
  test('of one organization or another is paid by an authorization once, whoever is shown it at once and whatever is lost', async () => {
    for (const lost of [0, 2]) {
      for (const [one, other] of [
        ['payee', 'payee'],
        ['payee', 'buyers'],
      ]) {
        const links = [await made('0.02', { organization: one }), await made('0.02', { organization: other })];
        const credential = await paying(links[0]?.id ?? '');
        const [balance, before] = [await world.chain.balanceOf(TO), await world.transfers()];
        if (lost > 0) world.switches.facilitator.set({ mode: 'lose', path: '/settle', times: lost });
        const shown = await Promise.all([...links, ...links].map(({ id }) => show(id, credential)));
        world.switches.facilitator.set();
        const states = await eventually(
          'one is over',
          async () => {
            await world.wait(4);
            await world.mine(13);
            return Promise.all(links.map(async ({ id }) => (await statusOf(id))['status'] as string));
          },
          (all) => !all.includes('settling'),
        );
        assert.deepEqual(states.sort(), ['completed', 'pending'], JSON.stringify(shown));
        const moved = [...(await world.transfers()).keys()].filter((nonce) => !before.has(nonce));
        assert.deepEqual([(await world.chain.balanceOf(TO)) - balance, moved.length], [20_000n, 1]);
        // The other one takes a payment of its own.
        const open = links[(await statusOf(links[0]?.id ?? ''))['status'] === 'pending' ? 0 : 1];
        assert.deepEqual(
          [(await show(open?.id ?? '', credential))['errorReason'], (await pay(open?.id ?? ''))['status']],
          ['authorization_used', 'completed'],
        );
      }
    }
  });

  test('takes nothing while its node does not answer, and the same payment then', async () => {
    const { id } = await made('0.02');
    const credential = await paying(id);
    world.switches.node.set({ mode: 'lose', path: '/', times: 1 });
    const { result, count } = await during(world, () => show(id, credential));
    world.switches.node.set();
    assert.deepEqual([result, count, (await statusOf(id))['status']], [undefined, 0, 'pending']);
    assert.equal((await show(id, credential))['status'], 'completed');
  });

  test('is followed by events until it is over', async () => {
    const { id } = await made('0.02');
    const stream = await fetch(`${world.treasury.url}/api/${API}/p/${id}/status`, { headers: { accept: 'text/event-stream' } });
    assert.match(stream.headers.get('content-type') ?? '', /^text\/event-stream/);
    const text = stream.text();
    await pay(id);
    const told = [...(await text).matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? '').data.status as string);
    assert.deepEqual([told[0], told.at(-1)], ['pending', 'completed']);
  });
});

//
test('of those who follow links, so many look again, and whoever leaves makes room', async () => {
  const { id } = await made('0.02');
  const follow = async () => {
    const left = new AbortController();
    const url = `${world.treasury.url}/api/${API}/p/${id}/status`;
    const { body } = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: left.signal });
    assert.ok(body !== null);
    const reader = body.getReader();
    const first = new TextDecoder().decode((await reader.read()).value);
    assert.match(first, /"pending"/);
    const next = await Promise.race([reader.read().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 3_000, 'open'))]);
    return { left, isOpen: next === 'open' };
  };
  const followers = await Promise.all(Array.from({ length: 266 }, follow));
  assert.equal(followers.filter(({ isOpen }) => isOpen).length, 256);
  for (const { left } of followers) left.abort();
  await eventually('there is room again', async () => {
    const { left, isOpen } = await follow();
    left.abort();
    return isOpen;
  });
});

describe('who pays a link', () => {
  const expected = { amount: '20000', token: USDC, recipient: TO, network: 'eip155:84532' };

  test('says what they expect, and what says otherwise is not signed', async () => {
    const { id } = await made('0.02');
    const link = await read(id);
    assert.equal(checkPaymentLink(link, expected).ok, true);
    for (const [name, value] of [
      ['amount', '19999'],
      ['token', TO],
      ['recipient', USDC],
      ['network', 'eip155:8453'],
    ] as const) {
      const checked = checkPaymentLink(link, { ...expected, [name]: value });
      assert.deepEqual([checked.ok, checked.differs], [false, [name]]);
    }
  });

  test('pays it as an agent of a treasury: by its policy, its budget and what was shown', async () => {
    const { id, url } = await made('0.02');
    const bought = await during(world, () => buy(clientOf(world, 'buyers', 'buyer'), url));
    assert.deepEqual([bought.result.kind, bought.paid, bought.count], ['success', 20_000n, 1], bought.result.reason);
    assert.equal((await statusOf(id))['status'], 'completed');
    const again = await fetch(url);
    assert.equal(again.status, 410);
  });

  test('waits for a review, and pays nothing beyond the budget', async () => {
    const [reviewed, dear] = [await made('0.40'), await made('1.50')];
    const client = clientOf(world, 'buyers', 'buyer');
    const { result, count } = await during(world, async () => [await buy(client, reviewed.url), await buy(client, dear.url)]);
    assert.deepEqual(
      [result.map(({ kind, reasonCode }) => [kind, reasonCode]), count],
      [
        [
          ['denied', 'policy_review_required'],
          ['denied', 'policy_denied'],
        ],
        0,
      ],
    );
    assert.equal((await statusOf(reviewed.id))['status'], 'pending');
    assert.equal((await world.operate('POST', `organizations/buyers/reviews/${result[0]?.policyReviewEventId}/approve`)).status, 200);
    const approved = await during(world, () => buy(client, reviewed.url));
    assert.deepEqual([approved.result.kind, approved.paid, (await statusOf(reviewed.id))['status']], ['success', 400_000n, 'completed']);
  });
});
