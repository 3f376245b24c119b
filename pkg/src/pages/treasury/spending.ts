/** Budgets and what is left of them; decisions with their payments and receipts. */

import { type Members, membersOf } from '../../members.js';
import { itemsOf, type Operator, textOf } from '../../operator/client.js';
import { shareBar } from '../shared/chart.js';
import { foreign, make } from '../shared/dom.js';
import { inTokens } from '../shared/money.js';
import { choice, deedForm, facts, field, listPage, moment, pill } from '../shared/parts.js';
import { type Deed, linkTo, type Wanted } from '../shared/shell.js';
import { placeOf } from './organization.js';

const LIMIT = '25';
/** Fraction digits of sums here: as many as budgets have at most. */
const DIGITS = 18;

/** Decimal text as an integer of 10^-18. */
function fine(text: string): bigint | undefined {
  const [, whole = '', rest = ''] = /^(\d{1,60})(?:\.(\d{1,18}))?$/.exec(text) ?? [];
  return whole === '' ? undefined : BigInt(whole + rest.padEnd(DIGITS, '0'));
}

export async function budgets(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const place = await placeOf(operator, wanted);
  const items = itemsOf(await operator.read(place.path('budgets'))).filter(
    (item) => textOf(item, 'limit') !== '' || textOf(item, 'spent') !== '',
  );
  const scopes = [...new Set(items.map(scopeOf))];
  return [
    ...place.head('Budgets', 'budgets'),
    make(
      'p',
      { class: 'quiet lead' },
      'Spent is what merchants delivered or the chain shows; reserved is under way. Both count. Hours, days and months are those of UTC.',
    ),
    ...(scopes.length === 0
      ? [make('p', { class: 'quiet' }, 'There is no budget.')]
      : scopes.map((scope) =>
          scopeTable(
            scope,
            items.filter((item) => scopeOf(item) === scope),
          ),
        )),
  ];
}

function scopeOf(item: Members): string {
  const agent = textOf(item, 'agent');
  return agent === '' ? textOf(item, 'scope') : `agent ${agent}`;
}

function scopeTable(scope: string, items: readonly Members[]): HTMLElement {
  const head = ['window', 'limit', 'left', 'spent', 'reserved'].map((name, at) =>
    make('th', { scope: 'col', class: at === 0 ? undefined : 'number' }, name),
  );
  return make(
    'section',
    { id: `budget-${encodeURIComponent(scope)}` },
    make(
      'div',
      { class: 'wide', tabindex: '0', role: 'region', 'aria-label': `Budgets of ${scope}` },
      make(
        'table',
        {},
        make('caption', {}, foreign(scope)),
        make('thead', {}, make('tr', {}, ...head)),
        make('tbody', {}, ...items.map(budgetRow)),
      ),
    ),
  );
}

function budgetRow(item: Members): HTMLElement {
  const text = (name: string) => textOf(item, name);
  const [limit, spent, reserved] = [fine(text('limit')), fine(text('spent')) ?? 0n, fine(text('reserved')) ?? 0n];
  const left = limit === undefined ? undefined : limit > spent + reserved ? limit - spent - reserved : 0n;
  const parts = [
    { units: spent, look: 'served' },
    { units: reserved, look: 'returned' },
  ];
  const cell = (units: bigint | undefined) => make('td', { class: 'number' }, units === undefined ? '–' : inTokens(units, DIGITS));
  return make(
    'tr',
    {},
    make(
      'th',
      { scope: 'row' },
      foreign(`${text('asset')} per ${text('window')}`),
      limit === undefined ? undefined : shareBar(parts, limit),
    ),
    cell(limit),
    cell(left),
    cell(spent),
    cell(reserved),
  );
}

/** Outcomes of decisions, then those of payouts, and the look of each. One that waits for a person is a denial until they answer. */
const LOOKS: Readonly<Record<string, string>> = {
  allow: 'positive',
  deny: 'critical',
  preflight_failed: 'critical',
  execution_failed: 'critical',
  paid_fulfillment_failed: 'critical',
  inconclusive: 'warning',
  executing: 'neutral',
  sent: 'positive',
  refused: 'critical',
  unknown: 'warning',
  failed: 'critical',
};

/** A sum as the treasury writes it, with its asset: dollars have no symbol there. */
export function sumOf(members: Members): string {
  const [amount, asset] = [textOf(members, 'amount'), textOf(members, 'asset')];
  return amount.endsWith(` ${asset}`) ? amount : `${amount} ${asset}`;
}

export async function decisions(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const place = await placeOf(operator, wanted);
  const { agent = '', outcome = '', cursor } = wanted;
  const page = await operator.read(place.path('decisions'), { agent, outcome, cursor, limit: LIMIT });
  const outcomes = ['', ...Object.keys(LOOKS)].map((one) => [one, one === '' ? 'any' : one] as const);
  const form = deedForm(
    'search',
    { org: place.name },
    'Search',
    field('Agent', 'agent', 'agent', { value: agent }),
    choice('Outcome', 'outcome', 'outcome', outcomes, outcome),
  );
  form.id = `search-${[agent, outcome].map(encodeURIComponent).join('-')}`;
  form.setAttribute('role', 'search');
  return [
    ...place.head('Decisions', 'decisions'),
    form,
    ...listPage(
      itemsOf(page).map((item) => decisionRow(place.name, item)),
      'No decision is like this.',
      'decisions',
      { org: place.name, agent, outcome },
      cursor,
      textOf(page, 'cursor'),
    ),
  ];
}

function decisionRow(org: string, item: Members): HTMLElement {
  const text = (name: string) => textOf(item, name);
  const id = text('paidRequestId');
  return make(
    'li',
    { class: 'row', id: `decision-${id}` },
    make(
      'h3',
      {},
      make('a', { href: linkTo('decision', { org, id }) }, foreign(`${text('requestMethod')} ${text('requestUrl')}`)),
      ' ',
      pill(text('outcome'), LOOKS[text('outcome')] ?? ''),
    ),
    make('p', { class: 'price' }, foreign(sumOf(item))),
    make('p', { class: 'quiet' }, foreign(text('agent')), ' at ', moment(text('createdAt')), ', ', foreign(text('reasonCode'))),
  );
}

export const searchDecisions: Deed = async (_operator, { org, agent, outcome }) => {
  location.hash = linkTo('decisions', { org, agent, outcome });
  return undefined;
};

export async function decision(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const place = await placeOf(operator, wanted);
  const one = await operator.read(place.path('decisions', wanted['id'] ?? ''));
  const [said, attempt, receipt] = [membersOf(one['decision']), membersOf(one['attempt']), membersOf(one['receipt'])];
  const text = (name: string) => textOf(one, name);
  return [
    ...place.head(`Decision: ${text('outcome')}`, 'decisions'),
    make('p', {}, foreign(textOf(said, 'reason') || text('reasonCode'))),
    section('What was asked', [
      ['agent', text('agent')],
      ['request', `${text('requestMethod')} ${text('requestUrl')}`],
      ['amount', sumOf(one)],
      ['key', text('idempotencyKey')],
      ['asked', `${text('times')} times`],
      ['first', moment(text('createdAt'))],
      ['changed', moment(text('changedAt'))],
    ]),
    section('The payment', textMembers(attempt)),
    section('The receipt', textMembers(receipt)),
  ];
}

function section(title: string, pairs: readonly (readonly [string, Node | string | undefined])[]): HTMLElement {
  const known = pairs.filter(([, value]) => value !== undefined && value !== '');
  return make('section', {}, make('h3', {}, title), known.length === 0 ? make('p', { class: 'quiet' }, 'There is none.') : facts(known));
}

function textMembers(members: Members): readonly (readonly [string, string])[] {
  return Object.keys(members).map((name) => [name, textOf(members, name)] as const);
}
