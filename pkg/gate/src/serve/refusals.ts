/** What the front answers by itself. */
import type { ServerResponse } from 'node:http';

/** An answer of the front itself; `after` is in seconds. */
export type Refusal = { readonly status: number; readonly code: string; readonly detail: string; readonly after?: number };

/** Fields of a request. */
export const MOST_FIELDS = 200;

export const TOO_MANY = { status: 431, code: 'too_many_fields', detail: `a request has at most ${MOST_FIELDS} header fields` };
export const NOWHERE = {
  status: 400,
  code: 'target_unreadable',
  detail: 'a request names a path that begins with /, or a URL of http, and one host that can be read',
};
export const OWN = { status: 404, code: 'not_served', detail: "the folder of this gate is nobody else's" };
export const NOBODY = {
  status: 400,
  code: 'sender_unknown',
  detail: 'the proxy in front has to write the address of the client as the last entry of X-Forwarded-For',
};
export const EXPECTED = { status: 417, code: 'expectation_failed', detail: 'of what Expect may say, 100-continue is understood' };
export const UNREADABLE = {
  status: 502,
  code: 'answer_unreadable',
  detail: 'the answer has header fields that cannot be read; if the request was paid for, the operator knows the payment',
};
/** Nothing of the request has reached the gate. */
export const BUSY = {
  status: 503,
  code: 'gate_busy',
  detail: 'the gate has as many requests under way as it takes; send the same request again, with the same payment if there is one',
  after: 1,
};
/** Nothing of the request has reached the gate, or it is not known. */
export const UNAVAILABLE = {
  status: 503,
  code: 'gate_unavailable',
  detail: 'the gate does not run at the moment; send the same request again, with the same payment if there is one',
  after: 2,
};

/** Answers a request that goes no further. */
export function refuse(answer: ServerResponse, { status, code, detail, after }: Refusal): void {
  const title = `${code.charAt(0).toUpperCase()}${code.slice(1).replaceAll('_', ' ')}`;
  const type = `urn:farebox:problem:${code}`;
  const body = { type, title, status, detail, reason: detail, code, retryable: after !== undefined };
  if (after !== undefined) answer.setHeader('retry-after', String(after));
  answer
    .writeHead(status, { 'content-type': 'application/problem+json', 'cache-control': 'no-store', connection: 'close' })
    .end(JSON.stringify(body));
}
