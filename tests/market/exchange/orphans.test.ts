/** A stranger pays for nothing again and again, or lets many jobs of its own lie, while the treasury is slow: what others wait for goes on beside that. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';

import { LIVE, signedPayment, startExchangeWorld, type Wallet } from '../../../demo/exchange-world.mjs';
import { root } from '../../../scripts/steps.mjs';
import { eventually } from '../../support/eventually.ts';
import { sharedWorld } from '../../support/suite.ts';
import { PRICE, quoted, quotedBy } from './support.ts';

/** How often the stranger pays a quote that is another wallet's. */
const PAYMENTS = 10;
/** How many jobs of its own the stranger lets lie. */
const JOBS = 12;
/** How long the treasury takes for each payout. */
const SLOW_MS = 5_000;

const world = sharedWorld(startExchangeWorld);

//
it('a stranger who pays one quote again and again holds up no job and no refund of one', { timeout: 120_000 }, async () => {
  const deal = await quoted(world, 'lies');
  const paid = await deal.verify();
  assert.equal(paid.status, 200, paid.text);
  // Ten seconds before the time of its seller is over, so that the stranger's refunds are due before it.
  await world.wait(50);
  const stateOf = async (): Promise<string> => {
    const headers = { authorization: `Bearer ${paid.json.job_token}` };
    return (await world.ask('GET', `/api/v1/jobs/${paid.json.job_id}`, { headers })).json.status;
  };
  const stranger: Wallet = await world.wallet();
  const { quote } = await quotedBy(world, await world.seller({ capability: 'other' }), 'other');
  const funds = await world.chain.balanceOf(stranger.address);
  const back = async (): Promise<bigint> => (await world.chain.balanceOf(stranger.address)) - funds;
  world.switches.treasury.set({ mode: 'delay', path: '/api/payouts', ms: SLOW_MS });
  for (let at = 0; at < PAYMENTS; at += 1) {
    const headers = { 'x-payment': await signedPayment(world, stranger, quote), ...world.client() };
    const told = await world.ask('POST', `/till/${quote.payment_id}`, { base: world.gate.url, headers });
    assert.notEqual(told.status, 200, told.text);
  }
  await eventually('the job leaves a seller that lets it lie', stateOf, (status) => status !== 'paid', 15);
  await eventually(
    'its buyer has the money again',
    () => deal.moved(),
    ([has]) => has === 0n,
    20,
  );
  assert.ok((await back()) < 0n, "most of the stranger's refunds are still under way");
  world.switches.treasury.set();
  await eventually('the stranger has the money again', back, (moved) => moved === 0n, 60);
  assert.equal(await world.held(), 0n);
  assert.equal((await deal.paid()) % PRICE, 0n);
});

//
it('a stranger who lets many jobs of its own seller lie holds up no refund of another seller', { timeout: 120_000 }, async () => {
  const own = await world.seller({ capability: 'own', capacity: JOBS });
  for (let at = 0; at < JOBS; at += 1) {
    const bought = await (await quotedBy(world, own, 'own')).verify();
    assert.equal(bought.status, 200, bought.text);
    assert.equal((await world.call(own, `jobs/${bought.json.job_id}/start`)).status, 200);
  }
  await world.wait(20);
  const deal = await quoted(world, 'honest');
  const paid = await deal.verify();
  assert.equal(paid.status, 200, paid.text);
  assert.equal((await deal.call('start', paid.json.job_id)).status, 200);
  world.switches.treasury.set({ mode: 'delay', path: '/api/payouts', ms: SLOW_MS });
  await world.wait(101);
  await world.wait(20);
  await eventually(
    'its buyer has the money again',
    () => deal.moved(),
    ([has]) => has === 0n,
    14,
  );
  assert.ok((await world.held()) > 0n, "most of the stranger's refunds are still under way");
  world.switches.treasury.set();
  await eventually('the stranger has the money again', world.held, (held) => held === 0n, 60);
});

//
it('money is listed by where it goes, page by page, in the database', async () => {
  const listed = async (query: string) => {
    const headers = { authorization: `Bearer ${world.tokens.operator}` };
    const told = await world.ask('GET', `/api/v1/operator/holds?network_profile=${LIVE}&${query}`, { headers });
    assert.equal(told.status, 200, told.text);
    return told.json;
  };
  const first = await listed('leave=refund&limit=5');
  assert.equal(first.items.length, 5);
  const rest = await listed(`leave=refund&state=ended&limit=200&cursor=${first.next}`);
  assert.ok(rest.items.length > 0);
  for (const { leave } of [...first.items, ...rest.items]) assert.equal(leave, 'refund');
  // Nothing was sold here: no page of it is empty and leads on.
  assert.deepEqual(await listed('leave=release&limit=5'), { items: [], next: null });
});

it('an operator at a terminal lists held money, jobs and sellers, looks at one, and has it asked', async () => {
  const env = { PATH: process.env['PATH'], FAREBOX_URL: world.url, FAREBOX_OPERATOR_TOKEN: world.tokens.operator };
  const run = (...words: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'pkg/dist/cli/main.js'), ...words, '--profile', LIVE], {
      env,
      encoding: 'utf8',
    });
    return { status, stdout, stderr, lines: stdout.trimEnd().split('\n') };
  };
  const parsed = (lines: readonly string[]) => lines.map((line) => JSON.parse(line) as Record<string, string>);
  const holds = run('holds', '--leave', 'refund', '--state', 'ended', '--limit', '5', '--json');
  const [first] = parsed(holds.lines);
  assert.deepEqual([holds.status, holds.lines.length, holds.stderr], [0, 5, 'There are more: --limit 20\n']);
  const { payment = '' } = first ?? {};
  assert.match(
    run('holds', '--leave', 'refund').stdout,
    /^STATE +LEAVE +AMOUNT +WAITS +JOB +PAYMENT\n(?:sent|ended) +refund +[\d.]+ USDC +- /,
  );
  const one = run('holds', payment);
  assert.deepEqual([one.status, one.lines.includes(`payment: ${payment}`)], [0, true]);
  assert.deepEqual(run('holds', 'rcpt_none').status, 2);

  const jobs = parsed(run('jobs', '--json').lines);
  const [{ job_id: id = '', seller_id: seller = '' } = {}] = jobs;
  assert.ok(parsed(run('jobs', '--seller', seller, '--json').lines).every((job) => job['seller_id'] === seller));
  const job = JSON.parse(run('jobs', id, '--json').stdout) as { job_id: string; events: unknown[] };
  assert.deepEqual([job.job_id, job.events.length > 0], [id, true]);
  assert.match(run('sellers').stdout, /^HEARD +STATUS +PRICE +CAPABILITY +DONE +FAILED +SELLER\n/);
  // The treasury moves all of it.
  assert.deepEqual(run('waiting').lines, ['STATE  LEAVE  AMOUNT  WAITS  JOB  PAYMENT']);

  const over = run('ask', payment);
  assert.deepEqual([over.status, over.stderr.includes('409 NOTHING_TO_ASK')], [1, true], over.stderr);
  const ended = run('end', payment);
  assert.deepEqual([ended.status, ended.stderr.includes('409 NOTHING_TO_END')], [1, true], ended.stderr);
  world.switches.treasury.set({ mode: 'delay', path: '/api/payouts', ms: SLOW_MS });
  const stranger: Wallet = await world.wallet();
  const { quote } = await quotedBy(world, await world.seller({ capability: 'other' }), 'other');
  const headers = { 'x-payment': await signedPayment(world, stranger, quote), ...world.client() };
  await world.ask('POST', `/till/${quote.payment_id}`, { base: world.gate.url, headers });
  const [{ payment: due = '' } = {}] = await eventually(
    'a refund is under way',
    async () => run('holds', '--state', 'paying', '--json').lines.filter((line) => line !== ''),
    (lines) => lines.length > 0,
    20,
  ).then(parsed);
  const asked = run('ask', due);
  assert.deepEqual([asked.status, asked.lines.includes(`payment: ${due}`)], [0, true], asked.stderr);
  world.switches.treasury.set();
  const wrong = run('ask', 'rcpt_none');
  assert.deepEqual([wrong.status, /^farebox: 404 /.test(wrong.stderr)], [1, true], wrong.stderr);
});
