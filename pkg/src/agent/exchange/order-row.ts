/** The row of an order at a compute exchange: what is kept of it, and what that says. */
import * as wasm from '#jobs-wasm';

import { type Claim, stands } from '../../sent.js';
import type { JobMoney } from './job-error.js';

/** A purchase: an object of the compiled part, of which these members are read. Its order is always that of this call. */
export type Purchase = {
  readonly order: object;
  readonly stage: {
    readonly terms?: { readonly paymentId: string; readonly mode: string };
    readonly asked?: { readonly headers: string; readonly body: string };
    readonly ends?: number;
    readonly job?: string;
    readonly token?: string;
    readonly outcome?: { readonly money?: JobMoney; readonly code?: string; readonly result?: unknown };
  };
};
/** A purchase as it is kept; earlier versions kept its order, too. */
export type OldPurchase = Omit<Purchase, 'order'> & { readonly order?: { readonly capability?: string; readonly prompt?: string } };
/** The seed of a payment's nonce, and the name under which the budget counts it: with it the same payment is signed again, and no other. */
export type Trail = {
  readonly seed: readonly number[];
  readonly at: number;
  readonly counted?: string;
  /** Whether the nonce follows from the order's key. */
  readonly derives?: true;
  /** Whether another process may sign it too: then it stays counted, whatever becomes of this one. */
  readonly shared?: true;
};
export type Row = {
  readonly purchase: Purchase;
  readonly rank: number;
  readonly trail?: Trail;
  /** Of an earlier quote of the order, which may have been signed: the next one is signed under the same nonce. */
  readonly before?: Trail;
  /** Unix seconds from which the store may drop it. */
  readonly ends?: number;
  /** The exchange's origin: what is kept of it has a share of the store. */
  readonly url?: string;
  /** Digest of what was ordered: the prompt itself is the caller's, and not kept. */
  readonly asks?: string;
  /** Whether a payment of the order is said to come back, and nothing was delivered since: the store keeps that until it ends. */
  readonly refunded?: true;
};
/** A row that the store has, with its text there. */
export type Stored = { readonly text: string; readonly isOpen: boolean; readonly row: Row };

export const SIGNED = 3;
export const PAID = 4;
export const OVER = 5;
/** Longest result that is kept, characters of JSON: what an exchange takes of a seller. */
const MAX_RESULT = 64 * 1024;

/** A row as it is kept: without the order, which is the caller's, and with the digest of a result that is too long. */
export function packed(row: Row): string {
  const { stage } = row.purchase;
  const { result, ...outcome } = stage.outcome ?? {};
  const text = result === undefined ? '' : JSON.stringify(result);
  const isLong = text.length > MAX_RESULT;
  const kept = isLong ? { ...stage, outcome: { ...outcome, resultDigest: wasm.orderDigest(text) } } : stage;
  return JSON.stringify({ ...row, purchase: { stage: kept } });
}

/** Whether something may have been signed for it, and it is not over: only that is gone on with. */
export function isOpen(row: Row): boolean {
  const { rank, trail, before } = row;
  return isInDoubt(row) || (rank < OVER && (rank >= SIGNED || trail !== undefined || before !== undefined));
}

/** Whether it ended without a job after a payment had left, its own or one before. Only the chain knows what becomes of that. */
export function isInDoubt({ rank, purchase, before }: Row): boolean {
  const { money, code } = purchase.stage.outcome ?? {};
  if (code === 'job_gone') return false;
  return rank >= OVER && (money === 'unknown' || (money === 'not_moved' && before !== undefined));
}

/** Whether money of the order is said to come back, or to have gone where it belongs, and nothing was delivered since. */
export function isRefunded(row: Row | undefined): row is Row {
  return row?.refunded === true || ['refund_due', 'job_gone'].includes(row?.purchase.stage.outcome?.code ?? '');
}

/** The trail of what may have been signed, here or by another process, for an earlier quote of the order whose row this is. */
export function leftBy(row: Row | undefined): Trail | undefined {
  if (row === undefined || (row.rank >= OVER && !isInDoubt(row))) return undefined;
  return row.rank >= OVER && row.purchase.stage.outcome?.money === 'unknown' ? (row.trail ?? row.before) : row.before;
}

/** Whether the order goes on with this nonce. */
export function isOf(row: Row | undefined, trail: Trail | undefined): row is Row & { readonly trail: Trail } {
  return row !== undefined && row.rank < OVER && isSame(row.trail, trail);
}

export function isSame(one: Trail | undefined, other: Trail | undefined): boolean {
  return one !== undefined && other !== undefined && String(one.seed) === String(other.seed);
}

/** Whether a stored row stands against one of a process that has not read it; `hasKey` says that all of its name are one order. */
export function isFurther({ row, isOpen: isTheirs }: Stored, mine: Row, hasKey: boolean): boolean {
  // Without a key, an order that ended says nothing of another one.
  const isOne = isTheirs || hasKey || row.purchase.stage.terms?.paymentId === mine.purchase.stage.terms?.paymentId;
  return stands({ ...claimOf(row), isOpen: isTheirs, rank: isOne ? row.rank : 0 }, { ...claimOf(mine), rank: mine.rank });
}

/** What is signed, or must not be signed unasked, under a row. */
function claimOf(row: Row): Claim {
  const signed = row.trail === undefined ? undefined : String(row.trail.seed);
  return { isOpen: isOpen(row), signed: signed ?? (isRefunded(row) ? 'refunded' : undefined) };
}
