// Local money as a process of its own, for `farebox serve --local`: one line of JSON says where it is, and it ends with who started it.
//
// A process of its own, because a signal to `serve` lets requests under way end, which still need the money.

import { endAll } from '../processes.mjs';
import { startMoney } from './money.mjs';

const [routes = 'null'] = process.argv.slice(2);
try {
  const money = await startMoney(JSON.parse(routes));
  const { payer, payee } = 'chain' in money ? money.chain.accounts : { payer: undefined, payee: undefined };
  console.log(JSON.stringify('missing' in money ? money : { ...money.vars, key: payer?.privateKey, payee: payee?.address }));
} catch (error) {
  console.log(JSON.stringify({ failed: error instanceof Error ? error.message : String(error) }));
}
process.stdin.resume().once('close', () => void endAll().then(() => process.exit()));
