/** A server between the gate and another part of the world, which tells of each call: before it is passed on, and when it was answered. */
import { serve } from '../../demo/server.mjs';

/** Starts one; what `tell` waits for, the call waits for. */
export async function startTap(
  target: () => string,
  kindOf: (url: string, body: string) => string,
  tell: (moment: string) => Promise<void>,
): Promise<{ url: string; stop(): Promise<void> }> {
  return serve(async (request, response) => {
    try {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const body = Buffer.concat(pieces);
      const kind = kindOf(request.url ?? '', body.toString('utf8'));
      await tell(`asked ${kind}`);
      const answer = await fetch(`${target()}${request.url ?? ''}`, {
        method: request.method ?? 'GET',
        headers: { 'content-type': 'application/json' },
        ...(body.length > 0 ? { body } : {}),
      });
      const bytes = Buffer.from(await answer.arrayBuffer());
      await tell(`answered ${kind}`);
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(bytes);
    } catch {
      response.destroy();
    }
  });
}
