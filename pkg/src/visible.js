// Characters that a reader does not see, or that reorder the text around them: the texts of others show them by number.
// Plain JavaScript, because `npm run check` reads it before anything is compiled.

/** The same characters as `crates/base/src/text/hidden.rs`. */
export const HIDDEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\ufff9-\ufffc\u{1d159}]/u;

const EACH = new RegExp(HIDDEN, 'gu');
const EACH_IN_LINES = new RegExp(`(?!\\n)${HIDDEN.source}`, 'gu');

/**
 * Shows hidden characters by their number, as every document does: `‹U+202E›`.
 *
 * @param {string} text
 */
export const visible = (text) => text.replace(EACH, numbered);

/**
 * Shows them in lines that are the program's own: the texts of others have no line breaks.
 *
 * @param {string} text
 */
export const visibleLines = (text) => text.replace(EACH_IN_LINES, numbered);

/**
 * Writes JSON that means the same, with hidden characters escaped.
 *
 * @param {unknown} value
 * @param {number} [indent]
 */
export function jsonText(value, indent) {
  const escaped = (/** @type {string} */ unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, indent).replace(EACH_IN_LINES, (c) => c.split('').map(escaped).join(''));
}

/** @param {string} c */
const numbered = (c) => `‹U+${Number(c.codePointAt(0)).toString(16).toUpperCase().padStart(4, '0')}›`;
