/** The exchange: buyers pay at the till, sellers deliver or fail, and in the end the escrow holds nothing that is not somebody's. */
import assert from 'node:assert/strict';

import { type ExchangeWorld, startExchangeWorld } from '../../demo/exchange-world.mjs';
import { Deal, type DealMemory, lost, PRICE, quoted } from '../market/exchange/support.ts';
import type { Random } from '../pkg/random.ts';
import { eventually } from '../support/eventually.ts';
import type { Department } from './department.ts';

const TURNS = 40;
const PAUSE_MS = 500;
/** Past the end of every payment, and of what the gate lets go an hour later. */
const OVER_SECS = 4_000;

export class Exchange implements Department {
  readonly name = 'exchange';
  readonly workers: Pick<ExchangeWorld, 'gate' | 'market' | 'treasury'>;
  readonly switches: ExchangeWorld['switches'];
  readonly chain: ExchangeWorld['chain'];
  readonly #world: ExchangeWorld;
  readonly #deals: Deal[] = [];

  private constructor(world: ExchangeWorld) {
    this.#world = world;
    this.workers = { gate: world.gate, market: world.market, treasury: world.treasury };
    this.switches = world.switches;
    this.chain = world.chain;
  }

  static async start(): Promise<Exchange> {
    return new Exchange(await startExchangeWorld());
  }

  static async resume(deals: readonly DealMemory[]): Promise<Exchange> {
    const exchange = await Exchange.start();
    exchange.#deals.push(...deals.map((deal) => Deal.of(exchange.#world, deal)));
    return exchange;
  }

  memories(): readonly DealMemory[] {
    return this.#deals.map((deal) => deal.memory);
  }

  wait = (secs: number): Promise<void> => this.#world.wait(secs);

  async work(number: number, random: Random): Promise<void> {
    // While a Worker is dead there is nothing to buy.
    const deal = await quoted(this.#world, `soak-${number}`).catch(() => undefined);
    if (deal === undefined) return pause();
    this.#deals.push(deal);
    const id = await this.#buy(deal);
    if (id === undefined) return;
    const end = random.pick(['complete', 'complete', 'complete', 'fail'] as const);
    for (let turn = 0; turn < TURNS; turn += 1) {
      await deal.call('start', id);
      const answer = await deal.call(end, id);
      if (answer.status === 200 || answer.status === 409 || answer.status === 401) return;
      await pause();
    }
  }

  /** Sends the payment until there is a job, or an answer that says that there is none. */
  async #buy(deal: Deal): Promise<string | undefined> {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const answer = await deal.verify();
      if (answer.status === 200) return answer.json.job_id;
      if ([400, 402, 403].includes(answer.status)) return undefined;
      await pause();
    }
    return undefined;
  }

  async drain(): Promise<void> {
    await this.wait(OVER_SECS);
    await eventually(
      'the escrow holds nothing',
      async () => {
        // What nobody works on any more fails at its time, and goes back.
        await this.wait(60);
        await this.#world.chain.rpc('anvil_mine', ['0x2']);
        await this.#world.gate.sweep();
        await this.#world.ask('GET', '/api/v1/sellers').catch(lost);
        return this.#world.held();
      },
      (held) => held === 0n,
      180,
    );
  }

  async judge(): Promise<string> {
    const ends = { done: 0, back: 0 };
    for (const deal of this.#deals) {
      const [paid, earned] = await deal.moved();
      assert.ok((paid === 0n && earned === 0n) || (paid === PRICE && earned === PRICE), `${deal.quote.fingerprint}: ${paid} and ${earned}`);
      ends[paid === 0n ? 'back' : 'done'] += 1;
    }
    return `${ends.done} done and paid out, ${ends.back} not paid or paid back`;
  }

  stop = (): Promise<void> => this.#world.stop();
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
