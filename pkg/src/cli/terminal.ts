/** Text on a terminal: a server's characters neither hide nor turn text around, nor move the cursor. */

import { visibleLines } from '../visible.js';

export { jsonText, visibleLines as visible } from '../visible.js';

/** Writes to standard error, where everything goes but what was asked for. */
export function tell(text: string): void {
  process.stderr.write(visibleLines(text));
}

/** Whether a command hears by itself that the reader of its output has left: a purchase ends with it, and is noted first. */
export const reader = { isHeard: false };

/** A text as one word of a shell. */
export const asWord = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
