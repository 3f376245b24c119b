/** How failures are counted over time, isolates, restarts and outages; what it costs; what the operator sees of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { describedMetrics, exposedMetrics } from '../support/metrics.ts';
import { Client, told, verdict } from './support/client.ts';
import { refusedVerify } from './support/facilitator.ts';
import { Listener, ask as operator } from './support/operator.ts';
import type { JsonObject } from './support/payer.ts';
import type { Answer } from './support/raw.ts';
import {
  eventually,
  expectFreshTerms,
  expectPaid,
  expectProblem,
  jsonOf,
  openWorld,
  type World,
  type WorldOptions,
} from './support/world.ts';

const DAY_SECS = 86_400;
/** For how long an answer asks its client to wait. */
const waits = (answer: Answer): string | undefined => answer.headers['retry-after'];
/** From one hand-over to the next. */
const BETWEEN_FLUSHES_MS = 10_000;
/** Longer than from a count to its hand-over, on a busy machine. */
const HANDED_MS = 60_000;

async function within<T>(options: WorldOptions, work: (world: World) => Promise<T>): Promise<T> {
  const world = await openWorld({ probe: true, ...options });
  try {
    return await work(world);
  } finally {
    await world.stop();
  }
}

/** Waits until the object knows of so many attempts, and the isolate of its answer. */
async function handedOver(world: World, attempts: number): Promise<void> {
  await eventually(`${attempts} are handed over`, async () => count(await failures(world)) === attempts, HANDED_MS);
  await new Promise((resolve) => setTimeout(resolve, 300));
}

describe('counts of failures', { concurrency: 3 }, () => {
  it('the 8,432nd request after 18 days is asked to wait longest, and the operator sees both, under salts that change and with a pause shorter than a day', () =>
    within({}, async (world) => {
      const client = new Client(world);
      const begun = await world.gate.ahead(0);
      for (let halfDay = 0; halfDay < 36; halfDay += 1) {
        await client.askTimes(halfDay === 35 ? 8_431 - 35 * 230 : 230, '/after/long');
        await world.gate.ahead(DAY_SECS / 2);
      }
      const answer = await client.ask('/after/long');
      assert.deepEqual([verdict(answer), waits(answer)], ['PAYMENT_ATTEMPTS_EXCEEDED', '2520']);
      assert.match(told(answer).message, /at this address: 8432 requests in 1[78] days and no success/);
      // What came in one second stands in one line.
      const logged = () => world.gate.printed.split('"code":"payment_required"').length - 1;
      await eventually('each of the first, and then each further hundred, is logged', async () => logged() >= 99 + 84);
      await handedOver(world, 8_432);
      assert.equal(logged(), 99 + 84, 'and no other');
      const [row] = await failures(world);
      assert.deepEqual([row?.['code'], row?.['attempts']], ['PAYMENT_ATTEMPTS_EXCEEDED', 8_432]);
      assert.ok(Math.abs(Number(row?.['first_at']) - begun) < 60, JSON.stringify(row));
      await world.gate.ahead(DAY_SECS);
      assert.equal(waits(await client.ask('/after/long')), undefined, 'a day without a request ends the row of them');
    }));

  it('two isolates count together, and a killed one finds what was handed over', () =>
    within({ beside: {} }, async (world) => {
      const client = new Client(world);
      await client.askTimes(60, '/after/both');
      await handedOver(world, 60);
      assert.equal(waits(await client.ask('/after/both', world.gate.besideUrl)), undefined);
      await eventually('the second isolate learns of the first', async () => {
        // What it asks is counted too: it stays below the threshold.
        const answer = await client.ask('/after/both', world.gate.besideUrl);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return waits(answer) !== undefined || count(await failures(world)) >= 62;
      });
      let last = await client.ask('/after/both', world.gate.besideUrl);
      for (let turn = 0; waits(last) === undefined; turn += 1) {
        assert.ok(turn < 45, 'the sum of both reaches the threshold');
        last = await client.ask('/after/both', world.gate.besideUrl);
      }
      await eventually('all is handed over', async () => count(await failures(world)) === 100, HANDED_MS);
      await world.gate.restart('kill');
      assert.equal(waits(await client.ask('/after/both')), undefined, 'a new isolate knows nothing yet');
      await handedOver(world, 101);
      assert.equal(waits(await client.ask('/after/both')), '30');
    }));

  it('a success in one isolate ends what another one counted', () =>
    within({ beside: {} }, async (world) => {
      const client = new Client(world);
      await client.askTimes(99, '/after/elsewhere');
      await handedOver(world, 99);
      const connection = await world.gate.connect(world.gate.besideUrl);
      const payment = await client.sign('/after/elsewhere');
      const paid = await connection.send({ method: 'GET', target: '/after/elsewhere', headers: [client.row, payment.row] });
      connection.close();
      expectPaid(paid, payment);
      await eventually('the object hears of it', async () => count(await failures(world)) <= 1, HANDED_MS);
      await eventually(
        'the first isolate hears of it',
        async () => {
          const answer = await client.ask('/after/elsewhere');
          await new Promise((resolve) => setTimeout(resolve, 2_000));
          return waits(answer) === undefined;
        },
        HANDED_MS,
      );
    }));

  it('no answer waits for an object, and what follows is one hand-over in ten seconds', () =>
    within({ vars: { LEDGER_SHARDS: 1 } }, async (world) => {
      const client = new Client(world);
      await world.gate.ledger('down');
      // One of them goes to the object of the counts and one to the one of the meters, right after each other.
      const flushesOf = (handovers: readonly number[]): number[] =>
        handovers.filter((at, index) => index === 0 || at - (handovers[index - 1] ?? 0) > BETWEEN_FLUSHES_MS / 2);
      // Until the second one is there, and for a while longer.
      let until = performance.now() + HANDED_MS;
      for (let seen = 0; performance.now() < until; ) {
        const {
          handovers: { length },
        } = await world.gate.ledger();
        if (length >= 4 && seen < 4) until = performance.now() + BETWEEN_FLUSHES_MS / 3;
        seen = length;
        const answer = await client.ask('/after/waits');
        assert.equal(answer.status, 402);
        assert.equal((await client.forge('/after/waits')).status, 402);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const { calls, handovers } = await world.gate.ledger();
      assert.equal(calls, 0, 'beside the hand-overs no object was called');
      const [first = 0, second = 0, ...more] = flushesOf(handovers);
      assert.deepEqual([handovers.length, more], [4, []], `${handovers}`);
      // Each is noted when it arrives, the first one perhaps late.
      assert.ok(second - first >= BETWEEN_FLUSHES_MS - 1_000, `${handovers}`);
    }));

  it("an outage is not the payer's: nothing for nine failures, then an alert, and silence once it is over", () =>
    within({ vars: { RECOVERY: { settle_secs: 2, breaker_secs: 2 } } }, async (world) => {
      const clients = Array.from({ length: 11 }, () => new Client(world));
      for (const { payer } of clients) world.facilitator.script(payer.address, { verify: { kind: 'destroy' } });
      const answers: Answer[] = [];
      for (const client of clients) answers.push(await client.pay('/after/outage'));
      for (const answer of answers) expectProblem(answer, { status: 503, code: 'facilitator_unavailable', retryAfter: 10 });
      assert.deepEqual(
        answers.slice(0, 9).map(verdict),
        Array.from({ length: 9 }, () => 'silent'),
      );
      const [tenth, eleventh] = answers.slice(9) as [Answer, Answer];
      assert.deepEqual([verdict(tenth), verdict(eleventh)], ['OPERATOR_ALERT escalate', 'OPERATOR_ALERT escalate']);
      assert.deepEqual([told(tenth).attempts, told(tenth).reason], [undefined, undefined]);
      const fresh = new Client(world);
      const asked = await fresh.ask('/after/outage');
      assert.deepEqual([verdict(asked), waits(asked)], ['silent', '30'], 'who has paid nothing is only asked to come later');
      await world.gate.ahead(61);
      const ahead = { validForSecs: 61 + 60 };
      assert.equal(waits(await new Client(world).ask('/after/outage')), undefined, 'somebody has to try again some day');
      const [one, two] = clients as [Client, Client];
      assert.equal((await one.pay('/after/outage', ahead)).status, 503);
      assert.equal(verdict(await two.pay('/after/outage', ahead)), 'OPERATOR_ALERT escalate', 'it is not over');
      assert.equal(waits(await new Client(world).ask('/after/outage')), '30');
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      assert.equal((await fresh.pay('/after/outage', ahead)).status, 200);
      assert.equal(waits(await new Client(world).ask('/after/outage')), undefined);
      world.facilitator.script(clients[0]?.payer.address ?? '', { verify: refusedVerify('invalid_payload') });
      assert.equal(told(await (clients[0] as Client).pay('/after/outage', ahead)).attempts, undefined, 'the outage was not counted');
    }));

  it('after a restore a payment that the ledger may have lost counts as no failure', () =>
    within({ vars: { LEDGER_CLOSED_BEFORE: Math.floor(Date.now() / 1000) + 60 } }, (world) =>
      within({}, async (lost) => {
        const client = new Client(world);
        for (let turn = 0; turn < 3; turn += 1) {
          const answer = await client.send('/after/restored', await new Client(lost, client).sign('/after/restored'));
          expectProblem(answer, { status: 503, code: 'settlement_unknown', retryAfter: 5 });
          assert.equal(answer.headers['payment-required'], undefined, 'it may have been charged');
          assert.equal(verdict(answer), 'silent');
        }
      }),
    ));

  it('errors that a facilitator says are its own are an alert after ten in a row, and count for nobody', () =>
    within({}, async (world) => {
      const client = new Client(world);
      world.facilitator.script(client.payer.address, { verify: refusedVerify('unexpected_verify_error') });
      const seen: string[] = [];
      for (let turn = 0; turn < 10; turn += 1) {
        const answer = await client.pay('/after/unexpected');
        expectFreshTerms(answer, 'verify_refused');
        seen.push(verdict(answer));
      }
      assert.deepEqual(seen, [...Array.from({ length: 9 }, () => 'silent'), 'OPERATOR_ALERT escalate']);
      world.facilitator.script(client.payer.address, { verify: refusedVerify('invalid_payload') });
      assert.equal(told(await client.pay('/after/unexpected')).attempts, undefined);
    }));

  it('the operator sees who fails at which route and why, by list, by number and by notice', async () => {
    const listener = await Listener.start(() => [200, '{}']);
    const route = { path: '/few/*', price: '$0.01', max_timeout_secs: 60, origin_timeout_secs: 2, diagnostics: { exceeded_after: 3 } };
    const vars = { WEBHOOK_URL: listener.url };
    const secrets = { WEBHOOK_SECRET: 'webhook-secret-of-the-test-suite-0123456789' };
    await within({ routes: [route], vars, secrets }, async (world) => {
      const [bad, forger, poor, absent] = Array.from({ length: 4 }, () => new Client(world)) as [Client, Client, Client, Client];
      world.facilitator.script(bad.payer.address, { verify: refusedVerify('invalid_payload') });
      world.facilitator.script(poor.payer.address, { verify: refusedVerify('insufficient_funds') });
      for (let turn = 0; turn < 4; turn += 1) {
        await bad.pay('/few/x');
        await poor.pay('/few/x');
        await forger.forge('/few/x', bad.payer.address);
        await absent.ask('/few/x');
      }
      await eventually('all are known', async () => (await failures(world)).length === 4, HANDED_MS);
      const items = await failures(world);
      const of = (client: string): JsonObject => items.find((item) => item['client'] === client) ?? {};
      const payer = of(bad.payer.address.toLowerCase());
      assert.deepEqual(
        [payer['code'], payer['cause'], payer['reason'], payer['attempts'], payer['claims'], payer['route']],
        ['PAYMENT_UNVERIFIED', 'terms', 'invalid_payload', 4, null, '/few/*'],
      );
      const empty = of(poor.payer.address.toLowerCase());
      assert.deepEqual([empty['code'], empty['attempts'], empty['times']], ['WALLET_INSUFFICIENT_FUNDS', 0, 4]);
      const networks = items.filter((item) => /^net_[0-9a-f]{32}$/.test(String(item['client'])));
      assert.deepEqual(networks.map((item) => [item['code'], item['cause'], item['claims']]).sort(), [
        ['PAYMENT_ATTEMPTS_EXCEEDED', 'unpaid', null],
        ['PAYMENT_UNVERIFIED', 'signature', bad.payer.address.toLowerCase()],
      ]);
      const only = jsonOf(await operator(world, 'failures?code=WALLET_INSUFFICIENT_FUNDS&limit=1'));
      assert.deepEqual(only['routes'], [{ route: '/few/*', code: 'WALLET_INSUFFICIENT_FUNDS', clients: 1, attempts: 0 }]);
      assert.ok(!JSON.stringify(items).includes('198.51'), 'no address of a network is kept');
      assert.equal((await operator(world, 'failures?limit=0')).status, 400);
      assert.equal((await world.gate.raw('GET', '/_farebox/failures')).status, 401);

      const metrics = (await operator(world, 'metrics')).text;
      assert.match(metrics, /farebox_failing_clients\{route="\/few\/\*",code="PAYMENT_UNVERIFIED",kind="payer"\} 1/);
      assert.match(metrics, /farebox_failing_clients\{route="\/few\/\*",code="PAYMENT_ATTEMPTS_EXCEEDED",kind="network"\} 1/);
      assert.match(metrics, /farebox_diagnostics_total\{route="\/few\/\*",code="PAYMENT_UNVERIFIED"\} \d+/);

      const notices = () =>
        listener.taken.map(({ text }) => JSON.parse(text) as JsonObject).filter((it) => it['type'] === 'payer.threshold');
      const named = () =>
        notices()
          .map((it) => it['data'] as JsonObject)
          .find((data) => data['payer'] !== null);
      await eventually('the notice about the payer comes', () => named() !== undefined);
      const { payer: who, route: at, code, reason, attempts } = named() ?? {};
      assert.deepEqual(
        [who, at, code, reason, attempts],
        [bad.payer.address.toLowerCase(), '/few/*', 'PAYMENT_UNVERIFIED', 'invalid_payload', 3],
      );
      assert.equal(new Set(notices().map((it) => it['id'])).size, notices().length, 'one of each');
    }).finally(() => listener.stop());
  });

  it('the metrics are those that are described, with their labels', async () => {
    const route = { path: '/seen/*', price: '$0.01', max_timeout_secs: 60, origin_timeout_secs: 2 };
    await within({ routes: [route] }, async (world) => {
      const [good, bad, lost] = [new Client(world), new Client(world), new Client(world)];
      world.facilitator.script(bad.payer.address, { verify: refusedVerify('invalid_payload') });
      world.facilitator.script(lost.payer.address, { verify: { kind: 'destroy' } });
      assert.equal((await good.pay('/seen/x')).status, 200);
      for (let turn = 0; turn < 4; turn += 1) await bad.pay('/seen/x');
      await lost.pay('/seen/x');
      const shown = async () => exposedMetrics((await operator(world, 'metrics')).text);
      const described = describedMetrics();
      const labelled = [...described].filter(([, labels]) => labels.length > 0).map(([name]) => name);
      await eventually(
        'each has a series',
        async () => {
          const metrics = await shown();
          return labelled.every((name) => (metrics.get(name) ?? []).length > 0);
        },
        HANDED_MS,
      );
      const sorted = (metrics: ReadonlyMap<string, readonly string[]>) =>
        [...metrics].map(([name, labels]) => [name, [...labels].sort()]).sort();
      assert.deepEqual(sorted(await shown()), sorted(described));
    });
  });

  it('the correlation id goes from the request through answer, diagnostic and log to the operator', () =>
    within({}, async (world) => {
      const client = new Client(world);
      const id = 'trace_0123456789';
      const rows = [client.row, ['x-correlation-id', id]] as const;
      const payment = await client.sign('/after/traced', { identifier: 'pay_0123456789abcdef0123456789abcdef' });
      const forged = await client.sign('/after/traced', { signed: { to: client.payer.address } });
      const refused = await world.gate.raw('GET', '/after/traced', [...rows, forged.row]);
      assert.deepEqual([told(refused).correlationId, jsonOf(refused)['correlation_id'], refused.headers['x-correlation-id']], [id, id, id]);
      const paid = await world.gate.raw('GET', '/after/traced', [...rows, payment.row]);
      expectPaid(paid, payment);
      assert.equal(paid.headers['x-correlation-id'], id);
      const lines = (): number => world.gate.printed.split('\n').filter((line) => line.includes(`"correlation_id":"${id}"`)).length;
      await eventually('both are logged', () => lines() >= 2);
      const receipt = String(world.origin.of('/after/traced')[0]?.headers['farebox-payment']);
      const shown = await world.gate.raw('GET', `/_farebox/receipts/${receipt}`, [
        ['Idempotency-Key', 'pay_0123456789abcdef0123456789abcdef'],
      ]);
      assert.equal(jsonOf(shown)['correlation_id'], id, shown.text);
      assert.equal(lines(), 2, 'once each');
      assert.equal(jsonOf(await operator(world, `payments/${receipt}`))['correlation_id'], id);
    }));
});

async function failures(world: World): Promise<JsonObject[]> {
  const answer = await operator(world, 'failures');
  assert.equal(answer.status, 200, answer.text);
  return jsonOf(answer)['items'] as JsonObject[];
}

function count(items: readonly JsonObject[]): number {
  return Number(items[0]?.['attempts'] ?? 0);
}
