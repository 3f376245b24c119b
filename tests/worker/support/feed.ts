/** A feed that is sold by the second, by session on a chain, and a reader of it who stops reading for a while. */
import { account, PAYEE, PAYMENT_CHANNEL, startChain } from '../../../demo/chain.mjs';
import { startFacilitator } from '../../../demo/facilitator.mjs';
import { gateVars } from '../../../demo/gate.mjs';
import { startGate } from '../../../scripts/miniflare.mjs';
import { OkxPayer } from '../../e2e/okx-payer.ts';
import { readWithStall, startStreams } from '../../e2e/stream-origin.ts';

/** Of a second, in atomic units. */
const UNIT = 100n;

export type Feed = Awaited<ReturnType<typeof startFeed>>;

/** Starts all that it needs, with the gate of this folder. */
export async function startFeed(build: string) {
  const [chain, origin] = await Promise.all([startChain(), startStreams()]);
  const facilitator = await startFacilitator({ chain });
  const route = {
    path: '/feed',
    methods: ['GET', 'POST'],
    price: '$0.01',
    session_escrow: PAYMENT_CHANNEL,
    session_unit: 'second',
    session_unit_price: '$0.0001',
    session_step: 1,
  };
  const gate = await startGate({
    build,
    vars: { ...gateVars({ chain, facilitator, origin }), RPC_URL: chain.url, ROUTES: [route] },
    secrets: { PAYEE_KEY: account(PAYEE).privateKey },
  });
  const payers = [...chain.accounts.payers];
  return {
    gate,
    /** Seconds for which it was read, by another payer each time, and those that were charged. */
    async stalls(): Promise<{ readonly seconds: number; readonly charged: number }> {
      const payer = payers.shift();
      if (payer === undefined) throw new Error('all payers have read');
      const session = new OkxPayer(chain, payer, `${gate.url}/feed`);
      await session.open(100n * UNIT);
      const answer = await session.begin(60n * UNIT);
      const seconds = await readWithStall(answer);
      const charged = Number((await session.raise(60n * UNIT)) / UNIT);
      await answer.body?.cancel();
      return { seconds, charged };
    },
    async stop(): Promise<void> {
      for (const part of [gate, facilitator, origin, chain]) await part.stop();
    },
  };
}
