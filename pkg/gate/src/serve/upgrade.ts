/** Requests that offer another protocol: a WebSocket gets its connection, all else is an ordinary request. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import { linesOf } from './inner.js';
import type { Watch } from './sides.js';

/** Bytes of a client that does not wait for the answer to its offer, though it has to. They are few, if any. Spec: RFC 6455, 4.1. */
const MOST_EARLY_BYTES = 16_384;
/** Of the time that a side has: half a minute to end once the other one has. A client that has left would fill places without a connection. */
const ENDING_PART = 1 / 10;

/** Whether a request opens a WebSocket: `GET`, without a body. Spec: RFC 6455, 4.1. */
export function isWebSocket({ method, headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || !['0', undefined].includes(headers['content-length']);
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && !hasBody;
}

/** The head of a request as it came, but for the offer. */
export function withoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  return headOf(`${method} ${url} HTTP/${httpVersion}`, linesOf(rawHeaders, /^(?:connection|upgrade|http2-settings)$/i));
}

/** Ends a connection whose client leaves while it waits for an answer. Returns what ends that, and gives the bytes that have come. */
export function waiting(outer: Socket): () => Buffer {
  let early = Buffer.alloc(0);
  const leaves = (): unknown => outer.destroy();
  // All is read, because what is left unread would hide that the client has left; so beyond this much it ends.
  const keeps = (part: Buffer): void => {
    early = Buffer.concat([early, part]);
    if (early.length > MOST_EARLY_BYTES) leaves();
  };
  outer.on('data', keeps).once('end', leaves);
  return () => {
    outer.off('data', keeps).off('end', leaves);
    return early;
  };
}

/** Gives a connection to both sides once the inner one has agreed: `early` is what the client has sent by then, and `head` what the inner one has. */
export function joined(watch: Watch, outer: Socket, early: Buffer, said: IncomingMessage, inner: Socket, head: Buffer): void {
  outer.write(headOf(`HTTP/1.1 101 ${said.statusMessage}`, said.rawHeaders));
  outer.write(head);
  inner.write(early);
  inner.pipe(outer).pipe(inner);
  for (const [one, other] of [
    [inner, outer],
    [outer, inner],
  ] as const) {
    one.on('error', () => other.destroy());
    // What it has said last may still wait for the other one.
    one.on('close', () => (one.readableEnded ? other.destroySoon() : other.destroy()));
    // A side that has ended may read no more, and what waits for it would hide that the other one has left.
    watch(other, () => one.readableEnded, ENDING_PART);
  }
}

function headOf(first: string, lines: readonly string[]): Buffer {
  const fields = lines.map((line, at) => (at % 2 === 0 ? `${line}: ` : `${line}\r\n`));
  return Buffer.from(`${first}\r\n${fields.join('')}\r\n`, 'latin1');
}
