/** Text on a terminal: a server's characters neither hide nor turn text around, nor move the cursor. */

/** Line breaks are the program's own: a server's texts have none. */
const HIDDEN = /(?!\n)[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029]/gu;

/** Shows hidden characters by their number, as every document does: `‹U+202E›`. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (c) => `‹U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}›`);
}

/** JSON that means the same, with hidden characters escaped. */
export function jsonText(value: unknown, indent?: number): string {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, indent).replace(HIDDEN, (c) => c.split('').map(escaped).join(''));
}

/** Writes to standard error, where everything goes but what was asked for. */
export function tell(text: string): void {
  process.stderr.write(visible(text));
}
