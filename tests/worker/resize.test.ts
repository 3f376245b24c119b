/**
 * The number of ledger objects changes while payers pay: nothing is charged, asked for or delivered twice.
 *
 * `"new,old"` is written until no authorization from before the change is valid any more. So after the bare number
 * only payments of the time since then are sent again, and older ones once they have expired.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import { codeOf, Load, type Sent } from './support/load.ts';
import type { Answer } from './support/raw.ts';
import {
  begin,
  type Calls,
  callsOf,
  eventually,
  expectCalls,
  expectFreshTerms,
  expectPaid,
  expectProblem,
  jsonOf,
  MODES,
  type Mode,
  openWorld,
  ordinaryCalls,
  payFor,
  QUICK,
  send,
  type World,
} from './support/world.ts';

/** Long enough to be taken, and over soon after the new number came. */
const SHORT_SECS = 25;
/** Settle calls of a payment whose first one hangs. */
const AGAIN = 2;

describe('a change of the number of ledger objects', { concurrency: 2 }, () => {
  //
  it('under load charges, asks and delivers once: 16, then 64, then 16 again', async () => {
    const persist = mkdtempSync(join(tmpdir(), 'farebox-resize-'));
    const world = await openWorld({ persist, vars: { LEDGER_SHARDS: '16', RECOVERY: { ...QUICK, settle_secs: 4 } } });
    try {
      const load = new Load(world, 'before');
      const held: Held[] = [];
      const change = (phase: string, shards: string) => async (): Promise<void> => {
        held.push(...(await hold(world, load)));
        await world.gate.restart('kill', { vars: { LEDGER_SHARDS: shards } });
        load.phase = phase;
      };
      const short = await Promise.all(MODES.map((mode) => load.sign(mode, { validForSecs: SHORT_SECS })));
      await Promise.all(short.map((sent) => load.send(sent, 2)));

      await load.during(change('growing', '64,16'));
      await load.again(() => true);
      expectEnds(world, held.splice(0));
      load.expectOnce();

      await load.during(change('grown', '64'));
      await load.again(({ phase, cut }) => phase === 'growing' && !cut);
      await Promise.all(short.map((sent) => expectExpired(world, sent)));

      await load.during(change('shrinking', '16,64'));
      await load.again(({ phase }) => phase !== 'before');
      expectEnds(world, held.splice(0));
      load.expectOnce();

      await load.during(change('shrunk', '16'));
      await load.again(({ phase }) => phase === 'shrinking' || phase === 'shrunk');
      expectEnds(world, held.splice(0));
      load.expectOnce();

      await world.gate.stop();
      load.expectOneRowEach();
    } finally {
      await world.stop();
      rmSync(persist, { recursive: true, force: true });
    }
  });

  for (const [from, to] of [
    ['16', '64,16'],
    ['64,16', '64+16'],
    ['64+16', '64'],
    ['64,16', '64'],
    ['64', '16,64'],
    ['16,64', '16'],
  ] as const) {
    it(`Workers of both numbers, ${from} and ${to}, share one payment while the change is rolled out`, async () => {
      // Time enough on a busy machine, where a settle call that takes too long is made again.
      const RECOVERY = { ...QUICK, settle_secs: 10 };
      const world = await openWorld({ vars: { LEDGER_SHARDS: from, RECOVERY }, beside: { LEDGER_SHARDS: to } });
      try {
        await Promise.all(Array.from({ length: 8 }, (_, i) => expectShared(world, i % 2 === 0 ? 'after' : 'before', i)));
      } finally {
        await world.stop();
      }
    });
  }

  it('a payment that the new number has begun is not begun by a Worker of the old one, also after a restart', async () => {
    const world = await openWorld({ vars: { LEDGER_SHARDS: '16' }, beside: { LEDGER_SHARDS: '64,16' } });
    try {
      for (const mode of MODES) {
        const path = `/${mode}/moved`;
        const payment = await payFor(world, path);
        expectPaid(await sendBeside(world, path, payment), payment);
        expectProblem(await send(world, path, payment), { status: 409, code: 'payment_in_progress', retryAfter: 2 });
        await world.gate.restart('kill');
        expectProblem(await send(world, path, payment), { status: 409, code: 'payment_in_progress', retryAfter: 2 });
        expectProblem(await sendBeside(world, path, payment), { status: 409, code: 'payment_already_delivered' });
        expectCalls(world, payment.payer, path, ordinaryCalls(mode));
      }
    } finally {
      await world.stop();
    }
  });
});

/** A payment that a change finds at work, the end that it has to come to, and the calls until then. */
type Held = { readonly sent: Sent; readonly end: string; readonly calls: Calls };

/** Begins payments that wait for the origin or for the settlement, and will for good. */
async function hold(world: World, load: Load): Promise<Held[]> {
  const begun = MODES.flatMap((mode) => [holdAtOrigin(world, load, mode), holdAtSettle(world, load, mode)]);
  return Promise.all(begun);
}

async function holdAtOrigin(world: World, load: Load, mode: Mode): Promise<Held> {
  const sent = await load.sign(mode);
  world.origin.script(sent.target, { then: 'hang' });
  sent.cut = true;
  begin(load.send(sent));
  await eventually('the origin is asked', () => world.origin.of(sent.target).length === 1);
  return mode === 'after'
    ? { sent, end: 'origin_failed', calls: { verify: 1, settle: 0, origin: 1 } }
    : { sent, end: 'refund_due', calls: { verify: 0, settle: 1, origin: 1 } };
}

async function holdAtSettle(world: World, load: Load, mode: Mode): Promise<Held> {
  const sent = await load.sign(mode, { identifier: 'held-0123456789abcdef0123456789' });
  world.facilitator.script(sent.payment.payer, { settle: [{ kind: 'hang' }, { kind: 'good' }] });
  sent.cut = true;
  begin(load.send(sent));
  await eventually('settle is asked', () => world.facilitator.of('settle', sent.payment.payer).length > 0);
  return { sent, end: '', calls: { ...ordinaryCalls(mode), settle: AGAIN } };
}

function expectEnds(world: World, held: readonly Held[]): void {
  for (const { sent, end, calls } of held) {
    const last = sent.answers.at(-1);
    assert.ok(last, sent.target);
    assert.equal(codeOf(last), end, sent.target);
    const { settle, ...others } = callsOf(world, sent.payment.payer, sent.target);
    const { settle: least, ...expected } = calls;
    assert.deepEqual(others, expected, sent.target);
    // The kill may hit a second call too. `expectOnce` holds that each sends the same bytes.
    const most = least === AGAIN ? AGAIN + 1 : least;
    assert.ok(settle >= least && settle <= most, `settle ${settle} for ${sent.target}`);
  }
}

/** Under the bare new number a payment of before is unknown; it cannot be charged because it is not taken any more. */
async function expectExpired(world: World, { target, payment }: Sent): Promise<void> {
  const before = callsOf(world, payment.payer, target);
  const last = Number(
    (JSON.parse(payment.json) as { payload: { authorization: { validBefore: string } } }).payload.authorization.validBefore,
  );
  await eventually('the authorization has ended', () => Date.now() / 1000 > last);
  expectFreshTerms(await send(world, target, payment), 'expired');
  expectCalls(world, payment.payer, target, before);
}

/** Sends one payment to Workers of both numbers at once, twice each; exactly one answer delivers. */
async function expectShared(world: World, mode: Mode, number: number): Promise<void> {
  const path = `/${mode}/shared-${number}`;
  const payment = await payFor(world, path);
  world.origin.script(path, { delayMs: 100 });
  const both = [send, sendBeside];
  const order = number < 4 ? both : both.toReversed();
  const answers = await Promise.all([...order, ...order].map((to) => to(world, path, payment)));
  answers.push(await sendBeside(world, path, payment), await send(world, path, payment));
  const delivered = answers.filter((answer) => answer.status === 200);
  assert.equal(delivered.length, 1, answers.map((answer) => answer.status).join(' '));
  for (const answer of answers) {
    if (answer.status === 200) expectPaid(answer, payment);
    else assert.ok(['payment_in_progress', 'payment_already_delivered'].includes(String(jsonOf(answer)['code'])), answer.text);
  }
  expectCalls(world, payment.payer, path, ordinaryCalls(mode));
}

function sendBeside(world: World, path: string, payment: Sent['payment']): Promise<Answer> {
  return send(world, path, payment, { at: world.gate.besideUrl });
}
