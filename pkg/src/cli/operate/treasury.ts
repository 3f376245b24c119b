/** What an operator asks a treasury, and decides there. Spec: docs/treasury.md, "The operator's side". */
import type { Members } from '../../members.js';
import { doneTo, itemsOf, type Operator, segmentOf, textOf } from '../../operator/client.js';
import { tell } from '../terminal.js';
import { EXIT, Usage } from '../words.js';
import { type Column, plain, printList, printOne } from './table.js';
import type { Spoken } from './words.js';

/** How many a treasury lists at once: unless it is told, and at most. */
const [USUAL, MOST] = [100, 1_000];
/** States of a review. A treasury takes another word for one that no review is in. */
const STATES: readonly string[] = ['open', 'approved', 'denied', 'used', 'expired'];
/** Pages of reviews that are read for one of them. */
const MAX_PAGES = 100;
const ROOT = '/api/organizations';
const REVIEWS: readonly Column[] = [
  plain('CREATED', 'createdAt'),
  plain('STATE', 'state'),
  plain('AGENT', 'agent'),
  plain('AMOUNT', 'amount'),
  plain('NETWORK', 'network'),
  plain('METHOD', 'requestMethod'),
  plain('REQUEST', 'requestUrl'),
  plain('PAYEE', 'payee'),
  plain('ID', 'id'),
];

/** The organization that is named, or the only one. */
async function organization(operator: Operator, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  const names = itemsOf(await operator.read(ROOT)).map((item) => textOf(item, 'name'));
  const [only, ...others] = names;
  if (only === undefined || others.length > 0) throw new Usage(`which organization? --org ${names.join(', or --org ')}`);
  return only;
}

/** Lists what waits for a person, or prints one review with the header fields and the body that an approval covers. */
export async function reviews(operator: Operator, { values, given }: Spoken): Promise<number> {
  const [id] = given;
  const { state = 'open' } = values;
  if (!STATES.includes(state)) throw new Usage(`--state of a review is ${STATES.join(', ')}`);
  const path = `${ROOT}/${segmentOf(await organization(operator, values.org))}/reviews`;
  if (id !== undefined) {
    printOne(await reviewOf(operator, path, state, id), values.json === true);
    return EXIT.done;
  }
  const said = await operator.read(path, { state, limit: values.limit });
  printList(itemsOf(said), REVIEWS, values.json === true);
  const limit = Number(values.limit ?? USUAL);
  if (textOf(said, 'cursor') !== '') tell(`There may be more${limit < MOST ? `: --limit ${Math.min(limit * 4, MOST)}` : ''}\n`);
  return EXIT.done;
}

async function reviewOf(operator: Operator, path: string, state: string, id: string): Promise<Members> {
  for (let [cursor, asked]: [string | undefined, number] = [undefined, 0]; asked < MAX_PAGES; asked += 1) {
    const page = await operator.read(path, { state, limit: String(MOST), cursor });
    const found = itemsOf(page).find((review) => textOf(review, 'id') === id);
    if (found !== undefined) return found;
    cursor = textOf(page, 'cursor') || undefined;
    if (cursor === undefined) break;
  }
  throw new Usage(`no review ${id} is ${state}: --state ${STATES.filter((other) => other !== state).join(', or --state ')}`);
}

/** Lets the payments of reviews be made once, or denies them. */
export const answers =
  (verdict: 'approve' | 'deny') =>
  async (operator: Operator, { values, given }: Spoken): Promise<number> => {
    if (given.length === 0) throw new Usage(`${verdict} is followed by the ids of reviews`);
    const org = segmentOf(await organization(operator, values.org));
    for (const id of given) {
      const review = await operator.tell('POST', `${ROOT}/${org}/reviews/${segmentOf(id)}/${verdict}`, {});
      printOne(doneTo(review, 'id', id), values.json === true);
    }
    return EXIT.done;
  };
