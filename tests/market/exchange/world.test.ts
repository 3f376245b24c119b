/** The exchange's world as a client from outside has it: one line of JSON, controls, a Worker that is killed with a job, and nothing left behind. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { startLine, type WorldLine } from '../../support/world-line.ts';

const LIMIT = { timeout: 120_000 };
type Line = {
  readonly url: string;
  readonly gate: string;
  readonly escrow: string;
  readonly profiles: { readonly money: string; readonly mock: string };
  readonly controls: Readonly<Record<string, string>>;
};

let world: WorldLine<Line>;
let line: Line;
before(async () => {
  world = await startLine<Line>('exchange');
  ({ line } = world);
}, LIMIT);
after(() => world?.kill());

const ask = async (path: string, body?: unknown, token = ''): Promise<{ status: number; body: any }> => {
  const response = await fetch(`${line.url}/api/v1/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
};

test('a seller and a buyer from outside, and a Worker that is killed between them', LIMIT, async () => {
  const profile = line.profiles.mock;
  const seller = await world.control('seller', { profile, capability: 'llm' });
  const order = { buyer_id: `0x${'33'.repeat(20)}`, capability: 'llm', prompt: 'hello', network_profile: profile };
  const quote = await ask('jobs/quote', order);
  assert.equal(quote.status, 402);
  const paid = await ask('jobs/verify', { fingerprint: quote.body.fingerprint, tx_hash: '0xabc123', payload: order });
  assert.equal(paid.status, 200, JSON.stringify(paid.body));
  await world.control('kill', { worker: 'market' });
  await assert.rejects(ask(`jobs/${paid.body.job_id}`));
  await world.control('restart', { worker: 'market' });
  const own = { seller_id: seller.address, network_profile: profile };
  assert.equal((await ask(`jobs/${paid.body.job_id}/start`, own, seller.token)).status, 200);
  // Its time runs on while it is dead, and the money of a job that no one does goes back.
  await world.control('kill', { worker: 'market' });
  await world.control('restart', { worker: 'market' });
  await world.control('clock', { secs: 121 });
  const read = async () => (await ask(`jobs/${paid.body.job_id}`, undefined, paid.body.job_token)).body;
  const failed = await eventually('the job is over', read, ({ status }) => status === 'failed');
  assert.deepEqual(failed.result, { error: 'The seller did not deliver in time.' });
});

test('it ends with its standard input, and nothing of it goes on', LIMIT, () => world.end([line.url]));
