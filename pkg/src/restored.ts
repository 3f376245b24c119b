/** A purchase that goes on: the exchange of a kept payment is made again, and sends the same bytes, or signs again under its nonce. */
import { Exchange } from '#wasm';

import { told } from './error.js';
import type { Proposal } from './options.js';
import type { Trace, Traced } from './trace.js';

/** What is read off an exchange for its trace. */
export function traceOf(exchange: Traced): Pick<Trace, 'payer' | 'seed' | 'pin' | 'earlier' | 'counted' | 'lines' | 'body'> {
  const { payer } = JSON.parse(exchange.proposal() ?? '{}') as Partial<Proposal>;
  return {
    ...(JSON.parse(exchange.terms() ?? '{}') as Pick<Trace, 'lines' | 'body'>),
    earlier: exchange.earlier(),
    counted: exchange.counted(),
    payer: payer ?? '',
    seed: [...exchange.seed()],
    pin: exchange.pin() ?? '',
  };
}

/** The policy and the pin of the call that goes on, whether a person is asked, and whether nothing that was signed can be charged any more. */
export type GoingOn = {
  readonly policy: string;
  readonly pin: string | undefined;
  readonly asks: boolean;
  readonly isDead: boolean;
  readonly now: number;
};

/** An exchange that goes on, and its first step. */
export type Gone = { readonly exchange: Exchange; readonly step: string };

/** The exchange that goes on after a kept payment: `over` if there is nothing to go on with, `unreadable` while what may be charged is not known. */
export function goneOn(trace: Trace, { policy, pin, asks, isDead, now }: GoingOn): Gone | 'over' | 'unreadable' {
  const kept = exchangeOf(trace);
  const isRead = kept.restore(trace.lines, trace.body, trace.at, trace.proof, trace.isHash, now);
  // Without a proof it is a transaction of the payer's own that may have been sent: nothing tells before its end.
  if (!isDead && (!isRead || trace.proof === '')) {
    kept.free();
    return 'unreadable';
  }
  if (trace.counted !== undefined) kept.countAs(trace.counted);
  const step = told(() => kept.goOn(policy, pin, isDead, asks, now));
  if (step !== undefined) return { exchange: kept, step };
  kept.free();
  return 'over';
}

/** An exchange with the nonce of a kept purchase. */
function exchangeOf(trace: Trace): Exchange {
  const { policy, method, url, endpoint, payer, seed, pin, derives, earlier, identifier, broadcasts, authorization } = trace;
  let exchange = told(() => new Exchange(policy, method, url, endpoint, payer, Uint8Array.from(seed))).withPin(pin);
  if (derives) exchange = exchange.forPurchase(undefined, url);
  if (earlier !== undefined) exchange = exchange.withEarlier(earlier);
  if (!identifier) exchange = exchange.withoutIdentifier();
  if (broadcasts) exchange = exchange.withBroadcast();
  if (!authorization) exchange = exchange.withoutAuthorization();
  return exchange;
}
