/** The reviews that wait for a person, with what was asked and why. Spec: docs/treasury.md, "The operator's side". */

import { type Members, membersOf } from '../../members.js';
import { doneTo, itemsOf, type Operator, textOf } from '../../operator/client.js';
import { foreign, make } from '../shared/dom.js';
import { deedForm, facts, listPage, moment, pill, spokenOf, switchOf } from '../shared/parts.js';
import { type Deed, linkTo, type Wanted } from '../shared/shell.js';
import { pathIn, placeOf } from './organization.js';
import { sumOf } from './spending.js';

const LIMIT = '25';
/** States of a review, and the look of each. */
const LOOKS: Readonly<Record<string, string>> = { open: 'warning', approved: 'positive', denied: 'critical', used: '', expired: '' };

export async function reviews(operator: Operator, wanted: Wanted): Promise<readonly Node[]> {
  const place = await placeOf(operator, wanted);
  const state = wanted['state'] ?? 'open';
  const page = await operator.read(place.path('reviews'), { state, limit: LIMIT, cursor: wanted['cursor'] });
  const states = Object.keys(LOOKS).map((one) => [one, linkTo('reviews', { org: place.name, state: one }), one === state] as const);
  return [
    ...place.head('Reviews', 'reviews'),
    switchOf('States', states),
    make(
      'p',
      { class: 'quiet lead' },
      'An agent asked for more than it may pay alone. An approval lets exactly this request be paid, once. While its payment is prepared it is among the used ones, and can still be denied.',
    ),
    ...listPage(
      itemsOf(page).map((review) => reviewRow(place.name, review)),
      `No review is ${state}.`,
      'reviews',
      { org: place.name, state },
      wanted['cursor'],
      textOf(page, 'cursor'),
    ),
  ];
}

function reviewRow(org: string, review: Members): HTMLElement {
  const text = (name: string) => textOf(review, name);
  const [id, state] = [text('id'), text('state')];
  const isPreparing = review['preparing'] === true;
  return make(
    'li',
    { class: 'row', id: `review-${id}` },
    make(
      'h3',
      {},
      foreign(text('agent')),
      ' asks ',
      pill(isPreparing ? 'preparing' : state, isPreparing ? 'warning' : (LOOKS[state] ?? '')),
    ),
    make('p', { class: 'price' }, foreign(sumOf(review))),
    make('p', {}, foreign(`${text('requestMethod')} ${text('requestUrl')}`)),
    // Whole: whoever made a payee up may have made one with the same ends.
    facts([
      ['payee', make('code', {}, foreign(text('payee')))],
      ['network', text('network')],
      ['asked', moment(text('createdAt'))],
      ['ends', moment(text('expiresAt'))],
      // What tells two of one request apart.
      ['key', text('idempotencyKey')],
      ['review', id],
    ]),
    request(id, review),
    make('p', {}, make('a', { href: linkTo('decision', { org, id: text('paidRequestId') }) }, 'Why it was asked')),
    answers({ org, id, who: text('agent'), sum: sumOf(review) }, isPreparing ? 'preparing' : state),
  );
}

/** The headers and the body that an approval covers. */
function request(id: string, review: Members): HTMLElement {
  const headers = Object.entries(membersOf(review['requestHeaders'])).map(([name, value]) => [name, String(value)] as const);
  const cut = (name: string) => (textOf(review, name) === '0' ? '' : `${textOf(review, name)} bytes are not shown`);
  return make(
    'details',
    { id: `asked-${id}` },
    make('summary', {}, 'Headers and body'),
    facts([...headers, ['more headers', cut('requestHeadersCutBytes')]]),
    make('pre', { tabindex: '0' }, textOf(review, 'requestBody') || 'no body'),
    make('p', { class: 'quiet' }, cut('requestBodyCutBytes')),
  );
}

/** What a button answers, by the names that it says. */
type Answered = { readonly org: string; readonly id: string; readonly who: string; readonly sum: string };

function answers(answered: Answered, state: string): HTMLElement | undefined {
  const approve = deedForm('answer', { ...answered, verdict: 'approve' }, `Approve ${answered.sum} for ${answered.who}`);
  const deny = spokenOf(`${answered.sum} for ${answered.who}`, deedForm('answer', { ...answered, verdict: 'deny' }, 'Deny'));
  if (state === 'open') return make('div', { class: 'actions beside' }, approve, deny);
  // Until it is signed.
  return state === 'approved' || state === 'preparing' ? make('div', { class: 'actions beside' }, deny) : undefined;
}

export const answerReview: Deed = async (operator, { org = '', id = '', verdict = '', who = '', sum = '' }) => {
  const review = doneTo(await operator.tell('POST', pathIn(org, 'reviews', id, verdict), {}), 'id', id);
  return `The review of ${sum} for ${who} is ${textOf(review, 'state')}.`;
};
