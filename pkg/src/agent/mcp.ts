/** Tools of other MCP servers that ask for a payment: read, paid and answered as requests over HTTP are. */
import * as cards from '#cards-wasm';

import { FareboxError, type SentPayment, unusable } from '../error.js';
import { wrapFetch } from '../fetch.js';
import { membersOf } from '../members.js';
import type { PayOptions, Receipt } from '../options.js';
import { paymentOf, receiptOf } from '../receipts.js';
import { resuming } from '../resume.js';
import { storeOf } from './signer-store.js';

/** Keeps a tool with its arguments as one purchase until its receipt. */
const resumeTool = resuming(() => false, true);

/** The parameters of `tools/call`. */
export type McpCallParams = { name: string; arguments?: Record<string, unknown>; _meta?: Record<string, unknown> };
/** The result of `tools/call`. */
export type McpCallResult = {
  isError?: boolean;
  structuredContent?: unknown;
  content?: unknown;
  _meta?: Record<string, unknown>;
  [member: string]: unknown;
};
/** Calls a tool: `callTool` of an MCP client. An error of JSON-RPC is thrown, with its `code` and `data`. */
export type McpCall = (params: McpCallParams, signal?: AbortSignal) => Promise<McpCallResult>;
/** Whether an answer of a tool asks for a payment, and its terms as header fields and body of a 402. */
export type McpPayment = { readonly asks: boolean; readonly headers: Readonly<Record<string, string>>; readonly body: string };
/**
 * A tool's result, the payment that was sent for it, and the settlement if the result proves one. A payment without a receipt, or for
 * which the tool failed (`isError`), is open: the next call of the tool with the same arguments sends it again.
 */
export type McpPaid = { readonly result: McpCallResult; readonly payment?: SentPayment; readonly receipt?: Receipt };

/**
 * The payment that a tool's answer asks for: x402 in a result with `isError`, or MPP in an error with the code -32042. `answer` is the
 * result, or what the call threw.
 */
export function readMcpPayment(answer: unknown): McpPayment {
  const { asks, headers, body } = JSON.parse(cards.mcpAnswer(messageOf(answer))) as {
    asks: boolean;
    headers: [string, string][];
    body: string;
  };
  const fields = new Headers(headers);
  return { asks, headers: Object.fromEntries(fields), body };
}

/**
 * The URL that stands for a tool, under which policy, budget and records know it. `server` is the server's URL, of which query and
 * user, where keys stand, are left out, or for one without a URL a name of your own (1 to 63 letters, digits, `.`, `-`, `_`; case
 * does not count), whose host is `<name>.mcp.invalid`. Another name, and a tool whose name no path can hold (`.`, `..` or none),
 * are the error `invalid_argument`.
 */
export function mcpToolUrl(server: string, tool: string): string {
  if (/^\.{0,2}$/.test(tool)) throw unusable('invalid_argument', 'the name of the tool is empty or of dots alone', 'call another tool');
  const isUrl = /^https?:\/\//i.test(server);
  // Two names that became one host would share what is signed.
  if (!isUrl && !/^[\w.-]{1,63}$/.test(server))
    throw unusable('invalid_argument', 'the name of a server has 1 to 63 letters, digits, dots, hyphens and underscores', 'name it so');
  const base = isUrl ? placeOf(new URL(server)) : `https://${server.toLowerCase()}.mcp.invalid`;
  return `${base}/tools/${encodeURIComponent(tool)}`;
}

const placeOf = ({ origin, pathname }: URL): string => `${origin}${pathname.replace(/\/+$/, '')}`;

/**
 * A `fetch` that calls tools: a POST to {@link mcpToolUrl} with the arguments as JSON. A payment goes into `_meta`, what a tool
 * asks for is a 402, and a failure of a tool that was paid is a 422, with its result as text. So all that pays over HTTP pays tools
 * as well: `wrapFetch`, `createLocalAgentClient`, the desk.
 */
export function mcpFetch(call: McpCall): typeof fetch {
  return async (input, init) => {
    const { pathname } = new URL(String(input instanceof Request ? input.url : input));
    const [, tool] = /\/tools\/([^/]+)$/.exec(pathname) ?? [];
    if (tool === undefined) throw unusable('invalid_argument', 'the URL stands for no tool', 'pass one of mcpToolUrl');
    const name = decodeURIComponent(tool);
    const text = init?.body ?? '';
    const given = typeof text === 'string' && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : undefined;
    const _meta: Record<string, unknown> = {};
    for (const [field, value] of new Headers(init?.headers)) {
      const member = cards.mcpMeta(field, value);
      if (member === undefined) continue;
      const [key, payment] = JSON.parse(member) as [string, unknown];
      _meta[key] = isReadAsText(payment) ? value : payment;
    }
    const params = { name, ...(given === undefined ? {} : { arguments: given }), ...(Object.keys(_meta).length === 0 ? {} : { _meta }) };
    let result: McpCallResult;
    try {
      result = await call(params, init?.signal ?? undefined);
    } catch (error) {
      const { asks, headers, body } = readMcpPayment(error);
      if (!asks) throw error;
      return answer(402, headers, body);
    }
    const { asks, headers, body } = readMcpPayment(result);
    if (asks) return answer(402, headers, body);
    // Whatever receipt is beside it: a payment is over with what it bought.
    const hasFailed = result.isError === true && Object.keys(_meta).length > 0;
    return hasFailed ? answer(422, headers, JSON.stringify(result), 'text/plain') : answer(200, headers, JSON.stringify(result));
  };
}

/** Whether a payment is for a server that reads it as base64: Cloudflare's agents, whose resources begin so. */
function isReadAsText(payment: unknown): boolean {
  const { resource } = (payment ?? {}) as { readonly resource?: { readonly url?: unknown } };
  return String(resource?.url ?? '').startsWith('x402://');
}

/**
 * Calls a tool, and pays once if it asks for that, within the policy. Its free result comes without any payment. A call for whose
 * payment no success with a receipt came is continued by the next one with the same server, tool and arguments: in every process with this
 * `store`, or without one in this process, for this `signer`. A `key` names the purchase as `Idempotency-Key` does over HTTP: another key is
 * another purchase. The server does not see it. An abort of `signal` before anything is signed signs nothing.
 */
export async function payMcpTool(
  call: McpCall,
  params: McpCallParams,
  options: PayOptions & { readonly server: string; readonly key?: string | undefined; readonly signal?: AbortSignal | undefined },
): Promise<McpPaid> {
  const { server, key, signal, store = storeOf(options.signer), ...pay } = options;
  const { name, arguments: given = {}, _meta: own } = params;
  // What a tool fails with is thrown as it was.
  let failed: { readonly error: unknown } | undefined;
  const fetch = wrapFetch(
    mcpFetch(async (asked, ends) => {
      const meta = { ...own, ...asked._meta };
      failed = undefined;
      try {
        // The name that was given, and not what its URL makes of it.
        return await call({ ...asked, name, ...(Object.keys(meta).length === 0 ? {} : { _meta: meta }) }, ends);
      } catch (error) {
        failed = { error };
        throw error;
      }
    }),
    { ...pay, store, resume: resumeTool, acceptPayment: false },
  );
  try {
    const response = await fetch(mcpToolUrl(server, name), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
      body: JSON.stringify(given),
      ...(signal === undefined ? {} : { signal }),
    });
    const result = (await response.json()) as McpCallResult;
    const [payment, receipt] = [paymentOf(response), receiptOf(response)];
    return { result, ...(payment === undefined ? {} : { payment }), ...(receipt === undefined ? {} : { receipt }) };
  } catch (error) {
    if (!(error instanceof FareboxError) && failed !== undefined && signal?.aborted !== true) throw failed.error;
    throw error;
  }
}

/**
 * Arguments in the types that a tool's `inputSchema` declares: the text `3` becomes a number where one is declared. A number that
 * JavaScript cannot hold exactly stays text, for the tool to read or refuse.
 */
export function mcpArguments(given: Readonly<Record<string, unknown>>, inputSchema: unknown): Record<string, unknown> {
  const exact = JSON.stringify(given, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
  return JSON.parse(cards.mcpArguments(exact, JSON.stringify(inputSchema ?? null))) as Record<string, unknown>;
}

function answer(status: number, headers: Readonly<Record<string, string>>, body: string, type = 'application/json'): Response {
  return new Response(body, { status, headers: { ...headers, 'content-type': type } });
}

/** A result or an error as a message of JSON-RPC. */
function messageOf(answer: unknown): string {
  if (answer instanceof Error) {
    const { code, message, data } = answer as { code?: unknown; message: string; data?: unknown };
    return textOf({ error: { code, message, data } });
  }
  const { result, error } = membersOf(answer);
  return textOf(result !== undefined || error !== undefined ? answer : { result: answer });
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}
