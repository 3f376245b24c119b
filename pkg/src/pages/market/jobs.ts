/** Jobs with search, filters and pages; and one job with its money and its history. */

import { type Members, membersOf } from '../../members.js';
import { itemsOf, listOf, textOf } from '../../operator/client.js';
import { foreign, make } from '../shared/dom.js';
import { choice, deedForm, facts, field, listPage, moment, pill, rowsOf, shortened } from '../shared/parts.js';
import { type Deed, linkTo } from '../shared/shell.js';
import { holdRow } from './money.js';
import { ofProfile, PATHS, priceOf } from './profile.js';

const LIMIT = '25';
/** States of a job, the look of each, and what it means. */
const STATES: Readonly<Record<string, readonly [string, string]>> = {
  settling: ['neutral', 'Its payment is with the gate.'],
  paid: ['neutral', 'It is paid, and its seller has not begun.'],
  running: ['neutral', 'Its seller works on it.'],
  releasing: ['warning', 'Its work is delivered. The money goes to the seller, or back if the result is judged to be none.'],
  refunding: ['warning', 'There is no work, and the money goes back.'],
  done: ['positive', 'It is done.'],
  failed: ['critical', 'It is not done. Who paid has the money back, unless the operator of the gate waived it.'],
};

function statePill(state: string): HTMLElement {
  return pill(state, STATES[state]?.[0] ?? '');
}

export const jobs = ofProfile('Jobs', async (_operator, served, { find = '', state = '', seller = '', cursor }) => {
  const page = await served.read('jobs', { find, state, seller, limit: LIMIT, cursor });
  const form = deedForm(
    'jobs',
    { profile: served.name },
    'Search',
    field('Id of a job, of its quote or of its payment', 'find', 'find', { value: find, maxlength: '128', type: 'search' }),
    choice('State', 'state', 'state', [['', 'any'], ...Object.keys(STATES).map((one) => [one, one] as const)], state),
    field('Seller', 'seller', 'seller', { value: seller, maxlength: '64' }),
  );
  form.id = `search-${[served.name, find, state, seller].map(encodeURIComponent).join('-')}`;
  form.setAttribute('role', 'search');
  form.classList.add('search');
  const rows = itemsOf(page).map((job) => jobRow(served.name, job));
  return [
    ...served.head('Jobs', 'jobs'),
    form,
    ...listPage(rows, 'No job is like this.', 'jobs', { profile: served.name, find, state, seller }, cursor, textOf(page, 'next')),
  ];
});

function jobRow(profile: string, job: Members): HTMLElement {
  const text = (name: string) => textOf(job, name);
  return make(
    'li',
    { class: 'row', id: `job-${text('job_id')}` },
    make(
      'h3',
      {},
      make('a', { href: linkTo('job', { profile, id: text('job_id') }) }, foreign(text('capability'))),
      ' ',
      statePill(text('state')),
    ),
    make('p', { class: 'price' }, foreign(priceOf(job))),
    make(
      'p',
      { class: 'quiet' },
      'from ',
      shortened(text('buyer_id')),
      ' by ',
      shortened(text('seller_id')),
      ' at ',
      moment(text('created')),
    ),
  );
}

/** Goes to the list that was asked for. */
export const searchJobs: Deed = async (_operator, { profile, find, state, seller }) => {
  location.hash = linkTo('jobs', { profile, find, state, seller });
  return undefined;
};

export const job = ofProfile('Job', async (operator, served, { id = '' }) => {
  const one = await operator.read(`${PATHS}/jobs/${encodeURIComponent(id)}`);
  const text = (name: string) => textOf(one, name);
  const hold = membersOf(one['hold']);
  const tried = one['tried'];
  return [
    ...served.head(`Job of ${priceOf(one)}`, 'jobs'),
    make('p', {}, statePill(text('state')), ' ', STATES[text('state')]?.[1]),
    make(
      'section',
      {},
      make('h3', {}, 'The facts'),
      facts([
        ['id', text('job_id')],
        ['capability', text('capability')],
        ['buyer', linkedWallet(served.explorer, text('buyer_id'))],
        ['seller', make('a', { href: linkTo('sellers', { profile: served.name, seller: text('seller_id') }) }, foreign(text('seller_id')))],
        ['sellers before', Array.isArray(tried) ? tried.map(String).join(', ') : ''],
        ['attempts', text('attempts')],
        ['way of payment', text('payment_mode')],
        ['quote', text('payment_id')],
        ['payment', text('payment')],
        ['paid by', text('transaction')],
        ['registered by', text('registration')],
        ['charge', text('charge')],
        ['made', moment(text('created'))],
        ['changes at', moment(text('due'))],
      ]),
    ),
    make(
      'section',
      {},
      make('h3', {}, 'Its money'),
      rowsOf(textOf(hold, 'payment') === '' ? [] : [holdRow(served.name, hold, 'shown')], 'None is held for it.'),
    ),
    make('section', {}, make('h3', {}, 'Its history'), history(listOf(one, 'events'))),
  ];
});

function linkedWallet(explorer: string, wallet: string): HTMLElement {
  return explorer === '' ? foreign(wallet) : make('a', { href: `${explorer}/address/${wallet}`, rel: 'noreferrer' }, foreign(wallet));
}

function history(events: readonly Members[]): HTMLElement {
  const lines = events.map((event) =>
    make(
      'li',
      {},
      moment(textOf(event, 'timestamp')),
      ' ',
      pill(textOf(event, 'title'), textOf(event, 'tone')),
      ' ',
      make('span', { class: 'quiet' }, foreign(textOf(event, 'message'))),
    ),
  );
  return lines.length === 0
    ? make('p', { class: 'quiet' }, 'Nothing is kept of it.')
    : make('ol', { class: 'events', role: 'list' }, ...lines);
}
