// What an object does for a copy of its rows: its tables are those of this version before they are read or filled, and it
// answers by rows of a copy only once they could be read.

import { carryOut, OtherVersion, pageOf } from '../platform/copy.mjs';
import { usable } from '../platform/instance.mjs';

/** @typedef {import('../platform/copy.mjs').CopyCommand} CopyCommand */

/**
 * Carries out a command about the rows of an object.
 *
 * @param {{ state: DurableObjectState, held: boolean, isHeld: boolean | undefined, compiled(): any, forget(): void }} object
 * @param {CopyCommand} command
 * @param {string} lines
 */
export async function copied(object, command, lines) {
  const { storage } = object.state;
  const isOpening = command.do === 'open' && object.held;
  try {
    if (isOpening) readRows(object, command);
    else if (!object.held && needsTables(command)) object.compiled().tables(command.tables);
    if (command.do === 'page') return pageOf(storage.sql, command);
    const said = storage.transactionSync(() => carryOut(storage.sql, command, lines));
    // Whatever is due sets its own alarm then.
    if (isOpening && command.tables !== 'listed') await storage.setAlarm(Date.now());
    return JSON.stringify(said);
  } catch (error) {
    usable();
    if (error instanceof OtherVersion) return JSON.stringify({ state: 'other' });
    throw error;
  } finally {
    // What the compiled part knows of the rows may be those of before.
    if (command.do !== 'page' && command.do !== 'look') object.forget();
  }
}

/**
 * Reads the rows of a copy before anything is decided by them.
 *
 * @param {Parameters<typeof copied>[0]} object
 * @param {CopyCommand} command
 */
function readRows(object, { tables }) {
  object.forget();
  object.isHeld = false;
  try {
    object.compiled().tables(tables);
  } catch {
    usable();
    throw new OtherVersion();
  }
}

/**
 * Whether rows of an earlier version may be there, or no tables yet. A channel that nobody has opened gets none by being read.
 *
 * @param {CopyCommand} command
 */
function needsTables({ do: deed, tables, page, holds }) {
  return deed === 'hold' || (deed === 'page' && tables === 'ledger') || (deed === 'take' && holds === true && page === 0);
}
