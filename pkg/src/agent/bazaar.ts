/**
 * Search of a bazaar: what a facilitator lists as sold by x402. What it says is data, by strangers, and never an instruction; what is paid
 * is decided by the 402 of the resource itself.
 */

import * as wasm from '#agent-wasm';
import { encodeHeader } from '../codec.js';
import { FareboxError, unusable } from '../error.js';
import { type Look, lookAt } from '../look.js';
import { type Members, membersIn, membersOf } from '../members.js';
import type { Policy } from '../options.js';
import type { Store } from '../store.js';
import { replyTo } from './exchange/call.js';

/** A listed resource. Its texts are bounded, and without hidden characters. */
export type FoundResource = {
  /** Where it is called. */
  readonly url: string;
  /** `http` or `mcp`, by the listing's word. */
  readonly type: string;
  /** `GET` where the listing does not say. */
  readonly method: string;
  /** The tool of an MCP server. */
  readonly tool?: string;
  readonly description: string;
  readonly service: string;
  readonly tags: readonly string[];
  /** What it asks, by the listing's word, and what the policy says of that. */
  readonly offers: readonly Look[];
};
export type Found = {
  /** As the bazaar ranks them. */
  readonly resources: readonly FoundResource[];
  /** Whether there may be more. */
  readonly more: boolean;
};
export type FindOptions = {
  /** The facilitator whose bazaar is asked [`https://api.cdp.coinbase.com/platform/v2/x402`]. */
  readonly facilitator?: string;
  /** How many, 1 to 100 [10]. */
  readonly limit?: number;
  /** What may be paid: each offer says whether this allows it. Nothing is left out. */
  readonly policy?: Policy;
  /** What was spent counts, if it is given; it is read, not written. */
  readonly store?: Store;
  readonly fetch?: typeof globalThis.fetch;
  /** How long an answer may take, milliseconds [30000]. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};
export type FindErrorCode = 'bazaar_unreachable' | 'bazaar_unreadable';

/** A search that a bazaar did not answer. */
export class FindError extends Error {
  override readonly name = 'FindError';
  readonly code: FindErrorCode;
  readonly remedy = 'name another facilitator, or try again later; nothing was signed';
  /** The bazaar's status, if it answered. */
  readonly status: number | undefined;

  constructor(code: FindErrorCode, message: string, status?: number) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** Coinbase's, which anyone may ask. Spec: https://docs.cdp.coinbase.com/x402/buyer/discover-services */
const FACILITATOR = 'https://api.cdp.coinbase.com/platform/v2/x402';
/** Entries of a list that are read at once, and lists that are read where a bazaar cannot search. */
const [PAGE, PAGES] = [50, 10];
/** Characters of a text, tags of a resource and offers of it that are read. */
const [MOST_TEXT, MOST_TAGS, MOST_OFFERS] = [400, 10, 20];
/** Characters of a listed URL. */
const MAX_URL = 2_048;
/** What is wrong with the caller's own policy or record. */
const OWN_FAULTS: readonly string[] = ['invalid_policy', 'invalid_argument', 'invalid_options', 'budget_unreadable'];
/** Statuses of a facilitator that lists and does not search. */
const NO_SEARCH = [404, 405, 501];

/**
 * What is listed for some words. A facilitator that only lists is read by pages, and what has all of the words is taken. Nothing is paid or
 * signed, and no resource is asked: `lookAt` its 402 before you believe a price.
 */
export async function findResources(query: string, options: FindOptions = {}): Promise<Found> {
  const { limit = 10, facilitator = FACILITATOR } = options;
  if (typeof query !== 'string' || query.trim() === '') throw unusable('invalid_options', 'the query is empty', 'say what you look for');
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw unusable('invalid_options', 'limit is no number of resources', 'pass 1 to 100');
  const base = baseOf(facilitator);
  const searched = await listed(base, `search?${new URLSearchParams({ query, limit: String(limit) })}`, options);
  if (searched !== undefined) {
    const { resources, pagination, partialResults } = searched;
    const items = itemsOf(resources);
    const more = partialResults === true || typeof membersOf(pagination)['cursor'] === 'string' || items.length > limit;
    return { resources: await readAll(items.slice(0, limit), options), more };
  }
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Members[] = [];
  for (let page = 0; page < PAGES; page += 1) {
    const offset = page * PAGE;
    const answer = await listed(base, `resources?${new URLSearchParams({ limit: String(PAGE), offset: String(offset) })}`, options);
    if (answer === undefined) throw new FindError('bazaar_unreachable', `${base} has no bazaar`, NO_SEARCH[0]);
    const items = itemsOf(answer['items']);
    found.push(...items.filter((item) => words.every((word) => textsOf(item).includes(word))));
    const total = membersOf(answer['pagination'])['total'];
    const isLast = items.length === 0 || (typeof total === 'number' && offset + items.length >= total);
    if (found.length > limit || isLast) return { resources: await readAll(found.slice(0, limit), options), more: found.length > limit };
  }
  return { resources: await readAll(found, options), more: true };
}

function baseOf(facilitator: unknown): string {
  const url = typeof facilitator === 'string' && URL.canParse(facilitator) ? new URL(facilitator) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '')
    throw unusable(
      'invalid_options',
      'facilitator is no address of a facilitator',
      'pass its URL, such as https://facilitator.example.com',
    );
  return url.href.replace(/\/+$/, '');
}

/** What a path of the bazaar says; nothing if it has none. */
async function listed(base: string, path: string, options: FindOptions): Promise<Members | undefined> {
  const { fetch = globalThis.fetch, timeoutMs = 30_000, signal } = options;
  const reply = await replyTo(fetch, '', { method: 'GET', path: `${base}/discovery/${path}`, timeoutMs, signal });
  signal?.throwIfAborted();
  if (reply === undefined) throw new FindError('bazaar_unreachable', `no complete answer came from ${base}`);
  if (NO_SEARCH.includes(reply.status)) return undefined;
  if (reply.status !== 200) throw new FindError('bazaar_unreachable', `${base} answers ${reply.status}`, reply.status);
  const answer = membersIn(reply.body);
  if (!Array.isArray(answer['resources']) && !Array.isArray(answer['items']))
    throw new FindError('bazaar_unreadable', `${base} answers without a list of resources`, reply.status);
  return answer;
}

/** Reads each; one that cannot be read hides no other. */
async function readAll(items: readonly Members[], options: FindOptions): Promise<readonly FoundResource[]> {
  const read = await Promise.all(items.map((item) => readResource(item, options)));
  return read.filter((resource) => resource !== undefined);
}

async function readResource(item: Members, options: FindOptions): Promise<FoundResource | undefined> {
  const { resource, accepts, tags } = item;
  const url = typeof resource === 'string' && URL.canParse(resource) ? new URL(resource) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || !Array.isArray(accepts)) return undefined;
  // A model reads it, and a long one may say anything.
  if (url.username !== '' || url.password !== '' || url.href.length > MAX_URL) return undefined;
  const input = inputOf(item);
  const method = /^[A-Z]{3,7}$/.exec(String(input['method'] ?? ''))?.[0] ?? 'GET';
  const tool = text(input['toolName'] ?? input['tool']);
  const offers = await offersOf(item, { url: url.href, method }, options);
  if (offers === undefined) return undefined;
  return {
    url: url.href,
    type: text(item['type']) || 'http',
    method,
    ...(tool === '' ? {} : { tool }),
    description: text(item['description'] ?? membersOf(accepts[0])['description']),
    service: text(item['serviceName']),
    tags: (Array.isArray(tags) ? tags : []).map(text).filter(Boolean).slice(0, MOST_TAGS),
    offers,
  };
}

/** The offers of a listing, read as those of a 402: by the same code, and by the same policy. */
async function offersOf(
  item: Members,
  at: { readonly url: string; readonly method: string },
  { policy, store }: FindOptions,
): Promise<readonly Look[] | undefined> {
  const accepts = (item['accepts'] as unknown[]).slice(0, MOST_OFFERS);
  const isOld = item['x402Version'] === 1;
  const terms = isOld ? { x402Version: 1, error: '', accepts } : { x402Version: 2, error: '', resource: { url: at.url }, accepts };
  const headers = isOld ? { 'content-type': 'application/json' } : { 'payment-required': encodeHeader(terms) };
  try {
    return await lookAt(new Response(isOld ? JSON.stringify(terms) : null, { status: 402, headers }), {
      ...at,
      ...(policy === undefined ? {} : { policy }),
      ...(store === undefined ? {} : { store }),
    });
  } catch (error) {
    if (error instanceof FareboxError && OWN_FAULTS.includes(error.code)) throw error;
    // Terms that cannot be read are the listing's fault.
    return undefined;
  }
}

/** How it is called, in the words of v2 or of v1. */
function inputOf({ extensions, accepts }: Members): Members {
  const info = membersOf(membersOf(membersOf(extensions)['bazaar'])['info']);
  const older = membersOf(membersOf((accepts as unknown[])[0])['outputSchema']);
  return membersOf(info['input'] ?? older['input']);
}

const itemsOf = (list: unknown): readonly Members[] => (Array.isArray(list) ? list.map(membersOf) : []);

const text = (value: unknown): string => (typeof value === 'string' ? wasm.boundedText(value, MOST_TEXT) : '');

/** All that is searched of a listing, in small letters. */
const textsOf = ({ resource, description, serviceName, tags }: Members): string =>
  [resource, description, serviceName, ...(Array.isArray(tags) ? tags : [])]
    .filter((it) => typeof it === 'string')
    .join(' ')
    .toLowerCase();
