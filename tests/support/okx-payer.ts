// A payer of the shape that OKX's command line has: it reads one challenge, echoes six of its members, and signs a nonce of
// its own. Not OKX's code: its published behaviour, for tests.

import { randomBytes } from 'node:crypto';

import type { Hex } from 'viem';
import { type Authorization, type Signer, signTransfer, sourceOf, type TokenDomain, USDC_DOMAIN } from './mpp-payer.ts';
import { type Challenge, canonical, type Json, type JsonObject, requestOf } from './mpp-wire.ts';

export type OkxPayment = {
  /** What goes into `Authorization`. */
  readonly value: string;
  readonly echo: Json;
  readonly authorization?: Authorization;
  readonly signature?: Hex;
};

export type OkxOptions = {
  readonly domain?: TokenDomain;
  readonly nowSecs?: number;
  readonly nonce?: Hex;
  /** The client broadcasts by itself and proves it by this hash; needed where the challenge says `feePayer: false`. */
  readonly broadcast?: (challenge: Challenge) => Promise<Hex>;
  /** `splits` to put into the authorization. */
  readonly splits?: readonly Json[];
};

/**
 * Reads a header value as one challenge: a leading `Payment ` is cut off, the rest are pairs of keys and values.
 *
 * It is no list parser: of two challenges in one value, members of the second replace those of the first, and the second
 * `id` becomes a key of another name.
 */
export function readOkxChallenge(header: string): Challenge {
  const rest = header.startsWith('Payment ') ? header.slice('Payment '.length) : header;
  const pairs: Record<string, string> = {};
  for (const [, key = '', quoted, plain] of rest.matchAll(/\s*([^=,]+?)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^,]*))\s*(?:,|$)/gs)) {
    pairs[key] = quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/gs, '$1');
  }
  for (const name of ['id', 'method', 'intent']) if (!pairs[name]) throw new Error(`the challenge has no ${name}`);
  if (pairs['method'] !== 'evm') throw new Error(`unsupported method ${pairs['method']}`);
  return pairs as unknown as Challenge;
}

/** Pays one challenge; who pays the gas decides whether an authorization or a transaction is sent. */
export async function payAsOkx(header: string, signer: Signer, options: OkxOptions = {}): Promise<OkxPayment> {
  const challenge = readOkxChallenge(header);
  if (challenge.intent !== 'charge') throw new Error(`unsupported intent ${challenge.intent}`);
  const request = requestOf(challenge);
  if (typeof request.methodDetails.chainId !== 'number') throw new Error('the request names no chain');
  const { id, realm, method, intent, request: text } = challenge;
  const echo = { id, realm, method, intent, request: text, expires: challenge.expires ?? null };
  const source = sourceOf(signer, request);
  // Who pays the gas if the challenge does not say: the server.
  if (request.methodDetails.feePayer === false) {
    if (options.broadcast === undefined) throw new Error('the payer would have to broadcast');
    return sealed({ challenge: echo, source, payload: { type: 'hash', hash: await options.broadcast(challenge) } });
  }
  const now = options.nowSecs ?? Math.floor(Date.now() / 1000);
  const expires = challenge.expires === undefined ? now : Math.floor(Date.parse(challenge.expires) / 1000);
  const authorization: Authorization = {
    from: signer.address,
    to: request.recipient,
    value: request.amount,
    validAfter: '0',
    validBefore: String(Math.max(now + 300, expires + 60)),
    nonce: options.nonce ?? `0x${randomBytes(32).toString('hex')}`,
  };
  const signature = await signTransfer(signer, authorization, request, options.domain ?? USDC_DOMAIN);
  const signed: JsonObject = { type: 'eip-3009', ...authorization, signature };
  if (options.splits !== undefined) signed['splits'] = options.splits;
  const payload = { type: 'transaction', authorization: signed };
  return { ...sealed({ challenge: echo, source, payload }), authorization, signature };
}

/** Proves a transaction of one's own, whatever the challenge says of the gas. */
export function okxHash(header: string, { address }: Pick<Signer, 'address'>, hash: Hex): OkxPayment {
  const challenge = readOkxChallenge(header);
  const { id, realm, method, intent, request } = challenge;
  const echo = { id, realm, method, intent, request, expires: challenge.expires ?? null };
  return sealed({ challenge: echo, source: sourceOf({ address }, requestOf(challenge)), payload: { type: 'hash', hash } });
}

function sealed(message: { challenge: Json; source: string; payload: Json }): OkxPayment {
  return { value: `Payment ${Buffer.from(canonical(message)).toString('base64url')}`, echo: message.challenge };
}
