// Fronts of `farebox serve` without a runtime, and clients that write bytes of their own.

import type { Socket } from 'node:net';

/** A front without a runtime, for as many as like. */
export const PLAIN = {
  host: '127.0.0.1',
  port: 0,
  socket: 'none',
  trustsProxy: false,
  networkOf: String,
  room: { requests: 1_000, connections: 1_000 },
} as const;

/** The header fields that offer a WebSocket. */
export const OFFER = 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** All that comes until the other side has ended; the own side stays, which `text` would end. */
export const heard = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let all = '';
    socket.on('data', (part: Buffer) => {
      all += String(part);
    });
    socket.once('end', () => resolve(all));
  });
