// What the built Worker is held to beyond the promises that never change. The only place to edit when it learns more.

export interface Expected {
  /** `RPC_URL` is read: the moments around the gate's own chain reads exist. */
  readonly gateReadsChain: boolean;
  /**
   * Who ends an unknown outcome. `repeat`: the payer, by sending the same payment again, and none when the money
   * moved and the facilitator will not say so. `alarm`: the ledger by itself, always.
   */
  readonly unknownEndsBy: 'repeat' | 'alarm';
  /** States in which a row may stay for good. */
  readonly rest: readonly string[];
  /** Routes may say `confirm = "chain"`: then no lie is believed. */
  readonly confirmsOnChain: boolean;
  /** A facilitator's refusal to settle is checked on the chain before the payer may pay anew for the same. */
  readonly refusalsAreChecked: boolean;
  /** A payer's signature in `Farebox-Redelivery` fetches what was delivered. */
  readonly walletSignature: boolean;
}

/** With recovery by alarm, chain reads, confirmation, redelivery by signature. */
const RECOVERING: Expected = {
  gateReadsChain: true,
  unknownEndsBy: 'alarm',
  rest: ['delivered', 'refund_due', 'abandoned', 'released', 'manual', 'void', 'closed'],
  confirmsOnChain: true,
  refusalsAreChecked: true,
  walletSignature: true,
};

export const EXPECTED: Expected = RECOVERING;
