/** Agents with their rules and keys, and what was changed by whom. One click ends an agent. */

import type { Members } from '../../members.js';
import { doneTo, itemsOf, listOf, type Operator, textOf } from '../../operator/client.js';
import { foreign, make } from '../shared/dom.js';
import { deedForm, facts, moment, pageLinks, pill, rowsOf, spokenOf } from '../shared/parts.js';
import { type Deed, linkTo, type Wanted } from '../shared/shell.js';
import { type Place, pathIn, placeOf } from './organization.js';

export async function agents(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const place = await placeOf(operator, wanted);
  const organization = await operator.read(place.path());
  const all = itemsOf(organization, 'agents');
  const keys = await Promise.all(all.map((agent) => operator.read(place.path('agents', textOf(agent, 'name'), 'bootstrap-keys'))));
  const wallets = listOf(organization, 'wallets').map((wallet) => [textOf(wallet, 'name'), textOf(wallet, 'address')] as const);
  return [
    ...place.head('Agents', 'agents'),
    rowsOf(
      all.map((agent, at) => agentRow(place, agent, itemsOf(keys[at] ?? {}))),
      'There is no agent.',
    ),
    make('section', {}, make('h3', {}, 'Rules of the organization'), rules(organization)),
    make('section', {}, make('h3', {}, 'Wallets'), facts(wallets)),
  ];
}

function rules(of: Members): HTMLElement {
  const policy = of['policy'];
  return make('pre', { tabindex: '0' }, policy === null || policy === undefined ? 'none of its own' : JSON.stringify(policy));
}

function agentRow(place: Place, agent: Members, keys: readonly Members[]): HTMLElement {
  const name = textOf(agent, 'name');
  const isEnded = agent['disabled'] === true;
  const held = keys.filter((key) => key['revoked'] !== true);
  return make(
    'li',
    { class: 'row', id: `agent-${encodeURIComponent(name)}` },
    make('h3', {}, foreign(name), ' ', pill(isEnded ? 'ended' : 'may spend', isEnded ? 'critical' : 'positive')),
    make('p', {}, make('a', { href: linkTo('decisions', { org: place.name, agent: name }) }, 'Its decisions')),
    make('details', { id: `rules-${encodeURIComponent(name)}` }, make('summary', {}, 'Its rules'), rules(agent)),
    make('p', { class: 'quiet' }, held.length === 0 ? 'It has no key.' : `Its keys: ${held.length}`),
    ...held.map((key) => keyRow(place, key)),
    isEnded
      ? undefined
      : make(
          'div',
          { class: 'actions' },
          deedForm(
            'end',
            { org: place.name, name },
            `End ${name}`,
            make(
              'p',
              { class: 'quiet' },
              'It begins no payment from now on; what it has signed may still be sent. All of its keys and tokens are taken back for good.',
            ),
          ),
        ),
  );
}

function keyRow(place: Place, key: Members): HTMLElement {
  const id = textOf(key, 'id');
  return spokenOf(
    id,
    make(
      'div',
      { class: 'actions', id: `key-${id}` },
      deedForm(
        'revoke',
        { org: place.name, id },
        'Take back',
        make('p', { class: 'quiet' }, 'key ', make('code', {}, id), ' of ', moment(textOf(key, 'createdAt'))),
      ),
    ),
  );
}

export const endAgent: Deed = async (operator, { org = '', name = '' }) => {
  doneTo(await operator.tell('DELETE', pathIn(org, 'agents', name)), 'name', name);
  return `${name} has ended: its keys and tokens are taken back.`;
};

export const revokeKey: Deed = async (operator, { org = '', id = '' }) => {
  doneTo(await operator.tell('DELETE', pathIn(org, 'bootstrap-keys', id)), 'id', id);
  return 'The key is taken back, with its tokens.';
};

export async function changes(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const place = await placeOf(operator, wanted);
  const page = await operator.read(place.path('log'), { limit: '50', cursor: wanted['cursor'] });
  const lines = itemsOf(page).map((line) =>
    make(
      'li',
      {},
      moment(textOf(line, 'at')),
      ' ',
      foreign(textOf(line, 'what')),
      ' ',
      foreign(textOf(line, 'subject')),
      ' ',
      make('span', { class: 'quiet' }, foreign(textOf(line, 'note'))),
    ),
  );
  return [
    ...place.head('Changes', 'changes'),
    lines.length === 0 ? make('p', { class: 'quiet' }, 'Nothing was changed.') : make('ol', { class: 'events', role: 'list' }, ...lines),
    pageLinks('changes', { org: place.name }, wanted['cursor'], textOf(page, 'cursor')),
  ];
}
