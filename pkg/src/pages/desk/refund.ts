/**
 * A refund that a person signs in the wallet of this browser: the transfer of `farebox refund`, sent once, and reported when the
 * chain has it. Spec: docs/operations.md, "Refunds".
 */

import type { Members } from '../../members.js';
import { type Operator, Refused, sentenceOf, textOf } from '../../operator/client.js';
import { beginOf, beginRefund, chainOf, decide, dropRefund, isComing, transferOf } from '../../operator/transfer.js';
import type { Eip1193Provider } from '../../signer.js';
import { accountOf, injectedWallet, isRejection, leadTo, type Outcome, outcomeOf, sendFrom } from '../shared/wallet.js';
import { begunOf, isOfAnother, keep, markOf, markWith, UNHEARD, unmark } from './marks.js';
import { type PaymentSeen, seen } from './payment.js';

/** Debts of before a restore of the ledger: someone has to look first whether they were paid back since the backup. */
export const aged = new Set<string>();

/**
 * What the node of the wallet, or else that of the gate, last said of transactions of refunds; what is not found may have failed, too,
 * and so may what the wallet could not be asked for.
 */
export const unproven = new Map<string, 'failed' | 'not found' | 'not found by the gate' | 'not looked up'>();

/** How often the wallet's node, and then the gate, is asked for the refund, and how long each waits in between. */
const LOOKS = 30;
const LOOK_MS = 4_000;
/** As long as a person may take to let their wallet change its network. */
const LEAD_MS = 60_000;
const pause = (ms = LOOK_MS) => new Promise((done) => setTimeout(done, ms));

/** Does what no other tab may do at the same time. */
async function alone<T>(id: string, work: () => Promise<T>): Promise<T> {
  // Pages without a secure context have no locks: there the gate alone lets no second one begin.
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) return work();
  return locks.request(markOf(id), { ifAvailable: true }, (lock) => {
    if (lock === null)
      throw new Error(
        'Another tab refunds this payment, or this one is not done with it. Wait some minutes; if its wallet never answers, reload this page.',
      );
    return work();
  });
}

/** Has the refund signed and sent, and says what came of it. */
export async function refundByWallet(
  operator: Operator,
  payment: PaymentSeen,
  isUnpaidSince: boolean,
  say: (text: string) => void,
): Promise<string> {
  return alone(payment.id, () => refundAlone(operator, payment, isUnpaidSince, say));
}

/** A debt, and whether a person has seen that no transfer was made since a backup. */
export interface Debt {
  readonly id: string;
  readonly isUnpaidSince: boolean;
}

/** Begins a refund whose transfer a person makes by a wallet that this page does not ask, and says what is to be done. */
export async function beginByHand(operator: Operator, { id, isUnpaidSince }: Debt): Promise<string> {
  return alone(id, async () => {
    const { members, price } = await begun(operator, id, isUnpaidSince);
    const mine = beginOf(members);
    if (!keep(id, markWith(mine))) throw new Error(`${FULL}${await takenBack(operator, id, mine)}`);
    return `The refund of ${price} is begun. Send it once, then report it below.`;
  });
}

/** A refund that a person takes back: the begin that they saw, and what this browser sent for it. */
export interface TakenBack {
  readonly id: string;
  readonly network: string;
  readonly begun: number | undefined;
  readonly hash: string;
  /** Whether a person has seen that the transaction moved nothing to the payer, and cannot any more. */
  readonly isUnmoved: boolean;
}

/** Lets a refund be begun again of which the wallet's history shows nothing, or that it failed: the begin that was seen, no later one. */
export async function forgetBegun(operator: Operator, { id, network, begun, hash, isUnmoved }: TakenBack): Promise<string> {
  return alone(id, async () => {
    // The transaction of a wallet that is a contract succeeds where its transfer fails: the gate's node sees that, unless it is behind.
    const isDenied = isDeniedByGate(hash);
    const shows = hash === '' ? 'failed' : await shownBy(network, hash);
    // One that was cancelled is never found, as one that is only late: a person has to say which it is.
    if (shows !== 'failed') {
      if (shows === 'succeeded' && !isDenied) {
        unproven.delete(hash);
        throw new Error(`The wallet shows that ${hash} succeeded. Report it below.`);
      }
      if (isDenied && (await isFound(operator, id, hash))) return `The gate has found ${hash} now. Nothing is to be sent again.`;
      if (!isDenied) unproven.set(hash, shows === 'pending' ? 'not found' : 'not looked up');
      if (!isUnmoved)
        throw new Error(
          shows === 'succeeded'
            ? `The wallet shows that ${hash} succeeded, and the gate's node does not find the transfer. ${BEHIND}`
            : `The wallet ${shows === 'pending' ? 'does not find' : 'could not look up'} ${hash}. ${SAY_FAILED}`,
        );
    }
    const sent = begunOf(id);
    // What was pressed may be older than what another tab has sent.
    if (sent !== undefined && !isOfAnother(sent, begun) && (sent.hash ?? '') !== hash) throw new Error(SINCE);
    if (begun !== undefined) await dropRefund(operator, id, begun);
    const mine = begunOf(id);
    if (mine !== undefined && isOfAnother(mine, begun))
      return 'That refund is taken back. Look at the one that this browser began, before you begin again.';
    unmark(id);
    return 'The refund may be begun again.';
  });
}

const SINCE = 'This browser has begun or sent a refund since this was shown. Nothing was taken back: look at that one below.';
const SAY_FAILED =
  'It may have succeeded, or still come: only if an explorer shows that nothing went to the payer in it, nor can any more, say so beside the button.';
const BEHIND =
  'It may be behind: report it again later. Only if an explorer shows that nothing went to the payer, say so beside the button.';

/** Whether the gate's own node has looked for a refund and not found it: such a gate believes nothing that it is told. */
const isDeniedByGate = (hash: string): boolean => unproven.get(hash) === 'not found by the gate';

/** Whether a gate that has denied a refund finds it now. */
async function isFound(operator: Operator, id: string, hash: string): Promise<boolean> {
  try {
    await reportRefund(operator, id, hash);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.code === 'refund_unproven') return false;
    throw error;
  }
}

async function refundAlone(
  operator: Operator,
  { id, payee, price, members }: PaymentSeen,
  isUnpaidSince: boolean,
  say: (text: string) => void,
): Promise<string> {
  if (begunOf(id)?.isUnheard === false) throw new Error(HERE_ALREADY);
  const { chainId } = transferOf(members, payee);
  const wallet = injectedWallet();
  if (wallet === undefined)
    throw new Error('This browser has no wallet. Sign the transfer of npx farebox refund elsewhere, and report it here.');
  say('Your wallet asks you.');
  const from = await accountOf(wallet, payee);
  if (from === undefined) {
    throw new Error(
      `This payment went to ${payee}, and your wallet does not offer that account. Whoever owns it owes the refund: if it is not yours, you owe nothing. If another wallet of yours has it, begin with npx farebox refund, sign there, and report it here.`,
    );
  }
  await leadTo(wallet, chainId);
  // The wallet's windows took as long as a person takes: what is owed now counts, and nothing of it changes from here on.
  const owed = await begun(operator, id, isUnpaidSince);
  const transfer = transferOf(owed.members, payee);
  const mine = beginOf(owed.members);
  if (!keep(id, markWith(mine))) throw new Error(`${FULL}${await takenBack(operator, id, mine)}`);
  let hash: string;
  try {
    hash = await sendFrom(wallet, from, transfer);
  } catch (error) {
    if (!isRejection(error)) throw error;
    return `You refused in the wallet. Nothing was sent.${await takenBack(operator, id, mine)}`;
  }
  say(`${price} was sent as ${hash}. Waiting until the chain shows it.`);
  keep(id, markWith(mine, hash));
  // A gate without a node believes what it is told, for good: a transaction of a moment ago may still fail.
  const seenAs = await outcomeSoon(wallet, hash, chainId);
  stopUnless(seenAs, hash);
  const doubt = seenAs === 'unread' ? ' The wallet reads no chain: unless the gate has a node, see there that it succeeded.' : '';
  for (let look = 1; ; look += 1) {
    try {
      await reportRefund(operator, id, hash);
      return `${price} was refunded, as ${hash}.${doubt}`;
    } catch (error) {
      if (!isComing(error) || look === LOOKS) throw new Error(`The refund was sent as ${hash}. ${sentenceOf(error)}`);
      // It is not there yet: only whoever has waited, or asks again, may doubt it.
      unproven.delete(hash);
    }
    await pause();
  }
}

const UNSURE =
  'The wallet could not look it up, and the gate was not told. If the gate has a node, report it below: the gate looks itself. If not, see first that it succeeded. Say so beside the button.';

/** Throws where a gate that believes what it is told must not be told of a transaction. */
function stopUnless(seenAs: Outcome, hash: string): void {
  if (seenAs === 'unsure') {
    // Only a person knows whether the gate has a node of its own, which proves what the wallet could not be asked.
    unproven.set(hash, 'not looked up');
    throw new Error(`The refund was sent as ${hash}. ${UNSURE}`);
  }
  if (seenAs !== 'failed' && seenAs !== 'pending') return;
  unproven.set(hash, seenAs === 'failed' ? 'failed' : 'not found');
  const why = seenAs === 'failed' ? 'failed on the chain' : 'is in no block yet';
  throw new Error(`The refund was sent as ${hash} and ${why}. The gate was not told: look into the history of the wallet.`);
}

async function outcomeSoon(wallet: Eip1193Provider, hash: string, chainId: string): Promise<Outcome> {
  for (let look = 1; ; look += 1) {
    const outcome = await outcomeOf(wallet, hash, chainId, LOOK_MS);
    if ((outcome !== 'pending' && outcome !== 'unsure') || look === LOOKS) return outcome;
    await pause();
  }
}

const HERE_ALREADY = 'A refund of this payment was begun in this browser. Look at it below before you send another one.';
const FULL = 'This browser keeps nothing more for this site, and might send the refund twice. Nothing was sent.';

async function begun(operator: Operator, id: string, isUnpaidSince: boolean): Promise<PaymentSeen> {
  const before = begunOf(id);
  // Where tabs have no locks, another one may have begun it while this one's wallet asked.
  if (before?.isUnheard === false) throw new Error(HERE_ALREADY);
  // Before the gate is asked: a begin whose answer is lost is this browser's nevertheless.
  const isFirst = before === undefined;
  if (!keep(id, markWith(UNHEARD))) throw new Error(FULL);
  try {
    return seen(await beginRefund(operator, id, isUnpaidSince));
  } catch (error) {
    if (error instanceof Refused && error.code === 'refund_restored') aged.add(id);
    // What is refused is the begin that was asked for now: one of before may be there.
    if (error instanceof Refused && error.status < 500 && isFirst) unmark(id);
    throw new Error(`Nothing was sent: ${sentenceOf(error)}`);
  }
}

/** Takes back a begin of which nothing was sent, and gives what is to be said where the gate does not answer: the mark stays then. */
async function takenBack(operator: Operator, id: string, mine: number | undefined): Promise<string> {
  try {
    if (mine !== undefined) await dropRefund(operator, id, mine);
    unmark(id);
    return '';
  } catch (error) {
    return ` The gate did not take the refund back: ${sentenceOf(error)}`;
  }
}

/** What a person reports: a transaction, and whether they have seen that it succeeded where the wallet does not show it. */
export interface Report {
  readonly id: string;
  readonly network: string;
  readonly transaction: string;
  readonly isSeen: boolean;
}

/** Reports a refund for a person; one that this browser sent is looked up by its wallet first, as it may have failed since. */
export async function reportByHand(operator: Operator, { id, network, transaction: typed, isSeen }: Report): Promise<void> {
  // Capitals name the same transaction: one that this browser sent is 0x and digits.
  const sent = begunOf(id)?.hash;
  const transaction = sent?.toLowerCase() === typed.toLowerCase() ? sent : typed;
  const shows = sent === transaction ? await shownBy(network, transaction) : 'unread';
  // What the wallet cannot say, the person has: their word counts, and a gate with a node looks itself.
  const isLeftToGate = isSeen || (shows === 'unsure' && isDeniedByGate(transaction));
  if (shows === 'failed' || !isLeftToGate) stopUnless(shows, transaction);
  await reportRefund(operator, id, transaction);
}

/** What the wallet of this browser shows now of a transaction, on its network: another refund may have led the wallet elsewhere. */
async function shownBy(network: string, transaction: string): Promise<Outcome> {
  const [wallet, chain] = [injectedWallet(), chainOf(network)];
  if (wallet === undefined || chain === undefined) return 'unsure';
  // Where it stays elsewhere, or never answers, the look says so.
  await Promise.race([leadTo(wallet, chain).catch(() => undefined), pause(LEAD_MS)]);
  return outcomeOf(wallet, transaction, chain, LOOK_MS);
}

/** Tells the gate of a refund that was sent; it looks for it on the chain where it reads one. */
export async function reportRefund(operator: Operator, id: string, transaction: string): Promise<void> {
  let now: Members;
  try {
    now = await decide(operator, id, 'refunded', { transaction });
  } catch (error) {
    if (error instanceof Refused && error.code === 'refund_unproven') unproven.set(transaction, 'not found by the gate');
    throw error;
  }
  unproven.delete(transaction);
  if (textOf(now, 'state') === 'refunded') unmark(id);
}
