/**
 * Sells work at a compute exchange: registers, says that it is there, takes jobs, does each once, and goes.
 * The compiled part decides what an answer means.
 */
import * as wasm from '#jobs-wasm';

import { endsIn, fetchOf } from '../../request.js';
import { isStore, memoryStore, type Store } from '../../store.js';
import { objectIn, originOf, pause, replyTo } from './call.js';
import { News } from './news.js';
import { bondsIn, type LoggedJob, ShiftLog } from './shift-log.js';

/** A job that is worked on. */
export type SellerJob = {
  readonly jobId: string;
  readonly paymentId: string;
  readonly buyerId: string;
  readonly capability: string;
  readonly prompt: string;
  /** The amount that it brings, decimal text in whole tokens. */
  readonly amount: string;
  readonly currency: string;
  /** Unix milliseconds until which the result has to be delivered. */
  readonly deadline: number;
  /** Ends the work: its time is over, or the seller stops for good. */
  readonly signal: AbortSignal;
};

/** A handler's delivery: its text, and anything else to tell. */
export type Delivery = string | { readonly text: string; readonly meta?: unknown };

/** A bond as the exchange asks for it; the transfer proves the wallet. */
export type BondAsked = {
  readonly challengeId: string;
  readonly network: string;
  readonly to: string;
  readonly asset: string;
  /** Whole tokens, and atomic units. */
  readonly amount: string;
  readonly amountAtomic: string;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Whether it was asked for before, by a process that may have made the transfer: look for it first. */
  readonly again: boolean;
  /** How many other bonds this store's sellers were asked to transfer before. */
  readonly former: number;
};

export type SellerEvent = {
  readonly type: 'registered' | 'session' | 'online' | 'started' | 'completed' | 'failed' | 'dropped' | 'trouble' | 'offline';
  readonly jobId?: string;
  /** The fault, for the operator. */
  readonly message?: string;
};

export type SellJobsOptions = {
  /** The exchange's origin. */
  readonly url: string;
  /** `live-mainnet`, `live-testnet` or `demo-testnet` ['live-mainnet']. */
  readonly profile?: string;
  /** The wallet that is paid. */
  readonly sellerId: string;
  /** The agent that sells in its name: of the identity token, or any name with a bond. */
  readonly agentId: string;
  readonly capability: string;
  /** Decimal text in whole tokens. */
  readonly price: string;
  /** Jobs at once, 1 to 100 [1]. */
  readonly capacity?: number;
  /** Does the work. What it throws is the reason that the buyer is given: one line, at most 300 characters. */
  readonly handler: (prompt: string, job: SellerJob) => Delivery | Promise<Delivery>;
  /** An identity token (RS256) of the seller, fresh each time. */
  readonly identity?: () => string | Promise<string>;
  /**
   * Transfers a bond, and returns the transaction's hash; what it throws ends the seller. Asked once: later sessions use the token
   * that it brought, and no other bond is transferred because the exchange refuses that, unless `bonds` says so.
   */
  readonly bond?: (bond: BondAsked) => string | Promise<string>;
  /** Most bonds that are transferred, counted in `store` [1]. */
  readonly bonds?: number;
  /** Most that a bond may be, decimal text in whole tokens ['1']. */
  readonly maxBond?: string;
  /** Signs the text that asks for a bond with the wallet (EIP-191, or ERC-1271): strangers then cannot use up its bonds. */
  readonly sign?: (text: string) => string | Promise<string>;
  /** Keeps the token, and the jobs, so that another process does none twice. A store of its own, not the budget's [this process]. */
  readonly store?: Store;
  /** Signals of the process after which it goes offline and ends ['SIGINT', 'SIGTERM'; none where there are no processes]. */
  readonly endsOn?: readonly string[];
  /** Ends it, like `stop`. */
  readonly signal?: AbortSignal;
  /** Milliseconds between two heartbeats [20000]; after 60 s without one no job is given. */
  readonly heartbeatMs?: number;
  /** Milliseconds between two looks for jobs [5000]; news of the feed end the pause. */
  readonly pollMs?: number;
  /** Whether news are awaited by an event stream [true]. */
  readonly feed?: boolean;
  /** Milliseconds for one job, at most what the exchange gives [115000]. */
  readonly taskMs?: number;
  /** Milliseconds that jobs may still take after the end was asked for [taskMs]. */
  readonly graceMs?: number;
  /** Called as it goes on; its errors are dropped. */
  readonly onEvent?: (event: SellerEvent) => void;
  /** The `fetch` that asks the exchange [the platform's]. */
  readonly fetch?: typeof fetch;
};

/** A seller that is at work. */
export type Selling = {
  /** Takes no more jobs, says so, finishes those it has, and ends. */
  stop(): Promise<void>;
  /** Ends when it has stopped; rejects with a {@link SellerError} if it cannot go on. */
  readonly ended: Promise<void>;
};

/** Why a seller cannot go on: the exchange's code, or one of this module. */
export class SellerError extends Error {
  override readonly name = 'SellerError';
  readonly code: string;
  /** The exchange's status, if it answered. */
  readonly status: number | undefined;

  constructor(code: string, message: string, status?: number, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
  }
}

/**
 * Sells until it is stopped: checks its own handler, registers, opens a session, beats every 20 s, takes jobs,
 * starts each, works on as many as its capacity at once, and delivers. A job that was done is never done again, and
 * its result is sent again until the exchange has it, also by the next process with the same store.
 */
export function sellJobs(options: SellJobsOptions): Selling {
  const seller = new Seller(options);
  return { stop: () => seller.stop(), ended: seller.run() };
}

const ANSWER_MS = 30_000;
const BACKOFF_MS = [500, 1_000, 2_000, 5_000, 10_000];
/** Failures in a row after which the session is opened anew. */
const MOST_FAILURES = 3;
/** Sessions are renewed so long before their end, milliseconds. */
const RENEW_MS = 60_000;
/** A delivery that was decided moves its money without the seller: it asks so many times. */
const MOST_PRESSES = 6;
/** Longest result that the exchange takes, bytes of JSON. */
const MAX_RESULT = 64 * 1024;

/** The code of what ends because the seller does. */
const STOPPED = 'stopped';

type Job = { readonly id: string; readonly status: string; readonly job: Omit<SellerJob, 'signal' | 'deadline'>; readonly expires: number };

class Seller {
  readonly #options: SellJobsOptions;
  readonly #origin: string;
  readonly #fetch: typeof fetch;
  readonly #log: ShiftLog;
  readonly #frame: Readonly<Record<string, string>>;
  /** Exchange, profile and seller: whose bond is in the log. */
  readonly #name: string;
  readonly #working = new Map<string, Promise<void>>();
  /** Asked to end: takes nothing new. */
  readonly #ends = new AbortController();
  /** Ends handlers too. */
  readonly #quits = new AbortController();
  /** Ends a pause, because there may be something to do. */
  #wakes = new AbortController();
  /** When it is renewed, and when it ends, unix milliseconds. */
  #session: { readonly token: string; readonly renews: number; readonly expires: number } | undefined;
  #opening: Promise<void> | undefined;
  #run: Promise<void> | undefined;
  #isOnline = false;

  constructor(options: SellJobsOptions) {
    const wrong = (what: string): SellerError => new SellerError('invalid_options', what);
    if (typeof options !== 'object' || options === null) throw wrong('the options are no object');
    for (const name of ['sellerId', 'agentId', 'capability', 'price'] as const) {
      if (typeof options[name] !== 'string' || options[name].trim() === '') throw wrong(`${name} is no text`);
    }
    if (typeof options.handler !== 'function') throw wrong('handler is not a function');
    if (options.identity === undefined && options.bond === undefined)
      throw wrong('there is neither identity nor bond: nothing proves the wallet');
    const { bonds = 1, capacity = 1, fetch, profile = 'live-mainnet', store } = options;
    if (!Number.isInteger(bonds) || bonds < 0) throw wrong('bonds is no number of bonds');
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > 100) throw wrong('capacity is no whole number from 1 to 100');
    if (store !== undefined && !isStore(store)) throw wrong('store has no read and replace');
    this.#options = options;
    this.#origin = originOf(options.url);
    this.#fetch = fetchOf(fetch);
    this.#log = new ShiftLog(store ?? memoryStore());
    this.#frame = { seller_id: options.sellerId, network_profile: profile };
    this.#name = [this.#origin, profile, options.sellerId.trim().toLowerCase()].join(' ');
  }

  run(): Promise<void> {
    this.#run ??= this.#sells();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#ends.abort();
    // Its error is that of `ended`.
    await this.#run?.catch(() => undefined);
  }

  async #sells(): Promise<void> {
    const { signal, endsOn = ['SIGINT', 'SIGTERM'], graceMs = this.#taskMs() } = this.#options;
    const ends = (): void => this.#ends.abort();
    const { process } = globalThis as {
      process?: { on?(name: string, does: () => void): void; off?(name: string, does: () => void): void };
    };
    for (const name of endsOn) process?.on?.(name, ends);
    if (signal?.aborted === true) ends();
    signal?.addEventListener('abort', ends, { once: true });
    let alarm: ReturnType<typeof setTimeout> | undefined;
    try {
      await this.#checked();
      await this.#register();
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
      await this.#offline();
      alarm = setTimeout(() => this.#quits.abort(new Error('the seller stops')), graceMs);
      await Promise.all(this.#working.values());
      clearTimeout(alarm);
      signal?.removeEventListener('abort', ends);
      for (const name of endsOn) process?.off?.(name, ends);
    }
  }

  #taskMs(): number {
    return this.#options.taskMs ?? 115_000;
  }

  /** A handler that cannot do the least work sells nothing. */
  async #checked(): Promise<void> {
    const signal = AbortSignal.any([this.#ends.signal, endsIn(this.#taskMs())]);
    const { capability, price } = this.#options;
    const job = {
      jobId: 'self-check',
      paymentId: '',
      buyerId: '',
      capability,
      prompt: 'hello',
      amount: price,
      currency: '',
      deadline: Date.now() + this.#taskMs(),
      signal,
    };
    try {
      deliveryOf(await within(signal, this.#options.handler('hello', job)));
    } catch (error) {
      if (this.#ends.signal.aborted) throw new SellerError(STOPPED, 'the seller stops');
      throw new SellerError('self_check_failed', `the handler fails on "hello": ${wasm.failReason(textOf(error))}`, undefined, error);
    }
  }

  /** The offer. */
  #terms(): { capability: string; price_per_task: string; capacity: number } {
    const { capability, price, capacity = 1 } = this.#options;
    return { capability, price_per_task: price, capacity };
  }

  async #register(isOpening = false): Promise<void> {
    const { agentId, sellerId } = this.#options;
    const body = { ...this.#terms(), wallet: sellerId, passport_agent_id: agentId, passport_payer_addr: sellerId };
    await this.#call('sellers/register', body, { isOpening });
    this.#tell({ type: 'registered' });
  }

  async #beats(): Promise<void> {
    const { heartbeatMs = 20_000 } = this.#options;
    while (!this.#ends.signal.aborted) {
      // Before this a seller that was never bound has no session.
      await this.#opened();
      const said = await this.#call('sellers/heartbeat', {});
      if (said !== undefined && !this.#isOnline) {
        this.#isOnline = true;
        this.#tell({ type: 'online' });
      }
      await pause(heartbeatMs, this.#ends.signal);
    }
  }

  async #takes(): Promise<void> {
    const { pollMs = 5_000, capacity = 1, feed = true } = this.#options;
    await this.#opened();
    const query = new URLSearchParams(this.#frame);
    const news = feed
      ? new News(this.#fetch, `${this.#origin}/api/v1/sellers/feed?${query}`, () => ({ authorization: `Bearer ${this.#session?.token}` }))
      : undefined;
    this.#ends.signal.addEventListener('abort', () => news?.end(), { once: true });
    while (!this.#ends.signal.aborted) {
      this.#wakes = new AbortController();
      if (this.#working.size < capacity) {
        const said = await this.#call('sellers/jobs', {});
        const jobs = Array.isArray(said?.['jobs']) ? said['jobs'] : [];
        for (const job of jobs.map(jobOf)) {
          if (job === undefined || this.#working.has(job.id) || this.#working.size >= capacity || this.#ends.signal.aborted) continue;
          const works = this.#works(job)
            .catch((error: unknown) => this.#tell({ type: 'trouble', jobId: job.id, message: textOf(error) }))
            .finally(() => {
              this.#working.delete(job.id);
              this.#wakes.abort();
            });
          this.#working.set(job.id, works);
        }
      }
      const wakes = [this.#ends.signal, this.#wakes.signal];
      await (news === undefined ? pause(pollMs, ...wakes) : news.wait(pollMs, pollMs, ...wakes));
    }
  }

  /** Does a job, or what is left of it. */
  async #works(job: Job): Promise<void> {
    const { id } = job;
    const known = (await this.#log.read()).jobs.find((it) => it.id === id);
    // The exchange shows it until its money has moved.
    if (known?.state === 'over') return;
    let outcome = known?.outcome;
    if (outcome === undefined) {
      let { expires } = job;
      if (job.status === 'paid') {
        // An answer that was lost may have begun it.
        if ((await this.#call(`jobs/${id}/start`, {})) === undefined && !(await this.#isRunning(id))) return this.#drop(id);
        expires = Date.now() + this.#taskMs();
        this.#tell({ type: 'started', jobId: id });
      }
      await this.#keep({ id, state: 'started' });
      outcome = await this.#outcome(job, Math.min(expires, Date.now() + this.#taskMs()));
      // Worked out once: from here on this is what is delivered.
      await this.#keep({ id, state: 'delivered', outcome });
    }
    const isDone = 'result' in outcome;
    const said = await this.#call(`jobs/${id}/${isDone ? 'complete' : 'fail'}`, outcome);
    if (said === undefined) return this.#drop(id);
    await this.#keep({ id, state: 'over' });
    this.#tell({ type: isDone ? 'completed' : 'failed', jobId: id, ...('error' in outcome ? { message: outcome.error } : {}) });
  }

  async #isRunning(id: string): Promise<boolean> {
    const said = await this.#call('sellers/jobs', {});
    return Array.isArray(said?.['jobs']) && said['jobs'].map(jobOf).some((job) => job?.id === id && job.status === 'running');
  }

  async #outcome(job: Job, deadline: number): Promise<{ result: unknown } | { error: string }> {
    const late = endsIn(Math.max(0, deadline - Date.now()));
    const signal = AbortSignal.any([late, this.#quits.signal]);
    try {
      const result = deliveryOf(await within(signal, this.#options.handler(job.job.prompt, { ...job.job, deadline, signal })));
      if (new TextEncoder().encode(JSON.stringify(result)).length > MAX_RESULT) throw new Error('the result is longer than 64 KiB');
      return { result };
    } catch (error) {
      return { error: wasm.failReason(late.aborted ? 'the work took too long' : textOf(error)) };
    }
  }

  async #keep(job: Omit<LoggedJob, 'at'>): Promise<void> {
    await this.#log.keep({ ...job, at: Math.floor(Date.now() / 1000) });
  }

  async #drop(id: string): Promise<void> {
    await this.#keep({ id, state: 'over' });
    this.#tell({ type: 'dropped', jobId: id });
  }

  /** Says once that it is gone; if that is lost, the exchange notices within a minute. */
  async #offline(): Promise<void> {
    if (this.#session === undefined) return;
    await this.#asked('sellers/offline', {}, 5_000);
    this.#tell({ type: 'offline' });
  }

  /** One session at a time is opened, and in time. */
  async #opened(isNew: 'new' | 'any' = 'any'): Promise<void> {
    if (isNew === 'any' && Date.now() < (this.#session?.renews ?? 0)) return;
    this.#opening ??= this.#opens().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  async #opens(): Promise<void> {
    const { agentId, identity, bond, bonds = 1 } = this.#options;
    // Anyone may have registered this wallet with other terms before it was proven: what counts is said with the proof.
    const body = { passport_agent_id: agentId, ...this.#terms() };
    for (let turn = 0; ; turn += 1) {
      const record = await this.#log.read();
      if ((record.renewal ?? record.bond) !== undefined && (record.seller ?? this.#name) !== this.#name) {
        throw new SellerError(
          'invalid_options',
          'the store has the bond of another seller, or of another exchange: give each a store of its own',
        );
      }
      if (turn > 2) throw new SellerError('bond_refused', 'the exchange takes none of the bonds');
      let said: Readonly<Record<string, unknown>> | undefined;
      if (record.renewal !== undefined) {
        said = await this.#call('sellers/session', { ...body, seller_renewal_token: record.renewal }, { isOpening: true });
        if (said === undefined) {
          // A bond costs money, and the exchange alone says that its token is worth nothing. It stays for the next process.
          if (identity === undefined && bondsIn(record) >= bonds) throw bondSpent('the exchange refuses the token of its bond', bonds);
          await this.#log.change(({ renewal: _, ...rest }) => ({ ...rest, bonds: bondsIn(record) }));
          continue;
        }
      } else if (identity !== undefined) {
        said = await this.#call('sellers/session', body, { bearer: await identity(), isOpening: true });
        if (said === undefined) {
          if (turn >= 2) throw new SellerError('identity_refused', 'the exchange does not take the identity token for this seller');
          // Its issuer may have changed its keys a moment ago.
          await pause(BACKOFF_MS[turn + 1] ?? 0, this.#ends.signal);
          continue;
        }
      } else if (bond !== undefined) {
        said = await this.#bonded(bond, body);
        if (said === undefined) continue;
      }
      const token = said?.['seller_session_token'];
      if (typeof token !== 'string') throw new SellerError('no_session', 'the exchange gave no session');
      this.#agreed(said ?? {});
      const secs = Number(said?.['expires_in_seconds']);
      const lasts = (secs > 0 ? secs : 900) * 1000;
      this.#session = { token, renews: Date.now() + lasts - Math.min(RENEW_MS, lasts / 2), expires: Date.now() + lasts };
      this.#tell({ type: 'session' });
      return;
    }
  }

  /** An exchange that says what it sells has to say what this seller does. */
  #agreed(said: Readonly<Record<string, unknown>>): void {
    const { capability, price_per_task: price, capacity } = this.#terms();
    const { capability: itsCapability = capability.trim(), price_per_task: itsPrice = price, capacity: itsCapacity = capacity } = said;
    const isSame = itsCapability === capability.trim() && plain(itsPrice) === plain(price) && itsCapacity === capacity;
    if (!isSame)
      throw new SellerError(
        'other_terms',
        `the exchange would sell ${wasm.failReason(String(itsCapability))} at ${wasm.failReason(String(itsPrice))}, ${Number(itsCapacity)} at once`,
      );
  }

  /** The wallet's word that it asks for a bond itself. */
  async #signature(): Promise<Readonly<Record<string, string>>> {
    const { agentId, sellerId, sign } = this.#options;
    if (sign === undefined) return {};
    const at = new Date().toISOString();
    const lines = [
      'QuotaDEX Seller Bond',
      `exchange: ${this.#origin}`,
      `network_profile: ${this.#frame['network_profile']}`,
      `seller_id: ${sellerId.trim()}`,
      `passport_agent_id: ${agentId.trim()}`,
      `signed_at: ${at}`,
    ];
    return { seller_signature: await sign(lines.join('\n')), seller_signed_at: at };
  }

  /** Throws unless a bond is one that this call lets be transferred. */
  #judge(challenge: Readonly<Record<string, unknown>>): void {
    const fault = wasm.bondFault(JSON.stringify(challenge), this.#frame['network_profile'] ?? '', this.#options.maxBond ?? '1');
    if (fault !== undefined) throw new SellerError('bond_refused', `the bond that the exchange asks for is not transferred: ${fault}`);
  }

  /** A session by a transfer, each step kept before the next; `undefined` if it has to be asked for anew. */
  async #bonded(
    bond: NonNullable<SellJobsOptions['bond']>,
    body: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    const record = await this.#log.read();
    const { bonds = 1 } = this.#options;
    let kept = record.bond;
    const again = kept !== undefined;
    const former = bondsIn(record) - (again ? 1 : 0);
    if (kept?.transaction === undefined && former >= bonds) throw bondSpent('the exchange gives no session for a bond', bonds);
    if (kept === undefined) {
      // Its session tells the exchange who asks, where the renewal token was lost.
      const bearer = Date.now() < (this.#session?.expires ?? 0) ? this.#session?.token : undefined;
      const asks = { ...body, ...(await this.#signature()) };
      const challenge = await this.#call('sellers/session/challenge', asks, {
        isOpening: true,
        ...(bearer === undefined ? {} : { bearer }),
      });
      if (challenge === undefined) {
        this.#session = undefined;
        return undefined;
      }
      if (challenge['status'] === 'already_verified') {
        throw new SellerError(
          'renewal_token_lost',
          'this wallet has proven a bond, and the token that renews its sessions is not in the store; restore the store, or sell as another agentId',
        );
      }
      this.#judge(challenge);
      kept = { challenge };
      // Counted before it is transferred.
      await this.#log.change((it) => {
        if (it.bond !== undefined || bondsIn(it) !== former)
          throw new SellerError('bond_refused', 'another process with this store asks for a bond');
        return { ...it, bond: { challenge }, bonds: former + 1, seller: this.#name };
      });
    }
    const { challenge } = kept;
    let { transaction } = kept;
    if (transaction === undefined) {
      // Whoever asked for it: the limits are those of this call.
      this.#judge(challenge);
      const text = (name: string): string => String(challenge[name] ?? '');
      transaction = await bond({
        challengeId: text('challenge_id'),
        network: text('network'),
        to: text('to'),
        asset: text('asset'),
        amount: text('amount'),
        amountAtomic: text('amount_atomic'),
        expiresAt: text('expires_at'),
        again,
        former,
      });
      await this.#log.change((record) => ({ ...record, bond: { challenge, ...(transaction === undefined ? {} : { transaction }) } }));
    }
    let renewal: unknown;
    try {
      const proof = { challenge_id: challenge['challenge_id'], tx_hash: transaction };
      const said = await this.#call('sellers/session', { ...body, ...proof }, { isOpening: true });
      renewal = said?.['seller_renewal_token'];
      return said;
    } catch (error) {
      // Not known yet: the next process shows the same transfer.
      if (error instanceof SellerError && error.code === STOPPED) transaction = undefined;
      throw error;
    } finally {
      if (transaction !== undefined)
        await this.#log.change(({ bond: _, ...record }) => ({ ...record, ...(typeof renewal === 'string' ? { renewal } : {}) }));
    }
  }

  /**
   * Asks until it is done. Nothing comes back if it is another's by now, or has to be proven anew; it throws where
   * asking again changes nothing. Three failures in a row open a new session, unless it is called to open one.
   */
  async #call(
    path: string,
    body: Readonly<Record<string, unknown>>,
    { bearer, isOpening = false }: { readonly bearer?: string; readonly isOpening?: boolean } = {},
  ): Promise<Readonly<Record<string, unknown>> | undefined> {
    const needsSession = !/^sellers\/(register|session)/.test(path);
    let failures = 0;
    let registers = 0;
    for (let turn = 0; ; turn += 1) {
      // What is worked on is delivered, also by a seller that stops.
      const isOver = (this.#ends.signal.aborted && this.#working.size === 0) || (this.#quits.signal.aborted && turn >= MOST_FAILURES);
      if (isOver) throw new SellerError(STOPPED, 'the seller stops');
      if (needsSession) await this.#opened();
      const said = await this.#asked(path, body, ANSWER_MS, bearer);
      switch (wasm.sellerDuty(path, said.status, said.code)) {
        case 'go':
          return said.body;
        case 'drop':
        case 'prove':
          return undefined;
        case 'register':
          if ((registers += 1) > MOST_FAILURES) throw new SellerError(said.code, said.message, said.status);
          await this.#register(isOpening);
          break;
        case 'session':
          if (isOpening || turn >= MOST_FAILURES) throw new SellerError(said.code, said.message, said.status);
          await this.#opened('new');
          break;
        case 'again':
          failures += 1;
          this.#tell({ type: 'trouble', message: said.status === 0 ? `${path}: no answer` : `${path}: ${said.status} ${said.code}` });
          // The outcome is written, and the exchange carries it out without being asked.
          if (said.code.startsWith('ESCROW_') && failures >= MOST_PRESSES) return said.body;
          await pause(
            BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1] ?? 0,
            this.#working.size > 0 ? this.#quits.signal : this.#ends.signal,
          );
          if (needsSession && failures % MOST_FAILURES === 0) await this.#opened('new');
          break;
        default:
          throw new SellerError(said.code === '' ? 'exchange_failed' : said.code, said.message, said.status);
      }
    }
  }

  async #asked(
    path: string,
    body: Readonly<Record<string, unknown>>,
    timeoutMs: number,
    given?: string,
  ): Promise<{ status: number; code: string; message: string; body: Readonly<Record<string, unknown>> }> {
    // A session opens no session.
    const bearer = given ?? (path.startsWith('sellers/session') ? undefined : this.#session?.token);
    const reply = await replyTo(this.#fetch, this.#origin, {
      method: 'POST',
      path: `/api/v1/${path}`,
      timeoutMs,
      body: JSON.stringify({ ...this.#frame, ...body }),
      headers: bearer === undefined ? [] : [['authorization', `Bearer ${bearer}`]],
    });
    const said = objectIn(reply?.body ?? '');
    const text = (name: string): string => (typeof said[name] === 'string' ? said[name] : '');
    return {
      status: reply?.status ?? 0,
      code: text('code'),
      message: `${path}: ${wasm.failReason(text('error') || `status ${reply?.status ?? 0}`)}`,
      body: said,
    };
  }

  #tell(event: SellerEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch {
      // A display that fails is no reason to lose a job.
    }
  }
}

/** A job of the exchange's list; of another shape, nothing. */
function jobOf(value: unknown): Job | undefined {
  const job = objectIn(JSON.stringify(value) ?? '');
  const payload = objectIn(JSON.stringify(job['payload']) ?? '');
  const text = (it: unknown): string => (typeof it === 'string' ? it : '');
  const id = text(job['job_id']);
  // Goes into a path.
  if (!/^[\w-]{1,64}$/.test(id)) return undefined;
  const expires = Date.parse(text(job['expires_at']));
  return {
    id,
    status: text(job['status']),
    expires: Number.isNaN(expires) ? Infinity : expires,
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

/** Thrown where another bond would have to be transferred, and no one has said that it may be. */
function bondSpent(why: string, bonds: number): SellerError {
  return new SellerError(
    'bond_refused',
    `${why}, and ${bonds === 1 ? 'one was' : `${bonds} were`} transferred: the option bonds lets it ask for more`,
  );
}

/** A decimal number in its one spelling. */
function plain(price: unknown): string {
  const [whole = '', fraction = ''] = String(price).trim().split('.');
  return `${whole.replace(/^0+(?=\d)/, '')}.${fraction.replace(/0+$/, '')}`;
}

/** `{text, meta}`; nothing that says nothing is delivered. */
function deliveryOf(given: unknown): { text: string; meta?: unknown } {
  const { text, meta } = (typeof given === 'string' ? { text: given } : (given ?? {})) as { text?: unknown; meta?: unknown };
  if (typeof text !== 'string' || text.trim() === '') throw new Error('the handler delivered no text');
  return { text, ...(meta === undefined ? {} : { meta }) };
}

/** The value of a promise, or the end of a signal. */
async function within<T>(signal: AbortSignal, given: T | Promise<T>): Promise<T> {
  return Promise.race([
    given,
    new Promise<never>((_, reject) => {
      const end = (): void => reject(signal.reason);
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true });
    }),
  ]);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : typeof error === 'string' ? error : '';
}
