/** The gate before an origin: payers with x402, in both modes and by session, who send a payment again until they are told. */
import assert from 'node:assert/strict';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import type { Hex } from 'viem';

import { type GateWorld, startGateWorld } from '../../demo/gate-world.mjs';
import type { Random } from '../pkg/random.ts';
import { eventually } from '../support/eventually.ts';
import { encode, type Payer, type PaymentRequired, pay } from '../worker/support/payer.ts';
import { usedNonces } from './authorizations.ts';
import { askedOfAll, type Department } from './department.ts';

const PRICE = 10_000n;
/** A voucher's price; the deposit is enough for an hour of them. */
const [VOUCHER, DEPOSIT] = [1_000n, 5_000_000n];
const VALID_SECS = 60;
/** Past the end of everything that was signed, and of what is let go an hour later. */
const OVER_SECS = 4_000;
/** States of payments that somebody still works on, and `manual`, which waits for a person. */
const OPEN = ['executing', 'settling', 'unknown', 'settled', 'delivering', 'refused', 'manual'];
const TURNS = 40;
const TURN_SECS = 5;
/** What a payment's row takes on the disk while it is open, as docs/deploy.md tells it, and an object before it has one. */
const [ROW_BYTES, EMPTY_BYTES] = [2_400, 400_000];

type Answer = { readonly status: number; readonly text: string; readonly headers: Headers };
interface Purchase {
  readonly target: string;
  readonly nonce: string;
  readonly header: readonly [string, string];
  /** What came with a 200. */
  readonly bodies: Set<string>;
}
/** What the payers know. */
interface Memories {
  readonly purchases: readonly (Omit<Purchase, 'bodies'> & { readonly bodies: readonly string[] })[];
  readonly vouchers: number;
}

export class Shop implements Department {
  readonly name = 'gate';
  readonly workers: { readonly gate: GateWorld['gate'] };
  readonly switches: GateWorld['switches'];
  readonly chain: GateWorld['chain'];
  readonly #world: GateWorld;
  readonly #purchases: Purchase[] = [];
  readonly #session: typeof fetch;
  #vouchers = 0;
  #aheadSecs = 0;

  private constructor(world: GateWorld) {
    this.#world = world;
    this.workers = { gate: world.gate };
    this.switches = world.switches;
    this.chain = world.chain;
    const [, payer] = world.chain.accounts.payers;
    assert.ok(payer);
    const scheme = new BatchSettlementEvmScheme({ ...payer, readContract: world.chain.publicClient.readContract } as never, {
      depositStrategy: () => DEPOSIT,
    });
    this.#session = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] }) as typeof fetch;
  }

  static async start(): Promise<Shop> {
    const shop = await Shop.#open();
    // Its deposit is signed by the machine's clock, which all clocks show now.
    assert.equal((await shop.#session(`${shop.#world.gate.url}/report/live`)).status, 200);
    shop.#vouchers += 1;
    return shop;
  }

  static async resume({ purchases, vouchers }: Memories): Promise<Shop> {
    const shop = await Shop.#open();
    for (const { bodies, ...purchase } of purchases) shop.#purchases.push({ ...purchase, bodies: new Set(bodies) });
    shop.#vouchers = vouchers;
    return shop;
  }

  memories(): Memories {
    return {
      purchases: this.#purchases.map(({ bodies, ...purchase }) => ({ ...purchase, bodies: [...bodies] })),
      vouchers: this.#vouchers,
    };
  }

  static async #open(): Promise<Shop> {
    const common = { methods: ['GET'], price: '$0.01', origin_timeout_secs: 4, max_timeout_secs: VALID_SECS };
    const world = await startGateWorld(
      [
        { path: '/report-after/*', ...common },
        { path: '/report-soon/*', ...common, settle: 'before' },
        { path: '/report/live', methods: ['GET'], price: '$0.001', session_delay_secs: 900 },
      ] as never,
      {
        LEDGER_SHARDS: 2,
        RECOVERY: { settle_secs: 4, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 30, manual_secs: 604_800, breaker_secs: 1 },
      },
    );
    return new Shop(world);
  }

  wait = async (secs: number): Promise<void> => {
    const { chain, origin, gate } = this.#world;
    this.#aheadSecs += secs;
    await chain.rpc('evm_increaseTime', [secs]);
    // A chain makes blocks meanwhile: what only the newest one shows is no proof.
    await chain.rpc('anvil_mine', ['0x4', '0x0']);
    origin.ahead(secs);
    await gate.ahead(secs);
  };

  async work(number: number, random: Random): Promise<void> {
    if (random.below(4) === 0) return this.#voucher();
    const target = `/${random.pick(['report-after', 'report-soon'])}/s${number}`;
    const purchase = await this.#sign(target, random);
    if (purchase === undefined) return;
    this.#purchases.push(purchase);
    await this.#insist(purchase);
    // Whoever has been served asks once more, and is charged nothing.
    if (random.below(3) === 0) await this.#show(purchase);
  }

  async #voucher(): Promise<void> {
    const answer = await this.#session(`${this.#world.gate.url}/report/live`).catch(() => undefined);
    // Two at once may sign the same voucher, and have one answer.
    if (answer?.status === 200 && answer.headers.get('payment-replayed') === null) this.#vouchers += 1;
    await answer?.arrayBuffer().catch(() => undefined);
  }

  async #sign(target: string, random: Random): Promise<Purchase | undefined> {
    const terms = await this.#ask(target);
    const required = terms?.status === 402 ? terms.headers.get('payment-required') : null;
    if (required == null) return undefined;
    const account = random.pick(this.#world.chain.accounts.payers.slice(2));
    const payer: Payer = { address: account.address, account: account as never };
    const nonce: Hex = `0x${random.bytes(32).toString('hex')}`;
    const payment = await pay(payer, JSON.parse(Buffer.from(required, 'base64').toString()) as PaymentRequired, {
      nonce,
      signed: { validBefore: String(this.#now() + VALID_SECS) },
      identifier: `pay_${random.bytes(16).toString('hex')}`,
    });
    const [name, value] = encode(payment.json);
    return { target, nonce, header: [name, value], bodies: new Set() };
  }

  /** Sends the same payment until the answer is one that stays. */
  async #insist(purchase: Purchase): Promise<Answer | undefined> {
    let answer: Answer | undefined;
    for (let turn = 0; turn < TURNS; turn += 1) {
      answer = await this.#show(purchase);
      if (answer !== undefined && [200, 400, 402, 409].includes(answer.status) && !answer.text.includes('payment_in_progress')) break;
      if (answer?.text.includes('refund_due')) break;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return answer;
  }

  async #show(purchase: Purchase): Promise<Answer | undefined> {
    const answer = await this.#ask(purchase.target, { [purchase.header[0]]: purchase.header[1] });
    if (answer?.status === 200) purchase.bodies.add(answer.text);
    return answer;
  }

  /** An answer that arrived whole. */
  async #ask(target: string, headers: Record<string, string> = {}): Promise<Answer | undefined> {
    try {
      const answer = await fetch(`${this.#world.gate.url}${target}`, { headers, signal: AbortSignal.timeout(30_000) });
      return { status: answer.status, headers: answer.headers, text: await answer.text() };
    } catch {
      return undefined;
    }
  }

  #now = (): number => Math.floor(Date.now() / 1000) + this.#aheadSecs;

  async #operator(path: string): Promise<any> {
    const answer = await this.#ask(`/_farebox/${path}`, { authorization: `Bearer ${this.#world.secrets.OPERATOR_TOKEN}` });
    assert.equal(answer?.status, 200, `${path}: ${answer?.text}`);
    return JSON.parse(answer?.text ?? '');
  }

  async drain(): Promise<void> {
    await this.wait(OVER_SECS);
    await eventually(
      'no payment is open',
      async () => {
        // A chain that makes no block proves nothing of the time that went by.
        await this.wait(TURN_SECS);
        await this.#world.gate.sweep();
        const open = await Promise.all(OPEN.map((state) => this.#operator(`payments?state=${state}`)));
        return open.flatMap(({ items }) => items);
      },
      (open) => open.length === 0,
      120,
    );
  }

  async judge(): Promise<string> {
    const { chain } = this.#world;
    const moved = new Set(await usedNonces(chain));
    let [served, owed] = [0, 0];
    for (const [purchase, last] of await askedOfAll(this.#purchases, (it) => this.#insist(it))) {
      const paid = moved.has(purchase.nonce.toLowerCase());
      const where = `${purchase.target} was ${paid ? 'paid' : 'not paid'} and ends with ${last?.status}: ${last?.text.slice(0, 200)}`;
      assert.ok(purchase.bodies.size <= 1, `${where}; it was delivered ${purchase.bodies.size} times`);
      if (purchase.bodies.size > 0) assert.ok(paid, where);
      if (purchase.bodies.size > 0) served += 1;
      else if (paid) {
        assert.match(last?.text ?? '', /refund_due|payment_already_delivered/, where);
        owed += 1;
      }
    }
    const { items } = await this.#operator('audit');
    for (const { difference } of items) assert.equal(difference, '0', JSON.stringify(items));
    const settled = items.reduce((sum: bigint, item: { settled: string }) => sum + BigInt(item.settled), 0n);
    const signed = this.#purchases.filter(({ nonce }) => moved.has(nonce.toLowerCase())).length;
    assert.equal(settled, BigInt(signed) * PRICE, 'the books have what the chain shows');
    const { bytes, objects } = await this.#world.gate.stored();
    const most = objects * EMPTY_BYTES + this.#purchases.length * ROW_BYTES;
    assert.ok(bytes <= most, `${bytes} bytes are stored for ${this.#purchases.length} payments in ${objects} objects`);
    await this.#judgeChannel();
    return `${served} served, ${owed} paid and owed, ${this.#vouchers} by voucher, ${bytes} bytes`;
  }

  /** What was delivered by voucher is in the books of its channel, which are as old as its last alarm. */
  async #judgeChannel(): Promise<void> {
    const least = BigInt(this.#vouchers) * VOUCHER;
    const spent = async (): Promise<bigint> => {
      await this.wait(TURN_SECS);
      const { items } = await this.#operator('channels');
      return items.reduce((sum: bigint, channel: { spent?: string }) => sum + BigInt(channel.spent ?? 0), 0n);
    };
    await eventually(`${this.#vouchers} vouchers are in the books`, spent, (sum) => sum >= least && sum <= DEPOSIT);
  }

  stop = (): Promise<void> => this.#world.stop();
}
