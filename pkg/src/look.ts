/** Looks without paying: what a 402 offers, what was spent, and challenges of MPP. A compiled part of its own, which bundlers drop where none of this is used. */
import * as cards from '#cards-wasm';

import { beginning } from './beginning.js';
import { endpointOf } from './endpoints.js';
import { given, type Told, told } from './error.js';
import { forModel } from './for-model.js';
import type { Policy } from './options.js';
import { isStore, type Store } from './store.js';

/** Why an offer may not be paid, in our words; `quote` says it with those of the server, at most 400 characters: data. */
export type Refusal = { readonly code: string; readonly message: string; readonly remedy: string; readonly quote?: string };
/** An offer of a 402, with what policy and budget say of it now. */
export type Look = {
  readonly allowed: boolean;
  /** Absent for an offer that cannot be read or paid here. */
  readonly offer?: {
    readonly protocol: 'x402' | 'mpp';
    readonly network: string;
    readonly asset: string;
    readonly symbol: string;
    readonly payTo: string;
    /** Atomic units. */
    readonly amount: string;
    readonly amountText: string;
    /** Names this offer: network, token, payee, amount and scheme. As the option `pin`, only it is paid. */
    readonly pin: string;
  };
  /** Why it may not be paid. */
  readonly refusal?: Refusal;
};
/** The spent part of a cap, and the rest: whole tokens. */
export type Spent = {
  readonly cap: 'perHour' | 'perDay' | 'perHost' | 'perPayee' | 'uptoPerDay';
  /** The host or payee that the cap is for. */
  readonly of?: string;
  readonly max: string;
  readonly spent: string;
  readonly remaining: string;
};
/** A challenge of the scheme `Payment`, with its terms as an object. */
export type PaymentChallenge = {
  readonly id: string;
  readonly realm: string;
  readonly method: string;
  readonly intent: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly expires?: string;
  readonly digest?: string;
  readonly description?: string;
  readonly opaque?: string;
  readonly header?: string;
};
type Looked = { readonly policy?: Policy; readonly store?: Store; readonly now?: () => number };

/**
 * Every offer of a 402, whose body stays readable: the ones that this package can sign first. Nothing is counted, and no wallet is
 * asked. Throws if the 402 has no terms.
 */
export async function lookAt(
  response: Response,
  options: Looked & { readonly method?: string; readonly url?: string } = {},
): Promise<readonly Look[]> {
  const { policy, record, now } = await readOf('lookAt', options);
  const [body, lines] = await usable('lookAt', async () => {
    let fields = '';
    for (const [name, value] of response.headers) fields += `${name}: ${value}\n`;
    return [await beginning(response), fields] as const;
  });
  return given('lookAt', () => {
    const { method = 'GET', url = response.url } = options;
    // As `fetch` asks for it: receipts are compared with that.
    const asked = new URL(text(url));
    asked.hash = '';
    const looks = JSON.parse(
      told(() => cards.lookAt(policy, asked.href, endpointOf(text(method), asked.href), lines, body, record, now)),
    ) as unknown[];
    return looks.map((look) => {
      const { refusal, ...rest } = look as { readonly refusal: Told | null };
      const members = { ...rest, refusal: refusal && { ...refusal, ...forModel(refusal) } };
      return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null)) as unknown as Look;
    });
  });
}

/** The spending of each cap: of the hour and of the day, and in the day for each host and payee. */
export async function spent(options: Looked = {}): Promise<readonly Spent[]> {
  const { policy, record, now } = await readOf('spent', options);
  return given('spent', () => {
    const caps = JSON.parse(told(() => cards.spentOf(policy, record, now))) as (Spent & { readonly of?: string | null })[];
    return caps.map(({ of, ...cap }) => (of === null || of === undefined ? cap : { ...cap, of }));
  });
}

/** The challenges of the scheme `Payment` in a `WWW-Authenticate` value; throws for one that is malformed. */
export function readChallenges(value: string): readonly PaymentChallenge[] {
  return given('readChallenges', () => JSON.parse(told(() => cards.readChallenges(text(value)))) as PaymentChallenge[]);
}

/** The value of `WWW-Authenticate` for a challenge. */
export function writeChallenge(challenge: PaymentChallenge): string {
  return given('writeChallenge', () => told(() => cards.writeChallenge(text(JSON.stringify(challenge)))));
}

/** Policy, record and time of the options. */
async function readOf(
  name: string,
  options: Looked,
): Promise<{ readonly policy: string; readonly record: string | undefined; readonly now: number }> {
  const [policy, store, now] = given(name, () => {
    const { policy: limits = {}, store: kept, now: clock = () => Date.now() / 1000 } = options;
    if (kept !== undefined && !isStore(kept)) throw new TypeError('no store');
    const at: unknown = clock();
    if (typeof at !== 'number') throw new TypeError('no time');
    return [text(JSON.stringify(limits)), kept, at] as const;
  });
  const record = (await store?.read())?.record;
  return { policy, record: record === undefined ? undefined : given(name, () => text(record)), now };
}

/** Runs code that reads an argument and waits. */
async function usable<T>(name: string, read: () => Promise<T>): Promise<T> {
  const outcome = await read().then(
    (value) => ({ value }),
    () => undefined,
  );
  return given(name, () => {
    if (outcome === undefined) throw new TypeError('no response');
    return outcome.value;
  });
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('no text');
  return value;
}
