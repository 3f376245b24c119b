/** What a failure is called on the command line, and what to do about it there. */
import { FareboxError } from '../error.js';
import { tell, visible } from './terminal.js';
import { EXIT, Later, Usage } from './words.js';

/** What to do in the words of a command, for codes whose remedy is written for programs. */
const REMEDIES: Readonly<Record<string, string>> = {
  approval_needed: 'fix what it names, then run npx farebox unblock URL',
  endpoint_blocked: 'fix what it names, then run npx farebox unblock URL',
  budget_exhausted: 'wait until earlier payments leave the time window, or raise --per-day or the cap in the file of --policy',
  insufficient_funds:
    'fund the wallet that is named above, then run the same command: what it signed is sent until it expires. After that, --pay-again lets another key pay',
  invalid_policy: 'correct that field in the file of --policy, or the option that sets it',
  payee_changed:
    "ask the server's operator; if the new payee is correct, add it to payees in the file of --policy, or set pinPayees to false there for a market of many sellers",
  payment_conflict:
    "the server's word does not show whether money moved: look at the wallet, or ask the server's operator, before you pay for it another time",
  payment_unresolved: 'run the same command, or npx farebox resend with the file of the payment: it is charged once at most',
  policy_amount: 'raise --max, or perPayment in the file of --policy, if you accept the price',
  policy_asset: 'if you trust the contract, declare the asset in full under assets in the file of --policy',
  policy_expired: 'set expires in the file of --policy to a later time if you still want to pay',
  policy_host: 'add the host to hosts in the file of --policy if you trust it',
  policy_network: 'name the network with --network if you want to pay there',
  policy_payee: 'add the payee to payees in the file of --policy, or the contract of a session to escrows there, if you know the address',
  policy_validity: 'raise maxValiditySecs in the file of --policy if the server needs that long to settle',
  realm_mismatch: 'do not pay there; if the host really uses that realm, declare it under mpp in the file of --policy',
  receipt_mismatch: 'look up the transaction yourself',
  refund_later: 'ask for the refund again after the time named above; nothing was spent',
  unsupported_network: 'declare the asset in full under assets in the file of --policy',
};

/** What to do instead of sending a payment again that the server does not take any more. */
export const SIGN_ANEW = 'npx farebox pay with the same request signs under the same nonce, so that both together are charged once';

/** What the policy alone lets go on is asked for by an option, and not by a repeat. */
const PAY_AGAIN = 'look at the chain whether the first was charged; pay by the key that signed it, or with --pay-again beside it';

/** What to do about a failure, in the words of a command. */
export function remedyOf({ code, message, remedy }: FareboxError): string {
  if (code === 'payment_unresolved' && message.includes('policy.payAgain')) return PAY_AGAIN;
  return REMEDIES[code] ?? remedy;
}

/** Prints a failure, and returns the code to exit with. */
export function failed(error: unknown): number {
  if (error instanceof Usage) {
    tell(`farebox: ${error.message}\n`);
    return error instanceof Later ? EXIT.later : EXIT.usage;
  }
  if (error instanceof FareboxError) {
    const message = error.message.replace(/\bpolicy\.(\w+)/g, '$1 of the policy');
    const remedy = error.remedy === SIGN_ANEW ? SIGN_ANEW : remedyOf(error);
    tell(`farebox: ${error.code}: ${message}\n         ${remedy}\n`);
    if (error.signed) return EXIT.signed;
    return error.code.startsWith('invalid_') ? EXIT.usage : EXIT.unpaid;
  }
  // Told by its name, so that the part of agents is not loaded for it.
  if (error instanceof Error && ['SkillError', 'FindError'].includes(error.name)) {
    const { code, message, remedy } = error as Error & { code: string; remedy: string };
    tell(`farebox: ${code}: ${message}\n         ${remedy}\n`);
    return code.endsWith('_unreachable') ? EXIT.lost : EXIT.failed;
  }
  if (isOfFiles(error)) {
    const passes = PASSING.has(error.code);
    const remedy = passes ? 'call again once that has passed' : 'let this user read and write it, or name another one';
    tell(`farebox: ${visible(error.message)}\n         ${remedy}\n`);
    return passes ? EXIT.later : EXIT.usage;
  }
  const why = causeOf(error);
  if (why === undefined && error instanceof Error && error.message !== 'fetch failed') {
    tell(`farebox: a fault of its own, please report it: ${error.name}: ${visible(error.message)}\n`);
    return EXIT.failed;
  }
  tell(`farebox: no answer came${why === undefined ? '' : `: ${why}`}\n`);
  return EXIT.lost;
}

/** What the system says where it is short of something or a disk fails. The same call may do later. Spec: errno(3). */
const PASSING: ReadonlySet<string> = new Set(['EAGAIN', 'EBUSY', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'ESTALE']);

/** Whether a call of the system failed at a file or at a program, or because the system is short of something. */
function isOfFiles(error: unknown): error is Error & { code: string } {
  if (!(error instanceof Error)) return false;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && typeof syscall === 'string' && (typeof path === 'string' || PASSING.has(code));
}

/** Why a connection was not made, such as `ECONNREFUSED`: the first code in an error, its causes and parts, else its last sentence. */
function causeOf(error: unknown): string | undefined {
  const parts: unknown[] = [error];
  let sentence: string | undefined;
  for (const part of parts) {
    if (typeof part !== 'object' || part === null || parts.length > MAX_PARTS) continue;
    const { code, cause, errors, message } = part as { code?: unknown; cause?: unknown; errors?: unknown; message?: unknown };
    if (typeof code === 'string') return code;
    if (part !== error && typeof message === 'string' && message !== '') sentence = message;
    parts.push(cause, ...(Array.isArray(errors) ? errors : []));
  }
  return sentence;
}

const MAX_PARTS = 32;
