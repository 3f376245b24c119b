// A person looks: what an approval lets through, and what it does not.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

import { root } from '../../scripts/steps.mjs';
import { sharedWorld } from '../support/suite.ts';
import { buy, clientOf, during, startTreasuryWorld } from './buyers.ts';

const world = sharedWorld(() =>
  startTreasuryWorld({
    stock: false,
    organizations: ({ scripted }) => [
      {
        name: 'careful',
        policy: { allowedOrigins: [scripted.url], reviewAbove: { USDC: '0.05' }, perMonth: { USDC: '1.00' } },
        agents: [{ name: 'buyer' }, { name: 'other' }],
      },
    ],
  }),
);

const shop = (path: string, amount = '60000'): string => `${world.merchants.scripted.url}/honest/${path}?amount=${amount}`;
const buyer = () => clientOf(world, 'careful', 'buyer');
const judge = (id: string | undefined, verdict: 'approve' | 'deny') =>
  world.operate('POST', `organizations/careful/reviews/${id}/${verdict}`, {});

/** Asks, and gives the review's id. */
async function asked(path: string, request: { idempotencyKey?: string } = {}): Promise<string> {
  const { result, count } = await during(world, () => buy(buyer(), shop(path), undefined, request));
  assert.deepEqual([result.kind, result.reasonCode, count], ['denied', 'policy_review_required', 0], result.reason);
  return result.policyReviewEventId ?? assert.fail('no review');
}

test('what is not above the amount needs no one', async () => {
  const { result, count } = await during(world, () => buy(buyer(), shop('small', '50000')));
  assert.deepEqual([result.kind, count], ['success', 1], result.reason);
});

test('an approval lets exactly that request through, once, under the id that it had', async () => {
  const first = await buy(buyer(), shop('approved'));
  assert.equal((await judge(first.policyReviewEventId, 'approve')).status, 200);
  const { result, paid } = await during(world, () => buy(buyer(), shop('approved')));
  assert.deepEqual([result.kind, paid, result.paidRequestId], ['success', 60_000n, first.paidRequestId], result.reason);
  const again = await asked('approved');
  assert.notEqual(again, first.policyReviewEventId);
});

test('with a key the key is paid, and stays paid', async () => {
  const request = { idempotencyKey: 'reviewed' };
  const id = await asked('keyed', request);
  assert.equal((await judge(id, 'approve')).status, 200);
  const {
    result: [one, two],
    count,
  } = await during(world, async () => [
    await buy(buyer(), shop('keyed'), undefined, request),
    await buy(buyer(), shop('keyed'), undefined, request),
  ]);
  assert.deepEqual([one?.kind, two?.receipt?.receiptId, count], ['success', one?.receipt?.receiptId, 1], one?.reason);
});

test('asked again before a person has looked it is the same review, and nothing is paid', async () => {
  assert.equal(await asked('waiting'), await asked('waiting'));
});

test('a denial is final for that review', async () => {
  const id = await asked('denied', { idempotencyKey: 'denied' });
  assert.equal((await judge(id, 'deny')).status, 200);
  const { result, count } = await during(world, () => buy(buyer(), shop('denied'), undefined, { idempotencyKey: 'denied' }));
  assert.deepEqual([result.kind, count], ['denied', 0]);
  assert.ok((await judge(id, 'approve')).status >= 400);
});

test('an approval is for that agent, that request and those terms', async () => {
  const id = await asked('bound');
  await judge(id, 'approve');
  const { result, count } = await during(world, async () => [
    await buy(clientOf(world, 'careful', 'other'), shop('bound')),
    await buy(buyer(), shop('bound', '70000')),
    await buy(buyer(), shop('bound'), { method: 'POST', body: 'more' }),
  ]);
  assert.deepEqual([result.map(({ reasonCode }) => reasonCode), count], [Array(3).fill('policy_review_required'), 0]);
});

test('a budget counts after an approval too', async () => {
  // More than what is left once the tests above have bought, and less than the whole.
  const dear = await buy(buyer(), shop('dear', '950000'), undefined, { idempotencyKey: 'too dear' });
  assert.equal(dear.kind, 'denied');
  await judge(dear.policyReviewEventId, 'approve');
  const { result, count } = await during(world, () => buy(buyer(), shop('dear', '950000'), undefined, { idempotencyKey: 'too dear' }));
  assert.deepEqual([result.kind, result.reasonCode, count], ['denied', 'policy_denied', 0], result.reason);
});

test('an approval that is not used within a day has ended', async () => {
  const id = await asked('late');
  await judge(id, 'approve');
  await world.wait(86_401);
  const { result, count } = await during(world, () => buy(buyer(), shop('late')));
  assert.deepEqual([result.kind, result.reasonCode, count], ['denied', 'policy_review_required', 0]);
  assert.notEqual(result.policyReviewEventId, id);
});

test('the operator sees the reviews that wait, and no one else does', async () => {
  const id = await asked('listed');
  const { status, json } = await world.operate('GET', 'organizations/careful/reviews?state=open');
  assert.equal(status, 200);
  assert.ok(
    json.items.some((review: { id: string }) => review.id === id),
    JSON.stringify(json),
  );
  assert.equal((await fetch(`${world.treasury.url}/api/organizations/careful/reviews`)).status, 401);
});

/** Runs a command of an operator; what it printed. */
function typed(...words: string[]): Promise<{ readonly out: string; readonly err: string }> {
  const env = { PATH: process.env['PATH'], FAREBOX_URL: world.treasury.url, FAREBOX_OPERATOR_TOKEN: world.operatorToken };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [join(root, 'pkg/dist/cli/main.js'), ...words], { env }, (error, out, err) =>
      error === null ? resolve({ out, err }) : reject(error),
    );
  });
}
const run = async (...words: string[]): Promise<string> => (await typed(...words)).out;

test('an operator at a terminal lists what waits, approves one and denies the other', async () => {
  const [one, two] = [await asked('typed-one'), await asked('typed-two')];
  const waits = (await run('reviews', '--json'))
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id);
  assert.ok([one, two].every((id) => waits.includes(id)));
  assert.match(
    await run('reviews'),
    new RegExp(`^\\S+ +open +buyer +\\$0\\.06 +eip155:\\d+ +GET +http\\S+typed-one\\S* +0x[0-9a-fA-F]{40} +- +${one}$`, 'm'),
  );
  assert.match(await run('approve', one), /^state: approved$/m);
  assert.match(await run('deny', two, '--org', 'careful'), /^state: denied$/m);
  const { result, paid } = await during(world, () => buy(buyer(), shop('typed-one')));
  assert.deepEqual([result.kind, paid], ['success', 60_000n], result.reason);
});

test('two reviews of one request differ in their keys, and whoever lists them is told that each is a payment', async () => {
  const first = await asked('twice', { idempotencyKey: 'first of two' });
  // The newest comes first, by the second: within one, the order is not told.
  await world.wait(1);
  const ids = [first, await asked('twice', { idempotencyKey: 'second of two' })];
  const other = await asked('once', { idempotencyKey: 'third' });
  const { out, err } = await typed('reviews');
  for (const [at, key] of ['first of two', 'second of two'].entries()) assert.match(out, new RegExp(` ${key} +${ids[at]}$`, 'm'));
  assert.equal(err, `One request, asked for 2 times: ${[...ids].reverse().join(', ')}. Each approval lets it be paid once more.\n`);
  assert.match(await run('reviews', other), /^idempotencyKey: third$/m);
  for (const id of [...ids, other]) await judge(id, 'deny');
});

test('an operator at a terminal reads the books of a treasury by the commands that a gate has, and stops an agent', async () => {
  const [head = '', organization = ''] = (await run('audit')).split('\n');
  assert.deepEqual(head.split(/ {2,}/), ['SCOPE', 'AGENT', 'ASSET', 'SIGNED', 'VOID', 'COUNTED', 'CONFIRMED', 'OPEN']);
  assert.match(organization, /^organization +- +USDC +0\.\d+ /);
  assert.equal(await run('audit', '--org', 'careful'), await run('audit'));
  const [columns, ...rows] = (await run('export')).trimEnd().split('\r\n');
  assert.match(columns ?? '', /^paidRequestId,createdAt,agent,/);
  assert.equal(rows.length, (await run('export', '--format', 'jsonl')).trimEnd().split('\n').length);

  const client = clientOf(world, 'careful', 'other');
  assert.equal((await buy(client, shop('before', '10000'))).kind, 'success');
  // Its tokens alone are had anew for its key.
  assert.equal((await world.operate('DELETE', 'organizations/careful/agents/other/runtime-tokens')).status, 200);
  assert.equal((await buy(client, shop('between', '10000'))).kind, 'success');
  assert.match(await run('disable', 'other'), /^disabled: true$/m);
  await assert.rejects(client.fetchPaid(shop('after', '10000'), undefined, {}), /token is missing, unknown, expired or revoked/);
});
