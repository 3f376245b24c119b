/** Text on a terminal: a server's characters neither hide nor turn text around, nor move the cursor. */

import { visibleLines } from '../visible.js';

export { jsonText, visibleLines as visible } from '../visible.js';

/** Writes to standard error, where everything goes but what was asked for. */
export function tell(text: string): void {
  process.stderr.write(visibleLines(text));
}

/** A text as one word of a shell. */
export const asWord = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
