// Orders whose payment is refused, with money on a chain: by a wallet without money, and by a proxy that settles and lies.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { generatePrivateKey } from 'viem/accounts';

import { type ExchangeWorld, LIVE, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { fund, sellerOf } from '../../../demo/skills-world.mjs';
import { buyJob, JobError, type Selling, sellJobs } from '../../../pkg/dist/agent/index.js';
import { memoryStore, type Store } from '../../../pkg/dist/index.js';

const LIMIT = { timeout: 300_000 };
const PRICE = 5_000n;
let world: ExchangeWorld;
let seller: Selling;
before(async () => {
  world = await startExchangeWorld();
  const { address } = sellerOf(generatePrivateKey());
  seller = sellJobs({
    url: world.url,
    profile: LIVE,
    sellerId: address,
    agentId: 'able',
    capability: 'echo',
    price: '0.005',
    capacity: 20,
    handler: (prompt) => `did ${prompt}`,
    identity: () => world.issuer.token({ sub: 'sub-able', agent_id: 'able', wallet_address: address, exp: world.now() + 3_000 }),
    heartbeatMs: 1_000,
    pollMs: 100,
    endsOn: [],
  });
  // It is online once something can be bought.
  for (
    let turn = 0;
    !(await (await fetch(`${world.url}/api/v1/buyers/capabilities?network_profile=${LIVE}`)).text()).includes('"echo"');
    turn += 1
  ) {
    assert.ok(turn < 300, 'the seller never comes');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}, LIMIT);
after(async () => {
  await seller?.stop();
  await world?.stop();
});

const TRANSFER = {
  type: 'event',
  name: 'Transfer',
  inputs: [
    { type: 'address', name: 'from', indexed: true },
    { type: 'address', name: 'to', indexed: true },
    { type: 'uint256', name: 'value', indexed: false },
  ],
} as const;
async function charges(from: string): Promise<bigint[]> {
  const logs = await world.chain.publicClient.getLogs({
    address: world.chain.token.address,
    fromBlock: 0n,
    event: TRANSFER,
    args: { from: from as `0x${string}`, to: world.escrow.address as `0x${string}` },
  });
  return logs.map(({ args }) => args.value ?? 0n);
}

type Answer = (path: string, response: Response) => Response | undefined;
/** Orders the same at each call, as a process of its own with this store; `answers` may replace what the exchange said. */
function orders(
  key: string,
  store: Store,
  prompt: string,
  answers: Answer = () => undefined,
  more: { idempotencyKey?: string } = {},
): Promise<unknown> {
  const headers = world.client();
  const asks: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    for (const [name, value] of Object.entries(headers)) request.headers.set(name, value);
    const response = await fetch(request);
    return answers(new URL(request.url).pathname, response) ?? response;
  };
  const apart: Store = { read: () => store.read(), replace: (version, text) => store.replace(version, text) };
  const bought = buyJob({
    url: world.url,
    till: world.gate.url,
    profile: LIVE,
    capability: 'echo',
    prompt,
    maxAmount: '0.01',
    signer: key,
    store: apart,
    fetch: asks,
    feed: false,
    timeoutMs: 60_000,
    now: () => world.now(),
    ...more,
  });
  return bought.then(
    ({ result, money }) => [result, money],
    (error: unknown) => {
      assert.ok(error instanceof JobError, String(error));
      return [error.code, error.money];
    },
  );
}

for (const more of [{}, { idempotencyKey: 'order-1' }]) {
  const how = 'idempotencyKey' in more ? 'with a key' : 'without a key';

  test(`an order of an empty wallet is delivered once the wallet has money, ${how}`, LIMIT, async () => {
    const [key, store, prompt] = [generatePrivateKey(), memoryStore(), `later ${how}`];
    const { address } = sellerOf(key);
    for (let turn = 0; turn < 2; turn += 1)
      assert.deepEqual(await orders(key, store, prompt, undefined, more), ['payment_refused', 'unknown']);
    await fund(world.chain, address);
    // A gate remembers for 30 s that a wallet was too empty.
    await world.wait(31);
    assert.deepEqual(await orders(key, store, prompt, undefined, more), [{ text: `did ${prompt}` }, 'paid']);
    assert.deepEqual(await charges(address), [PRICE]);
  });

  //
  test(`an exchange that settles and calls it refused is paid once, and gives the job when it is honest again, ${how}`, LIMIT, async () => {
    const [wallet, store, prompt] = [await world.wallet(), memoryStore(), `lied ${how}`];
    const lies: Answer = (path, response) =>
      path.endsWith('/verify') && response.status === 200
        ? Response.json({ code: 'FACILITATOR_RESPONSE_INVALID', error: 'The payment was refused; nothing was charged.' }, { status: 400 })
        : undefined;
    for (let turn = 0; turn < 10; turn += 1)
      assert.deepEqual(await orders(wallet.privateKey, store, prompt, lies, more), ['payment_refused', 'unknown']);
    assert.deepEqual(await charges(wallet.address), [PRICE]);
    assert.deepEqual(await orders(wallet.privateKey, store, prompt, undefined, more), [{ text: `did ${prompt}` }, 'paid']);
    assert.deepEqual(await charges(wallet.address), [PRICE]);
    // What was delivered is over: the next order is another one.
    if (!('idempotencyKey' in more)) await orders(wallet.privateKey, store, prompt);
    assert.equal((await charges(wallet.address)).length, 'idempotencyKey' in more ? 1 : 2);
  });
}
