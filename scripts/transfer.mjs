// The transfer that pays an owed refund back, for the command and for the desk: it reads and sends nothing.

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
