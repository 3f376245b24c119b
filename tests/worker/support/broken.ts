/** Requests whose body breaks off: written byte by byte, because no HTTP client sends them. */
import { connect, type Socket } from 'node:net';

import type { HeaderRow } from './raw.ts';

export type Framing = 'length' | 'chunked';
/** `close` ends the sending side, `reset` the connection, `garbage` sends a chunk that is none. */
export type Break = 'close' | 'reset' | 'garbage';

export type Broken = {
  readonly target: string;
  readonly headers: readonly HeaderRow[];
  readonly framing: Framing;
  /** How many bytes the body should have had, and how many come. */
  readonly bytes: number;
  readonly sent: number;
  readonly how: Break;
  /** What has to happen before the break; in any case there are 50 ms between what comes and it. */
  readonly once?: () => Promise<void>;
};

const QUIET_MS = 50;
/** After which a gate that does not end the connection is left. */
const GIVEN_UP_MS = 8_000;

/** Sends half a body; gives what was answered, if anything was. */
export async function sendBroken(url: string, broken: Broken): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  let answer = '';
  socket.on('data', (piece: Buffer) => {
    answer += piece.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  const isChunked = broken.framing === 'chunked';
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${broken.bytes}`;
  const rows = broken.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`POST ${broken.target} HTTP/1.1\r\nHost: shop.example\r\n${rows}${framing}\r\n\r\n`);
  const body = 'b'.repeat(broken.sent);
  socket.write(isChunked ? `${broken.sent.toString(16)}\r\n${body}\r\n` : body);
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  await broken.once?.();
  if (broken.how === 'garbage') socket.write('no chunk\r\n');
  if (broken.how === 'reset') socket.resetAndDestroy();
  if (broken.how !== 'reset') socket.end();
  const waited = setTimeout(() => socket.destroy(), GIVEN_UP_MS);
  await closed;
  clearTimeout(waited);
  return answer;
}

/** Goes on with an upload, a piece at a time, until something is over, and leaves nothing that would keep a failed test alive. */
export async function dripping<Outcome>(
  socket: Socket,
  { piece, everyMs }: { readonly piece: string; readonly everyMs: number },
  until: () => Promise<Outcome>,
): Promise<Outcome> {
  const pieces = setInterval(() => socket.write(piece), everyMs);
  try {
    return await until();
  } finally {
    clearInterval(pieces);
    socket.destroy();
  }
}
