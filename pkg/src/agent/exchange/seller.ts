/**
 * Sells work at a compute exchange: registers, says that it is there, takes jobs, does each once, and goes.
 * The compiled part decides what an answer means.
 */
import * as wasm from '#jobs-wasm';

import { endsIn } from '../../request.js';
import { timerMs } from '../../timer.js';
import { pause } from './call.js';
import { News } from './news.js';
import { SellerError, STOPPED, stopped, textOf } from './seller/error.js';
import type { Selling, SellJobsOptions } from './seller/options.js';
import { Session } from './seller/session.js';
import { Shift } from './seller/shift.js';
import { deliveryOf, Work, within } from './seller/work.js';

export { SellerError } from './seller/error.js';
export type { BondAsked, Delivery, SellerEvent, SellerJob, Selling, SellJobsOptions } from './seller/options.js';

/**
 * Sells until it is stopped: checks its own handler, registers, opens a session, beats every 20 s, takes jobs,
 * starts each, works on as many as its capacity at once, and delivers. A job that was done is never done again, and
 * its result is sent again until the exchange has it, also by the next process with the same store.
 */
export function sellJobs(options: SellJobsOptions): Selling {
  const seller = new Seller(options);
  return { stop: () => seller.stop(), ended: seller.run() };
}

class Seller {
  readonly #shift: Shift;
  readonly #session: Session;
  readonly #work: Work;
  /** Ends a pause, because there may be something to do. */
  #wakes = new AbortController();
  #run: Promise<void> | undefined;
  #isOnline = false;

  constructor(options: SellJobsOptions) {
    this.#shift = new Shift(options);
    this.#session = new Session(this.#shift);
    this.#work = new Work(this.#shift, this.#session);
  }

  run(): Promise<void> {
    this.#run ??= this.#sells();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#shift.end();
    // Its error is that of `ended`.
    await this.#run?.catch(() => undefined);
  }

  async #sells(): Promise<void> {
    const { signal, endsOn = ['SIGINT', 'SIGTERM'], graceMs = this.#shift.taskMs } = this.#shift.options;
    const ends = (): void => this.#shift.end();
    const { process } = globalThis as {
      process?: { on?(name: string, does: () => void): void; off?(name: string, does: () => void): void };
    };
    for (const name of endsOn) process?.on?.(name, ends);
    if (signal?.aborted === true) ends();
    signal?.addEventListener('abort', ends, { once: true });
    let alarm: ReturnType<typeof setTimeout> | undefined;
    try {
      await this.#checked();
      await this.#session.register();
      const ended = (error: unknown): never => {
        ends();
        throw error;
      };
      await Promise.all([this.#beats().catch(ended), this.#takes().catch(ended)]);
    } catch (error) {
      if (!(error instanceof SellerError && error.code === STOPPED)) throw error;
    } finally {
      ends();
      // First, so that no more jobs come; those that are here go on.
      await this.#session.offline();
      alarm = setTimeout(() => this.#shift.quit(), timerMs(graceMs));
      await Promise.all(this.#shift.working.values());
      clearTimeout(alarm);
      signal?.removeEventListener('abort', ends);
      for (const name of endsOn) process?.off?.(name, ends);
    }
  }

  /** A handler that cannot do the least work sells nothing. */
  async #checked(): Promise<void> {
    const signal = AbortSignal.any([this.#shift.ends, endsIn(this.#shift.taskMs)]);
    const { capability, price } = this.#shift.options;
    const job = {
      jobId: 'self-check',
      paymentId: '',
      buyerId: '',
      capability,
      prompt: 'hello',
      amount: price,
      currency: '',
      deadline: Date.now() + this.#shift.taskMs,
      signal,
    };
    try {
      deliveryOf(await within(signal, this.#shift.options.handler('hello', job)));
    } catch (error) {
      if (this.#shift.ends.aborted) throw stopped();
      throw new SellerError('self_check_failed', `the handler fails on "hello": ${wasm.failReason(textOf(error))}`, undefined, error);
    }
  }

  async #beats(): Promise<void> {
    const { heartbeatMs = 20_000 } = this.#shift.options;
    while (!this.#shift.ends.aborted) {
      // Before this a seller that was never bound has no session.
      await this.#session.opened();
      const said = await this.#session.call('sellers/heartbeat', {});
      if (said !== undefined && !this.#isOnline) {
        this.#isOnline = true;
        this.#shift.tell({ type: 'online' });
      }
      await pause(heartbeatMs, this.#shift.ends);
    }
  }

  async #takes(): Promise<void> {
    const { pollMs = 5_000, capacity = 1, feed = true } = this.#shift.options;
    await this.#session.opened();
    const query = new URLSearchParams(this.#shift.frame);
    const news = feed
      ? new News(this.#shift.fetch, `${this.#shift.origin}/api/v1/sellers/feed?${query}`, () => ({
          authorization: `Bearer ${this.#session.token}`,
        }))
      : undefined;
    this.#shift.ends.addEventListener('abort', () => news?.end(), { once: true });
    while (!this.#shift.ends.aborted) {
      this.#wakes = new AbortController();
      if (this.#shift.working.size < capacity) {
        for (const job of await this.#work.listed()) {
          if (this.#shift.working.has(job.id) || this.#shift.working.size >= capacity || this.#shift.ends.aborted) continue;
          const works = this.#work
            .does(job)
            .catch((error: unknown) => this.#shift.tell({ type: 'trouble', jobId: job.id, message: textOf(error) }))
            .finally(() => {
              this.#shift.working.delete(job.id);
              this.#wakes.abort();
            });
          this.#shift.working.set(job.id, works);
        }
      }
      const wakes = [this.#shift.ends, this.#wakes.signal];
      await (news === undefined ? pause(pollMs, ...wakes) : news.wait(pollMs, pollMs, ...wakes));
    }
  }
}
