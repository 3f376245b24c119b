// What was paid for, kept in this browser for an hour: a reload shows it again.

import { drawn } from '../../hex.js';
import type { Receipt } from '../../options.js';

/** What came for a payment. */
export type Goods = {
  readonly body: Blob;
  readonly type: string;
  readonly file: string;
  readonly isGuarded: boolean;
  /** Of a voucher the transaction is empty. */
  readonly receipt: Pick<Receipt, 'transaction' | 'network'> | undefined;
};

/** Whether the goods are a page that is shown as one. */
export const isPage = ({ type, isGuarded }: Pick<Goods, 'type' | 'isGuarded'>): boolean => !isGuarded && kindOf(type) === 'text/html';

/** The media type without its parameters. */
export const kindOf = (type: string): string => type.split(';')[0]!.trim().toLowerCase();

const CACHE = 'farebox-paid';
/** Under which the goods of a URL stand: the address of no page, as a service worker of the site may answer from all caches. */
const keyOf = (url: string): string => `/_farebox/pay/kept?${encodeURIComponent(url)}`;
const HOUR_MS = 3_600_000;
/** Larger answers are shown and not kept, bytes. */
const MOST_BYTES = 25_000_000;

/** Keeps the goods of a URL; whether they are kept. */
export async function keep(url: string, goods: Goods): Promise<boolean> {
  if (goods.body.size > MOST_BYTES) return false;
  const { body, ...facts } = goods;
  const headers = {
    'content-type': 'application/octet-stream',
    'x-until': String(Date.now() + HOUR_MS),
    'x-facts': encodeURIComponent(JSON.stringify(facts)),
  };
  await (await caches.open(CACHE)).put(keyOf(url), new Response(body, { headers }));
  return true;
}

/** The goods of a URL, if they are still here; what is older goes. */
export async function keptOf(url: string): Promise<Goods | undefined> {
  const cache = await caches.open(CACHE);
  for (const request of await cache.keys()) {
    const kept = await cache.match(request);
    if (Number(kept?.headers.get('x-until')) < Date.now()) await cache.delete(request);
  }
  const kept = await cache.match(keyOf(url));
  if (kept === undefined) return undefined;
  const facts = JSON.parse(decodeURIComponent(kept.headers.get('x-facts') ?? '{}')) as Omit<Goods, 'body'>;
  return { ...facts, body: new Blob([await kept.blob()], { type: facts.type }) };
}

/** Forgets the goods of a URL. */
export async function forget(url: string): Promise<void> {
  await (await caches.open(CACHE)).delete(keyOf(url));
}

const unkept = (url: string): string => `farebox-unkept ${url}`;

/** Notes that something came which is not kept: a tab that waits meanwhile is told. */
export function noteUnkept(url: string): void {
  try {
    localStorage.setItem(unkept(url), drawn());
  } catch {
    // A store that is full is no reason to lose what was paid for.
  }
}

/** What was noted last. */
export function unkeptSince(url: string): string | null {
  return localStorage.getItem(unkept(url));
}
