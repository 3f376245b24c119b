/** The terms of a quote, with one way to pay, and the values of its parameters. */
import * as cards from '#cards-wasm';

import { decodeHeader, encodeHeader } from '../../codec.js';
import { membersOf } from '../../members.js';
import { bodyText, type ParameterPlan, type PaymentTerms } from '../cards.js';
import type { PaidRequestHttpRequest } from '../contracts.js';
import { linesOf } from '../heads.js';
import { requestOf } from '../request.js';
import type { Kept } from './quotes.js';
import { PaymentDeskError } from './told.js';

/** The terms of a quote, for the compiled part. */
export function termsOf(kept: Kept | undefined): [headers: string, body: string, context: string] {
  return [linesOf(kept?.terms.headers ?? {}), bodyText(kept?.terms.body), JSON.stringify(kept?.context ?? {})];
}

/** The same terms with one way to pay. */
export function pinned({ headers: all, body }: PaymentTerms, index: number): { headers: Record<string, string>; body?: unknown } {
  const { 'payment-required': header, 'www-authenticate': challenges, ...headers } = all;
  const decoded = header === undefined ? body : decodeHeader(header);
  const { accepts = [] } = membersOf(decoded);
  const listed = Array.isArray(accepts) ? accepts : [];
  if (index >= listed.length) {
    const challenge = cards.challengeAt(challenges ?? '', index - listed.length);
    return { headers: { ...headers, ...(challenge === undefined ? {} : { 'www-authenticate': challenge }) } };
  }
  const only = { ...(decoded as object), accepts: [listed[index]] };
  return header === undefined
    ? { headers, body: only }
    : { headers: { ...headers, 'payment-required': encodeHeader(only) }, ...(body === undefined ? {} : { body }) };
}

/** The request with the values of its plan where they belong. */
export function withParams(request: PaidRequestHttpRequest, { params }: ParameterPlan): PaidRequestHttpRequest {
  const given = params.filter(({ source, value }) => source === 'prompt' && value !== undefined);
  if (given.length === 0) return request;
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  let { url } = request;
  const headers: Record<string, string> = { ...request.headers };
  const fields: Record<string, unknown> = {};
  for (const { name, value, carrier } of given) {
    switch (carrier) {
      case 'query': {
        const next = new URL(url);
        next.searchParams.set(name, text(value));
        url = next.href;
        break;
      }
      case 'path':
        url = url.replace(`{${name}}`, encodeURIComponent(text(value))).replace(`%7B${name}%7D`, encodeURIComponent(text(value)));
        break;
      case 'header':
        headers[name.toLowerCase()] = text(value);
        break;
      case 'body':
        fields[name] = value;
        break;
    }
  }
  let { body } = request;
  if (Object.keys(fields).length > 0) {
    const known = parsed(body ?? '');
    if (body !== undefined && (typeof known !== 'object' || known === null || Array.isArray(known)))
      throw new PaymentDeskError('invalid_input', 'the body is no JSON object that parameters can be put into');
    body = JSON.stringify({ ...(known as object | undefined), ...fields });
    headers['content-type'] ??= 'application/json';
  }
  return requestOf(url, { method: request.method, headers, ...(body === undefined ? {} : { body }) });
}

/** A text as JSON, if it is that. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
