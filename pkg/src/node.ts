/** A node of the payer's choice: tells what a token's contract says of them. */
import { readWithin } from './beginning.js';
import { isObject } from './members.js';
import { endsIn, fetchOf } from './request.js';

/** One call that reads. */
export type Call = { readonly to: string; readonly data: string };

/** How long a node may take, milliseconds: somebody waits for it with each payment. */
const MAX_MS = 5_000;
/** More than what such a call returns, bytes. */
const MAX_BODY = 4_096;

/** What a call returns, hex; `undefined` where the node fails, or says that the call did. Nothing of it is trusted more than that. */
export async function called(url: string, call: Call, signal: AbortSignal | null | undefined): Promise<string | undefined> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_call', params: [call, 'latest'] });
  const headers = { 'content-type': 'application/json' };
  try {
    // Workers know no redirect that is an error: a node that leads elsewhere answers nothing.
    const response = await fetchOf(undefined)(url, { method: 'POST', headers, body, redirect: 'manual', signal: endsIn(MAX_MS, signal) });
    if (!response.ok) return undefined;
    const { bytes, end } = await readWithin(response, MAX_BODY, MAX_MS);
    const told: unknown = end === 'whole' ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
    const result = isObject(told) ? told['result'] : undefined;
    return typeof result === 'string' ? result : undefined;
  } catch {
    return undefined;
  }
}
