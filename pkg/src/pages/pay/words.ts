// What went wrong, in words, and what to do.

/** A failure for a person. */
export type Words = {
  readonly title: string;
  readonly advice: string;
  /** Whether the page may offer to begin again. */
  readonly again: boolean;
};

const NOTHING = 'Nothing was paid.';
const SIGNED =
  'You have signed a payment for this page before: try again with the same wallet, which goes on with it. You are charged once.';
const AT_MOST_ONCE = 'Read what it says. "Try again" charges you once at most.';
/** What is said of a payment that nobody can tell the fate of. */
export const ENDED = 'An earlier payment for this page has ended, and may have been charged.';
const words = (title: string, advice: string, again = true): Words => ({ title, advice, again });

const KNOWN: Readonly<Record<string, Words>> = {
  wallet_rejected: words('You declined in your wallet.', NOTHING),
  declined: words('You declined.', NOTHING),
  wallet_network_missing: words('Your wallet does not know this network.', `Add the network in your wallet, then try again. ${NOTHING}`),
  wallet_failed: words(
    'Your wallet did not answer as expected.',
    `Unlock it, or look whether it waits for you, then try again. ${NOTHING}`,
  ),
  wrong_signature: words('Your wallet signed with another account.', 'Choose the account that pays in your wallet, then try again.'),
  insufficient_funds: words('Your wallet does not hold enough.', 'Fund it, then try again. What you signed is charged at most once.'),
  budget_exhausted: words(
    'You have paid a lot here in the last day, or begun to.',
    `This page stops at a limit, which protects you. ${NOTHING}`,
  ),
  policy_amount: words('The price has changed.', `Reload the page to see the new price. ${NOTHING}`),
  terms_changed: words('The terms have changed.', `Reload the page to see them. ${NOTHING}`),
  payment_refused: words(
    'The server did not take the payment.',
    'Ask the seller before you pay again. What you signed is charged at most once.',
  ),
  ended: words(ENDED, 'Look at your wallet before you pay again.'),
  payment_conflict: words('The seller does not deliver for this payment.', AT_MOST_ONCE),
  refund_due: words(
    'You paid, and the seller could not deliver.',
    'The seller owes you a refund, or has paid it: keep what it says below.',
    false,
  ),
  receipt_mismatch: words(
    'The receipt does not fit what you signed.',
    'Look the transaction up in your wallet before you pay again.',
    false,
  ),
  redirected: words('The server led to another page.', NOTHING, false),
  resource_mismatch: words('The server names another page.', NOTHING, false),
  endpoint_blocked: words('The seller asks for no further payment now.', `Read what it says, and try again when it is solved. ${NOTHING}`),
  approval_needed: words('The seller could not check an earlier payment.', 'Read what it says. Look at your wallet before you try again.'),
  unread: words(
    'Your browser did not read what it keeps for this page.',
    'Try again. What you have signed before is charged at most once.',
  ),
  unloaded: words(
    'A part of this page did not come.',
    'Look at your connection. "Try again" loads the page anew. What you have signed before is charged at most once.',
  ),
  refund_later: words('The rest comes back later.', 'What was deposited just now has to be firm first. Ask again when it says.'),
  deposit_waits: words(
    'Your deposit pays for nothing else now.',
    'What is on its way has to arrive or end first. Try again in some minutes, or reload the page.',
  ),
  undelivered: words('The seller did not deliver.', AT_MOST_ONCE),
  leads_on: words(
    'The server leads to another address, which this page cannot follow.',
    'What you may have signed here is charged once at most. If its path has but a slash more or less, it is below: what that asks for is another payment.',
    false,
  ),
  unanswered: words('The server has nothing for you here.', NOTHING),
  challenge_expired: words('The terms look expired.', `Check the clock of this device. ${NOTHING}`),
};

/** Codes of wallets, which are numbers. Spec: EIP-1193, EIP-3326. */
const BY_NUMBER: ReadonlyMap<unknown, string> = new Map([
  [4001, 'wallet_rejected'],
  [4902, 'wallet_network_missing'],
]);

/** An error of the payer, or of a wallet. */
export type Failure = {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly signed?: unknown;
  readonly payment?: { readonly key: string } | undefined;
  /** Whether what is signed can no more be charged: it may have been. */
  readonly hasEnded?: boolean;
};

/** Throws for a part of the page that did not load. A browser may keep that for as long as the page is open. */
export function unloaded(): never {
  throw Object.assign(new Error(''), { code: 'unloaded' });
}

/** The words for a failure after which nothing is open. */
export function wordsFor({ code: told, message, signed, hasEnded }: Failure): Words {
  // Whose clock is slow signs what has expired at the seller.
  const code = told === 'payment_refused' && /expire|valid_/.test(`${message}`) ? 'challenge_expired' : told;
  const known = typeof code === 'string' ? KNOWN[code] : KNOWN[BY_NUMBER.get(code) ?? ''];
  if (known !== undefined)
    return signed === true ? { ...known, advice: known.advice.replace(NOTHING, hasEnded === true ? ENDED : SIGNED) } : known;
  if (signed === true) return words('The payment did not end as it should.', 'Look at your wallet before you pay again.');
  return words('That did not work.', `${NOTHING} Try again, or ask the seller.`);
}

/** Whether the payer waits until a person has read what the seller says. */
export function isStopped({ code }: Failure): boolean {
  return code === 'endpoint_blocked' || code === 'approval_needed';
}

/** Whether the answer to a payment was given before, and is given no more. */
export function wasGiven({ code, message }: Failure): boolean {
  return code === 'payment_conflict' && /already.delivered/.test(String(message));
}

/** Whether it is not known what became of a signed payment. */
export function isOpen({ code, signed }: Failure): boolean {
  return code === 'payment_unresolved' || code === 'aborted' || (signed === true && code === undefined);
}

/** What a server or a wallet says about a failure, where it adds something. */
export function saidBy({ code, message }: Failure): string {
  return typeof message === 'string' && code !== 4001 && code !== 'wallet_rejected' ? message : '';
}
