// Prints the unsigned transfer that pays an owed refund back. It signs and sends nothing.
//
//   FAREBOX_URL=https://gate.example OPERATOR_TOKEN=… PAY_TO=0x… npm run refund -- rcpt_…
//
// PAY_TO is the gate's, or all that it had, with commas between. What went to another wallet is owed by that wallet's
// owner, such as the seller of a market.
//
// Send the transaction from a wallet of yours, then report its hash:
// POST /_farebox/payments/<id>/refunded {"transaction": "0x…"}.

import { fileURLToPath } from 'node:url';

import { transferOf } from './transfer.mjs';

/**
 * Reads the payment and prints what to send.
 *
 * @param {string | undefined} id
 * @param {string | undefined} url
 * @param {string | undefined} token
 * @param {string | undefined} own
 */
async function main(id, url, token, own) {
  if (id === undefined || url === undefined || token === undefined || own === undefined) {
    throw new Error('usage: FAREBOX_URL=https://… OPERATOR_TOKEN=… PAY_TO=0x… npm run refund -- rcpt_…');
  }
  const target = new URL(`/_farebox/payments/${encodeURIComponent(id)}`, url);
  const response = await fetch(target, { headers: { authorization: `Bearer ${token}` }, redirect: 'error' });
  const payment = /** @type {Record<string, unknown>} */ (await response.json());
  if (!response.ok) throw new Error(`${response.status} ${payment['code']}: ${payment['detail']}`);
  console.log(JSON.stringify(transferOf(payment, own), null, 2));
  const amount = payment['amount_decimal'] === null ? '' : `${payment['amount_decimal']} ${payment['symbol']}, `;
  console.error(
    `Refund of ${amount}${payment['amount']} atomic units of ${payment['asset']}, to ${payment['payer']} (${payment['reason']}).`,
  );
  console.error(`Send it once, then: POST ${target.pathname}/refunded {"transaction": "<its hash>"}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { FAREBOX_URL, OPERATOR_TOKEN, PAY_TO } = process.env;
  main(process.argv[2], FAREBOX_URL, OPERATOR_TOKEN, PAY_TO).catch((error) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
