// Payments that several processes make at the same time out of one budget, chosen by a seed, and what must hold afterwards.

import { FareboxError, localSigner, type Policy, type Signer, type Store, wrapFetch } from '../../pkg/dist/index.js';
import { type Random, randomOf } from './random.ts';
import { base64, GOODS, OFFER, OTHER, PAYEE, PAYER, PAYER_KEY, terms } from './shop.ts';

export type Wish = {
  readonly host: string;
  readonly payTo: string;
  /** Atomic units of USDC. */
  readonly amount: number;
  /** Unix seconds at which the payer's clock stands. */
  readonly at: number;
  readonly confirmed: boolean;
};

export type Schedule = {
  readonly seed: number;
  readonly policy: Policy;
  readonly wishes: readonly Wish[];
  /** How many payments each process makes side by side. */
  readonly lanes: number;
};

export const PAYMENTS = 50;
const HOSTS = ['a.example', 'b.example:8443', 'c.example'];
const PAYEES = [PAYEE, OTHER, PAYER];
const NOON = 1_763_640_000;
const HOUR_SECS = 3_600;

/** Caps of which at least one binds; times over three hours, in no order. */
export function scheduleOf(seed: number): Schedule {
  const random = randomOf(seed);
  const cap = (): string => dollars(1_000 * (50 + random.below(250)));
  const caps = { perDay: cap(), perHour: cap(), perHost: cap(), perPayee: cap() };
  const kept = Object.fromEntries(Object.entries(caps).filter(([name]) => name === 'perDay' || random.below(2) === 0));
  const wishes = Array.from({ length: PAYMENTS }, () => ({
    host: random.pick(HOSTS),
    payTo: random.pick(PAYEES),
    amount: 1_000 * (1 + random.below(20)),
    at: NOON + random.below(3 * HOUR_SECS),
    confirmed: random.below(10) > 0,
  }));
  return { seed, policy: { ...kept, perPayment: '1', pinPayees: false }, wishes, lanes: random.pick([1, 1, 1, 2, 4]) };
}

const dollars = (atomic: number): string => `${Math.floor(atomic / 1_000_000)}.${String(atomic % 1_000_000).padStart(6, '0')}`;

/** What the wallet was asked to sign, whatever became of it. */
export type Signed = Pick<Wish, 'host' | 'payTo' | 'amount' | 'at'>;

/** Makes every second wish, from the first or from the second one on, through the package, with seeded turns of the event loop between. */
export async function makeShare(
  schedule: Schedule,
  share: 0 | 1,
  store: Store,
  {
    wallet = idle,
    onSigned,
    confirming,
  }: { wallet?: Signer; onSigned: (signed: Signed) => void; confirming?: (random: Random) => Promise<void> },
): Promise<void> {
  const random = randomOf(schedule.seed * 2 + share);
  const shaken = shake(store, random);
  const queue = schedule.wishes.filter((_, index) => index % 2 === share);
  const lane = async (): Promise<void> => {
    for (let wish = queue.shift(); wish !== undefined; wish = queue.shift()) {
      const { host, payTo, amount, at, confirmed } = wish;
      const challenge = base64(JSON.stringify(terms([{ ...OFFER, payTo, amount: String(amount) }])));
      const fetch = wrapFetch(
        async (_, init) => {
          await turns(random);
          return new Headers(init?.headers).has('payment-signature')
            ? new Response(GOODS)
            : new Response('{}', { status: 402, headers: { 'payment-required': challenge } });
        },
        {
          store: shaken,
          policy: schedule.policy,
          now: () => at,
          confirm: async () => {
            await (confirming ?? turns)(random);
            return confirmed;
          },
          signer: {
            address: wallet.address,
            sign: (typedData) => {
              onSigned({ host, payTo, amount: Number(typedData.message['value']), at });
              return wallet.sign(typedData);
            },
          },
        },
      );
      await fetch(`https://${host}/`).catch((error: unknown) => {
        const expected = ['budget_exhausted', 'declined', ...(wallet === idle ? ['wrong_signature'] : [])];
        if (!(error instanceof FareboxError && expected.includes(error.code))) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: schedule.lanes }, lane));
}

/** Counted as one that signs, at no cost: what it gives is refused, and stays counted because it was asked for. */
const idle: Signer = { address: async () => PAYER, sign: async () => `0x${'00'.repeat(65)}` };
export const signing: Signer = localSigner(PAYER_KEY);

/** The same store, with others let in between its steps. */
function shake(store: Store, random: Random): Store {
  return {
    read: async () => {
      await turns(random);
      const kept = await store.read();
      await turns(random);
      return kept;
    },
    replace: async (version, record) => {
      await turns(random);
      return store.replace(version, record);
    },
  };
}

async function turns(random: Random): Promise<void> {
  for (let left = random.below(3); left > 0; left -= 1) await new Promise(setImmediate);
}

/** The caps that were broken, by adding up naively what was signed. */
export function brokenCaps({ policy }: Schedule, signed: readonly Signed[]): string[] {
  const { perDay = '', perHour = perDay, perHost = perDay, perPayee = perDay } = policy;
  const broken = new Set<string>();
  const judge = (name: string, cap: string, some: readonly Signed[]): void => {
    if (BigInt(some.reduce((sum, { amount }) => sum + amount, 0)) > BigInt(cap.replace('.', ''))) broken.add(name);
  };
  judge('perDay', perDay, signed);
  for (const host of HOSTS)
    judge(
      'perHost',
      perHost,
      signed.filter((it) => it.host === host),
    );
  for (const payTo of PAYEES)
    judge(
      'perPayee',
      perPayee,
      signed.filter((it) => it.payTo === payTo),
    );
  for (const { at } of signed)
    judge(
      'perHour',
      perHour,
      signed.filter((it) => it.at <= at && it.at > at - HOUR_SECS),
    );
  return [...broken];
}

/**
 * Whether a record counts everything that was signed, and at most what was declined besides: what is declined an hour later
 * by somebody else's clock is part of a sum by then, and stays.
 */
export function countsRight({ wishes }: Schedule, signed: readonly Signed[], counted: number): boolean {
  const declined = sumOf(wishes.filter(({ confirmed }) => !confirmed));
  return counted >= sumOf(signed) && counted <= sumOf(signed) + declined;
}

export const sumOf = (signed: readonly Signed[]): number => signed.reduce((sum, { amount }) => sum + amount, 0);
