// Secrets for Workers on this machine.

import { randomBytes } from 'node:crypto';

/**
 * Secrets that a gate begins with.
 *
 * @param {(bytes: number) => string} draw hexadecimal digits that nobody else knows
 */
export function randomSecrets(draw = (bytes) => randomBytes(bytes).toString('hex')) {
  return { GATE_SECRET: draw(32), LEDGER_SALT: draw(16), OPERATOR_TOKEN: draw(16) };
}
