// Payments by link at the command line, and a treasury that is not honest: what it exits with, and where the operator's token goes.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';

import { createPaymentLink } from '../../pkg/dist/agent/index.js';
import { ask, OFFER, open, PAYEE, PAYER_KEY, paymentOf, type Shop, USDC } from './shop.ts';

const home = mkdtempSync(join(tmpdir(), 'farebox-links-'));
after(() => rmSync(home, { recursive: true, force: true }));

type Run = { readonly code: number; readonly err: string };
const farebox = (...words: string[]): Promise<Run> =>
  new Promise((done) => {
    const env = { PATH: process.env['PATH'], HOME: home, FAREBOX_PRIVATE_KEY: PAYER_KEY, FAREBOX_OPERATOR_TOKEN: 'operator' };
    execFile(process.execPath, ['pkg/dist/cli/main.js', ...words], { env }, (error, _, err) => {
      done({ code: error === null ? 0 : Number(error.code), err });
    });
  });

/** A treasury whose link is in this state once its URL was asked. */
async function treasury(t: TestContext, answer: 'pays' | 'refuses'): Promise<Shop> {
  const request = { ...OFFER, currency: USDC, recipient: PAYEE, methodDetails: { chainId: 84532, authorizationType: 'eip-3009' } };
  const shop = await open((asked, response) => {
    const { url = '' } = asked;
    const says = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (url.endsWith('/status')) return says(200, { code: 0, data: { status: 'rejected', success: false, errorReason: 'no' } });
    if (url.includes('/p/')) {
      const data = { intent: 'charge', expires: new Date(Date.now() + 600_000).toISOString(), request };
      return says(200, { code: 0, data: { status: 'pending', challenge: { data } } });
    }
    if (answer === 'refuses') return says(410, {});
    return paymentOf(asked) === undefined ? ask(response) : says(200, {});
  });
  t.after(() => shop.stop());
  return shop;
}

//
test('a link that is rejected after its payment was sent is told as signed, in this run and the next', async (t) => {
  const shop = await treasury(t, 'pays');
  for (const _ of ['sent', 'sent again']) {
    const { code, err } = await farebox('link', 'pay', `${shop.url}/a2a/a2a_1f`, '--yes');
    assert.equal(code, 4, err);
  }
  assert.equal(new Set(shop.requests.map(paymentOf).filter((it) => it !== undefined)).size, 1);
  const other = await treasury(t, 'refuses');
  const { code, err } = await farebox('link', 'pay', `${other.url}/a2a/a2a_1f`, '--yes');
  assert.deepEqual([code, other.requests.map(paymentOf).every((it) => it === undefined)], [1, true], err);
});

//
test("the operator's token goes to a treasury over https, or to this machine", async (t) => {
  const shop = await open((_, response) => void response.writeHead(401, { 'content-type': 'application/json' }).end('{}'));
  t.after(() => shop.stop());
  const words = ['link', 'create', '0.01', 'USDC', PAYEE, '--treasury'];
  const { code, err } = await farebox(...words, 'http://192.0.2.2:1');
  assert.deepEqual([code, /a token goes over https/.test(err)], [2, true], err);
  const draft = { amount: '0.01', symbol: 'USDC', recipient: PAYEE };
  const asked: string[] = [];
  const fetch: typeof globalThis.fetch = async (input) => {
    asked.push(String(input));
    return Response.json({ data: { paymentId: 'a2a_1f' } }, { status: 201 });
  };
  for (const treasury of ['http://treasury.example', 'http://localhost.example', 'http://10.0.0.1', 'http://127.0.0.1.example'])
    await assert.rejects(createPaymentLink(draft, { treasury, operatorToken: 'operator', fetch }), {
      code: 'invalid_options',
      signed: false,
    });
  assert.deepEqual(asked, []);
  for (const treasury of ['https://treasury.example', 'http://localhost:1', 'http://127.8.8.8', 'http://[::1]:80'])
    assert.equal((await createPaymentLink(draft, { treasury, operatorToken: 'operator', fetch })).paymentId, 'a2a_1f');
  assert.equal(asked.length, 4);
  await farebox(...words, shop.url);
  assert.equal(shop.requests[0]?.headers.authorization, 'Bearer operator');
});

//
test('a list of reviews that is cut off says that there may be more', async (t) => {
  const shop = await open(({ url = '' }, response) => {
    const cursor = url.includes('limit=9') ? null : '1790000000.rev_1';
    const body = url.includes('/reviews') ? { items: [], cursor } : { items: [{ name: 'acme' }] };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  t.after(() => shop.stop());
  for (const [more, says] of [
    [[], 'There may be more: --limit 400\n'],
    [['--limit', '500'], 'There may be more: --limit 1000\n'],
    [['--limit', '1000'], 'There may be more\n'],
    [['--limit', '9'], ''],
  ] as const) {
    const { code, err } = await farebox('reviews', '--at', shop.url, ...more);
    assert.deepEqual([code, err], [0, says]);
  }
});
