// The gate's world as one value for a client that knows it only from outside, and the controls that break it.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startGate } from '../scripts/miniflare.mjs';
import { startChain } from './chain.mjs';
import { startControls } from './controls.mjs';
import { startFacilitator } from './facilitator.mjs';
import { FAILING, gateVars } from './gate.mjs';
import { startOrigin } from './origin.mjs';
import { parts } from './parts.mjs';
import { startSwitch } from './switch.mjs';

/** Starts the gate before its origin, with short timings; `line` is what a client needs. */
export async function gateLine() {
  const { keep, stop } = parts();
  try {
    const secrets = { OPERATOR_TOKEN: randomBytes(16).toString('hex'), ORIGIN_SECRET: randomBytes(32).toString('hex') };
    const chain = keep(await startChain());
    const facilitator = keep(await startFacilitator({ chain }));
    const origin = keep(await startOrigin({ secret: secrets.ORIGIN_SECRET }));
    const switches = { facilitator: keep(await startSwitch(facilitator.url)), node: keep(await startSwitch(chain.url)), origin: keep(await startSwitch(origin.url)) };
    const persist = mkdtempSync(join(tmpdir(), 'farebox-world-'));
    keep({ stop: async () => rmSync(persist, { recursive: true, force: true }) });
    const vars = gateVars({ chain, facilitator: switches.facilitator, origin: switches.origin });
    const gate = keep(await startGate({
      build: process.env.FAREBOX_BUILD ?? 'build', persist, secrets,
      vars: {
        ...vars, ROUTES: [...vars.ROUTES, FAILING], RPC_URL: switches.node.url,
        RECOVERY: { settle_secs: 2, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 5, manual_secs: 600, breaker_secs: 1 },
      },
    }));
    const controls = keep(await startControls({
      facilitator: (fault) => switches.facilitator.set(fault.mode === undefined ? undefined : fault),
      node: (fault) => switches.node.set(fault.mode === undefined ? undefined : fault),
      origin: (fault) => switches.origin.set(fault.mode === undefined ? undefined : fault),
      kill: () => gate.kill(),
      restart: () => gate.restart(),
      mine: ({ blocks = 1 }) => chain.rpc('anvil_mine', [`0x${Number(blocks).toString(16)}`]),
    }));
    const { payer, payers, payee } = chain.accounts;
    return {
      stop,
      line: {
        world: 'gate',
        gate: gate.url,
        operatorToken: secrets.OPERATOR_TOKEN,
        originSecret: secrets.ORIGIN_SECRET,
        origin: origin.url,
        routes: [...vars.ROUTES, FAILING].map(({ path, price }) => ({ path, price })),
        chain: { url: chain.url, network: 'eip155:84532', token: chain.token.address, payee: payee.address },
        facilitator: facilitator.url,
        funded: [payer, ...payers].map(({ address, privateKey }) => ({ address, privateKey })),
        controls: controls.urls,
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
