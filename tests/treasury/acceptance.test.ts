// The acceptance cases of the agents' contract that concern a control plane, through `farebox/agent` against the treasury,
// with money on a chain.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { BIG_BYTES } from '../../demo/scripted-merchant.mjs';
import { sdkReceiptSchema } from '../../pkg/dist/agent/index.js';
import { findPython } from '../../scripts/python.mjs';
import { eventually } from '../support/eventually.ts';
import { buy, clientOf, during, harnessOf, noting, startTreasuryWorld, type TreasuryWorld, toldOf } from './buyers.ts';

const VERSION = '0.1.0-alpha.22';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const BRIEF = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"topic":"rain","audience":"farmers","format":"brief"}',
};

const python = await findPython();
/** Why FastAPI is not asked, if it is not. */
const leftOut = 'leftOut' in python && python.leftOut;

let world: TreasuryWorld;
before(
  async () => {
    world = await startTreasuryWorld({
      organizations: ({ scripted, hono, version1, mpp, fastapi, gate }) => {
        const allowedOrigins = [scripted, hono, version1, mpp, fastapi, gate].flatMap((merchant) =>
          merchant === undefined ? [] : [merchant.url],
        );
        const stock = new URL(mpp?.url ?? '').host;
        return [
          {
            name: 'acme',
            policy: { allowedOrigins, mpp: { [stock]: { nonce: 'joined' } } },
            agents: [{ name: 'buyer' }, { name: 'other' }],
          },
          { name: 'monthly', policy: { allowedOrigins, perMonth: { USDC: '5.00' } }, agents: [{ name: 'buyer' }] },
          { name: 'closed', policy: {}, agents: [{ name: 'buyer' }] },
          {
            name: 'careful',
            policy: { allowedOrigins, reviewAbove: { USDC: '0.05' } },
            agents: [{ name: 'buyer' }, { name: 'railless', policy: { wallet: 'elsewhere' } }],
          },
          { name: 'locked', policy: { allowedOrigins, wallet: 'locked' }, agents: [{ name: 'buyer' }] },
          { name: 'torn', policy: { allowedOrigins, wallet: undefined, networks: ['eip155:84532'] }, agents: [{ name: 'buyer' }] },
        ];
      },
    });
  },
  { timeout: 120_000 },
);
after(() => world?.stop());

const brief = (query: string): string => `${world.merchants.scripted.url}/demo-merchant/research-brief/base-sepolia?${query}`;
const scripted = (path: string): string => `${world.merchants.scripted.url}/${path}`;
const acme = (more: { fetch?: typeof fetch } = {}) => clientOf(world, 'acme', 'buyer', more);

describe('an allowed payment', () => {
  const shops = [
    ['the gate', 'gate'],
    ['@x402/hono', 'hono'],
    ['x402-hono, of version 1', 'version1'],
    ['mppx', 'mpp'],
    ['FastAPI', 'fastapi'],
  ] as const;
  for (const [name, shop] of shops) {
    test(`to ${name} is one transfer, the answer is the merchant's, and its settlement is evidence`, {
      skip: shop === 'fastapi' && leftOut,
    }, async () => {
      const { url } = world.merchants[shop] ?? assert.fail(`no ${shop}`);
      const { result, paid, count } = await during(world, () => buy(acme(), `${url}/report`));
      assert.deepEqual([result.kind, result.status, paid, count], ['success', 200, 10_000n, 1], result.reason);
      assert.match(result.body, /Rainfall, Tuesday/);
      assert.equal(result.receipt.settlementEvidenceClass, 'merchant_verifiable_success');
    });
  }

  test("has a receipt in the contract's shape: who, what, how much, and what the evidence is", async () => {
    const url = scripted('honest/receipt');
    const { receipt, paidRequestId } = await buy(acme(), url);
    assert.deepEqual(sdkReceiptSchema.safeParse(receipt).success, true);
    const {
      money,
      requestUrl,
      requestMethod,
      authorizationOutcome,
      protocol,
      status,
      reconciliationStatus,
      settlementEvidenceClass,
      fulfillmentStatus,
    } = receipt;
    assert.deepEqual(money, { asset: 'USDC', amount: '0.010000', amountMinor: '10000', precision: 6, unit: 'minor' });
    assert.deepEqual([requestUrl, requestMethod, authorizationOutcome, protocol], [url, 'GET', 'allowed', 'x402']);
    assert.deepEqual(
      [status, reconciliationStatus, settlementEvidenceClass, fulfillmentStatus],
      ['provisional', 'required', 'merchant_verifiable_success', 'succeeded'],
    );
    for (const id of ['receiptId', 'paidRequestId', 'paymentAttemptId', 'organizationId', 'agentId']) assert.match(receipt[id], UUID, id);
    assert.equal(receipt.paidRequestId, paidRequestId);
    const { receipt: again } = await acme().lookupReceipt(receipt.receiptId);
    assert.equal(again.receiptId, receipt.receiptId);
  });

  test('carries body and method, and the decision request the hash of the body', async () => {
    const { sent, fetch } = noting(world);
    const told = await buy(acme({ fetch }), scripted('honest/body'), { method: 'POST', body: 'Tuesday, please' });
    const sha256 = createHash('sha256').update('Tuesday, please').digest('hex');
    assert.deepEqual([JSON.parse(told.body).sha256, sent.at(-1)?.body.request.bodyHash], [sha256, sha256]);
  });
});

describe('the runtime token', () => {
  test('is exchanged once and used from then on; both calls name the version', async () => {
    const { sent, fetch } = noting(world);
    const client = acme({ fetch });
    await buy(client, scripted('honest/token-1'));
    await buy(client, scripted('honest/token-2'));
    assert.deepEqual(
      sent.map(({ url }) => url),
      ['/api/sdk/runtime-tokens', '/api/sdk/payment-decisions', '/api/sdk/payment-decisions'],
    );
    assert.deepEqual(
      sent.map(({ headers }) => headers['x-402flow-sdk-version']),
      [VERSION, VERSION, VERSION],
    );
    const [exchange, first, second] = sent.map(({ headers }) => headers['Authorization']);
    assert.equal(exchange, `Bearer ${world.keyOf('acme', 'buyer')}`);
    assert.notEqual(first, exchange);
    assert.equal(first, second);
  });

  test('is not given to a version that is not supported, in the words of the answer', async () => {
    const { fetch } = noting(world, (init) => ({ ...init, headers: { ...(init.headers as object), 'x-402flow-sdk-version': '9.0.0' } }));
    const error = await buy(acme({ fetch }), scripted('honest')).then(
      () => assert.fail(),
      (reason: Error) => reason,
    );
    const answer = await globalThis.fetch(`${world.treasury.url}/api/sdk/runtime-tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.keyOf('acme', 'buyer')}`, 'x-402flow-sdk-version': '9.0.0' },
    });
    const { message, code, supportedVersions } = (await answer.json()) as Record<string, unknown>;
    assert.deepEqual([answer.status, code, supportedVersions, error.message], [400, 'unsupported_sdk_version', [VERSION], message]);
  });

  test('is not given for a wrong key, nor for a key of an organization that is not there', async () => {
    const key = world.keyOf('acme', 'buyer');
    for (const wrong of [`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`, key.replace('fbk_acme_', 'fbk_nobody_'), 'nonsense']) {
      const answer = await fetch(`${world.treasury.url}/api/sdk/runtime-tokens`, {
        method: 'POST',
        headers: { authorization: `Bearer ${wrong}`, 'x-402flow-sdk-version': VERSION },
      });
      assert.equal(answer.status, 401, wrong.slice(0, 12));
    }
  });
});

describe('requests that are none', () => {
  test("of another agent than the token's are 404, and nothing is paid", async () => {
    const client = clientOf(world, 'acme', 'buyer', { as: 'other' });
    const { result, count } = await during(world, () => buy(client, scripted('honest')));
    const reason = `Payment decision request rejected. The key is not one of the agent "other" of the organization "acme": mend agent or organization of the client's options, or its key.`;
    assert.deepEqual([result.kind, result.reason, result.status, count], ['request_failed', reason, 404, 0]);
  });

  test('with a malformed URL are 400, and name the field', async () => {
    const { fetch } = noting(world, (init) => {
      if (typeof init.body !== 'string') return init;
      const body = JSON.parse(init.body);
      return { ...init, body: JSON.stringify({ ...body, request: { ...body.request, url: 'not a url' } }) };
    });
    const { result, count } = await during(world, () => buy(acme({ fetch }), scripted('honest')));
    assert.deepEqual(
      [result.kind, result.reason, result.status, count],
      ['request_failed', 'Invalid SDK payment decision request. request: Invalid url', 400, 0],
    );
  });
});

describe('what cannot be paid', () => {
  for (const [path, code] of [
    ['mixed', 'challenge_mixed_environment_candidates'],
    ['malformed', 'challenge_candidate_malformed'],
    ['unsupported', 'challenge_no_supported_candidates'],
    ['mainnet', 'challenge_no_supported_candidates'],
  ] as const) {
    test(`${path} terms are denied with ${code}`, async () => {
      const { result, count } = await during(world, () => buy(acme(), scripted(path)));
      assert.deepEqual([result.kind, result.reasonCode, result.status, count], ['denied', code, 403, 0], result.reason);
      assert.ok(result.reason);
    });
  }

  test('a wallet whose secret is missing is denied with challenge_execution_identity_unavailable', async () => {
    const told = await buy(clientOf(world, 'locked', 'buyer'), scripted('honest'));
    assert.deepEqual([told.kind, told.reasonCode], ['denied', 'challenge_execution_identity_unavailable'], told.reason);
  });

  test('with several wallets and none named it is denied with challenge_execution_identity_ambiguous', async () => {
    const told = await buy(clientOf(world, 'torn', 'buyer'), scripted('honest'));
    assert.deepEqual([told.kind, told.reasonCode], ['denied', 'challenge_execution_identity_ambiguous'], told.reason);
  });
});

describe('what the merchant says afterwards', () => {
  for (const [path, code, status] of [
    ['reject/424', 'merchant_rejected', 424],
    ['reject/402', 'merchant_rejected', 402],
    ['reject/500', 'merchant_execution_failed', 500],
  ] as const) {
    test(`${path} is an execution that failed, ${code}, without a receipt`, async () => {
      const { result, count } = await during(world, () => buy(acme(), scripted(path)));
      assert.deepEqual(
        [result.kind, result.reasonCode, result.status, count, result.receipt],
        ['execution_failed', code, status, 0, undefined],
      );
    });
  }

  for (const [status, code] of [
    [502, 'merchant_execution_failed'],
    [424, 'merchant_rejected'],
  ] as const) {
    test(`${status} after settling is paid and not fulfilled, with a provisional receipt and the merchant's words`, async () => {
      const { result, count } = await during(world, () => buy(acme(), scripted(`fail/${status}`)));
      assert.deepEqual(
        [result.kind, result.reasonCode, result.status, result.body, count],
        ['paid_fulfillment_failed', code, status, '{"error":"upstream unavailable"}', 1],
      );
      assert.deepEqual([result.receipt.status, result.receipt.fulfillmentStatus], ['provisional', 'failed']);
    });
  }
});

describe('one key', () => {
  test('is one decision: the same receipt and body, and one transfer', async () => {
    const request = { idempotencyKey: 'order-1' };
    const {
      result: [one, two],
      count,
    } = await during(world, async () => [
      await buy(acme(), scripted('honest/keyed'), undefined, request),
      await buy(acme(), scripted('honest/keyed'), undefined, request),
    ]);
    assert.equal(one?.kind, 'success', one?.reason);
    assert.deepEqual([two?.receipt.receiptId, two?.body, count], [one?.receipt.receiptId, one?.body, 1]);
  });

  test('of another request is 409, and nothing is paid again', async () => {
    const request = { idempotencyKey: 'order-2' };
    const { result, count } = await during(world, async () => {
      await buy(acme(), scripted('honest/one'), undefined, request);
      return buy(acme(), scripted('honest/another'), undefined, request);
    });
    assert.deepEqual(
      [result.kind, result.status, result.decision.body?.code, count],
      ['request_failed', 409, 'idempotency_key_conflict', 1],
    );
  });

  test('is pending while it runs, and later the same', async () => {
    const request = { idempotencyKey: 'order-3' };
    const {
      result: [first, meanwhile, later],
      count,
    } = await during(world, async () => {
      const running = buy(acme(), scripted('slow/keyed?ms=1500'), undefined, request);
      const { requests } = world.merchants.scripted;
      await eventually(
        'the merchant is paid',
        async () => requests.some(({ path, payment }) => path.startsWith('/slow/keyed') && payment !== undefined),
        Boolean,
      );
      const pending = await buy(acme(), scripted('slow/keyed?ms=1500'), undefined, request);
      const done = await running;
      return [done, pending, await buy(acme(), scripted('slow/keyed?ms=1500'), undefined, request)];
    });
    assert.deepEqual(
      [meanwhile?.kind, meanwhile?.status, meanwhile?.reasonCode],
      ['execution_pending', 202, 'payment_execution_in_progress'],
    );
    assert.deepEqual([first?.kind, later?.receipt.receiptId, later?.body, count], ['success', first?.receipt.receiptId, first?.body, 1]);
  });

  test('of two processes at once is one payment', async () => {
    const request = { idempotencyKey: 'order-4' };
    const { result, count } = await during(world, () =>
      Promise.all([1, 2, 3, 4].map(() => buy(acme(), scripted('honest/at-once'), undefined, request))),
    );
    const kinds = new Set(result.map(({ kind }) => kind));
    assert.ok([...kinds].every((kind) => kind === 'success' || kind === 'execution_pending') && kinds.has('success'), [...kinds].join());
    assert.equal(count, 1);
  });
});

// The sentences that hosts of models show, each by its own means.
describe('a model is told', () => {
  const fixtures: readonly (readonly [
    reason: string,
    how: () => ReturnType<typeof executed>,
    kind: string,
    status: number,
    transfers: number,
  ])[] = [
    [
      'Policy denied: workspace monthly budget of $5.00 exceeded. Current spend: $4.95. Requested: $0.10.',
      async () => {
        await buy(clientOf(world, 'monthly', 'buyer'), scripted('honest?amount=4950000'));
        return executed('monthly', 'buyer', brief('amount=100000'));
      },
      'denied',
      403,
      0,
    ],
    [
      'Policy denied: this merchant is not allowed by the current workspace policy.',
      () => executed('closed', 'buyer', brief('amount=50000')),
      'denied',
      403,
      0,
    ],
    [
      'Blocked by policy. Review event created for operator follow-up.',
      () => executed('careful', 'buyer', brief('amount=75000')),
      'denied',
      403,
      0,
    ],
    [
      'The merchant rejected the paid request after execution started.',
      () => executed('careful', 'buyer', brief('amount=50000&script=reject/424')),
      'execution_failed',
      424,
      0,
    ],
    [
      'The merchant transport was lost before a final paid outcome was confirmed.',
      () => executed('careful', 'buyer', brief('amount=33000&script=lost')),
      'execution_inconclusive',
      202,
      1,
    ],
    [
      'No compatible payment rail is configured for Base Sepolia USDC.',
      () => executed('careful', 'railless', brief('amount=12000')),
      'preflight_failed',
      502,
      0,
    ],
  ];
  for (const [reason, how, kind, status, transfers] of fixtures) {
    test(reason, async () => {
      const { told, count } = await how();
      assert.deepEqual([told.sdkOutcomeKind, told.status, told.reason, count], [kind, status, reason, transfers]);
      assert.match(told.paidRequestId ?? '', UUID);
    });
  }

  test('of a review its id, in an answer of 403', async () => {
    const told = await buy(clientOf(world, 'careful', 'buyer'), brief('amount=76000'), BRIEF);
    assert.deepEqual([told.kind, told.status, told.reasonCode], ['denied', 403, 'policy_review_required']);
    assert.match(told.policyReviewEventId ?? '', UUID);
  });
});

/** Prepares and executes once, as a model's tools do. */
async function executed(organization: string, agent: string, url: string) {
  const harness = harnessOf(world, organization, agent);
  const { preparedId } = await harness.preparePaidRequest({ url, ...BRIEF });
  const { result, count, paid } = await during(world, () => harness.executePreparedRequest({ preparedId }));
  assert.ok(result.harnessDisposition === 'executed');
  return { told: result, count, paid };
}

describe('one prepared request', () => {
  test('executed twice at once is one call and one transfer', async () => {
    const { sent, fetch } = noting(world);
    const harness = harnessOf(world, 'acme', 'buyer', { fetch });
    const { preparedId } = await harness.preparePaidRequest({ url: scripted('honest/twice-at-once') });
    const {
      result: [one, two],
      count,
    } = await during(world, () =>
      Promise.all([harness.executePreparedRequest({ preparedId }), harness.executePreparedRequest({ preparedId })]),
    );
    assert.ok(one.harnessDisposition === 'executed' && two.harnessDisposition === 'rejected');
    assert.deepEqual([one.sdkOutcomeKind, two.rejectionCode, count], ['success', 'prepared_request_consumed', 1]);
    assert.equal(sent.filter(({ url }) => url === '/api/sdk/payment-decisions').length, 1);
  });

  test('whose answer is lost on the way back is executed again, and nothing is paid twice', async () => {
    let loses = true;
    const flaky: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!loses || !String(input).endsWith('/payment-decisions')) return response;
      loses = false;
      await response.arrayBuffer();
      throw new TypeError('fetch failed');
    };
    const harness = harnessOf(world, 'acme', 'buyer', { fetch: flaky });
    const { preparedId } = await harness.preparePaidRequest({ url: scripted('honest/lost-answer') });
    const { result, count } = await during(world, async () => {
      await assert.rejects(harness.executePreparedRequest({ preparedId }), TypeError);
      return harness.executePreparedRequest({ preparedId });
    });
    assert.ok(result.harnessDisposition === 'executed');
    assert.deepEqual([result.sdkOutcomeKind, count], ['success', 1]);
  });

  //
  test('whose terms drift before it is executed is not paid at the new price', async () => {
    const client = acme();
    const prepared = await client.preparePaidRequest(scripted('honest/shown?amount=10000'));
    assert.ok(prepared.kind === 'ready');
    const dearer = await client.preparePaidRequest(scripted('honest/shown?amount=20000'));
    assert.ok(dearer.kind === 'ready');
    const { result, count } = await during(world, () =>
      toldOf(client.executePreparedRequest({ ...prepared, challenge: dearer.challenge })),
    );
    assert.deepEqual([result.kind, result.reasonCode, count], ['denied', 'challenge_no_supported_candidates', 0], result.reason);
  });
});

test('a body of five mebibytes is cut at one, and the answer says so', async () => {
  const { result, count } = await during(world, () => buy(acme(), scripted('big')));
  assert.deepEqual(
    [result.kind, result.body.length < BIG_BYTES, result.headers.get('x-farebox-truncated'), count],
    ['success', true, 'true', 1],
  );
});
