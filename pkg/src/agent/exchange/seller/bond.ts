/** A bond: a transfer that proves the wallet, each step kept before the next. */
import * as wasm from '#jobs-wasm';

import { askPerson } from '../../../person.js';
import { bondsIn, type LoggedBond, type ShiftRecord } from '../shift-log.js';
import { SellerError } from './error.js';
import type { SellJobsOptions } from './options.js';
import type { Body } from './session.js';
import type { Shift } from './shift.js';

type Transfers = NonNullable<SellJobsOptions['bond']>;
/** Asks the exchange for a session. */
type Opens = (path: string, body: Body, bearer?: string) => Promise<Body | undefined>;

/** Codes by which an exchange says that a transfer will never prove its challenge. */
const USELESS = /^(SELLER_BOND_CHALLENGE_|TX_)/;

export class Bond {
  readonly #shift: Shift;
  readonly #opens: Opens;

  constructor(shift: Shift, opens: Opens) {
    this.#shift = shift;
    this.#opens = opens;
  }

  /** The bond that is under way, or a new one, counted before it is transferred; `undefined` if the exchange asks for none. */
  async asked(record: ShiftRecord, body: Body, bearer: string | undefined): Promise<LoggedBond | undefined> {
    const { bonds = 1 } = this.#shift.options;
    const former = formerOf(record);
    if (record.bond?.transaction === undefined && former >= bonds) throw bondSpent('the exchange gives no session for a bond', bonds);
    if (record.bond !== undefined) return record.bond;
    // Its session tells the exchange who asks, where the renewal token was lost.
    const challenge = await this.#opens('sellers/session/challenge', { ...body, ...(await this.#signature()) }, bearer);
    if (challenge === undefined) return undefined;
    if (challenge['status'] === 'already_verified') {
      throw new SellerError(
        'renewal_token_lost',
        'this wallet is bound, and the token that renews its sessions is not in the store; restore the store, or give sign; a wallet that never signed may sell as another agentId',
      );
    }
    this.#judge(challenge);
    await this.#shift.log.change((it) => {
      if (it.bond !== undefined || bondsIn(it) !== former)
        throw new SellerError('bond_refused', 'another process with this store asks for a bond');
      return { ...it, bond: { challenge }, bonds: former + 1, seller: this.#shift.name };
    });
    return { challenge };
  }

  /** A session by the transfer of a bond; `undefined` if it has to be asked for anew. */
  async proven(
    record: ShiftRecord,
    { challenge, transaction: known }: LoggedBond,
    body: Body,
    transfers: Transfers,
  ): Promise<Body | undefined> {
    let transaction = known ?? (await this.#transferred(record, challenge, transfers));
    let renewal: unknown;
    try {
      const proof = { challenge_id: challenge['challenge_id'], tx_hash: transaction };
      const said = await this.#opens('sellers/session', { ...body, ...proof });
      renewal = said?.['seller_renewal_token'];
      return said;
    } catch (error) {
      // Unless the exchange says that it proves nothing, the next process shows the same transfer.
      if (!(error instanceof SellerError && USELESS.test(error.code))) transaction = undefined;
      throw error;
    } finally {
      if (transaction !== undefined)
        await this.#shift.log.change(({ bond: _, ...rest }) => ({ ...rest, ...(typeof renewal === 'string' ? { renewal } : {}) }));
    }
  }

  /** The transaction that the caller makes, kept. A seller that was asked to end makes none. */
  async #transferred(record: ShiftRecord, challenge: Body, transfers: Transfers): Promise<string | undefined> {
    // Whoever asked for it: the limits are those of this call.
    this.#judge(challenge);
    this.#shift.ends.throwIfAborted();
    const text = (name: string): string => String(challenge[name] ?? '');
    const transaction = await transfers({
      challengeId: text('challenge_id'),
      network: text('network'),
      to: text('to'),
      asset: text('asset'),
      amount: text('amount'),
      amountAtomic: text('amount_atomic'),
      expiresAt: text('expires_at'),
      again: record.bond !== undefined,
      former: formerOf(record),
    });
    await this.#shift.log.change((it) => ({ ...it, bond: { challenge, ...(transaction === undefined ? {} : { transaction }) } }));
    return transaction;
  }

  /** Throws unless a bond is one that this call lets be transferred. */
  #judge(challenge: Body): void {
    const fault = wasm.bondFault(JSON.stringify(challenge), this.#shift.frame.network_profile, this.#shift.options.maxBond ?? '1');
    if (fault !== undefined) throw new SellerError('bond_refused', `the bond that the exchange asks for is not transferred: ${fault}`);
  }

  /** The wallet's word that it asks for a bond itself. */
  async #signature(): Promise<Readonly<Record<string, string>>> {
    const { agentId, sellerId, sign } = this.#shift.options;
    if (sign === undefined) return {};
    const at = new Date().toISOString();
    const lines = [
      'QuotaDEX Seller Bond',
      `exchange: ${this.#shift.origin}`,
      `network_profile: ${this.#shift.frame.network_profile}`,
      `seller_id: ${sellerId.trim()}`,
      `passport_agent_id: ${agentId.trim()}`,
      `signed_at: ${at}`,
    ];
    return { seller_signature: await askPerson(this.#shift.ends, () => sign(lines.join('\n'))), seller_signed_at: at };
  }
}

/** The bonds that were asked for before the one that is under way, or before the next one. */
function formerOf(record: ShiftRecord): number {
  return bondsIn(record) - (record.bond === undefined ? 0 : 1);
}

/** Thrown where another bond would have to be transferred, and no one has said that it may be. */
export function bondSpent(why: string, bonds: number): SellerError {
  return new SellerError(
    'bond_refused',
    `${why}, and ${bonds === 1 ? 'one was' : `${bonds} were`} transferred: the option bonds lets it ask for more`,
  );
}
