// Asks the objects of the ledger, and writes an object's answer.

import { joined } from '../platform/body.mjs';
import { race } from '../platform/deadline.mjs';
import { complain } from '../platform/edge.mjs';

/**
 * The ledger's namespace, in the jurisdiction that the operator has chosen, with the hint where its
 * objects should be created.
 *
 * @param {DurableObjectNamespace | undefined} namespace
 * @param {DurableObjectJurisdiction | null | undefined} jurisdiction
 * @param {DurableObjectLocationHint | null | undefined} location
 */
export function ledgerOf(namespace, jurisdiction, location) {
  const hint = location ? { locationHint: location } : undefined;
  if (!jurisdiction) return { namespace, hint };
  try {
    return { namespace: namespace?.jurisdiction(jurisdiction), hint };
  } catch (error) {
    // Objects in another place would be different ones: no ledger is better than a second one.
    complain(`farebox: LEDGER_JURISDICTION: the platform has no ${jurisdiction} (${error instanceof Error ? error.message : error})`);
    return { namespace: undefined, hint };
  }
}

/**
 * Asks a ledger object; a body goes beside the command, and so does a stored one beside its answer.
 *
 * @param {ReturnType<typeof ledgerOf>} ledger
 * @param {string} name
 * @param {string} command
 * @param {Uint8Array | { whole: Uint8Array } | null} body
 * @param {number} milliseconds
 */
export async function askObject({ namespace, hint }, name, command, body, milliseconds) {
  try {
    const stub = /** @type {any} */ (namespace?.get(namespace.idFromName(name), hint));
    const bytes = bytesOf(body);
    const said = stub?.ask?.(command, bytes) ?? Promise.reject(new Error(WITHOUT_CALLS));
    // The time is up for who waits, not for the object: nothing that it has begun is called back.
    return await race(
      said.catch((/** @type {unknown} */ error) => askEarlier(stub, command, bytes, error)),
      milliseconds,
      undefined,
    );
  } catch {
    return undefined;
  }
}

/**
 * Asks a channel's object until it has another answer than that it waits; undefined if it is down.
 *
 * @param {ReturnType<typeof ledgerOf>} ledger
 * @param {string} name
 * @param {string} command
 * @param {number} milliseconds the longest wait
 * @returns {Promise<Answered | undefined>}
 */
export async function awaitObject({ namespace, hint }, name, command, milliseconds) {
  try {
    const stub = /** @type {any} */ (namespace?.get(namespace.idFromName(name), hint));
    return await race(stub.awaited(command, milliseconds), milliseconds + PATIENCE_MS, undefined);
  } catch {
    return undefined;
  }
}

/**
 * Asks an object for the rows of a copy, or gives it some; undefined if it is down, or of a version that knows no copies.
 *
 * @param {ReturnType<typeof ledgerOf>} ledger
 * @param {string} name
 * @param {string} command
 * @param {string | null} lines
 * @param {number} milliseconds
 * @returns {Promise<string | undefined>}
 */
export async function copyObject({ namespace, hint }, name, command, lines, milliseconds) {
  try {
    const stub = /** @type {any} */ (namespace?.get(namespace.idFromName(name), hint));
    return await race(stub.copy(command, lines), milliseconds, undefined);
  } catch {
    return undefined;
  }
}

/** Milliseconds that an object may take beyond a wait. */
const PATIENCE_MS = 10_000;

/** Names the bytes of JSON in front of a raw body, in a message. */
const SPLIT = 'farebox-split';
/** What the platform says of an object that knows no remote calls, or not this one. Nothing ran in it then. */
const WITHOUT_CALLS = 'does not support RPC';
const WITHOUT_THIS_CALL = 'does not implement the method';

/**
 * Asks an object of an earlier version, which knows messages alone: while a deployment rolls out by
 * and by, new Workers meet old objects.
 *
 * @param {any} stub
 * @param {string} command
 * @param {Uint8Array | null} body
 * @param {unknown} error why it could not be called
 * @returns {Promise<Answered>}
 */
async function askEarlier(stub, command, body, error) {
  const why = error instanceof Error ? error.message : '';
  if (!why.includes(WITHOUT_CALLS) && !why.includes(WITHOUT_THIS_CALL)) throw error;
  const json = new TextEncoder().encode(command);
  const sent =
    body === null
      ? { body: json }
      : { headers: { [SPLIT]: `${json.byteLength}` }, body: joined([json, body], json.byteLength + body.byteLength) };
  const response = await stub.fetch('https://ledger/', { method: 'POST', ...sent });
  if (!response.ok) throw error;
  const split = response.headers.get(SPLIT);
  const all = new Uint8Array(await response.arrayBuffer());
  const end = split === null ? all.length : Number(split);
  return { answer: new TextDecoder().decode(all.subarray(0, end)), body: split === null ? null : { whole: all.subarray(end) } };
}

/**
 * The bytes of a body alone: a part of a longer buffer would take the rest of it along.
 *
 * @param {Uint8Array | { whole: Uint8Array } | null} body
 */
function bytesOf(body) {
  if (body === null) return null;
  const bytes = 'whole' in body ? body.whole : body;
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/**
 * A message that a Worker of an earlier version has sent by `fetch`.
 *
 * @param {Request} request
 * @returns {Promise<[command: string, body: Uint8Array | null]>}
 */
export async function messageOf(request) {
  const split = request.headers.get(SPLIT);
  const all = new Uint8Array(await request.arrayBuffer());
  const end = split === null ? all.length : Number(split);
  return [new TextDecoder().decode(all.subarray(0, end)), split === null ? null : all.slice(end)];
}

/**
 * The answer to it.
 *
 * @param {Answered} answered
 */
export function responseOf({ answer, body }) {
  if (body === null) return new Response(answer);
  const json = new TextEncoder().encode(answer);
  return new Response(joined([json, body.whole], json.byteLength + body.whole.byteLength), { headers: { [SPLIT]: `${json.byteLength}` } });
}

/**
 * @typedef {object} Answered an object's answer
 * @property {string} answer
 * @property {{ whole: Uint8Array } | null} body a stored one
 */

/**
 * An object's answer, and the time for its alarm.
 *
 * @param {string} answer
 * @param {Uint8Array | undefined} stored
 * @param {number | undefined} alarm
 * @returns {{ answered: Answered, alarm: number | undefined }}
 */
export function answered(answer, stored, alarm) {
  return { answered: { answer, body: stored === undefined ? null : { whole: stored } }, alarm };
}
