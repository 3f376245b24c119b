/** A seller's session at the exchange: opened by a token, an identity or a bond, renewed in time, and asked through. */

import * as wasm from '#jobs-wasm';
import { membersIn } from '../../../members.js';

import { pause, replyTo } from '../call.js';
import { bondsIn } from '../shift-log.js';
import { Bond, bondSpent } from './bond.js';
import { SellerError, stopped } from './error.js';
import type { Shift } from './shift.js';

const ANSWER_MS = 30_000;
const BACKOFF_MS = [500, 1_000, 2_000, 5_000, 10_000];
/** Failures in a row after which the session is opened anew. */
const MOST_FAILURES = 3;
/** Sessions are renewed so long before their end, milliseconds. */
const RENEW_MS = 60_000;
/** A delivery that was decided moves its money without the seller: it asks so many times. */
const MOST_PRESSES = 6;

export type Body = Readonly<Record<string, unknown>>;
type How = { readonly bearer?: string; readonly isOpening?: boolean };

export class Session {
  readonly #shift: Shift;
  readonly #bond: Bond;
  /** When it is renewed, and when it ends, unix milliseconds. */
  #session: { readonly token: string; readonly renews: number; readonly expires: number } | undefined;
  #opening: Promise<void> | undefined;
  /** Milliseconds by which the exchange's clock is ahead of this one at most, as its last answer has it. */
  #ahead = 0;

  constructor(shift: Shift) {
    this.#shift = shift;
    this.#bond = new Bond(shift, (path, body, bearer) =>
      this.call(path, body, { isOpening: true, ...(bearer === undefined ? {} : { bearer }) }),
    );
  }

  get token(): string | undefined {
    return this.#session?.token;
  }

  /** A time of the exchange by the clock of this machine. */
  here(time: number): number {
    return time - this.#ahead;
  }

  async register(isOpening = false): Promise<void> {
    const { agentId, sellerId } = this.#shift.options;
    const body = { ...this.#shift.terms, wallet: sellerId, passport_agent_id: agentId, passport_payer_addr: sellerId };
    await this.call('sellers/register', body, { isOpening });
    this.#shift.tell({ type: 'registered' });
  }

  /** Says once that it is gone; if that is lost, the exchange notices within a minute. */
  async offline(): Promise<void> {
    if (this.#session === undefined) return;
    await this.#asked('sellers/offline', {}, 5_000);
    this.#shift.tell({ type: 'offline' });
  }

  /** One session at a time is opened, and in time. */
  async opened(isNew: 'new' | 'any' = 'any'): Promise<void> {
    if (isNew === 'any' && Date.now() < (this.#session?.renews ?? 0)) return;
    this.#opening ??= this.#opens().finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  async #opens(): Promise<void> {
    const { agentId, identity, bond, bonds = 1 } = this.#shift.options;
    // Anyone may have registered this wallet with other terms before it was proven: what counts is said with the proof.
    const body = { passport_agent_id: agentId, ...this.#shift.terms };
    for (let turn = 0; ; turn += 1) {
      const record = await this.#shift.log.read();
      if ((record.renewal ?? record.bond) !== undefined && (record.seller ?? this.#shift.name) !== this.#shift.name) {
        throw new SellerError(
          'invalid_options',
          'the store has the bond of another seller, or of another exchange: give each a store of its own',
        );
      }
      if (turn > 2) throw new SellerError('bond_refused', 'the exchange takes none of the bonds');
      let said: Body | undefined;
      if (record.renewal !== undefined) {
        said = await this.call('sellers/session', { ...body, seller_renewal_token: record.renewal }, { isOpening: true });
        if (said === undefined) {
          // A bond costs money, and the exchange alone says that its token is worth nothing. It stays for the next process.
          if (identity === undefined && bondsIn(record) >= bonds) throw bondSpent('the exchange refuses the token of its bond', bonds);
          await this.#shift.log.change(({ renewal: _, ...rest }) => ({ ...rest, bonds: bondsIn(record) }));
          continue;
        }
      } else if (identity !== undefined) {
        said = await this.call('sellers/session', body, { bearer: await identity(), isOpening: true });
        if (said === undefined) {
          if (turn >= 2) throw new SellerError('identity_refused', 'the exchange does not take the identity token for this seller');
          // Its issuer may have changed its keys a moment ago.
          await pause(BACKOFF_MS[turn + 1] ?? 0, this.#shift.ends);
          continue;
        }
      } else if (bond !== undefined) {
        const bearer = Date.now() < (this.#session?.expires ?? 0) ? this.#session?.token : undefined;
        const asked = await this.#bond.asked(record, body, bearer);
        if (asked === undefined) this.#session = undefined;
        said = asked && (await this.#bond.proven(record, asked, body, bond));
        if (said === undefined) continue;
      }
      const token = said?.['seller_session_token'];
      if (typeof token !== 'string') throw new SellerError('no_session', 'the exchange gave no session');
      this.#agreed(said ?? {});
      const secs = Number(said?.['expires_in_seconds']);
      const lasts = (secs > 0 ? secs : 900) * 1000;
      this.#session = { token, renews: Date.now() + lasts - Math.min(RENEW_MS, lasts / 2), expires: Date.now() + lasts };
      this.#shift.tell({ type: 'session' });
      return;
    }
  }

  /**
   * Asks until it is done. Nothing comes back if it is another's by now, or has to be proven anew; it throws where
   * asking again changes nothing. Three failures in a row open a new session, unless it is called to open one.
   */
  async call(path: string, body: Body, { bearer, isOpening = false }: How = {}): Promise<Body | undefined> {
    const needsSession = !/^sellers\/(register|session)/.test(path);
    let failures = 0;
    let registers = 0;
    for (let turn = 0; ; turn += 1) {
      // What is worked on is delivered, also by a seller that stops.
      const isOver = (this.#shift.ends.aborted && this.#shift.working.size === 0) || (this.#shift.quits.aborted && turn >= MOST_FAILURES);
      if (isOver) throw stopped();
      if (needsSession) await this.opened();
      const said = await this.#asked(path, body, ANSWER_MS, bearer);
      switch (wasm.sellerDuty(path, said.status, JSON.stringify(said.body))) {
        case 'go':
          return said.body;
        case 'drop':
        case 'prove':
          return undefined;
        case 'register':
          if ((registers += 1) > MOST_FAILURES) throw new SellerError(said.code, said.message, { status: said.status, path });
          await this.register(isOpening);
          break;
        case 'session':
          if (isOpening || turn >= MOST_FAILURES) throw new SellerError(said.code, said.message, { status: said.status, path });
          await this.opened('new');
          break;
        case 'again':
          failures += 1;
          this.#shift.tell({ type: 'trouble', message: said.status === 0 ? `${path}: no answer` : `${path}: ${said.status} ${said.code}` });
          // The outcome is written, and the exchange carries it out without being asked.
          if (said.code.startsWith('ESCROW_') && failures >= MOST_PRESSES) return said.body;
          await pause(
            BACKOFF_MS[Math.min(failures, BACKOFF_MS.length) - 1] ?? 0,
            this.#shift.working.size > 0 ? this.#shift.quits : this.#shift.ends,
          );
          if (needsSession && failures % MOST_FAILURES === 0) await this.opened('new');
          break;
        default:
          throw new SellerError(said.code === '' ? 'exchange_failed' : said.code, said.message, { status: said.status, path });
      }
    }
  }

  async #asked(
    path: string,
    body: Body,
    timeoutMs: number,
    given?: string,
  ): Promise<{ status: number; code: string; message: string; body: Body }> {
    // A session opens no session.
    const bearer = given ?? (path.startsWith('sellers/session') ? undefined : this.#session?.token);
    const asked = Date.now();
    const reply = await replyTo(this.#shift.fetch, this.#shift.origin, {
      method: 'POST',
      path: `/api/v1/${path}`,
      timeoutMs,
      body: JSON.stringify({ ...this.#shift.frame, ...body }),
      headers: bearer === undefined ? [] : [['authorization', `Bearer ${bearer}`]],
    });
    const sent = Date.parse(/^date: (.+)$/im.exec(reply?.headers ?? '')?.[1] ?? '');
    // It names a whole second, at some time after this one asked: what is meant to be in time is early rather than late.
    if (!Number.isNaN(sent)) this.#ahead = sent + 1_000 - asked;
    const said = membersIn(reply?.body ?? '');
    const text = (name: string): string => (typeof said[name] === 'string' ? said[name] : '');
    return {
      status: reply?.status ?? 0,
      code: text('code'),
      message: `${path}: ${wasm.failReason(text('error') || `status ${reply?.status ?? 0}`)}`,
      body: said,
    };
  }

  /** An exchange that says what it sells has to say what this seller does. */
  #agreed(said: Body): void {
    const { capability, price_per_task: price, capacity } = this.#shift.terms;
    const { capability: itsCapability = capability.trim(), price_per_task: itsPrice = price, capacity: itsCapacity = capacity } = said;
    const isSame = itsCapability === capability.trim() && plain(itsPrice) === plain(price) && itsCapacity === capacity;
    if (!isSame)
      throw new SellerError(
        'other_terms',
        `the exchange would sell ${wasm.failReason(String(itsCapability))} at ${wasm.failReason(String(itsPrice))}, ${Number(itsCapacity)} at once`,
      );
  }
}

/** A decimal number in its one spelling. */
function plain(price: unknown): string {
  const [whole = '', fraction = ''] = String(price).trim().split('.');
  return `${whole.replace(/^0+(?=\d)/, '')}.${fraction.replace(/0+$/, '')}`;
}
