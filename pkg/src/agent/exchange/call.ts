/** Requests to a compute exchange: with an end in bytes and time, and never redirected. */
import { readWithin } from '../../beginning.js';
import { unusable } from '../../error.js';
import { endsIn } from '../../request.js';
import { timerMs } from '../../timer.js';
import { linesOf } from '../heads.js';

/** A complete answer. */
export type ExchangeReply = { readonly status: number; readonly headers: string; readonly body: string };

export type ExchangeRequest = {
  readonly method: string;
  /** Below the exchange's origin, or a URL. */
  readonly path: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  /** Milliseconds for the whole answer. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
};

/** Most that is read of an answer, bytes. */
const MAX_BYTES = 1024 * 1024;

/** The answer; `undefined` if no complete one came. */
export async function replyTo(
  fetch: typeof globalThis.fetch,
  origin: string,
  request: ExchangeRequest,
): Promise<ExchangeReply | undefined> {
  const { method, path, headers = [], body, timeoutMs, signal } = request;
  const fields = new Headers({ accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) });
  for (const [name, value] of headers) fields.set(name, value);
  try {
    const response = await fetch(path.startsWith('/') ? `${origin}${path}` : path, {
      method,
      headers: fields,
      redirect: 'manual',
      signal: endsIn(timeoutMs, signal),
      ...(body === undefined ? {} : { body }),
    });
    const { bytes, end } = await readWithin(response, MAX_BYTES, timeoutMs);
    if (end !== 'whole') return undefined;
    return { status: response.status, headers: linesOf(Object.fromEntries(response.headers)), body: new TextDecoder().decode(bytes) };
  } catch {
    return undefined;
  }
}

/** The origin of an exchange, a market or a treasury, as it names itself in quotes and in what is signed. */
export function originOf(url: unknown, of: 'exchange' | 'market' | 'treasury' = 'exchange'): string {
  const parsed = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== '') {
    const name = of === 'exchange' ? 'url' : of;
    throw unusable(
      'invalid_options',
      `${name} is no address of ${of === 'exchange' ? 'an' : 'a'} ${of}`,
      `pass its origin, such as https://${of}.example.com`,
    );
  }
  return parsed.origin;
}

/** A pause that an abort or `wakes` ends. */
export async function pause(milliseconds: number, ...wakes: readonly (AbortSignal | undefined)[]): Promise<void> {
  const given = wakes.filter((signal) => signal !== undefined);
  if (milliseconds <= 0 || given.some((signal) => signal.aborted)) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, timerMs(milliseconds));
    for (const signal of given) signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      for (const signal of given) signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
