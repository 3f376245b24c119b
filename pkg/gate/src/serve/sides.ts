/** Ends sides of connections that are waited for in vain. Their systems answer for them, so nothing else would. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What a side owes and within how many milliseconds, the bytes that it has taken, and since when it has been waited for and has taken no more. */
type Side = { readonly owes: () => boolean; readonly within: number; readonly bytes: number; readonly since: number };

/**
 * Looks after a side from now on. It is waited for while it has not taken all that it was sent, and while it `owes` something else: an answer, or its
 * end, for which it has this part of the time [all]. Of several calls the last one says what it owes.
 */
export type Watch = (side: Socket, owes?: () => boolean, part?: number) => void;

/** How often each side is looked at in the time that it has. */
const LOOKS = 10;

const owesNothing = (): boolean => false;

/** Ends each side that is waited for so long and takes nothing, until the server is closed; also sides that the server does not know. */
export function watching(server: Server, milliseconds: number): Watch {
  const sides = new Map<Socket, Side>();
  const looking = setInterval(() => {
    const now = performance.now();
    for (const [socket, { owes, within, bytes, since }] of sides) {
      const waits = socket.writableLength;
      const taken = socket.bytesWritten - waits;
      if ((waits === 0 && !owes()) || taken !== bytes) sides.set(socket, { owes, within, bytes: taken, since: now });
      else if (now - since >= (owes() ? within : milliseconds)) socket.destroy();
    }
  }, milliseconds / LOOKS);
  looking.unref();
  server.once('close', () => clearInterval(looking));
  return (side, owes = owesNothing, part = 1) => {
    if (!sides.has(side)) side.once('close', () => sides.delete(side));
    sides.set(side, { owes, within: milliseconds * part, bytes: 0, since: performance.now() });
  };
}
