/**
 * A scripted x402 facilitator.
 *
 * It keeps the exact bytes and time of every request. What it answers is scripted per payer, so that cases can run
 * side by side; without a script it verifies and settles everything, and settles one authorization only once:
 * the same payment gets the same transaction again.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { KEPT_MS } from '../../../demo/server.mjs';

export type Operation = 'verify' | 'settle';

export type FacilitatorCall = {
  readonly operation: Operation | 'supported' | 'other';
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly atMs: number;
  readonly payer: string;
  readonly nonce: string;
  readonly network: string;
};

/** What to do with one call: `fields` are merged into a good answer. */
export type Reply =
  | { readonly kind: 'good'; readonly fields?: Readonly<Record<string, unknown>>; readonly delayMs?: number }
  | { readonly kind: 'json'; readonly body: unknown; readonly status?: number; readonly delayMs?: number }
  | { readonly kind: 'raw'; readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }
  | { readonly kind: 'hang' }
  | { readonly kind: 'destroy' }
  | { readonly kind: 'drip'; readonly text: string; readonly everyMs: number }
  | { readonly kind: 'cut'; readonly text: string };

export type Script = { readonly [operation in Operation]?: Reply | readonly Reply[] };

export const TRANSACTION = /^0x[0-9a-f]{64}$/;

export class Facilitator {
  readonly url: string;
  readonly calls: FacilitatorCall[] = [];
  /** Authorizations that were settled, as `payer/nonce`. */
  readonly settled = new Set<string>();
  /** Stands before everything else: what it answers is the answer. */
  gatekeeper: ((call: FacilitatorCall) => Reply | undefined) | undefined;
  /** What it says it serves. */
  supported: Reply = kinds([{ x402Version: 2, scheme: 'exact', network: 'eip155:84532' }]);
  readonly #server: Server;
  readonly #scripts = new Map<string, Script>();
  readonly #used = new Map<string, number>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(port = 0): Promise<Facilitator> {
    const server = createServer({ keepAliveTimeout: KEPT_MS });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new Facilitator(server, (server.address() as AddressInfo).port);
  }

  /** Answers for one payer; of a list each answer serves once and the last one stays. */
  script(payer: string, script: Script): void {
    this.#scripts.set(payer.toLowerCase(), script);
    for (const operation of ['verify', 'settle']) this.#used.delete(`${payer.toLowerCase()}/${operation}`);
  }

  /** Calls of one payer, or of everybody. */
  of(operation: Operation, payer?: string): FacilitatorCall[] {
    const wanted = payer?.toLowerCase();
    return this.calls.filter((call) => call.operation === operation && (!wanted || call.payer === wanted));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces);
    const call = describeCall(request, body);
    this.calls.push(call);
    const reply = this.gatekeeper?.(call) ?? this.#scripted(call);
    if (reply.kind === 'good' || reply.kind === 'json') await sleep(reply.delayMs ?? 0);
    switch (reply.kind) {
      case 'good':
        if (call.operation === 'settle') this.settled.add(`${call.payer}/${call.nonce}`);
        return sendJson(response, 200, { ...goodAnswer(call), ...reply.fields });
      case 'json':
        return sendJson(response, reply.status ?? 200, reply.body);
      case 'raw':
        response.writeHead(reply.status, { ...reply.headers }).end(reply.body);
        return;
      case 'hang':
        return;
      case 'destroy':
        request.socket.destroy();
        return;
      case 'drip':
        return drip(response, reply.text, reply.everyMs);
      case 'cut':
        response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '4096' });
        response.write(reply.text, () => request.socket.destroy());
    }
  }

  #scripted(call: FacilitatorCall): Reply {
    if (call.operation === 'other') return NOT_FOUND;
    return call.operation === 'supported' ? this.supported : this.#next(call.operation, call.payer);
  }

  #next(operation: Operation, payer: string): Reply {
    const scripted = this.#scripts.get(payer)?.[operation];
    if (scripted === undefined) return { kind: 'good' };
    if (!Array.isArray(scripted)) return scripted as Reply;
    const key = `${payer}/${operation}`;
    const turn = this.#used.get(key) ?? 0;
    this.#used.set(key, turn + 1);
    return (scripted as readonly Reply[])[Math.min(turn, scripted.length - 1)] ?? { kind: 'good' };
  }
}

/** The transaction that the good facilitator reports for an authorization. */
export function transactionOf(payer: string, nonce: string): string {
  return `0x${createHash('sha256').update(`${payer.toLowerCase()}/${nonce.toLowerCase()}`).digest('hex')}`;
}

export function refusedVerify(reason: string, fields: Readonly<Record<string, unknown>> = {}): Reply {
  return { kind: 'json', body: { isValid: false, invalidReason: reason, ...fields } };
}

export function refusedSettle(reason: string, fields: Readonly<Record<string, unknown>> = {}): Reply {
  return { kind: 'json', body: { success: false, errorReason: reason, transaction: '', network: 'eip155:84532', payer: '', ...fields } };
}

/** An answer of `GET /supported`. */
export function kinds(list: readonly unknown[]): Reply {
  return { kind: 'json', body: { kinds: list, extensions: [], signers: {} } };
}

const NOT_FOUND: Reply = { kind: 'json', status: 404, body: { error: 'not found' } };

function goodAnswer(call: FacilitatorCall): Record<string, unknown> {
  if (call.operation === 'verify') return { isValid: true, payer: call.payer };
  return { success: true, payer: call.payer, transaction: transactionOf(call.payer, call.nonce), network: call.network };
}

function describeCall(request: IncomingMessage, body: Buffer): FacilitatorCall {
  const target = request.url ?? '';
  const last = target.split('/').at(-1) ?? '';
  const operation = last === 'verify' || last === 'settle' || last === 'supported' ? last : 'other';
  const text = body.toString('utf8');
  return {
    operation,
    method: request.method ?? '',
    target,
    headers: request.headers,
    body,
    atMs: performance.now(),
    payer: (/"from"\s*:\s*"(0x[0-9a-fA-F]{40})"/.exec(text)?.[1] ?? '').toLowerCase(),
    nonce: (/"nonce"\s*:\s*"(0x[0-9a-fA-F]{64})"/.exec(text)?.[1] ?? '').toLowerCase(),
    network: /"paymentRequirements"\s*:\s*\{[^}]*?"network"\s*:\s*"([^"]+)"/.exec(text)?.[1] ?? '',
  };
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(text);
}

async function drip(response: ServerResponse, text: string, everyMs: number): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  for (const char of text) {
    if (response.destroyed) return;
    response.write(char);
    await sleep(everyMs);
  }
  response.end();
}

function sleep(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
