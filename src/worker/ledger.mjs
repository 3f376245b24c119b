// Asks the objects of the ledger, and writes an object's answer.

import { joined } from './body.mjs';
import { withDeadline } from './deadline.mjs';
import { complain } from './edge.mjs';

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
 * Asks a ledger object; a body goes behind the command, and so does a stored one behind its answer.
 *
 * @param {ReturnType<typeof ledgerOf>} ledger
 * @param {string} name
 * @param {string} command
 * @param {Uint8Array | { whole: Uint8Array } | null} body
 * @param {number} milliseconds
 */
export function askObject({ namespace, hint }, name, command, body, milliseconds) {
  return withDeadline(milliseconds, async ({ signal }) => {
    try {
      if (namespace === undefined) return undefined;
      const stub = namespace.get(namespace.idFromName(name), hint);
      const bytes = body === null ? undefined : 'whole' in body ? body.whole : body;
      const response = await stub.fetch(`https://ledger/${name.startsWith('ledger/') ? '' : name}`, {
        method: 'POST',
        signal,
        ...(bytes === undefined ? { body: command } : withBody(command, bytes)),
      });
      if (!response.ok) {
        await response.body?.cancel();
        return undefined;
      }
      const split = response.headers.get(SPLIT);
      if (split === null) return { answer: await response.text(), body: null };
      const all = new Uint8Array(await response.arrayBuffer());
      const end = Number(split);
      return { answer: new TextDecoder().decode(all.subarray(0, end)), body: { whole: all.subarray(end) } };
    } catch {
      return undefined;
    }
  });
}

/** Names the bytes of JSON in front of a raw body. */
export const SPLIT = 'farebox-split';

/**
 * @param {string} command
 * @param {Uint8Array} body
 */
function withBody(command, body) {
  const json = new TextEncoder().encode(command);
  return { headers: { [SPLIT]: `${json.byteLength}` }, body: joined([json, body], json.byteLength + body.byteLength) };
}

/**
 * An object's answer, and the time for its alarm.
 *
 * @param {string} answer
 * @param {Uint8Array | undefined} stored
 * @param {number | undefined} alarm
 */
export function answered(answer, stored, alarm) {
  if (stored === undefined) return { response: new Response(answer), alarm };
  const { headers, body } = withBody(answer, stored);
  return { response: new Response(body, { headers }), alarm };
}
