// Clients of others at the gate, and the package at servers of others: each pays once, is served, and
// its receipt names the transfer. What is not installed is left out.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { localSigner, type Proposal, payingFetch, receiptOf } from '../../pkg/dist/index.js';
import { startProcess } from '../../scripts/processes.mjs';
import { findPython } from '../../scripts/python.mjs';
import { root } from '../../scripts/steps.mjs';
import { changesDuring, startWorld, transfersOf } from '../e2e/world.ts';
import { sharedWorld } from '../support/suite.ts';
import { CLIENTS, INSTALLED, type Program, SERVERS, versionOf } from './programs.ts';

const LIMIT_MS = 60_000;
const ROUTES = [
  { settle: 'after', path: '/report', verified: 1 },
  { settle: 'before', path: '/report-before', verified: 0 },
] as const;
const RECEIPTS = ['payment-response', 'x-payment-response', 'payment-receipt'];

const python = await findPython();
const commands: Record<Program['runtime'], readonly string[] | undefined> = {
  python: 'python' in python ? [python.python] : undefined,
  node: existsSync(`${root}/tests/interop/node/node_modules/.farebox-lock`) ? [process.execPath] : undefined,
  rust: existsSync(`${root}/target/interop/release/x402-axum-server`) ? [] : undefined,
};

test('docs/protocols.md lists each program with the version that is tried', () => {
  const document = readFileSync(`${root}/docs/protocols.md`, 'utf8');
  const { devDependencies } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { devDependencies: Record<string, string> };
  const rows = [...CLIENTS, ...SERVERS].map((program) => `| ${program.name} | ${versionOf(program)} |`);
  for (const packet of INSTALLED) rows.push(`| \`${packet}\` | ${devDependencies[packet]} |`);
  for (const row of rows) assert.ok(document.includes(row), row);
});

test('what is left out is said', (t) => {
  for (const [runtime, command] of Object.entries(commands))
    if (command === undefined) t.diagnostic(`left out: the programs of ${runtime}`);
});

const world = sharedWorld(startWorld);

for (const [index, { name, runtime, words, refused }] of CLIENTS.entries()) {
  const command = commands[runtime];
  if (command === undefined) continue;
  const play = async (path: string) => {
    const payer = payerOf(index);
    const [program = '', ...args] = [...command, ...words, `${world.gate.url}${path}`];
    const { result, change } = await changesDuring(world, payer.address, () =>
      promisify(execFile)(program, args, { cwd: root, timeout: LIMIT_MS, env: { ...process.env, PAYER_KEY: payer.privateKey } }),
    );
    return { payer, change, ...(JSON.parse(result.stdout) as { status: number; headers: Record<string, string>; text: string }) };
  };
  for (const { path } of ROUTES.filter(({ settle }) => settle === refused)) {
    test(`${name} is refused by a route that settles ${refused} the origin, and not charged`, { timeout: LIMIT_MS }, async () => {
      const { status, text, change } = await play(path);
      assert.equal(status, 402);
      assert.match(text, /"code":"terms_mismatch"/);
      assert.deepEqual(change, { paid: 0n, received: 0n, asked: 0, verified: 0, settled: 0 });
    });
  }
  for (const { settle, path, verified } of ROUTES.filter(({ settle }) => settle !== refused)) {
    test(`${name} pays a route that settles ${settle} the origin`, { timeout: LIMIT_MS }, async () => {
      const { payer, change, status, headers, text } = await play(path);
      assert.equal(status, 200, text);
      assert.match(text, /Rainfall, Tuesday/);
      assert.deepEqual(change, { paid: PRICE_ATOMIC, received: PRICE_ATOMIC, asked: 1, verified, settled: 1 });
      const receipt = RECEIPTS.map((field) => headers[field]).find((value) => value !== undefined) ?? '';
      assert.deepEqual(await transfersOf(world, transactionIn(receipt)), [transfer(payer.address)]);
    });
  }
}

for (const [index, { name, runtime, words, realm }] of SERVERS.entries()) {
  const command = commands[runtime];
  if (command === undefined) continue;
  test(`the package pays ${name}`, { timeout: LIMIT_MS }, async () => {
    const payer = payerOf(index);
    const server = await start([...command, ...words]);
    try {
      const realms: (string | null)[] = [];
      const confirm = ({ claimsToSell }: Proposal): boolean => realms.push(claimsToSell) > 0;
      const fetch = payingFetch({ signer: localSigner(payer.privateKey), confirm });
      const { result, change } = await changesDuring(world, payer.address, () => fetch(`http://127.0.0.1:${server.port}/report`));
      assert.equal(result.status, 200);
      assert.deepEqual(await result.json(), { report: 'Rainfall, Tuesday' });
      assert.deepEqual([change.paid, change.received], [PRICE_ATOMIC, PRICE_ATOMIC]);
      assert.deepEqual(realms, [realm ?? null]);
      const transaction = receiptOf(result)?.transaction as `0x${string}`;
      assert.deepEqual(await transfersOf(world, transaction), [transfer(payer.address)]);
    } finally {
      await server.stop();
    }
  });
}

/** A payer for each program, as far as there are; they share the rest in turn. */
function payerOf(index: number) {
  const { payers } = world.chain.accounts;
  const payer = payers[index % payers.length];
  assert.ok(payer);
  return payer;
}

/** The transfer of the price, as the chain logs it. */
function transfer(from: string) {
  return { from, to: world.chain.accounts.payee.address, value: PRICE_ATOMIC };
}

function transactionIn(receipt: string): `0x${string}` {
  const { transaction, reference } = JSON.parse(Buffer.from(receipt, 'base64').toString('utf8')) as Record<string, `0x${string}`>;
  return (transaction ?? reference) as `0x${string}`;
}

/** Starts a server program and reads its port from the first line. */
async function start([program = '', ...args]: string[]) {
  const { chain, facilitator } = world;
  const server = startProcess(program, args, {
    cwd: root,
    env: {
      ...process.env,
      MPP_SECRET_KEY: 'a secret of the servers in this test',
      FACILITATOR_URL: facilitator.url,
      FACILITATOR_KEY: chain.accounts.facilitator.privateKey,
      PAY_TO: chain.accounts.payee.address,
      RPC_URL: chain.url,
    },
  });
  let gone = false;
  server.exited.then(() => {
    gone = true;
  });
  let port = '';
  while (!port) {
    if (gone) throw new Error(server.output());
    await new Promise((resolve) => setTimeout(resolve, 50));
    port = /^(\d{2,5})\n/m.exec(server.output())?.[1] ?? '';
  }
  return { port, stop: server.stop, output: server.output };
}
