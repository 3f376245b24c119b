/** The log that a seller keeps between two processes: its renewal token, a bond that is under way, and its jobs. */
import { unusable } from '../../error.js';
import { type Store, update } from '../../store.js';

/** A job, as far as this seller is with it. */
export type LoggedJob = {
  readonly id: string;
  /** Unix seconds of the last change. */
  readonly at: number;
  readonly state: 'started' | 'delivered' | 'over';
  /** The body of `complete`, or of `fail`: what was worked out once is sent again as it is. */
  readonly outcome?: Outcome;
};
export type Outcome = { readonly result: unknown } | { readonly error: string };

/** A bond that was asked for, and its transfer once it was made. */
export type LoggedBond = { readonly challenge: Readonly<Record<string, unknown>>; readonly transaction?: string };

export type ShiftRecord = {
  readonly v: 1;
  readonly renewal?: string;
  readonly bond?: LoggedBond;
  /** How many bonds were asked for, with the one that is under way. */
  readonly bonds?: number;
  /** Whose bond and token they are: exchange, profile and seller. */
  readonly seller?: string;
  readonly jobs: readonly LoggedJob[];
};

/** The bonds that were asked for; of a record that does not count them, what it shows. */
export function bondsIn({ bonds, bond, renewal }: ShiftRecord): number {
  return bonds ?? (bond === undefined && renewal === undefined ? 0 : 1);
}

/** Jobs that are over are kept so that none is done twice; the oldest go first. */
const MOST_OVER = 500;
const DAY_SECS = 86_400;

export class ShiftLog {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async read(): Promise<ShiftRecord> {
    return recordOf((await this.#store.read()).record);
  }

  async change(change: (record: ShiftRecord) => ShiftRecord): Promise<void> {
    await update(this.#store, (text) => JSON.stringify(change(recordOf(text))));
  }

  /** Keeps a job, durably, before it returns. Its row moves forward only: that of another process that is as far stands, and is returned. */
  async keep(job: LoggedJob): Promise<LoggedJob> {
    let standing = job;
    await this.change((record) => {
      const known = record.jobs.find(({ id }) => id === job.id);
      standing = known !== undefined && isFurther(known, job) ? known : job;
      if (standing !== job) return record;
      // What was begun a day ago is over, whoever noticed.
      const jobs = [...record.jobs.filter(({ id, at, state }) => id !== job.id && (state === 'over' || at > job.at - DAY_SECS)), job];
      let drops = jobs.filter(({ state }) => state === 'over').length - MOST_OVER;
      return { ...record, jobs: jobs.filter(({ state }) => state !== 'over' || (drops -= 1) < 0) };
    });
    return standing;
  }
}

/** Whether what is stored of a job stands: it is further, or its outcome is worked out. What was only begun is begun again. */
function isFurther({ state }: LoggedJob, mine: LoggedJob): boolean {
  const ranks = ['started', 'delivered', 'over'];
  return state !== 'started' && ranks.indexOf(state) >= ranks.indexOf(mine.state);
}

function recordOf(text: string | undefined): ShiftRecord {
  if (text === undefined) return { v: 1, jobs: [] };
  try {
    const value = JSON.parse(text) as ShiftRecord;
    if (value.v === 1 && Array.isArray(value.jobs)) return value;
  } catch {
    // As any other record that is none.
  }
  throw unusable('invalid_options', "the store has a record that is no seller's", 'give the seller a store of its own');
}
