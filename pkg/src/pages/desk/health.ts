/** Clients that fail to pay, the health of facilitators, and the channels of sessions. */

import type { Members } from '../../members.js';
import { itemsOf, listOf, type Operator, textOf } from '../../operator/client.js';
import { foreign, make } from '../shared/dom.js';
import { type Coin, coinOf, inWords, unitsOf } from '../shared/money.js';
import { facts, figuresOf, instant, listPage, moment, pill, rowsOf, shortened } from '../shared/parts.js';
import { heading, linkTo, type Wanted } from '../shared/shell.js';

export async function clients(operator: Operator, { code, route }: Wanted): Promise<readonly Node[]> {
  const page = await operator.read('/_farebox/failures', { code, route, limit: '50' });
  const rows = itemsOf(page).map(clientRow);
  const routes = listOf(page, 'routes').map((sum) => [
    textOf(sum, 'route'),
    textOf(sum, 'code'),
    textOf(sum, 'clients'),
    textOf(sum, 'attempts'),
  ]);
  const head = ['route', 'code', 'clients', 'attempts'].map((name) => make('th', { scope: 'col' }, name));
  const table = make(
    'div',
    { class: 'wide', tabindex: '0', role: 'region', 'aria-label': 'Failures by route' },
    make(
      'table',
      {},
      make('thead', {}, make('tr', {}, ...head)),
      make('tbody', {}, ...routes.map((row) => make('tr', {}, ...row.map((cell) => make('td', {}, foreign(cell)))))),
    ),
  );
  return [
    heading('Failing clients'),
    make('p', { class: 'quiet lead' }, 'Clients that have failed to pay since their last success and within a day, most failures first.'),
    rowsOf(rows, 'None.'),
    make('section', { hidden: routes.length === 0 }, make('h3', {}, 'By route'), table),
  ];
}

function clientRow(item: Members): HTMLElement {
  const text = (name: string) => textOf(item, name);
  const client = text('client');
  const name = /^0x[0-9a-f]{40}$/.test(client)
    ? make('a', { href: linkTo('payments', { find: client }) }, shortened(client))
    : shortened(client);
  return make(
    'li',
    { class: 'row', id: `client-${encodeURIComponent(`${client} ${text('route')}`)}` },
    make('h3', {}, name, ' ', pill(text('code'), 'warning')),
    make('p', { class: 'price' }, `${text('attempts')} in a row`),
    make(
      'p',
      { class: 'quiet' },
      foreign(text('route')),
      ': ',
      foreign(text('cause')),
      ', ',
      foreign(text('reason')),
      ` (${text('times')} times)`,
    ),
    text('claims') === '' ? undefined : make('p', { class: 'quiet' }, 'says it is ', foreign(text('claims'))),
    make('p', { class: 'quiet' }, 'first ', moment(text('first')), ', last ', moment(text('last'))),
  );
}

/** The member of a facilitator with the extensions that a route announces and it does not list. */
const UNLISTED = 'extensions_missing';

export async function facilitators(operator: Operator): Promise<readonly Node[]> {
  const health = await operator.read('/_farebox/health');
  const all = listOf(health, 'facilitators');
  const rows = all.map((one) => {
    const said = textOf(one, 'supported');
    const [names, sessions, unlisted] = [namesOf(one, 'networks_missing'), namesOf(one, 'sessions_missing'), namesOf(one, UNLISTED)];
    return make(
      'li',
      { class: 'row', id: `facilitator-${encodeURIComponent(textOf(one, 'url'))}` },
      make('h3', {}, foreign(textOf(one, 'url')), ' ', pill(said, said === 'ok' ? 'positive' : said === 'stale' ? 'warning' : 'critical')),
      names === '' ? undefined : make('p', { class: 'critical' }, 'does not list ', foreign(names)),
      sessions === '' ? undefined : make('p', { class: 'critical' }, 'lists no sessions for ', foreign(sessions)),
      unlisted === '' ? undefined : make('p', { class: 'warning' }, 'does not list what a route announces: ', foreign(unlisted)),
      ...extensionsOf(one).map((line) => make('p', { class: 'quiet' }, foreign(line))),
      make('p', { class: 'quiet' }, 'listed what it settles: ', secondsOf(one, 'at') ?? 'never'),
    );
  });
  const isWell = health['ok'] === true;
  // Who pays without an extension is served: the gate is well then.
  const isWhole = all.every((one) => namesOf(one, UNLISTED) === '');
  return [
    heading('Facilitators'),
    make(
      'p',
      { class: 'lead' },
      pill(isWell ? 'well' : 'not well', !isWell ? 'critical' : isWhole ? 'positive' : 'warning'),
      isWell ? ' What is sold can be settled' : ' Something that is sold cannot be settled',
      isWhole || !isWell ? '.' : ', but not for payers who need an extension that a facilitator does not list.',
    ),
    rowsOf(rows, 'None.'),
    make(
      'section',
      {},
      make('h3', {}, 'The gate'),
      facts([
        ['version', textOf(health, 'version')],
        ['networks', namesOf(health, 'networks')],
        ['protocols', namesOf(health, 'protocols')],
        ['routes', textOf(health, 'routes')],
      ]),
    ),
  ];
}

/** Unix seconds as a time; `undefined` for none. */
function secondsOf(members: Members, name: string): HTMLElement | undefined {
  const secs = members[name];
  return typeof secs === 'number' ? instant(secs * 1_000) : undefined;
}

/** What a facilitator has said of extensions, each in a line. */
function extensionsOf(one: Members): readonly string[] {
  const said = one['extensions'];
  if (typeof said !== 'object' || said === null) return [];
  return Object.entries(said as Record<string, Members>).map(([name, members]) => {
    const words = ['status', 'rejectedReason', 'reason', 'code'].map((member) => textOf(members, member)).filter((word) => word !== '');
    return `${name}: ${words.join(', ')}`;
  });
}

function namesOf(members: Members, name: string): string {
  const list = members[name];
  return Array.isArray(list) ? list.map(String).join(', ') : '';
}

/** The greatest id of a channel, behind which the list has the accounts of `PAYEE_KEY`: one for each network. */
const LAST_CHANNEL = `0x${'f'.repeat(64)}`;

export async function channels(operator: Operator, { cursor }: Wanted): Promise<readonly Node[]> {
  const read = (after: string | undefined) => operator.read('/_farebox/channels', { limit: '25', cursor: after });
  const [page, accounts, { sessions }] = await Promise.all([
    read(cursor),
    // Without gas no claim goes out: it stands first, and not behind hundreds of channels.
    cursor === undefined ? read(LAST_CHANNEL) : {},
    // As the audit has it, which walks all rows.
    operator.read('/_farebox/totals'),
  ]);
  const next = textOf(page, 'next');
  const sums = listOf({ sessions }, 'sessions').flatMap(sumOf);
  return [
    heading('Channels'),
    make(
      'p',
      { class: 'quiet lead' },
      'The channels of sessions, each as of its last alarm. What was spent and not claimed yet can be claimed.',
    ),
    ...sums,
    ...(cursor === undefined ? gasOf(itemsOf(accounts)) : []),
    ...listPage(itemsOf(page).filter(isChannel).map(channelRow), 'No session has begun.', 'channels', {}, cursor, next),
  ];
}

/** What was earned and is not claimed. */
function claimable(members: Members, coin: Coin): string {
  const [spent, claimed] = [unitsOf(textOf(members, 'spent')), unitsOf(textOf(members, 'claimed'))];
  return inWords(spent > claimed ? spent - claimed : 0n, coin);
}

function sumOf(sum: Members): readonly HTMLElement[] {
  const coin = coinOf(sum);
  const write = (name: string) => inWords(unitsOf(textOf(sum, name)), coin);
  return [
    make('h3', {}, foreign(`${coin.symbol === '' ? coin.asset : coin.symbol} on ${coin.network}`)),
    figuresOf([
      ['channels', textOf(sum, 'channels')],
      ['deposited', write('deposit')],
      ['earned', write('spent')],
      ['can be claimed', claimable(sum, coin)],
    ]),
  ];
}

const isChannel = (item: Members) => textOf(item, 'account') === '';

function gasOf(accounts: readonly Members[]): readonly HTMLElement[] {
  return accounts.length === 0
    ? []
    : [make('section', { id: 'gas' }, make('h3', {}, 'Gas for claims'), rowsOf(accounts.map(accountRow), ''))];
}

function accountRow(account: Members): HTMLElement {
  const text = (name: string) => textOf(account, name);
  const lacks = text('lacks_wei');
  return make(
    'li',
    { class: 'row', id: `channel-${encodeURIComponent(text('id'))}` },
    make(
      'h3',
      {},
      'Gas of ',
      shortened(text('account')),
      ' ',
      pill(lacks === '0' ? 'enough' : 'not enough', lacks === '0' ? 'positive' : 'critical'),
    ),
    make('p', {}, foreign(text('network')), lacks === '0' ? '' : ` It lacks ${lacks} wei for its next transaction.`),
    make('p', { class: 'quiet' }, 'as of ', moment(text('time'))),
  );
}

function channelRow(channel: Members): HTMLElement {
  const text = (name: string) => textOf(channel, name);
  const coin = coinOf(channel);
  const write = (name: string) => inWords(unitsOf(text(name)), coin);
  return make(
    'li',
    { class: 'row', id: `channel-${encodeURIComponent(text('id'))}` },
    make(
      'h3',
      {},
      shortened(text('id')),
      ' ',
      pill(text('state'), text('state') === 'leaving' ? 'warning' : text('state') === 'open' ? 'neutral' : ''),
    ),
    // Of a channel that is over nothing can be claimed any more.
    make('p', { class: 'price' }, text('state') === 'finalized' ? `${write('claimed')} claimed` : `${claimable(channel, coin)} to claim`),
    make('p', { class: 'quiet' }, 'from ', shortened(text('payer')), ' to ', shortened(text('pay_to')), ' on ', foreign(text('network'))),
    make(
      'p',
      { class: 'quiet' },
      `deposit ${write('deposit')}, spent ${write('spent')}, claimed ${write('claimed')}, refunded ${write('refunded')}`,
    ),
    make('p', { class: 'quiet' }, 'as of ', moment(text('time'))),
  );
}
