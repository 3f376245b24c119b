// Reads bodies in pieces as large as they come: the platform's own are of 4 KiB, and each piece costs more than its bytes.

import { LATE, race } from './deadline.mjs';

/** Bytes of the first piece, and of those after one that was full. */
const SHORT_BYTES = 4096;
const LONG_BYTES = 65_536;
/** Milliseconds without a piece after which no more is read of a body that nobody uses. */
const GAP_MS = 500;

/** @typedef {ReadableStreamReadResult<Uint8Array>} Piece */

/** Reads a body. A piece stands in the reader's own memory: it is there until the next one is asked for. */
export class BodyReader {
  /** @type {ReadableStreamBYOBReader | undefined} */
  #reader;
  /** @type {ReadableStreamDefaultReader<Uint8Array> | undefined} of a body that a script makes, which has pieces of its own */
  #pieces;
  #memory = new ArrayBuffer(SHORT_BYTES);

  /** @param {ReadableStream<Uint8Array>} body */
  constructor(body) {
    try {
      this.#reader = body.getReader({ mode: 'byob' });
    } catch {
      this.#pieces = body.getReader();
    }
  }

  /**
   * The next piece; it has so many bytes at least, unless it is the last one.
   *
   * @param {number} [least]
   * @returns {Promise<Piece>}
   */
  async read(least = 1) {
    if (this.#reader === undefined) return /** @type {ReadableStreamDefaultReader<Uint8Array>} */ (this.#pieces).read();
    const reader = /** @type {any} the platform's own */ (this.#reader);
    const { done, value } = await reader.readAtLeast(least, new Uint8Array(this.#memory));
    if (done || value === undefined) return { done: true, value: undefined };
    const isFull = value.byteLength === value.buffer.byteLength && value.byteLength < LONG_BYTES;
    this.#memory = isFull ? new ArrayBuffer(LONG_BYTES) : /** @type {ArrayBuffer} */ (value.buffer);
    return { done, value };
  }

  /**
   * Reads so many bytes more at most, for nothing, while they come; then lets go of the body.
   *
   * @param {number} bytes
   */
  async drop(bytes) {
    for (let left = bytes; left > 0; ) {
      const piece = await race(this.read(), GAP_MS, LATE);
      if (piece === LATE || piece.done) break;
      left -= piece.value.byteLength;
    }
    await this.cancel();
  }

  /** Lets go of a body that is not read to its end. */
  async cancel() {
    await (this.#reader ?? this.#pieces)?.cancel();
  }
}

/** Waits for one promise after the other, for each so long at most, by one timer: one for each would cost more than a piece. */
export class Waits {
  #milliseconds;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #since = 0;
  /** @type {((over: typeof LATE) => void) | undefined} ends the wait that goes on */
  #giveUp;

  /** @param {number} milliseconds */
  constructor(milliseconds) {
    this.#milliseconds = milliseconds;
  }

  /**
   * The result of a promise, or `LATE` if that takes longer.
   *
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T | typeof LATE>}
   */
  async for(promise) {
    this.#since = Date.now();
    this.#timer ??= setTimeout(() => {
      this.#look();
    }, this.#milliseconds);
    try {
      return await new Promise((resolve, reject) => {
        this.#giveUp = resolve;
        promise.then(resolve, reject);
      });
    } finally {
      this.#giveUp = undefined;
    }
  }

  /** Gives up a wait that is over its time, and otherwise looks again when that would be. */
  #look() {
    const left = this.#giveUp === undefined ? this.#milliseconds : this.#since + this.#milliseconds - Date.now();
    this.#timer =
      left > 0
        ? setTimeout(() => {
            this.#look();
          }, left)
        : undefined;
    if (left <= 0) this.#giveUp?.(LATE);
  }

  /** Gives up the wait that goes on. */
  stop() {
    this.#giveUp?.(LATE);
  }

  /** Waits for nothing any more. */
  end() {
    clearTimeout(this.#timer);
  }
}
