/** The caller's request, in a form that can be sent more than once, and its permitted URLs. */
import { carriesPayment } from '#wasm';

import { type Body, bodyOf, isSingle, noBody, type Single } from './body.js';
import { FareboxError, quietly, unusable } from './error.js';
import { timerMs } from './timer.js';

export type Plain = {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: Body;
  readonly single: Single | undefined;
  readonly rest: RequestInit;
};

/** The request in a form that can be sent more than once, except for a body that cannot. */
export async function requestOf(
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  acceptPayment: boolean,
  accepted = 'evm/charge',
): Promise<Plain> {
  const given = usable(() => (input instanceof Request ? input : undefined), 'the URL is none');
  // Members are read once, and those of a hostile object are no error of the platform's.
  const {
    method: named,
    headers: fields,
    body: content,
    ...rest
  } = usable(() => ({ ...init }), 'the options of the request cannot be read');
  const page = (globalThis as { location?: { href: string } }).location?.href;
  // Platforms' errors quote a wrong URL in full.
  const url = usable(() => new URL(given?.url ?? String(input), page), 'the URL is none');
  url.hash = '';
  if (url.username !== '' || url.password !== '')
    throw unusable('invalid_request', 'the URL contains a user name and password', 'send them in a header');
  const headers = usable(() => new Headers(fields ?? given?.headers), 'a header cannot be sent');
  if (
    ['payment-signature', 'x-payment', 'payment-authorization'].some((name) => headers.has(name)) ||
    carriesPayment(headers.get('authorization') ?? '')
  ) {
    throw new FareboxError({
      code: 'already_paying',
      message: 'the request already carries a payment',
      remedy: 'leave the payment headers to the wrapper, or use plain fetch',
    });
  }
  // For another origin, a page would need a preflight request to send this.
  const asks = acceptPayment && !headers.has('accept-payment') && (page === undefined || new URL(page).origin === url.origin);
  if (asks) headers.set('accept-payment', accepted);
  const method = usable(() => (named ?? given?.method ?? 'GET').toUpperCase(), 'the method is not text');
  const sent = content ?? (given?.body == null ? undefined : new Uint8Array(await given.clone().arrayBuffer()));
  const body = quietly(() => bodyOf(sent, headers), noBody);
  const [again, single] = isSingle(body) ? [undefined, body] : [body, undefined];
  return { method, url: url.href, headers, body: again, single, rest: { ...(given === undefined ? {} : settingsOf(given)), ...rest } };
}

function usable<T>(read: () => T, message: string): T {
  return quietly(read, () => unusable('invalid_request', message, 'correct the request'));
}

/** Other settings of a request; members unknown to a platform are left to it. */
function settingsOf(request: Request): RequestInit {
  const { cache, credentials, integrity, keepalive, mode, redirect, referrer, referrerPolicy, signal } = request;
  const settings: Record<string, unknown> = { cache, credentials, integrity, keepalive, redirect, referrer, referrerPolicy, signal };
  // Only the browser itself may navigate.
  if (mode !== 'navigate') settings['mode'] = mode;
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined && value !== null && value !== ''));
}

/** A caller's `fetch`, or the platform's, which works only where it is not called as a method. */
export function fetchOf(fetch: typeof globalThis.fetch | undefined): typeof globalThis.fetch {
  return (input, init) => (fetch ?? globalThis.fetch)(input, init);
}

/** Sends the request as it is. */
export async function plain(fetch: typeof globalThis.fetch, request: Plain): Promise<Response> {
  const { url, method, headers, single, rest } = request;
  const body = single?.body ?? request.body;
  try {
    return await fetch(url, { ...rest, method, headers, ...(body === undefined ? {} : { body }) });
  } catch (error) {
    const cause = (error as { cause?: { code?: unknown } } | undefined)?.cause;
    if (cause?.code !== 'UND_ERR_HEADERS_OVERFLOW') throw error;
    throw new FareboxError(
      {
        code: 'malformed_challenge',
        message: 'the header is longer than this platform reads',
        remedy: "report this to the server's operator; nothing was signed",
      },
      error,
    );
  }
}

/** The source of the 402: the requested URL, or one of the same origin to which it redirected. */
export function paidUrl(request: Pick<Plain, 'url' | 'method'>, response: Response): string {
  if (!response.redirected || response.url === '') return request.url;
  const [asked, came] = [new URL(request.url), new URL(response.url)];
  if (asked.origin === came.origin && request.method === 'GET') return came.href;
  const error = new FareboxError({
    code: 'redirected',
    message: `the request was redirected to ${came.origin}, which asks for payment`,
    remedy: 'request the final URL yourself if you trust it',
  });
  error.response = response;
  throw error;
}

/** Whether an answer that was asked for with `manual` leads elsewhere: Workers know no redirect that is an error. */
export const leadsOn = ({ type, status }: Response): boolean => type === 'opaqueredirect' || (status >= 300 && status < 400);

/** The caller's name for a purchase: the one that is given, else that of the header. An empty one, which the gate does not take for a name, is none. */
export function keyOf(headers: Headers, given?: string): string | undefined {
  return given ?? (headers.get('idempotency-key') || undefined);
}

/**
 * All that names a purchase beside its body: method, URL, and the key by which the caller tells two apart. Without one the user for whom
 * the caller asks tells them apart: what one has paid for is not another one's. An owner is one more part.
 */
export function purchaseOf(
  { method, url, headers }: Pick<Plain, 'method' | 'url' | 'headers'>,
  { key, owner }: { readonly key?: string | undefined; readonly owner?: string } = {},
): string {
  const credential = headers.get('authorization');
  // No payment is among them: `requestOf` refuses a request that carries one.
  const name = keyOf(headers, key) ?? (credential === null ? null : { user: credential });
  return JSON.stringify([method, url, name, ...(owner === undefined ? [] : [owner])]);
}

/** Header fields as the compiled part reads them: one `name: value` line each. */
export function headerLines(headers: Headers): string {
  let lines = '';
  for (const [name, value] of headers) lines += `${name}: ${value}\n`;
  return lines;
}

/** Waits so many milliseconds, or until the caller gives up. */
export async function pause(milliseconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  if (milliseconds === 0 || signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, timerMs(milliseconds));
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}

/**
 * A signal that ends after so many milliseconds, or with the caller's. `AbortSignal.timeout` that `AbortSignal.any` joins with another
 * signal may be collected before it fires (nodejs/node #57736): then a request that hangs never ends.
 */
export function endsIn(milliseconds: number, signal?: AbortSignal | null): AbortSignal {
  return ending(milliseconds, signal).signal;
}

/** Asks, and gives up where no head comes within so many milliseconds. The body may take its time, until the caller's signal ends it. */
export async function headWithin(
  fetch: typeof globalThis.fetch,
  milliseconds: number,
  input: RequestInfo | URL,
  init: RequestInit | undefined,
): Promise<Response> {
  const { signal, over } = ending(milliseconds, init?.signal);
  try {
    return await fetch(input, { ...init, signal });
  } finally {
    over();
  }
}

/** Such a signal, and what stops its timer. */
export function ending(
  milliseconds: number,
  signal: AbortSignal | null | undefined,
): { readonly signal: AbortSignal; readonly over: () => void } {
  const ends = new AbortController();
  // The timer holds the controller, and no process for it.
  const timer = setTimeout(
    () => ends.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
    timerMs(milliseconds),
  );
  if (typeof timer === 'object') (timer as { unref?(): void }).unref?.();
  return { signal: signal ? AbortSignal.any([signal, ends.signal]) : ends.signal, over: () => clearTimeout(timer) };
}
