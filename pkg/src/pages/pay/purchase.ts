// One purchase of this page: paid by itself, or from a deposit.

import { readWithin } from '../../beginning.js';
import type { ChannelProposal } from '../../channel-options.js';
import type { PayOptions, Policy, Proposal } from '../../options.js';
import type { Signer } from '../../signer.js';
import { make } from '../shared/dom.js';
import { A_DAY, BUDGET, channelOfPurchase, depositFetch, IN_USE_SECS, pageThatWaits, termsOf } from './deposit.js';
import { hold } from './held.js';
import type { Goods } from './kept.js';
import { noteDeposit, openPurchase } from './notes.js';
import * as panel from './panel.js';
import { priceOf, type Way } from './terms.js';
import type { Wallet } from './wallets.js';
import { ENDED, type Failure, unloaded } from './words.js';

export const URL_HERE = location.href.split('#')[0]!;
/** The same address with its path's last slash, or without it: the only one to which a gate leads where it sells no redirects, and it charges nothing then. */
export function otherSpelling(): string {
  const url = new URL(URL_HERE);
  url.pathname = url.pathname.endsWith('/') ? url.pathname.slice(0, -1) : `${url.pathname}/`;
  return url.href;
}
/** The lock of a page: whoever pays for it holds it. */
export const lockOf = (url: string): string => `farebox ${url}`;
/** As a browser asks for a page. */
const ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
/** How much more that is once its person has lifted the limit. */
const MUCH = 1_000n;
/** Characters of what a server says. */
const MOST_SAID = 300;
/** What is read of it, bytes and milliseconds: a body need not end. */
const MOST_SAID_BYTES = 4_096;
const MOST_SAID_MS = 10_000;

/** What came, whether a payment has left for it, and the receipt. */
export type Bought = { readonly response: Response; readonly isSent: boolean; readonly receipt: Goods['receipt'] };

/** The failure of a payment that has to be signed again after a reload. */
export const withoutWallet = new Error('no wallet was chosen');

/** The payer, with its compiled part. */
export const loading = import('./payer.js').catch(unloaded);
// Whoever needs it hears of a failure.
loading.catch(() => undefined);

/** The name of this page's own request: what a script of the site has sent by another method, for another user or under a key has another one. */
export async function nameHere(): Promise<string> {
  const { nameOf, requestOf } = await loading;
  return (await nameOf(await requestOf(URL_HERE, { headers: { accept: ACCEPT } }, false))).name;
}

/** Goes on with what an account has signed before. */
export function nobody(account?: string): Signer {
  const none = (): Promise<never> => Promise.reject(withoutWallet);
  return { address: account === undefined ? none : () => Promise.resolve(account), sign: none };
}

/** Signs by the account of a wallet. */
export async function walletBy({ wallet, account }: { readonly wallet: Wallet; readonly account: string }): Promise<Signer> {
  return (await loading).walletSigner(wallet.provider, { address: account });
}

let isLimited = true;

/** Lifts the limit of a day, for this visit: its person has agreed. */
export function liftLimit(): void {
  isLimited = false;
}

/** What may be paid by a way: one price of this token, within what holds for all pages here. */
export function policyOf({ terms, symbol, decimals, price }: Way, most: string): Policy {
  const asset = {
    symbol,
    network: terms.network,
    address: terms.asset,
    decimals,
    name: terms.extra.name ?? '',
    version: terms.extra.version ?? '',
  };
  const whole = BigInt(most.split('.')[0]!) + 1n;
  return {
    perPayment: price,
    perDay: String((whole > A_DAY ? whole : A_DAY) * (isLimited ? 1n : MUCH)),
    networks: [terms.network],
    // No other token of the network, which all have a symbol.
    assets: ['', asset],
    // The page is the seller's own, and shows whom it pays.
    pinPayees: false,
  };
}

/** Whether a payment beside what has ended is agreed to, and whether it must be asked for; `again`: it is known to be another one. */
type Again = { readonly payAgain: boolean; readonly asksAgain: (again?: boolean) => Promise<boolean> };

/** Pays for the page by itself. */
export async function payOnce(chosen: Way, signer: Signer, name: string, { payAgain, asksAgain }: Again): Promise<Bought> {
  const { indexedDbStore, payingFetch, receiptOf, resume, STEPS } = await loading;
  let isSent = false;
  const options: PayOptions = {
    signer,
    store: indexedDbStore(BUDGET),
    resume,
    policy: { ...policyOf(chosen, chosen.price), payAgain },
    confirm: async (proposal) => agreed(proposal, chosen, await asksAgain(proposal.again)),
    onStep: (step, proposal) => {
      panel.show(STEPS[step](name));
      if (step === 'sent' || step === 'settling') {
        isSent = true;
        // A store that is full throws: what is done was said before.
        hold(URL_HERE, proposal);
      }
    },
  };
  const response = await payingFetch(options)(URL_HERE, { headers: { accept: ACCEPT } }).catch((error: unknown) => {
    const { code, message } = (error ?? {}) as Failure;
    // Nothing was sent, so there is nothing to send again: what was signed before has ended.
    throw code === 'payment_unresolved' && !isSent ? Object.assign(new Error(String(message)), { code: 'ended' }) : error;
  });
  return { response, isSent, receipt: receiptOf(response) };
}

/** Pays for the page from a deposit, which is made first where none has enough left. */
export async function payFromDeposit(chosen: Way, signer: Signer, name: string): Promise<Bought> {
  const single = chosen.single ?? chosen;
  const [{ channelReceiptOf }, { STEPS }] = await Promise.all([import('./ahead.js').catch(unloaded), loading]);
  let isSent = false;
  const sends: typeof globalThis.fetch = (input, init) => {
    if (new Headers(init?.headers).has('payment-signature')) {
      panel.show(STEPS[isSent ? 'settling' : 'sent'](name));
      isSent = true;
    }
    return fetch(input, init);
  };
  panel.show(STEPS.looked(name));
  // What has left goes on at the price of then: a dearer one asks its person.
  const goesOn = (await channelOfPurchase(URL_HERE)) !== undefined;
  if (!goesOn && !(await agreedBeside(single, await signer.address(), 'it may not come once you pay here', ['Pay here'])))
    throw Object.assign(new Error(''), { code: 'declined' });
  const { key, price } = await openPurchase(URL_HERE, single.price, goesOn);
  const policy = { ...policyOf(single, chosen.price), perPayment: price };
  const pays = await depositFetch(sends, signer, policy, {
    deposit: chosen.price,
    confirm: async (proposal) => {
      if (!(await agreedDeposit(proposal, chosen))) return false;
      // A browser that asks its person may wait for them: the deposit does not.
      void (navigator.storage as StorageManager | undefined)?.persist?.().catch(() => false);
      await noteDeposit(proposal.channel, termsOf(single));
      panel.show(STEPS.signing(name));
      return true;
    },
  });
  const response = await pays(URL_HERE, { headers: { accept: ACCEPT, 'idempotency-key': key } }).catch((error: unknown) => {
    const { code, message } = (error ?? {}) as Failure;
    throw code === 'payment_unresolved' && !isSent ? Object.assign(new Error(String(message)), { code: 'deposit_waits' }) : error;
  });
  return { response, isSent, receipt: channelReceiptOf(response) };
}

/**
 * Whether the person agrees to what may take the answer to an earlier payment away: the gate gives the one to the last voucher alone, and none
 * to one that it has claimed by. What is under way in another tab is waited for.
 */
export async function agreedBeside(single: Way, payer: string, warning: string, answers: panel.Answers): Promise<boolean> {
  const other = await pageThatWaits(single, payer);
  if (other === undefined) return true;
  panel.show('Another page is paid from your deposit. This one waits for it.');
  const signal = AbortSignal.timeout(IN_USE_SECS * 1000);
  // The lock of this page is its own.
  if (other !== URL_HERE)
    await (navigator.locks as LockManager | undefined)?.request(lockOf(other), { signal }, () => undefined).catch(() => undefined);
  if ((await pageThatWaits(single, payer)) !== other) return agreedBeside(single, payer, warning, answers);
  const link = make('a', { href: other, target: '_blank' }, other);
  const question = `You have signed for another page, which has not come and may have been charged. Open it first: ${warning}.`;
  return panel.ask(question, answers, panel.line(link));
}

/** What an answer without the goods says, in short. */
export async function saidIn(response: Response): Promise<string> {
  const { bytes } = await readWithin(response, MOST_SAID_BYTES, MOST_SAID_MS);
  const text = new TextDecoder().decode(bytes);
  return `The server answered ${response.status}: ${text.slice(0, MOST_SAID)}${text.length > MOST_SAID ? '…' : ''}`;
}

/** Whether the person agrees: to what they clicked on, or to what it became. `isAgain`: it is another payment, and they do not know. */
async function agreed(proposal: Proposal, chosen: Way, isAgain: boolean): Promise<boolean> {
  if (isAgain && !(await panel.ask(`${ENDED} Look at your wallet first.`, ['Pay again']))) return false;
  const price = proposal.amount === chosen.terms.amount ? '' : `It costs ${proposal.amountText} now, not ${priceOf(chosen)}.`;
  return agreedParts(proposal, chosen, price);
}

/** The same of a deposit. */
async function agreedDeposit(proposal: ChannelProposal, chosen: Way): Promise<boolean> {
  if (proposal.withdrawDelaySecs !== Number(chosen.session?.extra.withdrawDelay))
    throw Object.assign(new Error('The seller may keep a deposit for another time now.'), { code: 'terms_changed' });
  const isSame = proposal.deposit === chosen.price;
  return agreedParts(proposal, chosen, isSame ? '' : `The deposit is ${proposal.deposit} ${proposal.symbol} now, not ${priceOf(chosen)}.`);
}

async function agreedParts(
  { network, asset, payTo }: Pick<Proposal, 'network' | 'asset' | 'payTo'>,
  { terms }: Way,
  price: string,
): Promise<boolean> {
  const isSamePayee = payTo.toLowerCase() === terms.payTo.toLowerCase();
  const isSameToken = network === terms.network && asset.toLowerCase() === terms.asset.toLowerCase();
  if (price === '' && isSamePayee && isSameToken) return true;
  const payee = isSamePayee ? [] : [`It is paid to ${payTo} now, not to ${terms.payTo}.`];
  const token = isSameToken ? [] : [`It is paid in the token ${asset} of ${network} now.`];
  return panel.ask([...(price === '' ? [] : [price]), ...payee, ...token].join(' '), ['Pay that']);
}
