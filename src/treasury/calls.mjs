// The platform calls of the treasury alone: its objects and signers.

import { bounded } from '../platform/body.mjs';
import { race } from '../platform/deadline.mjs';

/**
 * Asks the object of an organization; undefined if it is down.
 *
 * @param {Record<string, unknown>} env
 * @param {string} organization
 * @param {string} command
 * @param {number} milliseconds
 */
export async function askTreasury(env, organization, command, milliseconds) {
  try {
    const namespace = /** @type {any} */ (env.TREASURY);
    return await race(namespace.get(namespace.idFromName(organization)).ask(organization, command), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Asks a bound Worker for a signature of typed data: the member `signature` of its answer.
 *
 * @param {Record<string, any>} env
 * @param {string} binding
 * @param {string} typed
 * @param {number} milliseconds
 */
export async function askSigner(env, binding, typed, milliseconds) {
  const signal = AbortSignal.timeout(milliseconds);
  try {
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const response = await env[binding].fetch('https://signer/sign', { method: 'POST', headers, body: typed, redirect: 'manual', signal });
    const { signature } = JSON.parse((await bounded(response, 4096)) ?? '{}');
    return response.status === 200 && typeof signature === 'string' ? signature : undefined;
  } catch {
    return undefined;
  }
}
