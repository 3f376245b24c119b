// The real parts with a proxy in front of each, and a gate on a folder that outlives it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { encodeAbiParameters, keccak256, toHex } from 'viem';

import { type Chain, NETWORK, startChain, USDC } from '../../demo/chain.mjs';
import { type Facilitator, startFacilitator } from '../../demo/facilitator.mjs';
import { type Origin, startOrigin } from '../../demo/origin.mjs';
import { randomSecrets, startGate } from '../../scripts/miniflare.mjs';
import type { PaymentRequired } from '../worker/support/payer.ts';
import { EXPECTED } from './expected.ts';
import type { Mode } from './points.ts';
import { type Exchange, startProxy, type TestProxy } from './proxy.ts';
import { type RowReader, startRowReader } from './rows.ts';
import { type MessageName, Switchboard } from './switchboard.ts';

/** Seconds for which payers sign; more than the gate needs for its own deadlines, little enough to wait for. */
export const VALID_FOR_SECS = EXPECTED.unknownEndsBy === 'alarm' ? 20 : 55;
/** What a payer owns when he comes, and what everything costs. */
export const FUNDS = 1_000_000n;
export const PRICE_ATOMIC = 10_000n;
const SETTLE_SECS = 4;
const ORIGIN_TIMEOUT_SECS = 4;

export interface World {
  readonly chain: Chain;
  readonly facilitator: Facilitator;
  readonly origin: Origin;
  readonly gate: Killable;
  readonly switchboard: Switchboard;
  readonly rows: RowReader;
  readonly operatorToken: string;
  /** What a mode asks for; for a stream it is the same. */
  readonly required: Record<Mode, PaymentRequired>;
  /** Waits until no message is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** A gate that can be killed at any moment, on a folder that outlives it. */
export interface Killable {
  readonly url: string;
  /** The process that writes the rows. */
  readonly pid: number;
  /** Folder of the objects' databases. */
  readonly stored: string;
  /** Ends all of it before the next step of this process. */
  kill(): void;
  isAlive(): boolean;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface GateOptions {
  readonly vars: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly persist: string;
}

/** Starts the parts, and the gate among them: the built Worker by itself, unless another way is named. */
export async function startWorld(gateOf: (options: GateOptions) => Promise<Killable> = startWorker): Promise<World> {
  const started: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const part of started.splice(0).reverse()) await part.stop();
  };
  const keep = <T extends { stop(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    const switchboard = new Switchboard();
    const chain = keep(await startChain());
    const origin = keep(await startOrigin());
    const proxies: TestProxy[] = [];
    const proxied = async (target: string, describe: Describe, dropped?: (body: string) => string) => {
      const proxy = keep(await startProxy({ target, switchboard, describe: describe(switchboard), ...(dropped ? { dropped } : {}) }));
      proxies.push(proxy);
      return proxy.url;
    };
    const broadcasts = await proxied(chain.url, broadcast, refused);
    const facilitator = keep(await startFacilitator({ chain: { ...chain, url: broadcasts } }));
    const vars = {
      NETWORK,
      PAY_TO: chain.accounts.payee.address,
      FACILITATOR_URL: await proxied(facilitator.url, operation),
      ORIGIN_URL: await proxied(origin.url, page),
      RPC_URL: await proxied(chain.url, read),
      LEDGER_SHARDS: 2,
      ROUTES: (['after', 'before'] as const).flatMap((settle) =>
        ['report', 'events'].map((kind) => ({
          path: `/${kind}/${settle}/*`,
          methods: ['GET'],
          price: '$0.01',
          settle,
          origin_timeout_secs: ORIGIN_TIMEOUT_SECS,
          max_timeout_secs: 60,
        })),
      ),
      RECOVERY: { settle_secs: SETTLE_SECS, resend_secs: [1, 2, 4], chain_secs: [1, 2], refund_secs: 5, manual_secs: 600, breaker_secs: 1 },
    };
    const secrets = randomSecrets();
    const persist = mkdtempSync(join(tmpdir(), 'farebox-crash-'));
    keep({ stop: async () => rmSync(persist, { recursive: true, force: true }) });
    const rows = keep(await startRowReader());
    const gate = keep(await gateOf({ vars, secrets, persist }));
    const required = { after: await termsOf(`${gate.url}/report/after/terms`), before: await termsOf(`${gate.url}/report/before/terms`) };
    const idle = async () => {
      for (const proxy of proxies) await proxy.idle();
    };
    return { chain, facilitator, origin, gate, switchboard, rows, operatorToken: secrets.OPERATOR_TOKEN, required, idle, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The built Worker in a workerd of its own. */
async function startWorker({ vars, secrets, persist }: GateOptions): Promise<Killable> {
  const gate = await startGate({ build: process.env.FAREBOX_BUILD ?? 'build', vars, secrets, persist });
  return {
    url: gate.url,
    stored: join(persist, 'do'),
    get pid() {
      return gate.pid;
    },
    kill() {
      assert.ok(gate.pid > 0, 'nobody knows the pid of workerd: pgrep is missing');
      process.kill(gate.pid, 'SIGKILL');
    },
    isAlive: () => lives(gate.pid),
    restart: () => gate.restart(),
    stop: () => gate.stop(),
  };
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Gives a payer his tokens without a transaction, by writing the balance. */
export async function fund(chain: Chain, payer: `0x${string}`, amount = FUNDS): Promise<void> {
  const slot = keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'uint256' }], [payer, BALANCES_SLOT]));
  await chain.rpc('anvil_setStorageAt', [USDC, slot, toHex(amount, { size: 32 })]);
}

/** Where the token keeps its balances: third of its variables. */
const BALANCES_SLOT = 2n;

async function termsOf(url: string): Promise<PaymentRequired> {
  const answer = await fetch(url);
  const header = answer.headers.get('payment-required');
  if (header === null) throw new Error(`no terms in a ${answer.status}: ${await answer.text()}`);
  return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as PaymentRequired;
}

type Describe = (switchboard: Switchboard) => (url: string, body: string) => Exchange | undefined;

const naming = (switchboard: Switchboard, text: string, request: MessageName, reply: MessageName): Exchange | undefined => {
  const payment = switchboard.paymentIn(text);
  return payment === undefined ? undefined : { payment, request, reply };
};

const operation: Describe = (switchboard) => (url, body) =>
  url.endsWith('/verify')
    ? naming(switchboard, body, 'verify.request', 'verify.reply')
    : naming(switchboard, body, 'settle.request', 'settle.reply');

const page: Describe = (switchboard) => (url) => {
  const exchange = naming(switchboard, url, 'origin.request', 'origin.head');
  return exchange && { ...exchange, end: 'origin.end' };
};

/** Of what the facilitator asks of the chain, the sending of a transaction alone. */
const broadcast: Describe = (switchboard) => (_url, body) =>
  body.includes('"eth_sendRawTransaction"') ? naming(switchboard, body, 'chain.request', 'chain.reply') : undefined;

/** What the gate reads about one payment. */
const read: Describe = (switchboard) => (_url, body) => naming(switchboard, body, 'rpc.request', 'rpc.reply');

/** A chain's refusal that clients do not answer by asking again. */
function refused(body: string): string {
  const { id } = JSON.parse(body) as { id: number };
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message: 'dropped' } });
}
