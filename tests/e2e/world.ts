// A chain, the reference facilitator, an origin and the built gate between them, for one test file.

import { parseEventLogs } from 'viem';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { gateVars } from '../../demo/gate.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { PAGES } from '../../scripts/pages.mjs';

export interface World {
  chain: Chain;
  facilitator: Facilitator;
  origin: Origin;
  gate: Gate;
  stop(): Promise<void>;
}

/** What a test has otherwise than the demo. */
export interface Otherwise {
  /** Whether the gate reads the chain. */
  readsChain?: boolean;
  /** Routes besides the demo's. */
  routes?: object[];
  secrets?: Record<string, string>;
  vars?: Record<string, unknown>;
  /** Contracts that the facilitator lets deploy wallets. */
  factories?: string[];
  /** What payers must know of the facilitator, by network. */
  extra?: Record<string, object>;
  /** Folder of the objects' storage. */
  persist?: string;
  /** Whether the pages that people see are beside the gate. */
  pages?: boolean;
}

/** Starts all parts on free ports; `FAREBOX_BUILD` names another folder than `build`. */
export async function startWorld({
  readsChain = false,
  routes = [],
  secrets = {},
  vars: others = {},
  factories = [],
  extra,
  persist,
  pages = false,
}: Otherwise = {}): Promise<World> {
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const part of started.reverse()) await part.stop();
  };
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    const chain = keep(await startChain());
    const origin = keep(await startOrigin());
    const facilitator = keep(await startFacilitator({ chain, factories }));
    const vars = gateVars({ chain, facilitator, origin });
    const gate = keep(
      await startGate({
        build: process.env.FAREBOX_BUILD ?? 'build',
        ...(persist === undefined ? {} : { persist }),
        ...(pages ? { pages: PAGES } : {}),
        vars: {
          ...vars,
          ...(extra === undefined ? {} : { FACILITATOR_URL: [{ url: facilitator.url, extra }] }),
          ROUTES: [...vars.ROUTES, ...routes],
          ...(readsChain ? { RPC_URL: chain.url } : {}),
          ...others,
        },
        secrets,
      }),
    );
    return { chain, facilitator, origin, gate, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What one payment did to the world, as differences. */
export interface Change {
  paid: bigint;
  received: bigint;
  asked: number;
  verified: number;
  settled: number;
}

/** Runs `work` and says what changed for this payer meanwhile. */
export async function changesDuring<T>(
  { chain, facilitator, origin }: World,
  payer: `0x${string}`,
  work: () => Promise<T>,
): Promise<{ result: T; change: Change }> {
  const read = async () => ({
    payer: await chain.balanceOf(payer),
    payee: await chain.balanceOf(chain.accounts.payee.address),
    asked: origin.requests.length,
    // Of this payer alone: what an earlier test left unknown is sent again at any time.
    ...facilitator.countsOf(payer),
  });
  const before = await read();
  const result = await work();
  const after = await read();
  return {
    result,
    change: {
      paid: before.payer - after.payer,
      received: after.payee - before.payee,
      asked: after.asked - before.asked,
      verified: after.verify - before.verify,
      settled: after.settle - before.settle,
    },
  };
}

export interface Transfer {
  from: string;
  to: string;
  value: bigint;
}

/** The token transfers of a transaction that the chain has included; throws when it knows no such one. */
export async function transfersOf({ chain }: World, transaction: `0x${string}`): Promise<Transfer[]> {
  const receipt = await chain.publicClient.getTransactionReceipt({ hash: transaction });
  const logs = parseEventLogs({ abi: chain.token.abi, eventName: 'Transfer', logs: receipt.logs });
  return logs.map((log) => {
    if (log.address.toLowerCase() !== chain.token.address.toLowerCase()) throw new Error(`a log of ${log.address}`);
    return (log as unknown as { args: Transfer }).args;
  });
}
