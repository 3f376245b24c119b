// An operator at a terminal: the commands of the package against a real gate, with a real chain to prove the refund.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

import { createWalletClient, type Hex, http } from 'viem';

import { FAILING } from '../../demo/gate.mjs';
import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { payingFetch } from './clients.ts';
import { startWorld } from './world.ts';

const TOKEN = 'operator-token-at-a-terminal';
const PRICE = 10_000n;
const PROGRAM = join(root, 'pkg/dist/cli/main.js');

const world = sharedWorld(() => startWorld({ readsChain: true, routes: [FAILING], secrets: { OPERATOR_TOKEN: TOKEN } }));

type Ran = { code: number; out: string; err: string };

function run(words: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const given = { PATH: process.env['PATH'], FAREBOX_URL: world.gate.url, FAREBOX_OPERATOR_TOKEN: TOKEN, ...env };
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...words], { env: given }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}
/** Objects, one a line. */
const read = ({ out }: Ran): Record<string, unknown>[] =>
  out
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

test('what is owed is found, paid back by the link, reported by the same command, and the books agree', async () => {
  const { chain, gate } = world;
  const { payer, payee } = chain.accounts;
  const pay = payingFetch(fetch, payer);
  assert.equal((await pay(`${gate.url}/report`)).status, 200);
  for (const status of [503, 500]) assert.equal((await pay(`${gate.url}/fail/${status}`)).status, 502);

  const table = await run(['owed']);
  assert.deepEqual([table.code, table.err], [0, '']);
  const [head = '', first = '', second = '', ...others] = table.out.split('\n');
  assert.deepEqual([head.split(/ {2,}/), others], [['CREATED', 'STATE', 'AMOUNT', 'ROUTE', 'PAYER', 'PAYEE', 'ID'], ['']]);
  assert.match(first, /refund_due +0\.01 USDC +\/fail\/\[status\] +0x[0-9a-f]{40} +0x[0-9a-fA-F]{40} +rcpt_[a-z2-7]{26}$/);
  const ids = [first, second].map((line) => line.split(/ {2,}/).pop()!);
  assert.deepEqual(
    read(await run(['owed', '--json'])).map(({ id }) => id),
    ids,
  );
  assert.equal(read(await run(['payments', '--json'])).length, 3);
  assert.equal(read(await run(['payments', '--limit', '1', '--json'])).length, 1);
  const one = JSON.parse((await run(['payments', ids[0]!, '--json'])).out) as { transitions: unknown[]; transaction: string };
  assert.equal(one.transitions.length, 3);

  const [payTo, before] = [payee.address, await chain.balanceOf(payer.address)];
  const link = await run(['refund', ids[0]!, '--pay-to', payTo]);
  const [, token, network, to, units] = /^ethereum:(0x\w{40})@(\d+)\/transfer\?address=(0x\w{40})&uint256=(\d+)\n$/.exec(link.out) ?? [];
  assert.deepEqual([token, network, to, units], [chain.token.address, '84532', payer.address.toLowerCase(), String(PRICE)]);
  assert.match(
    link.err,
    new RegExp(`Refund of 0\\.01 USDC .*origin\\.\nOpen the link in the wallet of ${payTo}\\.\nSend it once, then: [^]*--not-sent 2\n$`),
  );
  const again = await run(['refund', ids[0]!, '--pay-to', payTo]);
  assert.deepEqual([again.code, again.out], [2, '']);
  assert.match(again.err, /a refund of it was begun at 20\S+Z, and may have been sent: report it [^]*--not-sent 2\)/);
  assert.match((await run(['waive', ids[0]!, '--reason', 'x'])).err, /^farebox: 409 refund_begun: [^]*\(20\S+Z\)/);
  assert.deepEqual(
    [(await run(['refund', ids[0]!, '--not-sent', 'x'])).code, (await run(['refund', ids[0]!, '--not-sent', '1'])).code],
    [2, 1],
  );
  assert.match((await run(['refund', ids[0]!, '--not-sent', '2'])).out, /^state: refund_due$/m);
  const transfer = JSON.parse((await run(['refund', ids[0]!, '--json'], { PAY_TO: payTo })).out) as { to: Hex; data: Hex };
  const wallet = createWalletClient({ account: payee, chain: chain.chain, transport: http(chain.url) });
  const hash = await wallet.sendTransaction({ to: transfer.to, data: transfer.data });
  await chain.publicClient.waitForTransactionReceipt({ hash, pollingInterval: 20 });
  assert.equal((await chain.balanceOf(payer.address)) - before, PRICE);
  const reported = JSON.parse((await run(['refund', ids[0]!, '--transaction', hash, '--json'])).out) as { state: string };
  assert.equal(reported.state, 'refunded');
  assert.match((await run(['waive', ids[1]!, '--reason', 'they agreed'])).out, /^state: waived$/m);
  assert.deepEqual(await run(['owed', '--json']), { code: 0, out: '', err: '' });

  assert.deepEqual(
    read(await run(['audit', '--json'])).map(({ difference }) => difference),
    ['0'],
  );
  assert.equal((await run(['audit'])).code, 0);
  assert.match((await run(['totals'])).out, /^ROUTE +SETTLED +NETWORK\n[^]*\/report +0\.01 USDC +eip155:84532$/m);
  assert.equal((await run(['export'])).out.trimEnd().split('\n').length, 4);
  assert.equal(read(await run(['export', '--format', 'jsonl'])).length, 3);
  assert.equal((await run(['channels'])).code, 0);
  for (let time = 1; time <= 6; time += 1) assert.equal((await fetch(`${gate.url}/report`)).status, 402);
  // The gate's isolate hands over what it has counted every ten seconds.
  const row = /^FAILURES +LAST +CODE +CAUSE +ROUTE +CLIENT\n[^]*^[1-9]\d* +20\S+Z +PAYMENT_REQUIRED +unpaid +\/report +net_\w+$/m;
  await eventually('the client is listed', async () => row.test((await run(['failures'])).out));
});

test('a debt of another wallet is not yours, and what the gate refuses is told in its words', async () => {
  const { chain, gate } = world;
  await payingFetch(fetch, chain.accounts.payer)(`${gate.url}/fail/503?again`);
  const [id] = read(await run(['owed', '--json'])).map((item) => String(item['id']));
  const others = await run(['refund', id!, '--pay-to', chain.accounts.payer.address]);
  assert.deepEqual([others.code, others.out], [2, '']);
  assert.match(others.err, /its owner owes the refund, you do not/);
  assert.match((await run(['payments', 'rcpt_none'])).err, /^farebox: 404 [a-z_]+: /);
  assert.match((await run(['totals', '--day', 'yesterday'])).err, /^farebox: 400 invalid_request: [^]*--day has not the form/);
  const wrong = await run(['resolve', id!, '--as', 'void', '--reason', 'x']);
  assert.deepEqual([wrong.code, /^farebox: 409 wrong_state: /.test(wrong.err)], [1, true]);
});

test('wrong words are told before anything is asked, and the token leaves only to https or this machine', async () => {
  for (const [words, env, says] of [
    [['owed'], { FAREBOX_URL: '' }, /--at URL/],
    [['owed'], { FAREBOX_OPERATOR_TOKEN: '' }, /FAREBOX_OPERATOR_TOKEN/],
    [['owed', '--at', 'http://gate.example'], {}, /over https/],
    [['owed', '--at', 'nothing'], {}, /over https/],
    [['owed', '--nonsense'], {}, /--nonsense is not understood/],
    [['payments', '--limit', '0'], {}, /--limit is a number from 1/],
    [['refund'], {}, /followed by the id/],
    [['payments', 'nonsense'], {}, /begins with rcpt_/],
    [['waive', 'rcpt_x'], {}, /--reason TEXT/],
    [['resolve', 'rcpt_x', '--reason', 'x'], {}, /--as delivered/],
    [['approve'], {}, /followed by the ids/],
    [['disable'], {}, /followed by the name of an agent/],
    [['reviews', '--state', 'waiting'], {}, /--state of a review is open, approved/],
  ] as const) {
    const { code, out, err } = await run(words, env);
    assert.deepEqual([code, out], [2, ''], words.join(' '));
    assert.match(err, says);
    assert.ok(!err.includes(TOKEN));
  }
  const denied = await run(['owed'], { FAREBOX_OPERATOR_TOKEN: 'wrong' });
  assert.deepEqual([denied.code, /^farebox: 401 [^]*FAREBOX_OPERATOR_TOKEN is another one/.test(denied.err)], [1, true]);
  assert.equal((await run(['owed', '--at', 'http://127.0.0.1:9'])).code, 5);
});
