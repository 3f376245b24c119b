// farebox-mcp as it is published: packed, installed into a fresh folder, started by a real MCP client over stdio, and paying the real gate.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ElicitRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { gateVars, PRICE_ATOMIC } from '../../demo/gate.mjs';
import { freePort } from '../../demo/server.mjs';
import { startGate } from '../../scripts/miniflare.mjs';
import { changesDuring, startWorld, transfersOf, type World } from '../e2e/world.ts';
import { eventually } from '../support/eventually.ts';
import { installedProject, packPackage, started, temporaryFolder } from './tarball.ts';

const TOKEN = 'operator-of-these-tests';
let world: World;
const folder = temporaryFolder();
const project = join(folder.path, 'host');
const clients: Client[] = [];
before(async () => {
  const packing = packPackage(folder.path);
  [world] = await Promise.all([
    startWorld({ routes: [{ path: '/slow', methods: ['GET'], price: '$0.01' }], secrets: { OPERATOR_TOKEN: TOKEN } }),
    packing,
  ]);
  const own = await packPackage(folder.path, 'mcp');
  await installedProject(project, [await packing, own], { 'package.json': '{"name":"host","private":true}' });
});
after(async () => {
  for (const client of clients) await client.close();
  await world?.stop();
  folder.remove();
});

/** What a person at the host answers. */
type Person = 'agrees' | 'refuses' | 'dismisses' | 'is not asked';
type Host = {
  client: Client;
  pid: number;
  cards: string[];
  /** What the server wrote into the host's log. */
  log: string[];
  call(name: string, given?: object): Promise<Record<string, never>>;
};

/** A host that starts the server with this file. */
async function host(
  person: Person,
  { policy, ...config }: { policy?: object; [member: string]: unknown },
  payer = world.chain.accounts.payer,
): Promise<Host> {
  const file = join(project, `config-${clients.length}.json`);
  // A model asks hosts of this machine that the policy names, and no others.
  writeFileSync(file, JSON.stringify({ ...config, policy: { hosts: [new URL(world.gate.url).host, 'weather.mcp.invalid'], ...policy } }));
  const cards: string[] = [];
  const client = new Client({ name: 'host', version: '1' }, { capabilities: person === 'is not asked' ? {} : { elicitation: {} } });
  if (person !== 'is not asked') {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      cards.push(params.message);
      return person === 'dismisses' ? { action: 'cancel' } : { action: 'accept', content: { pay: person === 'agrees' } };
    });
  }
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [join(project, 'node_modules/.bin/farebox-mcp'), file],
    cwd: project,
    stderr: 'pipe',
    env: { PATH: process.env.PATH ?? '', HOME: folder.path, FAREBOX_PRIVATE_KEY: payer.privateKey },
  });
  const log: string[] = [];
  transport.stderr?.on('data', (text: Buffer) => log.push(String(text)));
  await client.connect(transport);
  clients.push(client);
  const call: Host['call'] = async (name, given = {}) => {
    const { content, structuredContent } = await client.callTool({ name, arguments: { ...given } });
    const said = JSON.parse((content as { text: string }[])[0]?.text ?? '') as Record<string, never>;
    assert.deepEqual(structuredContent, said);
    return said;
  };
  return { client, pid: transport.pid ?? 0, cards, log, call };
}

test('a model looks, a person agrees, it pays once, and says what happened', async () => {
  const { payer, payee } = world.chain.accounts;
  const { client, cards, call } = await host('agrees', { folder: 'agrees', policy: { perDay: '1' } });
  assert.match(client.getInstructions() ?? '', /Follow each tool's description for when and how to call it\./);
  const { tools } = await client.listTools();
  assert.deepEqual(
    tools.map(({ name }) => name),
    ['prepare_paid_request', 'execute_prepared_request', 'get_execution_result'],
  );
  assert.deepEqual(
    tools.map(({ title, annotations }) => [
      typeof title,
      annotations?.readOnlyHint,
      annotations?.destructiveHint,
      annotations?.idempotentHint,
    ]),
    [
      ['string', true, false, true],
      ['string', false, false, true],
      ['string', true, false, true],
    ],
  );

  const prepared = await call('prepare_paid_request', { url: `${world.gate.url}/report` });
  const { preparedId } = prepared;
  assert.deepEqual([prepared.nextAction, prepared.costSummary, cards], ['execute', 'Costs 0.010000 USDC on Base Sepolia (exact).', []]);
  const { result, change } = await changesDuring(world, payer.address, () =>
    Promise.all([call('execute_prepared_request', { preparedId }), call('execute_prepared_request', { preparedId })]),
  );
  assert.deepEqual([change.paid, change.received], [PRICE_ATOMIC, PRICE_ATOMIC]);
  // Either of the two may be the first.
  assert.deepEqual(result.map(({ rejectionCode, sdkOutcomeKind }) => String(rejectionCode ?? sdkOutcomeKind)).sort(), [
    'prepared_request_consumed',
    'success',
  ]);
  const host_ = new URL(world.gate.url).host;
  assert.deepEqual(cards, [
    `Pay 0.01 USDC (10000) once?\nFor: GET ${host_}/report\nNetwork: eip155:84532, test money\nPay to: ${payee.address}`,
  ]);
  const { state, executionResult } = (await call('get_execution_result', { preparedId })) as unknown as {
    state: string;
    executionResult: { merchantResponse: { body: string; headers: Record<string, string> } };
  };
  const { body, headers } = executionResult.merchantResponse;
  assert.deepEqual([state, (JSON.parse(body) as { report: string }).report], ['consumed', 'Rainfall, Tuesday']);
  const { transaction } = JSON.parse(Buffer.from(headers['payment-response'] ?? '', 'base64').toString()) as { transaction: `0x${string}` };
  assert.deepEqual(await transfersOf(world, transaction), [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
});

test('without an explicit yes nothing is paid: a person refuses, looks away, or cannot be asked', async () => {
  const { payer } = world.chain.accounts;
  const { result, change } = await changesDuring(world, payer.address, async () => {
    const kinds: unknown[] = [];
    for (const person of ['refuses', 'dismisses', 'is not asked'] as const) {
      const { call, cards, log } = await host(person, { folder: person, policy: { perDay: '1' } });
      const { preparedId } = await call('prepare_paid_request', { url: `${world.gate.url}/report` });
      const { sdkOutcomeKind, reason } = await call('execute_prepared_request', { preparedId });
      const cannot = /cannot ask a person/;
      kinds.push([sdkOutcomeKind, String(reason).split(':')[0], cards.length, cannot.test(log.join('')), cannot.test(String(reason))]);
    }
    return kinds;
  });
  assert.deepEqual(result, [
    ['denied', 'declined', 1, false, false],
    ['denied', 'declined', 1, false, false],
    ['denied', 'declined', 0, true, true],
  ]);
  assert.deepEqual([change.paid, change.settled], [0n, 0]);
});

test('a policy alone decides where the file says so, and its caps hold for every process with the same folder', async () => {
  const { payer } = world.chain.accounts;
  const config = { folder: 'shared', policy: { perDay: '0.019' }, ask: 'never' };
  const hosts = [await host('is not asked', config), await host('is not asked', config)];
  const { result, change } = await changesDuring(world, payer.address, () =>
    Promise.all(
      hosts.map(async ({ call }, at) => {
        // Not the same request: that would be answered by one payment.
        const { preparedId } = await call('prepare_paid_request', { url: `${world.gate.url}/report?for=${at}` });
        return String((await call('execute_prepared_request', { preparedId })).sdkOutcomeKind);
      }),
    ),
  );
  assert.deepEqual([...result].sort(), ['denied', 'success']);
  assert.equal(change.paid, PRICE_ATOMIC);
});

test('a server that is killed while its payment is at the gate pays once, and the next one gets what was bought', async () => {
  const payer = world.chain.accounts.payers[0]!;
  const config = { folder: 'killed', policy: { perDay: '1' }, ask: 'never' };
  const { result, change } = await changesDuring(world, payer.address, async () => {
    const first = await host('is not asked', config, payer);
    const { preparedId } = await first.call('prepare_paid_request', { url: `${world.gate.url}/slow?ms=800` });
    const asked = world.origin.requests.length;
    const lost = first.call('execute_prepared_request', { preparedId }).catch(() => undefined);
    await eventually('the request arrives', () => world.origin.requests.length > asked);
    process.kill(first.pid, 'SIGKILL');
    await lost;
    await eventually('it is delivered', async () => (await stateOf('/slow')) === 'delivered');
    const second = await host('is not asked', config, payer);
    return second.call('execute_prepared_request', { preparedId });
  });
  const { sdkOutcomeKind, merchantResponse } = result as unknown as { sdkOutcomeKind: string; merchantResponse: { body: string } };
  assert.deepEqual([sdkOutcomeKind, merchantResponse?.body], ['success', '{"slow":true}\n'], JSON.stringify(result));
  assert.equal(change.paid, PRICE_ATOMIC);
});

test('what cannot be called is a result that says what to mend', async () => {
  const { call } = await host('agrees', { folder: 'mended' });
  const { toolError } = (await call('prepare_paid_request', { url: 'report' })) as unknown as { toolError: object };
  assert.deepEqual(toolError, { code: 'invalid_arguments', message: 'url has to be an http or https URL.' });
  const unknown = (await call('buy_everything')) as unknown as { toolError: { code: string } };
  assert.equal(unknown.toolError.code, 'unknown_tool');
  const missing = await call('execute_prepared_request', {});
  assert.equal(missing.rejectionCode, 'missing_prepared_id');
});

const UNUSABLE: readonly (readonly [name: string, config: object, says: RegExp])[] = [
  ['a misspelt limit', { policies: {} }, /unknown member "policies"/],
  ['a key in the file', { wallet: { key: `0x${'11'.repeat(32)}` } }, /unknown member "key"/],
  ['a word for ask', { ask: 'sometimes' }, /ask is "always" or "never"/],
  ['a key where a name belongs', { wallet: { keyEnv: `0x${'11'.repeat(32)}` } }, /has no private key/],
  ['no key', { wallet: { keyEnv: 'NO_SUCH_KEY' } }, /NO_SUCH_KEY has no private key/],
];
for (const [name, config, says] of UNUSABLE) {
  test(`a file that cannot be used ends the server at once, and shows no secret: ${name}`, async () => {
    const file = join(project, `${name.replaceAll(' ', '-')}.json`);
    writeFileSync(file, JSON.stringify(config));
    await assert.rejects(
      started(process.execPath, ['node_modules/.bin/farebox-mcp', file], project),
      ({ message }: Error) => says.test(message) && !/1111/.test(message),
    );
  });
}

test('the tools are objects of the AI SDK, and plain ones for any loop', async () => {
  const { payer } = world.chain.accounts;
  const script = `import { AgentHarness, createLocalAgentClient } from 'farebox/agent';
import { aiTools, tools } from 'farebox-mcp';
const harness = new AgentHarness({ client: createLocalAgentClient({ signer: '${payer.privateKey}', policy: { perDay: '1', hosts: ['${new URL(world.gate.url).host}'] } }) });
const ai = aiTools(harness);
const isSchema = (it) => it[Symbol.for('vercel.ai.schema')] === true && 'jsonSchema' in it && 'validate' in it;
// A model may put the whole request into the body.
const { preparedId, nextAction } = await ai.prepare_paid_request.execute({ url: '${world.gate.url}/report', body: '{"headers":{"x-a":"1"},"body":null}' });
const { sdkOutcomeKind } = await ai.execute_prepared_request.execute({ preparedId });
console.log(JSON.stringify([Object.values(ai).every(({ inputSchema }) => isSchema(inputSchema)), tools.map(({ inputSchema }) => inputSchema.required), nextAction, sdkOutcomeKind]));`;
  writeFileSync(join(project, 'loop.mjs'), script);
  const { stdout } = await started(process.execPath, ['loop.mjs'], project);
  assert.deepEqual(JSON.parse(stdout), [true, [['url'], ['preparedId'], ['preparedId']], 'execute', 'success']);
});

test('the settings, the file and the program of the README are used as they stand', async () => {
  const { payer } = world.chain.accounts;
  const blocks = (language: string): string[] =>
    [...readFileSync('mcp/README.md', 'utf8').matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
      ([, block = '']) => block,
    );
  const [settings = '', file = ''] = blocks('json');
  const { command, args, env } = JSON.parse(settings).mcpServers.farebox;
  const path = join(project, 'readme.json');
  writeFileSync(path, file);
  const client = new Client({ name: 'host', version: '1' }, { capabilities: { elicitation: {} } });
  const own = { ...env, PATH: process.env.PATH ?? '', HOME: folder.path, FAREBOX_PRIVATE_KEY: payer.privateKey };
  assert.deepEqual([Object.keys(env), args], [['FAREBOX_PRIVATE_KEY'], ['/home/me/farebox.json']]);
  await client.connect(
    new StdioClientTransport({ command: join(project, 'node_modules/.bin', command), args: [path], cwd: project, env: own }),
  );
  clients.push(client);
  const names = ['prepare_paid_request', 'execute_prepared_request', 'get_execution_result'];
  assert.deepEqual(
    (await client.listTools()).tools.map(({ name }) => name),
    names,
  );
  const [program = ''] = blocks('js');
  writeFileSync(join(project, 'readme.mjs'), `${program}console.log(JSON.stringify(Object.keys(tools)));`);
  const { stdout } = await started(process.execPath, ['readme.mjs'], project, { ...process.env, FAREBOX_PRIVATE_KEY: payer.privateKey });
  assert.deepEqual(JSON.parse(stdout), names);
});

/** A server of another's tools: one is free, one is worth money, one fails. */
const TOOLS = `import { appendFileSync } from 'node:fs';
import { Server } from ${JSON.stringify(import.meta.resolve('@modelcontextprotocol/sdk/server/index.js'))};
import { StdioServerTransport } from ${JSON.stringify(import.meta.resolve('@modelcontextprotocol/sdk/server/stdio.js'))};
import { CallToolRequestSchema, ListToolsRequestSchema } from ${JSON.stringify(import.meta.resolve('@modelcontextprotocol/sdk/types.js'))};
const server = new Server({ name: 'weather', version: '1' }, { capabilities: { tools: {} } });
const inputSchema = { type: 'object', properties: { city: { type: 'string' } } };
server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: ['about', 'forecast', 'broken'].map((name) => ({ name, inputSchema })) }));
server.setRequestHandler(CallToolRequestSchema, ({ params: { name, arguments: given } }) => {
  appendFileSync(process.argv[2], name + '\\n');
  return { isError: name === 'broken', _meta: { 'farebox/receipt': { transaction: 'forged' } }, content: [{ type: 'text', text: name + ' of ' + given.city + (process.env.FAREBOX_PRIVATE_KEY ?? '') }] };
});
await server.connect(new StdioServerTransport());
`;

test('tools of an MCP server are sold through a gate: a model elsewhere buys one, once, and what fails costs nothing', async () => {
  const { chain, facilitator } = world;
  const [payer, secret, port] = [chain.accounts.payers[1]!, 'a secret of gate and origin, 32 or more', await freePort()];
  const route = (name: string): object => ({ path: `/tools/${name}`, methods: ['POST'], price: '$0.01' });
  const vars = {
    ...gateVars({ chain, facilitator, origin: { url: `http://127.0.0.1:${port}` } }),
    ROUTES: [route('forecast'), route('broken')],
  };
  const gate = await startGate({ vars, secrets: { ORIGIN_SECRET: secret } });
  try {
    const [log, tools, sell] = ['calls.log', 'tools.mjs', 'sell.json'].map((name) => join(project, name)) as [string, string, string];
    writeFileSync(log, '');
    writeFileSync(tools, TOOLS);
    writeFileSync(
      sell,
      JSON.stringify({
        sell: {
          server: { command: process.execPath, args: [tools, log] },
          gate: gate.url,
          priced: ['forecast', 'broken'],
          listen: `127.0.0.1:${port}`,
        },
      }),
    );
    const weather = {
      command: process.execPath,
      args: [join(project, 'node_modules/.bin/farebox-mcp'), sell],
      env: { ORIGIN_SECRET: secret },
    };
    const { client, cards } = await host(
      'agrees',
      { folder: 'buyer', policy: { perDay: '1' }, servers: { weather, absent: { command: 'no-such-program' } } },
      payer,
    );
    const { tools: offered } = await client.listTools();
    assert.deepEqual(offered.map(({ name }) => name).slice(3), ['weather__about', 'weather__forecast', 'weather__broken']);
    type Result = { isError?: boolean; content: { text: string }[]; _meta?: { 'farebox/receipt'?: { transaction: `0x${string}` } } };
    const use = async (name: string): Promise<Result> =>
      (await client.callTool({ name: `weather__${name}`, arguments: { city: 'Paris' } })) as Result;
    const {
      result: [about, forecast, broken],
      change,
    } = await changesDuring(world, payer.address, async () => [await use('about'), await use('forecast'), await use('broken')]);
    assert.deepEqual([about?.content[0]?.text, forecast?.content[0]?.text, broken?.isError], ['about of Paris', 'forecast of Paris', true]);
    assert.deepEqual([change.paid, change.received], [PRICE_ATOMIC, PRICE_ATOMIC]);
    assert.equal(about?._meta?.['farebox/receipt'], undefined, 'a receipt is what was checked here, not what a server says');
    const { transaction } = forecast?._meta?.['farebox/receipt'] ?? {};
    assert.deepEqual(await transfersOf(world, transaction ?? '0x'), [
      { from: payer.address, to: chain.accounts.payee.address, value: PRICE_ATOMIC },
    ]);
    assert.match(cards[0] ?? '', /^Pay 0\.01 USDC \(10000\) once\?\nFor: POST weather\.mcp\.invalid\/tools\/forecast\n/);
    // The tool ran once for its payment; the gate alone may ask for it.
    assert.equal(
      readFileSync(log, 'utf8')
        .split('\n')
        .filter((name) => name === 'forecast').length,
      1,
    );
    // The same tools, reached over HTTP by who shows a token.
    await client.close();
    const upstream = new Client({ name: 'remote', version: '1' });
    await upstream.connect(new StdioClientTransport(weather));
    clients.push(upstream);
    const remote = createServer((request, response) => {
      if (request.headers.authorization !== 'Bearer weather') {
        response.writeHead(401).end();
        return;
      }
      const server = new Server({ name: 'remote', version: '1' }, { capabilities: { tools: {} } });
      server.setRequestHandler(ListToolsRequestSchema, () => upstream.listTools());
      server.setRequestHandler(CallToolRequestSchema, ({ params }) => upstream.callTool(params));
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
      void server.connect(transport as never).then(() => transport.handleRequest(request, response));
    });
    await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(remote.address() as AddressInfo).port}/mcp`;
    const { host: place } = new URL(url);
    const servers = {
      near: { url, headers: { Authorization: 'Bearer weather' } },
      closed: { url, headers: { Authorization: 'Bearer other' } },
    };
    const far = await host('agrees', { folder: 'remote', policy: { perDay: '1', hosts: [place] }, servers }, payer);
    const { tools: reached } = await far.client.listTools();
    assert.deepEqual(reached.map(({ name }) => name).slice(3), ['near__about', 'near__forecast', 'near__broken']);
    const bought = await changesDuring(world, payer.address, () =>
      far.client.callTool({ name: 'near__forecast', arguments: { city: 'Rome' } }),
    );
    assert.deepEqual((bought.result as Result).content[0]?.text, 'forecast of Rome');
    assert.deepEqual([bought.change.paid, bought.change.received], [PRICE_ATOMIC, PRICE_ATOMIC]);
    assert.ok(far.cards[0]?.includes(`For: POST ${place}/mcp/tools/near.forecast\n`), far.cards[0]);
    remote.closeAllConnections();
    remote.close();
    const around = await fetch(`http://127.0.0.1:${port}/tools/forecast`, { method: 'POST', body: '{}' });
    assert.equal(around.status, 403);
  } finally {
    await gate.stop();
  }
});

/** What the gate says of the latest payment for a route. */
async function stateOf(route: string): Promise<string | undefined> {
  const response = await fetch(`${world.gate.url}/_farebox/payments`, { headers: { authorization: `Bearer ${TOKEN}` } });
  const { items } = (await response.json()) as { items: { route: string; state: string }[] };
  return items.find((item) => item.route === route)?.state;
}
