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

/** Selector of `transfer(address,uint256)`. Spec: ERC-20. */
const TRANSFER = 'a9059cbb';

/**
 * The transaction that pays `payment` back, for any wallet: `eth_sendTransaction` without `from`.
 *
 * @param {Record<string, unknown>} payment as `GET /_farebox/payments/{id}` shows it
 * @param {string} own the wallets that the gate is paid to, with commas between
 */
export function transferOf(payment, own) {
  const { state, network, asset, payer, payee, amount } = payment;
  if (state !== 'refund_due') throw new Error(`the payment is ${state}: nothing is owed`);
  const [, chain] = /^eip155:(\d+)$/.exec(String(network)) ?? [];
  const address = /^0x[0-9a-fA-F]{40}$/;
  if (chain === undefined || !address.test(String(asset)) || !address.test(String(payer)) || !/^[1-9]\d*$/.test(String(amount))) {
    throw new Error('the payment has a network, asset, payer or amount that is none');
  }
  const wallets = own.split(',').map((wallet) => wallet.trim().toLowerCase());
  if (!wallets.includes(String(payee).toLowerCase())) {
    throw new Error(`the payment went to ${payee}, which is not PAY_TO: its owner owes the refund, you do not`);
  }
  const units = BigInt(String(amount)).toString(16);
  if (units.length > 64) throw new Error('the amount is not a uint256');
  const words = [String(payer).slice(2).toLowerCase(), units].map((word) => word.padStart(64, '0'));
  return { chainId: `0x${BigInt(chain).toString(16)}`, to: String(asset), value: '0x0', data: `0x${TRANSFER}${words.join('')}` };
}

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
