// `farebox serve` under twenty kills with sales in flight: of the program or of its runtime, at moments that a seed chooses.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';

import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { payingFetch } from '../../pkg/dist/index.js';
import { resume } from '../../pkg/dist/resume.js';
import { memoryStore } from '../../pkg/dist/store.js';
import { eventually } from '../support/eventually.ts';
import { randomOf } from './random.ts';
import { runtimeOf, type Served, type ServeWorld, startServeWorld } from './serve-world.ts';

const KILLS = 20;
const AT_ONCE = 4;
const PRICE = 10_000n;
const SEED = Number(process.env['FAREBOX_SEED'] ?? 20_261_126);

let origin: Origin;
let world: ServeWorld;
before(async () => {
  origin = await startOrigin();
  world = await startServeWorld(origin.url, []);
});
after(async () => {
  await world?.stop();
  await origin?.stop();
});

test(`twenty kills with sales in flight: each is charged once and delivered (seed ${SEED})`, { timeout: 600_000 }, async () => {
  const { chain, state, serving, auditOf } = world;
  const payer = chain.accounts.payers[2]!;
  const fetchOf = (store: ReturnType<typeof memoryStore>): typeof globalThis.fetch =>
    payingFetch({ signer: payer.privateKey, policy: { perDay: '50', deadlineSecs: 120 }, store, resume });
  const random = randomOf(SEED);
  const had = await chain.balanceOf(payer.address);
  let sold = 0n;
  let lost = 0;
  // What was under way at a kill is taken up once its time has passed: as short as it may be.
  const config = join(dirname(state), 'gate.json');
  const route = (path: string): object => ({ path, price: '$0.01', origin_timeout_secs: 1, max_timeout_secs: 90 });
  writeFileSync(
    config,
    JSON.stringify({ RECOVERY: { settle_secs: 2, resend_secs: [1, 1, 2], chain_secs: [1, 2] }, ROUTES: ['/report', '/slow'].map(route) }),
  );
  const words = ['--config', config];
  let served: Served = await serving(words);
  const port = new URL(served.url).port;
  const again = (): Promise<Served> => serving([...words, '--port', port]);
  for (let kill = 0; kill < KILLS; kill += 1) {
    const { url } = served;
    const target = (at: number): string => `${url}${at % 2 === 0 ? '/report?' : '/slow?ms=250&'}kill=${kill}&at=${at}`;
    const stores = Array.from({ length: AT_ONCE }, () => memoryStore());
    // What the front says while there is no runtime is no delivery.
    const bought = async (at: number): Promise<string> => {
      const response = await fetchOf(stores[at]!)(target(at));
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return text;
    };
    const sales = stores.map((_, at) => bought(at).catch(() => ''));
    await new Promise((done) => setTimeout(done, random.below(400)));
    if (random.below(2) === 0) {
      served.child.kill('SIGKILL');
      await served.ended;
      served = await again();
    } else {
      process.kill(runtimeOf(state), 'SIGKILL');
    }
    const ends = await Promise.all(sales);
    for (const [at, end] of ends.entries()) {
      sold += 1n;
      if (end !== '') continue;
      lost += 1;
      const text = await eventually(`kill ${kill}, sale ${at} is delivered`, () => bought(at));
      assert.notEqual(text, '');
    }
    // A runtime that was killed is started again meanwhile.
    const audit = await eventually(
      'the gate answers',
      () => auditOf(url),
      (found) => found.length > 0,
    );
    assert.deepEqual(audit, ['0'], `kill ${kill}`);
  }
  assert.equal(had - (await chain.balanceOf(payer.address)), sold * PRICE);
  assert.ok(lost > 0, 'no kill met a sale');
  served.child.kill('SIGTERM');
  assert.equal(await served.ended, 0);
});
