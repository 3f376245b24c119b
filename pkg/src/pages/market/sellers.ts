/** The sellers of a profile, with what they did. */

import { type Members, membersOf } from '../../members.js';
import { itemsOf, textOf } from '../../operator/client.js';
import { foreign, make } from '../shared/dom.js';
import { deedForm, field, listPage, moment, pill, shortened } from '../shared/parts.js';
import { type Deed, linkTo } from '../shared/shell.js';
import { ofProfile, priceOf } from './profile.js';

const LIMIT = '25';
const LOOKS: Readonly<Record<string, string>> = { idle: 'positive', reserved: 'warning', busy: 'neutral', offline: '' };

export const sellers = ofProfile('Sellers', async (_operator, served, { seller = '', cursor }) => {
  const page = await served.read('sellers', { seller, limit: LIMIT, cursor });
  const form = deedForm(
    'sellers',
    { profile: served.name },
    'Search',
    field('Wallet', 'seller', 'seller', { value: seller, maxlength: '64', type: 'search' }),
  );
  form.id = `search-${[served.name, seller].map(encodeURIComponent).join('-')}`;
  form.setAttribute('role', 'search');
  const rows = itemsOf(page).map((item) => sellerRow(served.name, item));
  return [
    ...served.head('Sellers', 'sellers'),
    form,
    make(
      'p',
      { class: 'quiet lead' },
      'Who was heard of last stands first. Who has not proven their wallet is not here, but found by a search.',
    ),
    ...listPage(rows, 'There is no seller.', 'sellers', { profile: served.name, seller }, cursor, textOf(page, 'next')),
  ];
});

function sellerRow(profile: string, item: Members): HTMLElement {
  const text = (name: string) => textOf(item, name);
  const [id, status, rests] = [text('seller_id'), text('status'), text('rests_until')];
  const isResting = rests > new Date().toISOString();
  return make(
    'li',
    { class: 'row', id: `seller-${encodeURIComponent(id)}` },
    make('h3', {}, foreign(text('capability')), ' ', pill(status, LOOKS[status] ?? '')),
    make('p', { class: 'price' }, foreign(`${priceOf(item)} a task`)),
    make('p', { class: 'quiet' }, shortened(id), ', agent ', foreign(text('agent'))),
    make(
      'p',
      { class: 'quiet' },
      `${text('free_seats')} of ${text('capacity')} seats free, ${text('done')} done, ${text('failed')} failed, earned ${priceOf(membersOf(item['earned']))}`,
    ),
    text('lapses') === '0'
      ? undefined
      : make(
          'p',
          { class: 'warning' },
          `It let a job lie ${text('lapses')} times in a row.`,
          ...(isResting ? [' It is given none until ', moment(rests), '.'] : []),
        ),
    make('p', { class: 'quiet' }, 'heard of at ', moment(text('heard'))),
    make('p', {}, make('a', { href: linkTo('jobs', { profile, seller: id }) }, 'Its jobs')),
  );
}

export const searchSellers: Deed = async (_operator, { profile, seller }) => {
  location.hash = linkTo('sellers', { profile, seller });
  return undefined;
};
