// What the demo shows: three payments, one that is none, and a way round that is closed; each exchange with its headers
// decoded, and what they did on the chain. Whatever should hold is checked; the tour fails when it does not.

import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { formatUnits, parseEventLogs } from 'viem';
import { wrapFetchWithPayment as wrapFetchWithPaymentV1 } from 'x402-fetch';

import { PRICE_ATOMIC } from './gate.mjs';

/**
 * @typedef {object} Parts
 * @property {import('./chain.mjs').Chain} chain
 * @property {import('./facilitator.mjs').Facilitator} facilitator
 * @property {import('./origin.mjs').Origin} origin
 * @property {{url: string}} gate
 */

/**
 * Runs the tour and returns what did not hold, as sentences.
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
  const v2 = wrapFetchWithPaymentFromConfig(showing(fetch, 2), {
    schemes: [{ network: 'eip155:*', client: new ExactEvmScheme(payer) }],
  });
  const first = await v2(report);
  check(first.status === 200, 'the report was delivered');
  await checkReceipt(parts, first.headers.get('payment-response'), check);

  console.log('\nA client of x402 v1, x402-fetch, pays the same route');
  const v1 = wrapFetchWithPaymentV1(showing(fetch, 1), payer);
  const second = await v1(report);
  check(second.status === 200, 'the report was delivered');
  await checkReceipt(parts, second.headers.get('x-payment-response'), check);

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
      // It names another payer than the one whose key it has.
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

  console.log('\nSomebody asks the origin for the report, past the gate');
  const direct = await fetch(`${origin.url}/report`);
  check(direct.status === 403, 'he is refused: the origin serves what the gate has signed');

  const end = await balances();
  sayBalances('after', end);
  const spent = 3n * PRICE_ATOMIC;
  check(start.payer - end.payer === spent, `the payer paid for three reports, ${usdc(spent)}`);
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
  const transaction = header === null ? undefined : decode(header)?.transaction;
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
 * A fetch that prints what goes out and what comes back, as a client of that version reads it: the terms
 * of a 402 are in a header for v2 and in the body for v1.
 *
 * @param {typeof fetch} base
 * @param {1 | 2} version
 * @returns {typeof fetch}
 */
function showing(base, version) {
  const [signature, receipt] = version === 2 ? ['payment-signature', 'payment-response'] : ['x-payment', 'x-payment-response'];
  return async (input, init) => {
    const request = new Request(input, init);
    console.log(`\n  → ${request.method} ${request.url}`);
    sayHeader(request.headers, signature);
    const response = await base(request);
    console.log(`  ← ${response.status} ${response.statusText}`);
    sayHeader(response.headers, receipt);
    if (version === 2 && response.status === 402) sayHeader(response.headers, 'payment-required');
    else say('body', parse(await response.clone().text()) ?? '(not JSON)');
    return response;
  };
}

/**
 * @param {Headers} headers
 * @param {string} name
 */
function sayHeader(headers, name) {
  const value = headers.get(name);
  if (value !== null) say(`${name.toUpperCase()}, decoded`, decode(value) ?? value);
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function say(name, value) {
  const text = JSON.stringify(value, (_, inner) => (typeof inner === 'string' ? short(inner) : inner), 2);
  console.log(`      ${name}: ${text.replace(/\n/g, '\n      ')}`);
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
 * @param {string} header
 * @returns {any}
 */
function decode(header) {
  return parse(Buffer.from(header, 'base64').toString('utf8'));
}

/**
 * @param {string} text
 * @returns {any}
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Signatures, nonces and hashes by their ends; addresses stay whole.
 *
 * @param {string} text
 */
function short(text) {
  return /^0x[0-9a-f]{64,}$/i.test(text) ? `${text.slice(0, 10)}…${text.slice(-6)}` : text;
}

/**
 * @param {bigint} atomic
 */
function usdc(atomic) {
  return `${formatUnits(atomic, 6)} USDC`;
}

const COPIES = 20;
