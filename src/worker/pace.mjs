// How slowly a client takes an answer or gives a request.

/**
 * Milliseconds of a minute for which a client kept the origin waiting: who is slower may have the origin give up, which most do after a
 * minute in which nothing was taken, or too little of a request came.
 */
export const WAITED_MS = 10_000;
export const MINUTE_MS = 60_000;

/** What a client took or gave, and for how long they kept the origin waiting. */
export class Pace {
  /** @type {{at: number, ms: number, bytes: number}[]} */
  #pieces = [];
  /** @type {number | undefined} */
  #since;
  /** All that came, and all waits. */
  #all = { ms: 0, bytes: 0 };

  /** Begins to wait. */
  begin() {
    this.#since = Date.now();
  }

  /**
   * Ends the wait.
   *
   * @param {number} bytes
   */
  end(bytes) {
    const at = Date.now();
    const ms = at - (this.#since ?? at);
    this.#since = undefined;
    this.#all.ms += ms;
    this.#all.bytes += bytes;
    const last = this.#pieces.at(-1);
    // One entry for each second.
    if (last !== undefined && at - last.at < 1_000 && ms < 1_000) {
      last.ms += ms;
      last.bytes += bytes;
    } else this.#pieces.push({ at, ms, bytes });
    while ((this.#pieces[0]?.at ?? at) < at - MINUTE_MS) this.#pieces.shift();
  }

  /**
   * Whether the client was so slow in the last minute that the origin may have given up: one wait was long, or the sum of them is and
   * little came. Of a minute counts its end alone where that is said.
   *
   * @param {number} least bytes
   * @param {number} milliseconds in which they are to come, and in which a long wait was
   */
  isSlow(least, milliseconds) {
    const now = Date.now();
    const pieces = this.#pieces.filter(({ at }) => at >= now - MINUTE_MS);
    if (this.#since !== undefined) pieces.push({ at: now, ms: now - this.#since, bytes: 0 });
    const ms = pieces.reduce((sum, piece) => sum + piece.ms, 0);
    const isAtEnd = (/** @type {{at: number}} */ { at }) => at >= now - milliseconds;
    const bytes = pieces.filter(isAtEnd).reduce((sum, piece) => sum + piece.bytes, 0);
    return pieces.some((piece) => piece.ms >= WAITED_MS && isAtEnd(piece)) || (ms >= WAITED_MS && bytes < least);
  }

  /**
   * Whether the client was so slow on the whole: who sends much at the end alone may have the origin give up as well, which gives a
   * request some time in all.
   *
   * @param {number} least bytes
   * @param {number} milliseconds in which they are to come; only those count in which the client was waited for
   */
  isSlowOnTheWhole(least, milliseconds) {
    const now = Date.now();
    const ms = this.#all.ms + now - (this.#since ?? now);
    return ms >= WAITED_MS && this.#all.bytes * milliseconds < least * ms;
  }
}
