// A page with the wallet that the browser injects, by itself and under viem.
import { payingFetch, receiptOf } from 'farebox';
import { createWalletClient, custom } from 'viem';
import { baseSepolia } from 'viem/chains';

import { asked, gate, line, show } from './show.js';

async function walletClient() {
  const [account] = await window.ethereum.request({ method: 'eth_requestAccounts' });
  const client = createWalletClient({ account, chain: baseSepolia, transport: custom(window.ethereum) });
  await client.switchChain(baseSepolia);
  return client;
}

await show(asked.has('viem') ? 'A wallet client of viem' : 'An injected wallet', (run) =>
  run('report', async () => {
    const signer = asked.has('viem') ? await walletClient() : window.ethereum;
    const steps = [];
    const onStep = (step, { amountText }) => {
      steps.push(step);
      line(`${step} ${amountText}`);
      throw new Error('a display that fails changes nothing');
    };
    const fetch = payingFetch({ signer, policy: { perDay: '1' }, onStep });
    const headers = asked.has('header') ? { 'x-api-version': '2' } : {};
    const response = await fetch(`${gate}${asked.get('path') ?? '/report'}`, { headers });
    return { body: await response.json(), transaction: receiptOf(response)?.transaction, steps };
  }),
);
