/** The market of skills behind the gate, and the treasury that pays for agents: each invocation has a key, under which its agent insists. */
import assert from 'node:assert/strict';

import { type SkillsWorld, startSkillsWorld } from '../../demo/skills-world.mjs';
import type { Random } from '../pkg/random.ts';
import { eventually } from '../support/eventually.ts';
import { usedNonces } from './authorizations.ts';
import { askedOfAll, type Department } from './department.ts';

const PRICE = 10_000n;
const AGENTS = ['agent-1', 'agent-2'] as const;
/** A seller that the gate charges for, and one that charges by itself. */
const SKILLS = ['soak-sold', 'soak-own'] as const;
const TURNS = 30;
/** Once all is at rest: what has no end by then gets none. */
const LAST_TURNS = 3;
/** Past the end of everything that was signed. */
const OVER_SECS = 4_000;

/** What the agents know. */
interface Memories {
  readonly invocations: readonly Invocation[];
  /** What the wallet had in the beginning, atomic units. */
  readonly funds: string;
}
interface Invocation {
  readonly agent: string;
  readonly skill: string;
  readonly key: string;
}

export class Skills implements Department {
  readonly name = 'market and treasury';
  readonly workers: Pick<SkillsWorld, 'gate' | 'market' | 'treasury'>;
  readonly switches: SkillsWorld['switches'];
  readonly chain: SkillsWorld['chain'];
  readonly kv: SkillsWorld['kv'];
  readonly #world: SkillsWorld;
  readonly #invocations: Invocation[] = [];
  readonly #funds: bigint;

  private constructor(world: SkillsWorld, funds: bigint) {
    [this.#world, this.#funds] = [world, funds];
    this.workers = { gate: world.gate, market: world.market, treasury: world.treasury };
    this.switches = world.switches;
    [this.chain, this.kv] = [world.chain, world.kv];
  }

  static #open(): Promise<SkillsWorld> {
    const recovery = { settle_secs: 4, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 30, manual_secs: 600, breaker_secs: 1 };
    return startSkillsWorld({ gateVars: { RECOVERY: recovery } });
  }

  static async resume({ invocations, funds }: Memories): Promise<Skills> {
    const skills = new Skills(await Skills.#open(), BigInt(funds));
    skills.#invocations.push(...invocations);
    return skills;
  }

  memories(): Memories {
    return { invocations: this.#invocations, funds: String(this.#funds) };
  }

  static async start(): Promise<Skills> {
    const world = await Skills.#open();
    const seller = await world.seller();
    for (const [skillId, more] of [
      ['soak-sold', { callUrl: `${world.sellers.url}/deliver/soak` }],
      ['soak-own', { callUrl: `${world.charging.url}/honest/soak?payTo=${seller.address}`, charges: 'seller' }],
    ] as const) {
      const { status, text } = await world.publish(seller, { skillId, name: skillId, price: '$0.01', ...more });
      assert.equal(status, 201, text);
    }
    return new Skills(world, await world.chain.balanceOf(world.wallet.address));
  }

  wait = (secs: number): Promise<void> => this.#world.wait(secs);

  async work(number: number, random: Random): Promise<void> {
    const invocation = { agent: random.pick(AGENTS), skill: random.pick(SKILLS), key: `soak-${number}` };
    this.#invocations.push(invocation);
    await this.#insist(invocation);
  }

  /** Invokes under the key until there is an end, or for as long as an agent has patience. */
  async #insist({ agent, skill, key }: Invocation, turns = TURNS): Promise<any> {
    let last: unknown;
    for (let turn = 0; turn < turns; turn += 1) {
      const answer = await this.#world.invoke(agent, skill, { key, payload: { input: key } }).catch(() => undefined);
      last = answer?.json ?? answer?.text;
      if (answer?.json?.ok === true || answer?.json?.paid === false) return answer.json;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    return last;
  }

  async #operator(path: string): Promise<any> {
    const { status, json, text } = await this.#world.ask('GET', `/api/organizations/acme/${path}`, {
      base: this.#world.treasury.url,
      headers: { authorization: `Bearer ${this.#world.tokens.operator}` },
    });
    assert.equal(status, 200, text);
    return json;
  }

  async drain(): Promise<void> {
    await this.wait(OVER_SECS);
    await eventually(
      'nothing is reserved',
      async () => {
        await this.#world.chain.rpc('anvil_mine', ['0xd']);
        await this.wait(5);
        await this.#world.gate.sweep();
        return this.#spent();
      },
      ({ books, chain }) => books === chain,
      120,
    );
  }

  /** What the treasury says that it has spent, and what the wallet has less, in atomic units. */
  async #spent(): Promise<{ readonly books: bigint; readonly chain: bigint }> {
    const { items } = await this.#operator('audit');
    const counted = items.find(({ scope }: { scope: string }) => scope === 'organization')?.counted ?? '0';
    const [whole = '0', part = ''] = String(counted).split('.');
    const chain = this.#funds - (await this.#world.chain.balanceOf(this.#world.wallet.address));
    return { books: BigInt(whole) * 1_000_000n + BigInt(part.padEnd(6, '0')), chain };
  }

  async judge(): Promise<string> {
    const { chain, wallet } = this.#world;
    const ends = { delivered: 0, unpaid: 0, failed: 0 };
    for (const [, end] of await askedOfAll(this.#invocations, (it) => this.#insist(it, LAST_TURNS))) {
      if (end?.ok === true) ends.delivered += 1;
      else ends[end?.paid === false ? 'unpaid' : 'failed'] += 1;
    }
    // After the questions: what was never paid is, once its agent asks again.
    const used = await usedNonces(chain, wallet.address);
    const { chain: spent } = await this.#spent();
    assert.equal(spent, BigInt(used.length) * PRICE, 'each payment is one price');
    assert.ok(used.length <= this.#invocations.length, `${used.length} payments for ${this.#invocations.length} keys`);
    assert.ok(ends.delivered <= used.length, `${ends.delivered} were delivered for ${used.length} payments`);
    return `${ends.delivered} delivered, ${ends.unpaid} unpaid, ${ends.failed} without an end, ${used.length} paid, ${this.#invocations.length} keys`;
  }

  stop = (): Promise<void> => this.#world.stop();
}
