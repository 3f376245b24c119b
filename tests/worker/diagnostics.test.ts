/** What a failing client is told and from when on, and what is never held against anybody. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { diagnosticIn, SCHEMA } from '../support/diagnostic.ts';
import { Client, told, verdict } from './support/client.ts';
import { refusedSettle, refusedVerify } from './support/facilitator.ts';
import { freshPayer, type JsonObject } from './support/payer.ts';
import type { Answer } from './support/raw.ts';
import { expectFreshTerms, expectPaid, expectProblem, jsonOf, openWorld, routes, type World } from './support/world.ts';

const SHORT = { max_timeout_secs: 60, origin_timeout_secs: 2, price: '$0.01' };
/** For how long an answer asks its client to wait. */
const waits = (answer: Answer): string | undefined => answer.headers['retry-after'];
const EXCEEDED = 'PAYMENT_ATTEMPTS_EXCEEDED escalate';
/** More than that is the last second of a second that began in the test. */
const SLACK_SECS = 3;

describe('diagnostics', { concurrency: 4 }, () => {
  let world: World;
  before(async () => {
    world = await openWorld({ routes: routes([{ path: '/twenty/*', diagnostics: { exceeded_after: 20 }, ...SHORT }]) });
  });
  after(() => world.stop());

  //
  it('neighbours behind one address who pay nothing stop nobody: each buys on first contact', async () => {
    const crowd = new Client(world);
    await crowd.askTimes(250, '/after/shared');
    for (let turn = 0; turn < 10; turn += 1) {
      const honest = new Client(world, { address: crowd.row[1] });
      const first = await honest.ask('/after/shared');
      assert.deepEqual(
        [first.status, verdict(first)],
        [402, 'PAYMENT_ATTEMPTS_EXCEEDED'],
        'it speaks of all of them, and escalates nothing',
      );
      assert.equal((await honest.pay('/after/shared')).status, 200);
      await crowd.askTimes(120, '/after/shared');
    }
  });

  it('a payer whose own payments fail as often as the route allows is asked to stop, with how often and since when', async () => {
    const client = new Client(world);
    world.facilitator.script(client.payer.address, { verify: refusedVerify('a reason that is in no vocabulary') });
    const begun = Date.now() / 1000;
    const seen: string[] = [];
    for (let turn = 1; turn < 20; turn += 1) seen.push(verdict(await client.pay('/twenty/own')));
    assert.deepEqual([...new Set(seen.slice(0, 9)), ...new Set(seen.slice(9))], ['silent', 'OPERATOR_ALERT escalate']);
    const twentieth = await client.pay('/twenty/own');
    const { attempts, firstAttempt } = told(twentieth);
    assert.deepEqual([verdict(twentieth), attempts, waits(twentieth)], [EXCEEDED, 20, '30']);
    const first = Date.parse(String(firstAttempt)) / 1000;
    assert.ok(Math.abs(first - begun) < SLACK_SECS, `${firstAttempt} is when the first request came`);
  });

  it('a bad signature escalates at once, and speaks of no history on first contact', async () => {
    const client = new Client(world);
    const first = await client.forge('/after/forged');
    const { reason, attempts, firstAttempt } = told(first);
    assert.deepEqual(
      [verdict(first), reason, attempts, firstAttempt],
      ['PAYMENT_UNVERIFIED escalate', 'signature_invalid', undefined, undefined],
    );
    assert.doesNotMatch(first.text, /attempts in|1 attempt/);
    const second = told(await client.forge('/after/forged'));
    assert.deepEqual([second.attempts, second.firstAttempt], [undefined, undefined], 'whose history it is nobody knows');
  });

  it('a late payment may be tried once more, a second one needs a person, and a success forgets it', async () => {
    const client = new Client(world);
    const late = () => client.pay('/after/late', { validForSecs: -30 });
    const first = await late();
    assert.equal(verdict(first), 'INVOICE_EXPIRED');
    expectFreshTerms(first, 'expired');
    assert.equal(verdict(await late()), 'INVOICE_EXPIRED escalate');
    assert.equal((await client.pay('/after/late')).status, 200);
    assert.equal(verdict(await late()), 'INVOICE_EXPIRED');
  });

  it('a settlement that is refused for want of money says so beside its settlement', async () => {
    const client = new Client(world);
    world.facilitator.script(client.payer.address, { settle: refusedSettle('insufficient_funds') });
    const answer = await client.pay('/before/empty');
    expectProblem(answer, { status: 402, code: 'settlement_refused' });
    assert.equal(verdict(answer), 'WALLET_INSUFFICIENT_FUNDS escalate');
    assert.ok(answer.headers['payment-response']);
  });

  const refusals: readonly (readonly [reason: string, first: string, third: string])[] = [
    ['invalid_exact_evm_payload_signature', 'PAYMENT_UNVERIFIED escalate', 'PAYMENT_UNVERIFIED escalate'],
    ['invalid_payload', 'PAYMENT_UNVERIFIED', 'PAYMENT_UNVERIFIED escalate'],
    ['invalid_network', 'PAYMENT_UNVERIFIED', 'PAYMENT_UNVERIFIED escalate'],
    ['invalid_exact_evm_recipient_mismatch', 'PAYMENT_UNVERIFIED', 'PAYMENT_UNVERIFIED escalate'],
    ['invalid_exact_evm_payload_authorization_valid_after', 'PAYMENT_UNVERIFIED', 'PAYMENT_UNVERIFIED'],
    ['payment_expired', 'INVOICE_EXPIRED', 'INVOICE_EXPIRED escalate'],
    ['a reason that 0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266 made up', 'silent', 'silent'],
  ];
  for (const [reason, first, third] of refusals) {
    it(`a payment refused as ${reason.slice(0, 60)}`, async () => {
      const client = new Client(world);
      world.facilitator.script(client.payer.address, { verify: refusedVerify(reason) });
      const answers = [await client.pay('/after/refused'), await client.pay('/after/refused'), await client.pay('/after/refused')];
      const [one, , three] = answers as [Answer, Answer, Answer];
      assert.deepEqual([verdict(one), verdict(three)], [first, third]);
      for (const answer of answers) expectFreshTerms(answer, 'verify_refused');
      if (first === 'silent') return;
      assert.deepEqual([told(one).reason, told(one).attempts, told(three).attempts], [reason, undefined, 3]);
    });
  }

  it('a payment that was used before is known again: other requests with it, the same one without proof', async () => {
    const client = new Client(world);
    const payment = await client.sign('/after/replayed', { tamper: (message) => delete message['resource'] });
    expectPaid(await client.send('/after/replayed', payment), payment);
    const others = [await client.send('/after/other-one', payment), await client.send('/after/other-two', payment)];
    for (const answer of others) expectProblem(answer, { status: 409, code: 'payment_already_used' });
    assert.deepEqual(others.map(verdict), ['PAYMENT_UNVERIFIED', 'PAYMENT_UNVERIFIED']);
    const again = await client.send('/after/replayed', payment);
    expectProblem(again, { status: 409, code: 'payment_already_delivered' });
    assert.equal(verdict(again), 'silent', 'whoever can read the chain can send it');
  });

  it('whoever lost an answer and asks again is told how to get it, and no more', async () => {
    const client = new Client(world);
    const payment = await client.sign('/after/lost');
    expectPaid(await client.send('/after/lost', payment), payment);
    for (let turn = 0; turn < 4; turn += 1) {
      const answer = await client.send('/after/lost', payment);
      expectProblem(answer, { status: 409, code: 'payment_already_delivered' });
      assert.equal(verdict(answer), 'silent');
    }
  });

  it('payers behind one address have counts of their own', async () => {
    const one = new Client(world);
    const two = new Client(world, { address: one.row[1] });
    for (const { payer } of [one, two]) world.facilitator.script(payer.address, { verify: refusedVerify('invalid_payload') });
    for (let turn = 0; turn < 4; turn += 1) await one.pay('/after/behind');
    assert.deepEqual([told(await one.pay('/after/behind')).attempts, told(await two.pay('/after/behind')).attempts], [5, undefined]);
  });

  //
  it('a thousand payments that name a victim change nothing for him', async () => {
    const [attacker, victim] = [new Client(world), new Client(world)];
    const forged = await attacker.sign('/after/victim', { signed: { from: victim.payer.address } });
    const some = async (): Promise<void> => {
      const connection = await world.gate.connect();
      for (let turn = 0; turn < 125; turn += 1) {
        await connection.send({ method: 'GET', target: '/after/victim', headers: [forged.row, attacker.row] });
      }
      connection.close();
    };
    await Promise.all(Array.from({ length: 8 }, some));
    const last = told(await attacker.send('/after/victim', forged));
    assert.deepEqual([last.code, last.attempts], ['PAYMENT_UNVERIFIED', undefined]);
    assert.equal(verdict(await victim.ask('/after/victim')), 'silent');
    world.facilitator.script(victim.payer.address, { verify: [refusedVerify('invalid_payload'), { kind: 'good' }] });
    assert.equal(told(await victim.pay('/after/victim')).attempts, undefined, 'his first failure');
    assert.equal((await victim.pay('/after/victim')).status, 200);
  });

  it('his payments of before, which everybody can read on the chain, change nothing for him', async () => {
    const [thief, victim] = [new Client(world), new Client(world)];
    const paid = await victim.sign('/after/public', { tamper: (message) => delete message['resource'] });
    expectPaid(await victim.send('/after/public', paid), paid);
    const old = await victim.sign('/after/public', { validForSecs: -4_000 });
    for (let turn = 0; turn < 60; turn += 1) {
      expectProblem(await thief.send(`/after/public-${turn}`, paid), { status: 409, code: 'payment_already_used' });
      expectFreshTerms(await thief.send('/after/public', old), 'expired');
    }
    assert.equal(waits(await thief.ask('/after/public-x')), '30', 'they count for the network that sends them');
    assert.equal(verdict(await victim.ask('/after/public')), 'silent');
    world.facilitator.script(victim.payer.address, { verify: [refusedVerify('invalid_payload'), { kind: 'good' }] });
    const refused = await victim.pay('/after/public');
    assert.deepEqual([verdict(refused), told(refused).attempts], ['PAYMENT_UNVERIFIED', undefined]);
    assert.equal((await victim.pay('/after/public')).status, 200);
  });

  it('a flood from his own address changes nothing for a payer whose signature is good', async () => {
    const flood = new Client(world);
    const victim = new Client(world, { address: flood.row[1] });
    const payment = await victim.sign('/after/flooded');
    await flood.askTimes(300, '/after/flooded');
    for (let turn = 0; turn < 50; turn += 1) await flood.forge('/after/flooded');
    assert.ok(Number(waits(await flood.ask('/after/flooded'))) >= 90);
    world.facilitator.script(victim.payer.address, { verify: [refusedVerify('invalid_payload'), { kind: 'good' }] });
    const refused = await victim.send('/after/flooded', payment);
    assert.deepEqual(
      [verdict(refused), told(refused).attempts, refused.headers['retry-after']],
      ['PAYMENT_UNVERIFIED', undefined, undefined],
    );
    expectPaid(await victim.send('/after/flooded', payment), payment);
  });

  it('whoever echoes a diagnostic of before, changed or not, pays', async () => {
    const client = new Client(world);
    const refused = await client.forge('/twenty/echo');
    assert.equal(verdict(refused), 'PAYMENT_UNVERIFIED escalate');
    for (const change of [(info: JsonObject) => info, (info: JsonObject) => ({ ...info, attempts: 3, code: 'PAYMENT_REQUIRED' })]) {
      const payment = await client.sign('/twenty/echo', {
        tamper: (message) => {
          message['extensions'] = { diagnostic: { info: change(told(refused) as unknown as JsonObject), schema: {} } };
        },
      });
      expectPaid(await client.send('/twenty/echo', payment), payment);
    }
  });

  it('a browser reads it in the header', async () => {
    const client = new Client(world);
    const forged = await client.sign('/twenty/page', { signed: { to: client.payer.address } });
    const rows = [client.row, forged.row, ['Accept', 'text/html'], ['User-Agent', 'Mozilla/5.0']] as const;
    const page = await world.gate.raw('GET', '/twenty/page', rows);
    assert.match(page.headers['content-type'] ?? '', /^text\/html/);
    assert.equal(diagnosticIn(page)?.code, 'PAYMENT_UNVERIFIED');
  });

  it('the schema is served to everybody', async () => {
    const answer = await world.gate.raw('GET', '/_farebox/schemas/diagnostic.json');
    assert.equal(answer.status, 200);
    assert.deepEqual(jsonOf(answer), SCHEMA);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.equal((await world.gate.raw('GET', '/_farebox/schemas/other.json')).status, 404);
  });

  it('no text identifies the client', async () => {
    const payer = freshPayer();
    const client = new Client(world, { payer, address: '203.0.113.77' });
    const canary: readonly [string, string] = ['X-Canary', 'canary-of-a-header'];
    const payment = await client.sign('/twenty/texts');
    for (let turn = 0; turn < 25; turn += 1) {
      const rows = [canary, client.row, ...(turn % 2 === 0 ? [payment.row] : [])];
      const answer = await world.gate.raw('GET', turn === 0 ? '/after/texts' : '/twenty/texts', rows);
      const diagnostic = diagnosticIn(answer);
      if (diagnostic === undefined) continue;
      for (const part of [payer.address.slice(2), '203.0.113', canary[1], payment.signature.slice(2, 20)]) {
        assert.ok(!JSON.stringify(diagnostic).toLowerCase().includes(part.toLowerCase()), `${part} in ${JSON.stringify(diagnostic)}`);
      }
    }
  });
});
