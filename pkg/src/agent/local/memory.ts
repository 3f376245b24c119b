/** What a client remembers of payments for a repetition, within bounds: an older one is asked for again with its own bytes. */
import type { Asked } from '../journal.js';
import type { Settled } from './verdict.js';

/** An outcome that is known, and what its key stands for. */
export type Outcome = Settled & Asked;

export class Memory {
  /** By key; the oldest goes first. */
  readonly #outcomes = new Map<string, Outcome>();

  outcome(key: string): Outcome | undefined {
    return this.#outcomes.get(key);
  }

  /** Keeps an outcome to which nothing can be added. */
  keep(key: string, outcome: Outcome): void {
    this.#outcomes.set(key, outcome);
    let bytes = 0;
    for (const { answer } of this.#outcomes.values()) bytes += answer?.bytes.length ?? 0;
    for (const [oldest, { answer }] of this.#outcomes) {
      if (oldest === key || (this.#outcomes.size <= MOST && bytes <= MAX_BYTES)) break;
      bytes -= answer?.bytes.length ?? 0;
      this.#outcomes.delete(oldest);
    }
  }
}

/** Outcomes that are remembered, and bytes of what was bought. */
const MOST = 1000;
const MAX_BYTES = 64 * 1024 * 1024;
