// The usual parts with a facilitator that can be told to lie, and quick recovery.

import { type Chain, NETWORK, startChain } from '../../demo/chain.mjs';
import { PRICE, PRICE_ATOMIC } from '../../demo/gate.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { EXPECTED } from '../crash/expected.ts';
import { type Answer, get } from '../crash/payments.ts';
import { transfersByNonce } from '../crash/verdict.ts';
import { type Payer, type Payment, type PaymentRequired, pay } from '../worker/support/payer.ts';
import { startTwisted, type TwistedFacilitator } from './twisted.ts';

export { PRICE_ATOMIC };
export const MODES = ['after', 'before'] as const;
export type Mode = (typeof MODES)[number];

export interface FaultyWorld {
  chain: Chain;
  facilitator: TwistedFacilitator;
  origin: Origin;
  gate: Gate;
  /** Payers that no other test uses. */
  payer(): Payer & { privateKey: `0x${string}` };
  stop(): Promise<void>;
}

/** Routes `/report/{mode}/*`; `confirm` says whose word counts, `persist` where the ledger outlives the gate. */
export async function startFaultyWorld(confirm: 'facilitator' | 'chain' = 'facilitator', persist?: string): Promise<FaultyWorld> {
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const part of started.splice(0).reverse()) await part.stop();
  };
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    const chain = keep(await startChain());
    const origin = keep(await startOrigin());
    const facilitator = keep(await startTwisted(chain));
    const gate = keep(
      await startGate({
        build: process.env.FAREBOX_BUILD ?? 'build',
        ...(persist === undefined ? {} : { persist }),
        vars: {
          NETWORK,
          PAY_TO: chain.accounts.payee.address,
          FACILITATOR_URL: facilitator.url,
          ORIGIN_URL: origin.url,
          RPC_URL: chain.url,
          // An object remembers the transactions of its own payments: with one, all of them.
          LEDGER_SHARDS: 1,
          ROUTES: MODES.map((settle) => ({
            path: `/report/${settle}/*`,
            methods: ['GET'],
            price: PRICE,
            settle,
            origin_timeout_secs: 4,
            max_timeout_secs: 60,
            ...(confirm === 'chain' ? { confirm } : {}),
          })),
          RECOVERY: { settle_secs: 2, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 5, manual_secs: 600, breaker_secs: 1 },
        },
      }),
    );
    const payers = [chain.accounts.payer, ...chain.accounts.payers];
    const payer = () => {
      const account = payers.shift();
      if (account === undefined) throw new Error('no payer is left');
      return { address: account.address, account, privateKey: account.privateKey };
    };
    return { chain, facilitator, origin, gate, payer, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Signs a payment for a path of the gate. */
export async function signFor({ gate }: FaultyWorld, payer: Payer, path: string, identifier?: string): Promise<Payment> {
  const asked = await get(`${gate.url}${path}`, {});
  const header = asked.headers['payment-required'] ?? '';
  const required = JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as PaymentRequired;
  return pay(payer, required, identifier === undefined ? {} : { identifier });
}

/** Sends a payment, with more headers if wanted. */
export function sendTo({ gate }: FaultyWorld, path: string, payment: Payment, more: Record<string, string> = {}): Promise<Answer> {
  return get(`${gate.url}${path}`, { [payment.row[0]]: payment.row[1], ...more });
}

/** Transfers to the payee by one payer, and origin requests for one path. */
export async function tally({ chain, origin }: FaultyWorld, payer: string, path: string): Promise<{ debits: number; asked: number }> {
  const all = [...(await transfersByNonce({ chain })).values()].flat();
  return {
    debits: all.filter(({ from }) => from.toLowerCase() === payer.toLowerCase()).length,
    asked: origin.requests.filter(({ url }) => url === path).length,
  };
}

/** Asks until the answer is one that stays, or the turns are over. */
export async function insist(turns: number, ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    turns -= 1;
    if (turns <= 0 || !PASSING.some((code) => answer.text.includes(code))) return answer;
    await new Promise((resolve) => setTimeout(resolve, RESEND_GAP_MS));
  }
}

/** How often a payer asks before he gives up: enough for every recovery, and few where there is none. */
export const TURNS = EXPECTED.unknownEndsBy === 'alarm' ? 40 : 2;
const RESEND_GAP_MS = 1_100;
/** Refusals that a recovering ledger takes back. */
const PASSING = [
  '"settlement_unknown"',
  '"payment_unresolved"',
  '"payment_in_progress"',
  ...(EXPECTED.refusalsAreChecked ? ['"settlement_refused"'] : []),
];
