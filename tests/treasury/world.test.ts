// The treasury's world as a client from outside has it: one line of JSON, an agent that buys, controls that break parts, and nothing left behind.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AgentPayClient } from '../../pkg/dist/agent/index.js';
import { eventually } from '../support/eventually.ts';
import { startLine, type WorldLine } from '../support/world-line.ts';
import { buy } from './buyers.ts';

const LIMIT_MS = 120_000;

type Agent = { readonly organization: string; readonly agent: string; readonly bootstrapKey: string };
type Line = {
  readonly treasury: string;
  readonly operatorToken: string;
  readonly agents: readonly Agent[];
  readonly merchants: Readonly<Record<string, string>>;
  readonly chain: { readonly url: string };
  readonly facilitator: string;
  readonly controls: Readonly<Record<string, string>>;
};

let world: WorldLine<Line>;
let line: Line;
before(
  async () => {
    world = await startLine<Line>('treasury');
    ({ line } = world);
  },
  { timeout: LIMIT_MS },
);
after(() => world?.kill());

const clientOf = ({ organization, agent, bootstrapKey }: Agent): AgentPayClient =>
  new AgentPayClient({ controlPlaneBaseUrl: line.treasury, organization, agent, auth: { type: 'bootstrapKey', bootstrapKey } });
const agent = (name: string): AgentPayClient => clientOf(line.agents.find((one) => one.agent === name) ?? assert.fail(name));
const moved = async (): Promise<number> => Object.keys(await world.control('transfers')).length;

test('an agent of the line buys from every merchant', { timeout: LIMIT_MS }, async () => {
  const before = await moved();
  for (const [name, url] of Object.entries(line.merchants)) {
    const { kind, reason } = await buy(agent('buyer'), `${url}${name === 'scripted' ? '/honest' : '/report'}`);
    assert.equal(kind, 'success', `${name}: ${reason}`);
  }
  assert.equal((await moved()) - before, Object.keys(line.merchants).length);
});

test('an agent is made, and is given a budget', { timeout: LIMIT_MS }, async () => {
  const made = (await world.control('agents', { organization: 'acme', agent: 'late', policy: { perDay: { USDC: '0.01' } } })) as Agent;
  const url = `${line.merchants['hono']}/report`;
  assert.equal((await buy(clientOf(made), url)).kind, 'success');
  assert.match((await buy(clientOf(made), url)).reason ?? '', /agent daily budget of \$0\.01 exceeded/);
  await world.control('budget', { organization: 'acme', agent: 'late', policy: { perDay: { USDC: '0.02' } } });
  assert.equal((await buy(clientOf(made), url)).kind, 'success');
});

test('the facilitator can be cut off, and comes back', { timeout: LIMIT_MS }, async () => {
  const before = await moved();
  await world.control('facilitator', { mode: 'cut' });
  const { kind } = await buy(agent('buyer'), `${line.merchants['scripted']}/honest/cut-off`);
  await world.control('facilitator');
  assert.notEqual(kind, 'success');
  assert.equal(await moved(), before);
  assert.equal((await buy(agent('buyer'), `${line.merchants['scripted']}/honest/back`)).kind, 'success');
});

test('the treasury is killed and keeps its books', { timeout: LIMIT_MS }, async () => {
  const audit = async (): Promise<string> =>
    (await fetch(`${line.treasury}/api/organizations/acme/audit`, { headers: { authorization: `Bearer ${line.operatorToken}` } })).text();
  const before = await eventually('the books are at rest', audit, (text) => text.includes('"counted"'));
  await world.control('kill');
  await assert.rejects(audit());
  await world.control('restart');
  assert.deepEqual(countedIn(await audit()), countedIn(before));
});

test('it ends with its standard input, and nothing of it goes on', { timeout: LIMIT_MS }, () =>
  world.end([line.treasury, ...Object.values(line.merchants), line.facilitator, line.chain.url]),
);

const countedIn = (text: string): unknown => (JSON.parse(text) as { items: { counted: string }[] }).items.map(({ counted }) => counted);
