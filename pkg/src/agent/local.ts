/**
 * The local back end: this wallet and policy in the place of a control plane, behind the same
 * methods. What was signed for one key is sent again, never signed anew.
 */
import * as wasm from '#agent-wasm';

import { isBodiless } from '../body.js';
import { type PayingFetch, wrapFetch } from '../fetch.js';
import { drawn } from '../hex.js';
import { noted } from '../noted.js';
import { fetchOf, paidUrl } from '../request.js';
import { memoryStore } from '../store.js';
import type { AgentPayClient, ExecutePreparedRequest, FetchPaidRequest, PreparePaidRequestOptions } from './client.js';
import type { SdkPreparedPaidRequest, SdkPreparedPaidRequestReady, SdkReceipt, SdkReceiptResponse } from './contracts.js';
import { detectChallengeFromResponse } from './detection.js';
import { guarded } from './guarded.js';
import { having } from './having.js';
import { type Asked, Journal } from './journal.js';
import { Execution, isAnother, keyTaken, type Parts } from './local/execution.js';
import { Look, withOnly } from './local/look.js';
import { Memory, type Outcome } from './local/memory.js';
import { type LocalAgentOptions, type LookedOffer, payOptionsOf } from './local/options.js';
import { requirementOf } from './local/priced.js';
import { isFinal, type Settled } from './local/verdict.js';
import { FetchPaidError, outcomeOf, type PaidResponse } from './outcome.js';
import { initOf, keyFor, nameOf, type Purchased, preparedOf, purchasedOf, requestOf, requireContext } from './request.js';

export type { LocalAgentOptions, LookedOffer } from './local/options.js';

/** The methods that both back ends have. */
export type AgentBackEnd = Pick<AgentPayClient, 'preparePaidRequest' | 'executePreparedRequest' | 'fetchPaid' | 'lookupReceipt'>;

/** A client that pays by itself. */
export function createLocalAgentClient(options: LocalAgentOptions): LocalAgentClient {
  return new LocalAgentClient(options);
}

/** An execution under way. */
type Flight = Asked & { readonly execution: Execution; readonly ends: Promise<Outcome | PaidResponse> };

export class LocalAgentClient implements AgentBackEnd {
  /** The schemes that are signed here. */
  readonly signs: readonly string[] = ['exact', 'charge'];
  /** Whether payments that were sent outlive this process. */
  readonly keepsPayments: boolean;
  /** The endpoints that are not paid until a person has looked. */
  readonly endpoints: PayingFetch['endpoints'];
  readonly #parts: Parts;
  readonly #look: Look;
  readonly #memory = new Memory();
  /** Executions under way, by key: a second one gets the first one's outcome. */
  readonly #flights = new Map<string, Flight>();
  /** The key of a prepared request that was given none. */
  readonly #keys = new WeakMap<object, string>();

  constructor(options: LocalAgentOptions) {
    const fetch = fetchOf(options.fetch);
    // One for all its payments: each pays through a `fetch` of its own, whose memory would forget what the others spent.
    const paying = { ...options, store: options.store ?? memoryStore() };
    this.#parts = { options: paying, fetch, journal: new Journal(options) };
    this.#look = new Look(paying);
    this.keepsPayments = (options.sent ?? options.store ?? undefined) !== undefined;
    // Reports options that cannot be used now, not with the first payment.
    this.endpoints = wrapFetch(fetch, payOptionsOf(paying)).endpoints;
  }

  /** Asks the merchant once. Nothing is counted or signed, and the wallet is not asked. */
  async preparePaidRequest(input: string, init?: RequestInit, options: PreparePaidRequestOptions = {}): Promise<SdkPreparedPaidRequest> {
    const request = requestOf(input, init);
    let { url: paid } = request;
    let { challenge } = options;
    let probe: { readonly responseStatus: number; readonly confirmedAt: string } | undefined;
    if (challenge === undefined) {
      const { fetch } = this.#parts;
      const plain = async () => ({ response: await fetch(input, initOf(request, init)), url: request.url });
      const { policy = {} } = this.#parts.options;
      const { response, url } = await (options.chosenByModel === true ? guarded(fetch, policy, request, init) : plain());
      probe = { responseStatus: response.status, confirmedAt: new Date().toISOString() };
      challenge = await detectChallengeFromResponse(response);
      // The URL whose 402 was read is the one that is paid.
      if (challenge !== undefined) paid = paidUrl({ ...request, url }, response);
      response.body?.cancel().catch(() => undefined);
    }
    const asked = { request: { ...request, url: paid }, askedUrl: request.url };
    return this.#offered(preparedOf(asked, challenge, options.externalMetadata, probe));
  }

  /** The same with the payment that would be made. */
  async #offered(prepared: SdkPreparedPaidRequest): Promise<SdkPreparedPaidRequest> {
    if (prepared.kind !== 'ready') return prepared;
    const sent = await this.openPayment(purchasedOf(prepared));
    const after = sent === undefined ? undefined : (await this.#parts.journal.read(sent))?.proposal.slot;
    const { offer, refusal } = await this.#look.offered(prepared.request, prepared.challenge, after);
    if (offer !== undefined) return { ...prepared, paymentRequirement: requirementOf(offer, prepared.paymentRequirement) };
    // What was sent is counted already.
    if (refusal === undefined || sent !== undefined) return prepared;
    const { code, message, quote } = refusal;
    return { ...prepared, refusal: `${code}: ${message}`, ...having({ refusalDetails: quote }) };
  }

  /** The ways to pay in `accepts`, in its order, with what policy and budget say of each alone; nothing is counted. */
  async offersOf({ request, challenge, challengeDetails }: SdkPreparedPaidRequestReady): Promise<readonly LookedOffer[]> {
    const accepts = challengeDetails?.accepts ?? [];
    return Promise.all(accepts.map((_, at) => this.#look.offered(request, withOnly(challenge, at))));
  }

  /**
   * Pays what was prepared: that price to that payee, or nothing. Under one key it is paid once. An abort before anything is signed
   * signs nothing; an execution that several callers wait for ends with the last of them.
   */
  async executePreparedRequest(prepared: SdkPreparedPaidRequestReady, request: ExecutePreparedRequest = {}): Promise<PaidResponse> {
    requireContext(request);
    const { signal } = request;
    let key = keyFor(prepared.request, request.idempotencyKey) ?? this.#keys.get(prepared);
    if (key === undefined) {
      const open = await this.openPayment(purchasedOf(prepared));
      // Another execution of the same preparation may have drawn one meanwhile.
      key = this.#keys.get(prepared) ?? open;
    }
    if (key === undefined) {
      key = `local-${drawn()}`;
      this.#keys.set(prepared, key);
    }
    const { purchase = request.idempotencyKey === undefined ? nameOf(purchasedOf(prepared)) : undefined } = request;
    const asked: Asked = { request: digestOf(purchasedOf(prepared)), ...having({ purchase }) };
    const written = await this.#parts.journal.read(key);
    signal?.throwIfAborted();
    // From here to the flight nothing is awaited.
    const known = this.#memory.outcome(key) ?? this.#flights.get(key) ?? written;
    if (known !== undefined && isAnother(known, asked)) throw keyTaken(prepared);
    const outcome = this.#memory.outcome(key) ?? (await this.#ends(key, prepared, asked, signal));
    // Each caller reads an answer of their own.
    return 'kind' in outcome ? { ...outcome, response: outcome.response.clone() } : returned(prepared, outcome);
  }

  /**
   * The key of a payment for the same purchase that was sent and whose outcome is open, unless this process is paying it now. One under a
   * caller's own key is known by that key alone.
   */
  async openPayment(request: Purchased, owner?: string): Promise<string | undefined> {
    return this.#parts.journal.openFor(nameOf(request, { owner }), (key) => this.#flights.has(key));
  }

  /** Whether a payment is kept under this key. */
  async hasSent(idempotencyKey: string): Promise<boolean> {
    return (await this.#parts.journal.read(idempotencyKey)) !== undefined;
  }

  /** Both in one; the signal of `init` counts for all of it. */
  async fetchPaid(input: string, init: RequestInit | undefined, request: FetchPaidRequest): Promise<PaidResponse> {
    const { challenge, signal = init?.signal ?? undefined, ...context } = request;
    const sent = requestOf(input, init);
    const { fetch } = this.#parts;
    let [asked, url] = [challenge, sent.url];
    if (asked === undefined) {
      const response = await fetch(input, initOf(sent, init));
      asked = await detectChallengeFromResponse(response);
      if (asked === undefined) return { kind: 'passthrough', protocol: 'none', response };
      url = paidUrl(sent, response);
      response.body?.cancel().catch(() => undefined);
    }
    const redirected = { request: { ...sent, url }, askedUrl: sent.url };
    const prepared = await this.#offered(preparedOf(redirected, asked, undefined, undefined));
    return this.executePreparedRequest(prepared as SdkPreparedPaidRequestReady, { ...context, signal });
  }

  /** A receipt of this process, or of another one that shared the store. */
  async lookupReceipt(receiptId: string): Promise<SdkReceiptResponse> {
    const receipt = await this.#parts.journal.receipt(receiptId);
    if (receipt === undefined) throw new Error('Receipt lookup failed with status 404.');
    return { receipt: structuredClone(receipt) };
  }

  /** The end of the execution under this key, which begins unless it is under way. */
  #ends(key: string, prepared: SdkPreparedPaidRequestReady, asked: Asked, signal: AbortSignal | undefined): Flight['ends'] {
    const flight = this.#flights.get(key) ?? this.#begin(key, prepared, asked);
    flight.execution.join(signal);
    return flight.ends;
  }

  #begin(key: string, prepared: SdkPreparedPaidRequestReady, asked: Asked): Flight {
    const execution = new Execution(this.#parts, { key, prepared, asked });
    const ends = execution
      .run()
      .then(async (told) => ('kind' in told ? told : this.#settled(key, execution, { ...told, ...asked })))
      .finally(() => {
        this.#flights.delete(key);
      });
    const flight = { ...asked, execution, ends };
    this.#flights.set(key, flight);
    return flight;
  }

  /** Notes an outcome in the journal; the one that ends the payment is remembered. */
  async #settled(key: string, { sent }: Execution, outcome: Outcome): Promise<Outcome> {
    const { journal } = this.#parts;
    const { receipt } = outcome.decision as { readonly receipt?: SdkReceipt };
    const isOver = isFinal(outcome);
    // Of a payment that is told without a receipt nothing new is known, and what another process has signed meanwhile goes on.
    const told = sent && { ...sent, ...having({ receipt, settled: outcome.settled, answered: outcome.isOpen || undefined }) };
    const isMine = told === undefined || !(isOver || receipt) || (await noted(() => journal.note(key, told, !isOver)));
    if (isOver && isMine) this.#memory.keep(key, outcome);
    return outcome;
  }
}

/** The digest of the request that a key stands for: method, URL and body. */
function digestOf({ method, url, body }: Purchased): string {
  return wasm.sha256(JSON.stringify([method, url, body ?? null]));
}

function returned(prepared: SdkPreparedPaidRequestReady, { decision, answer }: Settled): PaidResponse {
  const outcome = outcomeOf(prepared.protocol, structuredClone(decision));
  // Bytes as they were bought; the decision has them as text.
  if (answer !== undefined && !isBodiless(answer.status)) {
    outcome.response = new Response(answer.bytes.slice(), { status: answer.status, headers: answer.headers });
  }
  if (outcome.kind === 'success') return outcome;
  throw new FetchPaidError(outcome);
}
