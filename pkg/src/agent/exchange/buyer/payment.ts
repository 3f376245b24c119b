/** The payments of one order, as the compiled part makes and counts them: under one nonce where they may be charged both. */
import { Exchange } from '#wasm';

import { endpointOf } from '../../../endpoints.js';
import { told } from '../../../error.js';
import { hexOf } from '../../../hex.js';
import type { Policy } from '../../../options.js';
import type { Trail } from '../order-row.js';

export type OrderFacts = {
  /** Names the order in the store. */
  readonly name: string;
  /** The exchange's origin. */
  readonly origin: string;
  /** The address that pays. */
  readonly buyer: string;
  readonly policy: Policy;
  /** Whether it has an `idempotencyKey`: then all of its name are one order. */
  readonly hasKey: boolean;
};

export class OrderPayment {
  readonly #facts: OrderFacts;

  constructor(facts: OrderFacts) {
    this.#facts = facts;
  }

  /** Whether its nonce follows from its key: then it is one charge in every process, also without a store. */
  derives(left: Trail | undefined): boolean {
    return left === undefined ? this.#facts.hasKey : left.derives === true;
  }

  /** An exchange with the nonce of what was left, or a new one, for a quote of this mode. */
  exchange(left: Trail | undefined, mode: string | undefined): Exchange {
    const { name, origin, buyer, policy } = this.#facts;
    // A job that is charged on delivery is paid to its seller, who is another one each time.
    const text = JSON.stringify(mode === 'x402-completion' ? { ...policy, pinPayees: false } : policy);
    const url = `${origin}/api/v1/jobs/verify`;
    const seed = left === undefined ? undefined : Uint8Array.from(left.seed);
    const exchange = told(() => new Exchange(text, 'POST', url, endpointOf('POST', url), buyer, seed));
    return this.derives(left) ? exchange.forPurchase(name, url) : exchange;
  }

  /** The record without what was counted for a trail. */
  released(record: string | undefined, left: Trail, mode: string | undefined): string {
    const exchange = this.exchange(left, mode);
    try {
      // A row without a name was counted under its nonce.
      exchange.countAs(left.counted ?? hexOf(left.seed.slice(0, 32)));
      return told(() => exchange.release(record));
    } finally {
      exchange.free();
    }
  }
}
