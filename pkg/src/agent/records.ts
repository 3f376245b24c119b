/** The prepared requests of a harness: in memory, and in a store that outlives it. */
import type { Store } from '../store.js';
import type { SdkPreparedPaidRequest } from './contracts.js';
import type { AgentHarnessExecutionResult } from './harness.js';
import { Rows } from './rows.js';

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
  readonly executionResult?: AgentHarnessExecutionResult;
};

/** Their money may be on its way: they are never dropped. */
const OPEN = ['executing', 'unresolved'];
/** Whether a payment of it may be on its way. */
export const isOpen = ({ state, open, openUntil = Infinity }: Kept, now: Date): boolean =>
  (open === true && now.getTime() < openUntil) || OPEN.includes(state);

/** The records of a harness: first what is done goes, then what may still be executed. */
export function recordsOf(store: Store | undefined, most: number, now: () => Date): Rows<Kept> {
  return new Rows<Kept>(store, {
    read: (record: Kept) => [record.preparedId, record],
    most: Math.max(1, most),
    turn: (record) => (isOpen(record, now()) ? -1 : Number(record.state === 'active')),
  });
}
