/**
 * The local back end: this wallet and policy in the place of a control plane, behind the same
 * methods. What was signed for one key is sent again, never signed anew.
 */
import * as wasm from '#agent-wasm';
import { Exchange, mayLook } from '#wasm';

import { readWithin } from '../beginning.js';
import { decodeHeader, encodeHeader } from '../codec.js';
import { endpointOf } from '../endpoints.js';
import { FareboxError, type Told, told } from '../error.js';
import { payingThrough, receiptOf, wrapFetch } from '../fetch.js';
import type { PayOptions, Proposal, Receipt } from '../options.js';
import { endsIn, paidUrl } from '../request.js';
import { isUnended } from '../sent.js';
import type {
  AgentPayClient,
  AgentPayClientIdentity,
  ExecutePreparedRequest,
  FetchPaidRequest,
  PreparePaidRequestOptions,
} from './client.js';
import type {
  PaidRequestHttpRequest,
  PaidRequestReasonCode,
  SdkPaymentDecisionResponse,
  SdkPreparedPaidRequest,
  SdkPreparedPaidRequestReady,
  SdkPreparedPaymentRequirement,
  SdkReceipt,
  SdkReceiptResponse,
} from './contracts.js';
import { type DetectedChallenge, detectChallengeFromResponse } from './detection.js';
import { fieldsOf, linesOf } from './heads.js';
import { Journal, type Sent, signedIn } from './journal.js';
import { answerOf, FetchPaidError, outcomeOf, type PaidResponse } from './outcome.js';
import { initOf, preparedOf, requestOf } from './request.js';

/** The methods that both back ends have. */
export type AgentBackEnd = Pick<AgentPayClient, 'preparePaidRequest' | 'executePreparedRequest' | 'fetchPaid' | 'lookupReceipt'>;

export type LocalAgentOptions = PayOptions &
  Partial<AgentPayClientIdentity> & {
    /** The `fetch` that asks merchants [the platform's]. */
    readonly fetch?: typeof fetch;
    /** Where payments that were sent are kept, so that a process after a crash sends the same again [beside the budget, in `store`]. */
    readonly sent?: PayOptions['store'];
    /** How much of a paid answer is read, bytes [16 MiB]; of a longer one there is the beginning, with the receipt. */
    readonly maxAnswerBytes?: number;
    /** How long its body may take, milliseconds [120000]; afterwards it can be asked for again. */
    readonly answerTimeoutMs?: number;
  };

/** One way to pay, as the policy and what was spent stand now. */
export type LookedOffer = {
  readonly allowed: boolean;
  /** The payment that would be made, unless it cannot be told. */
  readonly offer?: Proposal;
  /** Why it may not be paid. */
  readonly refusal?: { readonly code: string; readonly message: string; readonly remedy: string };
};

/** A client that pays by itself. */
export function createLocalAgentClient(options: LocalAgentOptions): LocalAgentClient {
  return new LocalAgentClient(options);
}

/** A merchant's answer as it was bought, and the decision that stands for it. */
type Settled = {
  readonly decision: SdkPaymentDecisionResponse;
  readonly answer?: { readonly status: number; readonly headers: Record<string, string>; readonly bytes: Uint8Array };
  /** Whether it can no longer be charged. */
  readonly isOver?: boolean;
  /** Whether its content came without a receipt. */
  readonly isOpen?: boolean;
};
/** The same, with what its key stands for. */
type Outcome = Settled & { readonly request: string };

export class LocalAgentClient implements AgentBackEnd {
  /** The schemes that are signed here. */
  readonly signs: readonly string[] = ['exact', 'charge'];
  /** Whether payments that were sent outlive this process. */
  readonly keepsPayments: boolean;
  readonly #options: LocalAgentOptions;
  readonly #fetch: typeof fetch;
  readonly #journal: Journal;
  /** Executions under way, by key: a second one gets the first one's outcome. */
  readonly #flights = new Map<string, { readonly request: string; readonly ends: Promise<Outcome | PaidResponse> }>();
  /** Outcomes that are known, by key; the oldest goes first. */
  readonly #outcomes = new Map<string, Outcome>();
  readonly #receipts = new Map<string, SdkReceipt>();
  /** The key of a prepared request that was given none. */
  readonly #keys = new WeakMap<object, string>();

  constructor(options: LocalAgentOptions) {
    const { fetch } = options;
    this.#options = options;
    this.#fetch = fetch === undefined ? (input, init) => globalThis.fetch(input, init) : (input, init) => fetch(input, init);
    this.#journal = new Journal(options);
    this.keepsPayments = (options.sent ?? options.store ?? undefined) !== undefined;
    // Reports options that cannot be used now, not with the first payment.
    wrapFetch(this.#fetch, payOptionsOf(options));
  }

  /** Asks the merchant once. Nothing is counted or signed, and the wallet is not asked. */
  async preparePaidRequest(input: string, init?: RequestInit, options: PreparePaidRequestOptions = {}): Promise<SdkPreparedPaidRequest> {
    const request = requestOf(input, init);
    let { challenge } = options;
    let probe: { readonly responseStatus: number; readonly confirmedAt: string } | undefined;
    if (challenge === undefined) {
      const fetch = this.#fetch;
      const response = options.chosenByModel === true ? await this.#looked(request, init) : await fetch(input, initOf(request, init));
      probe = { responseStatus: response.status, confirmedAt: new Date().toISOString() };
      challenge = await detectChallengeFromResponse(response);
      if (challenge !== undefined) paidUrl(request, response);
      response.body?.cancel().catch(() => undefined);
    }
    const prepared = preparedOf(request, challenge, options.externalMetadata, probe);
    if (prepared.kind !== 'ready') return prepared;
    const { offer } = await this.#offered(prepared.request, prepared.challenge);
    return offer === undefined ? prepared : { ...prepared, paymentRequirement: requirementOf(offer, prepared.paymentRequirement) };
  }

  /** The ways to pay in `accepts`, in its order, with what policy and budget say of each alone; nothing is counted. */
  async offersOf({ request, challenge, challengeDetails }: SdkPreparedPaidRequestReady): Promise<readonly LookedOffer[]> {
    const accepts = challengeDetails?.accepts ?? [];
    return Promise.all(accepts.map((_, at) => this.#offered(request, withOnly(challenge, at))));
  }

  /** Pays what was prepared: that price to that payee, or nothing. Under one key it is paid once. */
  async executePreparedRequest(prepared: SdkPreparedPaidRequestReady, request: ExecutePreparedRequest = {}): Promise<PaidResponse> {
    let key = request.idempotencyKey ?? this.#keys.get(prepared);
    if (key === undefined) {
      const open = await this.openPayment(prepared.request);
      // Another execution of the same preparation may have drawn one meanwhile.
      key = this.#keys.get(prepared) ?? open;
    }
    if (key === undefined) {
      key = crypto.getRandomValues(new Uint8Array(16)).reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), 'local-');
      this.#keys.set(prepared, key);
    }
    const asked = digestOf(prepared.request);
    const written = await this.#journal.read(key);
    // From here to the flight nothing is awaited.
    const known = this.#outcomes.get(key) ?? this.#flights.get(key) ?? written;
    if (known !== undefined && known.request !== asked) throw keyTaken(prepared);
    const outcome = this.#outcomes.get(key) ?? (await (this.#flights.get(key)?.ends ?? this.#begin(key, prepared, asked)));
    // Each caller reads an answer of their own.
    return 'kind' in outcome ? { ...outcome, response: outcome.response.clone() } : returned(prepared, outcome);
  }

  /** The key of a payment for the same method, URL and body that was sent and whose outcome is open, unless this process is paying it now. */
  async openPayment(request: Pick<PaidRequestHttpRequest, 'method' | 'url' | 'body'>): Promise<string | undefined> {
    return this.#journal.openFor(digestOf(request), (key) => this.#flights.has(key));
  }

  /** Both in one. */
  async fetchPaid(input: string, init: RequestInit | undefined, request: FetchPaidRequest): Promise<PaidResponse> {
    const { challenge, ...context } = request;
    const sent = requestOf(input, init);
    const fetch = this.#fetch;
    let asked = challenge;
    if (asked === undefined) {
      const response = await fetch(input, initOf(sent, init));
      asked = await detectChallengeFromResponse(response);
      if (asked === undefined) return { kind: 'passthrough', protocol: 'none', response };
      paidUrl(sent, response);
      response.body?.cancel().catch(() => undefined);
    }
    const prepared = await this.preparePaidRequest(input, init, { challenge: asked });
    return this.executePreparedRequest(prepared as SdkPreparedPaidRequestReady, context);
  }

  /** A receipt of this process. */
  async lookupReceipt(receiptId: string): Promise<SdkReceiptResponse> {
    const receipt = this.#receipts.get(receiptId);
    if (receipt === undefined) throw new Error('Receipt lookup failed with status 404.');
    return { receipt: structuredClone(receipt) };
  }

  #begin(key: string, prepared: SdkPreparedPaidRequestReady, request: string): Promise<Outcome | PaidResponse> {
    // The payment that this execution has sent, as the journal has it.
    let own: Sent | undefined;
    const ends = this.#executed(key, prepared, request, (sent) => {
      own = sent;
    })
      .then(async (told) => {
        const outcome = 'kind' in told ? told : { ...told, request };
        if ('decision' in told && 'receipt' in told.decision) this.#remember(told.decision.receipt);
        if (!('kind' in outcome) && outcome.isOpen === true && own !== undefined) await this.#journal.answered(key, own);
        // What another process has signed meanwhile goes on.
        const isStanding = 'kind' in outcome || !isFinal(outcome) || (own !== undefined && !(await this.#journal.close(key, own)));
        if (!isStanding) {
          this.#outcomes.set(key, outcome);
          let bytes = 0;
          for (const { answer } of this.#outcomes.values()) bytes += answer?.bytes.length ?? 0;
          for (const [oldest, { answer }] of this.#outcomes) {
            if (oldest === key || (this.#outcomes.size <= MAX_OUTCOMES && bytes <= MAX_BYTES)) break;
            bytes -= answer?.bytes.length ?? 0;
            this.#outcomes.delete(oldest);
          }
        }
        return outcome;
      })
      .finally(() => {
        this.#flights.delete(key);
      });
    this.#flights.set(key, { request, ends });
    return ends;
  }

  /** Keeps a receipt, also of what was not delivered yet. */
  #remember(receipt: SdkReceipt): void {
    this.#receipts.set(receipt.receiptId, receipt);
    for (const oldest of this.#receipts.keys()) {
      if (this.#receipts.size <= MAX_OUTCOMES) break;
      this.#receipts.delete(oldest);
    }
  }

  async #executed(
    key: string,
    prepared: SdkPreparedPaidRequestReady,
    request: string,
    sends: (sent: Sent) => void,
  ): Promise<Settled | PaidResponse> {
    const before = await this.#journal.read(key);
    const shown = candidateShown(prepared.paymentRequirement);
    if (before !== undefined && !(await this.#signsAgain(key, before))) {
      sends(before);
      return this.#again(key, prepared, before);
    }
    let sent: Sent | undefined;
    let proposal: Proposal | undefined;
    let isOther = false;
    /** The payment that another process has sent under this key, while this one signed. */
    let taken: Sent | undefined;
    const stop = new AbortController();
    let first: Response | undefined = answerOf(402, prepared.challenge.headers, bodyText(prepared.challenge.body));
    const fetch: typeof globalThis.fetch = async (input, init) => {
      // The terms that were shown, once; later ones are the merchant's new ones.
      const terms = first;
      first = undefined;
      if (terms !== undefined) return terms;
      const headers = fieldsOf(init?.headers);
      const payment = paymentOf(headers);
      if (payment !== undefined && proposal !== undefined) {
        const signed = { request, url: String(input), payment, proposal, ends: Math.ceil(this.#now()) + proposal.validForSecs };
        // Written before it leaves: after a crash the same bytes are sent.
        const standing = await this.#journal.claim(key, signed);
        if (standing !== signed) {
          taken = standing;
          stop.abort();
          throw new Error('another process has paid under this key');
        }
        sent = signed;
        sends(signed);
      }
      return this.#fetch(input, init);
    };
    const paying = payingThrough(
      fetch,
      {
        timeoutMs: MAX_ANSWER_MS,
        ...payOptionsOf(this.#options),
        confirm: async (it) => {
          proposal = it;
          isOther = shown === undefined || wasm.proposalDigest(JSON.stringify(it)) !== shown;
          if (isOther) return false;
          return (await this.#options.confirm?.(it)) ?? true;
        },
        onStep: (step, it) => {
          // With the payer's address, which is not known earlier.
          if (step === 'signing') proposal = it;
          this.#options.onStep?.(step, it);
        },
      },
      key,
    );
    const { url } = prepared.request;
    try {
      const response = await paying(url, { ...initOf(prepared.request), signal: stop.signal });
      if (sent === undefined) return { kind: 'passthrough', protocol: 'none', response };
      return await this.#answered(prepared, sent, response, receiptOf(response));
    } catch (error) {
      if (taken !== undefined) {
        if (taken.request !== request) throw keyTaken(prepared);
        sends(taken);
        return this.#again(key, prepared, taken);
      }
      if (sent === undefined && !(error instanceof FareboxError)) throw error;
      return this.#failed(prepared, sent, error, isOther ? TERMS_CHANGED : undefined);
    }
  }

  /** The answer to a request that a model has chosen: of a host that the policy allows, and through redirects to the same origin alone. */
  async #looked(request: PaidRequestHttpRequest, init: RequestInit | undefined): Promise<Response> {
    // As `fetch` reads it, for which `\` ends a host: what is judged is what is asked.
    let url = URL.canParse(request.url) ? new URL(request.url).href : request.url;
    told(() => {
      mayLook(JSON.stringify(this.#options.policy ?? {}), request.method, url);
    });
    const fetch = this.#fetch;
    for (let hop = 0; ; hop += 1) {
      const response = await fetch(url, { ...initOf({ ...request, url }, init), redirect: 'manual' });
      // A page sees no redirect, and reaches no more than any page does.
      if (response.type === 'opaqueredirect') return fetch(url, initOf({ ...request, url }, init));
      const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null;
      if (location === null) return response;
      response.body?.cancel().catch(() => undefined);
      const next = new URL(location, url);
      if (next.origin !== new URL(url).origin || !['GET', 'HEAD'].includes(request.method) || hop === MAX_HOPS) {
        throw new FareboxError({
          code: 'redirected',
          message: `the request was redirected to ${next.origin}`,
          remedy: 'request the final URL yourself if you trust it',
        });
      }
      url = next.href;
    }
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now() / 1000;
  }

  /** Whether what has ended is signed again: only with a nonce that follows from its key, which a token takes once. */
  async #signsAgain(key: string, { ends, proposal, answered }: Sent): Promise<boolean> {
    return proposal.protocol === 'x402' && answered !== true && !isUnended(ends, this.#now()) && (await this.#journal.isOpen(key));
  }

  /** Sends what was signed before, byte for byte. */
  async #again(key: string, prepared: SdkPreparedPaidRequestReady, sent: Sent): Promise<Settled> {
    const headers = { ...prepared.request.headers, ...sent.payment };
    const response = await this.#fetch(sent.url, {
      ...initOf(prepared.request),
      headers,
      redirect: 'manual',
      signal: endsIn(this.#options.timeoutMs ?? MAX_ANSWER_MS),
    });
    if (response.ok) {
      const agreed = agreedBy(response, sent);
      if (!('code' in agreed)) return this.#answered(prepared, sent, response, agreed.settled, !isUnended(sent.ends, this.#now()));
      const reason = `receipt_mismatch: the receipt contradicts what was signed: ${agreed.code}`;
      return { decision: { outcome: 'inconclusive', ...idsOf(key, sent), reasonCode: 'merchant_transport_lost', reason } };
    }
    const reason = `The payment of ${sent.proposal.amountText} was sent again, and the merchant answered ${response.status}.`;
    // It can no longer be charged, and a clock may differ by this much. Where another nonce is next, a person or the policy says so.
    const isOwn = sent.proposal.protocol === 'x402' || sent.answered === true || this.#options.policy?.payAgain === true;
    const isLetGo = async (): Promise<boolean> => isOwn || (await this.#options.confirm?.({ ...sent.proposal, again: true })) === true;
    if (!isUnended(sent.ends, this.#now()) && (await isLetGo()))
      return { ...(await this.#answered(prepared, sent, response, undefined, true)), isOver: true };
    const doubt = isUnended(sent.ends, this.#now())
      ? ''
      : ' It has ended, and only the chain tells whether it was charged: it is made again only if `confirm` is asked or `policy.payAgain` is set.';
    return {
      decision: { outcome: 'inconclusive', ...idsOf(key, sent), reasonCode: 'merchant_transport_lost', reason: `${reason}${doubt}` },
    };
  }

  async #answered(
    prepared: SdkPreparedPaidRequestReady,
    sent: Sent,
    response: Response,
    settled: Receipt | undefined,
    isOver = false,
  ): Promise<Settled> {
    const ids = idsOf('', sent);
    const { maxAnswerBytes = MAX_ANSWER_BYTES } = this.#options;
    const { bytes, end } = await readWithin(response, maxAnswerBytes, this.#options.answerTimeoutMs ?? MAX_ANSWER_MS);
    if ((end === 'broken' || end === 'late') && response.ok) {
      // What was bought is asked for again, with the same payment.
      const proof = settled === undefined ? '' : ` The merchant names the transaction ${settled.transaction}.`;
      const reason = `The answer to a payment of ${sent.proposal.amountText} ${end === 'late' ? 'took too long' : 'broke off'}.${proof}`;
      return { decision: { outcome: 'inconclusive', ...ids, reasonCode: 'merchant_transport_lost', reason } };
    }
    const answer = { status: response.status, headers: fieldsOf(response.headers), bytes };
    const merchantResponse = { status: answer.status, headers: answer.headers, body: new TextDecoder().decode(bytes) };
    const isWhole = end !== 'longer';
    const receipt = this.#receipt(prepared, sent, settled, response.ok && isWhole ? 'succeeded' : 'failed');
    if (response.ok && !isWhole) {
      const reason = `Paid ${sent.proposal.amountText}, and the answer is longer than ${maxAnswerBytes} bytes: this is its beginning.`;
      return {
        decision: {
          outcome: 'paid_fulfillment_failed',
          ...ids,
          reasonCode: 'merchant_execution_failed',
          reason,
          merchantResponse,
          receipt,
          settlementEvidenceClass: settled === undefined ? 'inconclusive' : 'merchant_verifiable_success',
          fulfillmentStatus: 'failed',
        },
        answer,
        isOpen: settled === undefined && !isOver,
      };
    }
    if (response.ok) {
      const isOpen = settled === undefined && !isOver;
      return {
        decision: {
          outcome: 'allow',
          ...ids,
          reasonCode: 'policy_allow',
          reason: `Paid ${sent.proposal.amountText}.`,
          merchantResponse,
          receipt,
        },
        answer,
        isOpen,
      };
    }
    const reason = `The merchant answered ${response.status} to a request that carried a payment of ${sent.proposal.amountText}.`;
    // It is not said that it was charged, or that it was not.
    if (settled === undefined && response.status >= 500 && !isOver)
      return { decision: { outcome: 'inconclusive', ...ids, reasonCode: 'merchant_transport_lost', reason } };
    if (settled === undefined)
      return { decision: { outcome: 'execution_failed', ...ids, reasonCode: 'merchant_rejected', reason, merchantResponse }, answer };
    return {
      decision: {
        outcome: 'paid_fulfillment_failed',
        ...ids,
        reasonCode: 'merchant_execution_failed',
        reason,
        merchantResponse,
        receipt,
        settlementEvidenceClass: 'merchant_verifiable_success',
        fulfillmentStatus: 'failed',
      },
      answer,
    };
  }

  /** The meaning of a failure of the payer. */
  async #failed(
    prepared: SdkPreparedPaidRequestReady,
    sent: Sent | undefined,
    error: unknown,
    changed: string | undefined,
  ): Promise<Settled> {
    const { code, message, signed, response } =
      error instanceof FareboxError ? error : { code: '', message: 'The answer was lost.', signed: true, response: undefined };
    const reason = changed ?? wasm.boundedText(`${code}: ${message}`, 1000);
    const ids = idsOf('', sent);
    if (sent === undefined && !signed) {
      if (changed === undefined && PREFLIGHT.includes(code))
        return { decision: { outcome: 'preflight_failed', ...ids, reasonCode: 'preflight_incompatible', reason } };
      return { decision: { outcome: 'deny', reasonCode: DENIALS[code] ?? 'policy_denied', reason } };
    }
    if (sent === undefined || response === undefined || !['payment_refused', 'insufficient_funds', 'refund_due'].includes(code)) {
      return { decision: { outcome: 'inconclusive', ...ids, reasonCode: 'merchant_transport_lost', reason, evidence: { code } } };
    }
    const { bytes } = await readWithin(
      response,
      this.#options.maxAnswerBytes ?? MAX_ANSWER_BYTES,
      this.#options.answerTimeoutMs ?? MAX_ANSWER_MS,
    );
    const answer = { status: response.status, headers: fieldsOf(response.headers), bytes };
    const merchantResponse = { status: answer.status, headers: answer.headers, body: new TextDecoder().decode(bytes) };
    if (code !== 'refund_due')
      return {
        decision: { outcome: 'execution_failed', ...ids, reasonCode: 'merchant_rejected', reason, merchantResponse, evidence: { code } },
        answer,
      };
    const receipt = this.#receipt(prepared, sent, undefined, 'failed');
    return {
      decision: {
        outcome: 'paid_fulfillment_failed',
        ...ids,
        reasonCode: 'merchant_execution_failed',
        reason,
        merchantResponse,
        receipt,
        evidence: { code },
        settlementEvidenceClass: 'merchant_verifiable_success',
        fulfillmentStatus: 'failed',
      },
      answer,
    };
  }

  #receipt(
    prepared: SdkPreparedPaidRequestReady,
    sent: Sent,
    settled: Receipt | undefined,
    fulfillmentStatus: 'succeeded' | 'failed',
  ): SdkReceipt {
    const { organization = 'local', agent = 'local' } = this.#options;
    const { amount, asset, symbol } = sent.proposal;
    const precision = prepared.paymentRequirement?.precision ?? 6;
    const { paidRequestId, paymentAttemptId } = idsOf('', sent);
    return {
      receiptId: idOf('receipt', signedIn(sent)),
      paidRequestId,
      paymentAttemptId,
      organizationId: idOf('organization', organization),
      agentId: idOf('agent', `${organization}/${agent}`),
      protocol: prepared.protocol,
      money: {
        asset: asset ?? symbol,
        amount: prepared.paymentRequirement?.amount ?? sent.proposal.price,
        amountMinor: amount,
        precision,
        unit: 'minor',
      },
      authorizationOutcome: 'allowed',
      // The merchant says so, in agreement with what was signed; the chain is not asked here.
      status: 'provisional',
      reconciliationStatus: settled === undefined || fulfillmentStatus === 'failed' ? 'required' : 'none',
      evidenceSource: 'merchant',
      settlementEvidenceClass: settled === undefined ? 'inconclusive' : 'merchant_verifiable_success',
      ...(settled === undefined ? {} : { paymentReference: settled.transaction, settlementIdentifier: settled.transaction }),
      fulfillmentStatus,
      requestUrl: prepared.request.url,
      requestMethod: prepared.request.method,
      createdAt: new Date().toISOString(),
    };
  }

  /** The proposal of a payment now; nothing is counted, and no wallet is asked. */
  async #offered(request: PaidRequestHttpRequest, challenge: DetectedChallenge): Promise<LookedOffer> {
    const { policy = {}, store, broadcast, now = () => Date.now() / 1000 } = this.#options;
    const record = store === undefined ? undefined : (await store.read()).record;
    const { method, url, headers } = request;
    try {
      let exchange = told(() => new Exchange(JSON.stringify(policy), method, url, endpointOf(method, url), NOBODY));
      if (broadcast !== undefined) exchange = exchange.withBroadcast();
      if (headers?.['authorization'] !== undefined) exchange = exchange.withoutAuthorization();
      try {
        const body = new TextEncoder().encode(bodyText(challenge.body));
        let step = JSON.parse(exchange.answered(402, linesOf(challenge.headers), body, now())) as { do: string; error?: Told };
        if (step.do === 'choose') step = JSON.parse(exchange.chose('one-shot')) as typeof step;
        if (step.error !== undefined) throw new FareboxError(step.error);
        // The new record, with this payment counted, is dropped.
        told(() => exchange.reserve(record, now()));
        const offer = exchange.proposal();
        return { allowed: true, ...(offer === undefined ? {} : { offer: JSON.parse(offer) as Proposal }) };
      } finally {
        exchange.free();
      }
    } catch (error) {
      if (!(error instanceof FareboxError)) throw error;
      const { code, message, remedy } = error;
      return { allowed: false, refusal: { code, message, remedy } };
    }
  }
}

/** The address in the place of the payer's, who is not asked yet. */
const NOBODY = `0x${'11'.repeat(20)}`;

/** The same challenge with one of its ways to pay. */
function withOnly(challenge: DetectedChallenge, at: number): DetectedChallenge {
  const only = (terms: unknown): unknown => {
    const { accepts } = (terms ?? {}) as { accepts?: unknown };
    return Array.isArray(accepts)
      ? { ...(terms as object), accepts: accepts.filter((it) => typeof it === 'object' && it !== null).slice(at, at + 1) }
      : terms;
  };
  const { 'payment-required': header, 'www-authenticate': _, ...headers } = challenge.headers;
  if (header === undefined) return { ...challenge, headers, body: only(challenge.body) };
  return { ...challenge, headers: { ...headers, 'payment-required': encodeHeader(only(decodeHeader(header))) } };
}

/** The digest of the request that a key stands for: method, URL and body. */
function digestOf({ method, url, body }: Pick<PaidRequestHttpRequest, 'method' | 'url' | 'body'>): string {
  return wasm.sha256(JSON.stringify([method, url, body ?? null]));
}

/** One key is one request: another one under it is not paid, and does not get the first one's answer. */
function keyTaken({ protocol }: SdkPreparedPaidRequestReady): FetchPaidError {
  const message = 'The idempotency key belongs to another request.';
  const decision = { outcome: 'request_failed', status: 409, message } as const;
  return new FetchPaidError({
    kind: 'request_failed',
    protocol,
    response: Response.json({ message }, { status: 409 }),
    reason: message,
    decision,
  });
}

/** The settlement in an answer to a payment that was sent again, if it agrees with what was signed. */
function agreedBy(response: Response, { proposal }: Sent): { readonly settled: Receipt | undefined } | { readonly code: string } {
  try {
    const transaction = wasm.settledBy(linesOf(fieldsOf(response.headers)), JSON.stringify(proposal));
    const { network, payer, payTo, amount, asset, price, symbol } = proposal;
    return {
      settled:
        transaction === undefined
          ? undefined
          : { transaction, network, payer: payer ?? '', payTo, amount, asset, price, symbol, signedBy: null },
    };
  } catch (error) {
    if (typeof error !== 'string') throw error;
    return { code: error };
  }
}

/** Only what the payer knows. */
function payOptionsOf({
  fetch: _,
  sent: __,
  organization: ___,
  agent: ____,
  resume: _____,
  maxAnswerBytes: ______,
  answerTimeoutMs: _______,
  ...options
}: LocalAgentOptions): PayOptions {
  return options;
}

function returned(prepared: SdkPreparedPaidRequestReady, { decision, answer }: Outcome): PaidResponse {
  const outcome = outcomeOf(prepared.protocol, structuredClone(decision));
  // Bytes as they were bought; the decision has them as text.
  if (answer !== undefined && answer.status >= 200 && ![204, 205, 304].includes(answer.status)) {
    outcome.response = new Response(answer.bytes.slice(), { status: answer.status, headers: answer.headers });
  }
  if (outcome.kind === 'success') return outcome;
  throw new FetchPaidError(outcome);
}

/**
 * Whether nothing can follow: what delivered nothing, or content without a receipt, is sent again until it can no longer be charged,
 * whatever its answer was, and a denial may be lifted.
 */
function isFinal({ decision, answer, isOver = false, isOpen = false }: Settled): boolean {
  if (isOpen) return false;
  return decision.outcome === 'allow' || isOver || (answer !== undefined && answer.status >= 200 && answer.status < 300);
}

function requirementOf(
  { network, asset, amount, price, payTo }: Proposal,
  shown: SdkPreparedPaymentRequirement | undefined,
): SdkPreparedPaymentRequirement {
  const padded = wasm.paddedPrice(amount, price);
  return {
    protocol: 'x402',
    asset,
    ...(padded === undefined ? {} : (JSON.parse(padded) as { amount: string; precision: number })),
    amountMinor: amount,
    network,
    payee: payTo,
    amountType: 'exact',
    ...(shown?.description === undefined ? {} : { description: shown.description }),
    provenance: { source: 'merchant_challenge', authority: 'authoritative' },
  };
}

/** The digest of a price that is shown. */
function candidateShown(requirement: SdkPreparedPaymentRequirement | undefined): string | undefined {
  return requirement === undefined ? undefined : wasm.candidateDigest(JSON.stringify(requirement), '');
}

/** The header that carries a payment, if one does. */
function paymentOf(headers: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const carries = ([name, value]: [string, string]): boolean =>
    ['payment-signature', 'x-payment', 'payment-authorization', 'payment-identifier'].includes(name) ||
    (name === 'authorization' && /^payment /i.test(value));
  const found = Object.entries(headers).filter(carries);
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** Ids that are the same whenever the same payment is told of. */
function idsOf(key: string, sent: Sent | undefined): { paidRequestId: string; paymentAttemptId: string } {
  const seed = sent === undefined ? `${key}${crypto.getRandomValues(new Uint32Array(4)).join()}` : signedIn(sent);
  return { paidRequestId: idOf('request', seed), paymentAttemptId: idOf('attempt', seed) };
}

/** A UUID of its own form (version 8), from a hash. */
function idOf(kind: string, seed: string): string {
  const hash = wasm.sha256(`farebox ${kind}\n${seed}`);
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
}

function bodyText(body: unknown): string {
  return body === undefined ? '' : (JSON.stringify(body) ?? '');
}

const TERMS_CHANGED = 'terms_changed: the merchant asks for another payment than was shown; nothing was signed';
/** Bounds of a paid answer. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_ANSWER_MS = 120_000;
/** Redirects that a look follows. */
const MAX_HOPS = 5;
/** The limits of what is remembered for a repetition: outcomes, and bytes of what was bought. An older one is asked for again with its own bytes. */
const MAX_OUTCOMES = 1000;
const MAX_BYTES = 64 * 1024 * 1024;
/** Codes for which there is no way to pay. */
const PREFLIGHT = [
  'malformed_challenge',
  'unsupported_version',
  'unsupported_scheme',
  'unsupported_method',
  'unsupported_intent',
  'unsupported_network',
  'challenge_expired',
  'realm_mismatch',
  'authorization_taken',
  'broadcast_missing',
  'redirected',
  'wrong_signature',
  'invalid_signer',
  'budget_unreadable',
];
/** Codes whose denial has a reason of its own. */
const DENIALS: Readonly<Record<string, PaidRequestReasonCode>> = { approval_needed: 'policy_review_required' };
