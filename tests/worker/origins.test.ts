/**
 * An origin that is no URL: the Worker bound as `ORIGIN`, or the server behind a zone route, which is simulated by the
 * service that all of workerd's outgoing requests go to. And requests that come back to the gate.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { faults } from './support/faults.ts';
import type { OriginCall } from './support/origin.ts';
import { settlementOf } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import {
  eventually,
  expectCalls,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  openWorld,
  ordinaryCalls,
  payFor,
  send,
  type World,
} from './support/world.ts';

/** Whether the answer tells the id: the second is not plain enough for what the Worker forwards by itself. */
const FREE = [
  ['/free/plain?a=1', false],
  ['/free/caf%C3%A9;x?a=1', true],
] as const;
/** What the clients of these tests ask for. */
const HOST = 'http://shop.example';
const MARK = /^[a-z2-7]{26}$/;

for (const kind of ['bound', 'zone'] as const) {
  describe(`an origin that is ${kind}`, { concurrency: 4 }, () => {
    let world: World;
    before(async () => {
      world = await openWorld({ origin: kind });
    });
    after(() => world.stop());

    for (const [target, isTold] of FREE) {
      it(`is asked for the URL that the client asked for: ${target}`, async () => {
        const forged: readonly HeaderRow[] = target.includes('%') ? [['Farebox-Loop', 'forged']] : [];
        const answer = await world.gate.raw('POST', target, [['Content-Type', 'text/plain'], ...forged], 'a body');
        assert.equal(answer.status, 200, answer.text);
        const call = only(world, target);
        assert.equal(call.headers['x-url-asked'], HOST + target);
        assert.deepEqual([call.method, call.bodyBytes], ['POST', 6]);
        assert.match(call.headers['farebox-loop'] ?? '', MARK);
        assert.match(call.headers['x-correlation-id'] ?? '', /^[\w-]{8,64}$/);
        assert.equal('x-correlation-id' in answer.headers, isTold);
        assert.equal(answer.headers['x-correlation-id'] === call.headers['x-correlation-id'], isTold);
      });

      it(`is asked for what a GET with a body asks for: ${target}`, async () => {
        const path = target.replace('?a=1', '-read');
        for (const body of ['', 'a body']) {
          const answer = await world.gate.raw('GET', path, body === '' ? [['Content-Length', '0']] : [], body || undefined);
          assert.equal(answer.status, 200, answer.text);
        }
        assert.deepEqual(
          world.origin.of(path).map(({ bodyBytes }) => bodyBytes),
          [0, 0],
        );
      });

      it(`says its redirects as they are: ${target}`, async () => {
        const from = `/moved${target}`;
        for (const location of [`${HOST}/there`, '/there', 'https://elsewhere.example/there']) {
          world.origin.script(from.split('?')[0] ?? '', { status: 302, headers: { Location: location }, body: '' });
          const answer = await world.gate.raw('GET', from);
          assert.deepEqual([answer.status, answer.headers['location']], [302, location]);
        }
      });
    }

    for (const mode of MODES) {
      it(`serves what is paid for (${mode})`, async () => {
        const path = `/${mode}/served`;
        const payment = await payFor(world, path);
        const answer = await send(world, path, payment);
        expectPaid(answer, payment);
        const call = only(world, path);
        assert.equal(call.headers['x-url-asked'], HOST + path);
        assert.equal(call.headers['farebox-payer']?.toLowerCase(), payment.payer.toLowerCase());
        assert.match(call.headers['farebox-loop'] ?? '', MARK);
        expectCalls(world, payment.payer, path, ordinaryCalls(mode));
      });

      it(`streams (${mode})`, async () => {
        const path = `/${mode}/streams`;
        const payment = await payFor(world, path);
        const body = ['data: one\n\n', 'data: two\n\n', 'data: three\n\n'];
        world.origin.script(path, { headers: { 'Content-Type': 'text/event-stream' }, body, everyMs: 300 });
        const answer = await send(world, path, payment);
        expectPaid(answer, payment);
        assert.equal(answer.text, body.join(''));
        expectCalls(world, payment.payer, path, ordinaryCalls(mode));
        await eventually(
          'the payment counts as delivered',
          async () => codeOf(await send(world, path, payment)) === 'payment_already_delivered',
        );
      });
    }

    for (const [what, fault] of Object.entries(faults)) {
      it(`with ${what} is not charged in after mode, and owed in before mode`, async () => {
        const slug = what.replaceAll(' ', '-');
        await Promise.all(
          MODES.map(async (mode) => {
            const path = `/${mode}/origin-${slug}`;
            const payment = await payFor(world, path);
            world.origin.script(path, fault.reply);
            const answer = await send(world, path, payment);
            await expectFailed(world, mode, path, payment, answer, fault);
          }),
        );
      });
    }

    for (const [name, status] of [
      ['worker-throws', 502],
      ['worker-hangs', 504],
    ] as const) {
      it(`that is a Worker which ${name.slice(7)} is not charged in after mode, and owed in before mode`, async () => {
        await Promise.all(
          MODES.map(async (mode) => {
            const path = `/${mode}/${name}`;
            const payment = await payFor(world, path);
            const answer = await send(world, path, payment);
            assert.equal(world.origin.of(path).length, 0);
            await expectFailed(world, mode, path, payment, answer, { after: status, before: status });
          }),
        );
      });
    }

    it('that fails on a free path is said to have failed', async () => {
      for (const path of ['/free/worker-throws', '/caf%C3%A9/worker-throws']) {
        const answer = await world.gate.raw('GET', path);
        expectProblem(answer, { status: 502, code: 'origin_failed' });
        // The origin may have paid before it failed.
        assert.ok(!String(jsonOf(answer)['detail']).includes('charged'), answer.body.toString());
      }
    });
  });
}

const looping = {
  'a Worker bound as the origin': { origin: 'bound' },
  "the zone's server": { origin: 'zone' },
  ORIGIN_URL: { origin: 'zone', vars: { ORIGIN_URL: 'https://origin.example' } },
} as const;

describe('a request that comes back', { concurrency: 3 }, () => {
  for (const [what, options] of Object.entries(looping)) {
    //
    it(`from ${what} is refused, and not forwarded again`, async () => {
      const world = await openWorld({ ...options, probe: true });
      try {
        for (const path of ['/free/comes-back', '/caf%C3%A9/comes-back']) {
          await world.gate.ledger('ok');
          expectLoop(await world.gate.raw('GET', path));
          if (options.origin === 'zone') assert.equal((await world.gate.ledger()).fetched.length, 1, path);
        }
        const payment = await payFor(world, '/after/comes-back');
        expectLoop(await send(world, '/after/comes-back', payment));
        assert.equal(world.facilitator.of('settle').length, 0, 'nothing is charged');
        const before = await payFor(world, '/before/comes-back');
        expectProblem(await send(world, '/before/comes-back', before), { status: 502, code: 'refund_due' });
        assert.equal(world.origin.calls.length, 0);
      } finally {
        await world.stop();
      }
    });
  }
});

function expectLoop(answer: Answer): void {
  assert.equal(answer.status, 508, answer.text.slice(0, 300));
  assert.equal(codeOf(answer), 'loop_detected');
  assert.equal(jsonOf(answer)['retryable'], false);
  assert.match(answer.headers['cache-control'] ?? '', /no-store/);
}

async function expectFailed(
  world: World,
  mode: 'after' | 'before',
  path: string,
  payment: Awaited<ReturnType<typeof payFor>>,
  answer: Answer,
  fault: { readonly after: number; readonly before: number },
): Promise<void> {
  assert.equal(answer.status, fault[mode], `${path}: ${answer.text.slice(0, 300)}`);
  assert.ok(!answer.text.includes('half'), 'no part of a failed body');
  const charged = mode === 'before';
  assert.equal(settlementOf(answer)?.['success'], charged ? true : undefined);
  expectProblem(await send(world, path, payment), { status: 409, code: charged ? 'refund_due' : 'origin_failed' });
  assert.equal(world.facilitator.of('settle', payment.payer).length, charged ? 1 : 0);
}

function codeOf(answer: Answer): unknown {
  return jsonOf(answer)['code'];
}

/** The one request that came for a path. */
function only(world: World, target: string): OriginCall {
  const calls = world.origin.calls.filter((call) => call.target === target);
  assert.equal(calls.length, 1);
  return calls[0] as OriginCall;
}
