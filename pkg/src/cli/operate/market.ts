/** What an operator asks a market and its exchange, and decides there. Spec: docs/exchange.md, "The operator's side"; docs/skills.md, "Sell". */
import { membersOf } from '../../members.js';
import { doneTo, itemsOf, type Operator, segmentOf } from '../../operator/client.js';
import { EXIT, Usage } from '../words.js';
import { only, pages, reasonOf } from './pages.js';
import { amountOf, type Column, plain, printList, printOne } from './table.js';
import type { Spoken } from './words.js';

const ROOT = '/api/v1/operator';
const HOLDS: readonly Column[] = [
  plain('STATE', 'state'),
  plain('LEAVE', 'leave'),
  ['AMOUNT', (item) => amountOf(item)],
  plain('WAITS', 'waits'),
  plain('JOB', 'job_id'),
  plain('PAYMENT', 'payment'),
];
const JOBS: readonly Column[] = [
  plain('CREATED', 'created'),
  plain('STATE', 'state'),
  ['AMOUNT', (item) => amountOf(item)],
  plain('CAPABILITY', 'capability'),
  plain('SELLER', 'seller_id'),
  plain('ID', 'job_id'),
];
const SELLERS: readonly Column[] = [
  plain('HEARD', 'heard'),
  plain('STATUS', 'status'),
  ['PRICE', (item) => amountOf(item)],
  plain('CAPABILITY', 'capability'),
  plain('DONE', 'done'),
  plain('FAILED', 'failed'),
  plain('SELLER', 'seller_id'),
];

/** Lists the money that waits for a person. */
export async function waiting(operator: Operator, { values }: Spoken): Promise<number> {
  const seen = await operator.read(`${ROOT}/overview`, { network_profile: values.profile });
  printList(itemsOf(seen, 'waiting'), HOLDS, values.json === true);
  return EXIT.done;
}

/** Lists money that is held, or prints that of one payment. */
export async function holds(operator: Operator, { values, given }: Spoken): Promise<number> {
  const [payment] = given;
  const { state, leave, profile } = values;
  if (payment === undefined) return pages(operator, `${ROOT}/holds`, { network_profile: profile, state, leave }, HOLDS, values);
  if (state !== undefined || leave !== undefined) throw new Usage('holds takes a payment, or --state and --leave for a list');
  const [hold] = itemsOf(await operator.read(`${ROOT}/holds`, { network_profile: profile, payment }));
  if (hold === undefined) throw new Usage(`no money is held for ${payment}`);
  printOne(doneTo(hold, 'payment', payment), values.json === true);
  return EXIT.done;
}

/** Lists jobs, or prints one with its money and its events. */
export async function jobs(operator: Operator, { values, given }: Spoken): Promise<number> {
  const [id] = given;
  const { state, seller, profile } = values;
  if (id === undefined) return pages(operator, `${ROOT}/jobs`, { network_profile: profile, state, seller }, JOBS, values);
  if (state !== undefined || seller !== undefined) throw new Usage('jobs takes an id, or --state and --seller for a list');
  printOne(doneTo(await operator.read(`${ROOT}/jobs/${segmentOf(id)}`, { network_profile: profile }), 'job_id', id), values.json === true);
  return EXIT.done;
}

export const sellers = (operator: Operator, { values }: Spoken): Promise<number> =>
  pages(operator, `${ROOT}/sellers`, { network_profile: values.profile, seller: values.seller }, SELLERS, values);

/** Has the treasury or the gate asked at once for what waits, or ends jobs whose money stays where it is. */
export const deeds =
  (deed: 'ask' | 'end') =>
  async (operator: Operator, { values, given }: Spoken): Promise<number> => {
    if (given.length === 0) throw new Usage(`${deed} is followed by payments, as waiting shows them`);
    const query = values.profile === undefined ? '' : `?${new URLSearchParams({ network_profile: values.profile })}`;
    for (const payment of given) {
      const hold = await operator.tell('POST', `${ROOT}/holds/${segmentOf(payment)}/${deed}${query}`);
      printOne(doneTo(hold, 'payment', payment), values.json === true);
    }
    return EXIT.done;
  };

/** Takes a skill off the list of the market. */
export async function takeback(operator: Operator, { values, given }: Spoken): Promise<number> {
  const id = only(given, 'takeback is followed by the id of a skill');
  const said = await operator.tell('DELETE', `/api/marketplace/skills/${segmentOf(id)}`, { reason: reasonOf(values.reason) });
  printOne(doneTo(membersOf(said['skill']), 'id', id), values.json === true);
  return EXIT.done;
}
