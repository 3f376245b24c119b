/** What is kept of a payment, so that its exchange can go on. */

/** All from which the same exchange is made again, up to the signature. */
export type Trace = {
  readonly policy: string;
  readonly method: string;
  readonly url: string;
  readonly endpoint: string;
  readonly payer: string;
  readonly seed: readonly number[];
  readonly pin: string;
  readonly identifier: boolean;
  readonly broadcasts: boolean;
  readonly authorization: boolean;
  /** Whether its nonces follow from the purchase that its key names, whose id begins the seed; otherwise the nonce does. */
  readonly derives?: true;
  /** The earlier authorizations for it, as the compiled part tells them. */
  readonly earlier?: string;
  /** Under which name the budget counts it. */
  readonly counted?: string;
  /** The terms, and when they were answered. */
  readonly lines: string;
  readonly body: string;
  readonly at: number;
  /** The signature, with what was signed beside it, or the hash of the payer's own transaction. */
  readonly proof: string;
  readonly isHash: boolean;
};

/** What an exchange tells of itself; by its shape, as the types of the compiled part need more than others have. */
export type Traced = {
  proposal(): string | undefined;
  payment(): string | undefined;
  terms(): string | undefined;
  seed(): Uint8Array;
  pin(): string | undefined;
  earlier(): string;
  counted(): string;
  preparedAt(): number;
  proof(): string | undefined;
};
