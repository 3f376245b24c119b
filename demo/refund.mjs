// Returns what the demo's gate owes: sends each transfer from the payee's wallet on the local chain
// and reports its hash to the gate.
//
//   OPERATOR_TOKEN=… node demo/refund.mjs <gate> <chain>

import { fileURLToPath } from 'node:url';

import { createPublicClient, createWalletClient, http } from 'viem';
import { baseSepolia } from 'viem/chains';

import { account, PAYEE } from './chain.mjs';

const POLL_MS = 20;
const OPERATOR = fileURLToPath(new URL('../pkg/src/operator/', import.meta.url));
const { Operator, beginRefund, decide, transferOf } = await operatorsModule();

/**
 * @param {{gate: string, chain: string, token: string}} where
 * @returns {Promise<{owed: any, transaction: string, state: string}[]>} each debt, and the state that it has now
 */
export async function refundAll({ gate, chain, token }) {
  const transport = http(chain);
  const wallet = createWalletClient({ account: account(PAYEE), chain: baseSepolia, transport });
  const node = createPublicClient({ chain: baseSepolia, transport, pollingInterval: POLL_MS });
  const operator = new Operator(token, gate);
  const { items } = await operator.read('/_farebox/payments', { state: 'refund_due' });
  const refunds = [];
  for (const { id } of /** @type {any[]} */ (items)) {
    const owed = await beginRefund(operator, id);
    const { to, data } = transferOf(owed, account(PAYEE).address);
    const transaction = await wallet.sendTransaction({ to: /** @type {`0x${string}`} */ (to), data: /** @type {`0x${string}`} */ (data) });
    await node.waitForTransactionReceipt({ hash: transaction });
    const { state } = await decide(operator, id, 'refunded', { transaction });
    refunds.push({ owed, transaction, state: String(state) });
  }
  return refunds;
}

/**
 * What the package's own command does for a refund. The demo plays before the package is built, so its two sources are joined here.
 *
 * @returns {Promise<typeof import('../pkg/src/operator/client.js') & typeof import('../pkg/src/operator/transfer.js')>}
 */
async function operatorsModule() {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    stdin: { contents: "export * from './client.js'; export * from './transfer.js';", resolveDir: OPERATOR },
    bundle: true,
    format: 'esm',
    platform: 'node',
    write: false,
  });
  const [module] = outputFiles;
  if (module === undefined) throw new Error(`nothing came of ${OPERATOR}`);
  return import(`data:text/javascript;base64,${Buffer.from(module.contents).toString('base64')}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [gate, chain] = process.argv.slice(2);
  const token = process.env['OPERATOR_TOKEN'];
  if (gate === undefined || chain === undefined || token === undefined) {
    console.error('usage: OPERATOR_TOKEN=… node demo/refund.mjs <gate> <chain>');
    process.exitCode = 2;
  } else {
    const refunds = await refundAll({ gate, chain, token });
    for (const { owed, transaction, state } of refunds)
      console.log(`${owed.id}: ${owed.amount} atomic units returned in ${transaction}, now ${state}`);
    if (refunds.length === 0) console.log('nothing is owed');
  }
}
