/** The longest that a timer waits, milliseconds: of more, Infinity too, platforms make one. */
export const LONGEST_MS = 2 ** 31 - 1;

/** So many milliseconds as a timer takes them. */
export const timerMs = (milliseconds: number): number => Math.min(milliseconds, LONGEST_MS);
