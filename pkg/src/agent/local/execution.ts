/** One execution: a prepared request is paid under its key, or what was signed for that key before is sent again. */
import * as wasm from '#agent-wasm';

import { policyText } from '../../checked.js';
import { endpointOf } from '../../endpoints.js';
import { FareboxError, type SentPayment } from '../../error.js';
import { payingThrough } from '../../fetch.js';
import { drawn } from '../../hex.js';
import type { Keeping } from '../../keeping.js';
import type { Proposal } from '../../options.js';
import { askPerson } from '../../person.js';
import { unresolved } from '../../purchases.js';
import { receiptOf } from '../../receipts.js';
import { headWithin } from '../../request.js';
import { goneOn, traceOf } from '../../restored.js';
import { type Began, isUnended } from '../../sent.js';
import type { Store } from '../../store.js';
import type { Trace } from '../../trace.js';
import type { SdkPreparedPaidRequestReady } from '../contracts.js';
import { having } from '../having.js';
import { fieldsOf } from '../heads.js';
import type { Asked, Journal, Sent } from '../journal.js';
import { answerOf, FetchPaidError, type PaidResponse } from '../outcome.js';
import { initOf, purchasedOf, spelled } from '../request.js';
import { bodyText } from './look.js';
import { type LocalAgentOptions, MAX_ANSWER_MS, payOptionsOf } from './options.js';
import { type Answered, idsOf, type Settled, unknown, Verdicts, whyOf } from './verdict.js';

/** What executions of one client share. */
export type Parts = {
  readonly options: LocalAgentOptions & { readonly store: Store };
  readonly fetch: typeof fetch;
  readonly journal: Journal;
};

/** What is executed, and under which key. */
export type Task = { readonly key: string; readonly prepared: SdkPreparedPaidRequestReady; readonly asked: Asked };

/** What leaves, and whereto. */
type Leaving = Pick<Sent, 'url' | 'payment' | 'sending' | 'trace' | 'ends' | 'key'>;
/** A payment that was sent before; whether nothing that was signed for it can be charged any more, and whether another signature may take its place. */
type Going = { readonly before: Sent; readonly isDead: boolean; readonly signs: boolean };
/** What is kept of each exchange of one execution. */
type Facts = Omit<Trace, keyof ReturnType<typeof traceOf> | 'at' | 'proof' | 'isHash'>;
/** Why an exchange failed, with the last answer if there is one. */
type Failed = { readonly error: unknown; readonly refused?: string | undefined; readonly response: Response | undefined };
/** What came of an exchange: an answer, a failure, or the payment that another process has sent under this key meanwhile. */
type Came = Answered | { readonly failed: Failed } | { readonly taken: Sent };

export class Execution {
  readonly #parts: Parts;
  readonly #task: Task;
  readonly #verdicts: Verdicts;
  /** Ends it: before anything is signed, nothing will be. */
  readonly #stop = new AbortController();
  /** Ends listening to its callers. */
  readonly #over = new AbortController();
  #callers = 0;
  #sent: Sent | undefined;
  /** State of the store when it began, by which it is seen whether what came since was dropped. */
  #began: Began | undefined;

  constructor(parts: Parts, task: Task) {
    this.#parts = parts;
    this.#task = task;
    this.#verdicts = new Verdicts(parts.options, task.prepared);
  }

  /** The payment that it has sent, as the journal has it. */
  get sent(): Sent | undefined {
    return this.#sent;
  }

  /** Takes in a caller. Once all of them have given up, so does it. */
  join(signal: AbortSignal | undefined): void {
    this.#callers += 1;
    const leave = (): void => {
      this.#callers -= 1;
      if (this.#callers === 0) this.#stop.abort(signal?.reason);
    };
    signal?.addEventListener('abort', leave, { once: true, signal: this.#over.signal });
  }

  async run(): Promise<Settled | PaidResponse> {
    try {
      const { key, prepared } = this.#task;
      const { before, began } = await this.#parts.journal.begin(key, prepared.request.url);
      this.#began = began;
      return before === undefined || (await this.#signsAgain(before)) ? await this.#pays(before) : await this.#again(before);
    } finally {
      this.#over.abort();
    }
  }

  #now(): number {
    return this.#parts.options.now?.() ?? Date.now() / 1000;
  }

  /** Whether what has ended is signed again: only with a nonce that follows from its key, which a token takes once. */
  async #signsAgain({ ends, proposal, answered }: Sent): Promise<boolean> {
    const { journal } = this.#parts;
    return isOurs(proposal) && answered !== true && !isUnended(ends, this.#now()) && (await journal.isOpen(this.#task.key));
  }

  /** Pays the terms that were shown: that price to that payee, or nothing. What has ended under this key may have been charged. */
  async #pays(ended?: Sent): Promise<Settled | PaidResponse> {
    const came = await this.#carries(ended && { before: ended, isDead: true, signs: true });
    if ('taken' in came) return this.#again(came.taken);
    if ('failed' in came) {
      const { error, refused } = came.failed;
      if (this.#sent === undefined && refused === undefined && !(error instanceof FareboxError)) throw error;
      return this.#verdicts.ofFailure(this.#sent, error, refused);
    }
    if (this.#sent === undefined) return { kind: 'passthrough', protocol: 'none', response: came.response };
    return this.#verdicts.ofAnswer(this.#sent, came);
  }

  /** Goes on with what was sent before: the same bytes, and what else the exchange does with what its merchant answers. */
  async #again(before: Sent): Promise<Settled> {
    this.#sent = before;
    const { journal } = this.#parts;
    const hasEnded = (): boolean => !isUnended(this.#sent?.ends, this.#now());
    // What is over, or has ended and is signed for by another key, is asked for alone.
    const signs = !hasEnded() && (await journal.isOpen(this.#task.key));
    const came = await this.#carries({ before, isDead: false, signs });
    if ('taken' in came) return this.#again(came.taken);
    const sent = this.#sent;
    const failed = 'failed' in came ? came.failed : undefined;
    const { response } = failed ?? (came as Answered);
    if (!('failed' in came) && came.response.ok) return this.#verdicts.ofAnswer(sent, { ...came, isOver: hasEnded() });
    // It can no longer be charged, and a clock may differ by this much. Where another nonce is next, a person or the policy says so.
    if (response?.ok === false && hasEnded() && (await this.#isLetGo(sent)))
      return { ...(await this.#verdicts.ofAnswer(sent, { response, settled: undefined, isOver: true })), isOver: true };
    if (failed !== undefined && response?.ok) return this.#verdicts.ofFailure(sent, failed.error, undefined);
    const reason = whyOpen(sent, failed, response);
    return unknown(idsOf(sent), hasEnded() ? `${reason} ${DOUBT}` : reason);
  }

  /** The exchange that goes on after what was sent before; none where nothing tells yet what that was. */
  #left(before: Sent, isDead: boolean): Keeping['left'] {
    const { sending, trace } = before;
    const { policy, pin, confirm } = this.#parts.options;
    if (trace === undefined || sending !== undefined) return undefined;
    // What is signed again is for the URL whose terms were shown.
    const url = isDead ? spelled(this.#task.prepared.request.url) : before.url;
    const gone = goneOn({ ...trace, url }, { policy: policyText(policy), pin, asks: confirm !== undefined, isDead, now: this.#now() });
    return typeof gone === 'string' ? undefined : { ...gone, url };
  }

  /** Carries out the steps of the exchange: of a new payment, or of one that goes on. */
  async #carries(going?: Going): Promise<Came> {
    const { options, journal } = this.#parts;
    const { key, prepared, asked } = this.#task;
    const { before, isDead = true, signs = true } = going ?? {};
    const left = before && this.#left(before, isDead);
    // Without its hash there is nothing to send again: that is as if the merchant asked for a payment still.
    if (before !== undefined && left === undefined)
      return { failed: { error: unresolved(), response: new Response(null, { status: 402 }) } };
    const shown = prepared.paymentRequirement && wasm.candidateDigest(JSON.stringify(prepared.paymentRequirement), '');
    let proposal: Proposal | undefined;
    let signed: Pick<Sent, 'trace' | 'ends' | 'key'> | undefined;
    let hash = before?.trace?.isHash === true ? before.trace.proof : undefined;
    let refused: string | undefined;
    /** The payment that another process has sent under this key, while this one signed. */
    let taken: Sent | undefined;
    const isTaken = new AbortController();
    /** Why it is not kept, so that nothing leaves. */
    let fault: { readonly error: unknown } | undefined;
    const sentOf = (it: Proposal, what: Leaving): Sent => {
      const ends = Math.ceil(this.#now()) + it.validForSecs;
      return { ends, ...having({ purchase: before?.purchase }), ...asked, ...what, proposal: it };
    };
    /** Written before it leaves, or is asked for: after a crash the same bytes are sent, or it may be on its way. */
    const claims = async (it: Proposal, what: Leaving): Promise<void> => {
      const mine = sentOf(it, what);
      try {
        taken = await journal.claim(key, mine, this.#began, before);
        journal.freeRoom(this);
      } catch (error) {
        fault = { error };
      }
      if (taken === undefined && fault === undefined) {
        this.#sent = mine;
        return;
      }
      isTaken.abort();
      throw isTaken.signal.reason;
    };
    const { timeoutMs = MAX_ANSWER_MS, broadcast, ...rest } = payOptionsOf(options);
    let first: Response | undefined = isDead ? answerOf(402, prepared.challenge.headers, bodyText(prepared.challenge.body)) : undefined;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      // The terms that were shown, once; later ones are the merchant's new ones.
      const terms = first;
      first = undefined;
      if (terms !== undefined) return terms;
      const payment = paymentOf(fieldsOf(init?.headers));
      const isNew = signed?.trace?.proof !== before?.trace?.proof;
      if (payment !== undefined && proposal !== undefined && isNew) await claims(proposal, { url: String(input), payment, ...signed });
      return headWithin(this.#parts.fetch, timeoutMs, input, init);
    };
    const facts = this.#facts();
    const paying = payingThrough(
      fetch,
      {
        ...rest,
        ...having({
          broadcast:
            broadcast &&
            (async (it: Proposal) => {
              await claims(it, { url: prepared.request.url, payment: {}, sending: drawn() });
              hash = await broadcast(it);
              return hash;
            }),
        }),
        confirm: async (it) => {
          if (!signs) return false;
          proposal = it;
          if (shown === undefined || wasm.proposalDigest(JSON.stringify(it)) !== shown) refused = TERMS_CHANGED;
          if (refused !== undefined) return false;
          await journal.hasRoom(this, key, sentOf({ ...it, payer: it.payer ?? NOBODY }, longestOf(prepared, facts, before)));
          return (await options.confirm?.(it)) ?? true;
        },
        onStep: (step, it) => {
          // With the payer's address, which is not known earlier.
          if (step === 'signing') proposal = it;
          options.onStep?.(step, it);
        },
      },
      {
        name: key,
        url: purchasedOf(prepared).url,
        signed: (it) => {
          const proof = { at: it.preparedAt(), proof: hash ?? it.proof() ?? '', isHash: hash !== undefined };
          const { validBefore: ends, key } = JSON.parse(it.payment() ?? '{}') as SentPayment;
          signed = { trace: { ...facts, ...traceOf(it), ...proof }, ends, key };
        },
        ...having({ left }),
      },
    );
    try {
      const signal = AbortSignal.any([this.#stop.signal, isTaken.signal]);
      const response = await paying(prepared.request.url, { ...initOf(prepared.request), signal });
      return { response, settled: receiptOf(response) };
    } catch (error) {
      if (fault !== undefined && !(fault.error instanceof FareboxError)) throw fault.error;
      if (taken === undefined) {
        const why = fault?.error ?? error;
        return { failed: { error: why, refused, response: why instanceof FareboxError ? why.response : undefined } };
      }
      if (isAnother(taken, asked)) throw keyTaken(prepared);
      return { taken };
    } finally {
      journal.freeRoom(this);
    }
  }

  /** What is kept of the exchange beside what it tells of itself. */
  #facts(): Facts {
    const { options } = this.#parts;
    const { method, url, headers } = this.#task.prepared.request;
    return {
      policy: policyText(options.policy),
      method,
      url,
      endpoint: endpointOf(method, url),
      identifier: options.identifier !== false,
      broadcasts: options.broadcast !== undefined,
      authorization: headers?.['authorization'] === undefined,
      derives: true,
    };
  }

  /** Whether another payment may follow one that has ended and may have been charged. */
  async #isLetGo({ proposal, answered }: Sent): Promise<boolean> {
    const { policy, confirm } = this.#parts.options;
    if (isOurs(proposal) || answered === true || policy?.payAgain === true) return true;
    return (await askPerson(this.#stop.signal, () => confirm?.({ ...proposal, again: true }))) === true;
  }
}

/** Whether a key stands for another purchase; where one has no name, for another request. */
export function isAnother(known: Asked, asked: Asked): boolean {
  if (known.purchase !== undefined && asked.purchase !== undefined) return known.purchase !== asked.purchase;
  return known.request !== asked.request;
}

/** One key is one request: another one under it is not paid, and does not get the first one's answer. */
export function keyTaken({ protocol }: SdkPreparedPaidRequestReady): FetchPaidError {
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

function whyOpen({ proposal: { amountText }, sending }: Sent, failed: Failed | undefined, response: Response | undefined): string {
  const { error, refused } = failed ?? {};
  if (refused !== undefined) return refused;
  if (sending !== undefined) return `A transaction of ${amountText} may have been sent, and its hash is not known.`;
  if (response?.ok === false) return `The payment of ${amountText} was sent again, and the merchant answered ${response.status}.`;
  return whyOf(error).reason;
}

/** The most that is kept of a payment: its header repeats the terms, in base64, beside what is signed. */
function longestOf(
  { request: { url }, challenge: { headers, body } }: SdkPreparedPaidRequestReady,
  facts: Facts,
  before: Sent | undefined,
): Leaving {
  const fields = [headers['payment-required'], headers['www-authenticate']];
  const terms = [...fields, bodyText(body)];
  const most = 2_048 + Math.max(...terms.map((it = '') => Math.ceil((new TextEncoder().encode(it).length * 4) / 3)));
  const told = { lines: fields.join('\n'), body: bodyText(body), at: 0, proof: '0'.repeat(512), isHash: false };
  // With the amount and the payee that a payment signed before adds.
  const earlier = '0'.repeat(128 + (before?.trace?.earlier?.length ?? 0));
  const made = { payer: NOBODY, seed: Array<number>(48).fill(255), pin: '0'.repeat(256), earlier, counted: '0'.repeat(64) };
  return { url, payment: { 'payment-authorization': '0'.repeat(most) }, trace: { ...facts, ...made, ...told } };
}

/** The header that carries a payment, if one does. */
function paymentOf(headers: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const carries = ([name, value]: [string, string]): boolean =>
    ['payment-signature', 'x-payment', 'payment-authorization', 'payment-identifier'].includes(name) ||
    (name === 'authorization' && /^payment /i.test(value));
  const found = Object.entries(headers).filter(carries);
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** In the place of a payer's address that the wallet has not told yet. */
const NOBODY = `0x${'0'.repeat(40)}`;
const TERMS_CHANGED = 'terms_changed: the merchant asks for another payment than was shown; nothing was signed';
const DOUBT = 'It has ended, and only the chain tells whether it was charged; policy.payAgain or a confirm hook lets it be paid again.';

/** Whether its nonce follows from its key. Rows that were kept before say nothing of it. */
const isOurs = ({ slot }: Proposal): boolean => typeof slot === 'string';
