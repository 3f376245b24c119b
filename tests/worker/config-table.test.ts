/** The route table in KV: it changes without a deployment, all at once, and nothing that goes wrong with it opens a path. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { StoredTable } from '../../src/worker/table.mjs';
import { DRILL, expectLost } from './support/drill.ts';
import type { Value } from './support/gate.ts';
import { freshPayer, pay, requiredBy } from './support/payer.ts';
import type { Answer } from './support/raw.ts';
import { begin, eventually, expectPaid, expectProblem, jsonOf, openWorld, payFor, QUICK, send, type World } from './support/world.ts';

/** More than the time between two reads. */
const MINUTE = 61;
const PATIENT_MS = 40_000;
/** For a gate whose clock is minutes ahead of the payer's. */
const LATE = { validForSecs: 1500 };
const room = { max_timeout_secs: 60, origin_timeout_secs: 4 };

/** Both paths cost so many cents, and say so. */
function table(cents: number, extra: readonly Value[] = []): string {
  const price = `$${(cents / 100).toFixed(2)}`;
  const routes = ['/one/*', '/two/*'].map((path) => ({ path, price, description: `costs ${cents}`, ...room }));
  return JSON.stringify([...routes, ...extra]);
}

function atomic(cents: number): string {
  return `${cents * 10_000}`;
}

/** What a path costs now, or the status of another answer. */
async function priceOf(world: World, path: string): Promise<string | number> {
  const answer = await world.gate.raw('GET', path);
  return answer.status === 402 ? (requiredBy(answer).accepts[0]?.amount ?? '') : answer.status;
}

/** Lets a minute pass and asks until the price is this one. */
async function expectPrice(world: World, path: string, price: string | number): Promise<void> {
  await world.gate.ahead(MINUTE);
  await eventually(`${path} costs ${price}`, async () => (await priceOf(world, path)) === price, PATIENT_MS);
}

describe('the route table in KV', { concurrency: 2 }, () => {
  it('takes the place of ROUTES, which counts while there is none', async () => {
    const world = await openWorld({ probe: true, config: null, vars: { ROUTES: table(1) } });
    try {
      assert.equal(await priceOf(world, '/one/x'), atomic(1));
      await world.gate.store(table(2, [{ path: '/three', price: '$0.09', ...room }]));
      assert.equal(await priceOf(world, '/one/x'), atomic(1), 'not before it is read again');
      await expectPrice(world, '/one/x', atomic(2));
      assert.equal(await priceOf(world, '/three'), atomic(9));
      const health = jsonOf(await world.gate.raw('GET', '/_farebox/health'));
      assert.equal(health['routes'], 3);
      await world.gate.store(null);
      await expectPrice(world, '/one/x', atomic(1));
      assert.equal(await priceOf(world, '/three'), 200);
    } finally {
      await world.stop();
    }
  });

  it('is read before a gate that has rested names a price, which a client then pays', async () => {
    const world = await openWorld({ probe: true, config: table(1), without: ['ROUTES'] });
    try {
      assert.equal(await priceOf(world, '/one/x'), atomic(1));
      for (const cents of [3, 2]) {
        await world.gate.store(table(cents));
        await world.gate.ahead(95);
        const payment = await payFor(world, '/one/rested', LATE);
        expectPaid(await send(world, '/one/rested', payment), payment);
        const settled = JSON.parse(world.facilitator.of('settle', payment.payer)[0]?.body.toString() ?? '{}') as Settle;
        assert.equal(settled.paymentPayload.payload.authorization.value, atomic(cents));
      }
    } finally {
      await world.stop();
    }
  });

  it('leaves the price that a client was told before it changed, for five minutes', async () => {
    const world = await openWorld({ probe: true, config: table(1), without: ['ROUTES'] });
    try {
      const told = [await payFor(world, '/one/told', LATE), await payFor(world, '/one/late', LATE)] as const;
      await world.gate.store(table(2));
      await world.gate.ahead(MINUTE);
      assert.equal(await priceOf(world, '/one/x'), atomic(2));
      expectPaid(await send(world, '/one/told', told[0]), told[0]);
      await world.gate.ahead(300);
      assert.equal(oneTable(await send(world, '/one/late', told[1])), atomic(2));
      assert.equal(world.facilitator.of('settle').length, 1);
    } finally {
      await world.stop();
    }
  });

  it('needs no ROUTES beside it, and the first of many requests finds it', async () => {
    const world = await openWorld({ probe: true, config: table(3), without: ['ROUTES'] });
    try {
      const first = await Promise.all(Array.from({ length: 50 }, () => priceOf(world, '/two/x')));
      assert.deepEqual([...new Set(first)], [atomic(3)]);
      assert.equal(await world.gate.reads(), 1);
      const payment = await payFor(world, '/one/paid');
      expectPaid(await send(world, '/one/paid', payment), payment);
    } finally {
      await world.stop();
    }
  });

  it('changes all at once under load: every answer, price and settlement is of one table', async () => {
    const world = await openWorld({ probe: true, config: table(1), without: ['ROUTES'] });
    try {
      const seen = new Set<string>();
      let over = false;
      // The clock does not jump in the middle of a payment, whose leases it would end.
      let jump: Promise<void> | undefined;
      let atWork = 0;
      const asking = Array.from({ length: 12 }, (_, i) =>
        begin(
          (async (): Promise<number> => {
            let asked = 0;
            const connection = await world.gate.connect();
            while (!over) {
              const path = `/${i % 2 === 0 ? 'one' : 'two'}/load`;
              seen.add(oneTable(await connection.send({ method: 'GET', target: path, headers: [] })));
              asked += 1;
            }
            connection.close();
            return asked;
          })(),
        ),
      );
      const paying = Array.from({ length: 4 }, (_, i) =>
        begin(
          (async (): Promise<number> => {
            let paid = 0;
            while (!over) {
              const path = `/${i % 2 === 0 ? 'one' : 'two'}/paid-${i}-${paid}`;
              const asked = await world.gate.raw('GET', path);
              oneTable(asked);
              const payment = await pay(freshPayer(), requiredBy(asked), LATE);
              while (jump !== undefined) await jump;
              atWork += 1;
              const answer = await send(world, path, payment).finally(() => {
                atWork -= 1;
              });
              // Between the two the table may have changed: then the old terms are refused, and nothing moves.
              if (answer.status === 402) {
                oneTable(answer);
                assert.equal(world.facilitator.of('settle', payment.payer).length, 0);
              } else {
                expectPaid(answer, payment);
                const settle = JSON.parse(world.facilitator.of('settle', payment.payer)[0]?.body.toString() ?? '{}') as Settle;
                const { amount } = requiredBy(asked).accepts[0] ?? {};
                assert.deepEqual([settle.paymentRequirements.amount, settle.paymentPayload.payload.authorization.value], [amount, amount]);
              }
              paid += 1;
            }
            return paid;
          })(),
        ),
      );
      for (let cents = 2; cents <= 5; cents += 1) {
        await world.gate.store(table(cents));
        jump = (async (): Promise<void> => {
          await eventually('no payment is at work', () => atWork === 0, PATIENT_MS);
          await world.gate.ahead(MINUTE);
          jump = undefined;
        })();
        await jump;
        await eventually(`the table of ${cents}`, () => seen.has(atomic(cents)), PATIENT_MS);
      }
      over = true;
      const asked = (await Promise.all(asking)).reduce((sum, count) => sum + count, 0);
      const paid = (await Promise.all(paying)).reduce((sum, count) => sum + count, 0);
      assert.ok(asked > 300 && paid > 8, `${asked} asked, ${paid} paid`);
      assert.deepEqual([...seen].sort(), [1, 2, 3, 4, 5].map(atomic));
      assert.equal(await world.gate.reads(), 5, 'one read a minute, whatever the load');
    } finally {
      await world.stop();
    }
  });

  //
  it('leaves a payment that is at work to the table that it began with', async () => {
    const slow = { path: '/slow', price: '$0.01', max_timeout_secs: 60, origin_timeout_secs: 20 };
    const world = await openWorld({ probe: true, config: table(1, [slow]), without: ['ROUTES'] });
    try {
      const path = '/slow';
      const payment = await payFor(world, path, LATE);
      world.origin.script(path, { delayMs: 8000 });
      await world.gate.store(JSON.stringify([{ path: '/two/*', price: '$0.02', ...room }]));
      await world.gate.ahead(58);
      const work = begin(send(world, path, payment));
      await eventually('the origin is asked', () => world.origin.of(path).length === 1, PATIENT_MS);
      await world.gate.ahead(3);
      await eventually('the new table', async () => (await priceOf(world, '/two/x')) === atomic(2), PATIENT_MS);
      assert.equal(world.facilitator.of('settle').length, 0, 'the payment is still at work');
      expectPaid(await work, payment);
      assert.equal(await priceOf(world, path), 200, 'its route is gone');
    } finally {
      await world.stop();
    }
  });

  it('that is broken changes nothing, and is complained of once, by its place', async () => {
    const world = await openWorld({ probe: true, config: table(1), without: ['ROUTES'] });
    try {
      await expectPrice(world, '/one/x', atomic(1));
      const broken = [
        [table(2, [{ path: '/three', price: 'much', ...room }]), 'CONFIG routes[2].price'],
        ['[{"path":', 'CONFIG routes: is not valid JSON'],
        ['[]', 'CONFIG routes: must be a list'],
        ['', 'CONFIG routes: is missing'],
        [`[{"path":"/one/*","price":"$9","description":"${'x'.repeat(300 * 1024)}"}]`, 'longer than 256 KiB'],
      ] as const;
      for (const [text, complaint] of broken) {
        await world.gate.store(text);
        await world.gate.ahead(MINUTE);
        await eventually(
          `a complaint of ${complaint}`,
          async () => {
            assert.equal(await priceOf(world, '/one/x'), atomic(1));
            return world.gate.printed.includes(complaint);
          },
          PATIENT_MS,
        );
        const reads = await world.gate.reads();
        await world.gate.ahead(MINUTE);
        await eventually(
          'it is read again',
          async () => {
            assert.equal(await priceOf(world, '/two/x'), atomic(1));
            return (await world.gate.reads()) > reads;
          },
          PATIENT_MS,
        );
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.equal(world.gate.printed.split(complaint).length, 2, `${complaint} is said once`);
      }
      await world.gate.store(table(4));
      await expectPrice(world, '/one/x', atomic(4));
    } finally {
      await world.stop();
    }
  });

  for (const [what, mode, config] of [
    ['KV fails', 'down', table(1)],
    ['KV does not answer', 'hang', table(1)],
    ['the table is broken', 'ok', '[{'],
  ] as const) {
    it(`serves nothing while ${what} at first, not even what is free, and opens by itself`, async () => {
      // A table in the variables must not fill in.
      const world = await openWorld({ probe: true, config, vars: { ROUTES: table(7) } });
      try {
        await world.gate.reads(mode);
        for (const path of ['/one/x', '/free', '/']) {
          expectProblem(await world.gate.raw('GET', path), { status: 503, code: 'not_configured', retryAfter: 60 });
        }
        const health = await world.gate.raw('GET', '/_farebox/health');
        assert.deepEqual([health.status, jsonOf(health)['ok']], [503, false]);
        await eventually('the log names it', () => world.gate.printed.includes('CONFIG routes'));
        assert.equal(await world.gate.reads('ok'), 1, 'one read a minute, also when it fails');
        assert.equal(world.origin.calls.length, 0);
        await world.gate.store(table(1));
        await expectPrice(world, '/one/x', atomic(1));
        assert.equal((await world.gate.raw('GET', '/free')).status, 200);
      } finally {
        await world.stop();
      }
    });
  }

  it('is kept while KV fails later', async () => {
    const world = await openWorld({ probe: true, config: table(1), without: ['ROUTES'] });
    try {
      assert.equal(await priceOf(world, '/one/x'), atomic(1));
      for (const mode of ['down', 'hang'] as const) {
        const before = await world.gate.reads(mode);
        await world.gate.store(table(2));
        await world.gate.ahead(MINUTE);
        for (let i = 0; i < 20; i += 1) assert.equal(await priceOf(world, '/two/x'), atomic(1));
        assert.equal((await world.gate.reads()) - before, 1);
        const payment = await payFor(world, '/one/kept', LATE);
        expectPaid(await send(world, '/one/kept', payment), payment);
      }
      await world.gate.reads('ok');
      await expectPrice(world, '/one/x', atomic(2));
    } finally {
      await world.stop();
    }
  });

  it('is kept when the instance is lost, and needs no KV for that', async () => {
    const world = await openWorld({ build: DRILL, probe: true, config: table(1), vars: { ROUTES: table(7) } });
    try {
      assert.equal(await priceOf(world, '/one/x'), atomic(1));
      const reads = await world.gate.reads('down');
      expectLost(await world.gate.raw('GET', '/one/x', [['x-panic', 'gate']]));
      assert.equal(await priceOf(world, '/one/x'), atomic(1));
      await world.gate.reads('ok');
      await world.gate.store('[{');
      await world.gate.ahead(MINUTE);
      await eventually(
        'the broken table is complained of',
        async () => {
          assert.equal(await priceOf(world, '/one/x'), atomic(1));
          return world.gate.printed.includes('CONFIG routes: is not valid JSON');
        },
        PATIENT_MS,
      );
      expectLost(await world.gate.raw('GET', '/one/x', [['x-panic', 'gate']]));
      assert.equal(await priceOf(world, '/two/x'), atomic(1), 'the last good one, not the last one');
      assert.equal(await world.gate.reads(), reads + 1);
    } finally {
      await world.stop();
    }
  });

  for (const [what, mode, config] of [
    ['KV fails', 'down', undefined],
    ['the table is broken', 'ok', '[{"path":7}]'],
  ] as const) {
    it(`is not needed by the ledger: what was unknown is found out while ${what}`, async () => {
      const world = await openWorld({
        probe: true,
        config: table(1),
        without: ['ROUTES'],
        vars: { RECOVERY: { ...QUICK, resend_secs: [2, 2, 2] } },
      });
      try {
        const path = '/one/unknown';
        const payment = await payFor(world, path);
        world.facilitator.script(payment.payer, { settle: [{ kind: 'hang' }, { kind: 'good' }] });
        const lost = send(world, path, payment).catch(() => undefined);
        await eventually('settle is asked', () => world.facilitator.of('settle', payment.payer).length === 1, PATIENT_MS);
        if (config !== undefined) await world.gate.store(config);
        await world.gate.restart('kill');
        await lost;
        await world.gate.reads(mode);
        // The isolate begins with a request, so that a gate without a table is there before the object is.
        expectProblem(await world.gate.raw('GET', path), { status: 503, code: 'not_configured', retryAfter: 60 });
        assert.equal(await world.gate.scheduled(), 'ok');
        await eventually('the object sends it again', () => world.facilitator.of('settle', payment.payer).length > 1, PATIENT_MS);
        await world.gate.reads('ok');
        await world.gate.store(table(1));
        await world.gate.ahead(MINUTE);
        await eventually(
          'the paid answer',
          async () => {
            const answer = await send(world, path, payment);
            return answer.status === 200 || (answer.status === 409 && jsonOf(answer)['code'] === 'payment_already_delivered');
          },
          PATIENT_MS,
        );
        assert.equal(world.facilitator.settled.size, 1);
      } finally {
        await world.stop();
      }
    });
  }
});

describe('a stored text', () => {
  it('is never handed to the gate in full when it is far too long', async () => {
    const table = new StoredTable();
    const seen: number[] = [];
    const store = { get: async () => 'x'.repeat(20_000_000) };
    await table.refresh(
      store,
      (text) => seen.push(text?.length ?? 0) > 1,
      () => assert.fail('it was read'),
    );
    assert.deepEqual(seen, [256 * 1024 + 1], 'enough to be refused');
    assert.equal(table.text, undefined);
  });

  it('is text: another kind of binding under the name is a failure like any other', async () => {
    const said: string[] = [];
    const store = { get: async () => ({}) } as unknown as Parameters<StoredTable['refresh']>[0];
    await new StoredTable().refresh(
      store,
      () => assert.fail('it is no table'),
      (line) => said.push(line),
    );
    assert.match(said.join(), /not a KV namespace/);
  });
});

type Settle = {
  readonly paymentRequirements: { readonly amount: string };
  readonly paymentPayload: { readonly payload: { readonly authorization: { readonly value: string } } };
};

/** The amount of a 402, which agrees with everything else in it. */
function oneTable(answer: Answer): string {
  const required = requiredBy(answer);
  const { amount } = required.accepts[0] ?? {};
  assert.equal(required.resource.description, `costs ${Number(amount) / 10_000}`);
  const body = jsonOf(answer) as { readonly accepts?: readonly { readonly maxAmountRequired?: string }[] };
  assert.equal(body.accepts?.[0]?.maxAmountRequired, amount);
  return amount ?? '';
}
