/** Keys of facilitators, and what a facilitator that takes one finds in each call: read with Node's own cryptography. */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';

import type { FacilitatorCall } from './facilitator.ts';
import type { JsonObject } from './payer.ts';

export type Algorithm = 'EdDSA' | 'ES256';
export type CdpKey = { readonly id: string; readonly algorithm: Algorithm; readonly secret: string; readonly publicKey: KeyObject };

export const CDP_PATH = '/platform/v2/x402';

/** A new key in the form in which Coinbase hands it out. */
export function cdpKey(algorithm: Algorithm): CdpKey {
  const id = `11111111-2222-3333-4444-${algorithm.toLowerCase()}`;
  if (algorithm === 'ES256') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    // As it stands in a file of variables: a line end is two characters.
    const secret = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().replaceAll('\n', '\\n');
    return { id, algorithm, secret, publicKey };
  }
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const secret = Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]).toString('base64');
  return { id, algorithm, secret, publicKey };
}

export function cdpSecrets(key: CdpKey): Readonly<Record<string, string>> {
  return { CDP_API_KEY_ID: key.id, CDP_API_KEY_SECRET: key.secret };
}

/** Whether a call shows a JWT that this key has signed. */
export function isSignedBy(key: CdpKey, call: FacilitatorCall): boolean {
  const [header = '', claims = '', signature = ''] = tokenOf(call).split('.');
  const input = Buffer.from(`${header}.${claims}`);
  const bytes = Buffer.from(signature, 'base64url');
  return key.algorithm === 'EdDSA'
    ? verify(null, input, key.publicKey, bytes)
    : verify('sha256', input, { key: key.publicKey, dsaEncoding: 'ieee-p1363' }, bytes);
}

/** A call with a good JWT for it and for nothing else; gives its nonce. */
export function expectCdp(key: CdpKey, call: FacilitatorCall): string {
  assert.ok(isSignedBy(key, call), `${call.method} ${call.target} is signed`);
  const [header, claims] = tokenOf(call)
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as JsonObject);
  const nonce = String(header?.['nonce']);
  assert.match(nonce, /^[0-9a-f]{32}$/);
  assert.deepEqual(header, { alg: key.algorithm, kid: key.id, typ: 'JWT', nonce });
  const issued = Number(claims?.['iat']);
  assert.ok(Math.abs(issued - Date.now() / 1000) < 60, `issued at ${issued}`);
  const uris = [`${call.method} ${call.headers.host}${call.target}`];
  assert.deepEqual(claims, { sub: key.id, iss: 'cdp', uris, iat: issued, nbf: issued, exp: issued + 120 });
  return nonce;
}

function tokenOf(call: FacilitatorCall): string {
  const [, token = ''] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(call.headers.authorization ?? '') ?? [];
  return token;
}

export const OKX = {
  OKX_API_KEY: 'okx-key-of-the-suite',
  OKX_API_SECRET: 'okx-secret-of-the-suite',
  OKX_API_PASSPHRASE: 'okx-passphrase-of-the-suite',
};
export const OKX_PATH = '/api/v6/pay/x402';

/** A call with OKX's fields, whose HMAC is over this call. */
export function expectOkx(call: FacilitatorCall): void {
  const at = String(call.headers['ok-access-timestamp']);
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, at);
  const text = `${at}${call.method}${call.target}${call.body.toString()}`;
  assert.equal(call.headers['ok-access-sign'], createHmac('sha256', OKX.OKX_API_SECRET).update(text).digest('base64'));
  assert.equal(call.headers['ok-access-key'], OKX.OKX_API_KEY);
  assert.equal(call.headers['ok-access-passphrase'], OKX.OKX_API_PASSPHRASE);
}
