#!/usr/bin/env node
/** `farebox-mcp [config.json]`: a server over stdio, for the host that starts it. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { FareboxError, type PayOptions } from 'farebox';
import { AgentHarness, type AgentHarnessClient, createAgentPayClient, createLocalAgentClient, fareboxVersion } from 'farebox/agent';
import { fileStore } from 'farebox/file-store';

import { agentKey, type Config, ConfigError, folderOf, privateKey, readConfig, shown, type TreasuryConfig } from './config.js';
import { findTool, together } from './find.js';
import { take } from './lock.js';
import { ANSWER_MS, Reached } from './others.js';
import { paidTools } from './paid.js';
import { createSellingServer, listenForGate } from './sell.js';
import { askThrough, CANNOT_ASK, canAsk, createAgentServer, type TellReview } from './server.js';

const HELP = `farebox-mcp ${fareboxVersion}: lets a model pay over MCP, within your limits

  farebox-mcp [FILE]        FILE has wallet or treasury, policy, ask, folder, find, servers and sell [~/.farebox/mcp.json]
  --version, --help

Without a file it pays with FAREBOX_PRIVATE_KEY, at most 1.00 per payment and 10 a day, and asks for each payment.
`;

async function main([word]: string[]): Promise<void> {
  if (word === '--help') return void process.stdout.write(HELP);
  if (word === '--version') return void process.stdout.write(`${fareboxVersion}\n`);
  const usual = join(homedir(), '.farebox', 'mcp.json');
  const file = resolve(word ?? usual);
  const config = word === undefined && !existsSync(usual) ? { folder: join(homedir(), '.farebox') } : readConfig(file);
  const server = 'sell' in config && config.sell !== undefined ? await selling(config.sell) : await paying(config, file);
  await server.connect(new StdioServerTransport());
}

async function paying(config: Config & { readonly folder: string }, file: string): Promise<Server> {
  if (config.treasury !== undefined) return payingBy(config.treasury, config);
  const [policy, store] = [config.policy ?? {}, fileStore(folderOf(config, 'budget'))];
  const options: PayOptions = {
    signer: privateKey(config, file),
    policy,
    timeoutMs: ANSWER_MS,
    store,
    ...(config.ask === 'never' ? {} : { confirm: askThrough(() => server) }),
  };
  const harness = await harnessOf(createLocalAgentClient({ ...options, sent: fileStore(folderOf(config, 'sent')) }), config);
  const others = config.servers === undefined ? undefined : paidTools(config.servers, () => options);
  const place = findOptions(config);
  const finds = place === undefined ? undefined : findTool({ ...place, policy, store });
  const parts = [finds, others].filter((part) => part !== undefined);
  const server: Server = createAgentServer({ harness: () => harness, more: together(parts) });
  server.onclose = () => {
    void others?.close();
  };
  server.oninitialized = () => {
    if (config.ask !== 'never' && !canAsk(server)) process.stderr.write(`farebox-mcp: ${CANNOT_ASK}\n`);
  };
  return server;
}

/** Whose bazaar is asked, if the file wants a tool that finds. */
function findOptions({ find = false }: Config): { readonly facilitator?: string } | undefined {
  if (typeof find !== 'boolean') return find;
  return find ? {} : undefined;
}

/** A server whose treasury decides, signs and asks a person; here is no key of a wallet. */
async function payingBy(treasury: TreasuryConfig, config: Config & { readonly folder: string }): Promise<Server> {
  const { url, organization, agent } = treasury;
  const client = createAgentPayClient({
    controlPlaneBaseUrl: url,
    organization,
    agent,
    auth: { type: 'bootstrapKey', bootstrapKey: agentKey(treasury) },
    policy: config.policy ?? {},
    timeoutMs: ANSWER_MS,
  });
  const harness = await harnessOf(client, config);
  // No command is named: where the person is it may be another folder's, and would have the operator's token.
  const review: TellReview = (id) =>
    `A person of ${organization} decides on this payment, and nothing is paid before. Tell them: review ${id}, at ${url.replace(/\/$/, '')}/desk/. Once ` +
    `they have approved it, prepare the same request again and execute that: it is the same purchase.`;
  return createAgentServer({ harness: () => harness, review });
}

/** The three tools over this client. What an earlier process was executing may be executed again, as the same purchase. */
async function harnessOf(client: AgentHarnessClient, config: { readonly folder: string }): Promise<AgentHarness> {
  const harness = new AgentHarness({
    client,
    ...(take(join(folderOf(config, '.'), 'prepared.pid')) ? { store: fileStore(folderOf(config, 'prepared')) } : {}),
  });
  await harness.restore();
  return harness;
}

async function selling({ server: command, secretEnv = 'ORIGIN_SECRET', ...config }: NonNullable<Config['sell']>): Promise<Server> {
  const secret = process.env[secretEnv];
  if (secret === undefined)
    throw new ConfigError(`the environment variable ${shown(secretEnv)} has no secret; it is the gate's ORIGIN_SECRET`);
  const upstream = new Reached(command);
  // One that cannot start is told of here, and not to the first buyer.
  await upstream.connected();
  const origin = await listenForGate(config, secret, upstream);
  const server = createSellingServer(config, upstream);
  server.onclose = () => {
    origin.close();
    void upstream.close();
  };
  return server;
}

process.on('SIGTERM', () => process.exit());
process.on('SIGINT', () => process.exit());
process.stdin.on('close', () => process.exit());
await main(process.argv.slice(2)).catch((error: unknown) => {
  // Neither shows what a setting holds: it may be a misplaced key.
  const said =
    error instanceof ConfigError ? error.message : error instanceof FareboxError ? `${error.code}: ${error.message}` : 'it cannot start';
  process.stderr.write(`farebox-mcp: ${said}\n`);
  process.exit(2);
});
