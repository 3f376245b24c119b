/**
 * A scripted origin.
 *
 * It keeps method, target (as received), header rows and body digest of every request. Behaviour is scripted per
 * path without query; a path without a script answers 200 with a small JSON object that names the path.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { KEPT_MS } from '../../../demo/server.mjs';
import { firstRows, type HeaderRow } from './raw.ts';

export type OriginCall = {
  readonly method: string;
  readonly target: string;
  readonly rows: readonly HeaderRow[];
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyDigest: string;
  readonly bodyBytes: number;
  readonly atMs: number;
};

export type OriginReply = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** One body, or pieces sent `everyMs` apart. */
  readonly body?: string | Buffer | readonly (string | Buffer)[];
  readonly everyMs?: number;
  readonly delayMs?: number;
  /** It answers once this is over. */
  readonly once?: Promise<unknown>;
  /** Instead of an answer, or after `body`: never go on, reset the connection, or close it in an orderly way too early. */
  readonly then?: Ending;
};

export type Ending = 'hang' | 'reset' | 'cut';

export class Origin {
  readonly url: string;
  readonly calls: OriginCall[] = [];
  /** When the last byte of a scripted answer was written, by path. */
  readonly finishedAtMs = new Map<string, number>();
  readonly #server: Server;
  readonly #replies = new Map<string, readonly OriginReply[]>();
  readonly #used = new Map<string, number>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<Origin> {
    const server = createServer({ keepAliveTimeout: KEPT_MS });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Origin(server, (server.address() as AddressInfo).port);
  }

  /** Answers of one path; of several each serves once and the last one stays. */
  script(path: string, ...replies: readonly OriginReply[]): void {
    this.#replies.set(path, replies);
    this.#used.delete(path);
  }

  /** Requests for one path (query ignored), or all of them. */
  of(path?: string): OriginCall[] {
    return this.calls.filter((call) => path === undefined || pathOf(call.target) === path);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hash = createHash('sha256');
    let bodyBytes = 0;
    for await (const piece of request) {
      hash.update(piece as Buffer);
      bodyBytes += (piece as Buffer).length;
    }
    const target = request.url ?? '';
    const path = pathOf(target);
    const rows = pairs(request.rawHeaders);
    this.calls.push({
      method: request.method ?? '',
      target,
      rows,
      headers: firstRows(rows),
      bodyDigest: hash.digest('hex'),
      bodyBytes,
      atMs: performance.now(),
    });
    await play(this.#next(path), path, request, response);
    this.finishedAtMs.set(path, performance.now());
  }

  #next(path: string): OriginReply {
    const replies = this.#replies.get(path);
    if (replies === undefined) return {};
    const turn = this.#used.get(path) ?? 0;
    this.#used.set(path, turn + 1);
    return replies[Math.min(turn, replies.length - 1)] ?? {};
  }
}

/** What the unscripted origin says for a path. */
export function ordinaryBody(path: string): string {
  return JSON.stringify({ path, content: 'the paid content' });
}

async function play(reply: OriginReply, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  await sleep(reply.delayMs ?? 0);
  await reply.once;
  if (reply.body === undefined && reply.then !== undefined) return abandon(reply.then, request);
  const bodies = reply.body === undefined ? [ordinaryBody(path)] : listOf(reply.body);
  const headers: Record<string, string | string[]> = { 'Content-Type': 'application/json' };
  for (const [name, value] of Object.entries(reply.headers ?? {})) {
    headers[name] = typeof value === 'string' ? value : [...value];
  }
  response.writeHead(reply.status ?? 200, headers);
  response.flushHeaders();
  for (const [index, body] of bodies.entries()) {
    if (index > 0) await sleep(reply.everyMs ?? 0);
    if (response.destroyed) return;
    if (!response.write(body)) await new Promise<void>((resolve) => response.once('drain', resolve).once('close', resolve));
  }
  if (reply.then !== undefined) {
    await sleep(30);
    return abandon(reply.then, request);
  }
  response.end();
}

function abandon(how: Ending, request: IncomingMessage): void {
  if (how === 'reset') request.socket.resetAndDestroy();
  if (how === 'cut') request.socket.end();
}

function listOf(body: string | Buffer | readonly (string | Buffer)[]): readonly (string | Buffer)[] {
  return typeof body === 'string' || Buffer.isBuffer(body) ? [body] : (body as readonly (string | Buffer)[]);
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}

function pairs(raw: readonly string[]): HeaderRow[] {
  return Array.from({ length: raw.length / 2 }, (_, i): HeaderRow => [raw[2 * i] ?? '', raw[2 * i + 1] ?? '']);
}

function sleep(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
