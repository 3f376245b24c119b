/** What this browser began of refunds, kept beyond a reload so that nothing is sent twice. */

/** A refund that this browser began, with the number of its begin and its transaction once there is one. */
export interface Begun {
  /** Whether the gate has not answered, so that no wallet was asked: it may have begun, or not. */
  readonly isUnheard: boolean;
  readonly number?: number;
  readonly hash?: string;
}

/** Where it is kept beyond a reload, so that it is not sent twice. The token is not there. */
export const markOf = (id: string) => `farebox-refund-${id}`;

/** A mark: without a transaction it is as long as with one, so that a store that takes the one takes the other in its place. */
export const markWith = (begin: number | typeof UNHEARD | undefined, hash = '') => `${begin ?? ''} ${hash.padEnd(66)}`;
/** In the place of a number that the gate has not answered yet. */
export const UNHEARD = '?';

/** What was begun for this payment in this browser; nothing where it keeps nothing for this site, as no refund begins there. */
export function begunOf(id: string): Begun | undefined {
  try {
    const words = localStorage.getItem(markOf(id))?.trim().split(/\s+/);
    // A mark of before has no number.
    const [number, hash] = [words?.find((word) => /^\d+$/.test(word)), words?.find((word) => word.startsWith('0x'))];
    const known = { ...(number === undefined ? {} : { number: Number(number) }), ...(hash === undefined ? {} : { hash }) };
    return words && { isUnheard: words.includes(UNHEARD), ...known };
  } catch {
    return undefined;
  }
}

/** Whether a begin at the gate is not the one that this browser made: what its wallet shows then says nothing of it. */
export function isOfAnother(mine: Begun | undefined, begun: number | undefined): boolean {
  return begun !== undefined && (mine === undefined || (mine.number !== undefined && mine.number !== begun));
}

/** Whether it is kept: a store may be full, or not there. */
export function keep(id: string, text: string): boolean {
  try {
    localStorage.setItem(markOf(id), text);
    return true;
  } catch {
    return false;
  }
}

/** Forgets what was begun for a payment. */
export function unmark(id: string): void {
  try {
    localStorage.removeItem(markOf(id));
  } catch {
    // Where nothing is kept there is no mark.
  }
}
