// The scenarios that hosts of models show: six refusals in their exact words, and requests that are mended once before they are paid.

import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';

import { AgentHarness, AgentPayClient } from '../../pkg/dist/agent/index.js';
import {
  ALLOW,
  type ControlPlane,
  DENY,
  decisionsOf,
  EXECUTION_FAILED,
  ID,
  INCONCLUSIVE,
  PREFLIGHT_FAILED,
  startControlPlane,
} from './control-plane.ts';
import { base64, type Json, open, type Shop, USDC } from './shop.ts';

let plane: ControlPlane;
let shop: Shop;
let extensions: Json;
before(async () => {
  plane = await startControlPlane();
  shop = await open((_: IncomingMessage, response: ServerResponse) => {
    const accepts = [
      {
        scheme: 'exact',
        network: 'eip155:84532',
        amount: '50000',
        asset: USDC,
        payTo: '0xmerchant',
        extra: { name: 'USDC', precision: 6 },
      },
    ];
    response.writeHead(402, { 'payment-required': base64(JSON.stringify({ x402Version: 2, accepts, extensions })) }).end();
  });
});
beforeEach(() => {
  plane.calls.length = 0;
  plane.answers = [];
  extensions = {};
});
after(async () => {
  await Promise.all([plane?.stop(), shop?.stop()]);
});

function harness(): AgentHarness {
  const client = new AgentPayClient({
    controlPlaneBaseUrl: plane.url,
    auth: { type: 'runtimeToken', runtimeToken: 't' },
    organization: 'acme',
    agent: 'buyer',
  });
  return new AgentHarness({ client });
}

for (const [kind, status, words, body] of [
  [
    'denied',
    403,
    ['budget', 'exceeded'],
    { ...DENY, reason: 'Policy denied: workspace monthly budget of $5.00 exceeded. Current spend: $4.95. Requested: $0.10.' },
  ],
  [
    'denied',
    403,
    ['not allowed', 'policy'],
    { ...DENY, reason: 'Policy denied: this merchant is not allowed by the current workspace policy.' },
  ],
  [
    'denied',
    403,
    ['Review', 'policy'],
    {
      ...DENY,
      reasonCode: 'policy_review_required',
      policyReviewEventId: ID(9),
      reason: 'Blocked by policy. Review event created for operator follow-up.',
    },
  ],
  [
    'execution_failed',
    424,
    ['merchant', 'rejected'],
    {
      ...EXECUTION_FAILED,
      reason: 'The merchant rejected the paid request after execution started.',
      merchantResponse: { status: 424, headers: {}, body: '{"error":"merchant rejected fulfillment"}' },
    },
  ],
  [
    'execution_inconclusive',
    202,
    ['confirmed'],
    { ...INCONCLUSIVE, reason: 'The merchant transport was lost before a final paid outcome was confirmed.' },
  ],
  [
    'preflight_failed',
    502,
    ['rail', 'configured'],
    { ...PREFLIGHT_FAILED, reason: 'No compatible payment rail is configured for Base Sepolia USDC.' },
  ],
] as const) {
  test(`a model is told: ${body.reason}`, async () => {
    plane.answers = [{ body }];
    const it = harness();
    const { preparedId, costSummary } = await it.preparePaidRequest({
      url: `${shop.url}/demo-merchant/research-brief/base-sepolia`,
      method: 'POST',
    });
    assert.equal(costSummary, 'Costs 0.050000 USDC on Base Sepolia (exact).');
    await it.executePreparedRequest({ preparedId });
    const { state, executionResult } = it.getExecutionResult(preparedId);
    assert.ok(executionResult?.harnessDisposition === 'executed');
    const { sdkOutcomeKind, status: told, reason, paidRequestId } = executionResult;
    assert.deepEqual([state, sdkOutcomeKind, told, reason, paidRequestId], ['consumed', kind, status, body.reason, ID(2)]);
    for (const word of words) assert.ok(reason?.includes(word), word);
  });
}

test('a request that lacks what the merchant requires is mended once, and then paid', async () => {
  const fields = ['topic', 'audience', 'format'];
  const properties = Object.fromEntries(fields.map((name) => [name, { type: 'string' }]));
  extensions = {
    bazaar: {
      info: { input: {} },
      schema: { properties: { input: { bodyType: 'json', body: { type: 'object', properties, required: fields } } } },
    },
  };
  const it = harness();
  const send = (body: Json) =>
    it.preparePaidRequest({
      url: `${shop.url}/demo-merchant/research-brief/base-sepolia`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const first = await send({ topic: 'rain' });
  assert.deepEqual([first.nextAction, first.validationIssues.map(({ field }) => field)], ['revise_request', ['audience', 'format']]);
  const body = { topic: 'rain', audience: 'farmers', format: 'brief' };
  plane.answers = [{ body: { ...ALLOW, merchantResponse: { status: 200, headers: {}, body: JSON.stringify({ echo: body }) } } }];
  const second = await send(body);
  assert.equal(second.nextAction, 'execute');
  const result = await it.executePreparedRequest({ preparedId: second.preparedId });
  assert.ok(result.harnessDisposition === 'executed');
  assert.deepEqual(JSON.parse(result.merchantResponse.body), { echo: body });
  assert.equal((decisionsOf(plane)[0]?.body?.['request'] as Json)['body'], JSON.stringify(body));
});
