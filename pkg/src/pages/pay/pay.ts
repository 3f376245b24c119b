// Pays for the page that answered 402, in its place: looks, asks the wallet, pays once, and shows what came.

import type { PaymentStep, PayOptions, Proposal } from '../../options.js';
import type { KeptPayment } from '../../resume.js';
import type { Signer } from '../../signer.js';
import { make } from '../shared/dom.js';
import { fileOf, followed, isGuarded, shown } from './goods.js';
import { canHold, type Held, heldOf, hold, wayOf } from './held.js';
import { forget, type Goods, keep, keptOf } from './kept.js';
import * as panel from './panel.js';
import { payableWays, priceOf, type Way } from './terms.js';
import { balanceOf, firstAccount, switchTo, type Wallet, watchWallets } from './wallets.js';
import { ENDED, type Failure, isOpen, isStopped, wordsFor } from './words.js';

const URL_HERE = location.href.split('#')[0]!;
/** As a browser asks for a page. */
const ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
/** The most that this site is paid in a day without another question, whole tokens. */
const A_DAY = 100n;
/** Pauses before the same payment is sent again, seconds; the last one stays. */
const PAUSES = [3, 6, 12, 30];

/** The name of the budget in IndexedDB: one for all pages of this origin. */
const BUDGET = 'farebox';

const loading = import('./payer.js');
// Whoever needs it hears of a failure.
loading.catch(() => undefined);
const ways = payableWays();
let way = ways[0];
let wallets: readonly Wallet[] = [];
/** The way of what can still be charged: no other can be chosen meanwhile. */
let onlyWay: Way | undefined;
/** The wallet that was chosen, with its account: both sign, or nobody does. */
let chosenWallet: { readonly wallet: Wallet; readonly account: string } | undefined;
/** Whether the choices are shown, which change with the wallets. */
let isChoosing = false;

/** What is done while a payment goes on. */
const STEPS: Readonly<Record<PaymentStep, (wallet: string) => string>> = {
  looked: () => 'Looking at the terms…',
  confirmed: () => 'Looking at the terms…',
  signing: (wallet) => `Sign in ${wallet}.`,
  sent: () => 'Signed. The server checks and settles the payment…',
  settling: () => 'Still settling. The same payment is sent again: you are charged once.',
  done: () => 'Paid.',
};

/**
 * Asks for the page with a payment, by the chosen wallet if one is to sign. `payAgain`: its person has agreed that it may be charged
 * beside what has ended.
 */
async function buy(chosen: Way, payAgain = false): Promise<void> {
  const { terms, symbol, decimals, price } = chosen;
  const { indexedDbStore, payingFetch, receiptOf, resume, walletSigner } = await loading;
  const by = chosenWallet;
  const signer: Signer = by === undefined ? nobody : walletSigner(by.wallet.provider, { address: by.account });
  const asset = {
    symbol,
    network: terms.network,
    address: terms.asset,
    decimals,
    name: terms.extra.name ?? '',
    version: terms.extra.version ?? '',
  };
  const most = BigInt(price.split('.')[0]!) + 1n;
  let isSent = false;
  const options: PayOptions = {
    signer,
    store: indexedDbStore(BUDGET),
    resume,
    policy: {
      perPayment: price,
      perDay: String(most > A_DAY ? most : A_DAY),
      networks: [terms.network],
      // No other token of the network, which all have a symbol.
      assets: ['', asset],
      // The page is the seller's own, and shows whom it pays.
      pinPayees: false,
      payAgain,
    },
    confirm: (proposal) => agreed(proposal, chosen, payAgain),
    onStep: (step, proposal) => {
      if (step === 'sent' || step === 'settling') {
        isSent = true;
        hold(URL_HERE, proposal);
      }
      panel.show(STEPS[step](by?.wallet.name ?? 'your wallet'));
    },
  };
  const response = await payingFetch(options)(URL_HERE, { headers: { accept: ACCEPT } }).catch((error: unknown) => {
    const { code, message } = (error ?? {}) as Failure;
    // Nothing was sent, so there is nothing to send again: what was signed before has ended.
    throw code === 'payment_unresolved' && !isSent ? Object.assign(new Error(String(message)), { code: 'ended' }) : error;
  });
  if (response.type === 'opaqueredirect') throw Object.assign(new Error(''), { code: 'leads_on', signed: isSent });
  if (!response.ok) throw Object.assign(new Error(await saidIn(response)), { code: isSent ? 'undelivered' : 'unanswered', signed: isSent });
  if (/^text\/event-stream\b/.test(response.headers.get('content-type') ?? '')) return follow(response);
  const goods: Goods = {
    type: response.headers.get('content-type') ?? '',
    file: fileOf(response, URL_HERE),
    isGuarded: isGuarded(response.headers),
    receipt: receiptOf(response),
    body: await response.blob().catch(() => {
      // The answer broke off: the same payment fetches it again.
      throw Object.assign(new Error('the answer broke off'), { code: 'payment_unresolved', signed: true });
    }),
  };
  await keep(URL_HERE, goods).catch(() => undefined);
  await deliver(goods);
}

/** What an answer without the goods says, in short. */
async function saidIn(response: Response): Promise<string> {
  const text = await response.text();
  return `The server answered ${response.status}: ${text.slice(0, MOST_SAID)}${text.length > MOST_SAID ? '…' : ''}`;
}

/** Characters of what a server says. */
const MOST_SAID = 300;

/** The failure of a payment that has to be signed again after a reload. */
const withoutWallet = new Error('no wallet was chosen');

/** Goes on with what was signed before. */
const nobody: Signer = { address: () => Promise.reject(withoutWallet), sign: () => Promise.reject(withoutWallet) };

/** Whether the person agrees: to what they clicked on, or to what it became. `payAgain`: they know that it is another payment. */
async function agreed(proposal: Proposal, { terms, ...shownWay }: Way, payAgain: boolean): Promise<boolean> {
  if (proposal.again === true && !payAgain && !(await panel.ask(`${ENDED} Look at your wallet first.`, 'Pay again'))) return false;
  const isSamePrice = proposal.amount === terms.amount;
  const isSamePayee = proposal.payTo.toLowerCase() === terms.payTo.toLowerCase();
  const isSameToken = proposal.network === terms.network && proposal.asset.toLowerCase() === terms.asset.toLowerCase();
  if (isSamePrice && isSamePayee && isSameToken) return true;
  const price = isSamePrice ? [] : [`It costs ${proposal.amountText} now, not ${priceOf({ terms, ...shownWay })}.`];
  const payee = isSamePayee ? [] : [`It is paid to ${proposal.payTo} now, not to ${terms.payTo}.`];
  const token = isSameToken ? [] : [`It is paid in the token ${proposal.asset} of ${proposal.network} now.`];
  return panel.ask([...price, ...payee, ...token].join(' '), 'Pay that');
}

/** Begins anew. */
async function forgotten(): Promise<void> {
  await forget(URL_HERE);
  panel.paid(false);
  begin();
}

/** Shows events while they come. */
async function follow(response: Response): Promise<void> {
  const place = make('pre', { tabindex: '0', 'aria-label': 'What you paid for' });
  panel.paid();
  panel.show('Paid. It comes live.', place);
  const isWhole = await followed(response, place).then(
    () => true,
    () => false,
  );
  panel.show(isWhole ? 'Paid. That was all.' : 'Paid. It broke off here.', place);
}

async function deliver(goods: Goods): Promise<void> {
  isChoosing = false;
  const explorer = ways.find(({ terms }) => terms.network === goods.receipt?.network)?.explorer ?? '';
  panel.delivered(goods, await shown(goods, URL_HERE), explorer, () => void forgotten());
}

/** Lets one tab of this page pay at a time: another one waits, and shows what the first has bought. */
async function inOneTab(work: () => Promise<void>): Promise<void> {
  // Pages without a secure context have none.
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) return work();
  panel.show('Another tab pays for this page. This one waits for it.');
  await locks.request(`farebox ${URL_HERE}`, async () => {
    const goods = await keptOf(URL_HERE).catch(() => undefined);
    await (goods === undefined ? work() : deliver(goods));
  });
}

/** Pays with a wallet: first what costs nothing. */
async function payWith(wallet: Wallet): Promise<void> {
  panel.show(`Choose an account in ${wallet.name}.`);
  const account = await firstAccount(wallet);
  const before = await whoSigned();
  // What can be charged goes on by its way: another network would charge beside it.
  const chosen = onlyWay ?? way!;
  const isOther = before !== undefined && before.account.toLowerCase() !== account.toLowerCase();
  if (isOther && !before.hasEnded) return panel.otherAccount(before.account, () => begin());
  const isBeside = isOther || (before?.hasEnded === true && chosen !== wayOf(before, ways));
  if (isBeside && !(await panel.ask(`${ENDED} It was signed by ${before.account}. Look at that account first.`, 'Pay again')))
    return begin();
  panel.show(`Choose ${chosen.title} in ${wallet.name}.`);
  await switchTo(wallet, chosen);
  // A wallet that has signed may have paid already.
  const held = !isBeside && (await isSigned()) ? undefined : await balanceOf(wallet, chosen, account);
  if (held !== undefined && held < BigInt(chosen.terms.amount)) return panel.lacking(chosen, held, wallet, () => begin());
  chosenWallet = { wallet, account };
  await buy(chosen, isBeside);
}

/** Runs one purchase at a time, and says how it failed. */
async function run(work: () => Promise<void>): Promise<void> {
  isChoosing = false;
  try {
    await work();
  } catch (error) {
    await afterFailure(error, 0);
  }
}

/** Goes on with what is open, with a wallet if it must be signed again; else says what went wrong. `time` counts what was sent again. */
async function afterFailure(error: unknown, time: number): Promise<void> {
  if (error === withoutWallet) return run(async () => begin(await goesOn()));
  const failure = await knowing((error ?? {}) as Failure);
  if (isOpen(failure)) return sendAgain(time);
  panel.failed(wordsFor(failure), saidBy(failure), () => (isStopped(failure) ? void run(allowed) : begin()));
}

/** Goes on although the seller asked for no further payment: a person has read what it says, and wants to. */
async function allowed(): Promise<void> {
  const { endpointsOf, indexedDbStore } = await loading;
  const endpoints = endpointsOf(indexedDbStore(BUDGET));
  await endpoints.reenable(URL_HERE);
  await endpoints.approve(URL_HERE);
  await inOneTab(goOn);
}

/** Goes on with what was signed, else shows the choices. */
async function goOn(): Promise<void> {
  const before = await whoSigned();
  way = wayOf(before, ways) ?? way;
  if (way === undefined || !(await isSigned())) return begin();
  if (before?.hasEnded) return begin(await goesOn());
  await buy(way);
}

/** Who has signed for this page, while that is open, and whether it can no more be charged. */
async function whoSigned(): Promise<(Held & { readonly hasEnded: boolean }) | undefined> {
  const { isUnended } = await loading;
  const open = await openPayments();
  const held = heldOf(URL_HERE, open);
  const hasEnded = !open.some(({ ends }) => isUnended(ends, Date.now() / 1000));
  onlyWay = hasEnded ? undefined : wayOf(held, ways);
  return held && { ...held, hasEnded };
}

/** Words for a payment that has to be signed again. */
async function goesOn(): Promise<string> {
  const before = await whoSigned();
  const by = before === undefined || before.account === '' ? '' : `, ${before.account}`;
  const only = before?.hasEnded && ways.length > 1 ? ` and pay as before, on ${wayOf(before, ways)?.title ?? before.network}` : '';
  return `You have signed a payment for this page. Choose the same account to go on${by}${only}: you are charged once.`;
}

/** A failure, with what the record knows: whether a payment for this page is signed and open. */
async function knowing(failure: Failure): Promise<Failure> {
  if (failure.signed === true) return failure;
  const { code, message } = failure;
  return isSigned().then(
    (signed) => ({ code, message, signed }),
    // What cannot be read may be signed.
    () => ({ code: 'unread', message, signed: true }),
  );
}

/** Whether a payment for this page is signed and open. */
async function isSigned(): Promise<boolean> {
  return (await openPayments()).length > 0;
}

/** What is signed for this page and open: a store that fails does not tell that nothing is. */
async function openPayments(): Promise<KeptPayment[]> {
  const { indexedDbStore, sentPayments } = await loading;
  const sent = await sentPayments(indexedDbStore(BUDGET)).catch((error: unknown) => {
    throw Object.assign(new Error(String((error as Failure).message)), { code: 'unread' });
  });
  return sent.filter(({ url, open }) => open && url === URL_HERE);
}

/** What a server or a wallet says about a failure, where it adds something. */
function saidBy({ code, message }: Failure): string {
  return typeof message === 'string' && code !== 4001 && code !== 'wallet_rejected' ? message : '';
}

/** What was signed goes out again until it has an answer. */
function sendAgain(time: number): void {
  const pause = PAUSES[Math.min(time, PAUSES.length - 1)]!;
  panel.show(
    `It is not known yet what became of your payment. Do not pay again. This page sends the same payment again in ${pause} seconds: you are charged once.`,
  );
  const again = async (): Promise<void> => {
    panel.show('Sending the same payment again…');
    try {
      // What is open goes on by its own way, whatever is chosen in this tab.
      await inOneTab(async () => buy(wayOf(await whoSigned(), ways) ?? way!));
    } catch (error) {
      await afterFailure(error, time + 1);
    }
  };
  setTimeout(() => void again(), pause * 1000);
}

/** Shows the choices. */
function begin(text = 'Choose a wallet.'): void {
  isChoosing = true;
  if (way === undefined) {
    panel.show('A program can pay this; a wallet in a browser cannot.');
    return;
  }
  if (wallets.length === 0) {
    void showElsewhere();
    return;
  }
  const choose = (other: Way): void => {
    way = other;
    begin(text);
    document.querySelector<HTMLElement>('#pay input:checked')?.focus();
  };
  panel.show(
    text,
    ...panel.choices(
      onlyWay === undefined ? ways : [onlyWay],
      onlyWay ?? way,
      wallets,
      choose,
      (wallet) => void run(() => inOneTab(() => payWith(wallet))),
    ),
  );
}

/** How to pay where this browser has no wallet. */
async function showElsewhere(): Promise<void> {
  const { elsewhere } = await import('./phone.js');
  if (isChoosing && wallets.length === 0) panel.show('This browser has no wallet.', ...elsewhere(URL_HERE));
}

/** Shows what was paid before, else goes on with what was signed, else shows the choices. */
async function start(): Promise<void> {
  panel.open();
  if (!canHold())
    return panel.show(
      'Your browser keeps nothing for this page, so a payment could not be continued. Allow it to, then reload. Nothing was paid.',
    );
  const goods = await keptOf(URL_HERE).catch(() => undefined);
  if (goods !== undefined) return deliver(goods);
  await run(goOn);
}

watchWallets((found) => {
  wallets = found;
  if (isChoosing) begin();
});
await start();
