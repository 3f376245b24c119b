/**
 * Sells tools of an MCP server through a gate. A call of a priced tool is a POST to the gate's
 * `/tools/<name>`; the gate takes the payment and asks this process, its origin, for the result. So
 * claims, settlement, receipts and refunds are the gate's, and no payment is decided here.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';

import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { CallToolRequestSchema, type CallToolResult, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { decodeHeader, encodeHeader } from 'farebox';
import { fareboxVersion } from 'farebox/agent';

import { ConfigError, listenOf, type SellConfig } from './config.js';
import { ANSWER_MS, type Asked, called, toolsOf } from './others.js';

/** Members of `_meta`. Spec: x402 v2, MCP transport. */
const PAYMENT = 'x402/payment';
const SETTLEMENT = 'x402/payment-response';
/** Where clients of Cloudflare's agents look for the terms; they send the payment as base64. */
const ASKED = 'x402/error';
const BASE64 = /^[A-Za-z0-9+/]{1,65536}={0,2}$/;
const MAX_BODY_BYTES = 1024 * 1024;

/** Who buys, where the process serves more than one client: the gate counts by it, if it believes this process (`--trust-proxy`). */
export type Buyer = { readonly address?: string };

/** A server whose priced tools ask for a payment, in the form of x402. */
export function createSellingServer({ gate, priced }: Pick<SellConfig, 'gate' | 'priced'>, upstream: Asked, buyer: Buyer = {}): Server {
  const server = new Server({ name: 'farebox-mcp', version: fareboxVersion }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, async () => ({
    // A result that asks for a payment does not have the declared form.
    tools: (await toolsOf(upstream)).map(({ outputSchema, ...tool }) =>
      priced.includes(tool.name) || outputSchema === undefined ? tool : { ...tool, outputSchema },
    ),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const { name, arguments: given = {}, _meta: meta = {} } = params;
    if (!priced.includes(name)) return called(upstream, { name, arguments: given });
    return sold(gate, { name, given, payment: meta[PAYMENT] }, buyer);
  });
  return server;
}

type Bought = { readonly name: string; readonly given: Record<string, unknown>; readonly payment: unknown };

/** One call, through the gate. */
async function sold(gate: string, { name, given, payment }: Bought, { address }: Buyer): Promise<CallToolResult> {
  const headers = {
    'content-type': 'application/json',
    ...(payment === undefined ? {} : { 'payment-signature': headerOf(payment) }),
    ...(address === undefined ? {} : { 'x-forwarded-for': address }),
  };
  const url = `${gate.replace(/\/+$/, '')}/tools/${encodeURIComponent(name)}`;
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify(given),
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch {
    return failed({ code: 'gate_unreachable', message: 'The gate does not answer. If a payment went along, send the same one again.' });
  }
  const terms = response.headers.get('payment-required');
  const settlement = response.headers.get('payment-response');
  const settles = settlement === null ? {} : { [SETTLEMENT]: withoutReceipt(decodeHeader(settlement)) };
  const _meta = settlement === null ? {} : { _meta: settles };
  const text = await response.text();
  if (response.ok) return { ...(JSON.parse(text) as CallToolResult), ..._meta };
  if (response.status === 402 && terms !== null) {
    const asked = withoutReceipt(decodeHeader(terms));
    const content: CallToolResult['content'] = [{ type: 'text', text: JSON.stringify(asked) }];
    return { isError: true, structuredContent: asked, content, _meta: { ...settles, [ASKED]: asked } };
  }
  return { ...failed(problemOf(text, response.status)), ..._meta };
}

/** A payment as the gate reads it. */
function headerOf(payment: unknown): string {
  return typeof payment === 'string' && BASE64.test(payment) ? payment : encodeHeader(payment);
}

/** Terms or a settlement without the signed receipt, which names the gate's URL and not the tool that was called. */
function withoutReceipt(message: unknown): Record<string, unknown> {
  const { extensions = {}, ...rest } = message as { extensions?: Record<string, unknown> };
  const { 'offer-receipt': _, ...others } = extensions;
  return Object.keys(others).length === 0 ? rest : { ...rest, extensions: others };
}

function failed(problem: object): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: JSON.stringify(problem) }] };
}

function problemOf(text: string, status: number): object {
  try {
    return { status, ...(JSON.parse(text) as object) };
  } catch {
    return { status };
  }
}

/** The origin behind the gate: runs a tool for a request that the gate has signed, and for no other. */
export async function listenForGate(
  { listen = '127.0.0.1:8403', priced }: Pick<SellConfig, 'listen' | 'priced'>,
  secret: string,
  upstream: Asked,
): Promise<HttpServer> {
  if (secret.length < 32) throw new ConfigError('ORIGIN_SECRET has at least 32 characters');
  const server = createServer((request, response) => {
    run(request, response, secret, priced, upstream).catch(() => {
      answer(response, 500, { error: 'the tool failed' });
    });
  });
  const { host, port } = listenOf(listen);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}

async function run(
  request: IncomingMessage,
  response: ServerResponse,
  secret: string,
  priced: readonly string[],
  upstream: Asked,
): Promise<void> {
  if (!isFromGate(request, secret)) return answer(response, 403, { error: 'ask the gate' });
  // A gate forwards what it has no route for, or lets an API key pass: the first one was paid by nobody.
  if (!['farebox-payment', 'farebox-client'].some((name) => request.headers[name]))
    return answer(response, 403, { error: `the gate has no price for ${request.method} ${request.url}` });
  const name = decodeURIComponent(/^\/tools\/([^/?]+)$/.exec(request.url ?? '')?.[1] ?? '');
  if (request.method !== 'POST' || !priced.includes(name)) return answer(response, 404, { error: 'no such tool' });
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return answer(response, 413, { error: 'too long' });
    parts.push(part as Buffer);
  }
  const given = JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>;
  const result = await called(upstream, { name, arguments: given });
  // What failed is not paid for.
  answer(response, result.isError === true ? 502 : 200, result);
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  if (!response.headersSent) response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Whether the gate signed it, within five minutes. Spec: docs/origin.md, "Refuse requests that bypass the gate". */
function isFromGate({ method, url, headers }: IncomingMessage, secret: string): boolean {
  const [, at = '', mark = ''] = /^t=(\d{1,12}),v2=([0-9a-f]{64})$/.exec(String(headers['farebox-signature-v2'])) ?? [];
  if (at === '' || Math.abs(Date.now() / 1000 - Number(at)) > 300) return false;
  const told = ['payment', 'amount', 'asset', 'network', 'transaction'].map((name) => headers[`farebox-${name}`] ?? '');
  const signed = [at, method, url, headers['farebox-payer'] ?? headers['farebox-client'] ?? '', ...told].join('\n');
  return timingSafeEqual(createHmac('sha256', secret).update(signed).digest(), Buffer.from(mark, 'hex'));
}
