// The keys of identity issuers, and what they have signed.

import { textOf } from '../platform/body.mjs';
import { race } from '../platform/deadline.mjs';

/**
 * Whether a signature is of the issuer whose keys are at this URL: `right`, `wrong`, or `unread` if they cannot be read.
 *
 * @param {string} url of a JWKS
 * @param {string} kid of the key; empty if the token names none
 * @param {string} text what is signed
 * @param {string} signature in base64url
 * @param {number} milliseconds
 */
export async function checkRs256(url, kid, text, signature, milliseconds) {
  let tried;
  for (let turn = 0; turn < JWKS_TURNS; turn += 1) {
    const now = Date.now();
    const known = jwks.get(url) ?? { keys: [], read: 0, until: 0, isDown: false };
    jwks.set(url, known);
    if (now < known.until && known.keys !== tried) {
      tried = known.keys;
      if (await isSigned(tried, kid, text, signature)) return 'right';
    }
    // Issuers change their keys: what the known ones do not prove is looked up once more, by one request at a time, also while there
    // are none.
    if (now < known.read + JWKS_PAUSE_MS) {
      if (known.isDown) return 'unread';
      await new Promise((resolve) => setTimeout(resolve, known.read + JWKS_PAUSE_MS - now));
      continue;
    }
    known.read = now;
    known.isDown = false;
    const keys = await readJwks(url, milliseconds);
    if (keys === undefined) {
      known.isDown = true;
      return 'unread';
    }
    jwks.set(url, { keys, read: now, until: now + JWKS_MS, isDown: false });
    return (await isSigned(keys, kid, text, signature)) ? 'right' : 'wrong';
  }
  return 'unread';
}

/**
 * Whether one of these keys has made a signature.
 *
 * @param {any[]} keys
 * @param {string} kid
 * @param {string} text
 * @param {string} signature
 */
async function isSigned(keys, kid, text, signature) {
  const suits = (/** @type {any} */ key) =>
    key?.kty === 'RSA' && (key.use === undefined || key.use === 'sig') && (key.alg === undefined || key.alg === 'RS256');
  const all = keys.filter(suits);
  const key = kid === '' ? (all.length === 1 ? all[0] : undefined) : all.find((/** @type {any} */ one) => one.kid === kid);
  if (key === undefined) return false;
  try {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const { n, e } = key;
    const imported = await crypto.subtle.importKey('jwk', { kty: 'RSA', n, e }, algorithm, false, ['verify']);
    const bytes = Uint8Array.from(atob(signature.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    return await crypto.subtle.verify(algorithm, imported, bytes, new TextEncoder().encode(text));
  } catch {
    return false;
  }
}

/**
 * Keys of issuers by their URL: when they were read last, until when they count, and whether the last read failed.
 *
 * @type {Map<string, {keys: any[], read: number, until: number, isDown: boolean}>}
 */
const jwks = new Map();
const JWKS_MS = 300_000;
/** Between two reads of an issuer's keys: tokens of strangers cause no more. */
const JWKS_PAUSE_MS = 1_000;
const JWKS_TURNS = 4;
const JWKS_BYTES = 256 * 1024;

/**
 * @param {string} url
 * @param {number} milliseconds
 */
async function readJwks(url, milliseconds) {
  try {
    const signal = AbortSignal.timeout(milliseconds);
    const response = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'manual', signal });
    const text = response.status === 200 ? await race(textOf(response, JWKS_BYTES), milliseconds, undefined) : undefined;
    const keys = text === undefined ? undefined : JSON.parse(text).keys;
    return Array.isArray(keys) ? keys : undefined;
  } catch {
    return undefined;
  }
}
