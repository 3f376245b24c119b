// Payments for each side, signed outside of the measured time, each with a nonce of its own.

import { randomBytes } from 'node:crypto';
import { Mppx } from 'mppx/client';
import { charge } from 'mppx/evm/client';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

/** @typedef {Record<string, string>} Headers */

/** The network and token of all payments: USDC of Base Sepolia. */
export const NETWORK = 'eip155:84532';
export const CHAIN_ID = 84532;
export const ASSET = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
export const PAY_TO = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';

const payers = Array.from({ length: 64 }, () => privateKeyToAccount(generatePrivateKey()));
const forged = privateKeyToAccount(generatePrivateKey());
let turn = 0;

/** The payer in whose name forged payments are made. */
export const FORGER = forged.address;

/**
 * The `exact` terms that a 402 asks for.
 *
 * @param {string | string[] | undefined} header value of PAYMENT-REQUIRED
 * @returns {{resource: unknown, terms: any}}
 */
export function termsOf(header) {
  const required = JSON.parse(Buffer.from(String(header), 'base64').toString('utf8'));
  return { resource: required.resource, terms: required.accepts[0] };
}

/**
 * The `exact` terms in the body of a 402 of version 1, with the names of version 2.
 *
 * @param {string} text
 * @returns {{resource: unknown, terms: any}}
 */
export function termsOfVersion1(text) {
  const [terms] = JSON.parse(text).accepts;
  return { resource: terms.resource, terms: { ...terms, amount: terms.maxAmountRequired } };
}

/**
 * Payments of x402 for terms; a forged one names a payer who has not signed it.
 *
 * @param {{resource: unknown, terms: any}} required
 * @param {number} count
 * @param {'genuine' | 'forged'} kind
 * @param {1 | 2} [version]
 * @returns {Promise<Headers[]>}
 */
export async function x402Payments({ resource, terms }, count, kind, version = 2) {
  const all = [];
  for (let index = 0; index < count; index += 1) {
    const signer = nextPayer();
    const authorization = {
      from: kind === 'forged' ? forged.address : signer.address,
      to: terms.payTo,
      value: terms.amount,
      validAfter: '0',
      validBefore: String(Math.floor(Date.now() / 1000) + terms.maxTimeoutSeconds),
      nonce: /** @type {`0x${string}`} */ (`0x${randomBytes(32).toString('hex')}`),
    };
    const signature = await signer.signTypedData({
      domain: { name: terms.extra.name, version: terms.extra.version, chainId: CHAIN_ID, verifyingContract: terms.asset },
      types: TRANSFER,
      primaryType: 'TransferWithAuthorization',
      message: { ...authorization, value: BigInt(authorization.value), validAfter: 0n, validBefore: BigInt(authorization.validBefore) },
    });
    const proof = { x402Version: version, payload: { signature, authorization } };
    const [field, payment] =
      version === 1
        ? ['x-payment', { ...proof, scheme: 'exact', network: terms.network }]
        : ['payment-signature', { ...proof, resource, accepted: terms }];
    all.push({ [field]: Buffer.from(JSON.stringify(payment)).toString('base64') });
  }
  return all;
}

/**
 * `mppx` credentials, each for the challenge of a 402 of its own.
 *
 * @param {string[]} challenges values of WWW-Authenticate
 * @returns {Promise<Headers[]>}
 */
export async function mppxPayments(challenges) {
  const all = [];
  for (const challenge of challenges) {
    const client = Mppx.create({
      polyfill: false,
      methods: [charge({ account: nextPayer(), authorization: { name: 'USDC', version: '2' }, networks: [CHAIN_ID], currencies: [ASSET] })],
    });
    const response = new Response(null, { status: 402, headers: { 'www-authenticate': challenge } });
    all.push({ authorization: await client.createCredential(response) });
  }
  return all;
}

function nextPayer() {
  turn = (turn + 1) % payers.length;
  return /** @type {(typeof payers)[number]} */ (payers[turn]);
}

const TRANSFER = /** @type {const} */ ({
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
});
