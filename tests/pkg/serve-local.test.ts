// `farebox serve --local`: money of this machine alone, which the printed line spends, and which ends with the gate.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { createPublicClient, erc20Abi, http } from 'viem';

import { USDC } from '../../demo/chain.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { eventually } from '../support/eventually.ts';
import { PROGRAM } from './serve-world.ts';
import { started, temporaryFolder } from './tarball.ts';

/** Who is paid without `--pay-to`: an account of anvil's phrase, whose key everybody knows. */
const NOBODY = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
/** Nobody's key. */
const OTHER = '0x00000000000000000000000000000000000000A1';

const folder = temporaryFolder();
const children = new Set<ChildProcess>();
let origin: Origin;
before(async () => {
  origin = await startOrigin();
});
after(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    // One that is killed leaves its runtime.
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await origin?.stop();
  folder.remove();
});

/** The program with these words, until it has printed a line that buys or has ended. */
async function serving(...words: string[]) {
  const priced = words.includes('--config') ? [] : ['--price', '/report=$0.01'];
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--local', '--origin', origin.url, ...priced, ...words], {
    cwd: folder.path,
    env: { ...process.env, RPC_URL: 'http://127.0.0.1:9/not-asked' },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  children.add(child);
  let text = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  await new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (/^ {2}.*npx farebox pay .*\n/m.test(text)) resolve();
    });
    void ended.then(() => resolve());
  });
  const [, url = ''] = /^(http:\S+) asks for payment/m.exec(text) ?? [];
  const [, rpc = ''] = /the chain is (http:\S+)/.exec(text) ?? [];
  const [, key = ''] = /^ {2}(export FAREBOX_PRIVATE_KEY=0x[0-9a-f]{64})$/m.exec(text) ?? [];
  const [, line = ''] = /^ {2}(.*npx farebox pay .*)$/m.exec(text) ?? [];
  return { child, ended, text, url, rpc, buy: `${key}\n${line.replace('npx farebox', `${process.execPath} ${PROGRAM}`)}` };
}

/** Balances on a chain. */
function chainOf(url: string) {
  const chain = createPublicClient({ transport: http(url) });
  return (address: `0x${string}`): Promise<bigint> =>
    chain.readContract({ address: USDC, abi: erc20Abi, functionName: 'balanceOf', args: [address] });
}

for (const [name, words, payee] of [
  ['nobody in particular', [], NOBODY],
  ['who is named', ['--pay-to', OTHER], OTHER],
] as const)
  test(`the printed line buys, the chain pays ${name}, and the chain ends with the gate`, async () => {
    const { child, ended, url, rpc, buy } = await serving('--port', '0', ...words);
    assert.equal((await fetch(`${url}/report`)).status, 402);
    const balanceOf = chainOf(rpc);
    const before = await balanceOf(payee);
    const { stdout } = await started('sh', ['-c', buy], folder.path);
    assert.match(stdout, /Rainfall, Tuesday/);
    assert.equal((await balanceOf(payee)) - before, 10_000n);
    child.kill(words.length === 0 ? 'SIGTERM' : 'SIGKILL');
    assert.equal(await ended, words.length === 0 ? 0 : null);
    await eventually('the chain is gone', () =>
      fetch(rpc).then(
        () => false,
        () => true,
      ),
    );
  });

test('a price that is known afterwards is paid by the printed line too, at the address of the file', async () => {
  const file = join(folder.path, 'gate.json');
  writeFileSync(
    file,
    JSON.stringify({ PAY_TO: OTHER, DEFAULT: 'deny', ROUTES: [{ path: '/report', unit_price: '$0.001', price: '$0.10' }] }),
  );
  const { child, ended, rpc, buy } = await serving('--port', '0', '--state', 'other', '--config', file);
  await started('sh', ['-c', buy], folder.path);
  // An origin that counts nothing is paid the most.
  assert.equal(await chainOf(rpc)(OTHER), 100_000n);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

// A-281
test('no page of a browser reads its chain', async () => {
  const { child, ended, rpc } = await serving('--port', '0', '--state', 'pages');
  const asked = { method: 'POST', headers: { origin: 'https://evil.example', 'content-type': 'application/json' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] });
  const answer = await fetch(rpc, { ...asked, body });
  assert.deepEqual([answer.status, answer.headers.get('access-control-allow-origin')], [200, null]);
  const preflight = await fetch(rpc, { method: 'OPTIONS', headers: { ...asked.headers, 'access-control-request-method': 'POST' } });
  assert.equal(preflight.headers.get('access-control-allow-origin'), null);
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
});

test('it stands in for no other money', async () => {
  for (const [words, says] of [
    [['--facilitator', 'https://f.example'], /--local has its own: leave out --facilitator/],
    [['--rpc', 'https://n.example'], /--local has its own: leave out --rpc/],
    [['--network', 'base'], /--local stands in for base-sepolia alone: leave out --network/],
  ] as const) {
    const { ended, text } = await serving(...words);
    assert.deepEqual([await ended, says.test(text)], [2, true], text);
  }
});
