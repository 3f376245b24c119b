/** Whether an answer asks for a payment. */
import * as wasm from '#agent-wasm';

import { beginning } from '../beginning.js';
import type { PaidRequestProtocol } from './contracts.js';
import { fieldsOf, linesOf } from './heads.js';

/** A challenge: the header fields of a 402, and its body if that is declared as JSON, and is. */
export type DetectedChallenge = { protocol: PaidRequestProtocol; headers: Record<string, string>; body?: unknown };

/** The challenge of an answer, whose body stays unread; `undefined` if it is no 402 or asks for nothing known. */
export async function detectChallengeFromResponse(response: Response): Promise<DetectedChallenge | undefined> {
  if (response.status !== 402) return undefined;
  const headers = fieldsOf(response.headers);
  const content = response.bodyUsed ? '' : new TextDecoder().decode(await beginning(response));
  const protocol = wasm.detect(response.status, linesOf(headers), content);
  if (protocol === undefined) return undefined;
  // A cookie is between the merchant and whoever asked.
  delete headers['set-cookie'];
  const body = isJson(headers['content-type']) ? parsed(content) : undefined;
  return { protocol: protocol as PaidRequestProtocol, headers, ...(body === undefined ? {} : { body }) };
}

const isJson = (kind = ''): boolean => kind.toLowerCase().includes('application/json');

function parsed(content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch {
    return undefined;
  }
}
