/** The first view: what is owed and what waits, and the money by day and route. */

import type { Members } from '../../members.js';
import { itemsOf, type Operator, sentenceOf, textOf } from '../../operator/client.js';
import { barChart, type Series, shareBar } from '../shared/chart.js';
import { foreign, make } from '../shared/dom.js';
import { type Coin, coinOf, inWords, unitsOf } from '../shared/money.js';
import { figuresOf, rowsOf } from '../shared/parts.js';
import { heading, linkTo, type Wanted } from '../shared/shell.js';
import { actionsFor } from './actions.js';
import { meaningOf, paymentRow, seen } from './payment.js';
import { lastDays, readDays } from './totals.js';

/** Payments of each kind that are shown here. */
const SHOWN = 10;
/** What waits, the most urgent first: state and heading. */
const WAITING: readonly (readonly [string, string])[] = [
  ['refund_due', 'Refunds that are due'],
  ['manual', 'Payments to review'],
  ['unknown', 'Payments with an unknown outcome'],
];

const SERIES: readonly Series[] = [
  { name: 'settled', look: 'settled' },
  { name: 'delivered', look: 'served' },
  { name: 'refunded', look: 'returned' },
];
/** The columns of a sum behind them. */
const COLUMNS = SERIES.map(({ name }) => name);

/** For so long the lists wait for the sums, so that what is read fast comes at once. */
const SOON_MS = 500;

export async function overview(operator: Operator, _wanted: Wanted, early: (nodes: readonly Node[]) => void): Promise<readonly Node[]> {
  // What is owed is shown whether or not the sums can be read, and before them.
  const money = readDays(operator).then(moneyOf, (error: unknown) => [make('p', { class: 'warning' }, `Not read: ${sentenceOf(error)}`)]);
  const waiting = await Promise.all(WAITING.map(([state]) => operator.read('/_farebox/payments', { state, limit: String(SHOWN) })));
  const shown = (sums: readonly HTMLElement[]) => [
    heading('Overview'),
    ...waiting.map((page, at) => waits(WAITING[at]?.[0] ?? '', WAITING[at]?.[1] ?? '', page)),
    make('section', { id: 'money' }, make('h2', {}, 'Money of the last 14 days'), ...sums),
  ];
  const soon = await Promise.race([money, new Promise<undefined>((late) => setTimeout(late, SOON_MS))]);
  if (soon !== undefined) return shown(soon);
  const last = lastDays();
  early(shown(last === undefined ? [make('p', { class: 'quiet' }, 'The sums are being read.')] : moneyOf(last)));
  return shown(await money);
}

function waits(state: string, title: string, page: Members): HTMLElement {
  const items = itemsOf(page).map(seen);
  const count = `${items.length}${textOf(page, 'next') === '' ? '' : ' or more'}`;
  const rows = items.map((payment) => {
    const actions = actionsFor(payment);
    return paymentRow(payment, actions.length === 0 ? undefined : make('div', { class: 'actions' }, ...actions));
  });
  return make(
    'section',
    { id: `waits-${state}` },
    make('h2', {}, `${title} `, make('span', { class: 'count' }, count)),
    items.length === 0 ? undefined : make('p', { class: 'quiet lead' }, meaningOf(state)),
    rowsOf(rows, 'None.'),
    textOf(page, 'next') === '' ? undefined : make('p', {}, make('a', { href: linkTo('payments', { state }) }, 'All of them')),
  );
}

/** A day of `totals`. */
export interface DayTotals {
  readonly day: string;
  readonly items: readonly Members[];
}

/** For each asset a chart over the days, and a table of its routes. */
function moneyOf(days: readonly DayTotals[]): readonly HTMLElement[] {
  const coins = new Map<string, Coin>();
  for (const item of days.flatMap(({ items }) => items)) {
    const coin = coinOf(item);
    coins.set(`${coin.network} ${coin.asset}`, coin);
  }
  if (coins.size === 0) return [make('p', { class: 'quiet' }, 'No payment was claimed in these days.')];
  return [...coins.values()].flatMap((coin) => assetOf(coin, days));
}

function sumOf(items: readonly Members[], column: string): bigint {
  return items.reduce((sum, item) => sum + unitsOf(textOf(item, column)), 0n);
}

function assetOf(coin: Coin, days: readonly DayTotals[]): readonly HTMLElement[] {
  const own = (items: readonly Members[]) =>
    items.filter((item) => textOf(item, 'asset') === coin.asset && textOf(item, 'network') === coin.network);
  const write = (units: bigint) => inWords(units, coin);
  const all = own(days.flatMap(({ items }) => items));
  const unit = coin.symbol === '' ? coin.asset : coin.symbol;
  const figures = ['settled', 'delivered', 'refunded', 'refund_due'].map(
    (column) => [column === 'refund_due' ? 'refund due' : column, write(sumOf(all, column))] as const,
  );
  const groups = days.map(({ day, items }) => ({ label: day, heights: COLUMNS.map((column) => sumOf(own(items), column)) }));
  return [
    make('h3', {}, foreign(`${unit} on ${coin.network}`)),
    figuresOf(figures),
    barChart({ title: `${unit} by day`, series: SERIES, groups, write }),
    routesOf(all, unit, write),
  ];
}

function routesOf(all: readonly Members[], unit: string, write: (units: bigint) => string): HTMLElement {
  const routes = [...new Set(all.map((item) => textOf(item, 'route')))].map((route) => {
    const items = all.filter((item) => textOf(item, 'route') === route);
    return { route, sums: COLUMNS.map((column) => sumOf(items, column)) };
  });
  const settledOf = (sums: readonly bigint[]) => sums[0] ?? 0n;
  routes.sort((one, other) => (settledOf(one.sums) < settledOf(other.sums) ? 1 : -1));
  const high = settledOf(routes[0]?.sums ?? []);
  const row = ({ route, sums }: (typeof routes)[number]) => {
    const [settled = 0n, delivered = 0n, refunded = 0n] = sums;
    const rest = settled > delivered + refunded ? settled - delivered - refunded : 0n;
    const parts = [
      { units: delivered, look: 'served' },
      { units: refunded, look: 'returned' },
      { units: rest, look: 'settled' },
    ];
    return make(
      'tr',
      {},
      make('th', { scope: 'row' }, foreign(route), shareBar(parts, high)),
      ...sums.map((units) => make('td', { class: 'number' }, write(units))),
    );
  };
  const head = make(
    'tr',
    {},
    make('th', { scope: 'col' }, 'route'),
    ...SERIES.map(({ name }) => make('th', { scope: 'col', class: 'number' }, name)),
  );
  return make(
    'div',
    { class: 'wide', tabindex: '0', role: 'region', 'aria-label': `${unit} by route` },
    make('table', {}, make('caption', {}, `${unit} by route`), make('thead', {}, head), make('tbody', {}, ...routes.map(row))),
  );
}
