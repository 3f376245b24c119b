// The route table that is stored in KV under `CONFIG`, key `routes`, as one isolate knows it. No
// rule lives here: the compiled gate decides whether a text is a valid table.

import { LATE, race } from '../platform/deadline.mjs';

/** Milliseconds between two reads, however they end. */
const EVERY_MS = 60_000;
/** Milliseconds after which a read has failed. */
const DEADLINE_MS = 5_000;
/** Longer texts are cut to this many characters: enough for the gate to see that they are too long. */
const LONGEST = 256 * 1024 + 1;

export class StoredTable {
  /**
   * The text in effect, null if none is stored; undefined until a first one was read and accepted.
   *
   * @type {string | null | undefined}
   */
  text = undefined;
  /**
   * The text read last.
   *
   * @type {string | null | undefined}
   */
  #seen = undefined;
  /** When the next read may begin. */
  #nextAt = 0;
  /** When the read that goes on will have failed; 0 if there is none. */
  #endsAt = 0;

  /**
   * Reads the table if that is due, and offers a text that was not read before; the promise is to be kept alive.
   *
   * @param {{ get(key: string): Promise<string | null> }} store the KV namespace
   * @param {(text: string | null) => boolean} take whether it is valid; it is in effect from then on
   * @param {(line: string) => void} complain
   * @returns {Promise<void> | undefined}
   */
  refresh(store, take, complain) {
    const now = Date.now();
    if (now < this.#nextAt) return undefined;
    this.#nextAt = now + EVERY_MS;
    this.#endsAt = now + DEADLINE_MS;
    return this.#read(store, take, complain).finally(() => {
      this.#endsAt = 0;
    });
  }

  /**
   * @param {{ get(key: string): Promise<string | null> }} store the KV namespace
   * @param {(text: string | null) => boolean} take
   * @param {(line: string) => void} complain
   */
  async #read(store, take, complain) {
    let text;
    try {
      text = await race(store.get('routes'), DEADLINE_MS);
      if (text === LATE) throw new Error('no answer in time');
      if (text !== null && typeof text !== 'string') throw new Error('CONFIG is not a KV namespace');
    } catch (error) {
      complain(
        `farebox: CONFIG routes: cannot be read (${error instanceof Error ? error.message : error}); ${
          this.text === undefined ? 'nothing is served' : 'the last good table stays'
        } until it can, and it is tried again in a minute`,
      );
      return;
    }
    text = text?.slice(0, LONGEST) ?? null;
    if (text === this.#seen) return;
    this.#seen = text;
    if (take(text)) this.text = text;
  }

  /**
   * Waits for the read that goes on, if there is one. It may be another request's, so that only
   * polling helps.
   */
  async settled() {
    while (this.text === undefined && Date.now() < this.#endsAt) {
      await new Promise((resolve) => {
        setTimeout(resolve, 10);
      });
    }
  }
}
