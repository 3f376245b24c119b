// The published clients of Python, each in a process of its own.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import type { Hex } from 'viem';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { findPython } from '../../scripts/python.mjs';
import { receiptIn } from '../support/mpp-wire.ts';
import { settlementOf, type Answer, type Payer } from './clients.ts';
import { changesDuring, startWorld, transfersOf, type World } from './world.ts';

/** Programs of `python/`, and where the answer to each names the transaction. */
const CLIENTS: readonly { readonly name: string; readonly program: string; transactionIn(headers: Headers): Hex }[] = [
  { name: 'x402 over httpx', program: 'x402_httpx.py', transactionIn: (headers) => settlementOf(headers, 2).transaction },
  { name: 'x402 over requests', program: 'x402_requests.py', transactionIn: (headers) => settlementOf(headers, 2).transaction },
  { name: 'pympp', program: 'pympp.py', transactionIn: (headers) => receiptIn(headers.get('payment-receipt'))?.reference as Hex },
];
const ROUTES = [{ settle: 'after', path: '/report', verified: 1 }, { settle: 'before', path: '/report-before', verified: 0 }] as const;
const LIMIT_MS = 60_000;

const found = await findPython();
if ('leftOut' in found) {
  test('clients of Python are left out', (t) => t.diagnostic(`left out: the clients of Python, ${found.leftOut}`));
} else {
  payWith(found.python);
}

function payWith(python: string): void {
  let world: World;
  before(async () => { world = await startWorld(); });
  after(() => world?.stop());

  for (const [index, { name, program, transactionIn }] of CLIENTS.entries()) {
    for (const { settle, path, verified } of ROUTES) {
      test(`${name} pays a route that settles ${settle} the origin, and the money has moved`, async () => {
        const { payee, payers } = world.chain.accounts;
        const payer = payers[index];
        assert.ok(payer);
        const { result, change } = await changesDuring(world, payer.address, () => get(python, program, `${world.gate.url}${path}`, payer));
        assert.equal(result.status, 200, result.text);
        assert.equal((JSON.parse(result.text) as { report: string }).report, 'Rainfall, Tuesday');
        assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified, settled: 1 });
        assert.deepEqual(await transfersOf(world, transactionIn(result.headers)), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
      });
    }
  }
}

/** Asks, pays if asked to, and gives the last answer. The key goes by the environment, where no list of processes shows it. */
async function get(python: string, program: string, url: string, payer: Payer): Promise<Answer> {
  const env = { PATH: process.env['PATH'] ?? '', PAYER_KEY: payer.privateKey };
  const { stdout } = await promisify(execFile)(python, ['-B', `tests/e2e/python/${program}`, url], { env, timeout: LIMIT_MS });
  const { status, headers, text } = JSON.parse(stdout) as { status: number; headers: Record<string, string>; text: string };
  return { status, headers: new Headers(headers), text };
}
