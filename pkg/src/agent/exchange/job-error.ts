/** Why an order at a compute exchange did not end in a result, and where its money is. */
import type { FareboxErrorCode } from '../../error.js';

/**
 * Where the money of an order is: it has not moved and will not; it may have moved; it is held for
 * the work; it went back, or is on its way; the seller has it.
 */
export type JobMoney = 'not_moved' | 'unknown' | 'held' | 'refunded' | 'paid';

/** The codes of failures: those of this module, or of the payer that was asked to sign. */
export type JobErrorCode =
  | 'aborted'
  | 'timed_out'
  | 'declined'
  | 'capability_unavailable'
  | 'price_above_limit'
  | 'quote_rejected'
  | 'order_refused'
  | 'payment_refused'
  | 'job_failed'
  | 'refund_due'
  | 'job_unreadable'
  | 'job_gone'
  | 'key_taken'
  | 'invalid_options'
  | FareboxErrorCode;

export type JobErrorFacts = {
  readonly code: JobErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly money: JobMoney;
  readonly paymentId?: string;
  readonly jobId?: string;
  readonly transaction?: string;
};

/** An order without a result: a stable `code`, a sentence, a remedy, and where the money is. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly code: JobErrorCode;
  readonly remedy: string;
  readonly money: JobMoney;
  /** The quote's id, for the exchange's operator. */
  readonly paymentId: string | undefined;
  readonly jobId: string | undefined;
  /** The settlement, if it is known. */
  readonly transaction: string | undefined;

  constructor({ code, message, remedy, money, paymentId, jobId, transaction }: JobErrorFacts, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.remedy = remedy;
    this.money = money;
    this.paymentId = paymentId;
    this.jobId = jobId;
    this.transaction = transaction;
  }
}
