/** What an operator asks a treasury, and decides there. Spec: docs/treasury.md, "The operator's side". */
import type { Members } from '../../members.js';
import { doneTo, itemsOf, type Operator, Refused, segmentOf, textOf } from '../../operator/client.js';
import { tell, visible } from '../terminal.js';
import { EXIT, Usage } from '../words.js';
import { only } from './pages.js';
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
  plain('KEY', 'idempotencyKey'),
  plain('ID', 'id'),
];
/** Members in which two reviews of one request differ. */
const OWN: readonly string[] = ['id', 'paidRequestId', 'idempotencyKey', 'createdAt', 'expiresAt'];
const AUDIT: readonly Column[] = [
  plain('SCOPE', 'scope'),
  plain('AGENT', 'agent'),
  plain('ASSET', 'asset'),
  plain('SIGNED', 'signed'),
  plain('VOID', 'void'),
  plain('COUNTED', 'counted'),
  plain('CONFIRMED', 'confirmed'),
  plain('OPEN', 'open'),
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
  for (const ids of alike(itemsOf(said)))
    tell(`One request, asked for ${ids.length} times: ${ids.join(', ')}. Each approval lets it be paid once more.\n`);
  const limit = Number(values.limit ?? USUAL);
  if (textOf(said, 'cursor') !== '') tell(`There may be more${limit < MOST ? `: --limit ${Math.min(limit * 4, MOST)}` : ''}\n`);
  return EXIT.done;
}

/** The ids of reviews that ask for one request, with each of its header fields and its body, under several keys. */
function alike(reviews: readonly Members[]): readonly (readonly string[])[] {
  const groups = new Map<string, string[]>();
  for (const review of reviews) {
    const request = JSON.stringify(Object.entries(review).filter(([name]) => !OWN.includes(name)));
    groups.set(request, [...(groups.get(request) ?? []), textOf(review, 'id')]);
  }
  return [...groups.values()].filter((ids) => ids.length > 1);
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

/** Ends an agent at once. */
export async function disable(operator: Operator, { values, given }: Spoken): Promise<number> {
  const name = only(given, 'disable is followed by the name of an agent');
  const path = `${ROOT}/${segmentOf(await organization(operator, values.org))}/agents/${segmentOf(name)}`;
  printOne(doneTo(await operator.tell('DELETE', path), 'name', name), values.json === true);
  tell(
    'It signs nothing more: its keys and tokens are taken back for good, and its reviews denied. What it had signed before may still move.\n',
  );
  return EXIT.done;
}

/** Prints what the payments of an organization come to. */
export async function auditOf(operator: Operator, { values }: Spoken): Promise<number> {
  const path = `${ROOT}/${segmentOf(await organization(operator, values.org))}/audit`;
  for (let cursor: string | undefined; ; ) {
    const said = await operator.read(path, { cursor });
    printList(itemsOf(said), AUDIT, values.json === true);
    const since = textOf(said, 'completeSince');
    if (since !== '') tell(`It is complete since ${since}.\n`);
    cursor = textOf(said, 'cursor') || undefined;
    if (cursor === undefined) return EXIT.done;
    tell('These are the sums of a part of the payments; those of the next part follow.\n');
  }
}

/** Prints all decisions with their payments, for a table program or as lines of JSON. */
export async function exportOf(operator: Operator, { values }: Spoken): Promise<number> {
  const strange = (['from', 'to', 'of'] as const).find((word) => values[word] !== undefined);
  if (strange !== undefined) throw new Usage(`the export of a treasury takes no --${strange}`);
  const path = `${ROOT}/${segmentOf(await organization(operator, values.org))}/export`;
  const { format = 'csv' } = values;
  for (let cursor: string | undefined; ; ) {
    // Each part has the names of the columns again.
    let isHead = cursor !== undefined && format === 'csv';
    const piece = (text: string): void => {
      const end = isHead ? text.indexOf('\n') + 1 : 0;
      if (isHead && end === 0) return;
      isHead = false;
      const rest = text.slice(end);
      process.stdout.write(process.stdout.isTTY ? visible(rest) : rest);
    };
    let next: string | undefined;
    await operator.copy(path, { format, cursor, limit: String(MOST) }, piece, (headers) => {
      next = headers.get('farebox-cursor') ?? undefined;
    });
    if (next === undefined) return EXIT.done;
    cursor = next;
  }
}

/** A command that a gate and a treasury have: `--org` says that it is of a treasury, and so does one that has no such path of a gate. */
export const either =
  (ofGate: OperatorCommand, ofTreasury: OperatorCommand): OperatorCommand =>
  async (operator, spoken) => {
    if (spoken.values.org !== undefined) return ofTreasury(operator, spoken);
    const refusal = await ofGate(operator, spoken).catch((error: unknown) => error as Error);
    if (typeof refusal === 'number') return refusal;
    if (!(refusal instanceof Refused) || refusal.status !== 404) throw refusal;
    return ofTreasury(operator, spoken).catch((error: unknown) => {
      // It is neither.
      throw error instanceof Refused && error.status === 404 ? refusal : error;
    });
  };

type OperatorCommand = (operator: Operator, spoken: Spoken) => Promise<number>;
