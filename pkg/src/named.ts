/** The name of a purchase: one key is one request, in all that keeps what was paid for it. */
import type { Body } from './body.js';
import { FareboxError } from './error.js';
import { hexOf } from './hex.js';
import { keyOf, type Plain, purchaseOf } from './request.js';

/** A purchase. Under a key its name is that of its nonce: method, URL and key, whatever its body. */
export type Named = {
  readonly name: string;
  /** What it is for, under a key: another body is another request, and none of this purchase. */
  readonly content?: string;
};

/**
 * Whether content that came without a receipt has ended a purchase: that of a plain request, once nothing that was signed for it can be charged. Under a key,
 * or of a tool, it is one purchase until its receipt.
 */
export const endedByTime = (isAnswered: boolean, isDead: boolean, content: string | undefined, isTool = false): boolean =>
  isAnswered && isDead && content === undefined && !isTool;

/** The name of a request: under a key {@link purchaseOf} alone, otherwise that and its body. */
export async function nameOf(request: Plain): Promise<Named> {
  const facts = new TextEncoder().encode(purchaseOf(request));
  const content = await bytesOf(request.body);
  if (keyOf(request.headers) !== undefined) return { name: await digestOf(facts), content: await digestOf(content) };
  // The first ends with a bracket, and no other one begins where it ends.
  const all = new Uint8Array(facts.length + content.length);
  all.set(facts);
  all.set(content, facts.length);
  return { name: await digestOf(all) };
}

async function digestOf(bytes: Uint8Array): Promise<string> {
  // A page without a secure context has no hash: then it is named in full.
  const isPlain = globalThis.crypto?.subtle === undefined;
  return hexOf(isPlain ? bytes : new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)));
}

async function bytesOf(body: Body): Promise<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  if (typeof body === 'string') return new TextEncoder().encode(body);
  return body instanceof Blob ? new Uint8Array(await body.arrayBuffer()) : body;
}

/** The requests under keys that go on in one place. */
export class KeysUnderWay {
  readonly #calls = new Map<string, { readonly content: string | undefined; count: number }>();

  /** Begins a call, unless another request goes on under its key. */
  begin({ name, content }: Named): void {
    const it = this.#calls.get(name) ?? { content, count: 0 };
    refuseOther(it.content, content);
    it.count += 1;
    this.#calls.set(name, it);
  }

  end({ name }: Named): void {
    const it = this.#calls.get(name);
    if (it === undefined) return;
    it.count -= 1;
    if (it.count === 0) this.#calls.delete(name);
  }
}

/** Refuses a request whose key is known to stand for another one. An earlier version has noted no content. */
export function refuseOther(known: string | undefined, content: string | undefined): void {
  if (known === undefined || known === content) return;
  throw new FareboxError({
    code: 'payment_conflict',
    message: 'the Idempotency-Key belongs to another request: this one has another body, and is not paid',
    remedy: 'send the body of before, or take another Idempotency-Key for another purchase',
  });
}

/** Thrown where a key was delivered, and another payment than that of before would be charged beside it. */
export function delivered(): FareboxError {
  return new FareboxError({
    code: 'payment_conflict',
    message: 'what this Idempotency-Key stands for was paid and delivered, and the server asks for another payment; nothing was signed',
    remedy: 'to buy it anew, take another Idempotency-Key',
  });
}
