// Both back ends before the real gate: its own 402s are read, and the local one pays them on a chain.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PRICE_ATOMIC } from '../../demo/gate.mjs';
import { AgentHarness, type AgentHarnessClient, AgentPayClient, createLocalAgentClient } from '../../pkg/dist/agent/index.js';
import { changesDuring, startWorld, transfersOf, type World } from '../e2e/world.ts';
import { type ControlPlane, decisionsOf, startControlPlane } from './control-plane.ts';

let world: World;
let plane: ControlPlane;
before(async () => {
  [world, plane] = await Promise.all([startWorld(), startControlPlane()]);
});
after(async () => {
  await Promise.all([world?.stop(), plane?.stop()]);
});

const backEnds: Readonly<Record<string, () => AgentHarnessClient>> = {
  'a control plane': () =>
    new AgentPayClient({
      controlPlaneBaseUrl: plane.url,
      auth: { type: 'runtimeToken', runtimeToken: 't' },
      organization: 'acme',
      agent: 'buyer',
    }),
  'this wallet': () =>
    createLocalAgentClient({ signer: world.chain.accounts.payer.privateKey, policy: { hosts: [new URL(world.gate.url).host] } }),
};

for (const [name, clientOf] of Object.entries(backEnds)) {
  test(`with ${name}, the gate's 402 is told with its price, and its free page as a passthrough`, async () => {
    const harness = new AgentHarness({ client: clientOf() });
    const { kind, costSummary, nextAction, paymentRequirement, challengeDetails } = await harness.preparePaidRequest({
      url: `${world.gate.url}/report`,
    });
    assert.deepEqual(
      [kind, nextAction, paymentRequirement?.amountMinor, challengeDetails?.resource?.description],
      ['ready', 'execute', `${PRICE_ATOMIC}`, 'One weather report'],
    );
    assert.match(costSummary ?? 'Costs 0.010000', /^Costs 0\.010000 /);
    const free = await harness.preparePaidRequest({ url: `${world.gate.url}/` });
    assert.deepEqual([free.kind, free.costSummary], ['passthrough', 'No payment required.']);
  });
}

test("the decision request carries the gate's challenge as it came", async () => {
  const harness = new AgentHarness({ client: backEnds['a control plane']!() });
  const { preparedId } = await harness.preparePaidRequest({ url: `${world.gate.url}/report` });
  await harness.executePreparedRequest({ preparedId });
  const { challenge } = decisionsOf(plane)[0]?.body as unknown as { challenge: { headers: Record<string, string> } };
  assert.ok((challenge.headers['payment-required'] ?? '').length > 0);
});

for (const path of ['/report', '/report-before']) {
  test(`two executions at once of one prepared ${path} are one debit, and the content arrives`, async () => {
    const { payer, payee } = world.chain.accounts;
    const harness = new AgentHarness({ client: backEnds['this wallet']!() });
    const { preparedId } = await harness.preparePaidRequest({ url: `${world.gate.url}${path}` });
    const {
      result: [one, two],
      change,
    } = await changesDuring(world, payer.address, () =>
      Promise.all([harness.executePreparedRequest({ preparedId }), harness.executePreparedRequest({ preparedId })]),
    );
    assert.ok(one.harnessDisposition === 'executed' && two.harnessDisposition === 'rejected');
    assert.deepEqual(
      [one.sdkOutcomeKind, two.rejectionCode, change.paid, change.received, change.asked],
      ['success', 'prepared_request_consumed', PRICE_ATOMIC, PRICE_ATOMIC, 1],
    );
    assert.match(one.merchantResponse.body, /Rainfall, Tuesday/);
    assert.ok(payee.address);
  });
}

test('a retry after a lost answer is one debit, and the receipt names the transfer', async () => {
  const { payer, payee } = world.chain.accounts;
  let loses = true;
  const flaky: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const isPaid = new Headers(init?.headers).has('payment-signature');
    if (!isPaid || !loses) return response;
    await response.arrayBuffer();
    throw new TypeError('fetch failed');
  };
  const client = createLocalAgentClient({ signer: payer.privateKey, fetch: flaky, policy: { deadlineSecs: 1 } });
  const prepared = await client.preparePaidRequest(`${world.gate.url}/report`);
  assert.ok(prepared.kind === 'ready');
  const { change } = await changesDuring(world, payer.address, async () => {
    await assert.rejects(client.executePreparedRequest(prepared), { name: 'FetchPaidError', kind: 'execution_inconclusive' });
    loses = false;
    const outcome = await client.executePreparedRequest(prepared);
    assert.ok(outcome.kind === 'success');
    assert.match(await outcome.response.text(), /Rainfall, Tuesday/);
  });
  assert.deepEqual([change.paid, change.asked], [PRICE_ATOMIC, 1]);
  const paying = createLocalAgentClient({ signer: payer.privateKey });
  const outcome = await paying.fetchPaid(`${world.gate.url}/report`, undefined, {});
  assert.ok(outcome.kind === 'success');
  const transfer = await transfersOf(world, outcome.receipt.paymentReference as `0x${string}`);
  assert.deepEqual(transfer, [{ from: payer.address, to: payee.address, value: PRICE_ATOMIC }]);
});
