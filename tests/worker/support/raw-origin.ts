/**
 * An origin that answers with bytes as they stand: any status line, any header, any framing, in pieces and at any time.
 *
 * Each connection takes one request; what is sent of it and how it ends is scripted per path. It also keeps what came
 * of each request's body, and whether that came to its end.
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';

import { openWorld, type World } from './world.ts';

export type Bytes = {
  /** What is sent, piece by piece. */
  readonly pieces: readonly Buffer[];
  /** Milliseconds between two pieces [0]. */
  readonly everyMs?: number;
  /** What happens behind the last piece [`close`]; to hang is to close after a while. */
  readonly then?: 'close' | 'hang' | 'reset';
  /** Answers before the request's body has come [false]. */
  readonly early?: boolean;
  /** Milliseconds for which it reads nothing more of the request's body once it answers [0]. */
  readonly unreadMs?: number;
};

export type Upload = {
  readonly target: string;
  readonly head: string;
  readonly body: Buffer;
  /** Whether the body came to the end that its framing promises. */
  readonly complete: boolean;
  readonly ended: boolean;
};

export class RawOrigin {
  readonly url: string;
  readonly uploads: Upload[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #replies = new Map<string, Bytes>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket) => this.#serve(socket));
  }

  static async start(): Promise<RawOrigin> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new RawOrigin(server);
  }

  script(path: string, reply: Bytes): void {
    this.#replies.set(path, reply);
  }

  /** Requests for one path. */
  of(path: string): Upload[] {
    return this.uploads.filter((upload) => upload.target.split('?', 1)[0] === path);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let received = Buffer.alloc(0);
    let seen: { -readonly [K in keyof Upload]: Upload[K] } | undefined;
    let isAnswered = false;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (seen !== undefined) seen.ended = true;
    });
    socket.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
      const at = received.indexOf('\r\n\r\n');
      if (at < 0) return;
      if (seen === undefined) {
        const head = received.subarray(0, at).toString('latin1');
        seen = { target: head.split(' ', 2)[1] ?? '', head, body: Buffer.alloc(0), complete: false, ended: false };
        this.uploads.push(seen);
      }
      const { body, complete } = bodyOf(seen.head, received.subarray(at + 4));
      seen.body = body;
      seen.complete = complete;
      const reply = this.#replies.get(seen.target.split('?', 1)[0] ?? '') ?? GOOD;
      if (isAnswered || !(complete || reply.early === true)) return;
      isAnswered = true;
      if (reply.unreadMs !== undefined) {
        socket.pause();
        setTimeout(() => socket.resume(), reply.unreadMs).unref();
      }
      play(reply, socket).catch(() => socket.destroy());
    });
  }
}

/** Starts one, and a gate in front of it; the world ends both. */
export async function openRawWorld(): Promise<{ readonly world: World; readonly origin: RawOrigin }> {
  const origin = await RawOrigin.start();
  const world = await openWorld({ vars: { ORIGIN_URL: origin.url } });
  const stop = async (): Promise<void> => {
    await world.stop();
    await origin.stop();
  };
  return { world: { ...world, stop }, origin };
}

/** What an unscripted path says. */
export const GOOD_BODY = '{"content":"the paid content"}';
export const GOOD: Bytes = {
  pieces: [
    Buffer.from(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${GOOD_BODY.length}\r\n\r\n${GOOD_BODY}`,
    ),
  ],
};

/** The bytes of a body so far, without its framing, and whether they are all. */
function bodyOf(head: string, rest: Buffer): { readonly body: Buffer; readonly complete: boolean } {
  const field = (name: string): string | undefined => new RegExp(`\\r\\n${name}: *([^\\r]*)`, 'i').exec(head)?.[1];
  if (/chunked/i.test(field('transfer-encoding') ?? '')) return unchunked(rest);
  const length = Number(field('content-length') ?? 0);
  return { body: rest.subarray(0, length), complete: rest.length >= length };
}

function unchunked(rest: Buffer): { readonly body: Buffer; readonly complete: boolean } {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = rest.indexOf('\r\n', at);
    const size = end < 0 ? Number.NaN : Number.parseInt(rest.subarray(at, end).toString('latin1'), 16);
    if (Number.isNaN(size)) return { body: Buffer.concat(chunks), complete: false };
    if (size === 0) return { body: Buffer.concat(chunks), complete: true };
    chunks.push(rest.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

const HANG_MS = 1_500;

async function play({ pieces, everyMs = 0, then = 'close' }: Bytes, socket: Socket): Promise<void> {
  for (const [index, piece] of pieces.entries()) {
    if (index > 0 && everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
    if (socket.destroyed) return;
    socket.write(piece);
  }
  if (then === 'hang') await new Promise((resolve) => setTimeout(resolve, HANG_MS));
  if (then !== 'reset') socket.end();
  if (then === 'reset') socket.resetAndDestroy();
}
