/** Money that is held for jobs, on its way to sellers and back to buyers. Spec: docs/exchange.md, "The operator's side". */

import type { Members } from '../../members.js';
import { doneTo, itemsOf, textOf } from '../../operator/client.js';
import { foreign, make } from '../shared/dom.js';
import { deedForm, listPage, moment, pill, shortened, spokenOf, switchOf } from '../shared/parts.js';
import { type Deed, linkTo } from '../shared/shell.js';
import { ofProfile, PATHS, priceOf } from './profile.js';

const LIMIT = '25';

/** How far money is: name, look, and what it means. */
export const PROGRESS: Readonly<Record<string, readonly [string, string, string]>> = {
  held: ['held', 'neutral', 'Held until its job is over.'],
  paying: ['asked for', 'warning', 'The treasury is asked to move it.'],
  sent: ['sent', 'neutral', 'The treasury has sent it, and the chain has to confirm it.'],
  untold: ['gate not told', 'warning', 'It has left, and the gate does not know.'],
  ended: ['over', 'positive', 'It has arrived, or its job has ended and it stays where it is.'],
};

/** The advice to a person. */
const WAITS: Readonly<Record<string, string>> = {
  registration:
    'The treasury does not register it in the escrow contract. Look at its log, and at the gas of its wallet; then have it asked again.',
  payout:
    'The treasury does not move it. Look at what it allows a day for payouts, and at the balance of its wallet; then have it asked again.',
  claim:
    'The gate, which owes it, does not leave it to the exchange: someone has begun a refund at its desk, or it does not take REFUND_TOKEN.',
  paid_back:
    'The gate says that the buyer was paid back, or that this was waived, though the seller has delivered. If you owe it to the seller, pay them by a payout of the treasury, or have it released where an escrow contract holds it; then end the job here. Nothing moves.',
  turn: 'More went back without a job than a day has room for. It has its turn on the next day; ask, and it is paid now.',
  report:
    'It was paid back, and the gate, which may owe it, was not told. Have the gate told again, or report the transaction at its desk.',
};
/** Of what waits as `report`: a seller was paid, which is no refund; and nobody knows the transaction. */
const SOLD =
  'It went to the seller, and the gate, which may owe it, was not told. Have the gate told again. It is no refund: report none at its desk.';
const UNNAMED =
  'It was paid back by a transaction that the exchange does not know. Find it in the history of the contract or of the wallet, and report it at the desk of the gate. Then have the gate asked.';

const LEAVES: Readonly<Record<string, string>> = { release: 'to the seller', refund: 'back to the buyer' };

export const holds = ofProfile('Money', async (_operator, served, { state = '', leave = '', cursor }) => {
  const page = await served.read('holds', { state, leave, limit: LIMIT, cursor });
  const link = (more: Readonly<Record<string, string>>) => linkTo('money', { profile: served.name, state, leave, ...more });
  const states = ['', ...Object.keys(PROGRESS)].map((one) => [PROGRESS[one]?.[0] ?? 'all', link({ state: one }), one === state] as const);
  const ways = ['', ...Object.keys(LEAVES)].map((one) => [LEAVES[one] ?? 'any way', link({ leave: one }), one === leave] as const);
  const rows = itemsOf(page).map((hold) => holdRow(served.name, hold));
  return [
    ...served.head('Money', 'money'),
    switchOf('How far it is', states),
    switchOf('Where it goes', ways),
    make('p', { class: 'quiet lead' }, PROGRESS[state]?.[2] ?? 'What changed last stands first.'),
    ...listPage(rows, 'No money is like this.', 'money', { profile: served.name, state, leave }, cursor, textOf(page, 'next')),
  ];
});

/** Held money in a list, with the action where it waits for a person. */
export function holdRow(profile: string, hold: Members, ofJob: 'linked' | 'shown' = 'linked'): HTMLElement {
  const text = (name: string) => textOf(hold, name);
  const [payment, leave, job] = [text('payment'), text('leave'), text('job_id')];
  const to = leave === 'refund' ? text('payer') : text('payee');
  return spokenOf(
    payment,
    make(
      'li',
      { class: 'row', id: `hold-${encodeURIComponent(payment)}` },
      make('h3', {}, shortened(payment), ' ', progressPill(text('state')), leave === 'refund' ? pill('refund', 'warning') : undefined),
      make('p', { class: 'price' }, foreign(priceOf(hold))),
      make(
        'p',
        { class: 'quiet' },
        'from ',
        shortened(text('payer')),
        ...(to === '' ? [] : [` ${LEAVES[leave] ?? 'for the seller'} `, shortened(to)]),
      ),
      job === ''
        ? make('p', { class: 'quiet' }, 'It got no job.')
        : ofJob === 'linked'
          ? make('p', {}, make('a', { href: linkTo('job', { profile, id: job }) }, 'Its job'))
          : undefined,
      text('transaction') === '' ? undefined : make('p', { class: 'quiet' }, 'moved as ', shortened(text('transaction'))),
      text('due') === '' ? undefined : make('p', { class: 'quiet' }, `asked ${text('looks')} times, again at `, moment(text('due'))),
      waitsFor(profile, hold),
    ),
  );
}

export function progressPill(state: string): HTMLElement {
  const [name, look] = PROGRESS[state] ?? [state, ''];
  return pill(name, look);
}

function waitsFor(profile: string, hold: Members): HTMLElement | undefined {
  const [payment, waits] = [textOf(hold, 'payment'), textOf(hold, 'waits')];
  if (waits === '') return undefined;
  const isSold = waits === 'report' && textOf(hold, 'leave') === 'release';
  // Of a refund without a transaction the gate is asked whether a person has told it.
  const isSilent = waits === 'report' && !isSold && textOf(hold, 'transaction') === '';
  const why = make('p', { class: 'warning' }, isSold ? SOLD : isSilent ? UNNAMED : (WAITS[waits] ?? waits));
  if (waits === 'paid_back') return make('div', { class: 'actions' }, deedForm('end', { profile, payment }, 'End the job', why));
  const tells = isSilent ? 'It is reported: ask the gate' : 'Tell the gate again';
  const button = waits === 'report' ? tells : `Ask for ${priceOf(hold)} now`;
  return make('div', { class: 'actions' }, deedForm('ask', { profile, payment, waits: isSilent ? 'word' : waits }, button, why));
}

export const askNow: Deed = async (operator, { profile = '', payment = '', waits = '' }) => {
  doneTo(await operator.tell('POST', pathOf(payment, 'ask', profile)), 'payment', payment);
  if (waits === 'report') return 'The gate is being told.';
  if (waits === 'word') return 'The gate is being asked. The row stays as it is unless the gate knows of the report.';
  return `The ${waits === 'claim' ? 'gate' : 'treasury'} is being asked. The row shows what comes of it.`;
};

export const endNow: Deed = async (operator, { profile = '', payment = '' }) => {
  doneTo(await operator.tell('POST', pathOf(payment, 'end', profile)), 'payment', payment);
  return 'The job has ended. Nothing was moved.';
};

const pathOf = (payment: string, deed: string, profile: string): string =>
  `${PATHS}/holds/${encodeURIComponent(payment)}/${deed}?${new URLSearchParams({ network_profile: profile })}`;
