// farebox-mcp without a wallet: a treasury decides, signs and asks a person, and the model is told what to tell them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';

import { ask, OFFER, OTHER, open, paymentOf, type Shop, serve, settlement, terms } from '../pkg/shop.ts';
import { temporaryFolder } from '../pkg/tarball.ts';
import { bootstrapKey, Treasury } from './support/worker.ts';

const MAIN = join(process.cwd(), 'mcp/dist/main.js');
const folder = temporaryFolder();
const clients: Client[] = [];
/** A merchant whose prices stand in its URLs. The wallet of the treasury is known to it. */
let shop: Shop;
const paid = (path: string): number => shop.requests.filter((request) => request.url === path && paymentOf(request) !== undefined).length;
let treasury: Treasury;
before(async () => {
  shop = await open((request, response) => {
    const amount = new URL(request.url ?? '', 'http://shop').searchParams.get('amount') ?? '10000';
    if (paymentOf(request) === undefined) ask(response, terms([{ ...OFFER, amount }]));
    else serve(response, settlement({ payer: OTHER, amount }));
  });
  treasury = await Treasury.start({
    vars: {
      ORGANIZATIONS: [
        {
          name: 'acme',
          environment: 'test',
          policy: { allowedOrigins: [shop.url], reviewAbove: { USDC: '0.05' }, perDay: { USDC: '1' } },
          agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }],
        },
      ],
    },
  });
});
after(async () => {
  for (const client of clients) await client.close();
  await treasury?.stop();
  await shop?.stop();
  folder.remove();
});

const env = { PATH: process.env['PATH'] ?? '', HOME: folder.path, AGENT: bootstrapKey('acme', 'buyer') };
const fileOf = (name: string, config: object): string => {
  const file = join(folder.path, `${name}.json`);
  writeFileSync(file, JSON.stringify(config));
  return file;
};
type Said = { readonly [member: string]: unknown; readonly merchantResponse?: { readonly body: string } };

/** A host that starts the program with this folder, and calls its tools. */
async function host(name: string, policy?: object) {
  const file = fileOf(name, {
    treasury: { url: treasury.url, organization: 'acme', agent: 'buyer', keyEnv: 'AGENT' },
    ...(policy === undefined ? {} : { policy }),
    folder: join(folder.path, name),
  });
  const client = new Client({ name: 'host', version: '1' });
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [MAIN, file], env, stderr: 'inherit' }));
  clients.push(client);
  const call = async (tool: string, given: object): Promise<Said> => {
    const { structuredContent } = await client.callTool({ name: tool, arguments: { ...given } });
    return structuredContent as Said;
  };
  return {
    client,
    call,
    /** Looks at a path of the shop, and buys it. */
    buy: async (path: string): Promise<Said> => {
      const { preparedId } = await call('prepare_paid_request', { url: `${shop.url}${path}` });
      return { preparedId, ...(await call('execute_prepared_request', { preparedId })) };
    },
  };
}
const hosts = () => [new URL(shop.url).host];

//
//
test('a model pays through a treasury, and what a person has to approve is told with its place and bought as the same purchase, also by the next process', async () => {
  const first = await host('reviewed', { hosts: hosts() });
  const small = await first.buy('/small?amount=10000');
  assert.deepEqual(
    [small['sdkOutcomeKind'], small['review'], paid('/small?amount=10000')],
    ['success', undefined, 1],
    JSON.stringify(small),
  );

  const dear = await first.buy('/dear?amount=60000');
  const { policyReviewEventId: id, preparedId } = dear as { policyReviewEventId: string; preparedId: string };
  assert.deepEqual([dear['sdkOutcomeKind'], paid('/dear?amount=60000')], ['denied', 0], JSON.stringify(dear));
  assert.equal(
    dear['review'],
    `A person of acme decides on this payment, and nothing is paid before. Tell them: review ${id}, at ${treasury.url}/desk/. Once they have approved it, prepare the same request again and execute that: it is the same purchase.`,
  );
  assert.equal((await first.call('get_execution_result', { preparedId }))['review'], dear['review']);
  assert.deepEqual([(await first.buy('/dear?amount=60000'))['policyReviewEventId'], paid('/dear?amount=60000')], [id, 0]);

  await first.client.close();
  assert.equal((await treasury.operate('POST', `/acme/reviews/${id}/approve`, {})).status, 200);
  const next = await host('reviewed', { hosts: hosts() });
  const bought = await next.buy('/dear?amount=60000');
  assert.deepEqual(
    [bought['sdkOutcomeKind'], bought['review'], paid('/dear?amount=60000')],
    ['success', undefined, 1],
    JSON.stringify(bought),
  );
});

//
test('a model that pays through a treasury asks no host of this machine or of an inner network that the file does not name', async () => {
  const { length } = shop.requests;
  for (const [name, policy] of [
    ['unnamed', undefined],
    ['other', { hosts: ['api.example.com'] }],
  ] as const) {
    const { call } = await host(name, policy);
    const said = await call('prepare_paid_request', { url: `${shop.url}/inner` });
    assert.match(JSON.stringify(said), /tool_execution_failed/, name);
    const posted = await call('prepare_paid_request', { url: 'https://api.example.org/', method: 'POST', body: '{}' });
    assert.match(JSON.stringify(posted), /tool_execution_failed/, name);
  }
  assert.equal(shop.requests.length, length);
});

const BESIDE = { url: 'https://treasury.example', organization: 'acme', agent: 'buyer', keyEnv: 'AGENT' };
//
test('a file with a treasury that cannot be meant is refused at the start, and no key leaves', async () => {
  const refusals: readonly (readonly [config: object, said: string])[] = [
    [{ treasury: { ...BESIDE, url: 'http://treasury.example' } }, 'treasury.url is an https URL, or one of this machine'],
    [{ treasury: { ...BESIDE, url: 'https://me@treasury.example' } }, 'treasury.url is an https URL'],
    [{ treasury: { ...BESIDE, url: 'https://treasury.example/?key=1' } }, 'treasury.url is an https URL'],
    [{ treasury: { ...BESIDE, agent: undefined } }, 'treasury.agent is missing'],
    [{ treasury: { ...BESIDE, key: 'fbk_acme_1_2' } }, 'unknown member "key"'],
    [{ treasury: { ...BESIDE, keyEnv: 'WALLET' } }, 'WALLET has no key of an agent, which begins with fbk_'],
    [{ treasury: { ...BESIDE, keyEnv: 'NONE' } }, 'NONE has no key of an agent'],
    [{ treasury: BESIDE, wallet: { keyEnv: 'WALLET' } }, 'wallet is of a wallet'],
    [{ treasury: BESIDE, ask: 'always' }, 'ask is of a wallet'],
    [{ treasury: BESIDE, servers: {} }, 'servers is of a wallet'],
    [{ treasury: BESIDE, policy: { hosts: [], perDay: '1' } }, 'policy has hosts alone: put "perDay"'],
  ];
  for (const [at, [config, reason]] of refusals.entries()) {
    const child = spawn(process.execPath, [MAIN, fileOf(`wrong-${at}`, config)], {
      env: { ...env, WALLET: `0x${'77'.repeat(32)}` },
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (part: Buffer) => {
      said += String(part);
    });
    const [status] = (await once(child, 'close')) as [number];
    assert.deepEqual([status, said.includes(reason), /0x77|fbk_acme/.test(said)], [2, true, false], `${JSON.stringify(config)}: ${said}`);
  }
});
