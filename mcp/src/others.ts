/** Other MCP servers: how they are reached, and what tools they have. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { DEFAULT_REQUEST_TIMEOUT_MSEC } from '@modelcontextprotocol/sdk/shared/protocol.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type CallToolRequest,
  type CallToolResult,
  CallToolResultSchema,
  ErrorCode,
  ListToolsResultSchema,
  McpError,
  type Tool,
} from '@modelcontextprotocol/sdk/types.js';
import { fareboxVersion } from 'farebox/agent';

import { headersOf, type RemoteConfig, type ServerConfig } from './config.js';

/** What answers requests: a client, or a server that is reached again. */
export type Asked = Pick<Client, 'request'>;

/** A client, the requests that it has under way, and whether no more are made of it. */
type Connection = { readonly client: Promise<Client>; asks: number; isOver: boolean };

/** Another server: the next request starts its program again once that has ended or hangs, and one for a session that it has forgotten opens another one. */
export class Reached implements Asked {
  readonly #server: ServerConfig;
  #connection: Connection | undefined;

  constructor(server: ServerConfig) {
    this.#server = server;
  }

  /** Waits until it is connected. */
  async connected(): Promise<void> {
    await this.#connected().client;
  }

  readonly request: Asked['request'] = async (request, schema, options) => {
    const connection = this.#connected();
    const until = Date.now() + (options?.timeout ?? DEFAULT_REQUEST_TIMEOUT_MSEC);
    let session: string | undefined;
    const ask = (client: Client) => {
      session = client.transport?.sessionId;
      return client.request(request, schema, options);
    };
    try {
      return await this.#ask(connection, ask);
    } catch (error) {
      // Nobody ran what came for a session that is over: it is asked for once more. Spec: MCP, "Session Management".
      if (session !== undefined && error instanceof StreamableHTTPError && error.code === 404) return this.#ask(this.#connected(), ask);
      if (isLate(error) && 'command' in this.#server) this.#look(connection, until);
      throw error;
    }
  };

  async #ask<T>(connection: Connection, ask: (client: Client) => Promise<T>): Promise<T> {
    connection.asks += 1;
    try {
      return await ask(await connection.client);
    } catch (error) {
      if (error instanceof StreamableHTTPError) this.#leave(connection);
      throw error;
    } finally {
      connection.asks -= 1;
      // What others have under way is answered first.
      if (connection.isOver && connection.asks === 0) await ended(connection);
    }
  }

  /** Leaves a program that answers nothing any more. One whose caller did not wait has the time that it was given. */
  #look(connection: Connection, until: number): void {
    const timeout = Math.max(until - Date.now(), 0) + LIVES_MS;
    const isAlive = async (client: Client): Promise<void> => {
      await client.ping({ timeout }).catch((error: unknown) => {
        if (isLate(error)) this.#leave(connection);
      });
    };
    // It is closed as it may be: nobody waits for that.
    this.#ask(connection, isAlive).catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.#connection !== undefined) await ended(this.#connection);
  }

  #connected(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    const made: Connection = { client: connect(this.#server), asks: 0, isOver: false };
    this.#connection = made;
    const leave = (): void => this.#leave(made);
    made.client.then((client) => {
      client.onclose = leave;
    }, leave);
    return made;
  }

  #leave(connection: Connection): void {
    connection.isOver = true;
    if (this.#connection === connection) this.#connection = undefined;
  }
}

/** Whether no answer came in time, or its caller did not wait for one. */
function isLate(error: unknown): boolean {
  return error instanceof McpError && error.code === (ErrorCode.RequestTimeout as number);
}

function ended({ client }: Connection): Promise<void> {
  return client.then(
    (it) => it.close(),
    () => undefined,
  );
}

/** A client of another server. It gets no secret of this one. */
async function connect(server: ServerConfig): Promise<Client> {
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
export async function toolsOf(client: Asked): Promise<Tool[]> {
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
export async function called(client: Asked, params: CallToolRequest['params'], signal?: AbortSignal): Promise<CallToolResult> {
  const options = { timeout: ANSWER_MS, ...(signal === undefined ? {} : { signal }) };
  return client.request({ method: 'tools/call', params }, CallToolResultSchema, options);
}

/** How long an answer may take, milliseconds. */
export const ANSWER_MS = 120_000;
/** How long a program that was late may take to say that it lives, milliseconds. */
const LIVES_MS = 5_000;
