// Pays for the page that answered 402, in its place: looks, asks the wallet, pays once, and shows what came.

import { make } from '../shared/dom.js';
import { deliver, type Flow, take } from './delivery.js';
import { BUDGET, isOffered } from './deposit.js';
import { canHold, wayOf } from './held.js';
import { keptOf, unkeptSince } from './kept.js';
import { closePurchase } from './notes.js';
import * as panel from './panel.js';
import {
  liftLimit,
  loading,
  lockOf,
  nameHere,
  nobody,
  otherSpelling,
  payFromDeposit,
  payOnce,
  URL_HERE,
  walletBy,
  withoutWallet,
} from './purchase.js';
import { leftOver, look, restPays } from './rest.js';
import { deposits, isSigned, type Signed, signed, ways, whoSigned } from './signed.js';
import type { Way } from './terms.js';
import { balanceOf, firstAccount, switchTo, type Wallet, watchWallets } from './wallets.js';
import { ENDED, type Failure, isOpen, isStopped, saidBy, wasGiven, wordsFor } from './words.js';

/** Pauses before the same payment is sent again, seconds; the last one stays. */
const PAUSES = [3, 6, 12, 30];

let way = ways[0];
let wallets: readonly Wallet[] = [];
/** The wallet that was chosen, with its account: both sign, or nobody does. */
let chosenWallet: { readonly wallet: Wallet; readonly account: string } | undefined;
/** Whether the choices are shown, which change with the wallets, and what is said above them. */
let isChoosing = false;
let asked: string;

const flow: Flow = {
  stops: () => {
    isChoosing = false;
  },
  begin: () => void begin(),
  again: () => void run(() => inOneTab(goOn)),
  alone: (work, back) => void run(() => inOneTab(work, false, back)),
};

/**
 * Asks for the page with a payment, by the chosen wallet if one is to sign. `payAgain`: its person has agreed that it may be charged
 * beside what has ended.
 */
async function buy(chosen: Way, payAgain = false, depositor?: string): Promise<void> {
  const signer = chosenWallet === undefined ? nobody(depositor) : await walletBy(chosenWallet);
  const name = chosenWallet?.wallet.name ?? 'your wallet';
  const wasSigned = await isSigned();
  // What was let go of meanwhile has ended, and may have been charged.
  const asksAgain = async (again?: boolean): Promise<boolean> => !payAgain && (again === true || (wasSigned && !(await isSigned())));
  const once = { payAgain, asksAgain };
  const bought = chosen.single === undefined ? await payOnce(chosen, signer, name, once) : await payFromDeposit(chosen, signer, name);
  await take(bought, flow);
}

/**
 * Lets one tab of this page pay at a time: another one waits, and shows what the first has bought. `back` shows again what stood here,
 * which may be nowhere else, and ends the waiting.
 */
async function inOneTab(work: () => Promise<void>, buys = true, back?: () => void): Promise<void> {
  // Pages without a secure context have none.
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) return work();
  const before = unkeptSince(URL_HERE);
  const alone = async (): Promise<void> => {
    const goods = buys ? await keptOf(URL_HERE).catch(() => undefined) : undefined;
    if (goods !== undefined) return deliver(goods, flow);
    // What came live or is large is shown in that tab alone.
    const hasBought = buys && unkeptSince(URL_HERE) !== before;
    if (hasBought && !(await panel.ask('Another tab has just paid for this page, and shows it.', ['Pay again']))) return begin();
    await work();
  };
  const name = lockOf(URL_HERE);
  let waits = false;
  await locks.request(name, { ifAvailable: true }, async (lock) => {
    waits = lock === null;
    if (lock !== null) await alone();
  });
  if (!waits) return;
  const waiting = new AbortController();
  const leave = panel.button('Go on', () => waiting.abort());
  panel.show('Another tab pays for this page. This one waits for it.', ...(back === undefined ? [] : [panel.line(leave)]));
  await locks.request(name, { signal: waiting.signal }, alone).catch((error: unknown) => {
    if (!waiting.signal.aborted || back === undefined) throw error;
    back();
  });
}

/** Pays with a wallet: first what costs nothing. */
async function payWith(wallet: Wallet): Promise<void> {
  panel.show(`Choose an account in ${wallet.name}.`);
  const account = await firstAccount(wallet);
  const before = await whoSigned();
  // What can be charged goes on by its way: another network would charge beside it.
  const isOpenHere = before !== undefined && !before.hasEnded;
  const chosen = signed.onlyWay ?? (isOpenHere ? (way!.single ?? way!) : way!);
  const isOther = before !== undefined && before.account.toLowerCase() !== account.toLowerCase();
  if (isOther && !before.hasEnded) return panel.otherAccount(before.account, () => void begin());
  if (isStuck(before)) return stuck();
  const isBeside = isOther || (before?.hasEnded === true && (before.isAnswered || chosen !== wayOf(before, ways)));
  if (isBeside && !(await panel.ask(`${ENDED} It was signed by ${before.account}. Look at that account first.`, ['Pay again'])))
    return begin();
  panel.show(`Choose ${chosen.title} in ${wallet.name}.`);
  await switchTo(wallet, chosen);
  // A wallet that has signed may have paid already.
  const held = !isBeside && (await isSigned()) ? undefined : await balanceOf(wallet, chosen, account);
  if (held !== undefined && held < BigInt(chosen.terms.amount)) return panel.lacking(chosen, held, wallet, () => void begin());
  chosenWallet = { wallet, account };
  await buy(chosen, isBeside);
}

/** Runs one purchase at a time, and says how it failed. */
async function run(work: () => Promise<void>): Promise<void> {
  isChoosing = false;
  turn += 1;
  // What else could be pressed is gone at once: a second run would take away what the first one brings.
  panel.show(LOOKS);
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
  const before = await whoSigned().catch(() => undefined);
  const goes = isStopped(failure)
    ? allowed
    : before?.isDeposit
      ? () => inOneTab(goOn)
      : async () => begin(await goesOn().catch(() => CHOOSE));
  const again = (): void => void (failure.code === 'unloaded' ? location.reload() : run(goes));
  const isOver = before !== undefined && (before.isDeposit || before.hasEnded);
  const given = before && wasGiven(failure) ? (error as Failure).payment?.key : undefined;
  const anew = isOver || given ? ANEW : failure.code === 'budget_exhausted' ? MORE : undefined;
  const button = anew && panel.button(anew, () => void run(anew === MORE ? payMore : () => inTurn(given)));
  const spelling = failure.code === 'leads_on' ? otherSpelling() : URL_HERE;
  const link = spelling === URL_HERE ? undefined : make('a', { href: spelling }, spelling);
  panel.failed(wordsFor(failure), saidBy(failure), again, button, link);
}

const ANEW = 'Pay anew';
const MORE = 'Pay all the same';

/** Pays beyond the limit of a day, once its person has read that there is one. */
async function payMore(): Promise<void> {
  if (await panel.ask('This site would be paid more in a day than this page pays without a question.', [MORE])) liftLimit();
  await begin();
}

const inTurn = (given?: string): Promise<void> => inOneTab(() => payAnew(given), false);

const OTHERWISE = {
  title: 'The seller takes no deposits of this kind any more.',
  advice: 'What you signed for this page may be charged to your deposit.',
  again: false,
};

/**
 * Lets go what has ended, or has left from a deposit, for this page, if its person agrees, and shows the choices. `given`: the key of a payment
 * for which the seller says that it has delivered. Nobody knows that it has, so it may be charged yet.
 */
async function payAnew(given?: string): Promise<void> {
  const before = await whoSigned();
  if (before === undefined) return begin();
  const question = before.hasEnded
    ? `${ENDED} Look at your wallet first.`
    : `What was signed for this page may ${before.isDeposit ? 'be charged to your deposit' : 'still be charged'}, whatever you pay now.`;
  if (!(await panel.ask(question, [ANEW]))) {
    // A wallet is asked by a press alone, and this one said no.
    chosenWallet = undefined;
    return isStuck(before) ? stuck() : goOn();
  }
  if (before.isDeposit) await closePurchase(URL_HERE);
  else {
    const { closeEnded, indexedDbStore } = await loading;
    await closeEnded(indexedDbStore(BUDGET), await nameHere(), Date.now() / 1000, given);
  }
  await begin();
}

/** Goes on although the seller asked for no further payment: a person has read what it says, and wants to. */
async function allowed(): Promise<void> {
  const { endpointsOf, indexedDbStore } = await loading;
  const endpoints = endpointsOf(indexedDbStore(BUDGET));
  await endpoints.reenable(URL_HERE);
  await endpoints.approve(URL_HERE);
  await inOneTab(goOn);
}

/** Whether a deposit has left for this page whose kind the seller takes no more. */
const isStuck = (before: Signed | undefined): boolean => before?.isDeposit === true && signed.onlyWay === undefined;

function stuck(): void {
  panel.failed(
    OTHERWISE,
    '',
    () => void run(inTurn),
    panel.button(ANEW, () => void run(inTurn)),
  );
}

/** Goes on with what was signed, else shows the choices. */
async function goOn(): Promise<void> {
  await look();
  const before = await whoSigned();
  if (before?.isDeposit) {
    if (isStuck(before)) return stuck();
    // An earlier try may have chosen another account, whose deposit is another one.
    if (chosenWallet?.account.toLowerCase() !== before.account.toLowerCase()) chosenWallet = undefined;
    return buy(signed.onlyWay!, false, before.account);
  }
  // Beside what was signed by itself nothing is paid from a deposit, also where the note of its way is lost.
  if (before !== undefined) way = wayOf(before, ways) ?? way?.single ?? way;
  if (way === undefined || !(await isSigned())) return choose();
  if (before?.hasEnded) return begin(await goesOn());
  await buy(way);
}

/** Words for a payment that has to be signed again. */
async function goesOn(): Promise<string> {
  const before = await whoSigned();
  if (before === undefined) return CHOOSE;
  if (before.hasEnded && before.isAnswered) return `${ENDED} An answer came for it, without a receipt.`;
  const by = before.account === '' ? '' : `, ${before.account}`;
  const only = before.hasEnded && ways.length > 1 ? ` and pay as before, on ${wayOf(before, ways)?.title ?? before.network}` : '';
  return `You have signed a payment for this page. Choose the same account to go on${by}${only}: you are charged once.`;
}

/** A failure, with what the record knows: whether a payment for this page is signed and open, and has ended. */
async function knowing(failure: Failure): Promise<Failure> {
  if (failure.signed === true) return failure;
  const { code, message } = failure;
  return whoSigned().then(
    (before) => ({ code, message, signed: before !== undefined, hasEnded: before?.hasEnded === true }),
    // What cannot be read may be signed.
    (unread: Failure) => ({ code: unread.code, message, signed: true }),
  );
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
      await inOneTab(async () => {
        const before = await whoSigned();
        // A wallet is asked by a press alone, also where more is to be signed than what goes out again.
        chosenWallet = undefined;
        if (before?.hasEnded) return begin(await goesOn());
        // The note of its way may be lost. What was sent before does not need it.
        const by = before?.isDeposit ? signed.onlyWay : before && (wayOf(before, ways) ?? ways[0]);
        // Another tab has ended it, or the seller sells otherwise: nothing is bought without a press.
        if (by === undefined) return begin();
        await buy(by, false, before?.account);
      });
    } catch (error) {
      await afterFailure(error, time + 1);
    }
  };
  setTimeout(() => void again(), pause * 1000);
}

const CHOOSE = 'Choose a wallet.';
const LOOKS = 'Looking at what this browser keeps for the page…';

/** Counts what was begun: what was overtaken while it read shows nothing. */
let turn = 0;

/** Reads what is signed and what is left, and shows the choices. */
async function begin(text = CHOOSE): Promise<void> {
  turn += 1;
  const mine = turn;
  panel.show(LOOKS);
  await look();
  // What cannot be read is read again by each press.
  await whoSigned().catch(() => undefined);
  if (mine === turn) choose(text);
}

/** Shows the choices. */
function choose(text = CHOOSE): void {
  [isChoosing, asked] = [true, text];
  if (way === undefined) {
    panel.show('A program can pay this; a wallet in a browser cannot.');
    return;
  }
  const mayPayAnew = signed.hasEnded || signed.onlyWay?.single !== undefined;
  const left = mayPayAnew ? [panel.line(panel.button(ANEW, () => void run(inTurn)))] : signed.onlyWay === undefined ? fromRest() : [];
  if (wallets.length === 0) {
    showElsewhere(text, left);
    return;
  }
  const change = (other: Way): void => {
    way = other;
    choose(text);
    document.querySelector<HTMLElement>('#pay input:checked')?.focus();
  };
  panel.show(
    text,
    ...left,
    ...panel.choices(
      signed.onlyWay === undefined ? [...ways, ...deposits.filter(isOffered)] : [signed.onlyWay],
      signed.onlyWay ?? way,
      wallets,
      change,
      (wallet) => void run(() => inOneTab(() => payWith(wallet))),
    ),
  );
}

/** Pays with what is left of a deposit, which needs no wallet; or has it paid back. */
function fromRest(): readonly Node[] {
  const left = leftOver(() => void begin(), flow.alone);
  const of = restPays()?.way.single;
  return of === undefined ? left : [panel.payLeft(of, () => void run(() => inOneTab(payLeft))), ...left];
}

/** Pays with what is left of a deposit, unless another tab has signed for this page meanwhile: that goes on. */
async function payLeft(): Promise<void> {
  await look();
  const [pays, before] = [restPays(), await whoSigned()];
  if (before !== undefined) return goOn();
  if (pays === undefined) return begin();
  chosenWallet = undefined;
  await buy(pays.way, false, pays.payer);
}

/** How to pay where this browser has no wallet. What is signed for the page goes on in this browser alone. */
function showElsewhere(text: string, left: readonly Node[]): void {
  if (text !== CHOOSE) {
    panel.show(text, make('p', {}, `${NO_WALLET} Turn it on again, then reload the page.`), ...left);
    return;
  }
  const place = make('div');
  panel.show(NO_WALLET, ...left, place);
  import('./phone.js').then(
    ({ elsewhere }) => place.append(...elsewhere(URL_HERE)),
    () => place.append(make('p', {}, 'Install one and reload the page.')),
  );
}

const NO_WALLET = 'This browser has no wallet.';

/** Shows what was paid before, else goes on with what was signed, else shows the choices. */
async function start(): Promise<void> {
  panel.open();
  if (!canHold())
    return panel.show(
      'Your browser keeps nothing for this page, so a payment could not be continued. Allow it to, then reload. Nothing was paid.',
    );
  const goods = await keptOf(URL_HERE).catch(() => undefined);
  if (goods !== undefined) return run(() => deliver(goods, flow));
  panel.show(LOOKS);
  await run(() => inOneTab(goOn));
}

watchWallets((found) => {
  wallets = found;
  if (isChoosing) choose(asked);
});
await start();
