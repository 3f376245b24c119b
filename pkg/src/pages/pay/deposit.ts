// Deposits at the seller: a wallet signs for one once, and a key that this browser keeps signs for each page that it pays.

import type { Channel, ChannelFetch, ChannelProposal } from '../../channel-options.js';
import { drawn } from '../../hex.js';
import type { Policy } from '../../options.js';
import type { Signer } from '../../signer.js';
import { inTokens, unitsOf } from '../shared/money.js';
import type { Way } from './terms.js';

/** Pages like this one that a deposit pays for. */
const PAGES = 50n;
/** The longest that a person waits for the rest where the seller does not answer, seconds. */
const LONGEST_DELAY = 86_400;
/** How long the key of this browser signs after it was last used, seconds. */
const KEY_SECS = 30 * 86_400;
/** The name of the budget in IndexedDB: one for all pages of this origin. */
export const BUDGET = 'farebox';

/** A deposit that has something left. */
export type Rest = { readonly channel: Channel; readonly units: bigint; readonly way: Way };

/** The ways that deposit for many pages like this one, and pay for this one with it. */
export function depositWays(ways: readonly Way[]): readonly Way[] {
  // A page without a secure context cannot seal a key.
  if ((crypto as Partial<Crypto>).subtle === undefined) return [];
  return ways.flatMap((way) => {
    const { session, terms, decimals } = way;
    if (session === undefined || !(Number(session.extra.withdrawDelay) <= LONGEST_DELAY)) return [];
    const least = unitsOf(session.extra.minDeposit ?? '');
    const many = unitsOf(terms.amount) * PAGES;
    const units = many > least ? many : least;
    return [{ ...way, single: way, terms: { ...terms, amount: String(units) }, price: inTokens(units, decimals) }];
  });
}

/** About how many pages like this one a deposit pays for. */
export function pagesOf({ terms, single }: Way): bigint {
  return unitsOf(terms.amount) / unitsOf(single?.terms.amount ?? '1');
}

const nameOf = (url: string): string => `farebox-deposit ${url}`;
/** Tells that this browser has made a deposit here, or begun to: otherwise nothing is loaded to look for one. */
const MADE = 'farebox-deposits';

/** The key of the purchase of a page: its voucher is the same one until the page is delivered. */
function purchaseKey(url: string): string {
  const known = localStorage.getItem(nameOf(url));
  if (known !== null) return known;
  const made = drawn();
  localStorage.setItem(nameOf(url), made);
  // Of two tabs that make one at once, both go on with the one that stays.
  return localStorage.getItem(nameOf(url)) ?? made;
}

/** Lets a purchase go: the next one for the page is another one. */
export function closePurchase(url: string): void {
  localStorage.removeItem(nameOf(url));
}

/** What asks for a page as the purchase that it is. */
export const headersOf = (url: string, accept: string): Record<string, string> => ({ accept, 'idempotency-key': purchaseKey(url) });

const loaded = async () => {
  const [{ indexedDbStore }, ahead] = await Promise.all([import('./payer.js'), import('./ahead.js')]);
  return { ...ahead, store: indexedDbStore(BUDGET) };
};

/** Pays from a deposit, or makes one. Nothing else is paid with it. */
export async function depositFetch(
  fetch: typeof globalThis.fetch,
  signer: Signer,
  policy: Policy,
  { deposit, confirm }: { readonly deposit?: string; readonly confirm?: (proposal: ChannelProposal) => Promise<boolean> } = {},
): Promise<ChannelFetch> {
  const { channelFetch, openSession, store } = await loaded();
  localStorage.setItem(MADE, 'yes');
  const key = await openSession({ name: 'pages', policy: {}, lifetimeSecs: KEY_SECS });
  return channelFetch(fetch, {
    signer,
    // It holds no money, and can spend what its person has deposited here alone.
    voucherSigner: (await key.renew(KEY_SECS)).signer,
    policy,
    store,
    choose: 'session',
    maxWithdrawDelaySecs: LONGEST_DELAY,
    ...(deposit === undefined ? {} : { deposit, maxDeposit: deposit }),
    ...(confirm === undefined ? {} : { confirm }),
  });
}

const channelsHere = async (): Promise<Channel[]> => {
  if (localStorage.getItem(MADE) === null) return [];
  const { listChannels, store } = await loaded();
  const all = JSON.parse(listChannels((await store.read()).record)) as Channel[];
  return all.filter(({ host }) => host === location.host);
};

const isOf =
  ({ network, asset, payTo }: Channel) =>
  ({ terms }: Way): boolean =>
    terms.network === network && terms.asset.toLowerCase() === asset.toLowerCase() && terms.payTo.toLowerCase() === payTo.toLowerCase();

/** What is left of a deposit that pays for this page, the largest rest; nothing where the seller takes none. */
export async function restOf(ways: readonly Way[]): Promise<Rest | undefined> {
  const sold = depositWays(ways).flatMap(({ single }) => single ?? []);
  if (sold.length === 0) return undefined;
  const rests = (await channelsHere()).flatMap((channel): Rest[] => {
    const way = sold.find(isOf(channel));
    const units = unitsOf(channel.deposit) - unitsOf(channel.spent);
    return way === undefined || units <= 0n ? [] : [{ channel, units, way }];
  });
  return rests.reduce<Rest | undefined>((most, rest) => (most === undefined || rest.units > most.units ? rest : most), undefined);
}

/** The deposit from which a voucher for this page has left, or the deposit itself, while the page is not delivered. */
export async function channelOfPurchase(url: string): Promise<Channel | undefined> {
  const key = localStorage.getItem(nameOf(url));
  if (key === null) return undefined;
  const { leftIn, nameOf: nameIn, requestOf, store } = await loaded();
  const { name } = await nameIn(await requestOf(url, { headers: { 'idempotency-key': key } }, false));
  const left = leftIn((await store.read()).record, name);
  return left?.channel === undefined ? undefined : (await channelsHere()).find(({ id }) => id === left.channel);
}
