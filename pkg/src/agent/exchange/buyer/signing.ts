/** The signature for a quote: counted and kept before it is asked for, and taken back where none comes. */
import * as wasm from '#jobs-wasm';
import type { Exchange } from '#wasm';

import { FareboxError, type Told, told } from '../../../error.js';
import type { Proposal } from '../../../options.js';
import { askPerson } from '../../../person.js';
import type { Signer, TypedData } from '../../../signer.js';
import { JobError } from '../job-error.js';
import type { Row, Stored, Trail } from '../order-row.js';
import { factsOf } from './failure.js';
import type { BuyJobOptions } from './options.js';
import type { OrderPayment } from './payment.js';
import type { OrderRecord } from './record.js';

/** The event that a quote was signed. */
export type Signed = { readonly type: 'signed'; readonly payment: unknown; readonly ends: number };

export class Signing {
  readonly #record: OrderRecord;
  readonly #payment: OrderPayment;
  readonly #signer: Signer;
  readonly #options: Pick<BuyJobOptions, 'confirm' | 'signal'> & { readonly now: () => number };

  constructor(
    record: OrderRecord,
    payment: OrderPayment,
    signer: Signer,
    options: Pick<BuyJobOptions, 'confirm' | 'signal'> & { readonly now: () => number },
  ) {
    this.#record = record;
    this.#payment = payment;
    this.#signer = signer;
    this.#options = options;
  }

  /** Counts the payment of the quote and keeps its nonce in one write, then has it signed; or the row of another process that stands. */
  async sign(): Promise<Signed | Stored> {
    const { row } = this.#record;
    const { asked, terms } = row?.purchase.stage ?? {};
    if (row === undefined || asked === undefined) throw new TypeError('there is no quote');
    this.#options.signal?.throwIfAborted();
    const left = row.trail;
    const before = left ?? this.#record.before;
    // What is signed again ends later than what was signed before.
    const at = left?.at ?? Math.max(Math.floor(this.#options.now()), (before?.at ?? 0) + 1);
    const exchange = this.#payment.exchange(before, terms?.mode);
    try {
      this.#reads(exchange, asked, at);
      const trail: Trail = {
        seed: [...exchange.seed()],
        at,
        ...(this.#payment.derives(before) ? { derives: true } : {}),
        ...(left === undefined ? {} : { shared: true }),
      };
      const other = await this.#record.claim(row, trail, (record) => this.#counted(exchange, row, before, at, record));
      return other ?? (await this.#signature(exchange, at));
    } finally {
      exchange.free();
    }
  }

  /** Gives the quote to the compiled part. */
  #reads(exchange: Exchange, asked: { readonly headers: string; readonly body: string }, at: number): void {
    let step = JSON.parse(exchange.answered(402, asked.headers, new TextEncoder().encode(asked.body), at)) as { do: string; error?: Told };
    if (step.do === 'choose') step = JSON.parse(exchange.chose('one-shot')) as typeof step;
    if (step.error !== undefined) throw new FareboxError(step.error);
    if (step.do !== 'reserve') throw malformed('the quote asks for no payment that can be made here');
  }

  #counted(
    exchange: Exchange,
    row: Row,
    before: Trail | undefined,
    at: number,
    record: string | undefined,
  ): { readonly record: string; readonly counted: string } {
    const next = told(() => exchange.reserve(record, at));
    if (!wasm.quoteAgrees(JSON.stringify(row.purchase), exchange.proposal() ?? '')) {
      throw new FareboxError({
        code: 'terms_changed',
        message: 'the payment that is asked for is not the quoted one',
        remedy: "report this to the exchange's operator; nothing was signed",
      });
    }
    const counted = exchange.counted();
    if (before?.counted !== undefined && counted !== before.counted) {
      throw new FareboxError({
        code: 'terms_changed',
        message: 'another token is asked for than the one that was signed for this order before',
        remedy: 'order under another idempotencyKey, if the wallet shows that nothing was paid',
      });
    }
    return { record: next, counted };
  }

  /** Counts as of now what a person took long to confirm: others have used the caps meanwhile. */
  async #recounted(exchange: Exchange): Promise<void> {
    const { now } = this.#options;
    const prepared = () => JSON.parse(exchange.prepare(now())) as { do: string; error?: Told };
    let step = prepared();
    for (; step.do === 'recount'; step = prepared()) await this.#record.recount((record) => told(() => exchange.recount(record, now())));
    if (step.error !== undefined) throw new FareboxError(step.error);
  }

  async #signature(exchange: Exchange, at: number): Promise<Signed> {
    const { confirm, signal } = this.#options;
    try {
      const asked = JSON.parse(exchange.proposal() ?? 'null') as Proposal;
      // The exchange's word that money comes back is not the money.
      const proposal = { ...asked, again: asked.again || this.#record.paysAgain };
      if ((await askPerson(signal, () => confirm === undefined || confirm(proposal))) !== true) {
        throw new JobError({
          code: 'declined',
          message: 'the payment was not confirmed',
          remedy: 'confirm it, or do not order',
          money: 'not_moved',
        });
      }
      await this.#recounted(exchange);
      const message = JSON.parse(exchange.prepare(at)) as { do: string; typedData?: TypedData; error?: Told };
      if (message.error !== undefined) throw new FareboxError(message.error);
      if (message.typedData === undefined) throw malformed('the quote asks for no signature');
      const signature: unknown = await this.#signer.sign(message.typedData, signal);
      const sends = JSON.parse(exchange.signed(typeof signature === 'string' ? signature : '', at)) as { headers?: unknown; error?: Told };
      if (sends.error !== undefined) throw new FareboxError(sends.error);
      const { validBefore } = JSON.parse(exchange.payment() ?? '{}') as { validBefore?: number };
      return { type: 'signed', payment: sends.headers, ends: validBefore ?? at };
    } catch (error) {
      // What was not signed, or did not leave, is not counted.
      await this.#record.giveUp(this.#record.row?.trail);
      if (error instanceof FareboxError || error instanceof JobError || signal?.aborted === true) throw error;
      throw new JobError(
        {
          code: 'wallet_failed',
          message: 'the wallet did not sign',
          remedy: "read error.cause, which is the wallet's own error",
          money: 'not_moved',
          ...factsOf(this.#record.row),
        },
        error,
      );
    }
  }
}

function malformed(message: string): FareboxError {
  return new FareboxError({ code: 'malformed_challenge', message, remedy: "report this to the exchange's operator" });
}
