/** Other MCP servers: how they are reached, and what tools they have. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { fareboxVersion } from 'farebox/agent';

import type { ServerConfig } from './config.js';

/** A client of another server, started as a program. It gets no secret of this one. */
export async function connect({ command, args = [], env = {} }: ServerConfig): Promise<Client> {
  const client = new Client({ name: 'farebox-mcp', version: fareboxVersion });
  await client.connect(
    new StdioClientTransport({ command, args: [...args], env: { ...getDefaultEnvironment(), ...env }, stderr: 'inherit' }),
  );
  return client;
}

/** Every tool of a server. */
export async function toolsOf(client: Client): Promise<Tool[]> {
  const found: Tool[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    pages += 1;
    const page = await client.listTools(cursor === undefined ? {} : { cursor });
    found.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined && found.length < MOST_TOOLS && pages < MOST_TOOLS);
  return found.slice(0, MOST_TOOLS);
}

const MOST_TOOLS = 500;
