/** Lists on a terminal. */
import type { Members } from '../../members.js';
import { textOf } from '../../operator/client.js';
import { jsonText, visible } from '../terminal.js';

/** A column: its heading, and what it shows of an item. */
export type Column = readonly [heading: string, shows: (item: Members) => string];

/** A column of a member as it is. */
export const plain = (heading: string, name: string): Column => [heading, (item) => textOf(item, name)];

/** Prints a list: aligned for people, an object a line for programs. */
export function printList(items: readonly Members[], columns: readonly Column[], isJson: boolean): void {
  if (isJson) {
    process.stdout.write(items.map((item) => `${jsonText(item)}\n`).join(''));
    return;
  }
  const cells = items.map((item) => columns.map(([, shows]) => visible(shows(item)) || '-'));
  const headings = columns.map(([heading]) => heading);
  const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((row) => [...row[at]!].length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell + ' '.repeat(widths[at]! - [...cell].length))
      .join('  ')
      .trimEnd();
  process.stdout.write([headings, ...cells].map((row) => `${line(row)}\n`).join(''));
}

/** Prints one thing: a member a line for people. */
export function printOne(item: Members, isJson: boolean): void {
  if (isJson) {
    process.stdout.write(`${jsonText(item, 2)}\n`);
    return;
  }
  for (const [name, value] of Object.entries(item)) {
    if (value === null) continue;
    process.stdout.write(`${visible(name)}: ${visible(typeof value === 'object' ? jsonText(value) : String(value))}\n`);
  }
}

/** An amount with its unit. */
export function amountOf(item: Members, name = 'amount'): string {
  const [decimal, symbol] = [textOf(item, `${name}_decimal`), textOf(item, 'symbol')];
  return decimal === '' ? `${textOf(item, name)} units of ${textOf(item, 'asset')}` : `${decimal} ${symbol}`;
}
