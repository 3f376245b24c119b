// A buyer and a seller that are killed at every moment and started again, with money on a chain: one payment, one job, one result.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { generatePrivateKey } from 'viem/accounts';
import { type ExchangeWorld, LIVE, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { sellerOf } from '../../../demo/skills-world.mjs';
import { buyJob, type Selling, sellJobs } from '../../../pkg/dist/agent/index.js';
import { temporaryFolder } from '../../pkg/tarball.ts';

const LIMIT = { timeout: 540_000 };
const PRICE = 5_000n;
const folder = temporaryFolder();
let world: ExchangeWorld;
before(async () => {
  world = await startExchangeWorld();
}, LIMIT);
after(async () => {
  await world?.stop();
  folder.remove();
});

type Ended = { readonly signal: NodeJS.Signals | null; readonly out: readonly any[]; readonly told: string };
type Life = { readonly ended: Promise<Ended>; end(): void };

/** A process with these options, which dies at its moment `dies`; 0 is never. */
function live(options: Readonly<Record<string, unknown>>): Life {
  const child = spawn(process.execPath, [fileURLToPath(new URL('mortal.mjs', import.meta.url))], {
    env: { ...process.env, FAREBOX_MORTAL: JSON.stringify({ url: world.url, till: world.gate.url, profile: LIVE, ...options }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, told] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (_, signal) =>
      resolve({
        signal,
        told,
        out: out
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line)),
      }),
    ),
  );
  return { ended, end: () => child.kill('SIGTERM') };
}

const identity = (agent: string, address: string): string =>
  world.issuer.token({ sub: `sub-${agent}`, agent_id: agent, wallet_address: address, exp: world.now() + 3_000 });

/** Transfers of the token between two wallets. */
async function transfers(from: string, to: string): Promise<bigint[]> {
  const logs = await world.chain.publicClient.getLogs({
    address: world.chain.token.address,
    fromBlock: 0n,
    event: TRANSFER,
    args: { from: from as `0x${string}`, to: to as `0x${string}` },
  });
  return logs.map(({ args }) => args.value ?? 0n);
}
const TRANSFER = {
  type: 'event',
  name: 'Transfer',
  inputs: [
    { type: 'address', name: 'from', indexed: true },
    { type: 'address', name: 'to', indexed: true },
    { type: 'uint256', name: 'value', indexed: false },
  ],
} as const;

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test('a buyer killed at any moment and started again pays once, for one job, and has its result', LIMIT, async () => {
  const wallet = sellerOf(generatePrivateKey());
  let works = 0;
  const seller: Selling = sellJobs({
    url: world.url,
    profile: LIVE,
    sellerId: wallet.address,
    agentId: 'busy',
    capability: 'echo',
    price: '0.005',
    capacity: 20,
    identity: () => identity('busy', wallet.address),
    handler: (prompt) => {
      works += prompt === 'hello' ? 0 : 1;
      return `did ${prompt}`;
    },
    heartbeatMs: 1_000,
    pollMs: 100,
    endsOn: [],
  });
  const moments: string[] = [];
  for (let dies = 1, isOver = false; !isOver; dies += 1) {
    const buyer = await world.wallet();
    const options = {
      role: 'buyer',
      folder: join(folder.path, `buyer-${dies}`),
      key: buyer.privateKey,
      headers: world.client(),
      capability: 'echo',
      prompt: `task ${dies}`,
      maxAmount: '0.01',
      timeoutMs: 60_000,
    };
    const first = await live({ ...options, dies }).ended;
    isOver = first.signal !== 'SIGKILL';
    if (!isOver) moments.push(first.told.trim());
    const [job] = isOver ? first.out : (await live(options).ended).out;
    assert.deepEqual([job?.result, job?.money], [{ text: `did task ${dies}` }, 'paid'], `${moments.at(-1)}: ${first.told}`);
    assert.deepEqual(await transfers(buyer.address, world.escrow.address), [PRICE], moments.at(-1));
    // Who asks once more is told the same.
    if (dies % 7 === 0) assert.deepEqual((await live(options).ended).out, [job]);
    assert.ok(dies < 80, 'it never ends by itself');
  }
  await seller.stop();
  assert.equal(works, moments.length + 1);
  for (const moment of [
    'before a signature',
    'after a signature',
    'before /api/v1/jobs/verify',
    'after /api/v1/jobs/verify',
    'before a write',
    'after a write',
  ])
    assert.ok(moments.includes(moment), moment);
  await until('the seller has all', async () => (await transfers(world.escrow.address, wallet.address)).length === moments.length + 1);
});

test('a seller killed at any moment and started again delivers each job once, and is paid once', LIMIT, async () => {
  const buyer = await world.wallet();
  const moments: string[] = [];
  for (let dies = 1, isOver = false; !isOver; dies += 1) {
    const wallet = sellerOf(generatePrivateKey());
    const capability = `task-${dies}`;
    const options = {
      role: 'seller',
      folder: join(folder.path, `seller-${dies}`),
      sellerId: wallet.address,
      agentId: capability,
      capability,
      price: '0.005',
      key: identity(capability, wallet.address),
    };
    const first = live({ ...options, dies });
    let second: Life | undefined;
    const died = first.ended.then(({ signal, told }) => {
      isOver = signal !== 'SIGKILL';
      if (isOver) return;
      moments.push(told.trim());
      second = live(options);
    });
    const headers = world.client();
    const asks: typeof fetch = (input, init) => {
      const request = new Request(input, init);
      for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
      return fetch(request);
    };
    let job: Awaited<ReturnType<typeof buyJob>> | undefined;
    await until('it is sold', async () => {
      job = await buyJob({
        url: world.url,
        profile: LIVE,
        capability,
        prompt: 'it',
        maxAmount: '0.01',
        signer: buyer.privateKey,
        fetch: asks,
        feed: false,
        timeoutMs: 100_000,
      }).catch((error: any) => {
        if (error.code === 'capability_unavailable') return undefined;
        throw error;
      });
      return job !== undefined;
    });
    assert.deepEqual(job?.result, { text: 'did it' });
    await until('it is paid', async () => (await transfers(world.escrow.address, wallet.address)).length === 1);
    // What is still to come in its life: the end of the job's log, and that it goes.
    await Promise.race([died, new Promise((resolve) => setTimeout(resolve, 1_500))]);
    first.end();
    await died;
    second?.end();
    await second?.ended;
    assert.deepEqual(await transfers(world.escrow.address, wallet.address), [PRICE], moments.at(-1));
    assert.ok(dies < 60, 'it never ends by itself');
  }
  for (const moment of [
    'before /api/v1/jobs/ID/start',
    'after /api/v1/jobs/ID/start',
    'before the handler',
    'after the handler',
    'before /api/v1/jobs/ID/complete',
    'after /api/v1/jobs/ID/complete',
  ])
    assert.ok(moments.includes(moment), moment);
  assert.equal((await transfers(buyer.address, world.escrow.address)).length, moments.length + 1);
});
