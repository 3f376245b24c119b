// What the demo prints of an exchange: one line for each request and each answer, and with
// `headers` the decoded headers below it.

import { formatUnits } from 'viem';

/** Headers of payment and receipt, and the header of the terms; version 1 has them in the body. */
const PROTOCOLS = {
  v2: { proof: 'payment-signature', receipt: 'payment-response', terms: 'payment-required' },
  v1: { proof: 'x-payment', receipt: 'x-payment-response', terms: undefined },
  mpp: { proof: 'authorization', receipt: 'payment-receipt', terms: 'www-authenticate' },
};

/** Names of the demo's network, as the three protocols write it. */
const NETWORKS = new Map([
  ['eip155:84532', 'Base Sepolia'],
  ['base-sepolia', 'Base Sepolia'],
  ['84532', 'Base Sepolia'],
]);

/**
 * A fetch that prints each exchange as a client of that protocol reads it.
 *
 * @param {typeof fetch} base
 * @param {{protocol: keyof typeof PROTOCOLS, headers?: boolean}} options
 * @returns {typeof fetch}
 */
export function showing(base, { protocol, headers = false }) {
  const { proof, receipt, terms } = PROTOCOLS[protocol];
  return async (input, init) => {
    const request = new Request(input, init);
    const shown = request.headers.get(proof);
    line(
      '→',
      `${request.method} ${new URL(request.url).pathname}`,
      shown === null ? '' : `${proof.toUpperCase()}: ${paymentOf(decode(shown))}`,
    );
    if (headers && shown !== null) say(proof, decode(shown));
    const response = await base(request);
    const asked = await termsOf(response, terms);
    const settled = response.headers.get(receipt);
    line(
      '←',
      `${response.status} ${response.statusText}`,
      asked ? priceOf(asked) : settled === null ? '' : `${receipt.toUpperCase()}: ${transactionOf(settled)}`,
    );
    if (headers && asked) say(terms ?? 'body', asked);
    if (headers && settled !== null) say(receipt, decode(settled));
    return response;
  };
}

/**
 * @param {string} arrow
 * @param {string} what
 * @param {string} detail
 */
export function line(arrow, what, detail = '') {
  console.log(`   ${arrow} ${what}${detail && `  ${detail}`}`);
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function say(name, value) {
  const text = JSON.stringify(value, (_, inner) => (typeof inner === 'string' ? short(inner) : inner), 2);
  console.log(`       ${name.toUpperCase()}, decoded: ${text.replace(/\n/g, '\n       ')}`);
}

/**
 * The terms of a 402.
 *
 * @param {Response} response
 * @param {string | undefined} header
 */
async function termsOf(response, header) {
  if (response.status !== 402) return undefined;
  if (header === undefined) return parse(await response.clone().text());
  const value = response.headers.get(header);
  return value === null ? undefined : header === 'www-authenticate' ? challenge(value) : decode(value);
}

/**
 * The parameters of one challenge, with decoded terms.
 *
 * @param {string} value
 */
function challenge(value) {
  /** @type {Record<string, unknown>} */
  const parameters = Object.fromEntries([...value.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, name, text]) => [name, text]));
  return { ...parameters, request: decode(String(parameters['request'])) };
}

/**
 * What is asked, and where it goes.
 *
 * @param {any} terms
 */
function priceOf(terms) {
  const { amount, maxAmountRequired, network, payTo, recipient, methodDetails } = terms.accepts?.[0] ?? terms.request;
  const name = NETWORKS.get(String(network ?? methodDetails?.chainId));
  return `${usdc(BigInt(amount ?? maxAmountRequired))} on ${name}, to ${ends(payTo ?? recipient)}`;
}

/**
 * What was signed, and by whom.
 *
 * @param {any} payment
 */
function paymentOf({ payload }) {
  const { from, value } = payload.authorization ?? payload;
  return `${usdc(BigInt(value))} from ${ends(from)}`;
}

/**
 * The transaction that a receipt names.
 *
 * @param {string} receipt
 */
function transactionOf(receipt) {
  const { transaction, reference } = decode(receipt) ?? {};
  return `transaction ${short(String(transaction ?? reference))}`;
}

/**
 * @param {string} header
 * @returns {any}
 */
export function decode(header) {
  return parse(Buffer.from(header.replace(/^payment /i, ''), 'base64').toString('utf8'));
}

/**
 * @param {string} text
 * @returns {any}
 */
export function parse(text) {
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
export function short(text) {
  return /^0x[0-9a-f]{64,}$/i.test(text) ? `${text.slice(0, 10)}…${text.slice(-6)}` : text;
}

/**
 * An address by its ends.
 *
 * @param {string} address
 */
export function ends(address) {
  return `${address.slice(0, 6)}…${address.slice(-4)}`;
}

/**
 * @param {bigint} atomic
 */
export function usdc(atomic) {
  return `${formatUnits(atomic, 6)} USDC`;
}
