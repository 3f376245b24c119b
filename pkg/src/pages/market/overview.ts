/** The first view: what waits for a person, what is held, and what happened in a day. */

import { type Members, membersOf } from '../../members.js';
import { itemsOf, listOf, textOf } from '../../operator/client.js';
import { barChart } from '../shared/chart.js';
import { make } from '../shared/dom.js';
import { inTokens, unitsOf } from '../shared/money.js';
import { figuresOf, rowsOf } from '../shared/parts.js';
import { linkTo } from '../shared/shell.js';
import { holdRow, PROGRESS, progressPill } from './money.js';
import { ofProfile, priceOf } from './profile.js';

const SERIES = [
  { name: 'paid', look: 'created' },
  { name: 'ended', look: 'settled' },
] as const;

export const overview = ofProfile('Overview', async (_operator, served) => {
  const seen = await served.read('overview');
  const waiting = itemsOf(seen, 'waiting');
  const [jobs, crew] = [membersOf(seen['jobs']), membersOf(seen['sellers'])];
  const count = (members: Members, name: string) => textOf(members, name);
  return [
    ...served.head('Overview', 'overview'),
    make(
      'section',
      { id: 'waits' },
      make('h2', {}, 'Waits for you ', make('span', { class: 'count' }, String(waiting.length))),
      rowsOf(
        waiting.map((hold) => holdRow(served.name, hold)),
        'Nothing does.',
      ),
    ),
    make(
      'section',
      {},
      make('h2', {}, 'Money under way'),
      moneyTable(served.name, listOf(seen, 'money')),
      seen['complete'] === false ? make('p', { class: 'warning' }, 'There is more than is counted here.') : undefined,
    ),
    make(
      'section',
      {},
      make('h2', {}, 'Jobs and sellers'),
      figuresOf([
        ['open jobs', count(jobs, 'open')],
        ['done', count(jobs, 'done')],
        ['failed', count(jobs, 'failed')],
        ['earned in 24 h', earned(seen)],
        ['idle sellers', count(crew, 'idle')],
        ['reserved', count(crew, 'reserved')],
        ['busy', count(crew, 'busy')],
        ['offline', count(crew, 'offline')],
      ]),
      hoursOf(listOf(seen, 'hours')),
      make('p', {}, make('a', { href: '/exchange' }, 'What everyone sees')),
    ),
  ];
});

function earned(seen: Members): string {
  const decimals = Number(textOf(seen, 'decimals'));
  const units = listOf(seen, 'hours').reduce((sum, hour) => sum + unitsOf(textOf(hour, 'amount')), 0n);
  return `${inTokens(units, decimals)} ${textOf(seen, 'symbol')}`;
}

function moneyTable(profile: string, sums: readonly Members[]): HTMLElement {
  const row = (sum: Members) => {
    const state = textOf(sum, 'state');
    return make(
      'tr',
      {},
      make(
        'th',
        { scope: 'row' },
        make('a', { href: linkTo('money', { profile, state }) }, progressPill(state)),
        ' ',
        make('span', { class: 'quiet' }, PROGRESS[state]?.[2]),
      ),
      make('td', { class: 'number' }, textOf(sum, 'count')),
      make('td', { class: 'number' }, priceOf(sum)),
    );
  };
  const head = [
    make('th', { scope: 'col' }, 'how far'),
    make('th', { scope: 'col', class: 'number' }, 'payments'),
    make('th', { scope: 'col', class: 'number' }, 'sum'),
  ];
  return make(
    'div',
    { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'Money under way' },
    make('table', { class: 'few' }, make('thead', {}, make('tr', {}, ...head)), make('tbody', {}, ...sums.map(row))),
  );
}

function hoursOf(hours: readonly Members[]): HTMLElement {
  const groups = hours.map((hour) => ({
    label: `${textOf(hour, 'hour').slice(11, 16)} UTC`,
    heights: [unitsOf(textOf(hour, 'created_jobs')), unitsOf(textOf(hour, 'settled_jobs'))],
  }));
  const write = (count: bigint) => (count === 1n ? '1 job' : `${count} jobs`);
  return barChart({ title: 'Jobs of the last 24 hours', each: 'hour', series: SERIES, groups, write });
}
