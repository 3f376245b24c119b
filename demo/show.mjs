// Prints an exchange of the demo: a payer's requests and responses, with decoded headers.

import { formatUnits } from 'viem';

/** Headers of payment and receipt, and the place of the terms. */
const SPOKEN = {
  v2: { proof: 'payment-signature', receipt: 'payment-response', terms: 'payment-required' },
  v1: { proof: 'x-payment', receipt: 'x-payment-response', terms: undefined },
  mpp: { proof: 'authorization', receipt: 'payment-receipt', terms: 'www-authenticate' },
};

/**
 * A fetch that prints requests and responses as a client of that protocol reads them: the terms of
 * a 402 are in a header, except for x402 v1, which has them in the body.
 *
 * @param {typeof fetch} base
 * @param {keyof typeof SPOKEN} protocol
 * @returns {typeof fetch}
 */
export function showing(base, protocol) {
  const { proof, receipt, terms } = SPOKEN[protocol];
  return async (input, init) => {
    const request = new Request(input, init);
    console.log(`\n  → ${request.method} ${request.url}`);
    sayHeader(request.headers, proof);
    const response = await base(request);
    console.log(`  ← ${response.status} ${response.statusText}`);
    sayHeader(response.headers, receipt);
    if (terms !== undefined && response.status === 402) sayHeader(response.headers, terms);
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
  if (value !== null) say(`${name.toUpperCase()}, decoded`, name === 'www-authenticate' ? challenge(value) : (decode(value) ?? value));
}

/**
 * The parameters of one challenge, with decoded terms.
 *
 * @param {string} value
 */
export function challenge(value) {
  /** @type {Record<string, unknown>} */
  const parameters = Object.fromEntries([...value.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, name, text]) => [name, text]));
  return { ...parameters, request: decode(String(parameters['request'])) };
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function say(name, value) {
  const text = JSON.stringify(value, (_, inner) => (typeof inner === 'string' ? short(inner) : inner), 2);
  console.log(`      ${name}: ${text.replace(/\n/g, '\n      ')}`);
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
 * @param {bigint} atomic
 */
export function usdc(atomic) {
  return `${formatUnits(atomic, 6)} USDC`;
}
