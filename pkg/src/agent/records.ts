/** The prepared requests of a harness: in memory, and in a store that outlives it. */
import { type Store, update } from '../store.js';
import type { SdkPreparedPaidRequest } from './contracts.js';
import type { AgentHarnessExecutionBinding, AgentHarnessExecutionResult } from './harness.js';

/** A prepared request as it is kept. */
export type Kept = {
  readonly preparedId: string;
  /** In the words of the compiled part. */
  readonly state: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  /** Method, origin and path: a newer one of these supersedes it. */
  readonly endpoint: string;
  readonly idempotencyKey?: string;
  /** Whether it was ever executed, or stands for a payment that was. */
  readonly attempted?: boolean;
  /** The name of its purchase. Those of earlier versions are equal to none: whose they were is not known. */
  readonly digest?: string;
  /** Itself, where it stands for a payment of an earlier one and was not executed: a key of its caller's buys this. */
  readonly own?: Pick<Kept, 'prepared' | 'idempotencyKey'>;
  /** Whether it has an outcome that leaves open what became of its payment. */
  readonly open?: boolean;
  /** Until when, unix milliseconds [until it is known]. */
  readonly openUntil?: number;
  readonly supersededByPreparedId?: string;
  readonly prepared: SdkPreparedPaidRequest;
  readonly executionBinding: AgentHarnessExecutionBinding;
  readonly executionResult?: AgentHarnessExecutionResult;
};

/** Their money may be on its way: they are never dropped. */
const OPEN = ['executing', 'unresolved'];
/** Whether a payment of it may be on its way. */
export const isOpen = ({ state, open, openUntil = Infinity }: Kept, now: Date): boolean =>
  (open === true && now.getTime() < openUntil) || OPEN.includes(state);
/** They may still be executed. */
const WAITING = ['active'];
/** Maximum characters of all records together, beside those that are open. */
const MAX_TEXT = 64 * 1024 * 1024;

export class Records {
  readonly #store: Store | undefined;
  readonly #most: number;
  readonly #now: () => Date;
  #known = new Map<string, Kept>();

  constructor(store: Store | undefined, most: number, now: () => Date) {
    this.#now = now;
    this.#store = store;
    this.#most = Math.max(1, most);
  }

  /** A record as this process knows it. */
  get(preparedId: string): Kept | undefined {
    return this.#known.get(preparedId);
  }

  /**
   * Changes the records in one step that no other writer can divide; `change` may run more than once.
   */
  async change(change: (records: Map<string, Kept>) => void): Promise<void> {
    if (this.#store === undefined) {
      change(this.#known);
      this.#prune(this.#known);
      return;
    }
    let next = this.#known;
    await update(this.#store, (text) => {
      next = new Map((text === undefined ? [] : (JSON.parse(text) as Kept[])).map((record) => [record.preparedId, record]));
      change(next);
      this.#prune(next);
      return JSON.stringify([...next.values()]);
    });
    this.#known = next;
  }

  /** Drops the oldest: first what is done, then what waits. */
  #prune(records: Map<string, Kept>): void {
    const now = this.#now();
    let length = 0;
    for (const { executionResult } of records.values())
      length += executionResult?.harnessDisposition === 'executed' ? executionResult.merchantResponse.body.length : 0;
    const newest = [...records.keys()].at(-1);
    for (const drops of [(state: string) => !WAITING.includes(state), (state: string) => WAITING.includes(state)]) {
      for (const record of [...records.values()]) {
        if (records.size <= this.#most && length <= MAX_TEXT) return;
        if (isOpen(record, now) || !drops(record.state) || record.preparedId === newest) continue;
        length -= record.executionResult?.harnessDisposition === 'executed' ? record.executionResult.merchantResponse.body.length : 0;
        records.delete(record.preparedId);
      }
    }
  }
}
