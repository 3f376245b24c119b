// What a person is shown of a payment: which way is recommended, amounts, allowances, and subscriptions.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodeFunctionData, erc20Abi, maxUint256 } from 'viem';

import {
  allowanceAnswer,
  allowanceQuestion,
  type CardContext,
  paymentCard,
  paymentOffers,
  subscriptionState,
  subscriptionStep,
} from '../../pkg/dist/agent/index.js';
import { formatAmount, sellerError } from '../../pkg/dist/index.js';
import { BALANCES, DEFERRED, desk, header, MAIN_USDC, quoted, shop } from './desks.ts';
import { ask, OFFER, PAYEE, terms, USDC } from './shop.ts';

test('one way to pay is one card with four lines, and names no scheme', async () => {
  const { desk: it, signer } = desk();
  const quote = await quoted(it);
  const card = await it.card(quote);
  assert.equal(
    card.text,
    `**Farebox**

- Network: \`Base Sepolia\` (\`eip155:84532\`)
- Token: \`USDC\` (\`${USDC}\`)
- Amount: \`0.01 USDC (10000)\`
- Pay to: \`${PAYEE}\`

Pay? (yes / no)`,
  );
  assert.deepEqual([card.kind, card.lines.length, /exact|scheme|x402|header/i.test(card.text)], ['confirmation', 4, false]);
  assert.deepEqual([shop.requests.length, signer.asked.length], [1, 0]);
});

test('of two that are funded, the smaller amount of one symbol is recommended, with the number of the others', () => {
  const offers = header([
    { ...OFFER, amount: '1000' },
    { ...DEFERRED, amount: '400' },
  ]);
  const { candidates } = paymentOffers(offers, { balances: BALANCES });
  assert.deepEqual(
    candidates.map(({ acceptsIndex, recommended }) => [acceptsIndex, recommended]),
    [
      [1, true],
      [0, false],
    ],
  );
  const card = paymentCard(offers, { balances: BALANCES, brand: 'OKX Agent Payments Protocol' });
  assert.equal(
    card?.text,
    `**OKX Agent Payments Protocol**

- Network: \`Base Sepolia\` (\`eip155:84532\`)
- Token: \`USDC\` (\`${USDC}\`)
- Amount: \`0.0004 USDC (400)\`
- Pay to: \`${PAYEE}\`

1 other method available.
Pay with this method? (yes / show others / no)`,
  );
  assert.deepEqual([card.kind, card.selectedIndex, card.answers], ['recommendation', 1, ['yes', 'show_others', 'no']]);
});

test('of different symbols on equal networks the deferred one is recommended, and a main network before a test network', () => {
  const other = { network: OFFER.network, address: `0x${'12'.repeat(20)}`, symbol: 'EURC', decimals: 6 };
  const context: CardContext = {
    tokens: [other],
    balances: [...BALANCES, { network: OFFER.network, asset: other.address, amount: '1000000' }],
  };
  const mixed = paymentOffers(
    header([
      { ...OFFER, amount: '10' },
      { ...DEFERRED, asset: other.address, amount: '9000' },
    ]),
    context,
  );
  assert.deepEqual(
    mixed.candidates.map(({ scheme, symbol }) => [scheme, symbol]),
    [
      ['aggr_deferred', 'EURC'],
      ['exact', 'USDC'],
    ],
  );
  const networks = paymentOffers(header([DEFERRED, { ...OFFER, network: 'eip155:8453', asset: MAIN_USDC }]), context);
  assert.equal(networks.candidates[0]?.network, 'eip155:8453');
});

test('without a balance that is enough all ways are listed and none is recommended', async () => {
  const offers = header([OFFER, { ...DEFERRED, amount: '400' }]);
  for (const balances of [[], [{ network: OFFER.network, asset: USDC, amount: '399' }]]) {
    const { candidates } = paymentOffers(offers, { balances });
    assert.deepEqual(
      candidates.map(({ acceptsIndex, recommended, affordable }) => [acceptsIndex, recommended, affordable]),
      [
        [0, false, false],
        [1, false, false],
      ],
    );
    assert.equal(paymentCard(offers, { balances }), undefined);
  }
  shop.answers = (_, response) => ask(response, terms([OFFER, { ...DEFERRED, amount: '400' }]));
  const { desk: it } = desk();
  const quote = await quoted(it, { balances: [] });
  assert.equal(
    (await it.card(quote)).text,
    `**Farebox**

0. scheme=exact, network=Base Sepolia (eip155:84532), token=USDC (${USDC}), amount=0.01 USDC (10000) [balance too low]
1. scheme=aggr_deferred, network=Base Sepolia (eip155:84532), token=USDC (${USDC}), amount=0.0004 USDC (400) [cannot be signed here]

Which one? (its number / no)`,
  );
});

test('a way that cannot be signed here is shown and never recommended', () => {
  const offers = header([OFFER, { ...DEFERRED, amount: '400' }]);
  const { candidates } = paymentOffers(offers, { balances: BALANCES, signs: ['exact'] });
  assert.deepEqual(
    candidates.map(({ acceptsIndex, recommended, signable }) => [acceptsIndex, recommended, signable]),
    [
      [0, true, true],
      [1, false, false],
    ],
  );
});

test("a seller's refusal is the first text that is not empty, with its code and status", () => {
  for (const [body, line] of [
    ['{"reason":"","detail":"voucher exhausted","code":70015}', '❌ Seller rejected: voucher exhausted (code 70015, HTTP 402)'],
    ['{"title":"Sold out"}', '❌ Seller rejected: Sold out (HTTP 402)'],
    ['"closed today"', '❌ Seller rejected: closed today (HTTP 402)'],
  ] as const)
    assert.equal(sellerError(402, body).message, line);
});

test('amounts are whole tokens and atomic units; of an unknown token atomic units and a warning', () => {
  assert.equal(formatAmount('400', { symbol: 'USDC' }), '0.0004 USDC (400)');
  const unknown = paymentOffers(
    header([{ ...OFFER, asset: `0x${'13'.repeat(20)}`, amount: '400', extra: { name: 'USDC', decimals: 6 } }]),
    {},
  );
  assert.deepEqual(
    unknown.candidates.map(({ amountText, symbol }) => [amountText, symbol]),
    [['400 units (warning: unknown decimals)', undefined]],
    'the merchant names nothing',
  );
});

test('an active subscription is proven and never subscribed to again; another contract is a stop', () => {
  const terms = { contract: USDC, network: 'eip155:84532', periodMode: 'fixed_seconds', periodSec: 60 };
  const facts = { contract: USDC, network: 'eip155:84532', terms };
  assert.deepEqual(subscriptionStep('subscribe', facts), { do: 'subscribe', text: '' });
  const active = subscriptionStep('subscribe', { ...facts, subscriptions: [{ state: 1, contract: USDC }] });
  assert.deepEqual(
    [active.do, active.access],
    ['access', { header: 'APP-Access', domain: { name: 'A2APaySubscription', version: '1', chainId: 84532, verifyingContract: USDC } }],
  );
  const other = subscriptionStep('subscribe', { ...facts, terms: { ...terms, contract: PAYEE } });
  assert.deepEqual([other.do, other.code], ['stop', 'contract_mismatch']);
  assert.deepEqual(
    [
      subscriptionStep('subscribe', { ...facts, terms: { ...terms, periodSec: 0 } }).code,
      subscriptionStep('subscribe', { ...facts, terms: { ...terms, periodMode: 'calendar_month', periodSec: 0 } }).do,
    ],
    ['invalid_period', 'subscribe'],
  );
  assert.deepEqual(
    [0, 1, 2, 3, 4, 99].map((code) => subscriptionState(code)?.state),
    ['pending', 'active', 'completed', 'canceled', 'changed', 'failed'],
  );
  assert.deepEqual([subscriptionState(5), subscriptionState(1.5)], [null, null]);
});

test('an allowance that is too short is asked for, for this payment alone unless a person names more', () => {
  const facts = { token: USDC, required: '400', symbol: 'USDC', decimals: 6 };
  const question = allowanceQuestion(facts, '399');
  assert.deepEqual([question?.ask, question?.choices], ['allowance', ['400', 'max']]);
  assert.match(question?.text ?? '', /0\.0004 USDC \(400\)/);
  assert.deepEqual(
    ['400', '401', maxUint256.toString()].map((enough) => allowanceQuestion(facts, enough)),
    [undefined, undefined, undefined],
  );

  const steps = (chosen: string) => [0, 1, 2].map((confirmed) => allowanceAnswer(facts, chosen, confirmed).do);
  assert.deepEqual(steps('399'), ['reject', 'reject', 'reject']);
  for (const wrong of ['', '-1', '1e3', 'everything', '0x1', maxUint256 + '0'])
    assert.deepEqual(steps(wrong), ['reject', 'reject', 'reject'], wrong);
  for (const usual of ['400', '1000', '1000000000000000']) assert.deepEqual(steps(usual), ['confirm', 'approve', 'approve'], usual);
  for (const twice of ['1000000000000001', 'max', '0']) assert.deepEqual(steps(twice), ['confirm', 'confirm', 'approve'], twice);

  for (const [chosen, amount] of [
    ['400', 400n],
    ['max', maxUint256],
    ['0', 0n],
  ] as const) {
    const answer = allowanceAnswer(facts, chosen, 2);
    assert.ok(answer.do === 'approve');
    const data = encodeFunctionData({
      abi: erc20Abi,
      functionName: 'approve',
      args: ['0x000000000022D473030F116dDEE9F6B43aC78BA3', amount],
    });
    assert.deepEqual([answer.amount, answer.transaction], [amount.toString(), { to: USDC, data }]);
  }
});
