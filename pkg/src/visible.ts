/** Characters that a reader does not see, or that reorder the text around them: a server's texts show them by number. */

/** The same characters as `crates/base/src/text/hidden.rs`. */
export const HIDDEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffc\u{1d159}]/u;

const EACH = new RegExp(HIDDEN, 'gu');

/** Shows hidden characters by their number, as every document does: `‹U+202E›`. */
export function visible(text: string): string {
  return text.replace(EACH, (c) => `‹U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}›`);
}
