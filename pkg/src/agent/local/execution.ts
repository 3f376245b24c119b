/** One execution: a prepared request is paid under its key, or what was signed for that key before is sent again. */
import * as wasm from '#agent-wasm';
import { Exchange } from '#wasm';

import { beginning } from '../../beginning.js';
import { policyText } from '../../checked.js';
import { endpointOf, isShort, watchOf } from '../../endpoints.js';
import { FareboxError } from '../../error.js';
import { payingThrough } from '../../fetch.js';
import { drawn } from '../../hex.js';
import type { Proposal } from '../../options.js';
import type { Step } from '../../payment.js';
import { askPerson } from '../../person.js';
import { receiptOf } from '../../receipts.js';
import { headerLines, headWithin } from '../../request.js';
import { isUnended } from '../../sent.js';
import { asSigner } from '../../signer.js';
import type { Store } from '../../store.js';
import type { SdkPreparedPaidRequestReady } from '../contracts.js';
import { having } from '../having.js';
import { fieldsOf, linesOf } from '../heads.js';
import type { Asked, Journal, Sent, Trail } from '../journal.js';
import { answerOf, FetchPaidError, type PaidResponse } from '../outcome.js';
import { initOf, purchasedOf } from '../request.js';
import { bodyText } from './look.js';
import { type LocalAgentOptions, MAX_ANSWER_MS, payOptionsOf } from './options.js';
import { type Answered, idsOf, type Settled, unknown, Verdicts } from './verdict.js';

/** What executions of one client share. */
export type Parts = {
  readonly options: LocalAgentOptions & { readonly store: Store };
  readonly fetch: typeof fetch;
  readonly journal: Journal;
};

/** What is executed, and under which key. */
export type Task = { readonly key: string; readonly prepared: SdkPreparedPaidRequestReady; readonly asked: Asked };

/** What leaves, and whereto. */
type Leaving = Pick<Sent, 'url' | 'payment' | 'sending' | 'trail'>;

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
      const before = await this.#parts.journal.read(this.#task.key);
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
    const { options, journal } = this.#parts;
    const { key, prepared, asked } = this.#task;
    const shown = prepared.paymentRequirement && wasm.candidateDigest(JSON.stringify(prepared.paymentRequirement), '');
    let proposal: Proposal | undefined;
    let trail: Trail | undefined;
    let refused: string | undefined;
    /** The payment that another process has sent under this key, while this one signed. */
    let taken: Sent | undefined;
    const isTaken = new AbortController();
    /** The fault of the store, by which nothing leaves. */
    let fault: { readonly error: unknown } | undefined;
    const sentOf = (it: Proposal, what: Leaving): Sent => {
      const ends = Math.ceil(this.#now()) + it.validForSecs;
      return { ...having({ purchase: ended?.purchase }), ...asked, ...what, proposal: it, ends };
    };
    /** Written before it leaves, or is asked for: after a crash the same bytes are sent, or it may be on its way. */
    const claims = async (it: Proposal, what: Leaving): Promise<void> => {
      const mine = sentOf(it, what);
      try {
        taken = await journal.claim(key, mine, ended);
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
    let first: Response | undefined = answerOf(402, prepared.challenge.headers, bodyText(prepared.challenge.body));
    const fetch: typeof globalThis.fetch = async (input, init) => {
      // The terms that were shown, once; later ones are the merchant's new ones.
      const terms = first;
      first = undefined;
      if (terms !== undefined) return terms;
      const payment = paymentOf(fieldsOf(init?.headers));
      if (payment !== undefined && proposal !== undefined) {
        if (ended !== undefined && ended.proposal.payer !== proposal.payer && options.policy?.payAgain !== true) {
          refused = DOUBT;
          isTaken.abort();
          throw isTaken.signal.reason;
        }
        await claims(proposal, { url: String(input), payment, trail });
      }
      return headWithin(this.#parts.fetch, timeoutMs, input, init);
    };
    const paying = payingThrough(
      fetch,
      {
        ...rest,
        ...having({
          broadcast:
            broadcast &&
            (async (it: Proposal) => {
              await claims(it, { url: prepared.request.url, payment: {}, sending: drawn() });
              return broadcast(it);
            }),
        }),
        confirm: async (it) => {
          proposal = it;
          if (shown === undefined || wasm.proposalDigest(JSON.stringify(it)) !== shown) refused = TERMS_CHANGED;
          if (refused !== undefined) return false;
          await journal.hasRoom(this, key, sentOf({ ...it, payer: it.payer ?? NOBODY }, longestOf(prepared)));
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
          trail = { ...(JSON.parse(it.terms() ?? '{}') as Trail), at: it.preparedAt(), proof: it.proof() ?? '' };
        },
        ...(ended === undefined ? {} : { after: { slot: ended.proposal.slot ?? '', asks: options.confirm !== undefined } }),
      },
    );
    try {
      const signal = AbortSignal.any([this.#stop.signal, isTaken.signal]);
      const response = await paying(prepared.request.url, { ...initOf(prepared.request), signal });
      if (this.#sent === undefined) return { kind: 'passthrough', protocol: 'none', response };
      return await this.#verdicts.ofAnswer(this.#sent, { response, settled: receiptOf(response) });
    } catch (error) {
      if (fault !== undefined) throw fault.error;
      if (taken !== undefined) {
        if (isAnother(taken, asked)) throw keyTaken(prepared);
        return this.#again(taken);
      }
      if (this.#sent === undefined && refused === undefined && !(error instanceof FareboxError)) throw error;
      return this.#verdicts.ofFailure(this.#sent, error, refused);
    } finally {
      journal.freeRoom(this);
    }
  }

  /** Sends what was signed before, byte for byte. */
  async #again(sent: Sent): Promise<Settled> {
    this.#sent = sent;
    const { options, fetch } = this.#parts;
    const { request } = this.#task.prepared;
    const stop = await this.#stopped();
    if (stop !== undefined) return unknown(idsOf(sent), stop);
    const asks = (statement: Record<string, string> = {}): Promise<Response> =>
      headWithin(fetch, options.timeoutMs ?? MAX_ANSWER_MS, sent.url, {
        ...initOf(request),
        headers: { ...request.headers, ...sent.payment, ...statement },
        redirect: 'manual',
        signal: this.#stop.signal,
      });
    // Without its hash there is nothing to send again: that is as if the merchant asked for a payment still.
    let response = sent.sending === undefined ? await asks() : new Response(null, { status: 402 });
    const statement = response.status === 409 ? await this.#statement(sent, response) : undefined;
    if (statement !== undefined) response = await asks(statement);
    const hasEnded = !isUnended(sent.ends, this.#now());
    if (response.ok) {
      const agreed = agreedBy(response, sent);
      if ('code' in agreed) return unknown(idsOf(sent), `receipt_mismatch: the receipt contradicts what was signed: ${agreed.code}`);
      return this.#verdicts.ofAnswer(sent, { response, settled: agreed.settled, isOver: hasEnded });
    }
    // It can no longer be charged, and a clock may differ by this much. Where another nonce is next, a person or the policy says so.
    if (hasEnded && (await this.#isLetGo(sent)))
      return { ...(await this.#verdicts.ofAnswer(sent, { response, settled: undefined, isOver: true })), isOver: true };
    const { amountText } = sent.proposal;
    const reason =
      sent.sending === undefined
        ? `The payment of ${amountText} was sent again, and the merchant answered ${response.status}.`
        : `A transaction of ${amountText} may have been sent, and its hash is not known.`;
    return unknown(idsOf(sent), hasEnded ? `${reason} ${DOUBT}` : reason);
  }

  /** Why nothing more is sent to its endpoint, where a person has to look first. A wallet that was short may be topped up by now. */
  async #stopped(): Promise<string | undefined> {
    const { store, now = () => Date.now() / 1000 } = this.#parts.options;
    const { method, url } = this.#task.prepared.request;
    try {
      await watchOf(store, now, undefined).admit(endpointOf(method, url));
    } catch (error) {
      if (!isShort(error) && error instanceof FareboxError) return `${error.code}: ${error.message}`;
    }
    return undefined;
  }

  /** The header by which a gate that has delivered gives its answer once more: signed by the wallet, it moves no money. */
  async #statement({ url, trail, proposal }: Sent, response: Response): Promise<Record<string, string> | undefined> {
    if (trail === undefined) return undefined;
    const { options } = this.#parts;
    const { key, prepared } = this.#task;
    const { method } = prepared.request;
    const made = new Exchange(policyText(options.policy), method, url, endpointOf(method, url), proposal.payer ?? NOBODY);
    const exchange = made.forPurchase(key, purchasedOf(prepared).url);
    try {
      const now = this.#now();
      if (!exchange.restore(trail.lines, trail.body, trail.at, trail.proof, false, now)) return undefined;
      const asked = exchange.answered(response.status, headerLines(response.headers), await beginning(response), now);
      const step = JSON.parse(asked) as Step;
      if (step.do !== 'sign') return undefined;
      const signature = await asSigner(options.signer).sign(step.typedData, this.#stop.signal);
      const next = JSON.parse(exchange.signed(signature, now)) as Step;
      // The payment itself goes as it was.
      return next.do === 'send' ? Object.fromEntries(next.headers.slice(1)) : undefined;
    } catch {
      // A wallet that does not sign leaves it as it is.
      return undefined;
    } finally {
      exchange.free();
    }
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

/** The settlement in an answer to a payment that was sent again, if it agrees with what was signed. */
function agreedBy(response: Response, { proposal }: Sent): Pick<Answered, 'settled'> | { readonly code: string } {
  try {
    const transaction = wasm.settledBy(linesOf(fieldsOf(response.headers)), JSON.stringify(proposal));
    return { settled: transaction === undefined ? undefined : { transaction } };
  } catch (error) {
    if (typeof error !== 'string') throw error;
    return { code: error };
  }
}

/** The most that is kept of a payment: its header repeats the terms, in base64, beside what is signed. */
function longestOf({ request: { url }, challenge: { headers, body } }: SdkPreparedPaidRequestReady): Leaving {
  const fields = [headers['payment-required'], headers['www-authenticate']];
  const terms = [...fields, bodyText(body)];
  const most = 2_048 + Math.max(...terms.map((it = '') => Math.ceil((new TextEncoder().encode(it).length * 4) / 3)));
  const trail = { lines: fields.join('\n'), body: bodyText(body), at: 0, proof: '0'.repeat(512) };
  return { url, payment: { 'payment-authorization': '0'.repeat(most) }, trail };
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
