/** A payment as the operator API shows it, and what its state means for the operator. Spec: docs/operations.md, "States". */

import type { Members } from '../../members.js';
import { textOf } from '../../operator/client.js';
import { payerOf } from '../../operator/transfer.js';
import { foreign, make } from '../shared/dom.js';
import { type Coin, coinOf, inWords, unitsOf } from '../shared/money.js';
import { moment, pill, shortened, spokenOf } from '../shared/parts.js';
import { linkTo } from '../shared/shell.js';

/** What the desk reads of a payment. */
export interface PaymentSeen {
  readonly members: Members;
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly payer: string;
  readonly payee: string;
  readonly transaction: string;
  readonly units: bigint;
  readonly coin: Coin;
  readonly price: string;
  readonly created: string;
  readonly updated: string;
  /** Since when a refund of it is under way; empty if none was begun. */
  readonly refunding: string;
}

export function seen(members: Members): PaymentSeen {
  const text = (name: string) => textOf(members, name);
  const [coin, units] = [coinOf(members), unitsOf(text('amount'))];
  return {
    members,
    id: text('id'),
    state: text('state'),
    reason: text('reason'),
    payer: payerOf(members),
    payee: text('payee'),
    transaction: text('transaction'),
    units,
    coin,
    price: inWords(units, coin),
    created: text('created'),
    updated: text('updated'),
    refunding: text('refunding'),
  };
}

/** Each state: its name, the look of its pill, and what it says to the operator. */
const STATES: Readonly<Record<string, readonly [string, string, string]>> = {
  executing: ['executing', 'neutral', 'It is being verified, or the origin works. The gate has submitted nothing.'],
  settling: ['settling', 'neutral', 'It is being settled. Money may have moved.'],
  unknown: [
    'unknown',
    'warning',
    'It is not known whether money moved. The gate sends the same payment again and reads the chain. You need do nothing; look at the facilitator if many wait.',
  ],
  settled: ['settled', 'neutral', 'It is paid, and the origin has not run.'],
  delivering: ['delivering', 'neutral', 'It is paid, and the response is on its way.'],
  delivered: ['delivered', 'positive', 'It is paid and served.'],
  refused: ['refused', '', 'The facilitator refused it. The gate watches it as long as it could still be charged.'],
  released: ['released', '', 'The gate submitted nothing.'],
  abandoned: ['abandoned', '', 'The gate submitted nothing.'],
  void: ['void', '', 'It can never be charged any more.'],
  closed: ['closed', '', 'It was never submitted, and the gate cannot read its chain.'],
  refund_due: ['refund due', 'critical', 'It is paid and not served. The wallet that was paid owes the payer.'],
  sold: [
    'sold',
    'positive',
    'It is paid, and a program has what it bought. Nothing is owed: its answer was lost on the way, and a repeat is served.',
  ],
  refunded: ['refunded', 'positive', 'It was paid back.'],
  waived: ['waived', '', 'Nothing is owed: an operator decided so.'],
  manual: [
    'to review',
    'warning',
    'The facts contradict each other, or there is no proof in time. Look it up on the chain, then resolve it.',
  ],
};

/** Why it is in its state, in words. */
const REASONS: Readonly<Record<string, string>> = {
  origin: 'the origin failed or broke off',
  lost: 'the work was lost',
  dropped: 'a stream was dropped because its settlement was unknown',
  let_go: 'someone other than the gate submitted the authorization',
  not_fetched: 'the payer did not fetch the response',
  resolved: 'an operator decided so',
  unserved: 'the payer sent a transaction too late, or for a route that is not sold',
  other_terms: 'what moved was less than the price, or went to another payee',
  overdue: 'no proof in time',
  stream_lost: 'the response was lost half way',
  paid_before: 'the chain shows the transfer before the gate saw the payment',
  unknown_state: 'the row was written by another version',
};

export const STATE_NAMES: readonly string[] = Object.keys(STATES);

export function nameOf(state: string): string {
  return STATES[state]?.[0] ?? state;
}

export function statePill(state: string): HTMLElement {
  return pill(nameOf(state), STATES[state]?.[1] ?? '');
}

export function meaningOf(state: string): string {
  return STATES[state]?.[2] ?? '';
}

/** The reason in words; one that is not known is shown as it came. */
export function reasonOf(reason: string): string {
  return Object.hasOwn(REASONS, reason) ? (REASONS[reason] ?? '') : reason;
}

/** A payment in a list; `more` stands below it. */
export function paymentRow(payment: PaymentSeen, ...more: readonly (HTMLElement | undefined)[]): HTMLElement {
  const { id, members, state, reason, payer, price, created } = payment;
  return spokenOf(
    `${id.slice(0, 15)}…`,
    make(
      'li',
      { class: 'row', id: `row-${id}` },
      make('h3', {}, make('a', { href: linkTo('payment', { id }) }, `${id.slice(0, 15)}…`), ' ', statePill(state)),
      make('p', { class: 'price' }, foreign(price)),
      make(
        'p',
        { class: 'quiet' },
        foreign(textOf(members, 'route')),
        ' from ',
        payer === '' ? 'a payer whom the gate cannot read' : shortened(payer),
        ' at ',
        moment(created),
      ),
      reason === '' || state === 'refunded' ? undefined : make('p', { class: 'quiet' }, foreign(reasonOf(reason))),
      ...more,
    ),
  );
}
