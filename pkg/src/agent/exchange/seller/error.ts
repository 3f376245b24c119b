/** Why a seller ends. */

/** Why a seller cannot go on: the exchange's code, or one of this module. */
export class SellerError extends Error {
  override readonly name = 'SellerError';
  readonly code: string;
  /** The exchange's status, if it answered. */
  readonly status: number | undefined;
  /** What the exchange was asked for, if it answered. */
  readonly path: string | undefined;

  constructor(code: string, message: string, answered?: { readonly status: number; readonly path: string }, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = answered?.status;
    this.path = answered?.path;
  }
}

/** The code of what ends because the seller does. */
export const STOPPED = 'stopped';

export function stopped(): SellerError {
  return new SellerError(STOPPED, 'the seller stops');
}

/** What was thrown, as text. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : typeof error === 'string' ? error : '';
}
