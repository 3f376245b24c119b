/** Names of options: of another one nobody knows what it would have limited. */
import { quietly, unusable } from './error.js';

/** Of a session, which may be spread into the options. */
const OF_SESSIONS = ['address', 'expires', 'renew', 'forget'];

/** Refuses options of other names: a misspelt policy would limit nothing. */
export function checkNames(given: object, known: readonly string[]): void {
  const names = quietly(
    () => Object.keys(given),
    () => unusable('invalid_options', 'the options cannot be read', 'correct that option'),
  );
  const stranger = names.find((name) => !known.includes(name) && !OF_SESSIONS.includes(name));
  if (stranger === undefined) return;
  // A name that is no word may be a misplaced secret.
  const shown = /^[A-Za-z]{1,24}$/.test(stranger) ? stranger : 'that is not shown';
  throw unusable('invalid_options', `there is no option ${shown}`, `the options are ${known.join(', ')}`);
}
