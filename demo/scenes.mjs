// The scenes of the demo: clients that buy, clients that are refused, and what the gate does when
// something goes wrong. Each one prints its exchanges and checks what it says.

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { evm, Mppx } from 'mppx/client';
import { parseEventLogs } from 'viem';
import { wrapFetchWithPayment as wrapFetchWithPaymentV1 } from 'x402-fetch';

import { PRICE_ATOMIC } from './gate.mjs';
import { refundAll } from './refund.mjs';
import { decode, line, parse, short, showing, usdc } from './show.mjs';

/** How often one payment arrives at once. */
const COPIES = 20;

/**
 * What a scene works with.
 *
 * @typedef {object} Stage
 * @property {import('./chain.mjs').Chain} chain
 * @property {import('./facilitator.mjs').Facilitator} facilitator
 * @property {import('./origin.mjs').Origin} origin
 * @property {string} gate its URL
 * @property {string} token the operator's
 * @property {boolean} headers whether decoded headers are printed
 * @property {typeof fetch} fetch counts the requests to the gate
 * @property {(holds: boolean, sentence: string) => void} check
 * @property {{credential?: string, terms?: string}} seen what an attacker saw of the MPP payment
 */

/**
 * A scene, with what it must have caused by the end.
 *
 * @typedef {object} Scene
 * @property {string} title
 * @property {string} short its name in the table
 * @property {(stage: Stage) => Promise<void>} play
 * @property {{origin: number, settled: number, charged: bigint}} causes
 */

const SALE = { origin: 1, settled: 1, charged: PRICE_ATOMIC };
const NOTHING = { origin: 0, settled: 0, charged: 0n };

/** @type {Scene[]} */
export const SCENES = [
  { title: 'A client of x402 v2, @x402/fetch, buys a report', short: '@x402/fetch buys', play: buyV2, causes: SALE },
  { title: 'A client of x402 v1, x402-fetch, buys it on the same route', short: 'x402-fetch buys', play: buyV1, causes: SALE },
  { title: 'A client of MPP, mppx, answers the challenge in WWW-Authenticate', short: 'mppx buys', play: buyMpp, causes: SALE },
  {
    title: 'An attacker saw that signature and sends it again, as an x402 payment',
    short: 'the same signature again',
    play: replay,
    causes: NOTHING,
  },
  { title: `One payment arrives ${COPIES} times at the same moment`, short: `one payment, ${COPIES} copies`, play: copies, causes: SALE },
  {
    title: 'A client signs with a wrong key: the 402 says why, and that it should stop',
    short: 'a wrong key',
    play: wrongKey,
    causes: NOTHING,
  },
  {
    title: 'The origin fails after a payment in advance: the gate owes it, and the operator returns it',
    short: 'the origin fails, refund',
    play: refund,
    causes: { origin: 1, settled: 1, charged: 0n },
  },
  { title: 'An attacker asks the origin directly, around the gate', short: 'around the gate', play: bypass, causes: NOTHING },
];

/** @param {Stage} stage */
async function buyV2(stage) {
  const client = payingV2(showing(stage.fetch, { protocol: 'v2', headers: stage.headers }), stage.chain.accounts.payer);
  await checkDelivered(stage, await client(`${stage.gate}/report`), 'payment-response');
}

/** @param {Stage} stage */
async function buyV1(stage) {
  const client = wrapFetchWithPaymentV1(showing(stage.fetch, { protocol: 'v1', headers: stage.headers }), stage.chain.accounts.payer);
  await checkDelivered(stage, await client(`${stage.gate}/report`), 'x-payment-response');
}

/** @param {Stage} stage */
async function buyMpp(stage) {
  const { seen } = stage;
  const mppx = Mppx.create({
    polyfill: false,
    fetch: async (input, init) => {
      const request = new Request(input, init);
      seen.credential = request.headers.get('authorization') ?? undefined;
      const response = await showing(stage.fetch, { protocol: 'mpp', headers: stage.headers })(request);
      seen.terms ??= response.headers.get('payment-required') ?? undefined;
      return response;
    },
    methods: [evm({ account: stage.chain.accounts.payer, networks: [evm.chains.baseSepolia], currencies: [evm.assets.baseSepolia.USDC] })],
  });
  await checkDelivered(stage, await mppx.fetch(`${stage.gate}/report`), 'payment-receipt');
}

/** @param {Stage} stage */
async function replay({ gate, fetch, seen, check }) {
  line('→', 'GET /report', 'PAYMENT-SIGNATURE: the authorization of the MPP payment');
  const answer = await fetch(`${gate}/report`, { headers: { 'payment-signature': asX402(seen) } });
  const { code } = parse(await answer.text()) ?? {};
  line('←', `${answer.status} ${answer.statusText}`, code);
  check(answer.status === 409 && code === 'payment_already_delivered', 'the gate knows this payment: nothing more is delivered or charged');
}

/** @param {Stage} stage */
async function copies(stage) {
  const { chain, check, fetch } = stage;
  /** @type {Response[]} */
  let answers = [];
  const client = payingV2(async (input, init) => {
    const request = new Request(input, init);
    if (!request.headers.has('payment-signature')) return fetch(request);
    answers = await Promise.all(Array.from({ length: COPIES }, () => fetch(request.clone())));
    return (answers.find((answer) => answer.ok) ?? answers[0] ?? Response.error()).clone();
  }, chain.accounts.payer);
  const answer = await client(`${stage.gate}/report`);
  const kinds = await countAnswers(answers);
  for (const [kind, count] of kinds) line('←', `${String(count).padStart(2)} × ${kind}`);
  check(answers.filter(({ status }) => status === 200).length === 1, 'one copy was delivered, the others are told to wait');
  await checkTransfer(stage, answer.headers.get('payment-response'));
}

/** @param {Stage} stage */
async function wrongKey({ chain, check, fetch, gate }) {
  const { payer, payee } = chain.accounts;
  const client = payingV2(async (input, init) => {
    const request = new Request(input, init);
    const header = request.headers.get('payment-signature');
    if (header === null) return fetch(request);
    // It names a payer other than the owner of the key.
    const payment = decode(header);
    payment.payload.authorization.from = payee.address;
    const headers = new Headers(request.headers);
    headers.set('payment-signature', Buffer.from(JSON.stringify(payment)).toString('base64'));
    return fetch(new Request(request, { headers }));
  }, payer);
  const answer = await client(`${gate}/report`);
  const { code, message, escalate } = (await answer.json())?.extensions?.diagnostic?.info ?? {};
  line('←', `${answer.status} ${answer.statusText}`, `${code}: ${message}; escalate: ${escalate}`);
  check(answer.status === 402 && code === 'PAYMENT_UNVERIFIED' && escalate === true, 'it was told so, and nothing was settled');
}

/** @param {Stage} stage */
async function refund(stage) {
  const { chain, check, gate, token } = stage;
  const client = payingV2(showing(stage.fetch, { protocol: 'v2', headers: stage.headers }), chain.accounts.payer);
  await client(`${gate}/fail/503`);
  const refunds = await refundAll({ gate, chain: chain.url, token });
  for (const { owed, transaction, state } of refunds) {
    line('·', 'the operator', `sees the debt, ${usdc(BigInt(owed.amount))} (${owed.reason}), and sends ${short(transaction)}: ${state}`);
  }
  const audit = await (await fetch(`${gate}/_farebox/audit`, { headers: { authorization: `Bearer ${token}` } })).json();
  const balanced = audit.items.every((/** @type {{difference: string}} */ { difference }) => difference === '0');
  check(
    refunds.length === 1 && refunds[0]?.state === 'refunded' && balanced,
    'the gate found that transfer on the chain, and its books balance',
  );
}

/** @param {Stage} stage */
async function bypass({ origin, check }) {
  const direct = await fetch(`${origin.url}/report`);
  line('→', 'GET /report', 'at the origin');
  line('←', `${direct.status} ${direct.statusText}`);
  check(direct.status === 403, 'the origin serves only requests that the gate has signed');
}

/**
 * @param {typeof fetch} base
 * @param {import('viem/accounts').PrivateKeyAccount} payer
 */
function payingV2(base, payer) {
  return wrapFetchWithPaymentFromConfig(base, { schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }] });
}

/**
 * @param {Stage} stage
 * @param {Response} answer
 * @param {string} receipt the name of its header
 */
async function checkDelivered(stage, answer, receipt) {
  const { report } = parse(await answer.text()) ?? {};
  await checkTransfer(stage, answer.headers.get(receipt), 'the report arrived, and ');
  if (answer.status !== 200 || report !== 'Rainfall, Tuesday') stage.check(false, 'the report was delivered');
}

/**
 * Follows the settlement header to the chain.
 *
 * @param {Stage} stage
 * @param {string | null} header
 * @param {string} [before] how its sentence begins
 */
async function checkTransfer({ chain, check }, header, before = '') {
  const receipt = header === null ? undefined : decode(header);
  const transaction = receipt?.transaction ?? receipt?.reference;
  if (typeof transaction !== 'string') return check(false, 'the receipt names a transaction');
  const { logs, blockNumber } = await chain.publicClient.getTransactionReceipt({ hash: /** @type {`0x${string}`} */ (transaction) });
  const { payer, payee } = chain.accounts;
  const transfers = parseEventLogs({ abi: chain.token.abi, eventName: 'Transfer', logs });
  const [transfer] = transfers.map((log) => /** @type {any} */ (log).args);
  check(
    transfers.length === 1 && transfer.from === payer.address && transfer.to === payee.address && transfer.value === PRICE_ATOMIC,
    `${before}block ${blockNumber} moved ${usdc(transfer?.value ?? 0n)} from payer to payee`,
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
  return new Map([...kinds].sort(([, one], [, other]) => one - other));
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
