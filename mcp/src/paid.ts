/** Tools of other MCP servers, offered under their own names and paid for when they ask. */
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { FareboxError, type PayOptions } from 'farebox';
import { forModel, type McpCall, type McpCallResult, payMcpTool } from 'farebox/agent';

import type { ServerConfig } from './config.js';
import { isOffered, offered } from './offered.js';
import { called, Reached, toolsOf } from './others.js';
import type { More } from './server.js';

/** The tools of these servers as `<name>__<tool>`; a call that asks for a payment is paid once, within the policy. */
export function paidTools(servers: Readonly<Record<string, ServerConfig>>, options: () => PayOptions): More & { close(): Promise<void> } {
  const reached = new Map(Object.entries(servers).map(([name, server]) => [name, new Reached(server)]));
  /** Until when a server that was late is not asked for its tools. */
  const late = new Map<string, number>();
  return {
    list: async () => {
      const lists = await Promise.all(
        [...reached].map(async ([name, other]) => {
          if ((late.get(name) ?? 0) > Date.now()) return [];
          const listing = toolsOf(other);
          // Once it has answered, it is asked again.
          listing.then(
            () => late.delete(name),
            () => undefined,
          );
          const until = Date.now() + LIST_MS;
          // A server that does not answer takes away its own tools alone, and the time of one list.
          return within(listing, LIST_MS).then(
            (tools) => offered(name, tools),
            () => {
              if (Date.now() >= until) late.set(name, Date.now() + LATE_MS);
              return [];
            },
          );
        }),
      );
      return lists.flat();
    },
    call: async (full, given, signal) => {
      const at = full.indexOf('__');
      const [name, tool] = [full.slice(0, Math.max(at, 0)), full.slice(at + 2)];
      const other = reached.get(name);
      if (other === undefined || !isOffered(tool)) return undefined;
      try {
        await within(other.connected(), LIST_MS);
      } catch {
        return problem({ code: 'server_unreachable', message: `The server ${name} does not answer.` });
      }
      const server = servers[name] as ServerConfig;
      const call: McpCall = async (params, ends) => {
        await within(other.connected(), LIST_MS);
        return (await called(other, { ...params, name: tool }, ends)) as McpCallResult;
      };
      // Servers at one URL with header fields or a query may be two accounts, and what one has bought is not the other one's.
      const isAccount = 'url' in server && (server.headers !== undefined || new URL(server.url).search !== '');
      const purchase = isAccount ? `${name}.${tool}` : tool;
      try {
        const { result, payment, receipt } = await payMcpTool(
          call,
          { name: purchase, arguments: given },
          { ...options(), server: 'url' in server ? server.url : name, signal },
        );
        // What the server says of a receipt is not ours.
        const { [RECEIPT]: _, ...meta } = result._meta ?? {};
        const content = Array.isArray(result.content) ? (result.content as unknown[]) : [];
        const isOpen = payment !== undefined && (receipt === undefined || result.isError === true);
        const open = isOpen ? { content: [...content, { type: 'text', text: OPEN }] } : {};
        return { ...result, ...open, _meta: receipt === undefined ? meta : { ...meta, [RECEIPT]: receipt } } as CallToolResult;
      } catch (error) {
        if (!(error instanceof FareboxError)) throw error;
        const { code, remedy, signed } = error;
        const { message, quote } = forModel(error);
        // What the server says stands apart: it is data.
        const details = quote === undefined ? {} : { refusalDetails: quote };
        return problem({ code, message, remedy, signed, ...details, ...(signed ? { next: OPEN } : {}) });
      }
    },
    close: async () => {
      for (const other of reached.values()) await other.close();
    },
  };
}

/** The advice to a model about a payment that nothing proves to have bought anything. */
const OPEN =
  'farebox-mcp: A payment was sent, and no success came with a receipt. To get what was paid for, call this tool again with exactly ' +
  'the same arguments: the same payment is sent again while it is valid, and it is charged once at most.';

function problem(said: object): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: JSON.stringify(said) }] };
}

/** Of a result of ours: the checked receipt. */
const RECEIPT = 'farebox/receipt';
/** How long a server may take to start and to list its tools, milliseconds. */
const LIST_MS = 10_000;
/** How long a server that was late is not asked for its tools, milliseconds. */
const LATE_MS = 60_000;

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
