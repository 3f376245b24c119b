// The skill documents as an agent finds them: every command in them runs, and does what is said of it.

import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { USDC } from '../../../demo/chain.mjs';
import { type ExchangeWorld, LIVE, signedPayment, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { root } from '../../../scripts/steps.mjs';
import { temporaryFolder } from '../../pkg/tarball.ts';

const LIMIT = { timeout: 240_000 };
const folder = temporaryFolder();
let world: ExchangeWorld;
const documents = { buyer: '', seller: '' };
before(async () => {
  world = await startExchangeWorld();
  for (const name of ['buyer', 'seller'] as const) {
    const answer = await fetch(`${world.url}/skills/quotadex-${name}/SKILL.md`);
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'text/markdown; charset=utf-8']);
    documents[name] = await answer.text();
  }
  mkdirSync(join(folder.path, 'node_modules'));
  symlinkSync(join(root, 'pkg'), join(folder.path, 'node_modules', 'farebox'));
  writeFileSync(
    join(folder.path, 'handler'),
    '#!/bin/sh\nprompt=$(cat)\ncase $prompt in *impossible*) exit 3;; *long*) touch began; sleep 2; yes \'"\' | head -c 30000; exit;; esac\nprintf "did %s" "$prompt"\n',
  );
  chmodSync(join(folder.path, 'handler'), 0o755);
}, LIMIT);
after(async () => {
  await world?.stop();
  folder.remove();
});

/** The blocks of a document in this language, in their order. */
const blocks = (text: string, language: string): string[] =>
  [...text.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)\\n *\`\`\``, 'gm'))].map(([, indent = '', block = '']) =>
    block
      .split('\n')
      .map((line) => line.slice(indent.length))
      .join('\n'),
  );
/** The one that has this. */
const block = (text: string, language: string, has: string): string => {
  const found = blocks(text, language).filter((it) => it.includes(has));
  assert.equal(found.length, 1, has);
  return found[0] ?? '';
};
const run = async (command: string, env: Record<string, string>): Promise<string> =>
  (await promisify(execFile)('sh', ['-eu', '-c', command], { cwd: folder.path, env: { ...process.env, ...env } })).stdout;

const seller = async (name: string): Promise<Record<string, string>> => {
  const { address } = await world.wallet();
  return {
    EXCHANGE: world.url,
    PROFILE: LIVE,
    SELLER: address,
    AGENT: name,
    CAPABILITY: name,
    PRICE: '0.005',
    HANDLER: './handler',
    POLL_SECS: '1',
    IDENTITY_TOKEN: world.issuer.token({ sub: `sub-${name}`, agent_id: name, wallet_address: address, exp: world.now() + 3_000 }),
  };
};
const offers = async (name: string): Promise<boolean> => {
  const { json } = await world.ask('GET', `/api/v1/buyers/capabilities?network_profile=${LIVE}`);
  return json.capabilities.some((it: any) => it.capability === name);
};
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
/** Sells with the shell of the document; what it said of each job. */
function sells(env: Record<string, string>): { child: ChildProcess; out: () => string[] } {
  writeFileSync(join(folder.path, 'sell.sh'), block(documents.seller, 'sh', '# sell.sh'));
  const child = spawn('sh', ['sell.sh'], { cwd: folder.path, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const lines = (): string[] => said.trim().split('\n');
  return { child, out: () => lines().map((line) => line.replace(/^\S+ /, '')) };
}
/** Ends a seller by TERM; it is gone from the exchange, and does not come back. */
async function ends(child: ChildProcess, name: string): Promise<void> {
  const exited = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
  child.kill('SIGTERM');
  assert.equal(await exited, 0);
  assert.equal(await offers(name), false);
}

test('both documents say where and in which networks, and leave nothing open', () => {
  for (const text of Object.values(documents)) {
    assert.match(text, /^---\nname: quotadex-(buyer|seller)\ndescription: .{20,}\n---\n/);
    assert.ok(text.includes(world.url) && text.includes(LIVE));
    assert.doesNotMatch(text, /\{(url|profiles?)\}/);
  }
  for (const language of ['sh', 'js']) assert.ok(blocks(documents.seller, language).length + blocks(documents.buyer, language).length >= 2);
});

//
test('a seller sells with the shell of its document, and goes once and for good', LIMIT, async () => {
  const env = await seller('shell');
  await run(block(documents.seller, 'sh', 'export HANDLER'), env);
  assert.match(await run(block(documents.seller, 'sh', 'the handler works'), env), /the handler works/);
  const { child, out } = sells(env);
  await until('it is online', () => offers('shell'));

  // A buyer by hand.
  const buyer = await world.wallet();
  const prompt = `two "words", it's \\ $HOME`;
  const its = {
    EXCHANGE: world.url,
    PROFILE: LIVE,
    MAX_AMOUNT: '0.05',
    DECIMALS: '6',
    PAY_TO: world.escrow.address,
    ASSET: USDC,
    BUYER: buyer.address,
    CAPABILITY: 'shell',
    PROMPT: prompt,
    BUYER_KEY: buyer.privateKey,
  };
  await run(block(documents.buyer, 'sh', 'export EXCHANGE'), its);
  assert.match(await run(block(documents.buyer, 'sh', 'buyers/capabilities'), its), /"capability":"shell"/);
  assert.equal((await run(block(documents.buyer, 'sh', '-o quote.json'), its)).trim(), '402');
  const checks = async (): Promise<string[]> =>
    (await run(block(documents.buyer, 'sh', "jq '.accepts[0].resource"), its)).trim().split('\n');
  assert.deepEqual(await checks(), Array(7).fill('true'));
  const file = join(folder.path, 'quote.json');
  const quote = JSON.parse(readFileSync(file, 'utf8'));
  // A quote that asks for more, for another payee, token or network in any of its members, or in a second way to pay.
  const [terms] = quote.accepts;
  const lies: [string, object][] = [
    ['amounts', { amount_atomic: '9000000', accepts: [{ ...terms, maxAmountRequired: '9000000' }] }],
    ['one amount', { accepts: [{ ...terms, maxAmountRequired: '9000000' }] }],
    ['no number', { amount_atomic: '-1', accepts: [{ ...terms, maxAmountRequired: '-1' }] }],
    ['payees', { pay_to: buyer.address, accepts: [{ ...terms, payTo: buyer.address }] }],
    ['one payee', { accepts: [{ ...terms, payTo: buyer.address }] }],
    ['tokens', { payment_asset: buyer.address, accepts: [{ ...terms, asset: buyer.address }] }],
    ['network', { network: 'eip155:1' }],
    ['two ways', { accepts: [terms, { ...terms, maxAmountRequired: '9000000' }] }],
  ];
  for (const [lie, members] of lies) {
    writeFileSync(file, JSON.stringify({ ...quote, ...members }));
    assert.ok((await checks()).includes('false'), lie);
  }
  const payload = { buyer_id: buyer.address, capability: 'shell', prompt, network_profile: LIVE };
  const { json: paid } = await world.ask('POST', '/api/v1/jobs/verify', {
    body: { fingerprint: quote.fingerprint, payload },
    headers: { 'x-payment': await signedPayment(world, buyer, quote) },
  });
  const result = await run(block(documents.buyer, 'sh', 'JOB_TOKEN'), { ...its, JOB_ID: paid.job_id, JOB_TOKEN: paid.job_token });
  assert.deepEqual(JSON.parse(result), { text: `did ${prompt}` });

  // And in one call, what fails.
  writeFileSync(join(folder.path, 'buy.mjs'), block(documents.buyer, 'js', '// buy.mjs'));
  const failed: any = await run('node buy.mjs shell "the impossible"', its).catch((error: unknown) => error);
  const { code, money, message } = JSON.parse(failed.stderr);
  assert.deepEqual([failed.code, code, money, message], [1, 'job_failed', 'refunded', 'the handler failed']);
  assert.deepEqual(out(), ['complete 200', 'fail 200']);
  await ends(child, 'shell');
});

test('what a seller wrote steers no terminal of a buyer', LIMIT, async () => {
  const seller = await world.seller({ capability: 'art\u202e\u009b' });
  const buyer = await world.wallet();
  const quote = await world.quote(buyer, 'x', { capability: 'art\u202e\u009b' });
  const payload = { buyer_id: buyer.address, capability: 'art\u202e\u009b', prompt: 'x', network_profile: LIVE };
  const { json: paid } = await world.ask('POST', '/api/v1/jobs/verify', {
    body: { fingerprint: quote.json.fingerprint, payload },
    headers: { 'x-payment': await signedPayment(world, buyer, quote.json) },
  });
  const env = { EXCHANGE: world.url, PROFILE: LIVE, JOB_ID: paid.job_id, JOB_TOKEN: paid.job_token };
  const offered = await run(block(documents.buyer, 'sh', 'buyers/capabilities'), env);
  await world.call(seller, `jobs/${paid.job_id}/start`);
  await world.call(seller, `jobs/${paid.job_id}/fail`, { error: 'no quota\u001b]0;owned\u0007\u202e\u{e0041}\n\u009b2J' });
  const failed: any = await run(block(documents.buyer, 'sh', 'JOB_TOKEN'), env).catch((error: unknown) => error);
  assert.deepEqual([failed.code, failed.stderr], [1, '"no quota ]0;owned   2J"\n']);
  for (const printed of [offered, failed.stdout, failed.stderr]) assert.match(printed, /^[ -~\n]*$/);
  for (const text of Object.values(documents))
    assert.doesNotMatch(text, /jq -r \S*(result|error|capabilit)|cat "\$answer"|console\.\w+\(JSON/);
});

test('a seller sells with the module of its document, and a buyer buys with its own', LIMIT, async () => {
  const env = await seller('module');
  writeFileSync(join(folder.path, 'sell.mjs'), block(documents.seller, 'js', '// sell.mjs'));
  const child = spawn(process.execPath, ['sell.mjs'], {
    cwd: folder.path,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await until('it is online', () => offers('module'));
  const buyer = await world.wallet();
  writeFileSync(join(folder.path, 'buy.mjs'), block(documents.buyer, 'js', '// buy.mjs'));
  const bought = JSON.parse(
    await run('node buy.mjs module "one more"', { EXCHANGE: world.url, PROFILE: LIVE, MAX_AMOUNT: '0.05', BUYER_KEY: buyer.privateKey }),
  );
  assert.deepEqual([bought.result, bought.money], [{ text: 'did one more' }, 'paid']);
  await ends(child, 'module');
});

// The last one: the clock of the world does not come back.
test('a seller with a shell delivers what was worked out while its session ended', LIMIT, async () => {
  const { child, out } = sells(await seller('patient'));
  await until('it is online', () => offers('patient'));
  await world.wait(850);
  await until('it is online again', () => offers('patient'));
  const buyer = await world.wallet();
  const prompt = 'the long one';
  const { json: quote } = await world.quote(buyer, prompt, { capability: 'patient' });
  const { json: paid } = await world.ask('POST', '/api/v1/jobs/verify', {
    body: { fingerprint: quote.fingerprint, payload: { buyer_id: buyer.address, capability: 'patient', prompt, network_profile: LIVE } },
    headers: { 'x-payment': await signedPayment(world, buyer, quote) },
  });
  await until('it is at work', async () => existsSync(join(folder.path, 'began')));
  await world.wait(60);
  await until('it is delivered', async () => out()[0] !== '');
  assert.deepEqual(out(), ['complete 200']);
  const { json } = await world.ask('GET', `/api/v1/jobs/${paid.job_id}`, { headers: { authorization: `Bearer ${paid.job_token}` } });
  assert.deepEqual([json.status, json.result], ['done', { text: '"\n'.repeat(15_000) }]);
  await ends(child, 'patient');
});
