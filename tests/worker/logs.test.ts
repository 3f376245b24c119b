/** The log: one line for each request of a priced route, with the fields that docs/monitoring.md lists. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';

import { pretty } from '../../scripts/pretty.mjs';
import { rowsOf } from './support/operator.ts';
import { encode, freshPayer, type JsonObject, pay, requiredBy } from './support/payer.ts';
import { eventually, expectPaid, nextNumber, openWorld, payFor, routes, send, type World } from './support/world.ts';

const FREE = { path: '/daily/*', price: '$0.01', free: { per_day: 5 }, max_timeout_secs: 60, origin_timeout_secs: 2 };

/** Every line of JSON, those that were written together one by one. */
function linesOf(world: World): JsonObject[] {
  const lines = world.gate.printed
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as JsonObject);
  return lines.flatMap((line) => (Array.isArray(line['unpaid']) ? (line['unpaid'] as JsonObject[]) : [line]));
}

/** The only line about the request with this correlation id, once it is written. */
async function lineOf(world: World, id: string): Promise<JsonObject> {
  const found = (): JsonObject[] => linesOf(world).filter((line) => line['correlation_id'] === id);
  await eventually('the request is logged', async () => found().length > 0);
  assert.equal(found().length, 1, 'one line for each request');
  return found()[0] as JsonObject;
}

/** The fields of the tables between two headings. */
function documented(from: string, to: string): string[] {
  const [, rest = ''] = readFileSync('docs/monitoring.md', 'utf8').split(`\n## ${from}\n`);
  const [section = ''] = rest.split(`\n${to}`);
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name ?? ''));
}

const named = (id: string): { headers: [string, string][] } => ({ headers: [['x-correlation-id', id]] });

describe('the log', () => {
  let world: World;
  before(async () => {
    world = await openWorld({ routes: [...routes(), FREE] });
  });
  after(() => world.stop());

  it('has one line for a paid request: path without query, payment, amount, outcome and times', async () => {
    const [target, id] = [`/after/logged-${nextNumber()}`, `logged-${nextNumber()}`];
    const payment = await payFor(world, `${target}?secret=1`);
    expectPaid(await send(world, `${target}?secret=1`, payment, named(id)), payment);
    const [row] = await rowsOf(world, payment.payer);
    const { at, facilitator_ms, origin_ms, object_ms, total_ms, ...rest } = await lineOf(world, id);
    assert.deepEqual(rest, {
      correlation_id: id,
      method: 'GET',
      path: target,
      route: '/after/*',
      status: 200,
      outcome: 'served',
      code: null,
      diagnosis: null,
      payment: row?.['id'],
      key8: String(row?.['key']).slice(0, 8),
      network: 'eip155:84532',
      amount: '10000',
      amount_decimal: '0.01',
      symbol: 'USDC',
      decimals: 6,
    });
    assert.match(String(at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    for (const ms of [facilitator_ms, origin_ms, object_ms]) assert.ok(Number(ms) <= Number(total_ms), `${ms} of ${total_ms}`);
    assert.ok(!linesOf(world).some((line) => line['payment'] === row?.['id'] && 'to' in line), 'the ordinary way has no lines of its own');
  });

  it('says how each request ended, and what no request says in a line of its own', async () => {
    const owing = `/before/owing-${nextNumber()}`;
    world.origin.script(owing, { status: 500 });
    const [due, again] = [await payFor(world, owing), `/after/again-${nextNumber()}`];
    const paid = await payFor(world, again);
    const junk = { row: encode('{}'), payer: '' } as unknown as typeof paid;
    const cases: readonly (readonly [outcome: string, code: string | null, target: string, payment: typeof paid | undefined])[] = [
      ['terms', 'payment_required', again, undefined],
      ['served', null, again, paid],
      ['refused', 'payment_already_delivered', again, paid],
      ['refused', 'malformed_payment', again, junk],
      ['owed', 'refund_due', owing, due],
      ['free', null, '/daily/logged', undefined],
    ];
    for (const [outcome, code, target, payment] of cases) {
      const id = `ended-${nextNumber()}-${outcome}`;
      const answer = await send(world, target, payment, named(id));
      const line = await lineOf(world, id);
      assert.deepEqual(
        [line['outcome'], line['code'], line['status'], line['path']],
        [outcome, code, answer.status, target],
        answer.text.slice(0, 200),
      );
    }
    const [row] = await rowsOf(world, due.payer);
    const steps = (): JsonObject[] => linesOf(world).filter((line) => 'to' in line && line['payment'] === row?.['id']);
    await eventually('the debt is logged', async () => steps().length > 0);
    assert.deepEqual(
      steps().map(({ to, key8 }) => [to, key8]),
      [['refund_due', String(row?.['key']).slice(0, 8)]],
    );
  });

  it('writes what begins no payment together with others of the same second, forged payments too', async () => {
    const [path, ids] = [`/after/together-${nextNumber()}`, Array.from({ length: 4 }, () => `together-${nextNumber()}`)];
    const asked = requiredBy(await world.gate.raw('GET', path));
    const forged = await pay(freshPayer(), asked, { signed: { from: freshPayer().address } });
    for (const answer of await Promise.all(ids.map((id) => send(world, path, forged, named(id))))) assert.equal(answer.status, 402);
    for (const id of ids)
      assert.deepEqual([(await lineOf(world, id))['outcome'], (await lineOf(world, id))['code']], ['refused', 'signature_invalid']);
    const together = world.gate.printed.split('\n').filter((line) => line.startsWith('{"unpaid":'));
    assert.ok(
      together.some((line) => ids.filter((id) => line.includes(id)).length > 1),
      'fewer lines than requests',
    );
  });

  it('remembered terms are logged like the first', async () => {
    const path = `/after/remembered-${nextNumber()}`;
    const connection = await world.gate.connect();
    const answers = [];
    for (let turn = 0; turn < 3; turn += 1) answers.push(await connection.send({ method: 'GET', target: `${path}?turn=1` }));
    const lines = [];
    for (const answer of answers) lines.push(await lineOf(world, answer.headers['x-correlation-id'] ?? ''));
    const shapes = lines.map(({ at: _, correlation_id: __, ...rest }) => rest);
    assert.deepEqual(
      shapes,
      shapes.map(() => ({
        method: 'GET',
        path,
        route: '/after/*',
        status: 402,
        outcome: 'terms',
        code: 'payment_required',
        diagnosis: null,
      })),
    );
    connection.close();
  });

  it('writes the fields that are documented, and no others', () => {
    const all = linesOf(world);
    const fields = (lines: readonly JsonObject[]): string[] => [...new Set(lines.flatMap((line) => Object.keys(line)))].sort();
    const requests = documented('The log', 'A step of a payment').sort();
    const steps = [...new Set(documented('The log', '### Requests without a payment').slice(requests.length))].sort();
    assert.deepEqual(fields(all.filter((line) => 'status' in line)), requests);
    assert.deepEqual(fields(all.filter((line) => 'to' in line)), steps);
  });
});

it('the log for people is one short line for each request and step, and leaves other lines as they are', () => {
  const told = { at: '2026-11-21T16:04:05Z', correlation_id: 'abc', method: 'GET', path: '/report', route: '/report', diagnosis: null };
  const price = { amount: '10000', amount_decimal: '0.01', symbol: 'USDC', decimals: 6 };
  const times = { facilitator_ms: 20, origin_ms: 3, object_ms: 9, total_ms: 40 };
  const served = {
    ...told,
    status: 200,
    outcome: 'served',
    code: null,
    payment: 'rcpt_x',
    key8: 'abcdef01',
    network: 'eip155:84532',
    ...price,
    ...times,
  };
  const terms = { ...told, status: 402, outcome: 'terms', code: 'payment_required' };
  const refused = { ...told, status: 402, outcome: 'refused', code: 'expired', diagnosis: 'PAYMENT_EXPIRED' };
  const step = { at: told.at, payment: 'rcpt_x', key8: 'abcdef01', from: 'settling', to: 'refund_due', why: 'origin' };
  const table: readonly (readonly [line: string, shown: string])[] = [
    [JSON.stringify(served), '16:04:05  200 GET /report  served  0.01 USDC  rcpt_x  40 ms (facilitator 20, origin 3, object 9)  [abc]'],
    [`  (log) ${JSON.stringify(terms)}`, '16:04:05  402 GET /report  terms  [abc]'],
    [
      JSON.stringify({ unpaid: [terms, refused] }),
      '16:04:05  402 GET /report  terms  [abc]\n16:04:05  402 GET /report  refused: expired  told PAYMENT_EXPIRED  [abc]',
    ],
    [JSON.stringify(step), '16:04:05  settling → refund_due  origin  rcpt_x'],
    ['farebox: PRICER returned no price', 'farebox: PRICER returned no price'],
    ['{"at": 1}', '{"at": 1}'],
    ['{', '{'],
  ];
  for (const [line, shown] of table) assert.equal(pretty(line), shown);
});
