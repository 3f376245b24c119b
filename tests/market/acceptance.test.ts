// The acceptance cases of the market's contract, by HTTP through the gate, with money on a chain.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createAgentPayClient } from '../../pkg/dist/agent/index.js';
import { eventually } from '../support/eventually.ts';
import { sharedWorld } from '../support/suite.ts';
import { bearer, chargingSkill, earned, LEDGER_ID, listed, plainSkill, recordOf, startSkillsWorld, TX, untilSold } from './market.ts';

const LIMIT = { timeout: 120_000 };

const world = sharedWorld(startSkillsWorld);

describe('an agent without a wallet invokes a skill', () => {
  test('that asks for money: the seller is paid once, and the answer has the receipt', LIMIT, async () => {
    const { id, path, seller } = await chargingSkill(world, 'honest');
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id, { payload: { input: 'hello' } }));
    assert.deepEqual([result.status, paid], [200, 250_000n], result.text);
    const { ok, response, receipt, ledgerId } = result.json;
    assert.deepEqual([ok, response.report, receipt.amountUsd], [true, 'Rainfall, Tuesday', 0.25]);
    assert.match(receipt.txHash, TX);
    assert.match(ledgerId, LEDGER_ID);
    const calls = world.charging.requests.filter((request) => request.path.startsWith(path));
    assert.deepEqual(
      calls.map(({ payment }) => payment !== undefined),
      [false, true],
      'one call without a payment, one with it',
    );
    assert.equal(calls[0]?.body, calls[1]?.body);
    assert.deepEqual(JSON.parse(calls[0]?.body ?? ''), { agentId: 'agent-1', payload: { input: 'hello' } });
    const record = await recordOf(world, 'agent-1', ledgerId);
    assert.deepEqual([record.agentId, record.skillId, record.status, record.txHash], ['agent-1', id, 'success', receipt.txHash]);
    assert.equal((await listed(world, 'agent-1', `?skillId=${id}`)).length, 1);
  });

  test("whose seller has no payment code: the gate charges, and the money is the seller's", LIMIT, async () => {
    const { id, path, seller } = await plainSkill(world, 'deliver');
    await untilSold(world, id);
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id, { payload: { input: 'hello' } }));
    assert.deepEqual([result.status, paid], [200, 250_000n], result.text);
    assert.equal(result.json.response.result, 'skill executed');
    assert.match(result.json.receipt.txHash, TX);
    const [call, ...more] = world.sellers.at(path);
    assert.deepEqual([call?.headers['farebox-skill'], more.length], [id, 0]);
    assert.match(String(call?.headers['farebox-signature-v2']), /^t=\d+,v2=[0-9a-f]{64}$/);
  });

  test('that answers at once: there is no receipt, no payment, and the ledger says 0', LIMIT, async () => {
    const { id, path, seller } = await plainSkill(world, 'deliver', { charges: 'seller' });
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id, { payload: { input: 'hello' } }));
    assert.deepEqual(
      [result.status, result.json.ok, 'receipt' in result.json, paid, world.sellers.at(path).length],
      [200, true, false, 0n, 1],
      result.text,
    );
    const record = await recordOf(world, 'agent-1', result.json.ledgerId);
    assert.deepEqual([record.amountXLM, record.txHash, record.status], [0, '', 'success']);
  });

  test('that fails at once: nothing is paid, and the ledger says failed', LIMIT, async () => {
    const { id } = await plainSkill(world, 'status/500', { charges: 'seller' });
    const { status, json } = await world.invoke('agent-1', id, { payload: {} });
    const { ledgerId, ...body } = json;
    assert.deepEqual([status, body.ok, body.error], [500, false, 'Skill invocation failed']);
    const record = await recordOf(world, 'agent-1', ledgerId);
    assert.deepEqual([record.status, record.txHash, record.amountXLM], ['failed', '', 0]);
  });

  for (const [what, way] of [
    ['fails', 'fail/500'],
    ['asks again', 'fail/402'],
  ] as const) {
    test(`that ${what} after it was paid: the answer is a failure, and has the receipt`, LIMIT, async () => {
      const { id, seller } = await chargingSkill(world, way);
      const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id));
      const { ok, receipt, ledgerId } = result.json;
      assert.deepEqual([result.status, ok, result.json.paid, paid], [500, false, true, 250_000n], result.text);
      assert.match(receipt.txHash, TX);
      const record = await recordOf(world, 'agent-1', ledgerId);
      assert.deepEqual([record.status, record.txHash], ['failed', receipt.txHash]);
    });
  }

  test('over MPP, from a server with `mppx`', LIMIT, async () => {
    const { seller } = world.mpp;
    const answer = await world.publish(seller, {
      skillId: 'over-mpp',
      name: 'Over MPP',
      price: '$0.01',
      charges: 'seller',
      callUrl: `${world.mpp.url}/report`,
    });
    assert.equal(answer.status, 201, answer.text);
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', 'over-mpp'));
    assert.deepEqual([result.status, result.json.response.report, paid], [200, 'Rainfall, Tuesday', 10_000n], result.text);
  });
});

describe('nothing is paid that was not listed', () => {
  const refused = async (id: string, error: string, seller: { address: `0x${string}` }) => {
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id));
    assert.deepEqual([result.status, result.json.ok, result.json.error, paid], [500, false, error, 0n], result.text);
    assert.deepEqual((await recordOf(world, 'agent-1', result.json.ledgerId)).txHash, '');
  };

  test('a seller that raises its price is refused', LIMIT, async () => {
    const { id, path, seller } = await chargingSkill(world, 'honest');
    world.charging.prices.set(path, '250001');
    await refused(id, 'price_exceeds_listing', seller);
  });

  test('a seller that names another payee is refused', LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'honest', {}, '250000&payTo=0x000000000000000000000000000000000000bEEF');
    // The first of two parameters counts.
    const other = await world.seller();
    const callUrl = `${world.charging.url}/honest/other-payee?amount=250000&payTo=${other.address}`;
    assert.equal(
      (await world.publish(seller, { skillId: 'other-payee', name: 'Another payee', price: '$0.25', charges: 'seller', callUrl })).status,
      201,
      id,
    );
    await refused('other-payee', 'payee_not_listed', other);
  });

  test('a cheaper price is paid, and booked as it is', LIMIT, async () => {
    const { id, path, seller } = await chargingSkill(world, 'honest');
    world.charging.prices.set(path, '100000');
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id));
    assert.deepEqual([result.status, result.json.receipt.amountUsd, paid], [200, 0.1, 100_000n], result.text);
    assert.equal((await recordOf(world, 'agent-1', result.json.ledgerId)).amountXLM, 1);
  });
});

describe('insufficient_balance', () => {
  test('of a wallet has what is required and what is there, and nothing is signed', LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'honest');
    const { result, paid } = await earned(world, seller, () => world.invoke('broke', id));
    const { ledgerId, ...body } = result.json;
    assert.deepEqual(
      [result.status, body, paid],
      [402, { ok: false, error: 'insufficient_balance', code: 'insufficient_balance', required: '250000', available: '0' }, 0n],
      result.text,
    );
    const record = await recordOf(world, 'broke', ledgerId);
    assert.deepEqual([record.status, record.txHash], ['insufficient_balance', '']);
  });

  test('of a budget has what is left of it', LIMIT, async () => {
    const { id } = await chargingSkill(world, 'honest');
    const { status, json, text } = await world.invoke('frugal', id);
    const { ledgerId, ...body } = json;
    assert.deepEqual(
      [status, body],
      [402, { ok: false, error: 'insufficient_balance', code: 'insufficient_balance', required: '250000', available: '20000' }],
      text,
    );
    assert.equal((await recordOf(world, 'frugal', ledgerId)).status, 'insufficient_balance');
  });
});

describe('requests that are none', () => {
  const rows = async () => (await listed(world, 'agent-2')).length;

  test('without agentId are 400, and leave no row', LIMIT, async () => {
    const { id } = await plainSkill(world, 'deliver');
    const before = await rows();
    for (const body of [{}, { agentId: '' }, { agentId: 7 }, { agentId: null, payload: 1 }]) {
      const { status, text, headers } = await world.ask('POST', `/api/marketplace/skills/${id}/invoke`, {
        body,
        headers: await bearer(world, 'agent-2'),
      });
      assert.deepEqual(
        [status, text, headers.get('cache-control')],
        [400, '{"ok":false,"error":"agentId is required","code":"invalid_request"}', 'no-store'],
      );
    }
    assert.equal(await rows(), before);
  });

  test('for a skill that is not there are 404', LIMIT, async () => {
    const { status, text } = await world.invoke('agent-2', 'nope');
    assert.deepEqual([status, text], [404, '{"ok":false,"error":"Skill not found","code":"not_found"}']);
  });

  test('that are no JSON are 400, not an empty object', LIMIT, async () => {
    const { id } = await plainSkill(world, 'deliver');
    const { status, text } = await world.ask('POST', `/api/marketplace/skills/${id}/invoke`, {
      body: '{"agentId":',
      headers: await bearer(world, 'agent-2'),
    });
    assert.deepEqual([status, text], [400, '{"ok":false,"error":"Invalid JSON body","code":"invalid_request"}']);
  });

  test("in another agent's name, or without a token, are refused and spend nothing", LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'honest');
    const invoke = (headers: Record<string, string>) =>
      world.ask('POST', `/api/marketplace/skills/${id}/invoke`, { body: { agentId: 'agent-1' }, headers });
    const { result, paid } = await earned(world, seller, async () => [
      await invoke({}),
      await invoke({ authorization: 'Bearer agent-1' }),
      await invoke(await bearer(world, 'agent-2')),
    ]);
    assert.deepEqual([result.map(({ status }) => status), paid], [[401, 401, 403], 0n], result.map(({ text }) => text).join('\n'));
  });
});

describe('one key', () => {
  //
  test('of twenty requests at once is one settlement, one row, and the same bytes', LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'honest');
    const { result, paid } = await earned(world, seller, () =>
      Promise.all(Array.from({ length: 20 }, () => world.invoke('agent-1', id, { payload: { n: 1 }, key: 'order-1' }))),
    );
    assert.deepEqual(
      [new Set(result.map(({ status, text }) => `${status} ${text}`)).size, paid],
      [1, 250_000n],
      [...new Set(result.map(({ text }) => text))].join('\n'),
    );
    assert.equal((await listed(world, 'agent-1', `?skillId=${id}`)).length, 1);
    const later = await world.invoke('agent-1', id, { payload: { n: 1 }, key: 'order-1' });
    assert.deepEqual([later.status, later.text], [200, result[0]?.text]);
  });

  test('with another payload is 409, and nothing is paid again', LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'honest');
    const { result, paid } = await earned(world, seller, async () => {
      await world.invoke('agent-1', id, { payload: 1, key: 'order-2' });
      return world.invoke('agent-1', id, { payload: 2, key: 'order-2' });
    });
    assert.deepEqual([result.status, result.json.ok, paid], [409, false, 250_000n], result.text);
  });

  test('of another agent is another call', LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'honest');
    const { result, paid } = await earned(world, seller, async () => [
      await world.invoke('agent-1', id, { key: 'shared' }),
      await world.invoke('agent-2', id, { key: 'shared' }),
    ]);
    assert.deepEqual([result.map(({ status }) => status), paid], [[200, 200], 500_000n]);
  });

  test('is not needed by two that run at once: they are one call, and one after them is another', LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'slow?ms=1500');
    const { result, paid } = await earned(world, seller, () =>
      Promise.all([1, 2].map(() => world.invoke('agent-1', id, { payload: 'same' }))),
    );
    assert.deepEqual([new Set(result.map(({ text }) => text)).size, paid], [1, 250_000n], result.map(({ text }) => text).join('\n'));
  });
});

describe('the ledger', () => {
  test('lists newest first, and filters by agent and skill', LIMIT, async () => {
    const [a, b] = [await chargingSkill(world, 'honest'), await chargingSkill(world, 'honest')];
    await world.agent('lister', {});
    await world.agent('other-lister', {});
    const invoke = async (agent: string, id: string, n: number) => (await world.invoke(agent, id, { payload: n })).json.ledgerId as string;
    const ids = [
      await invoke('lister', a.id, 1),
      await invoke('lister', b.id, 2),
      await invoke('other-lister', a.id, 3),
      await invoke('lister', a.id, 4),
    ];
    const shown = async (agent: string, query: string) => (await listed(world, agent, query)).map(({ id }) => ids.indexOf(id));
    assert.deepEqual(await shown('lister', ''), [3, 1, 0]);
    assert.deepEqual(await shown('lister', '?agentId=lister'), [3, 1, 0]);
    assert.deepEqual(await shown('lister', `?skillId=${a.id}&limit=1`), [3]);
    assert.deepEqual(await shown('lister', `?skillId=${b.id}`), [1]);
    const all = await world.ask('GET', `/api/marketplace/invocations?skillId=${a.id}`, {
      headers: { authorization: `Bearer ${world.tokens.operator}` },
    });
    assert.deepEqual(
      all.json.invocations.map(({ id }: { id: string }) => ids.indexOf(id)),
      [3, 2, 0],
    );
  });

  test('is read by its agent and by the operator, and by no one else', LIMIT, async () => {
    const { id } = await chargingSkill(world, 'honest');
    const { json } = await world.invoke('agent-1', id);
    const read = async (headers: Record<string, string>) =>
      (await world.ask('GET', `/api/marketplace/invocations/${json.ledgerId}`, { headers })).status;
    assert.deepEqual(
      [await read({}), await read(await bearer(world, 'agent-2')), await read(await bearer(world, 'agent-1'))],
      [401, 404, 200],
    );
    assert.equal(await read({ authorization: `Bearer ${world.tokens.operator}` }), 200);
  });

  test('sums what succeeded: 1 and 2.5 are 3.5, and what was paid for nothing stands beside', LIMIT, async () => {
    await world.agent('spender', {});
    const skills = [
      await chargingSkill(world, 'honest', {}, '100000'),
      await chargingSkill(world, 'honest', {}, '250000'),
      await chargingSkill(world, 'fail/500', {}, '200000'),
    ];
    for (const { id } of skills) await world.invoke('spender', id);
    const { status, json, text } = await world.ask('GET', '/api/marketplace/agents/spender/spend', {
      headers: await bearer(world, 'spender'),
    });
    assert.deepEqual([status, json.ok, json.agentId, json.totalXLM, json.paidFailedXLM], [200, true, 'spender', 3.5, 2], text);
  });

  test('exports the same rows as CSV and as JSON lines', LIMIT, async () => {
    const operator = { authorization: `Bearer ${world.tokens.operator}` };
    const exported = async (format: string) =>
      (await world.ask('GET', `/api/marketplace/export?format=${format}`, { headers: operator })).text.trim().split(/\r?\n/);
    const [[head = '', ...csv], jsonl] = [await exported('csv'), await exported('jsonl')];
    const column = head.split(',').indexOf('id');
    assert.ok(csv.length > 0 && column >= 0, head);
    assert.deepEqual(
      csv.map((row) => row.split(',')[column]),
      jsonl.map((row) => JSON.parse(row).id),
    );
    assert.equal((await world.ask('GET', '/api/marketplace/export?format=csv', { headers: await bearer(world, 'agent-1') })).status, 401);
  });
});

describe('a seller that', () => {
  for (const [what, way, error] of [
    ['redirects', 'redirect?to=http://169.254.169.254/', undefined],
    ['answers with more than 1 MiB', 'big', 'response_too_large'],
    ['breaks off', 'cut', undefined],
  ] as const) {
    test(`${what} is a failure, and nothing is paid`, LIMIT, async () => {
      const { id, seller } = await plainSkill(world, way, { charges: 'seller' });
      const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id));
      assert.deepEqual(
        [result.status, result.json.ok, error === undefined || result.json.error === error, paid],
        [500, false, true, 0n],
        result.text,
      );
    });
  }

  test('answers with text is passed on as text', LIMIT, async () => {
    const { id } = await plainSkill(world, 'text', { charges: 'seller' });
    const { status, json, text } = await world.invoke('agent-1', id);
    assert.deepEqual([status, json.response], [200, 'Rain: ten <b>millimetres</b>'], text);
  });

  test('answers with bytes is passed on in base64', LIMIT, async () => {
    const { id } = await plainSkill(world, 'binary', { charges: 'seller' });
    const { status, json, text } = await world.invoke('agent-1', id);
    assert.deepEqual([status, json.response], [200, { contentType: 'application/octet-stream', base64: '//4AgA==' }], text);
  });

  test('is paid for bytes delivers them, by the market and to an agent of the treasury', LIMIT, async () => {
    const { id, seller } = await plainSkill(world, 'binary');
    await untilSold(world, id);
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id, { key: 'bytes' }));
    const response = { contentType: 'application/octet-stream', base64: '//4AgA==' };
    assert.deepEqual([result.status, result.json.response, paid > 0n], [200, response, true], result.text);
    assert.deepEqual((await world.invoke('agent-1', id, { key: 'bytes' })).json.response, response);
    const bootstrapKey = world.agents.find(({ agent }) => agent === 'agent-1')?.bootstrapKey ?? '';
    const auth = { type: 'bootstrapKey', bootstrapKey } as const;
    const client = createAgentPayClient({ controlPlaneBaseUrl: world.treasury.url, auth, organization: 'acme', agent: 'agent-1' });
    const bought = await client.fetchPaid(`${world.url}/s/${id}`, { method: 'POST', body: '{}' }, { idempotencyKey: 'bytes' });
    assert.deepEqual([...new Uint8Array(await bought.response.arrayBuffer())], [0xff, 0xfe, 0, 0x80]);
    assert.equal(bought.response.headers.get('x-farebox-encoding'), null);
  });

  test('says nothing for ten seconds is a failure', LIMIT, async () => {
    const { id } = await plainSkill(world, 'hang', { charges: 'seller' });
    const { status, json, text } = await world.invoke('agent-1', id);
    assert.deepEqual([status, json.ok], [500, false], text);
  });
});

describe('parts that are down', () => {
  test('the treasury: the call fails and says so, and the key is served when it is back', LIMIT, async () => {
    const { id, seller } = await chargingSkill(world, 'honest');
    await world.tokenOf('agent-1');
    world.switches.treasury.set({ mode: 'cut' });
    const { result, paid } = await earned(world, seller, () => world.invoke('agent-1', id, { key: 'treasury down' }));
    world.switches.treasury.set();
    assert.ok(result.status >= 500 && paid === 0n, result.text);
    const { result: again, paid: then } = await earned(world, seller, () =>
      eventually(
        'it is served',
        () => world.invoke('agent-1', id, { key: 'treasury down' }),
        ({ status }) => status === 200,
      ),
    );
    assert.deepEqual([again.json.ok, then], [true, 250_000n], again.text);
  });

  test('the market, killed while its seller is being paid: one settlement, and the row ends with the receipt', LIMIT, async () => {
    const { id, path, seller } = await chargingSkill(world, 'slow?ms=3000&times=1');
    const { result, paid } = await earned(world, seller, async () => {
      const lost = world.invoke('agent-1', id, { key: 'killed' }).catch(() => ({ status: 0, text: '' }));
      await eventually(
        'the seller is paid',
        async () => world.charging.requests.some((request) => request.path.startsWith(path) && request.payment !== undefined),
        Boolean,
      );
      await world.market.kill();
      const { status, text } = await lost;
      assert.ok([0, 500, 502, 503].includes(status), text);
      // The gate does not know what its origin had paid by then.
      assert.doesNotMatch(text, /charged/);
      await world.market.restart();
      // The alarm takes up what was being paid once its lease is over, and asks again until the treasury knows what became of it.
      return eventually(
        'the row ends',
        async () => {
          await world.wait(20);
          return listed(world, 'agent-1', `?skillId=${id}`);
        },
        ([row]) => row?.txHash !== undefined && row.txHash !== '',
      );
    });
    assert.deepEqual([result.length, paid], [1, 250_000n]);
    const again = await world.invoke('agent-1', id, { key: 'killed' });
    assert.equal(again.json.ledgerId, result[0].id, again.text);
  });
});
