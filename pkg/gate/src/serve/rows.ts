/** What the rows of a gate are named by: under another name none of them is found, and what was paid could begin again. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Later, Usage } from 'farebox/command';
import { checkProgram } from '../create/rules.js';
import { writeWhole } from './whole.js';

/** The file beside the rows that says that there are some. */
export const KNOWN = 'rows.json';
/** The file among the rows that says what they are named by. */
const NAMED = 'gate.json';

type Named = { readonly salt: string; readonly shards: string };

/** Refuses other names than those of the rows that are there, and keeps them for the next start. Says whether there was none before this. */
export async function keepNames(folder: string, rows: string, vars: Readonly<Record<string, string>>): Promise<boolean> {
  refuseLost(folder, rows);
  const [known, named] = [join(folder, KNOWN), join(rows, NAMED)];
  const now: Named = { salt: printOf(vars['LEDGER_SALT'] ?? ''), shards: vars['LEDGER_SHARDS'] ?? '16' };
  if (existsSync(named)) {
    const before = namedIn(named);
    if (before.salt !== now.salt)
      throw new Usage(`LEDGER_SALT is not that of the rows in ${rows}: set the one of before, without which none of them is found`);
    const step = (await checkProgram()).stepBetween(before.shards, now.shards);
    if (step !== undefined) throw new Usage(`LEDGER_SHARDS was ${step.was} at the last start; ${step.next}`);
  }
  const text = `${JSON.stringify(now)}\n`;
  if (!existsSync(named) || readFileSync(named, 'utf8') !== text) writeWhole(named, text);
  if (existsSync(known)) return false;
  writeWhole(known, `${JSON.stringify({ rows: true })}\n`);
  return true;
}

/** Refuses a folder whose rows are not there, as without their disk. */
export function refuseLost(folder: string, rows: string): void {
  const known = join(folder, KNOWN);
  if (existsSync(known) && !existsSync(join(rows, NAMED)))
    throw new Later(`${rows} has not the rows that were there: is their disk? If they are given up, remove ${known}`);
}

/** A print of the salt, which tells nothing of it. */
const printOf = (salt: string): string => createHash('sha256').update(`the salt of a ledger\n${salt}`).digest('hex');

function namedIn(file: string): Named {
  try {
    const { salt, shards } = JSON.parse(readFileSync(file, 'utf8')) as Named;
    if (typeof salt === 'string' && typeof shards === 'string') return { salt, shards };
  } catch {
    // As any other text that this program did not write.
  }
  throw new Usage(`${file} cannot be read: put it back from a backup, or remove it if LEDGER_SALT and LEDGER_SHARDS are those of before`);
}
