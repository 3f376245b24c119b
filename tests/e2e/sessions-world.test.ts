// The world of sessions as a client from outside has it: the published client pays by vouchers, the gate is killed, and time brings the payee its money.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { wrapFetchWithPaymentFromConfig } from '@x402/fetch';
import { createPublicClient, http } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';

import { eventually } from '../support/eventually.ts';
import { startLine, type WorldLine } from '../support/world-line.ts';

const LIMIT = { timeout: 120_000 };
const UNIT = 1_000n;

type Hex = `0x${string}`;
type Line = {
  readonly gate: string;
  readonly url: string;
  readonly stream: string;
  readonly secondPrice: string;
  readonly operatorToken: string;
  readonly withdrawDelaySecs: number;
  readonly origin: string;
  readonly facilitator: string;
  readonly chain: { readonly url: string; readonly payee: Hex; readonly contract: Hex };
  readonly funded: readonly { readonly privateKey: Hex }[];
  readonly controls: Readonly<Record<string, string>>;
};

let world: WorldLine<Line>;
let line: Line;
let pay: typeof fetch;
before(async () => {
  world = await startLine<Line>('sessions');
  ({ line } = world);
  const account = privateKeyToAccount(line.funded[0]?.privateKey ?? assert.fail('no account'));
  const { readContract } = createPublicClient({ transport: http(line.chain.url) });
  const scheme = new BatchSettlementEvmScheme({ ...account, readContract } as never, { depositStrategy: () => 10n * UNIT });
  pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: 'eip155:*', client: scheme }] });
}, LIMIT);
after(() => world?.kill());

/** What payee and contract have, atomic units. */
const balances = async (): Promise<bigint[]> => {
  const { payee, contract } = line.chain;
  const all = await world.control('balances', { addresses: [payee, contract] });
  return [BigInt(all[payee]), BigInt(all[contract])];
};

test('one deposit pays for requests before and after the gate was killed', LIMIT, async () => {
  const [, held] = await balances();
  for (let request = 0; request < 2; request += 1) assert.equal((await pay(line.url)).status, 200);
  await world.control('kill');
  await assert.rejects(fetch(line.url));
  await world.control('restart');
  assert.equal((await pay(line.url)).status, 200);
  assert.equal((await balances())[1]! - held!, 10n * UNIT);
});

test("when the delay is over, what was earned is the payee's, and the rest stays for vouchers", LIMIT, async () => {
  const [had] = await balances();
  await world.control('clock', { secs: line.withdrawDelaySecs + 1 });
  const [now, held] = await eventually('three requests are paid out', async () => {
    const found = await balances();
    return found[0] === had! + 3n * UNIT && found;
  });
  assert.deepEqual([now! - had!, held], [3n * UNIT, 7n * UNIT]);
  assert.equal((await pay(line.url)).status, 200);
  const channels = await fetch(`${line.gate}/_farebox/channels`, { headers: { authorization: `Bearer ${line.operatorToken}` } });
  const {
    items: [channel],
  } = (await channels.json()) as { items: { claimed: string; deposit: string }[] };
  assert.deepEqual([channel?.claimed, channel?.deposit], [String(3n * UNIT), String(10n * UNIT)]);
});

test('a stream by the second is offered by session', LIMIT, async () => {
  const answer = await fetch(line.stream);
  const asked = answer.headers.get('www-authenticate') ?? '';
  const request = /intent="session", request="([^"]+)"/.exec(asked)?.[1] ?? assert.fail(asked);
  const { amount, unitType } = JSON.parse(Buffer.from(request, 'base64url').toString()) as Record<string, string>;
  assert.deepEqual([answer.status, amount, unitType, line.secondPrice], [402, '1000', 'second', '$0.001']);
});

test('a facilitator that is cut off is missed by deposits alone', LIMIT, async () => {
  await world.control('facilitator', { mode: 'cut' });
  assert.equal((await pay(line.url)).status, 200);
  await world.control('facilitator');
});

test('it ends with its standard input, and nothing of it goes on', LIMIT, () =>
  world.end([line.gate, line.origin, line.facilitator, line.chain.url]),
);
