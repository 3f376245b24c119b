/** Prepared requests by id, for hosts of models: each is executed once, whatever happens at the same time. */
import * as wasm from '#agent-wasm';

import { drawn } from '../hex.js';
import { checkNames } from '../names.js';
import type { Store } from '../store.js';
import type { AgentPayClient, ExecutePreparedRequest } from './client.js';
import type {
  PaidRequestChallenge,
  PaidRequestHttpRequest,
  SdkExternalMetadata,
  SdkMerchantResponse,
  SdkPreparedChallengeDetails,
  SdkPreparedNextAction,
  SdkPreparedPaidRequest,
  SdkPreparedPaidRequestReady,
  SdkPreparedPaymentRequirement,
  SdkPreparedRequestHints,
  SdkPreparedValidationIssue,
} from './contracts.js';
import { having } from './having.js';
import { linesOf } from './heads.js';
import { requireKept } from './keeping.js';
import type { LookedOffer } from './local/options.js';
import { type FetchPaidFailureResponse, firstEnd, isFetchPaidError, type Left, openUntil, type PaidResponse } from './outcome.js';
import { isOpen, type Kept, recordsOf } from './records.js';
import { keyFor, nameOf, purchasedOf, requireContext } from './request.js';
import type { Rows } from './rows.js';
import { costSummaryOf, resultOf } from './told.js';
import { uuidOf } from './uuid.js';

export type AgentHarnessPreparedState = 'active' | 'consumed' | 'expired' | 'superseded';
export type AgentHarnessRejectionCode =
  | 'missing_prepared_id'
  | 'unknown_prepared_id'
  | 'expired_prepared_id'
  | 'prepared_request_superseded'
  | 'prepared_request_consumed'
  | 'prepared_request_not_ready'
  | 'prepared_request_not_executable';

/** A prepared request that is not known, or not named. */
export class AgentHarnessError extends Error {
  override readonly name = 'AgentHarnessError';
  readonly code: AgentHarnessRejectionCode;
  readonly preparedId: string | undefined;

  constructor(code: AgentHarnessRejectionCode, message: string, preparedId?: string) {
    super(message);
    this.code = code;
    this.preparedId = preparedId;
  }
}

export type AgentHarnessPrepareInput = {
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  externalMetadata?: SdkExternalMetadata;
};
export type AgentHarnessExecuteInput = { preparedId: string; executionContext?: ExecutePreparedRequest };
export type AgentHarnessExecutionBinding = {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string;
  bodyHash?: string;
  challenge?: { protocol: PaidRequestChallenge['protocol']; headers: Record<string, string>; body?: unknown };
  merchantOrigin: string;
};
export type AgentHarnessPreparedSummary = {
  preparedId: string;
  state: 'active';
  kind: SdkPreparedPaidRequest['kind'];
  protocol: SdkPreparedPaidRequest['protocol'];
  costSummary?: string;
  /** Why a new payment would be refused, with the merchant's words: it is data. */
  refusalDetails?: string;
  challengeDetails?: SdkPreparedChallengeDetails;
  paymentRequirement?: SdkPreparedPaymentRequirement;
  hints: SdkPreparedRequestHints;
  probe?: SdkPreparedPaidRequest['probe'];
  validationIssues: SdkPreparedValidationIssue[];
  nextAction: SdkPreparedNextAction;
  expiresAt: string;
};
export type AgentHarnessExecutedResult = {
  preparedId: string;
  harnessDisposition: 'executed';
  sdkOutcomeKind: PaidResponse['kind'] | FetchPaidFailureResponse['kind'];
  status: number;
  merchantResponse: SdkMerchantResponse;
  receiptId?: string;
  paidRequestId?: string;
  paymentAttemptId?: string;
  reason?: string;
  /** What says it with the merchant's words: it is data. */
  refusalDetails?: string;
  policyReviewEventId?: string;
};
export type AgentHarnessRejectedResult = {
  preparedId: string;
  harnessDisposition: 'rejected';
  rejectionCode: AgentHarnessRejectionCode;
  message: string;
};
export type AgentHarnessExecutionResult = AgentHarnessExecutedResult | AgentHarnessRejectedResult;
export type AgentHarnessExecutionLookup = {
  preparedId: string;
  state: AgentHarnessPreparedState;
  supersededByPreparedId?: string;
  executionResult?: AgentHarnessExecutionResult;
};
export type AgentHarnessPreparedRecord = {
  preparedId: string;
  state: AgentHarnessPreparedState;
  createdAt: string;
  expiresAt: string;
  supersededByPreparedId?: string;
  prepared: SdkPreparedPaidRequest;
  executionBinding: AgentHarnessExecutionBinding;
  executionResult?: AgentHarnessExecutionResult;
};
export type AgentHarnessClient = Pick<AgentPayClient, 'preparePaidRequest' | 'executePreparedRequest'> & {
  /** Whether payments that were sent outlive the process [they do]. */
  readonly keepsPayments?: boolean;
  /** The idempotency key of a payment for this purchase whose outcome is open, if it knows one. */
  openPayment?(request: Pick<PaidRequestHttpRequest, 'method' | 'url' | 'headers' | 'body'>): Promise<string | undefined>;
  /** The ways to pay, with what policy and budget say of each, if it has both. */
  offersOf?(prepared: SdkPreparedPaidRequestReady): Promise<readonly LookedOffer[]>;
  /** Whether it keeps a payment under this key, if it knows. What failed without one has signed nothing. */
  hasSent?(idempotencyKey: string): Promise<boolean>;
};
export type AgentHarnessOptions = {
  client: AgentHarnessClient;
  preparedTtlMs?: number;
  now?: () => Date;
  createPreparedId?: () => string;
  /** Where prepared requests are kept, so that they outlive this process [its memory]. */
  store?: Store;
  /** How many prepared requests are kept; the oldest that are done go first [1000]. */
  maxRecords?: number;
};

const OPTIONS: readonly (keyof AgentHarnessOptions)[] = ['client', 'preparedTtlMs', 'now', 'createPreparedId', 'store', 'maxRecords'];

/** The compiled part's verdict on an id. */
type Verdict = {
  readonly state?: string;
  readonly shown?: AgentHarnessPreparedState;
  readonly rejection?: { readonly code: AgentHarnessRejectionCode; readonly message: string };
};

export class AgentHarness {
  readonly #client: AgentHarnessClient;
  readonly #ttlMs: number;
  readonly #now: () => Date;
  readonly #createId: () => string;
  readonly #records: Rows<Kept>;

  constructor(options: AgentHarnessOptions) {
    checkNames(options, OPTIONS);
    const { client, preparedTtlMs = 300_000, now = () => new Date(), createPreparedId = uuid, store, maxRecords = 1000 } = options;
    requireKept(client, store, 'AgentHarness');
    this.#client = client;
    this.#ttlMs = preparedTtlMs;
    this.#now = now;
    this.#createId = createPreparedId;
    this.#records = recordsOf(store, maxRecords, now);
  }

  /** Prepares a request, pays nothing, and keeps it under a new id. An older one for the same endpoint is superseded. */
  async preparePaidRequest(input: AgentHarnessPrepareInput): Promise<AgentHarnessPreparedSummary> {
    const { url, method, headers, body, externalMetadata } = input;
    const init: RequestInit = { ...having({ method, headers, body }) };
    const prepared = structuredClone(
      await this.#client.preparePaidRequest(url, init, { chosenByModel: true, ...having({ externalMetadata }) }),
    );
    const preparedId = this.#createId();
    const created = this.#now();
    const challenge = prepared.kind === 'ready' ? prepared.challenge : undefined;
    const expires = wasm.expiresAt(created.getTime(), this.#ttlMs, linesOf(challenge?.headers ?? {}));
    const { origin, pathname } = new URL(prepared.request.url);
    const digest = nameOf(purchasedOf(prepared));
    const openKey = await this.#client.openPayment?.(purchasedOf(prepared));
    const record: Kept = {
      preparedId,
      state: 'active',
      digest,
      createdAt: created.toISOString(),
      expiresAt: new Date(expires).toISOString(),
      endpoint: `${prepared.request.method}:${origin}${pathname}`,
      // Drawn here where it has none, so that every attempt has it: one prepared request, one payment.
      idempotencyKey: keyFor(prepared.request) ?? `prepared-${uuid()}`,
      prepared,
    };
    let kept = record;
    await this.#records.change((records) => {
      kept = resumed(record, records, openKey, this.#now());
      const known = records.get(preparedId);
      if (known !== undefined && ['executing', 'unresolved'].includes(known.state))
        throw new Error(`The id ${preparedId} belongs to a request that is being executed.`);
      for (const other of records.values()) {
        const state = wasm.after(this.#judge(other).state ?? '', 'supersede');
        if (other.endpoint !== record.endpoint || other.preparedId === preparedId || state !== 'superseded' || other.state === state)
          continue;
        records.set(other.preparedId, { ...other, state, supersededByPreparedId: preparedId });
      }
      // Last of all, however often its id was used.
      records.delete(preparedId);
      records.set(preparedId, kept);
    });
    // A process that ended while it asked its person has left an attempt, and no payment.
    const isSent = kept.attempted === true && (await this.#mayHaveSent(kept));
    const costSummary = isSent ? resumes(costSummaryOf(kept.prepared)) : costSummaryOf(kept.prepared);
    const { kind, protocol, hints, probe, validationIssues, nextAction, refusalDetails } = kept.prepared;
    const { challengeDetails, paymentRequirement } = kept.prepared.kind === 'ready' ? kept.prepared : {};
    return structuredClone({
      preparedId,
      state: 'active' as const,
      kind,
      protocol,
      ...having({ costSummary, refusalDetails, challengeDetails, paymentRequirement }),
      hints,
      ...having({ probe }),
      validationIssues,
      nextAction,
      expiresAt: record.expiresAt,
    });
  }

  /**
   * Executes a prepared request once. Rejections are results. If no outcome comes, the error is
   * thrown, and the same id may be executed again: under the same idempotency key.
   */
  async executePreparedRequest(input: AgentHarnessExecuteInput): Promise<AgentHarnessExecutionResult> {
    const { preparedId, executionContext = {} } = input;
    const { idempotencyKey: given } = executionContext;
    const asked = this.#records.get(preparedId);
    const hasKey = asked === undefined || asked.attempted === true || given !== undefined;
    const known = hasKey ? undefined : this.#client.openPayment?.(purchasedOf(asked.prepared));
    const openKey = known === undefined ? undefined : await known;
    let before: Kept | undefined;
    let begun: Kept | undefined;
    let rejected: AgentHarnessRejectedResult | undefined;
    // Taken before anything is awaited that could let a second execution in.
    await this.#records.change((records) => {
      [begun, rejected] = [undefined, undefined];
      const record = records.get(preparedId);
      before = record;
      const { rejection, state = '' } = this.#judge(record, preparedId);
      if (rejection !== undefined) {
        rejected = { preparedId, harnessDisposition: 'rejected', rejectionCode: rejection.code, message: rejection.message };
        if (record !== undefined && record.executionResult === undefined && rejection.code !== 'prepared_request_consumed') {
          records.set(preparedId, { ...record, state, executionResult: rejected });
        }
        return;
      }
      requireContext(executionContext);
      // The first attempt's key stays, also that of another id for the same purchase whose payment is open: another one could pay again.
      const { own: _, ...going } = resumed(given === undefined ? record! : named(record!, given), records, openKey, this.#now());
      const idempotencyKey = going.attempted === true ? going.idempotencyKey : (given ?? going.idempotencyKey);
      // Its earlier attempt stays open until there is a decision.
      const open = state === 'unresolved' ? true : undefined;
      begun = { ...going, state: wasm.after(state, 'begin'), attempted: true, ...having({ idempotencyKey, open }) };
      records.set(preparedId, begun);
    });
    if (rejected !== undefined) return structuredClone(rejected);
    const { prepared, idempotencyKey, digest: purchase } = begun!;
    let outcome: PaidResponse | FetchPaidFailureResponse;
    try {
      outcome = await this.#client.executePreparedRequest(structuredClone(prepared) as never, {
        ...executionContext,
        ...having({ idempotencyKey, purchase }),
      });
    } catch (error) {
      if (!isFetchPaidError(error)) {
        if (await this.#mayHaveSent(begun!)) await this.#become(preparedId, 'lose');
        else await this.#records.note((records) => void records.set(preparedId, before!));
        throw error;
      }
      outcome = error.details;
    }
    const result = await resultOf(preparedId, outcome, prepared);
    await this.#become(preparedId, 'finish', result, outcome);
    return structuredClone(result);
  }

  /** The outcome of an id, without any request. */
  getExecutionResult(preparedId: string): AgentHarnessExecutionLookup {
    const { state, supersededByPreparedId, executionResult } = this.#shown(preparedId);
    return structuredClone({ preparedId, state, ...having({ supersededByPreparedId, executionResult }) });
  }

  /** Everything about an id. */
  getPreparedRecord(preparedId: string): AgentHarnessPreparedRecord {
    const {
      endpoint: _,
      idempotencyKey: __,
      attempted: ___,
      digest: ____,
      own: _____,
      open: ______,
      openUntil: _______,
      ...record
    } = this.#shown(preparedId);
    return structuredClone({ ...record, executionBinding: bindingOf(record.prepared) });
  }

  /** The ways to pay of an id, with what policy and budget say of each; none where its client does not know, or nothing is asked for. */
  async offersOf(preparedId: string): Promise<readonly LookedOffer[]> {
    return (await this.#client.offersOf?.(this.#shown(preparedId).prepared as SdkPreparedPaidRequestReady)) ?? [];
  }

  /**
   * Reads the store, once, before anything else: ids of an earlier process are known again. One that
   * was being executed then may be executed again, under its own idempotency key. No other process
   * may use the store meanwhile.
   */
  async restore(): Promise<void> {
    await this.#records.change((records) => {
      for (const record of records.values()) records.set(record.preparedId, { ...record, state: wasm.after(record.state, 'lose') });
    });
  }

  /** Whether a payment of it may have left; what its client cannot say, or not now, may have. */
  async #mayHaveSent({ idempotencyKey: key }: Kept): Promise<boolean> {
    return (await (key === undefined ? true : this.#client.hasSent?.(key).catch(() => true))) ?? true;
  }

  #shown(preparedId: string): Kept & { state: AgentHarnessPreparedState } {
    const record = this.#records.get(preparedId);
    const { shown, rejection } = this.#judge(record, preparedId);
    if (record === undefined || shown === undefined) {
      throw new AgentHarnessError(rejection!.code, rejection!.message, rejection!.code === 'missing_prepared_id' ? undefined : preparedId);
    }
    return { ...record, state: shown };
  }

  #judge(record: Kept | undefined, preparedId: string = record?.preparedId ?? ''): Verdict {
    const id = typeof preparedId === 'string' ? preparedId : '';
    const { state = '', expiresAt = '', supersededByPreparedId = '', prepared } = record ?? {};
    return JSON.parse(
      wasm.judge(id, state, Date.parse(expiresAt), supersededByPreparedId, prepared?.nextAction ?? '', this.#now().getTime()),
    ) as Verdict;
  }

  async #become(
    preparedId: string,
    event: 'lose' | 'finish',
    executionResult?: AgentHarnessExecutedResult,
    outcome?: PaidResponse | FetchPaidFailureResponse,
  ): Promise<void> {
    const [clientKnows, now] = [this.#client.openPayment !== undefined, this.#now().getTime()];
    await this.#records.note((records) => {
      const record = records.get(preparedId);
      if (record === undefined) return;
      const alike = [...records.values()].filter((it) => it.idempotencyKey === record.idempotencyKey && it.digest === record.digest);
      const earlier = alike.map(leftBy);
      const ends = outcome && openUntil(outcome, clientKnows, now, earlier);
      const until = firstEnd(ends, executionResult?.paymentAttemptId, earlier);
      const { open: _, openUntil: __, ...known } = record;
      const leavesOpen = until !== undefined;
      // What is done grows old from here on.
      if (executionResult !== undefined) records.delete(preparedId);
      records.set(preparedId, {
        ...known,
        state: wasm.after(record.state, event),
        ...having({ executionResult, open: leavesOpen ? true : undefined, openUntil: Number.isFinite(until) ? until : undefined }),
      });
      if (executionResult === undefined || until === Infinity) return;
      // Other ids that stand for the same payment have its outcome too, and its end.
      for (const other of records.values()) {
        if (
          other.preparedId === preparedId ||
          (leavesOpen && leftBy(other).openUntil !== Infinity) ||
          other.attempted !== true ||
          other.idempotencyKey !== record.idempotencyKey ||
          other.digest !== record.digest ||
          other.state === 'executing'
        )
          continue;
        const { open: ___, openUntil: ____, ...rest } = other;
        const result = other.state === 'consumed' ? other.executionResult : { ...executionResult, preparedId: other.preparedId };
        records.set(other.preparedId, {
          ...rest,
          state: wasm.after(wasm.after(other.state, 'begin'), 'finish'),
          ...having({ executionResult: result, open: leavesOpen ? true : undefined, openUntil: until }),
        });
      }
    });
  }
}

/** The payment that a record has left open. */
function leftBy({ state, open, openUntil, executionResult }: Kept): Left {
  const attempt = executionResult?.harnessDisposition === 'executed' ? executionResult.paymentAttemptId : undefined;
  const hasNoEnd = openUntil === undefined && (open === true || state === 'unresolved');
  return { attempt, openUntil: hasNoEnd ? Infinity : openUntil };
}

/** What an execution is bound to. */
function bindingOf(prepared: SdkPreparedPaidRequest): AgentHarnessExecutionBinding {
  const challenge = prepared.kind === 'ready' ? prepared.challenge : undefined;
  const { headers = {}, body, bodyHash, ...request } = prepared.request;
  return { ...request, headers, ...having({ body, bodyHash, challenge }), merchantOrigin: new URL(request.url).origin };
}

/** The record under a key of its caller's, which names its purchase, unless it was executed before: the first key stays. */
function named(record: Kept, key: string): Kept {
  const { own, ...rest } = record;
  if (record.attempted === true && own === undefined) return record;
  // What was shown is what may be paid: for another price there is a refusal.
  const { challengeDetails, paymentRequirement } = record.prepared.kind === 'ready' ? record.prepared : {};
  const prepared = { ...(own ?? record).prepared, ...having({ challengeDetails, paymentRequirement }) } as Kept['prepared'];
  return { ...rest, ...own, prepared, attempted: false, digest: nameOf(purchasedOf(prepared), { key }) };
}

/** The record under the key, and with the terms, of a payment for the same purchase that is open; otherwise as it is. */
function resumed(record: Kept, records: ReadonlyMap<string, Kept>, openKey: string | undefined, now: Date): Kept {
  if (record.attempted === true || record.prepared.kind !== 'ready') return record;
  const alike = [...records.values()].filter(
    (other) => other.preparedId !== record.preparedId && other.digest !== undefined && other.digest === record.digest && isOpen(other, now),
  );
  const other = alike.find(({ idempotencyKey }) => idempotencyKey === openKey) ?? alike.at(-1);
  const { prepared, idempotencyKey: first } = record;
  const bound = { ...record, attempted: true, own: { prepared, ...having({ idempotencyKey: first }) } };
  // Headers are of one call, and never sent for another. Its terms are those of its URL, wherever a redirect leads today.
  const { url } = other?.prepared.request ?? prepared.request;
  if (other !== undefined)
    return {
      ...bound,
      prepared: { ...other.prepared, request: { ...prepared.request, url } },
      ...having({ idempotencyKey: other.idempotencyKey }),
    };
  if (openKey !== undefined) return { ...bound, idempotencyKey: openKey };
  // One that a person looks at is approved under its key.
  const { executionResult, idempotencyKey } =
    [...records.values()].filter((it) => it.digest === record.digest && isJudged(it)).at(-1) ?? {};
  const isReviewed =
    executionResult?.harnessDisposition === 'executed' && executionResult.policyReviewEventId !== undefined && idempotencyKey !== undefined;
  return isReviewed ? { ...record, idempotencyKey } : record;
}

/** Whether its last attempt says what became of a review of it. Where there was no decision it goes on, unless its key is another request's. */
function isJudged({ executionResult: it }: Kept): boolean {
  return it?.harnessDisposition === 'executed' && (it.sdkOutcomeKind !== 'request_failed' || it.status === 409);
}

function resumes(costSummary: string | undefined): string {
  const what =
    'A payment for this request was sent before, and its outcome is open: executing without an idempotencyKey goes on with that payment; with one it may be paid a second time.';
  return costSummary === undefined ? what : `${costSummary} ${what}`;
}

/** A random UUID, also in pages without a secure context. */
function uuid(): string {
  return uuidOf(drawn(), 4);
}
