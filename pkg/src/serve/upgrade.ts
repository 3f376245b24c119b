/** Requests that offer another protocol: a WebSocket gets its connection, all else is an ordinary request. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { linesOf } from './inner.js';

/** How long both sides of a WebSocket stay once one has ended. */
const ENDING_MS = 30_000;

/** Whether a request opens a WebSocket: `GET`, without a body. Spec: RFC 6455, 4.1. */
export function isWebSocket({ method, headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || !['0', undefined].includes(headers['content-length']);
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && !hasBody;
}

/** The head of a request as it came, but for the offer. */
export function withoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  return headOf(`${method} ${url} HTTP/${httpVersion}`, linesOf(rawHeaders, /^(?:connection|upgrade|http2-settings)$/i));
}

/** Gives a connection to both sides, once the inner one has agreed. */
export function joined(outer: Duplex, said: IncomingMessage, inner: Duplex, head: Buffer): void {
  outer.write(headOf(`HTTP/1.1 101 ${said.statusMessage}`, said.rawHeaders));
  outer.write(head);
  inner.pipe(outer).pipe(inner);
  for (const [one, other] of [
    [inner, outer],
    [outer, inner],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
    // A side that has ended may read no more, and what waits for it would hide that the other one has left.
    one.on('end', () => setTimeout(() => other.destroy(), ENDING_MS).unref());
  }
}

function headOf(first: string, lines: readonly string[]): Buffer {
  const fields = lines.map((line, at) => (at % 2 === 0 ? `${line}: ` : `${line}\r\n`));
  return Buffer.from(`${first}\r\n${fields.join('')}\r\n`, 'latin1');
}
