// The platform calls of the market alone: its objects, the treasury, Workers of the operator, and what is stored.

import { textOf } from '../platform/body.mjs';
import { race } from '../platform/deadline.mjs';
import { headersOf } from '../platform/edge.mjs';

/**
 * Asks an object; undefined if it is down.
 *
 * @param {any} objects the binding
 * @param {string} name
 * @param {string} letter
 * @param {number} milliseconds
 */
export async function askObject(objects, name, letter, milliseconds) {
  try {
    return await race(objects.get(objects.idFromName(name)).ask(name, letter), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * What an object shows; undefined if it is down.
 *
 * @param {any} objects the binding
 * @param {string} name
 * @param {string} letter
 * @param {number} milliseconds
 */
export async function lookAt(objects, name, letter, milliseconds) {
  try {
    return await race(objects.get(objects.idFromName(name)).look(name, letter), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * A feed of an object: the response, which goes on; undefined if it is down.
 *
 * @param {any} objects the binding
 * @param {string} name
 * @param {Request} request how it is to be read
 * @param {string} letter which feed
 * @param {string} client
 * @param {number} milliseconds
 */
export async function openFeed(objects, name, request, letter, client, milliseconds) {
  const headers = new Headers({
    'farebox-name': encodeURIComponent(name),
    'farebox-letter': encodeURIComponent(letter),
    'farebox-client': encodeURIComponent(client),
  });
  const upgrade = request.headers.get('upgrade');
  if (upgrade !== null) headers.set('upgrade', upgrade);
  try {
    return await race(objects.get(objects.idFromName(name)).fetch('https://exchange.invalid/feed', { headers }), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Asks the treasury: status, `Farebox-Figures`, `Farebox-Money`, `Farebox-Transaction` and the body, apart by line ends; undefined if no complete answer came.
 *
 * @param {Record<string, any>} env
 * @param {string} method
 * @param {string} path
 * @param {string} lines
 * @param {string | undefined} body
 * @param {number} milliseconds
 * @param {number} bytes
 */
export async function askTreasury(env, method, path, lines, body, milliseconds, bytes) {
  const signal = AbortSignal.timeout(milliseconds);
  try {
    const headers = headersOf(`content-type: application/json\naccept: application/json\n${lines}`);
    const response = await env.TREASURY.fetch(`https://treasury${path}`, {
      method,
      headers,
      redirect: 'manual',
      signal,
      ...(body === undefined ? {} : { body }),
    });
    const text = await race(textOf(response, bytes), milliseconds, undefined);
    if (text === undefined) return undefined;
    const told = ['farebox-figures', 'farebox-money', 'farebox-transaction'].map((name) => response.headers.get(name) ?? '');
    return [response.status, ...told, text].join('\n');
  } catch {
    return undefined;
  }
}

/**
 * Puts an object into the archive; whether the bucket says that it has it.
 *
 * @param {Record<string, any>} env
 * @param {string} name
 * @param {string} text
 * @param {number} milliseconds
 */
export async function putShelf(env, name, text, milliseconds) {
  try {
    const httpMetadata = { contentType: 'application/x-ndjson' };
    return await race(
      env.ARCHIVE.put(name, text, { httpMetadata }).then(() => true),
      milliseconds,
      false,
    );
  } catch {
    return false;
  }
}

/**
 * The text of an object of the archive; undefined if it cannot be read.
 *
 * @param {Record<string, any>} env
 * @param {string} name
 * @param {number} milliseconds
 */
export async function getShelf(env, name, milliseconds) {
  const read = async () => (await env.ARCHIVE.get(name))?.text();
  try {
    return await race(read(), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Puts a question to a Worker of the operator: `REPUTATION` knows agents, `PROOF` judges results. Undefined if no complete answer came.
 *
 * @param {Record<string, any>} env
 * @param {'REPUTATION' | 'PROOF'} binding
 * @param {string} question
 * @param {number} milliseconds
 * @param {number} bytes
 */
export async function askBound(env, binding, question, milliseconds, bytes) {
  const signal = AbortSignal.timeout(milliseconds);
  const headers = { 'content-type': 'application/json' };
  const asked = async () => {
    const response = await env[binding].fetch(`https://${binding.toLowerCase()}/check`, {
      method: 'POST',
      headers,
      body: question,
      redirect: 'manual',
      signal,
    });
    return response.status === 200 ? textOf(response, bytes) : undefined;
  };
  return race(
    asked().catch(() => undefined),
    milliseconds,
    undefined,
  );
}

/**
 * The gate's route table that is stored, with its number, 0 if none is written there; undefined if it cannot be read.
 *
 * @param {Record<string, any>} env
 * @param {number} milliseconds
 */
export async function readTable(env, milliseconds) {
  const read = async () => {
    const { value, metadata } = await env.CONFIG.getWithMetadata('routes');
    const number = Number.isSafeInteger(metadata?.number) && metadata.number > 0 ? metadata.number : 0;
    return { number, text: value ?? '' };
  };
  try {
    return await race(read(), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Writes the gate's route table under its number; whether it is written.
 *
 * @param {Record<string, any>} env
 * @param {string} table
 * @param {number} number
 * @param {number} milliseconds
 */
export async function putTable(env, table, number, milliseconds) {
  try {
    return await race(
      env.CONFIG.put('routes', table, { metadata: { number } }).then(() => true),
      milliseconds,
      false,
    );
  } catch {
    return false;
  }
}
