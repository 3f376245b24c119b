/** A request in the form in which it is prepared, decided and sent again. */
import * as wasm from '#agent-wasm';

import { keyOf, purchaseOf } from '../request.js';
import { toReplayableRequestBody } from './body.js';
import type { ExecutePreparedRequest } from './client.js';
import { bounds, idempotencyKey, MAX_KEY } from './contracts/bounds.js';
import {
  type PaidRequestHttpRequest,
  paidRequestHttpRequestSchema,
  type SdkExternalMetadata,
  type SdkPreparedPaidRequest,
  type SdkPreparedPaidRequestReady,
  type SdkPreparedProbeResult,
} from './contracts.js';
import type { DetectedChallenge } from './detection.js';
import { having } from './having.js';
import { fieldsOf, linesOf } from './heads.js';
import { object } from './schema.js';

/** The request, as text and plain objects. */
export function requestOf(url: string, init: RequestInit = {}): PaidRequestHttpRequest {
  const body = toReplayableRequestBody(init.body);
  const headers = fieldsOf(init.headers);
  if (init.body instanceof URLSearchParams) headers['content-type'] ??= 'application/x-www-form-urlencoded;charset=UTF-8';
  return paidRequestHttpRequestSchema.parse({
    url,
    method: (init.method ?? 'GET').toUpperCase(),
    ...(Object.keys(headers).length === 0 ? {} : { headers }),
    ...having({ body }),
    ...(body === undefined || body === '' ? {} : { bodyHash: wasm.sha256(body) }),
  });
}

const contextSchema = object({ ...bounds, idempotencyKey });

/** Throws if what a caller says of a payment is beyond the contract's bounds: before anything is begun. */
export function requireContext(context: Pick<ExecutePreparedRequest, 'description' | 'metadata' | 'idempotencyKey'>): void {
  contextSchema.parse(context);
}

/** The arguments of `fetch` for it; everything else of the caller's, such as a signal, stays. */
export function initOf({ method, headers, body }: PaidRequestHttpRequest, init: RequestInit = {}): RequestInit {
  const { body: _, headers: __, ...rest } = init;
  return { ...rest, method, ...(headers === undefined ? {} : { headers: { ...headers } }), ...having({ body }) };
}

/** What names a purchase. */
export type Purchased = Pick<PaidRequestHttpRequest, 'method' | 'url' | 'headers' | 'body'>;

/** A request that is prepared, and the URL that was asked for, where that redirected to another one. */
type Redirected = { readonly request: PaidRequestHttpRequest; readonly askedUrl?: string | undefined };

/** The purchase of a prepared request, named by the URL that was asked for, wherever it redirects today, and in the spelling of `fetch`. */
export function purchasedOf({ request, askedUrl = request.url }: Redirected): Purchased {
  return { ...request, url: spelled(askedUrl) };
}

/** A URL as `fetch` spells it, without its fragment: what receipts name. */
export function spelled(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  url.hash = '';
  return url.href;
}

/** The key under which a request is paid once, by every back end: its caller's, else that of its header, or its digest where a contract takes none so long. */
export function keyFor({ headers }: Purchased, given?: string): string | undefined {
  const key = keyOf(new Headers(headers), given);
  return key === undefined || key === given || key.length <= MAX_KEY ? key : wasm.sha256(key);
}

/** The owner of what is bought for no one by name. */
export const LOCAL = 'local';

/** The name of the purchase that a request is: by the rule of `fetch`, with its owner. No name that `fetch` or an earlier version gives is equal. */
export function nameOf(
  { method, url, headers, body = '' }: Purchased,
  { owner = LOCAL, key }: { readonly owner?: string | undefined; readonly key?: string } = {},
): string {
  return wasm.sha256(`${purchaseOf({ method, url: spelled(url), headers: new Headers(headers) }, { key, owner })}${body}`);
}

/** A prepared request: its challenge, hints, and faults. */
export function preparedOf(
  { request, askedUrl }: Redirected,
  challenge: DetectedChallenge | undefined,
  external: SdkExternalMetadata | undefined,
  probe: SdkPreparedProbeResult | undefined,
): SdkPreparedPaidRequest {
  const told = JSON.parse(
    wasm.prepare(
      request.url,
      linesOf(request.headers ?? {}),
      request.body,
      challenge?.protocol ?? '',
      linesOf(challenge?.headers ?? {}),
      textOf(challenge?.body),
      textOf(external),
    ),
  ) as Pick<SdkPreparedPaidRequestReady, 'paymentRequirement' | 'challengeDetails' | 'hints' | 'validationIssues' | 'nextAction'>;
  const { hints, validationIssues, nextAction, paymentRequirement, challengeDetails } = told;
  const redirected = askedUrl === request.url ? undefined : askedUrl;
  const common = { request, ...having({ askedUrl: redirected }), hints, ...having({ probe }), validationIssues, nextAction };
  if (challenge === undefined) return { kind: 'passthrough', protocol: 'none', ...common };
  return { kind: 'ready', protocol: challenge.protocol, ...common, challenge, ...having({ challengeDetails, paymentRequirement }) };
}

/** A body of any form as JSON; of one that has none, nothing. */
function textOf(body: unknown): string {
  try {
    return body === undefined ? '' : (JSON.stringify(body) ?? '');
  } catch {
    return '';
  }
}

/** The digest of the price that is shown: network, token, payee, amount, scheme. */
export function candidateOf({ paymentRequirement, challengeDetails }: SdkPreparedPaidRequestReady): string | undefined {
  if (paymentRequirement === undefined) return undefined;
  return wasm.candidateDigest(textOf(paymentRequirement), textOf(challengeDetails?.accepts[0]));
}
