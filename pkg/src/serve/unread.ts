/** Ends connections whose client reads nothing of what it is sent. Its system answers for it, so nothing else would. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** The bytes that a client has taken, and since when it has taken no more, milliseconds. */
type Taken = { readonly bytes: number; readonly since: number };

/** How often each connection is looked at in the time that it has. */
const LOOKS = 10;

/** Looks at the connections of a server until that is closed, also at those that the server does not know any more. */
export function endsUnread(server: Server, milliseconds: number): void {
  const connections = new Map<Socket, Taken>();
  server.on('connection', (socket: Socket) => {
    // One that has offered another protocol comes a second time.
    if (connections.has(socket)) return;
    connections.set(socket, { bytes: 0, since: performance.now() });
    socket.once('close', () => connections.delete(socket));
  });
  const looking = setInterval(() => {
    const now = performance.now();
    for (const [socket, { bytes, since }] of connections) {
      const waits = socket.writableLength;
      const taken = socket.bytesWritten - waits;
      if (waits === 0 || taken !== bytes) connections.set(socket, { bytes: taken, since: now });
      else if (now - since >= milliseconds) socket.destroy();
    }
  }, milliseconds / LOOKS);
  looking.unref();
  server.once('close', () => clearInterval(looking));
}
