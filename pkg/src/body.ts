/** Bodies that can be sent more than once. */
import { FareboxError } from './error.js';

export type Body = string | Uint8Array<ArrayBuffer> | Blob | undefined;

/**
 * A body that can be sent again; text and bytes are copied, so that later changes have no effect.
 */
export async function bodyOf(body: unknown, headers: Headers): Promise<Body> {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string' || body instanceof Blob) return body;
  if (body instanceof URLSearchParams) {
    if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
    return body.toString();
  }
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.byteLength).slice();
  throw new FareboxError({
    code: 'body_not_replayable',
    message: `a body of type ${kindOf(body)} can be sent only once, and a payment may have to be sent again`,
    remedy: 'pass a string, URLSearchParams, bytes or a Blob; for a form, a Blob of its encoded text',
  });
}

function kindOf(body: unknown): string {
  return (body as { constructor?: { name?: string } }).constructor?.name ?? typeof body;
}
