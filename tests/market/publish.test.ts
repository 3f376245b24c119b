// Skills are published, revised and withdrawn from the package and the command line, by the example of docs/skills.md word for word.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { publishSkill, publishVersion, rotateSkillSecret, SkillError, withdrawSkill } from '../../pkg/dist/agent/index.js';
import { walletSigner } from '../../pkg/dist/index.js';
import { Market } from './support/worker.ts';

const MARKET = 'https://skills.example.com';
const PATH = '/api/marketplace/skills';
const folder = mkdtempSync(join(tmpdir(), 'farebox-publish-'));
const key = generatePrivateKey();
const { address } = privateKeyToAccount(key);
let market: Market;
before(async () => {
  market = await Market.start({ vars: { MARKET_URL: MARKET } });
  // What the example asks is asked of the market here, and nothing else is asked.
  const redirecting = `const real = fetch;
globalThis.fetch = (url, init) => {
  const { origin, pathname, search } = new URL(url);
  if (origin !== '${MARKET}') throw new Error('another origin is asked');
  return real('${market.url}' + pathname + search, init);
};`;
  writeFileSync(join(folder, 'redirecting.mjs'), redirecting);
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(resolve('pkg'), join(folder, 'node_modules', 'farebox'));
});
after(async () => {
  await market?.stop();
  rmSync(folder, { recursive: true, force: true });
});

type Run = { readonly code: number; readonly out: string; readonly err: string };
const run = (...args: string[]): Promise<Run> =>
  new Promise((done) => {
    const env = { PATH: process.env['PATH'], HOME: folder, FAREBOX_PRIVATE_KEY: key };
    execFile(process.execPath, ['--import', join(folder, 'redirecting.mjs'), ...args], { cwd: folder, env }, (error, out, err) => {
      assert.ok(!`${out}${err}`.includes(key.slice(2)), 'the key is never seen');
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
const command = (...words: string[]): Promise<Run> => run(resolve('pkg/dist/cli/main.js'), 'skill', ...words, '--market', MARKET);

/** The market, as the package asks it. */
const asked = async (url: string | URL | Request, init?: RequestInit): Promise<Response> =>
  fetch(String(url).replace(MARKET, market.url), init);
const at = { market: MARKET, signer: key, fetch: asked };
const draft = (skillId: string) => ({
  skillId,
  name: 'Counts words',
  description: 'Counts the words of a text',
  price: '$0.05',
  callUrl: 'https://words.example.net/count',
});
const shown = async (id: string) => (await market.ask('GET', `${PATH}/${id}`)).json?.skill;
const failure = async (work: Promise<unknown>): Promise<SkillError> => {
  const error = await work.then(
    () => undefined,
    (it: unknown) => it,
  );
  assert.ok(error instanceof SkillError, String(error));
  return error;
};

test('the example of the documentation runs as it stands', async () => {
  const document = readFileSync('docs/skills.md', 'utf8');
  const [, example = ''] = /```js\n([^`]*publishSkill[^`]*)```/.exec(document) ?? [];
  writeFileSync(join(folder, 'example.mjs'), example);
  const { code, out, err } = await run('example.mjs');
  assert.deepEqual([code, out, err], [0, `word-count 0.05 ${address}\n`, '']);
  assert.match(readFileSync(join(folder, 'word-count.secret'), 'utf8'), /^fbs_[0-9a-f]{64}$/);
  assert.equal(statSync(join(folder, 'word-count.secret')).mode & 0o777, 0o600);
  assert.equal((await shown('word-count'))?.active ?? false, false);
});

test('the commands of the documentation publish, revise, rotate and withdraw a skill', async () => {
  const { skillId: id, ...rest } = draft('by-command');
  writeFileSync(join(folder, 'word-count.json'), JSON.stringify({ skillId: id, ...rest }));
  writeFileSync(join(folder, 'word-count-1.1.json'), JSON.stringify({ ...rest, version: '1.1.0', price: '$0.04' }));
  const published = await command('publish', 'word-count.json');
  assert.equal(published.code, 0, published.err);
  const { skill, secret } = JSON.parse(published.out);
  assert.deepEqual([skill.id, skill.payTo, skill.agentId], [id, address, address]);
  assert.match(secret, /^fbs_/);
  const revised = await command('version', id, 'word-count-1.1.json');
  assert.deepEqual([revised.code, revised.err], [0, '']);
  assert.ok(!revised.out.includes('fbs_'), 'a change of the price prints no secret');
  assert.equal((await shown(id)).price, '0.04');
  // Another host has another one, which its owner does not know.
  const moved = { ...rest, version: '1.2.0', callUrl: 'https://moved.example.com/count' };
  writeFileSync(join(folder, 'word-count-1.2.json'), JSON.stringify(moved));
  const there = await command('version', id, 'word-count-1.2.json');
  assert.equal(there.code, 0, there.err);
  assert.match(JSON.parse(there.out).secret, /^fbs_/);
  assert.notEqual(JSON.parse(there.out).secret, secret);
  assert.match(there.err, /keep the secret/);
  const rotated = await command('rotate', id);
  assert.equal(rotated.code, 0, rotated.err);
  assert.notEqual(JSON.parse(rotated.out).secret, secret);
  assert.match(rotated.err, /holds at once/);
  assert.deepEqual(await command('withdraw', id), { code: 0, out: '', err: `${id} is not sold any more\n` });
  const gone = await command('withdraw', 'nothing');
  assert.equal(gone.code, 1);
  assert.match(gone.err, /^farebox: skill_refused: .+\n +nothing was changed/);
});

test('a secret goes into a file that its owner alone reads, and is printed after a version where that is asked', async () => {
  const { skillId: id, ...rest } = draft('by-file');
  const file = join(folder, 'by-file.secret');
  writeFileSync(file, 'an older and longer text than any secret of a skill that a market gives, which nobody needs any more', {
    mode: 0o644,
  });
  writeFileSync(join(folder, 'by-file.json'), JSON.stringify({ skillId: id, ...rest }));
  const kept = () => [readFileSync(file, 'utf8'), statSync(file).mode & 0o777] as const;
  const published = await command('publish', 'by-file.json', '--secret-file', 'by-file.secret');
  assert.equal(published.code, 0, published.err);
  assert.equal(JSON.parse(published.out).skill.id, id);
  assert.ok(!`${published.out}${published.err}`.includes('fbs_'));
  const [first, mode] = kept();
  assert.deepEqual([/^fbs_[0-9a-f]{64}$/.test(first), mode], [true, 0o600]);
  const rotated = await command('rotate', id, '--secret-file', 'by-file.secret');
  assert.ok(rotated.code === 0 && !rotated.out.includes('fbs_'), rotated.err);
  const [second] = kept();
  assert.ok(/^fbs_[0-9a-f]{64}$/.test(second) && second !== first);
  writeFileSync(join(folder, 'by-file-1.1.json'), JSON.stringify({ ...rest, version: '1.1.0' }));
  const shownAgain = await command('version', id, 'by-file-1.1.json', '--show-secret');
  assert.equal(JSON.parse(shownAgain.out).secret, second);
  const nowhere = await command('rotate', id, '--secret-file', '/dev/null');
  assert.deepEqual([nowhere.code === 0, nowhere.out], [false, ''], 'a device keeps no secret');
  assert.match(nowhere.err, /takes a file of its own/);
  assert.ok(statSync('/dev/null').isCharacterDevice());
  const lost = await command('rotate', id, '--secret-file', join('nowhere', 'x'));
  assert.deepEqual([lost.code, lost.err.includes('--secret-file cannot be written')], [2, true]);
  const refused = await command('rotate', 'nothing', '--secret-file', 'by-file.secret');
  assert.deepEqual([refused.code, kept()[0]], [1, second], 'a refusal leaves what was kept');
});

test('what a seller has mistyped is told by its place, its name, or the address that was meant', async () => {
  writeFileSync(join(folder, 'broken.json'), '{\n  "name": "fbs_secret",\n  "price": "$1",,\n}');
  const broken = await command('publish', 'broken.json');
  assert.match(broken.err, /the skill is no JSON: look at line 3, column 17\n/);
  assert.ok(!broken.err.includes('fbs_secret'));
  const strange = await failure(publishSkill({ ...draft('strange'), desciption: 'x' }, at));
  assert.match(strange.message, /^desciption is no member of a skill; known are name, description, /);
  const elsewhere = await failure(
    publishSkill(draft('strange'), {
      ...at,
      market: 'https://other.example.com',
      fetch: (url, init) => asked(String(url).replace('https://other.example.com', MARKET), init),
    }),
  );
  assert.equal(elsewhere.message, `https://other.example.com says that the market's address is ${MARKET}`);
  const another = await failure(publishSkill({ ...draft('strange'), payTo: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8' }, at));
  assert.equal(
    another.message,
    `You do not own this skill: payTo is 0x70997970C51812dc3A010C7d01b50e0d17dc79C8, and ${address} has signed`,
  );
});

test('a refusal has the sentence of the market, its status and its reason', async () => {
  const { code, message, status } = await failure(publishSkill({ ...draft('refused'), callUrl: 'http://words.example.net/' }, at));
  assert.deepEqual([code, message, status], ['skill_refused', 'callUrl must use HTTPS', 400]);
  await publishSkill(draft('mine'), at);
  const another = { ...at, signer: generatePrivateKey() };
  assert.deepEqual((await failure(withdrawSkill('mine', another))).status, 403);
  assert.deepEqual((await failure(publishVersion('mine', { ...draft('mine'), version: '2.0.0' }, another))).status, 403);
  assert.deepEqual((await failure(rotateSkillSecret('nothing', at))).status, 404);
  assert.equal((await shown('mine')).active, true);
});

test('any wallet signs, and one of a page is not asked to change its network', async () => {
  const account = privateKeyToAccount(generatePrivateKey());
  const { skill } = await publishSkill(draft('by-account'), { ...at, signer: account });
  assert.equal(skill.payTo, account.address);
  const calls: string[] = [];
  const provider = {
    request: async ({ method, params = [] }: { method: string; params?: readonly unknown[] }) => {
      calls.push(method);
      if (method === 'eth_requestAccounts') return [account.address];
      const { domain, types, primaryType, message } = JSON.parse(String(params[1]));
      const { EIP712Domain: _, ...rest } = types;
      return account.signTypedData({ domain, types: rest, primaryType, message });
    },
  };
  await withdrawSkill('by-account', { ...at, signer: walletSigner(provider) });
  assert.deepEqual(calls, ['eth_requestAccounts', 'eth_signTypedData_v4']);
});

test('what is not of the market and about this request is not signed', async () => {
  const { json } = await market.ask('POST', `${PATH}/typed-data?action=publish`, { body: { ...draft('other'), payTo: address } });
  const { typedData, proof } = json;
  // The signature of the same request that the market itself asks for is for every letter of it.
  const content = { agentId: address, ...draft('other'), payTo: address };
  const full = (await market.ask('POST', `${PATH}/typed-data?action=publish`, { body: content })).json.typedData;
  const other = (change: object) => ({ ...typedData, message: { ...typedData.message, ...change } });
  const wrong: readonly unknown[] = [
    { ...typedData, domain: { name: 'USD Coin', version: '2', chainId: 8453, verifyingContract: address } },
    { ...typedData, primaryType: 'TransferWithAuthorization' },
    other({ action: 'deactivate' }),
    other({ market: 'https://elsewhere.example' }),
    other({ skill: 'mine' }),
    other({ price: '$0.01' }),
    other({ callUrl: 'https://elsewhere.example/' }),
    other({ payTo: `0x${'1'.repeat(40)}` }),
    undefined,
    ...([
      { content: typedData.message.content },
      { content: `0x${'de'.repeat(32)}` },
      { content: undefined },
      { callUrl: 'https://words.example.net/Count' },
      { skill: 'Other' },
      { name: 'Counts more words' },
      { nonce: '0x11' },
      { nonce: 1 },
      { validBefore: 4_102_444_800 },
      { validBefore: Math.floor(Date.now() / 1000) + 3_700 },
      { validBefore: String(full.message.validBefore) },
      { more: 'text' },
    ].map((change) => ({ ...full, message: { ...full.message, ...change } })) as unknown[]),
    { ...full, domain: { ...full.domain, chainId: 8453 } },
    { ...full, types: { ...full.types, SkillAction: full.types.SkillAction.slice(0, -1) } },
    { ...full, types: { ...full.types, SkillAction: { ...full.types.SkillAction } } },
    { ...full, types: { ...full.types, Permit: [] } },
    { ...full, more: {} },
  ];
  // What is signed is what the market asks for, but for the case of an address.
  const same = { ...full, message: { ...full.message, payTo: address.toLowerCase() } };
  for (const given of [full, same, ...wrong]) {
    let signed = 0;
    const signer = {
      address: async () => address,
      sign: async () => {
        signed += 1;
        return '0x';
      },
    };
    const fetch = async () => Response.json({ ok: true, typedData: given, proof });
    const { code } = await failure(publishSkill(draft('other'), { market: MARKET, signer, fetch }));
    const isRight = given === full || given === same;
    assert.deepEqual([code, signed], isRight ? ['market_unreachable', 1] : ['market_unreadable', 0], JSON.stringify(given));
  }
});

test('a digest is of every member of the request, whatever its names and numbers', async () => {
  const odd = {
    10: 'ten',
    9: 'nine',
    é: [0.1 + 0.2, 1e21, 5e-324, -0, 2 ** 53, 1e-7],
    '\u{1f600}': '\u2028"\\\u0007',
    '\ufb33': { b: null, a: true, undefined },
  };
  const price = { amount: '0.05', asset: 'USDC' };
  const { skill } = await publishSkill({ ...draft('odd'), price, input: odd, output: Object.values(odd) }, at);
  assert.equal(skill.id, 'odd');
});

test('no answer, and an answer of something else, are told apart', async () => {
  const broken = async () => Promise.reject(new TypeError('fetch failed'));
  assert.equal((await failure(publishSkill(draft('lost'), { ...at, fetch: broken }))).code, 'market_unreachable');
  const page = async () => new Response('<html>', { status: 404 });
  assert.equal((await failure(publishSkill(draft('lost'), { ...at, fetch: page }))).code, 'market_unreadable');
  await assert.rejects(publishSkill(draft('lost'), { ...at, market: 'nowhere' }), { code: 'invalid_options' });
});
