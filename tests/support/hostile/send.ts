/** Sends requests byte for byte as they are, and says how each was answered, if it was. */
import { request as ask, type IncomingMessage } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import type { Sent } from './mutate.ts';

export type Reply = {
  /** `whole`, `stream` (one that goes on), `broken` (ended in the middle), `none`, or `late`. */
  readonly end: 'whole' | 'stream' | 'broken' | 'none' | 'late';
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly ms: number;
};

/** By then everything is answered: no request waits longer for a chain or for a merchant. */
export const DEADLINE_MS = 45_000;
/** How long a body that breaks off is open before it does. */
const OPEN_MS = 20;
const MOST_HEADERS = 128 * 1024;

/** Sends one request on a connection of its own. */
export function send(base: string, sent: Sent, deadlineMs = DEADLINE_MS): Promise<Reply> {
  const began = performance.now();
  return new Promise((resolve) => {
    let head: IncomingMessage | undefined;
    const pieces: Buffer[] = [];
    const { hostname, port } = new URL(base);
    const { method, path, body, cutAt } = sent;
    const outgoing = ask({
      agent: false,
      hostname,
      port,
      method,
      path,
      maxHeaderSize: MOST_HEADERS,
      headers: {
        connection: 'close',
        ...(sent.headers as Record<string, string | string[]>),
        ...(body === undefined ? {} : { 'content-length': body.length }),
      },
    });
    const done = (end: Reply['end']): void => {
      clearTimeout(late);
      resolve({
        end,
        status: head?.statusCode ?? 0,
        headers: head?.headers ?? {},
        text: textOf(pieces, head),
        ms: performance.now() - began,
      });
      outgoing.destroy();
    };
    const late = setTimeout(() => done('late'), deadlineMs);
    outgoing.on('error', () => done(head === undefined ? 'none' : 'broken'));
    outgoing.on('upgrade', (response) => {
      head = response;
      done('stream');
    });
    outgoing.on('response', (response) => {
      head = response;
      if (String(response.headers['content-type']).startsWith('text/event-stream')) return done('stream');
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
      });
      response.on('end', () => done(response.complete ? 'whole' : 'broken'));
      response.on('error', () => done('broken'));
      return undefined;
    });
    if (cutAt === undefined || body === undefined) {
      outgoing.end(body);
      return;
    }
    outgoing.write(body.subarray(0, Math.min(cutAt, body.length - 1)));
    outgoing.flushHeaders();
    setTimeout(() => outgoing.socket?.end(), OPEN_MS);
  });
}

/** What the bytes of an answer say, also where they were asked for in another encoding. */
function textOf(pieces: readonly Buffer[], head: IncomingMessage | undefined): string {
  const bytes = Buffer.concat(pieces);
  const decode = { br: brotliDecompressSync, gzip: gunzipSync }[String(head?.headers['content-encoding'])];
  return (decode === undefined || bytes.length === 0 || head?.complete !== true ? bytes : decode(bytes)).toString('utf8');
}

/** A request in a few lines, with which it can be sent by hand. */
export function shown({ method, path, headers, body, cutAt, changes }: Sent): string {
  const short = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}… (${text.length})` : text);
  const fields = Object.entries(headers)
    .slice(0, 12)
    .map(([name, value]) => `${name}: ${short(String(value), 120)}`);
  return [
    `${method} ${short(path, 300)}`,
    ...fields,
    ...(body === undefined ? [] : [short(body.toString('utf8'), 600)]),
    ...(cutAt === undefined ? [] : [`ends after ${cutAt} bytes`]),
    `changed: ${changes.join(', ')}`,
  ].join('\n  ');
}
