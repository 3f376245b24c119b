// The secrets that a gate reads: `serve` takes them from the environment, and the check knows them by name.

/** Secrets that the gate reads under these names. */
export const GATE_SECRETS = [
  'GATE_SECRET',
  'GATE_SECRET_PREVIOUS',
  'LEDGER_SALT',
  'ORIGIN_SECRET',
  'OPERATOR_TOKEN',
  'REFUND_TOKEN',
  'REFUNDS_TOKEN',
  'PAYEE_KEY',
  'WEBHOOK_SECRET',
  'API_KEYS',
  'CDP_API_KEY_ID',
  'CDP_API_KEY_SECRET',
  'OKX_API_KEY',
  'OKX_API_SECRET',
  'OKX_API_PASSPHRASE',
];
