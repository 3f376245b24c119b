/** Other MCP servers: how they are reached, and what tools they have. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { fareboxVersion } from 'farebox/agent';

import { headersOf, type ServerConfig } from './config.js';

/** A client of another server. It gets no secret of this one. */
export async function connect(server: ServerConfig): Promise<Client> {
  const client = new Client({ name: 'farebox-mcp', version: fareboxVersion });
  await client.connect(transportTo(server));
  return client;
}

function transportTo(server: ServerConfig): Transport {
  if ('url' in server)
    return new StreamableHTTPClientTransport(new URL(server.url), {
      requestInit: { headers: headersOf(server) },
      fetch: staying,
    }) as Transport;
  const { command, args = [], env = {} } = server;
  return new StdioClientTransport({ command, args: [...args], env: { ...getDefaultEnvironment(), ...env }, stderr: 'inherit' });
}

/** The header fields are for this host: no request of the transport, of whatever method, follows a redirect. */
async function staying(url: string | URL, init?: RequestInit): Promise<Response> {
  return fetch(url, { ...init, redirect: 'error' });
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
