// The reference facilitator behind a mouth that lies, loses what it says, or says nothing; per payer.

import type { Chain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { serve } from '../../demo/server.mjs';

/** A reply as JSON, or what becomes of the connection instead. */
export type Said = Record<string, unknown> | 'silence' | 'cut';

/** Makes the reply to one settle call; `settle` lets the real facilitator settle it and returns what it says. */
export type Twist = (settle: () => Promise<Record<string, unknown>>) => Promise<Said>;

export interface TwistedFacilitator {
  url: string;
  real: Facilitator;
  /** The next settle calls of a payer, in this order; the calls after them are honest. */
  script(payer: string, twists: readonly Twist[]): void;
  stop(): Promise<void>;
}

/** Starts both; `url` is the liar's. */
export async function startTwisted(chain: Chain): Promise<TwistedFacilitator> {
  const real = await startFacilitator({ chain });
  const scripts = new Map<string, Twist[]>();
  const { url, stop } = await serve(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces).toString('utf8');
    const path = request.url ?? '/';
    const ask = async () => {
      const answer = await fetch(`${real.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return (await answer.json()) as Record<string, unknown>;
    };
    const payer = /"from"\s*:\s*"(0x[0-9a-fA-F]{40})"/.exec(body)?.[1]?.toLowerCase() ?? '';
    const twist = path.endsWith('/settle') ? scripts.get(payer)?.shift() : undefined;
    const said = await (twist === undefined ? ask() : twist(ask));
    if (said === 'cut') response.destroy();
    else if (said !== 'silence') response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  });
  return {
    url,
    real,
    script: (payer, twists) => void scripts.set(payer.toLowerCase(), [...twists]),
    async stop() {
      await stop();
      await real.stop();
    },
  };
}

/** Settles and says nothing, or cuts the connection. */
export const lost =
  (how: 'silence' | 'cut'): Twist =>
  async (settle) => {
    await settle();
    return how;
  };

/** Says something without settling. */
export const claims =
  (said: Record<string, unknown>): Twist =>
  async () =>
    said;

/** Settles, and says something else. */
export const misreports =
  (fields: Record<string, unknown>): Twist =>
  async (settle) => ({ ...(await settle()), ...fields });
