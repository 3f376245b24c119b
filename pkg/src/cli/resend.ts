/** `resend`: sends a payment again that `pay` has kept, byte for byte, and prints the content. Signs nothing. */
import { dirname, resolve } from 'node:path';

import { FareboxError } from '../error.js';
import { payingFetch } from '../fetch.js';
import { fileStore } from '../file-store.js';
import type { Proposal } from '../options.js';
import { type KeptPayment, resume, resumedPayments } from '../resume.js';
import { isUnended } from '../sent.js';
import type { Signer } from '../signer.js';
import { type KeptFile, keep, keptBeside, printed } from './pay.js';
import { SIGN_ANEW } from './remedies.js';
import { type Asked, objectOf, policyOf } from './request.js';
import { EXIT, Usage, type Words } from './words.js';

export async function resend(words: Words): Promise<number> {
  const [, file, ...others] = words.positionals;
  if (file === undefined || others.length > 0) throw new Usage('resend is followed by the file that pay has written');
  const kept = keptIn(file, words.values.store);
  const store = fileStore(kept.store);
  const row = (await resumedPayments(store)).find(({ key, open }) => open && key === kept.key);
  const request: Asked = {
    // The purchase is named by the URL that was asked for, wherever it redirected.
    url: row?.askedUrl ?? row?.url ?? kept.url,
    init: {
      method: kept.method,
      headers: kept.headers.map(([name, value]): [string, string] => [name, value]),
      ...(kept.body === undefined ? {} : { body: Uint8Array.from(Buffer.from(kept.body, 'base64')) }),
    },
    policy: policyOf(words.values),
    store: kept.store,
  };
  const response = row && (await again(row, request, store));
  return response === undefined ? bare(kept, request, words) : printed(response, words, request, row?.at);
}

/** By the record of the budget, which then knows what became of it; nothing if what was open there is not that of this request. */
async function again({ ends, askedUrl }: KeptPayment, request: Asked, store: ReturnType<typeof fileStore>): Promise<Response | undefined> {
  const { url, init, policy } = request;
  let asked: Proposal | undefined;
  const confirm = (proposal: Proposal): boolean => {
    asked = proposal;
    return false;
  };
  const fetch = payingFetch({ signer: NO_WALLET, policy, store, confirm, resume });
  try {
    return await keptBeside(request, () => fetch(url, init));
  } catch (error) {
    const hasEnded = !isUnended(ends, Date.now() / 1000);
    // What has ended is not sent, and what the server asks for in its place may be beyond today's policy.
    const isUnsent = error instanceof FareboxError && error.payment === undefined && !OTHERWISE.includes(error.code);
    const isAskedAnew = asked !== undefined || (hasEnded && isUnsent);
    // It was signed before, whatever keeps it from being sent.
    if (!isAskedAnew) throw error instanceof FareboxError ? Object.assign(error, { signed: true }) : error;
    if (asked?.replaces) throw otherTerms(error);
    if (!hasEnded) return undefined;
    const named = askedUrl === undefined ? '' : ` (its URL is ${askedUrl})`;
    throw new Usage(`this payment has ended and is not sent any more: npx farebox pay with the same request${named} goes on with it`);
  }
}

/** What keeps a payment from being sent whether it has ended or not: the person reads that. */
const OTHERWISE: readonly string[] = ['budget_unreadable', 'endpoint_blocked', 'approval_needed', 'payment_conflict'];

/** The error where the server asks for another signature: what was sent stays signed. */
const otherTerms = (cause?: unknown): FareboxError =>
  new FareboxError(
    {
      code: 'payment_unresolved',
      message: 'the server asks for another signature by now, and resend signs nothing',
      remedy: SIGN_ANEW,
      signed: true,
    },
    cause,
  );

/** A payment that the budget does not hold open: only its own bytes are sent. */
async function bare({ header: [name, value], validBefore, ...kept }: KeptFile, request: Asked, words: Words): Promise<number> {
  const headers = [...request.init.headers, [name, value] as [string, string]];
  const response = await fetch(kept.url, { ...request.init, headers, redirect: 'manual' }).catch((error: unknown) => {
    throw new FareboxError({ code: 'payment_unresolved', message: 'no answer came to the payment', remedy: '', signed: true }, error);
  });
  const code = await printed(response, words, request);
  if (code === EXIT.done) return code;
  await keep({ ...kept, header: [name, value], validBefore }, request);
  return EXIT.signed;
}

/** Signs nothing. */
const NO_WALLET: Signer = { address: () => Promise.reject(otherTerms()), sign: () => Promise.reject(otherTerms()) };

/**
 * The payment in a file, member by member: it may be a stranger's, and nothing else of it is written again. It names the budget
 * beside it alone, unless the person names one.
 */
function keptIn(file: string, named: string | undefined): KeptFile {
  const kept = objectOf(file, 'the payment') as Partial<KeptFile>;
  const { url, askedUrl, method, header, key, validBefore, store, headers, body } = kept;
  const isPair = (it: unknown): boolean => Array.isArray(it) && it.length === 2 && isField(it[0]) && isText(it[1], /^[^\r\n\0]*$/);
  const isUrl = (it: unknown): boolean => isText(it, /^https?:\/\//i) && URL.canParse(it as string);
  const isKept =
    isUrl(url) &&
    (askedUrl === undefined || isUrl(askedUrl)) &&
    isText(method, /^[A-Za-z]{1,20}$/) &&
    isText(key, /^0x[0-9a-f]{64}$/) &&
    isText(store, /./) &&
    Number.isSafeInteger(validBefore) &&
    isPair(header) &&
    Array.isArray(headers) &&
    headers.every(isPair) &&
    (body === undefined || isText(body, /^[A-Za-z0-9+/]*={0,2}$/));
  if (!isKept) throw new Usage('the file is no payment that pay has kept');
  const folder = named ?? store ?? '';
  if (named === undefined && (file === '-' || dirname(resolve(file)) !== dirname(resolve(folder))))
    throw new Usage('the file names a budget that does not lie beside it: name yours with --store');
  const more = { ...(askedUrl === undefined ? {} : { askedUrl }), ...(body === undefined ? {} : { body }) };
  return { url, method, header, key, validBefore, store: folder, headers, ...more } as KeptFile;
}

const isText = (value: unknown, form: RegExp): boolean => typeof value === 'string' && form.test(value);
const isField = (value: unknown): boolean => isText(value, /^[!#$%&'*+\-.^`|~\w]{1,100}$/);
