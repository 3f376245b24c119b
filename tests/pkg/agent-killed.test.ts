// A process that is killed between the signature and the answer: the next one sends the same bytes, and the content arrives.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { AgentHarness, createLocalAgentClient } from '../../pkg/dist/agent/index.js';
import { fileStore } from '../../pkg/dist/file-store.js';
import { ask, GOODS, open, PAYER_KEY, paymentOf, type Shop, serve, spentIn } from './shop.ts';
import { temporaryFolder } from './tarball.ts';

let shop: Shop;
let onPayment: () => void = () => undefined;
let answers = false;
const folder = temporaryFolder();
before(async () => {
  shop = await open((request, response) => {
    if (paymentOf(request) === undefined) return ask(response);
    if (answers) return serve(response);
    onPayment();
  });
});
after(async () => {
  await shop?.stop();
  folder.remove();
});

/** What a process needs to go on where another one stopped. */
const stores = { budget: join(folder.path, 'budget'), sent: join(folder.path, 'sent'), prepared: join(folder.path, 'prepared') };
const program = (): string => `
  import { AgentHarness, createLocalAgentClient } from ${JSON.stringify(new URL('../../pkg/dist/agent/index.js', import.meta.url).href)};
  import { fileStore } from ${JSON.stringify(new URL('../../pkg/dist/file-store.js', import.meta.url).href)};
  const client = createLocalAgentClient({ signer: '${PAYER_KEY}', policy: { hosts: ['${new URL(shop.url).host}'] }, store: fileStore(${JSON.stringify(stores.budget)}), sent: fileStore(${JSON.stringify(stores.sent)}) });
  const harness = new AgentHarness({ client, store: fileStore(${JSON.stringify(stores.prepared)}), createPreparedId: () => 'prepared-1' });
  await harness.preparePaidRequest({ url: '${shop.url}/report' });
  await harness.executePreparedRequest({ preparedId: 'prepared-1' });
`;

test('kill -9 between the signature and the answer is one payment, and the content arrives in the next process', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program()], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    onPayment = resolve;
    ended.then(() => reject(new Error('it ended by itself')), reject);
  });
  child.kill('SIGKILL');
  await ended;

  answers = true;
  const budget = fileStore(stores.budget);
  const neverAsked = { address: async () => assert.fail('asked for the address'), sign: async () => assert.fail('asked to sign') };
  const client = createLocalAgentClient({ signer: neverAsked, store: budget, sent: fileStore(stores.sent) });
  const harness = new AgentHarness({ client, store: fileStore(stores.prepared) });
  await harness.restore();
  const result = await harness.executePreparedRequest({ preparedId: 'prepared-1' });
  assert.ok(result.harnessDisposition === 'executed');
  assert.deepEqual([result.sdkOutcomeKind, result.merchantResponse.body], ['success', GOODS]);
  const payments = shop.requests.map(paymentOf).filter((payment) => payment !== undefined);
  assert.deepEqual([payments.length, new Set(payments).size, (await spentIn(budget)).entries.length], [2, 1, 1]);
  assert.equal((await harness.executePreparedRequest({ preparedId: 'prepared-1' })).harnessDisposition, 'rejected');
});
