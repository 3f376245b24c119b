/** Other MCP servers: how they are reached, and what tools they have. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type CallToolRequest,
  type CallToolResult,
  CallToolResultSchema,
  ListToolsResultSchema,
  type Tool,
} from '@modelcontextprotocol/sdk/types.js';
import { fareboxVersion } from 'farebox/agent';

import { headersOf, type RemoteConfig, type ServerConfig } from './config.js';

/** A client of another server. It gets no secret of this one. */
export async function connect(server: ServerConfig): Promise<Client> {
  const client = new Client({ name: 'farebox-mcp', version: fareboxVersion });
  await client.connect(transportTo(server));
  return client;
}

function transportTo(server: ServerConfig): Transport {
  if ('url' in server) return remote(server) as Transport;
  const { command, args = [], env = {} } = server;
  return new StdioClientTransport({ command, args: [...args], env: { ...getDefaultEnvironment(), ...env }, stderr: 'inherit' });
}

/** The header fields are for this host: no request, of whatever method, follows a redirect. What is answered has an end in bytes. */
function remote(server: RemoteConfig): StreamableHTTPClientTransport {
  const transport: StreamableHTTPClientTransport = new StreamableHTTPClientTransport(new URL(server.url), {
    requestInit: { headers: headersOf(server) },
    fetch: async (url, init): Promise<Response> => {
      const response = await fetch(url, { ...init, redirect: 'error' });
      // A request whose answer is too long fails at once; the stream of notices is opened again.
      return bounded(response, () => (init?.method === 'GET' ? undefined : transport.close()));
    },
  });
  return transport;
}

/** Bytes of an answer, and of a list over all of its pages. */
const MOST_BYTES = 8 * 1024 * 1024;

/** The same answer, which breaks off where it becomes too long. */
function bounded(response: Response, isTooLong: () => unknown): Response {
  if (response.body === null) return response;
  let bytes = 0;
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(part, controller) {
        bytes += part.length;
        if (bytes <= MOST_BYTES) return controller.enqueue(part);
        controller.error(new Error('the answer is too long'));
        void isTooLong();
      },
    }),
  );
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

/** Every tool of a server. Schemas are another's text: none of them is compiled here, since a pattern in one may never end. */
export async function toolsOf(client: Client): Promise<Tool[]> {
  const found: Tool[] = [];
  let cursor: string | undefined;
  let [pages, size] = [0, 0];
  do {
    pages += 1;
    const page = await client.request({ method: 'tools/list', params: cursor === undefined ? {} : { cursor } }, ListToolsResultSchema);
    size += JSON.stringify(page).length;
    found.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor !== undefined && found.length < MOST_TOOLS && pages < MOST_TOOLS && size < MOST_BYTES);
  return found.slice(0, MOST_TOOLS);
}

const MOST_TOOLS = 500;

/** Calls a tool, and gives what it answers: whether that has the declared form is for who reads it. */
export async function called(client: Client, params: CallToolRequest['params'], signal?: AbortSignal): Promise<CallToolResult> {
  return client.request({ method: 'tools/call', params }, CallToolResultSchema, signal === undefined ? {} : { signal });
}
