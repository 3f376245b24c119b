/** The operator's paths: who may ask, what is shown, what may be decided, and whether the sums balance. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';

import { encodeFunctionData, erc20Abi } from 'viem';
import { ask, Listener, plant, rowsOf } from './support/operator.ts';
import type { JsonObject } from './support/payer.ts';
import type { Answer } from './support/raw.ts';
import {
  ASSET,
  eventually,
  expectPaid,
  expectProblem,
  jsonOf,
  nextNumber,
  openWorld,
  PAY_TO,
  payFor,
  SECRETS,
  send,
  type World,
} from './support/world.ts';

const REFUND = `0x${'cd'.repeat(32)}`;
const OTHER = '0xFD553Ae3Fc2976Db40d673CAe1eadB3B6Bc6F1BC';
const REFUND_TOKEN = 'refund-token-of-the-tests-0123456789';
const NO_ID = `rcpt_${'a'.repeat(26)}`;
const PATHS = ['payments', `payments/${NO_ID}`, 'totals', 'audit', 'export?format=csv', 'metrics'];

/** Pays and is served; gives the row. */
async function delivered(world: World, target = `/after/shown-${nextNumber()}`): Promise<JsonObject> {
  const payment = await payFor(world, target);
  expectPaid(await send(world, target, payment), payment);
  return only(await rowsOf(world, payment.payer));
}

/** Pays and is not served; gives the row. */
async function owed(world: World): Promise<JsonObject> {
  const target = `/before/owed-${nextNumber()}`;
  world.origin.script(target, { status: 500 });
  const payment = await payFor(world, target);
  const answer = await send(world, target, payment);
  assert.equal(jsonOf(answer)['code'], 'refund_due', answer.text);
  const row = only(await rowsOf(world, payment.payer));
  assert.equal(row['id'], jsonOf(answer)['payment']);
  return row;
}

function only(rows: readonly JsonObject[]): JsonObject {
  assert.equal(rows.length, 1);
  return rows[0] as JsonObject;
}

const text = (value: unknown): string => String(value);

describe('operator', () => {
  let world: World;
  const persist = mkdtempSync(join(tmpdir(), 'farebox-operator-'));
  before(async () => {
    const recovery = { settle_secs: 2, resend_secs: [1, 1, 1], chain_secs: [1, 1], refund_secs: 5, manual_secs: 10 };
    world = await openWorld({ persist, vars: { RECOVERY: recovery } });
  });
  after(async () => {
    await world.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  // A-123
  it('without the token every path is 401, with it an unknown path is 404', async () => {
    const wrong = [
      [],
      [['Authorization', 'Bearer wrong']],
      [['Authorization', `Basic ${SECRETS['OPERATOR_TOKEN']}`]],
      [['Authorization', `Bearer ${SECRETS['OPERATOR_TOKEN']}x`]],
      [['Cookie', `token=${SECRETS['OPERATOR_TOKEN']}`]],
    ] as const;
    for (const headers of wrong) {
      for (const path of PATHS) {
        const answer = await world.gate.raw('GET', `/_farebox/${path}`, headers);
        expectProblem(answer, { status: 401, code: 'unauthorized' });
        assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer /);
        assert.equal(answer.headers['access-control-allow-origin'], undefined);
      }
    }
    for (const path of ['config', 'payment', 'payments/x/y', 'payments/', '']) {
      expectProblem(await ask(world, path), { status: 404, code: 'not_found' });
    }
    const posted = await world.gate.raw('POST', `/_farebox/payments/${NO_ID}/waived`, [], '{"reason":"x"}');
    expectProblem(posted, { status: 401, code: 'unauthorized' });
  });

  it('the method is the one that is written', async () => {
    const posted = await ask(world, 'payments', {});
    expectProblem(posted, { status: 405, code: 'method_not_allowed' });
    assert.equal(posted.headers['allow'], 'GET');
    const got = await ask(world, `payments/${NO_ID}/waived`);
    expectProblem(got, { status: 405, code: 'method_not_allowed' });
    assert.equal(got.headers['allow'], 'POST');
  });

  it('a payment is shown with all its members and its transitions', async () => {
    const row = await delivered(world);
    const members = [
      'amount',
      'amount_decimal',
      'asset',
      'created',
      'created_at',
      'decimals',
      'facilitator',
      'id',
      'key',
      'network',
      'payee',
      'payer',
      'reason',
      'route',
      'state',
      'symbol',
      'transaction',
      'updated',
      'updated_at',
    ];
    assert.deepEqual(Object.keys(row).sort(), members);
    assert.equal(row['state'], 'delivered');
    assert.equal(row['amount'], '10000');
    assert.deepEqual([row['amount_decimal'], row['symbol'], row['decimals']], ['0.01', 'USDC', 6]);
    for (const name of ['created', 'updated']) assert.equal(Date.parse(text(row[name])) / 1000, row[`${name}_at`], text(row[name]));
    assert.equal(text(row['asset']).toLowerCase(), ASSET.toLowerCase());
    assert.equal(row['network'], 'eip155:84532');
    assert.equal(text(row['payee']).toLowerCase(), PAY_TO.toLowerCase());
    assert.equal(row['route'], '/after/*');
    assert.equal(row['facilitator'], world.facilitator.url);
    const shown = jsonOf(await ask(world, `payments/${text(row['id'])}`));
    const { transitions, correlation_id: correlation, ...rest } = shown;
    assert.deepEqual(rest, row);
    assert.match(String(correlation), /^[A-Za-z0-9_-]{8,64}$/);
    const steps = transitions as JsonObject[];
    assert.deepEqual(
      steps.map((step) => [step['from'], step['to']]),
      [
        ['none', 'executing'],
        ['executing', 'settling'],
        ['settling', 'delivered'],
      ],
    );
    for (const step of steps) assert.ok(Number(step['at']) >= Number(row['created_at']));
    for (const step of steps) assert.equal(Date.parse(text(step['time'])) / 1000, step['at']);
    expectProblem(await ask(world, `payments/${NO_ID}`), { status: 404, code: 'not_found' });
    expectProblem(await ask(world, "payments/rcpt_'OR'1'='1"), { status: 404, code: 'not_found' });
  });

  it('filters, and refuses what it does not understand', async () => {
    const good = await delivered(world, `/dear/filtered-${nextNumber()}`);
    const bad = await owed(world);
    const ids = async (query: string): Promise<string[]> => {
      const answer = await ask(world, `payments?limit=200&${query}`);
      assert.equal(answer.status, 200, answer.text);
      return (jsonOf(answer)['items'] as JsonObject[]).map((item) => text(item['id']));
    };
    const [one, two] = [text(good['id']), text(bad['id'])];
    const at = Number(good['created_at']);
    const cases: readonly (readonly [query: string, one: boolean, two: boolean])[] = [
      ['state=refund_due', false, true],
      ['state=delivered', true, false],
      ['route=%2Fdear%2F*', true, false],
      ['route=/before/*', false, true],
      [`payer=${text(bad['payer'])}`, false, true],
      [`from=${at - 60}&to=${at + 60}`, true, true],
      [`to=${at - 60}`, false, false],
      [`from=${at + 600}`, false, false],
      ['from=1970-01-02&to=2999-01-01', true, true],
      ["route=' OR 1=1 --".replaceAll(' ', '%20'), false, false],
    ];
    for (const [query, first, second] of cases) {
      const found = await ids(query);
      assert.deepEqual([found.includes(one), found.includes(two)], [first, second], query);
    }
    for (const query of [
      'state=paid',
      'payer=0x1',
      'limit=0',
      'limit=201',
      'limit=x',
      'cursor=zz',
      'from=yesterday',
      'status=manual',
      'limit=1&limit=2',
      'route=%zz',
      'key=xyz',
      `transaction=${'a'.repeat(200)}`,
    ]) {
      const answer = await ask(world, `payments?${query}`);
      expectProblem(answer, { status: 400, code: 'invalid_request' });
      assert.equal(jsonOf(answer)['parameter'], query.split('=')[0], 'the answer names the parameter');
    }
  });

  it('a payment is found by the beginning of its id, key, transaction or correlation id, however it is written', async () => {
    const target = `/after/found-${nextNumber()}`;
    const payment = await payFor(world, target);
    const correlation = `found-by-me-${nextNumber()}`;
    expectPaid(await send(world, target, payment, { headers: [['x-correlation-id', correlation]] }), payment);
    const row = only(await rowsOf(world, payment.payer));
    await delivered(world);
    const [id, key, transaction] = ['id', 'key', 'transaction'].map((name) => text(row[name])) as [string, string, string];
    const [id8, key8, hash8] = [id.slice(0, 13), key.slice(0, 8), transaction.slice(0, 10)];
    const ways = [
      `id=${id}`,
      `id=${id8}`,
      `id=${id8.replace('rcpt_', '')}`,
      `key=${key}`,
      `key=0x${key}`,
      `key=${key8}`,
      `key=0x${key8.toUpperCase()}`,
      `transaction=${transaction}`,
      `transaction=${hash8}`,
      `transaction=${transaction.slice(2).toUpperCase()}`,
      `correlation_id=${correlation}`,
      `correlation_id=${correlation.slice(0, -1)}`,
      `id=${id8}&key=${key8}`,
    ];
    for (const way of ways) {
      const found = jsonOf(await ask(world, `payments?${way}`))['items'] as JsonObject[];
      assert.deepEqual(
        found.map((item) => item['id']),
        [id],
        way,
      );
    }
    for (const way of [`id=${id}a`, `key=f${key}`, `key=${key8}&id=rcpt_zz`, `correlation_id=${correlation}x`, 'transaction=%25', 'id=_']) {
      assert.deepEqual(jsonOf(await ask(world, `payments?${way}`))['items'], [], way);
    }
  });

  it('pages show every payment once', async () => {
    for (let i = 0; i < 5; i += 1) await delivered(world);
    const all = jsonOf(await ask(world, 'payments?limit=200'))['items'] as JsonObject[];
    const seen: string[] = [];
    let next: string | null = '';
    while (next !== null) {
      const page: JsonObject = jsonOf(await ask(world, `payments?limit=2${next === '' ? '' : `&cursor=${next}`}`));
      const items = page['items'] as JsonObject[];
      assert.ok(items.length <= 2);
      seen.push(...items.map((item) => text(item['id'])));
      next = page['next'] as string | null;
      assert.ok(seen.length <= all.length, 'pages end');
    }
    assert.deepEqual(
      seen,
      all.map((item) => text(item['id'])),
    );
    assert.equal(new Set(seen).size, seen.length);
  });

  // A-109
  it('a refund and a waiver end a debt once', async () => {
    const row = await owed(world);
    const id = text(row['id']);
    const transaction = `0x${'ab'.repeat(31)}01`;
    const wrong: readonly (readonly [body: unknown, member: string])[] = [
      ['', 'body'],
      ['{', 'body'],
      ['[]', 'body'],
      ['{}', 'transaction'],
      [{ transaction: '0x12' }, 'transaction'],
      [{ transaction, more: 1 }, 'more'],
      [{ reason: 'x' }, 'reason'],
      ['x'.repeat(5000), 'body'],
    ];
    for (const [body, member] of wrong) {
      const answer = await ask(world, `payments/${id}/refunded`, body);
      expectProblem(answer, { status: 400, code: 'invalid_request' });
      assert.equal(jsonOf(answer)['parameter'], member);
    }
    expectProblem(await ask(world, `payments/${NO_ID}/refunded`, { transaction }), { status: 404, code: 'not_found' });
    const own = { transaction: row['transaction'] };
    expectProblem(await ask(world, `payments/${id}/refunded`, own), { status: 409, code: 'wrong_state' });
    const done = await ask(world, `payments/${id}/refunded`, { transaction });
    assert.equal(done.status, 200, done.text);
    assert.equal(jsonOf(done)['state'], 'refunded');
    const steps = jsonOf(done)['transitions'] as JsonObject[];
    const last = steps.at(-1) as JsonObject;
    assert.deepEqual([last['from'], last['to'], last['why']], ['refund_due', 'refunded', `operator: ${transaction}`]);
    const again = await ask(world, `payments/${id}/refunded`, { transaction });
    assert.equal(again.status, 200, 'the same words again change nothing');
    assert.deepEqual(jsonOf(again)['transitions'], steps);
    expectProblem(await ask(world, `payments/${id}/refunded`, { transaction: REFUND }), { status: 409, code: 'wrong_state' });
    expectProblem(await ask(world, `payments/${id}/waived`, { reason: 'no' }), { status: 409, code: 'refund_ended' });

    const other = text((await owed(world))['id']);
    for (const body of [{ reason: '' }, { reason: ' ' }, { reason: 'x'.repeat(600) }, { reason: 1 }]) {
      expectProblem(await ask(world, `payments/${other}/waived`, body), { status: 400, code: 'invalid_request' });
    }
    const waived = await ask(world, `payments/${other}/waived`, { reason: 'he agreed, "fine"\nthen' });
    assert.equal(jsonOf(waived)['state'], 'waived', waived.text);
    const words = (jsonOf(waived)['transitions'] as JsonObject[]).at(-1) as JsonObject;
    assert.equal(words['why'], 'operator: he agreed, "fine" then');
  });

  it('the command for refunds prints the transfer of a debt, and nothing else', async () => {
    const row = await owed(world);
    const script = async (id: string, own = PAY_TO): Promise<{ stdout: string; stderr: string; code: number }> =>
      promisify(execFile)('node', ['pkg/dist/cli/main.js', 'refund', id, '--json'], {
        env: { ...process.env, FAREBOX_URL: world.gate.url, FAREBOX_OPERATOR_TOKEN: SECRETS['OPERATOR_TOKEN'], PAY_TO: own },
      }).then(
        (done) => ({ ...done, code: 0 }),
        (error: { stdout: string; stderr: string; code: number }) => error,
      );
    const printed = JSON.parse((await script(text(row['id']))).stdout) as JsonObject;
    const payer = text(row['payer']) as `0x${string}`;
    const data = encodeFunctionData({ abi: erc20Abi, functionName: 'transfer', args: [payer, 10_000n] });
    assert.deepEqual(printed, { chainId: '0x14a34', to: row['asset'], value: '0x0', data });
    // What another wallet received is that one's to pay back.
    const other = await script(text(row['id']), payer);
    assert.deepEqual([other.code, other.stdout], [2, '']);
    assert.match(
      other.stderr,
      /^farebox: the payment went to 0x[0-9a-fA-F]{40}, which is not PAY_TO: its owner owes the refund, you do not\n/,
    );
    for (const id of [text((await delivered(world))['id']), NO_ID]) {
      const refused = await script(id);
      assert.ok([1, 2].includes(refused.code));
      assert.equal(refused.stdout, '');
    }
  });

  it('a payment under review is resolved, and only such a one', async () => {
    const target = `/after/review-${nextNumber()}`;
    const payment = await payFor(world, target);
    world.facilitator.script(payment.payer, { settle: { kind: 'good', fields: { payer: OTHER } } });
    expectProblem(await send(world, target, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
    let row = only(await rowsOf(world, payment.payer));
    const id = text(row['id']);
    const resolve = (as: string): ReturnType<typeof ask> => ask(world, `payments/${id}/resolve`, { as, reason: 'looked' });
    expectProblem(await resolve('void'), { status: 409, code: 'wrong_state' });
    const metrics = (await ask(world, 'metrics')).text;
    assert.match(metrics, /^farebox_unknown_open 1$/m);
    assert.match(metrics, /^farebox_unknown_oldest_seconds \d+$/m);
    await eventually('it is under review', async () => {
      row = only(await rowsOf(world, payment.payer));
      return row['state'] === 'manual';
    });
    assert.equal(row['reason'], 'overdue');
    assert.match((await ask(world, 'metrics')).text, /^farebox_manual_open 1$/m);
    for (const as of ['refunded', 'manual', 'paid', '']) expectProblem(await resolve(as), { status: 400, code: 'invalid_request' });
    const resolved = await resolve('refund_due');
    assert.equal(jsonOf(resolved)['state'], 'refund_due', resolved.text);
    assert.equal(jsonOf(resolved)['reason'], 'resolved');
    expectProblem(await resolve('void'), { status: 409, code: 'wrong_state' });
  });

  it('totals of a day add up by asset and route', async () => {
    const before = await ask(world, 'totals');
    assert.equal(before.status, 200, before.text);
    const route = (answer: JsonObject, name: string): JsonObject =>
      (answer['items'] as JsonObject[]).find((item) => item['route'] === name) ?? {};
    const units = (item: JsonObject, name: string): bigint => BigInt(text(item[name] ?? '0'));
    const [was, due] = [route(jsonOf(before), '/dear/*'), route(jsonOf(before), '/before/*')];
    await delivered(world, `/dear/total-${nextNumber()}`);
    await owed(world);
    const now = jsonOf(await ask(world, `totals?day=${text(jsonOf(before)['day'])}`));
    const [is, isDue] = [route(now, '/dear/*'), route(now, '/before/*')];
    assert.equal(text(is['asset']).toLowerCase(), ASSET.toLowerCase());
    for (const column of ['settled', 'delivered']) assert.equal(units(is, column) - units(was, column), 20_000n, column);
    for (const column of ['settled', 'refund_due']) assert.equal(units(isDue, column) - units(due, column), 10_000n, column);
    for (const column of ['refunded', 'manual']) assert.match(text(is[column]), /^\d+$/);
    assert.deepEqual(jsonOf(await ask(world, 'totals?day=2001-02-03')), { day: '2001-02-03', items: [] });
    for (const day of ['2025-02-30', '1', 'today']) {
      expectProblem(await ask(world, `totals?day=${day}`), { status: 400, code: 'invalid_request' });
    }
  });

  // A-125
  it('an export holds every row, and no cell that a spreadsheet computes', async () => {
    const row = await delivered(world);
    const lines = await ask(world, 'export?format=jsonl');
    assert.equal(lines.headers['content-type'], 'application/x-ndjson');
    const rows = lines.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonObject);
    assert.deepEqual(
      rows.find((found) => found['id'] === row['id']),
      row,
    );
    const all = jsonOf(await ask(world, 'payments?limit=200'))['items'] as JsonObject[];
    assert.equal(rows.length, all.length);
    const csv = await ask(world, 'export?format=csv');
    assert.match(csv.headers['content-type'] ?? '', /^text\/csv\b/);
    assert.match(csv.headers['content-disposition'] ?? '', /^attachment;/);
    const [head, ...cells] = csv.text.trimEnd().split('\r\n');
    assert.equal(
      head,
      'id,key,state,payer,route,network,asset,amount,transaction,facilitator,created_at,updated_at,reason,amount_decimal,symbol,created,updated',
    );
    assert.equal(cells.length, all.length);
    const mine = cells.find((line) => line.startsWith(text(row['id']))) ?? '';
    assert.ok(mine.includes(text(row['transaction'])));
    assert.ok(mine.endsWith(`,0.01,USDC,${text(row['created'])},${text(row['updated'])}`), mine);
    const none = await ask(world, 'export?format=csv&to=1');
    assert.equal(none.text, `${head}\r\n`);
    for (const query of ['', '?format=xml', '?format=csv&state=delivered']) {
      expectProblem(await ask(world, `export${query}`), { status: 400, code: 'invalid_request' });
    }
  });

  it('metrics are in the text format, with a sentence for each', async () => {
    await delivered(world);
    await owed(world);
    const answer = await ask(world, 'metrics');
    assert.match(answer.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(answer.text, /^farebox_payments_total\{state="delivered",route="\/after\/\*"\} \d+$/m);
    assert.match(answer.text, /^farebox_refund_due_open [1-9]\d*$/m);
    for (const line of answer.text.trimEnd().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) farebox_[a-z_]+ .+|farebox_[a-z_]+(\{([a-z]+="[^"]*",?)+\})? \d+(\.\d+)?)$/);
    }
    await eventually('the counters are handed over', async () => {
      const { text: counted } = await ask(world, 'metrics');
      return (
        /^farebox_challenges_total\{route="\/after\/\*"\} [1-9]\d*$/m.test(counted) &&
        /^farebox_facilitator_seconds_count\{op="settle"\} [1-9]\d*$/m.test(counted)
      );
    });
    const series = ['challenges_total', 'facilitator_seconds', 'facilitator_errors_total'];
    for (const name of series) assert.match(answer.text, new RegExp(`^# HELP farebox_${name} .*[Aa]pproximate`, 'm'));
  });

  // I-13
  it('the audit balances, and finds a row that was changed outside the gate', async () => {
    const row = await delivered(world);
    const difference = async (): Promise<string[]> => {
      const answer = await ask(world, 'audit');
      assert.equal(answer.status, 200, answer.text);
      return (jsonOf(answer)['items'] as JsonObject[]).map((item) => text(item['difference']));
    };
    assert.deepEqual(await difference(), ['0']);
    const changes: readonly (readonly [statement: string, undo: string, expected: string])[] = [
      ["state = 'void'", "state = 'delivered'", '10000'],
      ["amount = '9000'", "amount = '10000'", '1000'],
      ["amount = '=1'", "amount = '10000'", '10000'],
    ];
    for (const [statement, undo, expected] of changes) {
      await world.gate.stop();
      assert.equal(plant(world.gate, `UPDATE payments SET ${statement} WHERE receipt = ?`, text(row['id'])), 1);
      await world.gate.restart();
      assert.deepEqual(await difference(), [expected], statement);
      if (statement.includes('=1')) {
        const csv = (await ask(world, 'export?format=csv')).text;
        assert.ok(csv.includes(`,"'=1",`), 'the planted formula is text');
      }
      await world.gate.stop();
      plant(world.gate, `UPDATE payments SET ${undo} WHERE receipt = ?`, text(row['id']));
      await world.gate.restart();
    }
    assert.deepEqual(await difference(), ['0']);
  });

  // A-123
  it('no payer can read the operator API', async () => {
    assert.ok(!world.gate.printed.includes(SECRETS['OPERATOR_TOKEN'] ?? ''), 'the token is in no log');
    const health = await world.gate.raw('GET', '/_farebox/health');
    assert.deepEqual(Object.keys(jsonOf(health)).sort(), ['facilitators', 'networks', 'ok', 'protocols', 'routes', 'version']);
    for (const entry of jsonOf(health)['facilitators'] as JsonObject[]) {
      assert.deepEqual(Object.keys(entry).sort(), ['at', 'networks_missing', 'supported', 'url']);
    }
  });
});

it('without a token in the configuration there is no operator API', async () => {
  const world = await openWorld({ without: ['OPERATOR_TOKEN'] });
  try {
    for (const path of PATHS) {
      expectProblem(await ask(world, path), { status: 404, code: 'not_found' });
      const empty = await world.gate.raw('GET', `/_farebox/${path}`, [['Authorization', 'Bearer ']]);
      expectProblem(empty, { status: 404, code: 'not_found' });
    }
  } finally {
    await world.stop();
  }
});

it('an object that is down makes the answer 503 and never a part', async () => {
  const world = await openWorld({ probe: true });
  try {
    await delivered(world);
    await world.gate.ledger('down', 3);
    // One object alone may have a payment.
    for (const [path, at] of [
      ...['payments', 'totals', 'audit', 'metrics'].map((of) => [of, 3] as const),
      [`payments/${NO_ID}`, 0] as const,
    ]) {
      await world.gate.ledger('down', at);
      expectProblem(await ask(world, path), { status: 503, code: 'ledger_unavailable', retryAfter: 2 });
    }
    for (const format of ['csv', 'jsonl']) {
      await world.gate.ledger('down', 3);
      const exported = await ask(world, `export?format=${format}`);
      const last = exported.text.trimEnd().split('\n').at(-1) ?? '';
      assert.ok(
        exported.status === 503 || /^(\{"incomplete":|incomplete,)/.test(last),
        `a part is told from all: ${exported.status} ${exported.text}`,
      );
    }
  } finally {
    await world.stop();
  }
});

// I-07
it('with a chain to look at, only a refund that it shows ends a debt', async () => {
  const receipts = new Map<string, unknown>();
  let chainId = '0x14a34';
  const node = await Listener.start((body) => {
    const calls = JSON.parse(body) as { id: number; method: string; params: unknown[] }[];
    const answers = calls.map(({ id, method, params }) => {
      const base = { jsonrpc: '2.0', id };
      if (method === 'eth_chainId') return { ...base, result: chainId };
      if (method === 'eth_getTransactionReceipt') return { ...base, result: receipts.get(String(params[0])) ?? null };
      return { ...base, error: { code: -32601, message: 'no' } };
    });
    return [200, JSON.stringify(answers)];
  });
  const world = await openWorld({ probe: true, vars: { RPC_URL: node.url, REFUND_TOKEN } });
  try {
    const row = await owed(world);
    const id = text(row['id']);
    const word = (hex: string): string => `0x${hex.replace(/^0x/, '').toLowerCase().padStart(64, '0')}`;
    const transfer = (
      hash: string,
      change: { to?: string; from?: string; amount?: string; asset?: string; status?: string } = {},
    ): void => {
      const log = {
        address: change.asset ?? text(row['asset']),
        topics: [
          '0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef',
          word(change.from ?? OTHER),
          word(change.to ?? text(row['payer'])),
        ],
        data: word((change.amount === undefined ? 10_000n : BigInt(change.amount)).toString(16)),
        blockNumber: '0x10',
        transactionHash: hash,
        logIndex: '0x0',
        removed: false,
      };
      receipts.set(hash, { transactionHash: hash, status: change.status ?? '0x1', blockNumber: '0x10', logs: [log] });
    };
    const hash = (end: string): string => `0x${'ef'.repeat(31)}${end}`;
    transfer(hash('02'), { to: OTHER });
    transfer(hash('03'), { amount: '9999' });
    transfer(hash('04'), { asset: OTHER.toLowerCase() });
    transfer(hash('05'), { status: '0x0' });
    transfer(hash('06'));
    for (const end of ['01', '02', '03', '04', '05']) {
      expectProblem(await ask(world, `payments/${id}/refunded`, { transaction: hash(end) }), { status: 409, code: 'refund_unproven' });
    }
    chainId = '0x1';
    expectProblem(await ask(world, `payments/${id}/refunded`, { transaction: hash('06') }), {
      status: 503,
      code: 'chain_unavailable',
      retryAfter: 5,
    });
    chainId = '0x14a34';
    assert.equal(only(await rowsOf(world, text(row['payer'])))['state'], 'refund_due');
    // Who may only refund is believed if the payee's own wallet sent it, and sees and resolves nothing.
    const report = (path: string, body?: JsonObject): Promise<Answer> => ask(world, path, body, REFUND_TOKEN);
    expectProblem(await report(`payments/${id}/refunded`, { transaction: hash('06') }), { status: 409, code: 'refund_unproven' });
    expectProblem(await report(`payments/${id}/refunded`, { transaction: hash('01') }), { status: 409, code: 'refund_unproven' });
    for (const path of ['payments', `payments/${id}`, 'totals', 'audit', 'metrics', 'failures', 'export?format=csv']) {
      expectProblem(await report(path), { status: 401, code: 'unauthorized' });
    }
    for (const [path, body] of [
      ['waived', { reason: 'no' }],
      ['resolve', { as: 'void', reason: 'no' }],
    ] as const) {
      expectProblem(await report(`payments/${id}/${path}`, body), { status: 401, code: 'unauthorized' });
    }
    expectProblem(await ask(world, `payments/${id}/refunded`, { transaction: hash('06') }, `${REFUND_TOKEN}x`), {
      status: 401,
      code: 'unauthorized',
    });
    assert.equal(only(await rowsOf(world, text(row['payer'])))['state'], 'refund_due');
    const second = await owed(world);
    transfer(hash('07'), { from: text(second['payee']), to: text(second['payer']) });
    const reported = await report(`payments/${text(second['id'])}/refunded`, { transaction: hash('07') });
    assert.equal(jsonOf(reported)['state'], 'refunded', reported.text);
    await world.gate.ledger('ok');
    const done = await ask(world, `payments/${id}/refunded`, { transaction: hash('06') });
    assert.equal(jsonOf(done)['state'], 'refunded', done.text);
    const { calls, fetched } = await world.gate.ledger();
    assert.ok(calls <= 17, `each of 16 objects is asked for the debt, and the one that has it is told: ${calls}`);
    assert.equal(fetched.length, 1);
  } finally {
    await world.stop();
    await node.stop();
  }
});
