/** The options of the local back end, and what it tells of ways to pay. */
import type { Refusal } from '../../look.js';
import type { PayOptions, Proposal } from '../../options.js';
import type { AgentPayClientIdentity } from '../client.js';

export type LocalAgentOptions = PayOptions &
  Partial<AgentPayClientIdentity> & {
    /** The `fetch` that asks merchants [the platform's]. */
    readonly fetch?: typeof fetch;
    /** Where payments that were sent are kept, so that a process after a crash sends the same again [beside the budget, in `store`]. */
    readonly sent?: PayOptions['store'];
    /** How much of a paid answer is read, bytes [16 MiB]; of a longer one there is the beginning, with the receipt. */
    readonly maxAnswerBytes?: number;
    /** How long its body may take, milliseconds [120000]; afterwards it can be asked for again. */
    readonly answerTimeoutMs?: number;
  };

/** One way to pay, as the policy and what was spent stand now. */
export type LookedOffer = {
  readonly allowed: boolean;
  /** The payment that would be made, unless it cannot be told. */
  readonly offer?: Proposal;
  /** Why it may not be paid. */
  readonly refusal?: Refusal;
};

/** Milliseconds for one paid answer, and for its body. */
export const MAX_ANSWER_MS = 120_000;

/** Only what the payer knows. */
export function payOptionsOf({
  fetch: _,
  sent: __,
  organization: ___,
  agent: ____,
  resume: _____,
  maxAnswerBytes: ______,
  answerTimeoutMs: _______,
  ...options
}: LocalAgentOptions): PayOptions {
  return options;
}
