/** At the settings of a fresh deployment: what clients hear that prove nothing, who is counted alone, and which payments use up places. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { diagnosticIn } from '../support/diagnostic.ts';
import { Client, told, verdict } from './support/client.ts';
import { refusedVerify } from './support/facilitator.ts';
import type { JsonObject } from './support/payer.ts';
import type { Answer, HeaderRow } from './support/raw.ts';
import { expectPaid, openWorld, type World } from './support/world.ts';

const ABOUT = 'clients with this User-Agent at this address';
const waits = (answer: Answer): string | undefined => answer.headers['retry-after'];
const handleIn = (answer: Answer): string => String((diagnosticIn(answer) as unknown as { handle?: string }).handle);

describe('clients that prove nothing', { concurrency: 3 }, () => {
  let world: World;
  before(async () => {
    world = await openWorld({});
  });
  after(() => world.stop());

  /** Asks so often on one connection. */
  async function ask(times: number, path: string, rows: readonly HeaderRow[]): Promise<Answer[]> {
    const connection = await world.gate.connect();
    try {
      const answers: Answer[] = [];
      for (let turn = 0; turn < times; turn += 1) answers.push(await connection.send({ method: 'GET', target: path, headers: rows }));
      return answers;
    } finally {
      connection.close();
    }
  }

  //
  it('of 120 unpaid requests the hundredth is the first that is told so, with how often, since when and whom it is about', async () => {
    const rows = [new Client(world).row, ['User-Agent', 'broken-agent/1']] as const;
    const answers = await ask(120, '/after/broken', rows);
    assert.deepEqual(new Set(answers.slice(0, 99).map(verdict)), new Set(['silent']));
    assert.deepEqual(new Set(answers.slice(99).map(verdict)), new Set(['PAYMENT_ATTEMPTS_EXCEEDED']));
    const { message, attempts, firstAttempt } = told(answers[99] as Answer);
    assert.match(String(message), new RegExp(`${ABOUT}: 100 requests in \\d+ (seconds?|minutes?) and no success`));
    assert.deepEqual([attempts, firstAttempt], [undefined, undefined]);
    const other = await ask(1, '/after/broken', [rows[0], ['User-Agent', 'another-agent/1']]);
    assert.equal(verdict(other[0] as Answer), 'silent', 'another program at this address');
  });

  //
  it('of 104 payments whose signature is wrong the hundredth says how many there were, and none is asked to wait', async () => {
    const client = new Client(world);
    const other = new Client(world).payer.address;
    const forged = await new Client(world).sign('/after/wrong', {
      tamper: (message) => {
        (message['payload'] as { authorization: JsonObject }).authorization['from'] = other;
      },
    });
    const answers = await ask(104, '/after/wrong', [client.row, forged.row]);
    assert.deepEqual(new Set(answers.map(verdict)), new Set(['PAYMENT_UNVERIFIED escalate']));
    assert.doesNotMatch(told(answers[98] as Answer).message, /requests in/);
    assert.match(told(answers[99] as Answer).message, new RegExp(`${ABOUT}: 100 requests in`));
    assert.deepEqual(new Set(answers.map((answer) => told(answer).attempts)), new Set([undefined]));
    assert.deepEqual(new Set(answers.map(waits)), new Set([undefined]));
  });

  it('a client that shows its handle hears of its own hundred requests only, and a success begins them anew', async () => {
    const client = new Client(world);
    const agent: HeaderRow = ['User-Agent', 'careful-agent/1'];
    const answers = await ask(100, '/after/alone', [client.row, agent]);
    const handle: HeaderRow = ['Farebox-Handle', handleIn(answers[99] as Answer)];
    const own = [client.row, agent, handle] as const;
    const begun = Date.now();
    const alone = await ask(100, '/after/alone', own);
    assert.deepEqual(new Set(alone.slice(0, 99).map(verdict)), new Set(['silent']));
    const last = told(alone[99] as Answer);
    assert.deepEqual([last.code, last.escalate, last.attempts], ['PAYMENT_ATTEMPTS_EXCEEDED', true, 100]);
    assert.ok(Math.abs(Date.parse(String(last.firstAttempt)) - begun) < 3_000, `${last.firstAttempt}`);
    const stranger = await ask(60, '/after/alone', [client.row, ['Farebox-Handle', `${handle[1].slice(0, -1)}_`]]);
    assert.deepEqual(new Set(stranger.map(verdict)), new Set(['silent']));
    const payment = await client.sign('/after/alone');
    expectPaid(await world.gate.raw('GET', '/after/alone', [...own, payment.row]), payment);
    assert.equal(world.origin.of('/after/alone')[0]?.headers['farebox-handle'], undefined, 'the origin has no use for it');
    assert.equal(verdict((await ask(1, '/after/alone', own))[0] as Answer), 'silent');
  });

  it('a payer whose 120 payments the facilitator refuses gets terms each time and is asked to stop, and then pays', async () => {
    const client = new Client(world);
    world.facilitator.script(client.payer.address, {
      verify: [...Array.from({ length: 120 }, () => refusedVerify('a reason that is in no vocabulary')), { kind: 'good' }],
    });
    const answers: Answer[] = [];
    for (let turn = 0; turn < 120; turn += 1) answers.push(await client.pay('/after/refused-often'));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([402]));
    const last = told(answers[119] as Answer);
    assert.deepEqual([last.code, last.escalate, last.attempts], ['PAYMENT_ATTEMPTS_EXCEEDED', true, 120]);
    assert.equal((await client.pay('/after/refused-often')).status, 200);
  });
});
