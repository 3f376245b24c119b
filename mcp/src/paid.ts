/** Tools of other MCP servers, offered under their own names and paid for when they ask. */
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { FareboxError, type PayOptions } from 'farebox';
import { type McpCall, type McpCallResult, payMcpTool } from 'farebox/agent';

import type { ServerConfig } from './config.js';
import { called, connect, toolsOf } from './others.js';
import type { More } from './server.js';

/** The tools of these servers as `<name>__<tool>`; a call that asks for a payment is paid once, within the policy. */
export function paidTools(servers: Readonly<Record<string, ServerConfig>>, options: () => PayOptions): More & { close(): Promise<void> } {
  const clients = new Map<string, Promise<Client>>();
  const clientOf = (name: string): Promise<Client> => {
    const known = clients.get(name);
    if (known !== undefined) return known;
    const made = connect(servers[name] as ServerConfig);
    clients.set(name, made);
    const forget = (): void => {
      if (clients.get(name) === made) clients.delete(name);
    };
    // A program that has ended is started again by the next call.
    made.then((client) => {
      client.onclose = forget;
    }, forget);
    return made;
  };
  return {
    list: async () => {
      const lists = await Promise.all(
        Object.keys(servers).map(async (name) => {
          // A server that does not answer takes away its own tools alone.
          const found = await within(clientOf(name).then(toolsOf), LIST_MS).catch(() => []);
          // Results that ask for a payment do not have the declared form.
          return found
            .filter((tool) => /^[\w.-]{1,100}$/.test(tool.name))
            .map(({ name: tool, description = '', inputSchema }) => ({
              name: `${name}__${tool}`,
              description: `The server ${name} says of it: ${told(description, MOST_TEXT) || 'nothing'}\n\nMay cost money: it is paid once, if the policy allows it and a person agrees. After a failure, call it again with exactly the same arguments: that continues the same purchase.`,
              inputSchema: schemaOf(inputSchema) as typeof inputSchema,
            }));
        }),
      );
      return lists.flat();
    },
    call: async (full, given, signal) => {
      const at = full.indexOf('__');
      const name = full.slice(0, Math.max(at, 0));
      if (!Object.hasOwn(servers, name)) return undefined;
      try {
        await within(clientOf(name), LIST_MS);
      } catch {
        return problem({ code: 'server_unreachable', message: `The server ${name} does not answer.` });
      }
      const server = servers[name] as ServerConfig;
      const call: McpCall = async (params, ends) => {
        const client = await within(clientOf(name), LIST_MS);
        try {
          return (await called(client, params, ends)) as McpCallResult;
        } catch (error) {
          // A remote server may have forgotten the session: the next call opens another one.
          if (error instanceof StreamableHTTPError) await client.close();
          throw error;
        }
      };
      try {
        const { result, payment, receipt } = await payMcpTool(
          call,
          { name: full.slice(at + 2), arguments: given },
          { ...options(), server: 'url' in server ? server.url : name, signal },
        );
        // What the server says of a receipt is not ours.
        const { [RECEIPT]: _, ...meta } = result._meta ?? {};
        const content = Array.isArray(result.content) ? (result.content as unknown[]) : [];
        const open = payment !== undefined && receipt === undefined ? { content: [...content, { type: 'text', text: OPEN }] } : {};
        return { ...result, ...open, _meta: receipt === undefined ? meta : { ...meta, [RECEIPT]: receipt } } as CallToolResult;
      } catch (error) {
        if (!(error instanceof FareboxError)) throw error;
        const { code, message, remedy, signed } = error;
        return problem({ code, message, remedy, signed, ...(signed ? { next: OPEN } : {}) });
      }
    },
    close: async () => {
      for (const client of clients.values())
        await client.then(
          (it) => it.close(),
          () => undefined,
        );
    },
  };
}

/** The advice to a model about a payment whose fate nothing proves. */
const OPEN =
  'farebox-mcp: A payment was sent, and no receipt came. To get what was paid for, call this tool again with exactly the same arguments: ' +
  'the same payment is sent again while it is valid, and it cannot be charged twice.';

function problem(said: object): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: JSON.stringify(said) }] };
}

/** Characters of a tool's description, of one in its schema, and of the schema. */
const MOST_TEXT = 1_000;
const MOST_FIELD = 400;
const MOST_SCHEMA = 50_000;

/** A text of another server on one line, without characters that hide or reorder others; what is cut is marked. */
function told(text: unknown, most: number): string {
  const visible = String(text)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, ' ')
    .replace(/\p{Cf}/gu, '')
    .trim();
  return visible.length > most ? `${visible.slice(0, most)}… (cut)` : visible;
}

/** A schema whose descriptions are bounded; one that is too large says nothing of the arguments. */
function schemaOf(schema: unknown): unknown {
  const texts = ['description', 'title', '$comment'];
  const whole = JSON.stringify(schema, (name, value: unknown) =>
    texts.includes(name) && typeof value === 'string' ? told(value, MOST_FIELD) : value,
  );
  return whole.length > MOST_SCHEMA ? { type: 'object' } : (JSON.parse(whole) as unknown);
}

/** Of a result of ours: the checked receipt. */
const RECEIPT = 'farebox/receipt';
/** How long a server may take to start and to list its tools, milliseconds. */
const LIST_MS = 10_000;

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('too late')), milliseconds);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
