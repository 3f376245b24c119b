/** Lists that a Worker gives page by page, and words that a command needs. */
import type { Members } from '../../members.js';
import { itemsOf, type Operator, textOf } from '../../operator/client.js';
import { tell } from '../terminal.js';
import { EXIT, Usage } from '../words.js';
import { type Column, printList } from './table.js';
import type { Spoken } from './words.js';

/** Pages without anything, one after the other, that are read. */
const MAX_EMPTY = 1_000;

/** Prints a list, up to `--limit`. */
export async function pages(
  operator: Operator,
  path: string,
  parameters: Readonly<Record<string, string | undefined>>,
  columns: readonly Column[],
  { limit, json }: Spoken['values'],
): Promise<number> {
  const most = limit === undefined ? 50 : Number(limit);
  if (!Number.isSafeInteger(most) || most < 1) throw new Usage('--limit is a number from 1');
  const items: Members[] = [];
  for (let [cursor, asked]: [string | undefined, number] = [undefined, 0]; ; asked += 1) {
    // Pages of a filter may be empty, but not for ever.
    if (asked > most + MAX_EMPTY) throw new Usage('the Worker names a next page again and again, and none has anything: ask its operator');
    const page = await operator.read(path, { ...parameters, cursor, limit: String(Math.min(most - items.length, 200)) });
    items.push(...itemsOf(page));
    cursor = textOf(page, 'next') || undefined;
    if (cursor === undefined || items.length >= most) {
      printList(items, columns, json === true);
      if (cursor !== undefined) tell(`There are more: --limit ${most * 4}\n`);
      return EXIT.done;
    }
  }
}

/** The one id that follows a command. */
export function only([id]: readonly string[], says: string): string {
  if (id === undefined) throw new Usage(says);
  return id;
}

/** The reason of a decision. */
export function reasonOf(reason: string | undefined): string {
  if (reason === undefined || reason === '') throw new Usage('the reason is missing: --reason TEXT, which the books keep');
  return reason;
}
