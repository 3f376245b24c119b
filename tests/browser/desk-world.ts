// A gate whose books have a payment in every state that a desk shows, with its chain.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createWalletClient, http } from 'viem';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { FAILING, gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { type Gate, randomSecrets, startGate } from '../../scripts/miniflare.mjs';
import { PAGES } from '../../scripts/pages.mjs';
import { stockClients } from '../e2e/clients.ts';
import { claims, startTwisted } from '../e2e/twisted.ts';
import { eventually } from '../support/eventually.ts';
import type { AskedTransaction } from './wallet.ts';

export interface DeskWorld {
  readonly chain: Chain;
  readonly gate: Gate;
  readonly token: string;
  /** Buys something and is served, or is not. */
  readonly buy: (path: string, payer: number) => Promise<number>;
  /** The payments in a state, as the operator API shows them. */
  readonly paymentsIn: (state: string) => Promise<readonly Record<string, string>[]>;
  /** Sends what a page asks for from the payee's wallet. */
  readonly sendAsPayee: (asked: AskedTransaction) => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** Recovery that gives up soon, and recovery that does nothing for hours. */
const SHORT = { settle_secs: 2, resend_secs: [1, 1, 1], chain_secs: [1, 1], refund_secs: 5, manual_secs: 10 };
const LONG = { settle_secs: 2, resend_secs: [3_600], chain_secs: [3_600, 3_600], refund_secs: 60, manual_secs: 86_400 };
/** A transaction of a facilitator that lies about the payer. */
const LIE = {
  success: true,
  transaction: `0x${'ab'.repeat(32)}`,
  network: 'eip155:84532',
  payer: '0xFD553Ae3Fc2976Db40d673CAe1eadB3B6Bc6F1BC',
};
/** Markup, a character that turns text around, and one that is not seen, as the name of a route. */
export const HOSTILE = '/fail/<img src=x onerror=alert(1)>\u202e\u200b/[status]';

export async function startDeskWorld(): Promise<DeskWorld> {
  const started: (() => unknown)[] = [];
  const stop = async () => {
    for (const end of started.splice(0).reverse()) await end();
  };
  const persist = mkdtempSync(join(tmpdir(), 'farebox-desk-'));
  started.push(() => rmSync(persist, { recursive: true, force: true }));
  const chain = await startChain();
  started.push(() => chain.stop());
  const [origin, facilitator] = [await startOrigin(), await startTwisted(chain)];
  started.push(
    () => origin.stop(),
    () => facilitator.stop(),
  );
  const secrets = randomSecrets();
  const vars = gateVars({ chain, facilitator, origin });
  const start = (more: Record<string, unknown>) =>
    startGate({
      build: process.env.FAREBOX_BUILD ?? 'build',
      persist,
      pages: PAGES,
      secrets,
      vars: { ...vars, ROUTES: [...vars.ROUTES, FAILING], ...more },
    });

  let gate = await start({ RECOVERY: SHORT });
  const buy = async (path: string, payer: number) => {
    const { status } = await stockClients[0]!.get(`${gate.url}${path}`, chain.accounts.payers[payer]!);
    return status;
  };
  const paymentsIn = async (state: string) => {
    const headers = { authorization: `Bearer ${secrets.OPERATOR_TOKEN}` };
    const answer = await fetch(`${gate.url}/_farebox/payments?limit=200&state=${state}`, { headers });
    return ((await answer.json()) as { items: Record<string, string>[] }).items;
  };
  const liedTo = async (payer: number) => {
    facilitator.script(
      chain.accounts.payers[payer]!.address,
      Array.from({ length: 20 }, () => claims(LIE)),
    );
    await buy('/report', payer);
  };
  await liedTo(0);
  await eventually('a payment is under review', async () => (await paymentsIn('manual')).length > 0);
  await gate.stop();
  gate = await start({ RECOVERY: LONG, RPC_URL: chain.url });
  started.push(() => gate.stop());
  await liedTo(1);
  for (const [path, payer] of [
    ['/report', 2],
    ['/report-before', 3],
    ['/fail/503', 2],
    ['/fail/503', 3],
    ['/fail/500', 4],
  ] as const)
    await buy(path, payer);

  const wallet = createWalletClient({ account: chain.accounts.payee, chain: chain.chain, transport: http(chain.url) });
  const sendAsPayee = ({ to, data }: AskedTransaction) => wallet.sendTransaction({ to, data });
  return { chain, gate, token: secrets.OPERATOR_TOKEN, buy, paymentsIn, sendAsPayee, stop };
}
