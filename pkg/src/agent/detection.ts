/** Whether an answer asks for a payment. */
import * as wasm from '#agent-wasm';

import type { PaidRequestProtocol } from './contracts.js';
import { fieldsOf, linesOf } from './heads.js';

/** A challenge: the header fields of a 402, and its body if that is JSON. */
export type DetectedChallenge = {
  protocol: PaidRequestProtocol;
  headers: Record<string, string>;
  body?: unknown;
};

/** Maximum bytes of a body that is searched for a challenge. */
const MAX_BODY = 64 * 1024;

/** The challenge of an answer, whose body stays unread; `undefined` if it is no 402 or asks for nothing known. */
export async function detectChallengeFromResponse(response: Response): Promise<DetectedChallenge | undefined> {
  if (response.status !== 402) return undefined;
  const headers = fieldsOf(response.headers);
  const content = await beginning(response);
  const protocol = wasm.detect(response.status, linesOf(headers), content);
  if (protocol === undefined) return undefined;
  // A cookie is between the merchant and whoever asked.
  delete headers['set-cookie'];
  const body = parsed(content);
  return { protocol: protocol as PaidRequestProtocol, headers, ...(body === undefined ? {} : { body }) };
}

function parsed(content: string): unknown {
  try {
    return JSON.parse(content) as unknown;
  } catch {
    return undefined;
  }
}

/** The text of a body that stays readable; of a longer or broken one nothing. */
async function beginning(response: Response): Promise<string> {
  if (response.bodyUsed) return '';
  const reader = response.clone().body?.getReader();
  const decoder = new TextDecoder();
  let content = '';
  let length = 0;
  while (reader !== undefined) {
    const { done, value } = await reader.read().catch(() => ({ done: undefined, value: undefined }));
    if (done === true) break;
    length += value?.length ?? Infinity;
    if (value === undefined || length > MAX_BODY) {
      // Not awaited: it would last until the other copy is read.
      reader.cancel().catch(() => undefined);
      return '';
    }
    content += decoder.decode(value, { stream: true });
  }
  return content + decoder.decode();
}
