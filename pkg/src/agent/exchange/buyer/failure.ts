/** Why an order ends without a result, in the words of this module. */
import { FareboxError } from '../../../error.js';
import { JobError, type JobMoney } from '../job-error.js';
import { isSame, type Row, type Trail } from '../order-row.js';

export const IN_DOUBT = 'order the same again, never in another way: the token charges one of its payments at most';

/** The ids of an order, as far as they are known. */
export type Facts = { readonly paymentId?: string; readonly jobId?: string };

export function factsOf(row: Row | undefined): Facts {
  const { terms, job } = row?.purchase.stage ?? {};
  return { ...(terms === undefined ? {} : { paymentId: terms.paymentId }), ...(job === undefined ? {} : { jobId: job }) };
}

/** Thrown where another process ended the order while this one waited for its wallet. */
export function ended(row: Row | undefined, trail: Trail | undefined): JobError {
  const money = isSame(row?.trail ?? row?.before, trail) ? 'unknown' : 'not_moved';
  return new JobError({
    code: 'aborted',
    message: 'another process ended this order',
    remedy: money === 'unknown' ? IN_DOUBT : 'order again if you like',
    money,
  });
}

export function keyTaken(): JobError {
  return new JobError({
    code: 'key_taken',
    message: 'another order has this idempotencyKey',
    remedy: 'use a key of its own for each order',
    money: 'not_moved',
  });
}

/** Thrown where the time of a call ends before its order does. */
export function timedOut(money: JobMoney, facts: Facts = {}): JobError {
  const remedy = goOn(money, 'order again if you like');
  return new JobError({ code: 'timed_out', message: 'the order did not end in time', remedy, money, ...facts });
}

/** The thrown value as an error that says where the money is. */
export function failureOf(error: unknown, money: JobMoney, facts: Facts = {}): unknown {
  if (!(error instanceof FareboxError)) return error;
  return new JobError({ code: error.code, message: error.message, remedy: error.remedy, money, ...facts }, error);
}

/** What to do with an order that did not end. */
export function goOn(money: JobMoney, unpaid: string): string {
  return money === 'not_moved' ? unpaid : 'call again with the same order to go on: nothing is paid a second time';
}

export function aborted(cause: unknown, money: JobMoney, facts: Facts = {}): JobError {
  return new JobError(
    { code: 'aborted', message: 'the order was aborted', remedy: goOn(money, 'nothing was paid'), money, ...facts },
    cause,
  );
}
