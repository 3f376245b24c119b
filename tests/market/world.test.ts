// The market's world as a client from outside has it: one line of JSON, a seller who publishes, an agent that invokes, controls, and nothing left behind.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startLine, type WorldLine } from '../support/world-line.ts';

const LIMIT = { timeout: 120_000 };

type Line = {
  readonly url: string;
  readonly market: string;
  readonly treasury: string;
  readonly facilitator: string;
  readonly operatorToken: string;
  readonly agents: readonly { readonly agent: string; readonly token: string }[];
  readonly chain: { readonly url: string };
  readonly sellers: Readonly<Record<'plain' | 'charging' | 'mpp', string>>;
  readonly controls: Readonly<Record<string, string>>;
};

let world: WorldLine<Line>;
let line: Line;
before(async () => {
  world = await startLine<Line>('skills');
  ({ line } = world);
}, LIMIT);
after(() => world?.kill());

const invoke = async (token: string, skill: string): Promise<{ status: number; body: any }> => {
  const response = await fetch(`${line.url}/api/marketplace/skills/${skill}/invoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ agentId: 'agent-1', payload: {} }),
  });
  return { status: response.status, body: await response.json() };
};
const tokenOf = (name: string): string => line.agents.find(({ agent }) => agent === name)?.token ?? assert.fail(name);

test('a seller is made and publishes, and an agent of the line invokes the skill', LIMIT, async () => {
  const seller = await world.control('seller');
  const callUrl = `${line.sellers.charging}/honest/made?payTo=${seller.address}`;
  const { status, body } = await world.control('publish', {
    privateKey: seller.privateKey,
    skill: { skillId: 'made', name: 'Made', price: '$0.01', charges: 'seller', callUrl },
  });
  assert.equal(status, 201, JSON.stringify(body));
  const answer = await invoke(tokenOf('agent-1'), 'made');
  assert.deepEqual([answer.status, answer.body.ok], [200, true], JSON.stringify(answer.body));
  assert.deepEqual(await world.control('balances', { addresses: [seller.address] }), { [seller.address]: '100010000' });
});

test('a price is raised, and the agent pays nothing', LIMIT, async () => {
  await world.control('price', { path: '/honest/made', amount: 10_001 });
  assert.deepEqual((await invoke(tokenOf('agent-1'), 'made')).body.error, 'price_exceeds_listing');
  await world.control('price', { path: '/honest/made', amount: 10_000 });
});

test('the market is killed and keeps its catalogue and its ledger', LIMIT, async () => {
  const rows = async (): Promise<string> =>
    (await fetch(`${line.url}/api/marketplace/export?format=csv`, { headers: { authorization: `Bearer ${line.operatorToken}` } })).text();
  const before = await rows();
  await world.control('kill', { worker: 'market' });
  await assert.rejects(fetch(line.market));
  await world.control('restart', { worker: 'market' });
  await eventually(
    'it serves',
    async () => (await fetch(`${line.url}/api/marketplace/skills`)).status,
    (status) => status === 200,
  );
  assert.equal(await rows(), before);
  assert.equal((await invoke(tokenOf('agent-1'), 'made')).status, 200);
});

test('it ends with its standard input, and nothing of it goes on', LIMIT, () =>
  world.end([
    line.url,
    line.market,
    line.treasury,
    ...Object.values(line.sellers).filter((url) => typeof url === 'string'),
    line.facilitator,
    line.chain.url,
  ]),
);
