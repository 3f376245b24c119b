// How the number of ledger objects changes: at once, a payment of before could begin again.

/**
 * What has to stand there first, if the number may not change so.
 *
 * @param {unknown} before
 * @param {unknown} now
 */
export function stepBetween(before, now) {
  const [was, is] = [shards(before), shards(now)];
  const grows = was.old === undefined && is.old === was.count && !is.isOver;
  const settles = was.old !== undefined && is.old === was.old && is.count === was.count;
  const ends = was.isOver && is.old === undefined && is.count === was.count;
  const turnsBack = was.old !== undefined && is.count === was.old && is.old === was.count && !is.isOver;
  if (is.text === was.text || grows || settles || ends || turnsBack) return undefined;
  const next =
    was.old === undefined
      ? `write "${is.count},${was.count}" until the longest validity and an hour have passed`
      : `write "${was.count}+${was.old}" until KEEP_PAYMENTS_DAYS have passed`;
  return { was: was.text, next };
}

/**
 * Reads the number of ledger objects, and the one before a change: `new,old` while it is under way, `new+old` after that.
 *
 * @param {unknown} value
 */
function shards(value) {
  const text = String(value ?? 16);
  const [count, old] = text.split(/[,+]/).map((number) => number.trim());
  return { count, old, isOver: text.includes('+'), text: text.replaceAll(' ', '') };
}
