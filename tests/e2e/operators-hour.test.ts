// The hour of an operator in docs/operations.md: the commands that stand there, typed at a gate, print what stands there.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { createWalletClient, type Hex, http } from 'viem';

import { FAILING } from '../../demo/gate.mjs';
import { root } from '../../scripts/steps.mjs';
import { sharedWorld } from '../support/suite.ts';
import { payingFetch } from './clients.ts';
import { startWorld } from './world.ts';

const TOKEN = 'operator-token-of-the-hour';
const LIMIT_MS = 120_000;
/** What the document says once, in front of its commands. */
const ASK = `ask() { curl -s -H "Authorization: Bearer $OPERATOR_TOKEN" "$FAREBOX_URL/_farebox/$@"; }`;

const world = sharedWorld(() => startWorld({ readsChain: true, routes: [FAILING], secrets: { OPERATOR_TOKEN: TOKEN } }));

/** What a line prints, both streams. */
async function typed(line: string): Promise<string> {
  const env = {
    ...process.env,
    FAREBOX_URL: world.gate.url,
    OPERATOR_TOKEN: TOKEN,
    FAREBOX_OPERATOR_TOKEN: TOKEN,
    PAY_TO: world.chain.accounts.payee.address,
  };
  const { stdout, stderr } = await promisify(execFile)(
    'bash',
    ['-c', `${ASK}\nnpx() { shift; node pkg/dist/cli/main.js "$@"; }\n${line}`],
    { cwd: root, env },
  );
  return stdout + stderr.replace(/^npm warn .*\n/gm, '');
}

const skip = spawnSync('jq', ['--version']).status === 0 ? false : 'left out: there is no jq';

test('the document shows what its commands print', { timeout: LIMIT_MS, skip }, async () => {
  const { payer, payee } = world.chain.accounts;
  const pay = payingFetch(fetch, payer);
  assert.equal((await pay(`${world.gate.url}/report`)).status, 200);
  const failed = await pay(`${world.gate.url}/fail/503`);
  const { payment: id } = (await failed.json()) as { payment: string };
  const lines: string[] = [];
  const show = async (line: string): Promise<string> => {
    const printed = await typed(line);
    lines.push(`$ ${line}`, printed.trimEnd());
    return printed;
  };

  const list = JSON.parse(await show("ask 'payments?state=refund_due' | jq '.items[0]'")) as { transaction: string };
  await show(`ask 'payments?id=${id.slice(0, 13)}' | jq -c '.items[] | [.id, .state, .amount_decimal, .symbol, .created]'`);
  await show(`ask 'payments?transaction=${list.transaction.slice(0, 10)}' | jq -c '.items[] | [.id, .state, .reason]'`);
  await show(`ask payments/${id} | jq -c '.correlation_id, .transitions[]'`);
  const printed = await show(`npx farebox refund ${id} --json`);
  const { to, data } = JSON.parse(printed.slice(0, printed.indexOf('}') + 1)) as { to: Hex; data: Hex };
  const wallet = createWalletClient({ account: payee, chain: world.chain.chain, transport: http(world.chain.url) });
  const hash = await wallet.sendTransaction({ to, data });
  await world.chain.publicClient.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  await show(`ask payments/${id}/refunded -d '{"transaction": "${hash}"}' | jq -c '[.state, .reason]'`);
  await show("ask audit | jq -c '.items[] | {symbol, settled, delivered, refunded, difference}'");
  await show("ask 'export?format=csv' | cut -d, -f1,3,8,14-16 | sort -t, -k2 -r");

  const document = readFileSync(`${root}/docs/operations.md`, 'utf8');
  assert.ok(document.includes(`\n${ASK}\n`), 'the document says what `ask` is');
  const shown = /\n```text\n(\$ ask [^]*?)\n```\n/.exec(document)?.[1] ?? 'no transcript in docs/operations.md';
  assert.equal(masked(shown), masked(lines.join('\n')));
});

/** Without what differs each time. */
function masked(text: string): string {
  return text
    .replace(/rcpt_[a-z2-7]{26}/g, 'rcpt_…')
    .replace(/rcpt_[a-z2-7]{8}\b/g, 'rcpt_.')
    .replace(/\b(?:0x)?[0-9a-f]{64}\b/g, 'hash')
    .replace(/0x[0-9a-f]{8}\b/g, '0x.')
    .replace(/"[0-9a-f]{24}"/g, '"correlation"')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'date')
    .replace(/\b1[78]\d{8}\b/g, 'secs')
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, 'url');
}
