// Payments by link from the package and the command line: made at a treasury, compared with what was expected, and paid once from a wallet.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { createPaymentLink, payPaymentLink } from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { during, startTreasuryWorld, type TreasuryWorld } from './buyers.ts';

const LIMIT = { timeout: 120_000 };
const TO = '0x90F79bf6EB2c4f870365E785982E1f101E93b906';
const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
const NETWORK = 'eip155:84532';
const home = mkdtempSync(join(tmpdir(), 'farebox-links-'));

let world: TreasuryWorld;
before(async () => {
  world = await startTreasuryWorld({ stock: false, organizations: () => [{ name: 'payee', policy: {}, agents: [{ name: 'clerk' }] }] });
}, LIMIT);
after(async () => {
  await world?.stop();
  rmSync(home, { recursive: true, force: true });
});

const made = async (amount: string): Promise<string> => {
  const at = { treasury: world.treasury.url, operatorToken: world.operatorToken };
  const { paymentId, url, expires } = await createPaymentLink({ amount, symbol: 'USDC', recipient: TO, network: NETWORK }, at);
  assert.match(paymentId, /^a2a_payee_/);
  assert.ok(Date.parse(expires ?? '') > Date.now());
  assert.ok(url !== undefined);
  return url;
};
const expected = (amount: string) => ({ amount, token: USDC, recipient: TO, network: NETWORK });
const wallet = () => ({ signer: world.chain.accounts.payer.privateKey, policy: { perPayment: '0.05' }, store: memoryStore() });

test('a link is made, and paid once, by the package', LIMIT, async () => {
  const url = await made('0.02');
  const { result, paid, count } = await during(world, () => payPaymentLink(url, expected('20000'), wallet()));
  assert.deepEqual([result.status, result.final, paid, count], ['completed', true, 20_000n, 1], JSON.stringify(result));
  assert.equal(result.receipt?.payTo, TO);
  const again = await during(world, () => payPaymentLink(url, expected('20000'), wallet()).catch((error: { code?: string }) => error.code));
  assert.deepEqual([again.result, again.paid], ['terms_changed', 0n]);
});

test('a link that asks for anything else than was expected is not signed', LIMIT, async () => {
  const url = await made('0.03');
  const wrong = [
    { ...expected('20000') },
    { ...expected('30000'), recipient: USDC },
    { ...expected('30000'), token: TO },
    { ...expected('30000'), network: 'eip155:8453' },
  ];
  for (const given of wrong) {
    const { result, count } = await during(world, () => payPaymentLink(url, given, wallet()).catch((error: unknown) => error));
    assert.deepEqual([(result as { code?: string }).code, (result as { signed?: boolean }).signed, count], ['terms_changed', false, 0]);
  }
  // The treasury says one thing in the terms, and asks for another by its 402.
  const lies = (async (input: RequestInfo | URL, init?: RequestInit) => {
    const text = await (await fetch(input, init)).clone().text();
    return String(input instanceof Request ? input.url : input).includes('/api/')
      ? new Response(text.replace('"30000"', '"20000"'), { headers: { 'content-type': 'application/json' } })
      : fetch(input, init);
  }) as typeof fetch;
  const { result, count } = await during(world, () =>
    payPaymentLink(url, expected('20000'), { ...wallet(), fetch: lies }).catch((error: unknown) => error),
  );
  assert.deepEqual([(result as { code?: string }).code, count], ['terms_changed', 0], String(result));
  // The policy holds, and a person who says no.
  const dear = await made('0.06');
  for (const [link, amount, options, code] of [
    [dear, '60000', wallet(), 'policy_amount'],
    [url, '30000', { ...wallet(), confirm: () => false }, 'declined'],
  ] as const) {
    const tried = await during(world, () =>
      payPaymentLink(link, expected(amount), options).catch((error: { code?: string }) => error.code),
    );
    assert.deepEqual([tried.result, tried.count], [code, 0]);
  }
  await assert.rejects(payPaymentLink(`${world.treasury.url}/elsewhere`, expected('1'), wallet()), { code: 'invalid_argument' });
});

test('only the operator makes links, and is told what is wrong with one', LIMIT, async () => {
  const at = { treasury: world.treasury.url, operatorToken: 'wrong' };
  const draft = { amount: '0.02', symbol: 'USDC', recipient: TO, network: NETWORK };
  await assert.rejects(createPaymentLink(draft, at), { code: 'invalid_request', message: /401/ });
  const own = { ...at, operatorToken: world.operatorToken };
  await assert.rejects(createPaymentLink({ ...draft, recipient: 'me' }, own), { code: 'invalid_request' });
  await assert.rejects(createPaymentLink(draft, { ...own, treasury: 'nowhere' }), { code: 'invalid_options' });
});

type Run = { readonly code: number; readonly out: string; readonly err: string };
const farebox = (...words: string[]): Promise<Run> =>
  new Promise((done) => {
    const env = {
      PATH: process.env['PATH'],
      HOME: home,
      FAREBOX_PRIVATE_KEY: world.chain.accounts.payer.privateKey,
      FAREBOX_OPERATOR_TOKEN: world.operatorToken,
    };
    execFile(process.execPath, ['pkg/dist/cli/main.js', 'link', ...words], { env }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });

test('the command line makes a link and pays it', LIMIT, async () => {
  const created = await farebox('create', '0.02', 'USDC', TO, '--network', NETWORK, '--treasury', world.treasury.url);
  assert.equal(created.code, 0, created.err);
  const url = created.out.trim();
  const { result, paid, count } = await during(world, () => farebox('pay', url, '--yes'));
  assert.deepEqual([result.code, paid, count], [0, 20_000n, 1], result.err);
  assert.match(result.err, /receipt/);
  const again = await farebox('pay', url, '--yes');
  assert.equal(again.code, 3);
  assert.match(again.err, /terms_changed/);
  for (const words of [[], ['create'], ['create', '1', 'USDC', TO], ['pay'], ['send']]) assert.equal((await farebox(...words)).code, 2);
});
