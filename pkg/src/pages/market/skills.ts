/** Skills that are sold, which the operator may take back, and their invocations. Spec: docs/skills.md, "Sell", "The ledger". */

import { type Members, membersOf } from '../../members.js';
import { doneTo, itemsOf, type Operator, Refused, textOf } from '../../operator/client.js';
import { foreign, make } from '../shared/dom.js';
import { deedForm, field, instant, listPage, pageLinks, pill, rowsOf, shortened, spokenOf, switchOf } from '../shared/parts.js';
import { type Deed, heading, linkTo, type Wanted } from '../shared/shell.js';

const LIMIT = '25';
/** Skills that are shown at once. */
const PAGE = 25;
/** Outcomes, and the name and look of each. */
const OUTCOMES: Readonly<Record<string, readonly [string, string]>> = {
  running: ['not over', 'neutral'],
  paid_ok: ['paid', 'positive'],
  free: ['free', 'positive'],
  paid_failed: ['paid, not delivered', 'critical'],
  not_paid_failed: ['failed, not paid', 'warning'],
  insufficient_balance: ['not enough money', 'warning'],
};

/** Reads of the market of skills; `undefined` where the Worker sells none. */
async function readMarket(operator: Operator, path: string, parameters: Wanted = {}): Promise<Members | undefined> {
  try {
    return await operator.read(`/api/marketplace/${path}`, parameters);
  } catch (error) {
    if (error instanceof Refused && error.code === 'not_configured') return undefined;
    throw error;
  }
}

function none(title: string): readonly Node[] {
  return [heading(title), make('p', { class: 'quiet' }, 'This Worker sells no skills.')];
}

export async function skills(operator: Operator, { from = '0', name = '' }: Wanted): Promise<readonly Node[]> {
  const read = await readMarket(operator, 'skills', { name });
  if (read === undefined) return none('Skills');
  const all = itemsOf(read, 'skills');
  const first = Math.max(0, Number.parseInt(from, 10) || 0);
  const next = first + PAGE < all.length ? String(first + PAGE) : '';
  return [
    heading('Skills'),
    make(
      'p',
      { class: 'quiet lead' },
      `${all.length === 1 ? '1 skill is' : `${all.length} skills are`} listed, the newest first. `,
      make('a', { href: '/' }, 'What everyone sees'),
    ),
    rowsOf(all.slice(first, first + PAGE).map(skillRow), 'No skill is sold.'),
    pageLinks('skills', { name }, first === 0 ? undefined : from, next, 'from'),
  ];
}

function skillRow(skill: Members): HTMLElement {
  const text = (name: string) => textOf(skill, name);
  const [id, refused] = [text('id'), text('refused')];
  const reason = field('Reason', 'reason', `why-${encodeURIComponent(id)}`, {
    required: true,
    maxlength: '256',
    pattern: '[ -~]+',
    placeholder: 'kept in the log',
  });
  return spokenOf(
    text('name'),
    make(
      'li',
      { class: 'row', id: `skill-${encodeURIComponent(id)}` },
      make('h3', {}, make('a', { href: `/skills/${encodeURIComponent(id)}` }, foreign(text('name')))),
      make('p', { class: 'price' }, foreign(`${text('price')} ${text('asset')}`)),
      make('p', { class: 'quiet' }, foreign(text('description'))),
      make('p', { class: 'quiet' }, foreign(id), ', version ', foreign(text('version')), ', paid to ', shortened(text('payTo'))),
      refused === '' ? undefined : make('p', { class: 'warning' }, 'The gate does not sell it: ', foreign(refused)),
      make('p', {}, make('a', { href: linkTo('invocations', { skill: id }) }, 'Its invocations')),
      make(
        'details',
        { id: `remove-${encodeURIComponent(id)}` },
        make('summary', {}, 'Take it off the list'),
        deedForm('remove', { id, name: text('name') }, 'Take it back', reason),
      ),
    ),
  );
}

export const takeBack: Deed = async (operator, { id = '', name = '', reason = '' }) => {
  const { skill } = await operator.tell('DELETE', `/api/marketplace/skills/${encodeURIComponent(id)}`, { reason });
  doneTo(membersOf(skill), 'id', id);
  return `${name} is taken back: the gate sells it for about a minute more. Packs that were sold still give their calls.`;
};

export async function invocations(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const { skill = '', agent = '', outcome = '', cursor } = wanted;
  const parameters = { skillId: skill, agentId: agent, status: outcome, limit: LIMIT, cursor: cursor ?? '' };
  const page = await readMarket(operator, 'invocations', parameters);
  if (page === undefined) return none('Invocations');
  const form = deedForm(
    'invocations',
    { outcome },
    'Search',
    field('Skill', 'skill', 'skill', { value: skill, maxlength: '128' }),
    field('Agent', 'agent', 'agent', { value: agent, maxlength: '128' }),
  );
  form.id = `search-${[skill, agent, outcome].map(encodeURIComponent).join('-')}`;
  form.setAttribute('role', 'search');
  const outcomes = ['', ...Object.keys(OUTCOMES)].map(
    (one) => [OUTCOMES[one]?.[0] ?? 'all', linkTo('invocations', { skill, agent, outcome: one }), one === outcome] as const,
  );
  return [
    heading('Invocations'),
    form,
    switchOf('Outcomes', outcomes),
    ...listPage(
      itemsOf(page, 'invocations').map(invocationRow),
      'No invocation is like this.',
      'invocations',
      { skill, agent, outcome },
      cursor,
      textOf(page, 'cursor'),
    ),
  ];
}

function invocationRow(item: Members): HTMLElement {
  const text = (name: string) => textOf(item, name);
  const [name, look] = OUTCOMES[text('outcome')] ?? [text('outcome'), ''];
  const [error, at] = [text('error'), Number(text('invokedAt'))];
  return make(
    'li',
    { class: 'row', id: `invocation-${encodeURIComponent(text('id'))}` },
    make('h3', {}, foreign(text('skillId')), ' ', pill(name, look)),
    make('p', { class: 'price' }, foreign(text('asset') === '' ? text('amount') : `${text('amount')} ${text('asset')}`)),
    make('p', { class: 'quiet' }, foreign(text('agentId')), ' at ', instant(at) ?? 'a time that is none'),
    text('paid') === 'unknown'
      ? make('p', { class: 'warning' }, 'It is not known yet whether money moved: the chain will tell.')
      : undefined,
    error === '' ? undefined : make('p', { class: 'quiet' }, foreign(error)),
    text('txHash') === '' ? undefined : make('p', { class: 'quiet' }, 'paid as ', shortened(text('txHash'))),
    make('p', { class: 'quiet' }, make('code', {}, text('id'))),
  );
}

export const searchInvocations: Deed = async (_operator, { skill, agent, outcome }) => {
  location.hash = linkTo('invocations', { skill, agent, outcome });
  return undefined;
};
