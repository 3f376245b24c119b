/** What an operator can do about a payment, as forms, and the deeds behind them. Spec: docs/operations.md, "Refunds", "Reviews". */

import { type Operator, textOf } from '../../operator/client.js';
import { beginOf, decide, isByHand, placeOf } from '../../operator/transfer.js';
import { type Attributes, foreign, make } from '../shared/dom.js';
import { choice, deedForm, field, moment } from '../shared/parts.js';
import type { Deed, Filled } from '../shared/shell.js';
import { begunOf, isOfAnother } from './marks.js';
import { type PaymentSeen, seen } from './payment.js';
import { aged, beginByHand, forgetBegun, refundByWallet, reportByHand, unproven } from './refund.js';

const REASON = { required: true, maxlength: '400', placeholder: 'kept with the payment' };

const isEvm = ({ members }: PaymentSeen): boolean => !isByHand(members);

/** What the gate takes as the name of a transaction on the network of a payment. */
const namesOf = (payment: PaymentSeen) => (isEvm(payment) ? '0x[0-9a-fA-F]{64}' : '[0-9a-zA-Z._@=\\/+:\\-]{16,96}');

function transactionField(label: string, payment: PaymentSeen, pattern: string, more: Attributes = {}): HTMLElement {
  const placeholder = isEvm(payment) ? '0x…' : undefined;
  return field(label, 'transaction', `hash-${payment.id}`, { pattern, placeholder, ...more });
}

/** Each result of a review, and what has to be found for it. */
const RESULTS: readonly (readonly [string, string])[] = [
  ['', 'choose what the chain shows'],
  ['delivered', 'delivered: money moved, and the payer was served'],
  ['refund_due', 'refund due: money moved, and the payer was not served'],
  ['waived', 'waived: money moved, and nothing is owed'],
  ['void', 'void: it was never paid, and cannot be any more'],
];

/** The forms for a payment, in the state that it is in; none where nothing can be done. */
export function actionsFor(payment: PaymentSeen): readonly (HTMLElement | undefined)[] {
  if (payment.state === 'refund_due') return refunds(payment);
  if (payment.state === 'manual') return [review(payment)];
  // Its program may have paid it back and be unable to say so.
  if (payment.state === 'sold') return [refunded(payment)];
  return [];
}

function refunds(payment: PaymentSeen): readonly (HTMLElement | undefined)[] {
  const { id, payer, payee, price, refunding, transaction } = payment;
  const begun = begunOf(id);
  const account = (address: string) => make('code', {}, foreign(address));
  const isNamed = transaction !== '' && transaction !== 'pending';
  const sender = () => ['whoever sent ', isNamed ? account(transaction) : 'the transaction that paid'];
  const way = (from: string) => [from, account(payee), ', which was paid, to ', ...(payer === '' ? sender() : [account(payer)])];
  const warn = (...text: readonly (string | HTMLElement | undefined)[]) => make('p', { class: 'warning' }, ...text);
  const [deed, does, how] = isEvm(payment)
    ? ['refund', `refund ${price} by wallet`, [...way('From '), '. Your wallet asks you to sign.']]
    : ['begin', `begin the refund of ${price}`, [FIRST, ...way(' from '), '. If it is no wallet of yours, you owe nothing.']];
  const says = make('p', { class: 'quiet' }, ...how);
  const sign = aged.has(id)
    ? deedForm(deed, { id, restored: 'yes' }, `No transfer was made: ${does}`, warn(AGED), says)
    : deedForm(deed, { id }, `${does.slice(0, 1).toUpperCase()}${does.slice(1)}`, says);
  const since = refunding === '' ? [] : ['Since ', moment(refunding), ': '];
  const again = { id, begun: refunding === '' ? '' : String(beginOf(payment.members) ?? '') };
  const isTheirs = begun === undefined || isOfAnother(begun, beginOf(payment.members));
  // What this browser sent under a begin that was taken back since may have moved nevertheless.
  const before =
    begun?.hash !== undefined
      ? warn(`This browser sent ${begun.hash} before that. Look whether it succeeded.`)
      : isTheirs && begun?.number !== undefined
        ? warn(BEFORE)
        : undefined;
  // What another person holds may still be sent: their word counts, and no history of a wallet.
  const unsent = (...why: readonly (string | HTMLElement)[]) =>
    deedForm('again', again, 'It was not sent, and will not be', warn(...since, ...why), before);
  const asked = isTheirs
    ? unsent(ELSEWHERE)
    : begun.isUnheard
      ? unsent(UNHEARD)
      : !isEvm(payment)
        ? unsent(...(refunding === '' ? [WITHDRAWN] : [BEGUN, ...way(' from '), '. Once it succeeded, report it below.']))
        : deedForm('again', again, 'The wallet sent nothing', warn(...since, LOST));
  // A program goes on with what it has begun: to send a transfer beside it would pay twice.
  const program = textOf(payment.members, 'refunding_key');
  const theirs = warn(
    ...since,
    'the program ',
    account(program),
    ' sees to this: it pays it back, or has delivered it after all. Leave it to that. If it has sent nothing and never will, its begin is taken back on a terminal: ',
    make('code', {}, `npx farebox refund ${id} --not-sent ${beginOf(payment.members) ?? ''} --key …`),
    ' with its name.',
  );
  const sent = (hash: string) =>
    warn(
      unproven.get(hash) === 'failed'
        ? `This refund was sent as ${hash}, and failed on the chain.`
        : `This refund was sent as ${hash}. Report it below once the wallet shows that it succeeded, and do not send it again.`,
    );
  const failed = (hash: string) =>
    deedForm(
      'again',
      { ...again, network: payment.coin.network, hash },
      'The transfer failed',
      sent(hash),
      warn(...since, ...(isLost(hash) ? [NOT_FOUND] : []), FAILED),
      isUnasked(hash) || isLost(hash) ? witnessed('unmoved', UNMOVED) : undefined,
    );
  const doubt = payment.transaction === 'pending' ? PENDING : payment.reason === 'let_go' ? LET_GO : undefined;
  return [
    ...(doubt === undefined ? [] : [warn(doubt)]),
    program !== ''
      ? theirs
      : begun?.hash !== undefined && !isTheirs
        ? failed(begun.hash)
        : begun?.isUnheard === false || refunding !== ''
          ? asked
          : sign,
    refunded(payment),
    // While it is begun, the gate lets nobody waive it.
    refunding !== ''
      ? undefined
      : more(`waive-${id}`, 'Nothing is owed', deedForm('waive', { id }, 'Waive the debt', field('Reason', 'reason', `why-${id}`, REASON))),
  ];
}

/** The report of a refund: first of the one that this browser sent. */
function refunded(payment: PaymentSeen): HTMLElement {
  const { id, coin } = payment;
  const sent = begunOf(id)?.hash;
  return more(
    `refunded-${id}`,
    'It was refunded',
    deedForm(
      'refunded',
      { id, network: coin.network },
      'Report the refund',
      transactionField('Transaction of the refund', payment, namesOf(payment), { required: true, value: sent }),
      isUnasked(sent) ? witnessed('elsewhere', LOOKED_UP) : isLost(sent) ? witnessed('elsewhere', SUCCEEDED) : undefined,
    ),
  );
}

/** Whether a node that was asked for a transaction did not find it. */
const isLost = (hash = '') => unproven.get(hash)?.startsWith('not found') === true;

/** Whether the wallet could not be asked for a transaction. */
const isUnasked = (hash = '') => unproven.get(hash) === 'not looked up';

/** The word of a person for what a node does not show. */
function witnessed(name: string, words: string): HTMLElement {
  return make('p', {}, make('label', {}, make('input', { type: 'checkbox', name }), ` ${words}`));
}

const FIRST = 'Then nobody else begins it, and nothing is served for it. After that send it once, with a wallet of its network,';
// The page does not know whether it is shown for the first time.
const BEGUN =
  'you began it here. Look into the history of the wallet, and ask whoever uses it: if the refund is there, report it below. If not, send it once,';
const WITHDRAWN =
  'This browser began it, and it was taken back since: do not send it under that begin. If you have sent it, report it below.';
const PENDING =
  'Its facilitator moves the money later, and the gate cannot see whether it did. Look whether it came before you pay it back.';
const LET_GO =
  'Someone other than the gate submitted this payment. If that was another server of yours, look whether it delivered before you pay it back.';
const LOST =
  'a wallet was asked for this refund. Look into its history: if the refund is there, report it below. If the wallet still asks, refuse it there first.';
const ELSEWHERE =
  'someone else began this refund, at another desk or on a terminal, or you did in another browser or a private window. Ask them first, and look into the history of the wallet: if it was sent, report it below; if not, what they hold must not be sent any more.';
const BEFORE = 'This browser began it before that: look into the history of the wallet whether it was sent then.';
const UNHEARD =
  'this browser asked the gate to begin, and heard no answer. If nobody else began this refund, it is that one, of which nothing was sent. If somebody did, ask them first: if they have sent it, report it below.';
const SUCCEEDED = 'An explorer shows that it succeeded, though the wallet does not.';
const LOOKED_UP = 'The gate has a node, or an explorer shows that it succeeded.';
const UNMOVED = 'An explorer shows that nothing went to the payer in it, nor can any more, though the wallet may show that it succeeded.';
const NOT_FOUND = 'It was not found on the chain by the node that was asked. ';
const FAILED =
  'Look into the history of the wallet: only if the transfer failed, or was cancelled there, begin again. One that was sped up has another hash: report that.';
const AGED =
  'The gate was restored from a backup since this debt arose. Look for a transfer to this payer since the backup: if there is one, report it below.';

function review(payment: PaymentSeen): HTMLElement {
  const { id, transaction } = payment;
  const hash = transactionField('Transaction of the payment (not for void)', payment, `${namesOf(payment)}|pending`);
  return deedForm(
    'resolve',
    { id },
    'Resolve',
    choice('What you found', 'as', `as-${id}`, RESULTS, '', { required: true }),
    field('Reason', 'reason', `why-${id}`, REASON),
    transaction === '' || transaction === 'pending' ? hash : undefined,
  );
}

function more(id: string, summary: string, content: HTMLElement): HTMLElement {
  return make('details', { id }, make('summary', {}, summary), content);
}

function decided(decision: string, body: (filled: Filled) => Readonly<Record<string, string>>, done: string): Deed {
  return async (operator, filled) => {
    await decide(operator, filled['id'] ?? '', decision, body(filled));
    return done;
  };
}

async function readAgain(operator: Operator, id: string): Promise<PaymentSeen> {
  return seen(await operator.read(placeOf(id)));
}

/** By `data-do`. */
export const DEEDS: Readonly<Record<string, Deed>> = {
  waive: decided('waived', ({ reason = '' }) => ({ reason }), 'The debt is waived.'),
  resolve: async (operator, { id = '', as = '', reason = '', transaction = '' }) => {
    const body = transaction === '' ? { as, reason } : { as, reason, transaction };
    const now = await decide(operator, id, 'resolve', body);
    return `The review is resolved: the payment is ${textOf(now, 'state').replace('_', ' ')}.`;
  },
  refunded: async (operator, { id = '', transaction = '', network = '', elsewhere = '' }) => {
    await reportByHand(operator, { id, network, transaction, isSeen: elsewhere !== '' });
    return 'The refund is on the record.';
  },
  begin: (operator, { id = '', restored = '' }) => beginByHand(operator, { id, isUnpaidSince: restored !== '' }),
  again: (operator, { id = '', network = '', begun = '', hash = '', unmoved = '' }) =>
    forgetBegun(operator, { id, network, hash, begun: begun === '' ? undefined : Number(begun), isUnmoved: unmoved !== '' }),
  refund: async (operator, { id = '', restored = '' }, say) =>
    refundByWallet(operator, await readAgain(operator, id), restored !== '', say),
};
