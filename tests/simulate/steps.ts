// What happens in one step: a payer buys, or comes back, or cheats. Each step has chance of its own, so that
// it does the same whatever happens beside it.

import { type Random, randomOf } from '../pkg/random.ts';
import type { OriginReply } from '../worker/support/origin.ts';
import { type Plan, SETTLES, VERIFIES } from './facilitator.ts';
import { cheat, forge, junk, replay } from './mischief.ts';
import { type Person, PROTOCOLS, personOf, proven, type Signed, show, sign, termsIn } from './people.ts';
import type { Exchange, Side, World } from './world.ts';

/** Something that a payer wants, and the payments that they have signed for it. */
export interface Purchase {
  readonly person: Person;
  readonly target: string;
  readonly identifier: string | undefined;
  readonly signed: Signed[];
}

const FUNDS = 1_000_000n;
const PRICE = 10_000n;
const FAMILIES = ['after', 'before', 'moved-after', 'moved-before'] as const;

export class Steps {
  readonly purchases: Purchase[] = [];
  /** Those who may not pay. */
  readonly denied: readonly Person[];
  readonly #seed: number;
  readonly #world: World;
  readonly #shoppers: readonly Person[];
  readonly #rogues: readonly Person[];

  constructor(world: World, seed: number, denied: readonly Person[]) {
    [this.#world, this.#seed, this.denied] = [world, seed, denied];
    this.#shoppers = Array.from({ length: 8 }, (_, index) => personOf(seed, `shopper ${index}`, index));
    this.#rogues = Array.from({ length: 4 }, (_, index) => personOf(seed, `rogue ${index}`, 100 + index));
    for (const { payer } of this.#shoppers) world.chain.mint(payer.address, FUNDS * 100n);
    for (const { payer } of [...this.#rogues, ...denied]) world.chain.mint(payer.address, 3n * PRICE + 5n);
  }

  /** Everybody there is, by the address that they pay from. */
  people(): readonly Person[] {
    return [...this.#shoppers, ...this.#rogues, ...this.denied, ...this.purchases.map(({ person }) => person)];
  }

  /** Does step `number`; what it is, and all that it chooses, follows from seed and number. */
  async run(number: number): Promise<void> {
    const random = randomOf(this.#seed * 1_000_003 + number);
    const kind = random.below(100);
    const rogue = random.pick(this.#rogues);
    if (kind < 40) return this.#buy(number, random, random.pick(this.#shoppers));
    if (kind < 52) return this.#again(random);
    if (kind < 58) return this.#rush(number, random);
    if (kind < 64) return this.#doubt(number, random, rogue);
    const target = this.#targetFor(number, random);
    if (kind < 80) return cheat(this.#world, random, rogue, target);
    if (kind < 88) return replay(this.#world, random, rogue, target);
    if (kind < 93) return forge(this.#world, random, rogue, random.pick(this.people()), target);
    if (kind < 96) return cheat(this.#world, random, random.pick(this.denied), target);
    return junk(this.#world, random, rogue, target);
  }

  /** Every payment once more, by its owner, who proves to be its payer if they said nothing of their own with it. */
  async repeatAll(): Promise<void> {
    await Promise.all(
      this.purchases.flatMap(({ person, signed }) => signed.map((one) => show(this.#world, person, 'asks again', 'gate', one))),
    );
    const unnamed = this.purchases.filter(({ identifier }) => identifier === undefined);
    await Promise.all(
      unnamed.flatMap(({ person, signed }) =>
        signed.map(async (one) => show(this.#world, person, 'proves', 'gate', await proven(person, one))),
      ),
    );
  }

  /** Asks, pays, perhaps several times at once, and pays again if told to. */
  async #buy(number: number, random: Random, person: Person): Promise<void> {
    const purchase = this.#purchase(number, random, person);
    const sides = Array.from({ length: random.pick([1, 1, 1, 2, 4]) }, () => sideOf(random));
    const [first, second] = [signing(random), signing(random)];
    const answers = await this.#pay(purchase, first, sides);
    const isRefused = answers.length > 0 && answers.every((answer) => termsIn(answer) !== undefined);
    if (isRefused) await this.#pay(purchase, second, sides.slice(0, 1));
  }

  /** A payment of before, once more, where the owner has it at hand. */
  async #again(random: Random): Promise<void> {
    if (this.purchases.length === 0) return;
    const { person, signed } = random.pick(this.purchases);
    const [side, which] = [sideOf(random), random.below(4)];
    const payment = signed[which % Math.max(1, signed.length)];
    if (payment !== undefined) await show(this.#world, person, 'comes back', side, payment);
  }

  /** Two purchases at once with money for one. */
  async #rush(number: number, random: Random): Promise<void> {
    const person = personOf(this.#seed, `poor ${number}`, 200 + number);
    this.#world.chain.mint(person.payer.address, random.pick([0n, PRICE, PRICE]));
    const two = [0, 1].map((half) => this.#purchase(number + half / 2, random, person));
    await Promise.all(two.map((purchase) => this.#pay(purchase, signing(random), [sideOf(random)])));
  }

  /** A payment whose end is unknown or that is refused, and while it is so, one for terms that were never offered. */
  async #doubt(number: number, random: Random, rogue: Person): Promise<void> {
    const purchase = this.#purchase(number, random, rogue);
    const settle = random.pick(['silent', 'lost', 'refuses', 'fails before'] as const);
    await this.#pay(purchase, { ...signing(random), plan: { verify: 'good', settle, repeats: 'told' } }, [sideOf(random)]);
    await cheat(this.#world, random, rogue, this.#targetFor(number + 0.5, random));
  }

  async #pay({ person, target, identifier, signed }: Purchase, how: Signing, sides: readonly Side[]): Promise<Exchange[]> {
    const { protocol, nonce, plan, side } = how;
    const payment = await sign(this.#world, person, target, nonce, { protocol, side, ...(identifier === undefined ? {} : { identifier }) });
    if (payment === undefined) return [];
    this.#world.facilitator.plans.set(payment.nonce.toLowerCase(), plan);
    signed.push(payment);
    return Promise.all(
      sides.map((each) => show(this.#world, person, `pays by ${protocol}, ${plan.verify}, ${plan.settle}`, each, payment)),
    );
  }

  #purchase(number: number, random: Random, person: Person): Purchase {
    const identifier = random.below(5) === 0 ? undefined : `pay_${random.bytes(16).toString('hex')}`;
    const purchase = { person, target: this.#targetFor(number, random), identifier, signed: [] };
    this.purchases.push(purchase);
    return purchase;
  }

  /** A page of its own for each step. */
  #targetFor(number: number, random: Random): string {
    const target = `/${random.pick(FAMILIES)}/s${number}`;
    this.#world.script(target, random.pick(ORIGINS));
    return target;
  }
}

type Signing = { readonly protocol: (typeof PROTOCOLS)[number]; readonly nonce: `0x${string}`; readonly plan: Plan; readonly side: Side };

function signing(random: Random): Signing {
  const isCalm = random.below(10) < 6;
  const plan = {
    verify: isCalm || random.below(10) < 7 ? ('good' as const) : random.pick(VERIFIES),
    settle: isCalm ? ('good' as const) : random.pick(SETTLES),
    repeats: random.pick(['told', 'refused'] as const),
  };
  // A nonce that a payer used in another run with this seed is another one here: folders are new, the chain is too.
  return { protocol: random.pick(PROTOCOLS), nonce: `0x${random.bytes(32).toString('hex')}`, plan, side: sideOf(random) };
}

function sideOf(random: Random): Side {
  return random.pick(['gate', 'beside'] as const);
}

/** What the origin does; most of the time its work. */
const GOOD: OriginReply = {};
const ORIGINS: readonly OriginReply[] = [
  ...Array.from({ length: 14 }, () => GOOD),
  { status: 500 },
  { status: 404 },
  { then: 'cut' },
  { then: 'hang' },
  { delayMs: 400 },
  { everyMs: 100 },
  { everyMs: 100, then: 'cut' },
];
