/** The payments with search, filters and pages; and one payment with its history. */

import type { Members } from '../../members.js';
import { itemsOf, listOf, type Operator, textOf } from '../../operator/client.js';
import { placeOf, UNREAD_PAYER } from '../../operator/transfer.js';
import { foreign, make } from '../shared/dom.js';
import { choice, deedForm, facts, field, listPage, moment } from '../shared/parts.js';
import { type Deed, heading, linkTo, type Wanted } from '../shared/shell.js';
import { actionsFor } from './actions.js';
import { meaningOf, nameOf, paymentRow, reasonOf, STATE_NAMES, seen, statePill } from './payment.js';

const LIMIT = '25';

/** The parameters that a text in the search may be for, the likeliest first. */
function parametersFor(text: string): readonly string[] {
  if (/^rcpt_/.test(text)) return ['id'];
  if (/^0x[0-9a-fA-F]{40}$/.test(text)) return ['payer', 'transaction', 'key'];
  if (/^0x/i.test(text)) return ['transaction', 'key'];
  return ['id', 'correlation_id', 'key', 'transaction'];
}

/** A page, and the parameter by which its rows were found: the next page is one of that search alone. */
async function pageOf(operator: Operator, { find = '', by = '', ...filters }: Wanted): Promise<{ page: Members; by?: string }> {
  const read = (more: Wanted) => operator.read('/_farebox/payments', { ...filters, ...more, limit: LIMIT });
  if (find === '') return { page: await read({}) };
  const names = parametersFor(find);
  if (names.includes(by)) return { page: await read({ [by]: find }), by };
  let page: Members = {};
  for (const name of names) {
    // A text that cannot be a key is refused as one.
    const isKey = name !== 'key' || /^(0x)?[0-9a-fA-F]+$/.test(find);
    if (isKey) page = await read({ [name]: find });
    if (itemsOf(page).length > 0) return { page, by: name };
  }
  return { page };
}

export async function payments(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const { page, by } = await pageOf(operator, wanted);
  const next = textOf(page, 'next');
  const { cursor, ...asked } = wanted;
  const first = by === undefined ? asked : { ...asked, by };
  const rows = itemsOf(page).map((item) => paymentRow(seen(item)));
  return [heading('Payments'), search(wanted), ...listPage(rows, 'No payment is like this.', 'payments', first, cursor, next)];
}

function search({ find = '', state = '', route = '', from = '', to = '' }: Wanted): HTMLElement {
  const states = [['', 'any'] as const, ...STATE_NAMES.map((name) => [name, nameOf(name)] as const)];
  const form = deedForm(
    'search',
    {},
    'Search',
    field('Id, key, transaction, correlation id or payer', 'find', 'find', { value: find, maxlength: '128', type: 'search' }),
    choice('State', 'state', 'state', states, state),
    field('Route', 'route', 'route', { value: route }),
    field('From', 'from', 'from', { value: from, type: 'date' }),
    field('Before', 'to', 'to', { value: to, type: 'date' }),
  );
  // Another search is another form: what was typed into this one is not its.
  form.id = `search-${[find, state, route, from, to].map(encodeURIComponent).join('-')}`;
  form.setAttribute('role', 'search');
  form.classList.add('search');
  return form;
}

/** Goes to the list that was asked for. */
export const searchDeed: Deed = async (_operator, { find, state, route, from, to }) => {
  location.hash = linkTo('payments', { find, state, route, from, to });
  return undefined;
};

export async function payment(operator: Operator, { id = '' }: Wanted): Promise<readonly Node[]> {
  const members = await operator.read(placeOf(id));
  const one = seen(members);
  const text = (name: string) => textOf(members, name);
  const actions = actionsFor(one);
  return [
    heading(`Payment of ${one.price}`),
    make('p', {}, statePill(one.state), ' ', meaningOf(one.state)),
    actions.length === 0
      ? make('span', { hidden: true })
      : make('section', { class: 'actions', id: `actions-${one.id}` }, make('h3', {}, 'What you can do'), ...actions),
    make(
      'section',
      {},
      make('h3', {}, 'The facts'),
      facts([
        ['id', one.id],
        [one.state === 'refunded' ? 'refund' : 'reason', one.reason === '' ? '' : reasonOf(one.reason)],
        ['amount', `${text('amount')} atomic units`],
        ['payer', one.payer === '' ? UNREAD_PAYER : linkedPayer(one.payer)],
        ['payee', one.payee],
        ['route', text('route')],
        ['network', text('network')],
        ['asset', text('asset')],
        ['transaction', one.transaction],
        ['facilitator', text('facilitator')],
        ['correlation id', text('correlation_id')],
        ['key', text('key')],
        ['claimed', moment(one.created)],
        ['changed', moment(one.updated)],
      ]),
    ),
    make('section', {}, make('h3', {}, 'Its history'), history(members)),
  ];
}

function linkedPayer(payer: string): HTMLElement {
  return make('a', { href: linkTo('payments', { find: payer }) }, foreign(payer));
}

function history(members: Members): HTMLElement {
  const steps = listOf(members, 'transitions').map((step) => {
    const [from, to] = [textOf(step, 'from'), textOf(step, 'to')];
    const between = from === 'none' ? [statePill(to)] : [`${nameOf(from)} → `, statePill(to)];
    return make(
      'li',
      {},
      moment(textOf(step, 'time')),
      ' ',
      ...between,
      ' ',
      make('span', { class: 'quiet' }, foreign(textOf(step, 'why'))),
    );
  });
  return make('ol', { class: 'events', role: 'list' }, ...steps);
}
