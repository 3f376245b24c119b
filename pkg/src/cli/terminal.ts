/** Text on a terminal: a server's characters neither hide nor turn text around, nor move the cursor. */

import { HIDDEN, visible as visibleLine } from '../visible.js';

/** Line breaks are the program's own: a server's texts have none. */
const HIDDEN_IN_LINES = new RegExp(`(?!\\n)${HIDDEN.source}`, 'gu');

/** Shows hidden characters by their number, line by line. */
export function visible(text: string): string {
  return text.split('\n').map(visibleLine).join('\n');
}

/** JSON that means the same, with hidden characters escaped. */
export function jsonText(value: unknown, indent?: number): string {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, indent).replace(HIDDEN_IN_LINES, (c) => c.split('').map(escaped).join(''));
}

/** Writes to standard error, where everything goes but what was asked for. */
export function tell(text: string): void {
  process.stderr.write(visible(text));
}
