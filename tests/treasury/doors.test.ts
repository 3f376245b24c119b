/** Who is let in at the treasury's doors: paths, methods, bodies and tokens, before any decision. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { type Answer, bootstrapKey, OPERATOR, Treasury } from './support/worker.ts';

const DECISIONS = '/api/sdk/payment-decisions';
const problem = ({ status, headers, json }: Answer): unknown[] => [status, headers.get('content-type'), json.code];
const told = ({ status, json }: Answer): unknown[] => [status, typeof json.message];

describe('the doors of a treasury', () => {
  let treasury: Treasury;
  before(async () => {
    treasury = await Treasury.start();
  });
  after(() => treasury.stop());

  it('other paths are not found', async () => {
    for (const path of ['/', '/api', '/api/organizationsx', '/_farebox/health']) {
      assert.deepEqual(problem(await treasury.ask('GET', path)), [404, 'application/problem+json', 'not_found'], path);
    }
    assert.deepEqual(told(await treasury.ask('GET', '/api/sdk/elsewhere')), [404, 'string']);
  });

  it('a path of agents has one method', async () => {
    for (const [method, path, allowed] of [
      ['GET', DECISIONS, 'POST'],
      ['GET', '/api/sdk/runtime-tokens', 'POST'],
      ['POST', '/api/sdk/receipts/x', 'GET'],
    ] as const) {
      const answer = await treasury.ask(method, path);
      assert.deepEqual([...told(answer), answer.headers.get('allow')], [405, 'string', allowed], path);
    }
  });

  it('without a token, with a wrong one, and with one of an organization that there is not, the answer is the same', async () => {
    const wrong = [
      '',
      'x',
      'fbt_acme_abcd',
      `fbt_acme_abcd_${'a'.repeat(32)}`,
      `fbt_nowhere_abcd_${'a'.repeat(32)}`,
      bootstrapKey('acme', 'buyer'),
    ];
    for (const path of ['/api/sdk/receipts/x', DECISIONS]) {
      const method = path === DECISIONS ? 'POST' : 'GET';
      const answers = await Promise.all(
        wrong.map((token) => treasury.ask(method, path, { token, ...(method === 'POST' ? { body: '{}' } : {}) })),
      );
      assert.deepEqual(
        answers.map(({ status }) => status),
        wrong.map(() => 401),
      );
      assert.deepEqual([...new Set(answers.map(({ text }) => text))].length, 1);
      assert.deepEqual([...new Set(answers.map(({ headers }) => headers.get('cache-control')))], ['no-store']);
    }
  });

  it('a body is 1 MiB at most, whatever it holds', async () => {
    const token = await treasury.token();
    assert.deepEqual(told(await treasury.ask('POST', DECISIONS, { token, body: 'a'.repeat(1_048_577) })), [413, 'string']);
    assert.deepEqual(told(await treasury.ask('POST', DECISIONS, { token, body: 'a'.repeat(1_048_576) })), [400, 'string']);
  });

  //
  it('operators are those with the token', async () => {
    for (const token of ['', 'x', OPERATOR.slice(1), `${OPERATOR}x`, bootstrapKey('acme', 'buyer')]) {
      assert.deepEqual(
        problem(await treasury.ask('GET', '/api/organizations', { token })),
        [401, 'application/problem+json', 'unauthorized'],
        token,
      );
      assert.deepEqual(
        problem(await treasury.ask('GET', '/api/organizations/nowhere', { token })),
        [401, 'application/problem+json', 'unauthorized'],
        token,
      );
    }
    assert.deepEqual((await treasury.operate('GET', '')).json, {
      items: [
        { name: 'acme', environment: 'test' },
        { name: 'other', environment: 'test' },
      ],
    });
  });

  it('operators are told what there is not, and which method a path has', async () => {
    for (const path of ['/nowhere', '/acme/elsewhere', '/acme/agents/buyer/elsewhere', '/acme/reviews/1/elsewhere']) {
      assert.deepEqual(problem(await treasury.operate('GET', path)), [404, 'application/problem+json', 'not_found'], path);
    }
    const put = await treasury.operate('PUT', '/acme/budgets', {});
    assert.deepEqual([...problem(put), put.headers.get('allow')], [405, 'application/problem+json', 'method_not_allowed', 'GET']);
  });

  it('a wrong configuration answers nothing, and the log says what is wrong', async () => {
    const broken = await Treasury.start({ vars: { TREASURY_SECRET: 'short', ORGANIZATIONS: 'none' } });
    try {
      assert.deepEqual(problem(await broken.ask('GET', '/api/organizations', { token: OPERATOR })), [
        503,
        'application/problem+json',
        'not_configured',
      ]);
      assert.equal((await broken.ask('POST', DECISIONS, { token: bootstrapKey('acme', 'buyer'), body: '{}' })).status, 503);
      assert.match(broken.logs, /farebox-treasury is not configured: TREASURY_SECRET: must have at least 32 bytes/);
    } finally {
      await broken.stop();
    }
  });
});
