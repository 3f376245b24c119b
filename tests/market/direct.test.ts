// Stock clients buy skills through the gate, straight from their sellers, who have no payment code.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';

import { privateKeyToAccount } from 'viem/accounts';

import { isFromGate } from '../../demo/from-gate.mjs';
import { localSigner, payingFetch as ourFetch } from '../../pkg/dist/index.js';
import { findPython } from '../../scripts/python.mjs';
import { root } from '../../scripts/steps.mjs';
import { type Payer, payingFetch } from '../e2e/clients.ts';
import { eventually } from '../support/eventually.ts';
import { mppxFetch } from '../support/mppx-client.ts';
import { sharedWorld } from '../support/suite.ts';
import { earned, plainSkill, startSkillsWorld, untilSold } from './market.ts';

const LIMIT = { timeout: 120_000 };
const HELLO = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"input":"hello"}' };
const PRICE = { price: '$0.05' };
const python = await findPython();

const world = sharedWorld(startSkillsWorld);

const clients: readonly (readonly [name: string, buy: (url: string, payer: Payer) => Promise<Response>])[] = [
  ['@x402/fetch', (url, payer) => payingFetch(fetch, payer)(url, HELLO)],
  ['mppx', (url, payer) => mppxFetch(fetch, privateKeyToAccount(payer.privateKey))(url, HELLO)],
  [
    'farebox',
    (url, payer) => ourFetch({ signer: localSigner(payer.privateKey), policy: { perPayment: '$0.05', perDay: '$1' } })(url, HELLO),
  ],
];

describe('a skill', () => {
  for (const [index, [name, buy]] of clients.entries()) {
    test(`is bought with ${name}: its seller has the price more, and sees a signed request`, LIMIT, async () => {
      const { id, path, seller, published } = await plainSkill(world, 'deliver', PRICE);
      await untilSold(world, id);
      const payer = world.chain.accounts.payers[index] ?? assert.fail();
      const { result, paid } = await earned(world, seller, () => buy(`${world.url}/s/${id}?lang=en`, payer));
      assert.deepEqual([result.status, paid], [200, 50_000n], await result.clone().text());
      assert.deepEqual(await result.json(), { result: 'skill executed', received: { input: 'hello' } });
      const [seen, ...more] = world.sellers.at(path);
      assert.deepEqual(
        [seen?.method, seen?.path, seen?.headers['farebox-skill'], seen?.headers['farebox-payer']?.toString().toLowerCase(), more.length],
        ['POST', `${path}?lang=en`, id, payer.address.toLowerCase(), 0],
      );
      assert.ok(isFromGate({ method: 'POST', url: seen?.path ?? '', headers: seen?.headers ?? {} }, published.json.secret));
    });
  }

  test('is bought with `x402` of Python', { ...LIMIT, skip: 'leftOut' in python && python.leftOut }, async () => {
    const { id, seller } = await plainSkill(world, 'deliver', { ...PRICE, method: 'GET' });
    await eventually(
      'it is sold',
      () => world.ask('GET', `/s/${id}`),
      ({ status }) => status === 402,
    );
    const { result, paid } = await earned(world, seller, () =>
      promisify(execFile)('python' in python ? python.python : '', ['-B', 'tests/interop/python/x402_httpx.py', `${world.url}/s/${id}`], {
        cwd: root,
        env: { ...process.env, PAYER_KEY: world.chain.accounts.payers[4]?.privateKey },
      }),
    );
    assert.deepEqual([JSON.parse(result.stdout).status, paid], [200, 50_000n]);
  });

  test('is named with its price by /openapi.json, /llms.txt and /.well-known/x402', LIMIT, async () => {
    const { id } = await plainSkill(world, 'deliver', { ...PRICE, description: 'Counts the words of a text' });
    await untilSold(world, id);
    for (const path of ['/openapi.json', '/llms.txt', '/.well-known/x402']) {
      const { status, text } = await world.ask('GET', path);
      assert.deepEqual([path, status, text.includes(`/s/${id}`), text.includes('Counts the words of a text')], [path, 200, true, true]);
    }
  });

  test('that fails costs nothing', LIMIT, async () => {
    const { id, seller } = await plainSkill(world, 'status/503', PRICE);
    await untilSold(world, id);
    const { result, paid } = await earned(world, seller, () =>
      payingFetch(fetch, world.chain.accounts.payers[3] ?? assert.fail())(`${world.url}/s/${id}`, HELLO),
    );
    assert.ok(result.status >= 500);
    assert.equal(paid, 0n);
  });

  test('that breaks off is 502 and costs nothing', LIMIT, async () => {
    const { id, seller } = await plainSkill(world, 'cut', PRICE);
    await untilSold(world, id);
    const { result, paid } = await earned(world, seller, () =>
      payingFetch(fetch, world.chain.accounts.payers[3] ?? assert.fail())(`${world.url}/s/${id}`, HELLO),
    );
    assert.deepEqual([result.status, paid], [502, 0n]);
  });

  test('that redirects is 502 and costs nothing: what was paid for goes nowhere else', LIMIT, async () => {
    const { id, seller } = await plainSkill(world, 'redirect?to=/deliver', PRICE);
    await untilSold(world, id);
    const { result, paid } = await earned(world, seller, () =>
      payingFetch(fetch, world.chain.accounts.payers[3] ?? assert.fail())(`${world.url}/s/${id}`, HELLO),
    );
    assert.deepEqual([result.status, paid], [502, 0n]);
  });

  test('is not served to those who ask the market without the gate, or with a forged signature', LIMIT, async () => {
    const { id, path } = await plainSkill(world, 'deliver', PRICE);
    await untilSold(world, id);
    const forged = { 'farebox-payment': 'p', 'farebox-amount': '50000', 'farebox-signature-v2': `t=${world.now()},v2=${'0'.repeat(64)}` };
    const base = world.market.url;
    const answers = [
      await world.ask('POST', `/s/${id}`, { base, body: {} }),
      await world.ask('POST', `/s/${id}`, { base, body: {}, headers: forged }),
    ];
    assert.deepEqual([answers.map(({ status }) => status), world.sellers.at(path).length], [[403, 403], 0]);
  });
});
