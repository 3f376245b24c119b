/** The transfer that pays an owed refund back, for the command and for the desk: begun at the gate, and sent by a wallet. */

import { type Members, membersOf } from '../members.js';
import { doneTo, type Operator, Refused, segmentOf, textOf, Unreadable } from './client.js';

/** A transaction for any wallet: `eth_sendTransaction` without `from`. */
export type Transfer = { readonly chainId: string; readonly to: string; readonly value: '0x0'; readonly data: string };

/** The payer of a payment; empty where the gate cannot read one and keeps the payment's key, to which no money may go. */
export const payerOf = (payment: Members): string => (textOf(payment, 'payer') === textOf(payment, 'key') ? '' : textOf(payment, 'payer'));

/** In the place of a payer whom the gate cannot read. */
export const UNREAD_PAYER = 'the gate cannot read it: whoever sent the transaction';

/** Selector of `transfer(address,uint256)`. Spec: ERC-20. */
const TRANSFER = 'a9059cbb';

/** The number of an EVM network as wallets take it. */
export function chainOf(network: string): string | undefined {
  const [, chain] = /^eip155:(\d+)$/.exec(network) ?? [];
  return chain === undefined ? undefined : `0x${BigInt(chain).toString(16)}`;
}

/** Whether a person makes the transfer of a refund by a wallet of its network, since none is made here for it: any network but EVM's. */
export const isByHand = (payment: Members): boolean => chainOf(textOf(payment, 'network')) === undefined;

/** The accounts of a `PAY_TO`: one, several with commas between, or an object of them by network as JSON. */
function accountsOf(own: string): readonly string[] {
  if (!own.trimStart().startsWith('{')) return own.split(',').map((account) => account.trim());
  try {
    return Object.values(membersOf(JSON.parse(own))).map(String);
  } catch {
    throw new Error('PAY_TO begins as an object, and is no JSON: name the account that was paid');
  }
}

/**
 * Throws if nothing is owed for `payment`, which is as `GET /_farebox/payments/{id}` shows it, or if another wallet owes it than `own`:
 * those that the gate is paid to, as its `PAY_TO` or with commas between.
 */
export function checkOwed({ state, payee }: Readonly<Record<string, unknown>>, own: string): void {
  if (state !== 'refund_due') throw new Error(`the payment is ${String(state)}: nothing is owed`);
  const wallets = accountsOf(own).map((wallet) => wallet.toLowerCase());
  if (!wallets.includes(String(payee).toLowerCase())) {
    throw new Error(`the payment went to ${String(payee)}, which is not PAY_TO: its owner owes the refund, you do not`);
  }
}

/** The transaction that pays `payment` back. It throws as `checkOwed`, and where the transfer is made by hand. */
export function transferOf(payment: Readonly<Record<string, unknown>>, own: string): Transfer {
  const { network, asset, payer, amount } = payment;
  checkOwed(payment, own);
  const chainId = chainOf(String(network));
  const address = /^0x[0-9a-fA-F]{40}$/;
  if (chainId === undefined) throw new Error('a transfer is made on EVM networks alone');
  if (!address.test(String(asset)) || !address.test(String(payer)) || !/^[1-9]\d*$/.test(String(amount))) {
    throw new Error('the payment has an asset, payer or amount that is none');
  }
  const units = BigInt(String(amount)).toString(16);
  if (units.length > 64) throw new Error('the amount is not a uint256');
  const words = [String(payer).slice(2).toLowerCase(), units].map((word) => word.padStart(64, '0'));
  return { chainId, to: String(asset), value: '0x0', data: `0x${TRANSFER}${words.join('')}` };
}

/** Where the gate keeps a payment, and decisions about it. */
export const placeOf = (id: string): string => `/_farebox/payments/${segmentOf(id)}`;

/** Decides about a payment. */
export async function decide(operator: Operator, id: string, decision: string, body: Members): Promise<Members> {
  return doneTo(await operator.tell('POST', `${placeOf(id)}/${decision}`, body), 'id', id);
}

/**
 * Begins a refund: from here on the gate serves nothing for it, and lets no one else begin. A debt of before a restore of the ledger
 * needs a word: that no transfer was made `since` the backup.
 */
export async function beginRefund(operator: Operator, id: string, isUnpaidSince = false): Promise<Members> {
  const now = await decide(operator, id, 'refunding', isUnpaidSince ? { restored: true } : {});
  // Nobody may be told to send what did not begin.
  if (beginOf(now) === undefined) throw new Unreadable();
  return now;
}

/** The begin of a refund that is under way, as a payment names it: whoever takes it back says which one they mean. */
export function beginOf(payment: Readonly<Record<string, unknown>>): number | undefined {
  const begun = payment['refunding_id'];
  return typeof begun === 'number' ? begun : undefined;
}

/**
 * Says that a refund which was begun was not sent: whoever holds its transfer must not send it any more. A later begin stays, and so
 * does one of a program whose key is not named.
 */
export function dropRefund(operator: Operator, id: string, begun: number, key?: string): Promise<Members> {
  return decide(operator, id, 'not-refunded', { refunding_id: begun, ...(key === undefined ? {} : { key }) });
}

/** The same as a link that wallets on a phone open. Spec: ERC-681. */
export function linkOf(payment: Readonly<Record<string, unknown>>, own: string): string {
  const { to, chainId } = transferOf(payment, own);
  return `ethereum:${to}@${BigInt(chainId)}/transfer?address=${String(payment['payer'])}&uint256=${String(payment['amount'])}`;
}

/** Whether a report of a refund may still be taken: the chain or the node does not show it yet, or no answer of the gate came. */
export function isComing(error: unknown): boolean {
  if (!(error instanceof Refused)) return true;
  return error.code === 'refund_unproven' || error.code === 'chain_unavailable' || error.status >= 500 || error.status === 429;
}
