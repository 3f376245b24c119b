/** The work on jobs: each is done once, and its result sent until the exchange has it. */

import * as wasm from '#jobs-wasm';
import { membersOf } from '../../../members.js';

import { endsIn } from '../../../request.js';
import type { LoggedJob, Outcome } from '../shift-log.js';
import { SellerError, textOf } from './error.js';
import type { SellerJob } from './options.js';
import type { Session } from './session.js';
import type { Shift } from './shift.js';

/** Longest result that the exchange takes, bytes of JSON. */
const MAX_RESULT = 64 * 1024;

/** Codes of a result that an exchange will never take. */
const UNREADABLE = ['INVALID_JSON', 'INVALID_REQUEST', 'RESULT_TOO_LARGE'];

/** A job of the exchange's list. */
export type Job = {
  readonly id: string;
  readonly status: string;
  readonly job: Omit<SellerJob, 'signal' | 'deadline'>;
  /** Its end, by the clock of this machine. */
  readonly expires: number;
};

export class Work {
  readonly #shift: Shift;
  readonly #session: Session;

  constructor(shift: Shift, session: Session) {
    this.#shift = shift;
    this.#session = session;
  }

  /** Does a job, or what is left of it. */
  async does(job: Job): Promise<void> {
    const { id } = job;
    let row = (await this.#shift.log.read()).jobs.find((it) => it.id === id);
    if (row?.outcome === undefined && row?.state !== 'over') {
      let { expires } = job;
      if (job.status === 'paid') {
        // An answer that was lost may have begun it.
        if ((await this.#session.call(`jobs/${id}/start`, {})) === undefined && !(await this.#isRunning(id))) return this.#drop(id);
        expires = Date.now() + this.#shift.taskMs;
        this.#shift.tell({ type: 'started', jobId: id });
      }
      row = await this.#keep({ id, state: 'started' });
      if (row.state === 'started') {
        const outcome = await this.#outcome(job, Math.min(expires, Date.now() + this.#shift.taskMs));
        // Worked out once: from here on this is what is delivered, by each process.
        row = await this.#keep({ id, state: 'delivered', outcome });
      }
    }
    const { outcome } = row;
    // It is over: the exchange shows it until its money has moved.
    if (outcome === undefined) return;
    const told = await this.#deliver(id, outcome);
    if (told === undefined) return this.#drop(id);
    await this.#keep({ id, state: 'over' });
    const isDone = 'result' in told;
    this.#shift.tell({ type: isDone ? 'completed' : 'failed', jobId: id, ...('error' in told ? { message: told.error } : {}) });
  }

  /** Delivers an outcome; the one that was told, or `undefined` if the job is another's by now. */
  async #deliver(id: string, outcome: Outcome): Promise<Outcome | undefined> {
    if ('error' in outcome) return (await this.#session.call(`jobs/${id}/fail`, outcome)) && outcome;
    const path = `jobs/${id}/complete`;
    try {
      return (await this.#session.call(path, outcome)) && outcome;
    } catch (error) {
      // A session that has to be opened for it may be refused in the same words.
      if (!(error instanceof SellerError && error.path === path && UNREADABLE.includes(error.code))) throw error;
      // It would be refused whenever it is sent, and its buyer would wait for the end of the job.
      return this.#deliver(id, { error: wasm.failReason(`the exchange cannot take the result: ${error.message}`) });
    }
  }

  /** The jobs that the exchange has for this seller. */
  async listed(): Promise<Job[]> {
    const said = await this.#session.call('sellers/jobs', {});
    const jobs: unknown = said?.['jobs'];
    const read = (value: unknown): Job | undefined => jobOf(value, (time) => this.#session.here(time));
    return Array.isArray(jobs) ? jobs.map(read).filter((job) => job !== undefined) : [];
  }

  async #isRunning(id: string): Promise<boolean> {
    return (await this.listed()).some((job) => job.id === id && job.status === 'running');
  }

  async #outcome(job: Job, deadline: number): Promise<Outcome> {
    const late = endsIn(Math.max(0, deadline - Date.now()));
    const signal = AbortSignal.any([late, this.#shift.quits]);
    try {
      const result = deliveryOf(await within(signal, this.#shift.options.handler(job.job.prompt, { ...job.job, deadline, signal })));
      if (new TextEncoder().encode(JSON.stringify(result)).length > MAX_RESULT) throw new Error('the result is longer than 64 KiB');
      return { result };
    } catch (error) {
      return { error: wasm.failReason(late.aborted ? 'the work took too long' : textOf(error)) };
    }
  }

  /** Keeps how far a job is; the row that stands, which may be that of another process that is further. */
  async #keep(job: Omit<LoggedJob, 'at'>): Promise<LoggedJob> {
    return this.#shift.log.keep({ ...job, at: Math.floor(Date.now() / 1000) });
  }

  async #drop(id: string): Promise<void> {
    await this.#keep({ id, state: 'over' });
    this.#shift.tell({ type: 'dropped', jobId: id });
  }
}

/** A job of the exchange's list, whose end is told by the clock of this machine; of another shape, nothing. */
function jobOf(value: unknown, here: (time: number) => number): Job | undefined {
  const job = membersOf(value);
  const payload = membersOf(job['payload']);
  const text = (it: unknown): string => (typeof it === 'string' ? it : '');
  const id = text(job['job_id']);
  // Goes into a path.
  if (!/^[\w-]{1,64}$/.test(id)) return undefined;
  const expires = Date.parse(text(job['expires_at']));
  return {
    id,
    status: text(job['status']),
    expires: Number.isNaN(expires) ? Infinity : here(expires),
    job: {
      jobId: id,
      paymentId: text(job['payment_id']),
      buyerId: text(payload['buyer_id']),
      capability: text(payload['capability']),
      prompt: text(payload['prompt']),
      amount: text(job['amount']),
      currency: text(job['currency']),
    },
  };
}

/** `{text, meta}`; nothing that says nothing is delivered. */
export function deliveryOf(given: unknown): { text: string; meta?: unknown } {
  const { text, meta } = (typeof given === 'string' ? { text: given } : (given ?? {})) as { text?: unknown; meta?: unknown };
  if (typeof text !== 'string' || text.trim() === '') throw new Error('the handler delivered no text');
  return { text, ...(meta === undefined ? {} : { meta }) };
}

/** The value of a promise, or the end of a signal. */
export async function within<T>(signal: AbortSignal, given: T | Promise<T>): Promise<T> {
  return Promise.race([
    given,
    new Promise<never>((_, reject) => {
      const end = (): void => reject(signal.reason);
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true });
    }),
  ]);
}
