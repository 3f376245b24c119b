// Random secrets for Workers on this machine.

import { randomBytes } from 'node:crypto';

/** Secrets that a gate begins with. */
export function randomSecrets() {
  return {
    GATE_SECRET: randomBytes(32).toString('hex'),
    LEDGER_SALT: randomBytes(16).toString('hex'),
    OPERATOR_TOKEN: randomBytes(16).toString('hex'),
  };
}
