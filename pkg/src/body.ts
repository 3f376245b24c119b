/** Bodies: those that can be sent more than once, and those that go out a single time. */
import { FareboxError, unusable } from './error.js';

/** A body that can be sent again. */
export type Body = string | Uint8Array<ArrayBuffer> | Blob | undefined;
/** A body that can be sent once: enough for a request that turns out to be free. */
export type Single = { readonly kind: string; readonly body: BodyInit };

/**
 * A body that can be sent again; text and bytes are copied, so that later changes have no effect.
 * Any other body that `fetch` accepts is passed on as it is, for one request. Throws for the rest.
 */
export function bodyOf(body: unknown, headers: Headers): Body | Single {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string' || body instanceof Blob) return body;
  if (body instanceof URLSearchParams) {
    if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
    return body.toString();
  }
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength).slice();
  if (body instanceof FormData) return { kind: 'FormData', body };
  if (body instanceof ReadableStream || isIterable(body)) return { kind: 'a stream', body: body as BodyInit };
  throw new TypeError('no body');
}

/** Whether an answer of this status has no body. Spec: Fetch, "null body status". */
export function isBodiless(status: number): boolean {
  return status < 200 || [204, 205, 304].includes(status);
}

/** The error for a body that is none. */
export function noBody(): FareboxError {
  return unusable(
    'invalid_request',
    'the body is neither text, bytes, a form nor a stream',
    'pass a string, for an object JSON.stringify(object)',
  );
}

/** Whether it can go out a single time only. */
export function isSingle(body: Body | Single): body is Single {
  return typeof body === 'object' && 'kind' in body;
}

/** The error for a 402 that answers such a body: it is gone, and a payment would have to carry it. */
export function notReplayable({ kind }: Single, response: Response): FareboxError {
  const error = new FareboxError({
    code: 'body_not_replayable',
    message: `a body that is ${kind} can be sent only once, and the server asks for a payment with it`,
    remedy: 'pass a string, URLSearchParams, bytes or a Blob; for a form, a Blob of its encoded text',
  });
  error.response = response;
  return error;
}

/** Whether `fetch` of Node reads it as a stream. */
function isIterable(body: unknown): boolean {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}
