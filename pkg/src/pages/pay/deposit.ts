// Deposits at the seller: a wallet signs for one once, and a key that this browser keeps signs for each page that it pays.

import type { Left } from '../../bought.js';
import type { Channel, ChannelFetch, ChannelProposal } from '../../channel-options.js';
import type { Policy } from '../../options.js';
import type { Signer } from '../../signer.js';
import { inTokens, unitsOf } from '../shared/money.js';
import { closePurchase, notes } from './notes.js';
import type { Way } from './terms.js';
import { unloaded } from './words.js';

/** Pages like this one that a deposit pays for, and the fewest for which one is worth it. */
const PAGES = 50n;
const FEWEST = 2n;
/** The most that a site is paid in a day without another question, and that is deposited at once, whole tokens. */
export const A_DAY = 100n;
/** The longest that a person waits for the rest where the seller does not answer, seconds. */
const LONGEST_DELAY = 86_400;
/** How long the key of this browser signs after it was last used, seconds. */
const KEY_SECS = 30 * 86_400;
/** How long a deposit stays in use by a page that is gone, seconds: one that goes on waits no longer. */
export const IN_USE_SECS = 15;
/** The name of the budget in IndexedDB: one for all pages of this origin. */
export const BUDGET = 'farebox';

/** A deposit that has something left; one that pays for nothing here any more only comes back. */
export type Rest = { readonly channel: Channel; readonly units: bigint; readonly way: Way; readonly pays: boolean };

/** The ways that deposit for many pages like this one, and pay for this one with it. Not each is offered: what was deposited before counts by all. */
export function depositWays(ways: readonly Way[]): readonly Way[] {
  // A page without a secure context cannot seal a key.
  if ((crypto as Partial<Crypto>).subtle === undefined) return [];
  return ways.flatMap((way) => {
    const { session, terms, decimals } = way;
    if (session === undefined || !(Number(session.extra.withdrawDelay) <= LONGEST_DELAY)) return [];
    const [price, least] = [unitsOf(terms.amount), unitsOf(session.extra.minDeposit ?? '')];
    const most = A_DAY * 10n ** BigInt(decimals);
    const able = most / (price || 1n);
    const many = price * (able < PAGES ? able : PAGES);
    const units = many > least ? many : least;
    return [{ ...way, single: way, terms: { ...terms, amount: String(units) }, price: inTokens(units, decimals) }];
  });
}

/** Whether a deposit is worth it, and no more than one may be at once. */
export function isOffered(way: Way): boolean {
  return pagesOf(way) >= FEWEST && unitsOf(way.terms.amount) <= A_DAY * 10n ** BigInt(way.decimals);
}

/** About how many pages like this one a deposit pays for. */
export function pagesOf({ terms, single }: Way): bigint {
  return unitsOf(terms.amount) / unitsOf(single?.terms.amount ?? '1');
}

/** The terms of a channel beside payee and token. */
export const termsOf = ({ session }: Way): string => JSON.stringify([session?.extra.withdrawDelay, session?.extra.receiverAuthorizer]);

const loaded = async () => {
  const [{ indexedDbStore }, ahead] = await Promise.all([import('./payer.js'), import('./ahead.js')]).catch(unloaded);
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
  const key = await openSession({ name: 'pages', policy: {}, lifetimeSecs: KEY_SECS });
  return channelFetch(fetch, {
    signer,
    // It holds no money, and can spend what its person has deposited here alone.
    voucherSigner: (await key.renew(KEY_SECS)).signer,
    policy: { ...policy, deadlineSecs: IN_USE_SECS },
    store,
    choose: 'session',
    maxWithdrawDelaySecs: LONGEST_DELAY,
    ...(deposit === undefined ? {} : { deposit, maxDeposit: deposit }),
    ...(confirm === undefined ? {} : { confirm }),
  });
}

const channelsHere = async (): Promise<Channel[]> => {
  const { listChannels, store } = await loaded();
  const all = JSON.parse(listChannels((await store.read()).record)) as Channel[];
  return all.filter(({ host }) => host === location.host);
};

/** Whether a channel is of the terms of a way. */
type Fits = (channel: Channel, known: Readonly<Record<string, string>>) => (way: Way) => boolean;

const isOf: Fits =
  ({ id, network, asset, payTo }, known) =>
  (way) =>
    way.terms.network === network &&
    way.terms.asset.toLowerCase() === asset.toLowerCase() &&
    way.terms.payTo.toLowerCase() === payTo.toLowerCase() &&
    known[id] === termsOf(way);

/** Whether it was, before the seller restored its ledger: the signer of then pays back alone. */
const wasOf: Fits = (channel, known) => (way) => {
  const [withdrawDelay, receiverAuthorizer] = JSON.parse(known[channel.id] ?? '[]') as [number?, string?];
  const session = { extra: { ...way.session?.extra, receiverAuthorizer } };
  return withdrawDelay === way.session?.extra.withdrawDelay && isOf(channel, known)({ ...way, session });
};

/** The way by which a channel pays for this page, if its seller still takes such deposits. */
export async function wayOfChannel(channel: Channel, ways: readonly Way[]): Promise<Way | undefined> {
  return ways.find(isOf(channel, (await notes()).made));
}

/** What is left of a deposit that pays for this page, else of one that comes back alone: the largest rest; nothing where the seller takes none. */
export async function restOf(ways: readonly Way[]): Promise<Rest | undefined> {
  const sold = depositWays(ways).flatMap(({ single }) => single ?? []);
  const { made: known } = await notes();
  if (sold.length === 0 || Object.keys(known).length === 0) return undefined;
  const channels = await channelsHere();
  const largest = (fits: Fits): Rest | undefined =>
    channels
      .flatMap((channel): Rest[] => {
        const way = sold.find(fits(channel, known));
        // A deposit whose answer was lost may have arrived, and is sent again with the next voucher.
        const units = unitsOf(channel.deposit) + unitsOf(channel.pending ?? '0') - unitsOf(channel.spent);
        return way === undefined || units <= 0n ? [] : [{ channel, units, way, pays: fits === isOf }];
      })
      .reduce<Rest | undefined>((most, rest) => (most === undefined || rest.units > most.units ? rest : most), undefined);
  return largest(isOf) ?? largest(wasOf);
}

/** What has left from a deposit for the purchase of a page under this key, and the deposit, if it has one. */
async function leftFor(url: string, key: string): Promise<{ readonly left: Left | undefined; readonly channel: Channel | undefined }> {
  const { leftIn, nameOf, requestOf, store } = await loaded();
  const { name } = await nameOf(await requestOf(url, { headers: { 'idempotency-key': key } }, false));
  const left = leftIn((await store.read()).record, name);
  return { left, channel: left?.channel === undefined ? undefined : (await channelsHere()).find(({ id }) => id === left.channel) };
}

/** The deposit from which a voucher for this page has left, or the deposit itself, while the page is not delivered. */
export async function channelOfPurchase(url: string): Promise<Channel | undefined> {
  const kept = (await notes()).open[url];
  if (kept === undefined) return undefined;
  const { left, channel } = await leftFor(url, kept.key);
  // What has left no trace in the list has ended without a deposit: nothing of it can be charged.
  if (left?.channel !== undefined && channel === undefined) await closePurchase(url, kept.key);
  return channel;
}

/** Another page that was signed for from a deposit of this account, and has not come: the gate gives the answer to its last voucher alone. */
export async function pageThatWaits(single: Way, payer: string): Promise<string | undefined> {
  const { made, open } = await notes();
  for (const [url, { key, live }] of Object.entries(open)) {
    const { left, channel } = await leftFor(url, key);
    if (channel === undefined || left?.voucher === undefined || live === true) continue;
    const isLast = unitsOf(left.voucher.amount) >= unitsOf(channel.signed);
    if (isLast && channel.payer.toLowerCase() === payer.toLowerCase() && isOf(channel, made)(single)) return url;
  }
  return undefined;
}
