/** Errors as a model is told of them. */
import type { Told } from './error.js';

/**
 * An error for a model: a message of ours alone, and apart from it one that may quote a server, at most 400 characters: that is data. Those of policy
 * and budget name hosts, addresses and amounts alone, and why a person was not asked is ours.
 */
export function forModel({ code, message, remedy }: Pick<Told, 'code' | 'message' | 'remedy'>): {
  readonly message: string;
  readonly quote?: string;
} {
  return /^(?:policy_|budget_|declined)/.test(code) ? { message } : { message: remedy, quote: message.slice(0, 400) };
}
