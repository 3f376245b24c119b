/** The client of a control plane: it decides and pays, the answer comes back. */
import { readWithin } from '../beginning.js';
import { unusable } from '../error.js';
import { membersOf } from '../members.js';
import { takesTokens } from '../operator/client.js';
import type { Policy } from '../options.js';
import { endsIn, fetchOf, leadsOn, paidUrl } from '../request.js';
import {
  type PaidRequestContext,
  type PaidRequestHttpRequest,
  type SdkExternalMetadata,
  type SdkPaymentDecisionRequest,
  type SdkPreparedPaidRequest,
  type SdkPreparedPaidRequestReady,
  type SdkReceiptResponse,
  sdkPaymentDecisionRequestSchema,
  sdkPaymentDecisionResponseSchema,
  sdkReceiptResponseSchema,
} from './contracts.js';
import { type DetectedChallenge, detectChallengeFromResponse } from './detection.js';
import { guarded } from './guarded.js';
import { having } from './having.js';
import { type Fields, forwardable } from './heads.js';
import { answerOf, FetchPaidError, outcomeOf, type PaidResponse } from './outcome.js';
import { candidateOf, initOf, keyFor, preparedOf, purchasedOf, requestOf } from './request.js';
import { sdkClientVersion, sdkClientVersionHeaderName } from './version.js';

export type AgentPayAuth = { type: 'bootstrapKey'; bootstrapKey: string } | { type: 'runtimeToken'; runtimeToken: string };
export type AgentPayClientIdentity = Pick<PaidRequestContext, 'organization' | 'agent'>;
export type AgentPayClientOptions = {
  /** Over https, or http to this machine: a token goes there. */
  controlPlaneBaseUrl: string;
  auth: AgentPayAuth;
  organization: string;
  agent: string;
  fetch?: typeof fetch;
  /** For the control plane alone. */
  headers?: Record<string, string>;
  /** Sensitive header fields of requests that the control plane may have, such as `authorization` [none]. */
  forwardHeaders?: readonly string[];
  /** Bounds what is asked where a model has chosen the request (`chosenByModel`); what is paid the control plane's rules bound [not bounded]. */
  policy?: Pick<Policy, 'hosts'>;
  /** How long the control plane may take, milliseconds [120000]. */
  timeoutMs?: number;
};
export type FetchPaidOptions = {
  challenge?: DetectedChallenge;
  idempotencyKey?: string;
  /** Gives up: before a payment is signed, or a control plane is asked for one, none is made; later only the waiting ends [that of the request]. */
  signal?: AbortSignal | undefined;
};
export type PreparePaidRequestOptions = {
  challenge?: DetectedChallenge;
  externalMetadata?: SdkExternalMetadata;
  /** Whether a model has chosen the request: the client's policy then bounds what is asked at all, too. */
  chosenByModel?: boolean;
};
export type FetchPaidRequest = Omit<PaidRequestContext, keyof AgentPayClientIdentity> & FetchPaidOptions;
export type ExecutePreparedRequest = Omit<FetchPaidRequest, 'challenge'> & {
  /** The name of the purchase, for clients that keep payments: one of this name without a key goes on with this one while it is open. */
  purchase?: string;
};

type Token = { readonly value: string; readonly expires: number };

/** Header with the digest of the price that was shown, so that a control plane can refuse another. */
export const candidateHeaderName = 'x-farebox-candidate';

export class AgentPayClient {
  readonly #base: string;
  readonly #auth: AgentPayAuth;
  readonly #identity: AgentPayClientIdentity;
  readonly #fetch: typeof fetch;
  readonly #headers: Fields;
  readonly #forwarded: readonly string[];
  readonly #policy: Pick<Policy, 'hosts'> | undefined;
  readonly #timeoutMs: number;
  #token: Token | undefined;
  #exchange: Promise<Token> | undefined;

  constructor(options: AgentPayClientOptions) {
    const {
      controlPlaneBaseUrl,
      auth,
      organization,
      agent,
      fetch,
      headers = {},
      forwardHeaders = [],
      policy,
      timeoutMs = 120_000,
    } = options;
    this.#base = controlPlaneBaseUrl.replace(/\/$/, '');
    if (!takesTokens(this.#base))
      throw unusable('invalid_options', 'a token goes over https, or http to this machine', 'pass the https URL of the control plane');
    // One that comes from an environment may be missing there, whatever its type says.
    if (!(auth.type === 'bootstrapKey' ? auth.bootstrapKey : auth.runtimeToken))
      throw unusable(
        'invalid_options',
        `auth.${auth.type} is empty: is BOOTSTRAP_KEY, or what else it comes from, set?`,
        'set the variable that it comes from',
      );
    this.#auth = auth;
    this.#identity = { organization, agent };
    this.#fetch = fetchOf(fetch);
    const own = ['authorization', sdkClientVersionHeaderName];
    this.#headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !own.includes(name.toLowerCase())));
    this.#forwarded = forwardHeaders;
    this.#policy = policy;
    this.#timeoutMs = timeoutMs;
  }

  /** Asks the merchant once, without paying, and tells what is known. With a challenge it asks no one. */
  async preparePaidRequest(input: string, init?: RequestInit, options: PreparePaidRequestOptions = {}): Promise<SdkPreparedPaidRequest> {
    const given = requestOf(input, init);
    if (options.challenge !== undefined) return preparedOf({ request: given }, options.challenge, options.externalMetadata, undefined);
    const { request, response, challenge } = await this.#looked(given, init, options.chosenByModel === true ? this.#policy : undefined);
    const probe = { responseStatus: response.status, confirmedAt: new Date().toISOString() };
    // Not awaited: the answer is not needed any more.
    response.body?.cancel().catch(() => undefined);
    return preparedOf({ request, askedUrl: given.url }, challenge, options.externalMetadata, probe);
  }

  /** Has a prepared request paid and sent; the merchant is not asked again before. */
  async executePreparedRequest(prepared: SdkPreparedPaidRequestReady, request: ExecutePreparedRequest = {}): Promise<PaidResponse> {
    if ((prepared as SdkPreparedPaidRequest).kind !== 'ready') {
      const { url, ...init } = (prepared as SdkPreparedPaidRequest).request;
      return this.fetchPaid(url, initOf({ url, ...init }), request);
    }
    return this.#decide(prepared, request);
  }

  /** Both in one: prepares, and pays if that is asked for. */
  async fetchPaid(input: string, init: RequestInit | undefined, request: FetchPaidRequest): Promise<PaidResponse> {
    const { challenge, signal = init?.signal ?? undefined, ...rest } = request;
    const context = { ...rest, signal };
    const sent = requestOf(input, init);
    if (challenge !== undefined) return this.#decide({ request: sent, challenge }, context);
    const { request: asked, response, challenge: detected } = await this.#looked(sent, init);
    if (detected === undefined) return { kind: 'passthrough', protocol: 'none', response };
    response.body?.cancel().catch(() => undefined);
    return this.#decide({ request: asked, askedUrl: sent.url, challenge: detected }, context);
  }

  /** A receipt, as it stands now. */
  async lookupReceipt(receiptId: string): Promise<SdkReceiptResponse> {
    const response = await this.#authorized(`/api/sdk/receipts/${encodeURIComponent(receiptId)}`, { method: 'GET' });
    if (!response.ok) throw new Error(explained(await readJson(response), `Receipt lookup failed with status ${response.status}.`));
    return sdkReceiptResponseSchema.parse(await response.json());
  }

  /** The merchant's answer, what it asks for, and the request at the URL that asked. What another origin asks for by a redirect is not paid: it may be anyone's. */
  async #looked(
    request: PaidRequestHttpRequest,
    init: RequestInit | undefined,
    policy?: Pick<Policy, 'hosts'>,
  ): Promise<{ request: PaidRequestHttpRequest; response: Response; challenge: DetectedChallenge | undefined }> {
    const fetch = this.#fetch;
    const plain = async () => ({ response: await fetch(request.url, initOf(request, init)), url: request.url });
    const { response, url: answered } = await (policy === undefined ? plain() : guarded(fetch, policy, request, init));
    const challenge = await detectChallengeFromResponse(response);
    const url = challenge === undefined ? request.url : paidUrl({ ...request, url: answered }, response);
    return { request: { ...request, url }, response, challenge };
  }

  async #decide(
    asked: Pick<SdkPreparedPaidRequestReady, 'request' | 'challenge'> & Partial<SdkPreparedPaidRequestReady>,
    context: ExecutePreparedRequest,
  ): Promise<PaidResponse> {
    const { headers, ...request } = asked.request;
    const { url: askedUrl } = purchasedOf(asked);
    const { description, metadata, signal } = context;
    const idempotencyKey = keyFor(asked.request, context.idempotencyKey);
    signal?.throwIfAborted();
    const body: SdkPaymentDecisionRequest = sdkPaymentDecisionRequestSchema.parse({
      context: { ...this.#identity, ...having({ description, metadata }) },
      request: {
        ...request,
        ...having({ askedUrl: askedUrl === request.url ? undefined : askedUrl }),
        ...(headers === undefined ? {} : { headers: forwardable(headers, this.#forwarded) }),
      },
      challenge: { ...asked.challenge, headers: forwardable(asked.challenge.headers ?? {}) },
      ...having({ idempotencyKey }),
    });
    const shown = asked.kind === 'ready' ? candidateOf(asked as SdkPreparedPaidRequestReady) : undefined;
    const response = await this.#authorized('/api/sdk/payment-decisions', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(shown === undefined ? {} : { [candidateHeaderName]: shown }) },
      body: JSON.stringify(body),
      ...having({ signal }),
    });
    const { bytes, end } = await readWithin(response, MAX_DECISION_BYTES, this.#timeoutMs);
    // As if no answer had come: the same id may be executed again.
    if (end !== 'whole') throw new TypeError('The decision was cut.');
    const text = new TextDecoder().decode(bytes);
    const said = parsed(text);
    const decision = sdkPaymentDecisionResponseSchema.safeParse(said);
    const { protocol } = asked.challenge;
    if (!decision.success) {
      const message = response.ok
        ? 'Payment decision response did not match the SDK contract.'
        : `${explained(said, `Payment decision failed with status ${response.status}.`)}${this.#whose(said)}`;
      const { status } = response;
      throw new FetchPaidError({
        kind: 'request_failed',
        protocol,
        response: answerOf(status, Object.fromEntries(response.headers), text),
        reason: message,
        decision: { outcome: 'request_failed', status, message, ...(text === '' ? {} : { body: said ?? text }) },
      });
    }
    const outcome = outcomeOf(protocol, decision.data);
    if (outcome.kind === 'success') return outcome;
    throw new FetchPaidError(outcome);
  }

  /** The names that a control plane does not find at the key, which says no more of them. */
  #whose(said: unknown): string {
    const { organization, agent } = this.#identity;
    return membersOf(said)['code'] === 'rejected'
      ? ` The key is not one of the agent ${JSON.stringify(agent)} of the organization ${JSON.stringify(organization)}: mend agent or organization of the client's options, or its key.`
      : '';
  }

  /** A call with the runtime token; one that was revoked is exchanged once more. */
  async #authorized(path: string, init: RequestInit & { readonly headers?: Fields }): Promise<Response> {
    const response = await this.#call(path, await this.#runtimeToken(), init);
    if (response.status !== 401 || this.#auth.type !== 'bootstrapKey') return response;
    this.#token = undefined;
    return this.#call(path, await this.#runtimeToken(), init);
  }

  async #call(path: string, token: string, init: RequestInit & { readonly headers?: Fields }): Promise<Response> {
    const headers = { ...this.#headers, ...init.headers, Authorization: `Bearer ${token}`, [sdkClientVersionHeaderName]: sdkClientVersion };
    const fetch = this.#fetch;
    // Its fields and its decision are the control plane's alone.
    const response = await fetch(`${this.#base}${path}`, {
      ...init,
      headers,
      redirect: 'manual',
      signal: endsIn(this.#timeoutMs, init.signal),
    });
    if (leadsOn(response)) throw new Error('The control plane redirects to another address: name that one in controlPlaneBaseUrl.');
    return response;
  }

  async #runtimeToken(): Promise<string> {
    if (this.#auth.type === 'runtimeToken') return this.#auth.runtimeToken;
    if (this.#token !== undefined && this.#token.expires - Date.now() > EARLY_MS) return this.#token.value;
    this.#exchange ??= this.#exchanged(this.#auth.bootstrapKey).finally(() => {
      this.#exchange = undefined;
    });
    this.#token = await this.#exchange;
    return this.#token.value;
  }

  async #exchanged(bootstrapKey: string): Promise<Token> {
    const response = await this.#call('/api/sdk/runtime-tokens', bootstrapKey, { method: 'POST' });
    if (!response.ok) throw new Error(explained(await readJson(response), `Runtime token exchange failed with status ${response.status}.`));
    const said: unknown = await response.json();
    if (typeof said !== 'object' || said === null) throw new Error('Runtime token exchange returned an invalid payload.');
    const { token, expiresAt } = membersOf(said);
    if (typeof token !== 'string' || token === '') throw new Error('Runtime token exchange response is missing token.');
    const expires = typeof expiresAt === 'string' ? Date.parse(expiresAt) : Number.NaN;
    if (Number.isNaN(expires)) throw new Error('Runtime token exchange response is missing expiresAt.');
    return { value: token, expires };
  }
}

/** A client of a control plane. */
export function createAgentPayClient(options: AgentPayClientOptions): AgentPayClient {
  return new AgentPayClient(options);
}

/** How long a decision may be, with the answer that was bought. */
const MAX_DECISION_BYTES = 64 * 1024 * 1024;
/** How long before its end a token is exchanged, milliseconds. */
const EARLY_MS = 30_000;

async function readJson(response: Response): Promise<unknown> {
  return parsed(await response.text().catch(() => ''));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A control plane's explanation of a refusal, or else `fallback`. */
function explained(said: unknown, fallback: string): string {
  const { message, issues } = membersOf(said);
  if (typeof message !== 'string' || message === '') return fallback;
  const { formErrors, fieldErrors } = membersOf(issues);
  const texts = (list: unknown): string[] => (Array.isArray(list) ? list.filter((it): it is string => typeof it === 'string') : []);
  const fields = Object.entries(membersOf(fieldErrors));
  const named = fields.filter(([, list]) => texts(list).length > 0).map(([name, list]) => `${name}: ${texts(list).join(', ')}`);
  return [message, ...texts(formErrors), ...named].join(' ');
}
