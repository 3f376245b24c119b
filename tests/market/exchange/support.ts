/** Buyers and sellers of a world of the exchange, and what its tests ask of every history: where the money is. */
import assert from 'node:assert/strict';

import type { Hex } from 'viem';

import { NETWORK } from '../../../demo/chain.mjs';
import {
  type ExchangeWorld,
  LIVE,
  type OnlineSeller,
  signedPayment,
  startExchangeWorld,
  TILL,
  type Wallet,
} from '../../../demo/exchange-world.mjs';
import { sellerOf } from '../../../demo/skills-world.mjs';
import type { Switch } from '../../../demo/switch.mjs';
import { eventually } from '../../support/eventually.ts';

export type Answer = Awaited<ReturnType<ExchangeWorld['ask']>>;

/** What a job costs, atomic units. */
export const PRICE = 5000n;

/** Seconds for which a request waits for its work in {@link startWaitingWorld}. */
export const WAITS_SECS = 8;

/** A world whose jobs are charged when they are done: the till pays whoever the exchange names. */
export const startWaitingWorld = (): Promise<ExchangeWorld> =>
  startExchangeWorld({
    profiles: ({ escrow, bonds }) => [
      { profile: LIVE, network: NETWORK, asset: 'USDC', hold: 'completion', escrow, bonds, waits_secs: WAITS_SECS },
    ],
    gateVars: { ROUTES: [{ ...TILL, price: { ...TILL.price, pay_to: 'any' }, settle: 'after', origin_timeout_secs: WAITS_SECS + 12 }] },
  });

/** A seller, a buyer, and the quote that the buyer has; nothing is paid yet. */
export async function quoted(world: ExchangeWorld, capability: string): Promise<Deal> {
  const seller = await world.seller({ capability });
  return quotedBy(world, seller, capability);
}

export async function quotedBy(world: ExchangeWorld, seller: OnlineSeller, capability: string): Promise<Deal> {
  const buyer = await world.wallet();
  const quote = await world.quote(buyer, 'hello', { capability });
  assert.equal(quote.status, 402, quote.text);
  const payment = await signedPayment(world, buyer, quote.json);
  const body = {
    fingerprint: quote.json.fingerprint,
    payload: { buyer_id: buyer.address, capability, prompt: 'hello', network_profile: LIVE },
  };
  const funds = await world.chain.balanceOf(buyer.address);
  return new Deal(world, seller, buyer, quote.json, payment, body, funds);
}

/** What buyer and seller know of a deal, as JSON. */
export interface DealMemory {
  readonly seller: Omit<OnlineSeller, 'wallet'> & { readonly key: Hex };
  readonly buyer: Hex;
  readonly quote: unknown;
  readonly payment: string;
  readonly body: unknown;
  /** What the buyer had before, atomic units. */
  readonly funds: string;
}

export class Deal {
  readonly world: ExchangeWorld;
  readonly seller: OnlineSeller;
  readonly buyer: Wallet;
  readonly quote: any;
  readonly payment: string;
  readonly #body: unknown;
  readonly #funds: bigint;

  constructor(world: ExchangeWorld, seller: OnlineSeller, buyer: Wallet, quote: any, payment: string, body: unknown, funds: bigint) {
    [this.world, this.seller, this.buyer, this.quote, this.payment] = [world, seller, buyer, quote, payment];
    [this.#body, this.#funds] = [body, funds];
  }

  static of(world: ExchangeWorld, { seller: { key, ...seller }, buyer, quote, payment, body, funds }: DealMemory): Deal {
    return new Deal(world, { ...seller, wallet: sellerOf(key) }, sellerOf(buyer), quote, payment, body, BigInt(funds));
  }

  get memory(): DealMemory {
    const { wallet, ...seller } = this.seller;
    const { quote, payment } = this;
    return {
      seller: { ...seller, key: wallet.privateKey },
      buyer: this.buyer.privateKey,
      quote,
      payment,
      body: this.#body,
      funds: `${this.#funds}`,
    };
  }

  /** Sends the payment; a lost connection is an answer without a status. */
  verify(): Promise<Answer> {
    return this.world.ask('POST', '/api/v1/jobs/verify', { body: this.#body, headers: { 'x-payment': this.payment } }).catch(lost);
  }

  call(callback: 'start' | 'complete' | 'fail', id: string, more: Record<string, unknown> = {}): Promise<Answer> {
    const body = { start: {}, complete: { result: { text: 'world' } }, fail: { error: 'no quota' } }[callback];
    return this.world.call(this.seller, `jobs/${id}/${callback}`, { ...body, ...more }).catch(lost);
  }

  /** The job that its seller is shown, once it is. */
  async shown(): Promise<string> {
    const found = await eventually(
      'the seller is shown its job',
      () => this.world.call(this.seller, 'sellers/jobs').catch(lost),
      ({ json }) => json?.jobs?.length > 0,
    );
    return found.json.jobs[0].job_id;
  }

  /** What the buyer has paid by now. */
  paid = async (): Promise<bigint> => this.#funds - (await this.world.chain.balanceOf(this.buyer.address));

  /** What the seller has earned by now. */
  earned = (): Promise<bigint> => this.world.chain.balanceOf(this.seller.wallet.address);

  /** Where the money of this deal is: with the buyer less than before, with the seller more. */
  moved = async (): Promise<readonly [bigint, bigint]> => [await this.paid(), await this.earned()];
}

export type Part = 'market' | 'gate' | 'treasury';

export async function dies(world: ExchangeWorld, part: Part): Promise<void> {
  await world[part].kill();
  await world[part].restart();
}

/** Does `work`; the part dies while another one is asked for this in it. */
export async function diesIn(
  world: ExchangeWorld,
  part: Part,
  asked: Switch,
  what: { path?: string; text?: string },
  work: () => Promise<unknown>,
): Promise<void> {
  const { broken } = asked.counts;
  asked.set({ mode: 'delay', ms: DELAY_MS, times: 1, ...what });
  const working = work();
  await eventually(
    'the other part is asked',
    async () => asked.counts.broken,
    (now) => now > broken,
    20,
  );
  await dies(world, part);
  await working;
  asked.set();
}

const DELAY_MS = 1_200;

/**
 * What the buyer's loop does after a lost answer: sends the same payment again until it is told what became of it. A payment whose gate died
 * while it settled is in progress until the lease is over; then the chain tells.
 */
export const told = (deal: Deal) =>
  eventually(
    'the buyer is told',
    async () => {
      const answer = await deal.verify();
      if (isInProgress(answer)) await deal.world.wait(5);
      return answer;
    },
    (answer) => [200, 400, 402, 403, 409, 502].includes(answer.status) && !isInProgress(answer),
    60,
  );

const isInProgress = ({ status, text }: Answer): boolean => status === 409 && text.includes('payment_in_progress');

/** What the seller's loop does: works on the job that it is shown until there is none. */
export async function works(deal: Deal): Promise<void> {
  await eventually(
    'the seller has no work left',
    async () => {
      const { json } = await deal.world.call(deal.seller, 'sellers/jobs');
      for (const { job_id: id, status } of json?.jobs ?? []) {
        if (status === 'paid') await deal.call('start', id);
        await deal.call('complete', id);
      }
      return json;
    },
    (json) => json?.jobs?.length === 0,
    60,
  );
}

/** The answer to a request whose connection was lost. */
export const lost = (): Answer => ({ status: 0, headers: new Headers(), text: '', json: undefined });

/** Tells a value with amounts in a failure. */
export const show = (value: unknown): string => JSON.stringify(value, (_, it) => (typeof it === 'bigint' ? `${it}` : it));
