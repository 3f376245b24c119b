// An origin whose answers flow: events by the clock, a dozen at once, and bytes.

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export type Streams = Awaited<ReturnType<typeof startStreams>>;

export const BYTES = 400_000;
export const BLOB = Buffer.alloc(BYTES, 'byte');
/** Events of all lengths up to 1,000 bytes. */
export const WORDS = Array.from({ length: 40 }, (_, at) => `data: ${'word '.repeat(Math.min(197, 1 + ((at * 67) % 240)))}\n\n`).join('');

/** Reads a feed, takes nothing of it for longer than buffers last, and reads on to its end or until then; the seconds that this took. */
export async function readWithStall(answer: Response, untilMs = 15_500): Promise<number> {
  const reader = answer.body?.getReader();
  const begun = Date.now();
  const read = async (until: number): Promise<void> => {
    while (Date.now() - begun < until && (await reader?.read())?.done === false);
  };
  await read(1_500);
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  await read(untilMs);
  reader?.releaseLock();
  return (Date.now() - begun) / 1_000;
}

/**
 * `/seconds` sends an event every 50 ms and does not end, `/quiet` one every three seconds, `/feed` four million bytes a second of events, whether or not they are taken, `/flood` bytes without an end, `/bytes` sends BLOB, `/packed` sends it compressed, `/words` and `/talk` send WORDS, `/events` twelve events with comments and other fields between
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
    const every = (milliseconds: number, event: () => string): void => {
      const timer = setInterval(() => response.write(`data: ${event()}\n\n`), milliseconds);
      response.on('close', () => {
        clearInterval(timer);
      });
    };
    if (pathname === '/seconds') return void every(50, () => String((sent.events += 1)));
    if (pathname === '/quiet') return void every(3_000, () => 'quiet');
    if (pathname === '/feed') return void every(250, () => 'v'.repeat(1_000_000));
    if (pathname === '/words' || pathname === '/talk') return void response.end(WORDS);
    for (let event = 1; event <= 12; event += 1)
      response.write(`: sign of life\u2028data\r\ndatabase: none\r\n\r\nid: ${event}\ndata: event ${event}\ndata: of 12\n\n`);
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
