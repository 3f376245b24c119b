// The part of the page that a person pays with: one state at a time, each said to readers.

import { visible } from '../../visible.js';
import { make } from '../shared/dom.js';
import { inTokens } from '../shared/money.js';
import { SETTLED_MS } from '../shared/presses.js';
import { pagesOf } from './deposit.js';
import { priceOf, type Way } from './terms.js';
import type { Wallet } from './wallets.js';
import type { Words } from './words.js';

const place = document.querySelector<HTMLElement>('#pay')!;
/** Where a reader hears what happens. */
const status = make('p', { role: 'status', class: 'note' });
const body = make('div');
const more = make('div');

/** Shows the part. */
export function open(): void {
  place.append(status, body, more);
  place.hidden = false;
}

/** Says what happens, and shows these below. */
export function show(text: string, ...nodes: readonly Node[]): void {
  // Names of wallets are in it.
  status.textContent = visible(text);
  body.replaceChildren(...nodes);
}

/** Shows these beside whatever else is shown: they may be nowhere else. */
export const beside = (nodes: readonly Node[]): void => more.replaceChildren(...nodes);

/** A line that is no more than a note. */
export const quiet = (text: string): HTMLElement => make('p', { class: 'quiet' }, text);

/** A button. */
export function button(text: string, act: () => void, ...more: readonly Node[]): HTMLButtonElement {
  const made = make('button', { type: 'button' }, ...more, text);
  // A second click, or a key that is held, was meant for what stood here before. What is pressed acts once: another panel comes.
  let isPressed = false;
  made.addEventListener('click', ({ detail }) => {
    if (detail > 1 || isPressed) return;
    isPressed = true;
    act();
  });
  made.addEventListener('keydown', (event) => event.repeat && /^(?:Enter| )$/.test(event.key) && event.preventDefault());
  return made;
}

/** A line of its own. */
export function line(node: Node): HTMLElement {
  return make('p', {}, node);
}

/** The ways to pay and the wallets, to begin with. */
export function choices(
  ways: readonly Way[],
  way: Way,
  wallets: readonly Wallet[],
  choose: (way: Way) => void,
  pay: (wallet: Wallet) => void,
): readonly Node[] {
  const where = ways.length > 1 ? ` on ${way.title}` : '';
  const lines = ways.map((it, at) => {
    const input = make('input', { type: 'radio', name: 'way', id: `way-${at}`, checked: it === way });
    input.addEventListener('change', () => choose(it));
    return make(
      'p',
      { class: 'way' },
      input,
      make('label', { for: `way-${at}` }, `${priceOf(it)} on ${it.title}`, it.test ? ' (test money)' : '', aheadOf(it)),
    );
  });
  const verb = way.single === undefined ? 'Pay' : 'Deposit';
  const asked = ways.length > 1 ? [make('fieldset', {}, make('legend', {}, 'How do you want to pay?'), ...lines)] : [];
  const buttons = wallets.map((wallet) => {
    const icon = wallet.icon === '' ? [] : [make('img', { src: wallet.icon, alt: '', width: '24', height: '24' })];
    return make(
      'li',
      {},
      button(`${verb} ${priceOf(way)}${where} with ${wallet.name}`, () => pay(wallet), ...icon),
    );
  });
  return [...asked, make('ul', { class: 'wallets' }, ...buttons), quiet(way.single === undefined ? ONCE : AHEAD)];
}

const ONCE = 'You sign once. There is no transaction fee for you.';
const AHEAD =
  'You sign once, and not again for the pages after this one. Once a page was paid, what is left comes back when you ask, in this browser alone: ask before you clear its data or close a private window. There is no transaction fee for you.';

/** What a deposit is good for. */
function aheadOf(way: Way): string {
  return way.single === undefined ? '' : `, now, for about ${pagesOf(way)} pages like this one: the rest comes back`;
}

/** Pays from a deposit without a wallet, which would ask once more. */
export function payLeft(way: Way, pay: () => void): HTMLElement {
  return line(settled(button(`Pay ${priceOf(way)} from your deposit`, pay)));
}

/** A button that pays without asking again: a press right after it came, or its window did, was meant for what stood there before. */
export function settled(made: HTMLElement): HTMLElement {
  cameAt = performance.now();
  made.addEventListener('click', (event) => isEarly() && event.stopImmediatePropagation(), true);
  settle = (): void => {
    made.setAttribute('aria-disabled', String(isEarly()));
    if (isEarly()) setTimeout(settle, SETTLED_MS);
  };
  settle();
  return made;
}

let cameAt = 0;
let settle = (): void => undefined;
addEventListener('focus', () => {
  cameAt = performance.now();
  settle();
});
const isEarly = (): boolean => performance.now() - cameAt < SETTLED_MS;

export const GIVE_BACK = 'Get the rest back';

/** What is left of a deposit, in words, and a button that has it paid back, where the seller does that. */
export function leftOver(rest: string, giveBack: (() => void) | undefined): readonly Node[] {
  const how = giveBack === undefined ? 'It comes back once a page was paid from it, or from the contract that holds it.' : '';
  const note = quiet(`${rest} left of your deposit here. ${how}`);
  return giveBack === undefined ? [note] : [note, make('p', {}, button(GIVE_BACK, giveBack))];
}

/** That the rest of a deposit was paid back. */
export function paidBack(amount: string, account: string, number: string, explorer: string, begin: () => void): void {
  const to = make('p', {}, 'It went to ', make('code', {}, account), '.');
  show(`You have ${amount} back.`, to, ...receiptLine(number, explorer), make('p', {}, button('Go on', begin)));
}

/** The number of a transaction, with its place in the explorer. */
export function receiptLine(number: string, explorer: string): readonly Node[] {
  const code = make('code', {}, number);
  const link = explorer !== '' && /^0x[0-9a-f]{64}$/i.test(number);
  const proof = link ? make('a', { href: `${explorer}/tx/${number}`, rel: 'noreferrer', target: '_blank' }, code) : code;
  return number === '' ? [] : [make('p', { class: 'quiet' }, 'Receipt: transaction ', proof)];
}

/** The words of yes, and of no where nothing is paid by yes. */
export type Answers = readonly [yes: string, no?: string];

/** A question that goes on with yes or no. */
export function ask(question: string, [yes, no = 'Do not pay']: Answers, ...more: readonly Node[]): Promise<boolean> {
  return new Promise((answer) => {
    const agree = settled(button(yes, () => answer(true)));
    show(
      question,
      ...more,
      make(
        'p',
        { class: 'actions' },
        agree,
        button(no, () => answer(false)),
      ),
    );
    agree.focus();
  });
}

/** A failure after which nothing is open. */
export function failed({ title, advice, again }: Words, said: string, begin: () => void, ...others: readonly (Node | undefined)[]): void {
  const retry = button('Try again', begin);
  const nodes = [
    make('p', {}, advice),
    ...(said === '' ? [] : [quiet(said)]),
    ...(again ? [make('p', {}, retry)] : []),
    ...others.flatMap((other) => (other === undefined ? [] : [line(other)])),
  ];
  show(title, ...nodes);
  if (again) retry.focus();
}

/** That another account has signed. */
export function otherAccount(account: string, begin: () => void): void {
  const advice = make('p', {}, 'Choose ', make('code', {}, account), ' in its wallet: another one would be charged beside it.');
  show('Another account has signed a payment for this page.', advice, make('p', {}, button('Try again', begin)));
}

/** That a wallet holds too little. */
export function lacking(way: Way, held: bigint, wallet: Wallet, begin: () => void): void {
  const balance = `${inTokens(held, way.decimals)} ${way.symbol}`;
  const faucet = make('a', { href: 'https://faucet.circle.com', rel: 'noreferrer', target: '_blank' }, 'faucet.circle.com');
  // Without https it is on this machine, with a chain of its own, to which no faucet leads.
  const isFree = way.test && way.symbol === 'USDC' && location.protocol === 'https:';
  const test = isFree ? [make('p', {}, 'Test money is free at ', faucet, '.')] : [];
  const asks = way.single === undefined ? 'this costs' : 'the deposit is';
  const advice = make('p', {}, `It holds ${balance} on ${way.title}, and ${asks} ${priceOf(way)}. Nothing was paid.`);
  show(`There is not enough in ${wallet.name}.`, advice, ...test, make('p', {}, button('Try again', begin)));
}

/** Says in the title that it is paid, or that it is to be paid. */
export function paid(is = true): void {
  const text = is ? 'Paid' : 'Payment required';
  document.title = text;
  document.querySelector('h1')!.textContent = text;
  document.querySelector('#pay-title')!.textContent = is ? 'Yours' : 'Pay here';
}

/** An answer without a receipt: it may be another's than the seller's. */
export function unproven(nodes: readonly Node[], again: () => void): void {
  const advice = make('p', {}, 'If it is not what you pay for, ask again. The same payment is sent: you are charged once.');
  show('This came without a receipt.', ...nodes, advice, line(button('Ask again', again)));
}
