// An origin whose answers flow: events by the clock, a dozen at once, and bytes.

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export type Streams = Awaited<ReturnType<typeof startStreams>>;

export const BYTES = 400_000;
export const BLOB = Buffer.alloc(BYTES, 'byte');
/** Events of all lengths up to 1,000 bytes. */
export const WORDS = Array.from({ length: 40 }, (_, at) => `data: ${'word '.repeat(Math.min(197, 1 + ((at * 67) % 240)))}\n\n`).join('');

/**
 * `/seconds` sends an event every 50 ms and does not end, `/flood` bytes without an end, `/bytes` sends BLOB, `/packed` sends it compressed, `/words` sends WORDS, `/events` twelve events with comments between
 * them, and any other path the same without an end. `cut()` breaks off the last answer.
 */
export async function startStreams() {
  const sent = { asked: 0, bytes: 0, events: 0, closed: 0 };
  let last: ServerResponse | undefined;
  const server = createServer((request, response) => {
    last = response;
    sent.asked += 1;
    response.on('close', () => {
      sent.closed += 1;
    });
    const { pathname } = new URL(request.url ?? '/', 'http://origin');
    if (pathname === '/bytes') {
      const write = (at: number): void => {
        if (at >= BYTES) return void response.end();
        sent.bytes = at;
        if (response.write(BLOB.subarray(at, at + 10_000))) setImmediate(write, at + 10_000);
        else
          response.once('drain', () => {
            write(at + 10_000);
          });
      };
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': BYTES });
      write(0);
      return;
    }
    if (pathname === '/flood') {
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      const flood = (): void => {
        if (!response.destroyed && response.write(BLOB)) setImmediate(flood);
      };
      response.on('drain', flood);
      flood();
      return;
    }
    if (pathname === '/packed') {
      const packed = gzipSync(BLOB);
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-encoding': 'gzip', 'content-length': packed.length });
      response.end(packed);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (pathname === '/seconds') {
      const timer = setInterval(() => response.write(`data: ${(sent.events += 1)}\n\n`), 50);
      response.on('close', () => {
        clearInterval(timer);
      });
      return;
    }
    if (pathname === '/words') return void response.end(WORDS);
    for (let event = 1; event <= 12; event += 1)
      response.write(`: sign of life\r\n\r\nid: ${event}\ndata: event ${event}\ndata: of 12\n\n`);
    if (pathname === '/events') response.end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    sent,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      last?.destroy();
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
