// The tour of the demo: four payments, two refused ones, and a closed bypass; each exchange with
// its decoded headers, and its effect on the chain. Every expectation is checked; the tour fails if
// one does not hold.

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { evm, Mppx } from 'mppx/client';
import { parseEventLogs } from 'viem';
import { wrapFetchWithPayment as wrapFetchWithPaymentV1 } from 'x402-fetch';

import { PRICE_ATOMIC } from './gate.mjs';
import { decode, parse, say, short, showing, usdc } from './show.mjs';

/** How often one payment arrives at once. */
const COPIES = 20;

/**
 * @typedef {object} Parts
 * @property {import('./chain.mjs').Chain} chain
 * @property {import('./facilitator.mjs').Facilitator} facilitator
 * @property {import('./origin.mjs').Origin} origin
 * @property {{url: string}} gate
 */

/**
 * Runs the tour and returns the failed expectations, as sentences.
 *
 * @param {Parts} parts
 * @returns {Promise<string[]>}
 */
export async function tour(parts) {
  const { chain, facilitator, origin, gate } = parts;
  const { payer, payee } = chain.accounts;
  const report = `${gate.url}/report`;
  /** @type {string[]} */
  const broken = [];
  /** @type {(holds: boolean, sentence: string) => void} */
  const check = (holds, sentence) => {
    console.log(`  ${holds ? '✓' : '✗'} ${sentence}`);
    if (!holds) broken.push(sentence);
  };
  const balances = async () => ({ payer: await chain.balanceOf(payer.address), payee: await chain.balanceOf(payee.address) });
  /** @type {(when: string, held: {payer: bigint, payee: bigint}) => void} */
  const sayBalances = (when, held) => {
    console.log(`\nBalances on the chain ${when}`);
    console.log(`  payer ${payer.address}  ${usdc(held.payer)}`);
    console.log(`  payee ${payee.address}  ${usdc(held.payee)}`);
  };

  const start = await balances();
  sayBalances('before', start);

  console.log('\nAn agent with @x402/fetch asks for the report, is told the price, signs, and asks again');
  const v2 = wrapFetchWithPaymentFromConfig(showing(fetch, 'v2'), {
    schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }],
  });
  const first = await v2(report);
  check(first.status === 200, 'the report was delivered');
  await checkReceipt(parts, first.headers.get('payment-response'), check);

  console.log('\nA client of x402 v1, x402-fetch, pays the same route');
  const v1 = wrapFetchWithPaymentV1(showing(fetch, 'v1'), payer);
  const second = await v1(report);
  check(second.status === 200, 'the report was delivered');
  await checkReceipt(parts, second.headers.get('x-payment-response'), check);

  console.log('\nA client of MPP, mppx, pays the same route: it answers the challenge in WWW-Authenticate');
  /** @type {{credential?: string, terms?: string}} */
  const seen = {};
  const mppx = Mppx.create({
    polyfill: false,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      seen.credential = request.headers.get('authorization') ?? undefined;
      const response = await showing(fetch, 'mpp')(request);
      seen.terms ??= response.headers.get('payment-required') ?? undefined;
      return response;
    },
    methods: [evm({ account: payer, networks: [evm.chains.baseSepolia], currencies: [evm.assets.baseSepolia.USDC] })],
  });
  const charged = await mppx.fetch(report);
  check(charged.status === 200, 'the report was delivered');
  await checkReceipt(parts, charged.headers.get('payment-receipt'), check);

  console.log('\nAn attacker who saw that signature sends it again, as an x402 payment');
  const again = await fetch(report, { headers: { 'payment-signature': asX402(seen) } });
  const told = parse(await again.text());
  say('body', told);
  check(again.status === 409 && told?.code === 'payment_already_delivered', 'it is the payment that the gate knows: nothing more is delivered or charged');

  console.log(`\nThe agent pays once more, and its payment arrives ${COPIES} times at the same moment`);
  const asked = origin.requests.length;
  const settled = facilitator.counts.settle;
  /** @type {Response[]} */
  let answers = [];
  const many = wrapFetchWithPaymentFromConfig(
    async (input, init) => {
      const request = new Request(input, init);
      if (!request.headers.has('payment-signature')) return fetch(request);
      answers = await Promise.all(Array.from({ length: COPIES }, () => fetch(request.clone())));
      return (answers.find((answer) => answer.ok) ?? answers[0] ?? Response.error()).clone();
    },
    { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] },
  );
  const third = await many(report);
  for (const [kind, count] of await countAnswers(answers)) console.log(`  ${String(count).padStart(2)} × ${kind}`);
  check(answers.filter((answer) => answer.status === 200).length === 1, 'one of them was delivered');
  check(origin.requests.length - asked === 1, 'the origin was asked once');
  check(facilitator.counts.settle - settled === 1, 'the facilitator settled once');
  await checkReceipt(parts, third.headers.get('payment-response'), check);

  console.log('\nAn agent with a wrong key asks: the gate says in its 402 why, and that the agent should stop');
  const wrong = wrapFetchWithPaymentFromConfig(
    async (input, init) => {
      const request = new Request(input, init);
      const header = request.headers.get('payment-signature');
      if (header === null) return fetch(request);
      // It names a payer other than the owner of the key.
      const payment = decode(header);
      payment.payload.authorization.from = payee.address;
      const headers = new Headers(request.headers);
      headers.set('payment-signature', Buffer.from(JSON.stringify(payment)).toString('base64'));
      return fetch(new Request(request, { headers }));
    },
    { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] },
  );
  const refused = await wrong(report);
  const why = (await refused.json())?.extensions?.diagnostic?.info;
  say('diagnostic', why);
  check(refused.status === 402 && why?.code === 'PAYMENT_UNVERIFIED' && why.escalate === true, 'it was told so, and nothing was settled');

  console.log('\nAn attacker asks the origin for the report, around the gate');
  const direct = await fetch(`${origin.url}/report`);
  check(direct.status === 403, 'refused: the origin serves only requests that the gate has signed');

  const end = await balances();
  sayBalances('after', end);
  const spent = 4n * PRICE_ATOMIC;
  check(start.payer - end.payer === spent, `the payer paid for four reports, ${usdc(spent)}`);
  check(end.payee - start.payee === spent, 'and the payee has it');
  return broken;
}

/**
 * Follows the settlement header to the chain.
 *
 * @param {Parts} parts
 * @param {string | null} header
 * @param {(holds: boolean, sentence: string) => void} check
 */
async function checkReceipt({ chain }, header, check) {
  const receipt = header === null ? undefined : decode(header);
  const transaction = receipt?.transaction ?? receipt?.reference;
  if (typeof transaction !== 'string') return check(false, 'the receipt names a transaction');
  const { logs, blockNumber } = await chain.publicClient.getTransactionReceipt({
    hash: /** @type {`0x${string}`} */ (transaction),
  });
  const { payer, payee } = chain.accounts;
  const transfers = parseEventLogs({ abi: chain.token.abi, eventName: 'Transfer', logs });
  const [transfer] = transfers.map((log) => /** @type {any} */ (log).args);
  check(
    transfers.length === 1 && transfer.from === payer.address && transfer.to === payee.address && transfer.value === PRICE_ATOMIC,
    `its receipt names ${short(transaction)}: block ${blockNumber} moved ${usdc(transfer?.value ?? 0n)} from payer to payee`,
  );
}

/**
 * @param {Response[]} answers
 * @returns {Promise<Map<string, number>>}
 */
async function countAnswers(answers) {
  /** @type {Map<string, number>} */
  const kinds = new Map();
  for (const answer of answers) {
    const code = answer.ok ? 'the report' : (parse(await answer.clone().text())?.code ?? answer.statusText);
    const kind = `${answer.status} ${code}`;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

/**
 * The authorization of an MPP credential as a payment of x402 for the same terms.
 *
 * @param {{credential?: string, terms?: string}} seen
 */
function asX402({ credential = '', terms = '' }) {
  const { type: _, signature, ...authorization } = decode(credential).payload;
  const { resource, accepts } = decode(terms);
  const payment = { x402Version: 2, resource, accepted: accepts[0], payload: { signature, authorization } };
  return Buffer.from(JSON.stringify(payment)).toString('base64');
}
