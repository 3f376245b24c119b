/** Notices to the operator: one id however often they are tried, signed, written with the transition. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ask, Listener, loseAlarms, PURGE_NOW, plant, rowsOf, type Taken } from './support/operator.ts';
import { freshPayer, type JsonObject, type Payer } from './support/payer.ts';
import { eventually, expectPaid, expectProblem, jsonOf, nextNumber, openWorld, PAY_TO, payFor, send, type World } from './support/world.ts';

const SECRET = 'webhook-secret-of-the-test-suite-0123';

describe('webhook', () => {
  let world: World;
  let listener: Listener;
  /** How often the next notice of a payment fails. */
  const failures = new Map<string, number>();
  const persist = mkdtempSync(join(tmpdir(), 'farebox-webhook-'));

  before(async () => {
    listener = await Listener.start((body) => {
      const { id } = (JSON.parse(body) as { data: { id: string } }).data;
      const left = failures.get(id) ?? failures.get('any') ?? 0;
      failures.set(id, left - 1);
      return [left > 0 ? 500 : 204, ''];
    });
    const recovery = { settle_secs: 2, resend_secs: [1], chain_secs: [1, 1], refund_secs: 5, manual_secs: 2000 };
    world = await openWorld({
      persist,
      vars: { WEBHOOK_URL: `${listener.url}/hook?key=1`, RECOVERY: recovery },
      secrets: { WEBHOOK_SECRET: SECRET },
    });
  });
  after(async () => {
    await world.stop();
    await listener.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  const about = (id: string): Taken[] => listener.taken.filter(({ text }) => text.includes(id));

  /** A payment that was settled and not delivered; its id. */
  async function owed(): Promise<string> {
    const target = `/before/owed-${nextNumber()}`;
    world.origin.script(target, { status: 500 });
    const answer = await send(world, target, await payFor(world, target));
    assert.equal(jsonOf(answer)['code'], 'refund_due', answer.text);
    return String(jsonOf(answer)['payment']);
  }

  function expectSigned({ headers, text, target }: Taken): JsonObject {
    assert.equal(target, '/hook?key=1');
    const [, at = '', mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['farebox-signature'])) ?? [];
    assert.equal(mac, createHmac('sha256', SECRET).update(`${at}.${text}`).digest('hex'));
    assert.ok(Math.abs(Number(at) - Date.now() / 1000) < 60);
    const notice = JSON.parse(text) as JsonObject;
    assert.deepEqual(Object.keys(notice).sort(), ['at', 'data', 'id', 'type']);
    return notice;
  }

  it('a refund that is due is told once', async () => {
    const id = await owed();
    await eventually('the notice', () => about(id).length > 0);
    const notice = expectSigned(about(id)[0] as Taken);
    assert.equal(notice['type'], 'payment.refund_due');
    const data = notice['data'] as JsonObject;
    assert.equal(data['id'], id);
    assert.equal(data['amount'], '10000');
    assert.equal(data['reason'], 'origin');
    assert.match(String(data['transaction']), /^0x[0-9a-f]{64}$/);
    // A later notice is sent by the same alarm, so that a second one of this payment would have come before.
    const later = await owed();
    await eventually('the later notice', () => about(later).length > 0);
    assert.equal(about(id).length, 1);
  });

  it('a notice that is not taken comes again with the same id and text', async () => {
    failures.set('any', 1);
    const id = await owed();
    await eventually('two tries', () => about(id).length >= 2);
    failures.delete('any');
    const [first, second] = about(id) as [Taken, Taken];
    assert.equal(second.text, first.text);
    assert.deepEqual(expectSigned(second), expectSigned(first));
    assert.ok(second.atMs - first.atMs > 1_000, 'not at once');
  });

  it('an outcome that stays unknown is told after ten minutes, once, and so is a review', async () => {
    const target = `/after/unknown-${nextNumber()}`;
    const payment = await payFor(world, target);
    world.facilitator.script(payment.payer, { settle: { kind: 'destroy' } });
    expectProblem(await send(world, target, payment), { status: 503, code: 'settlement_unknown', retryAfter: 5 });
    const id = String((await rowsOf(world, payment.payer))[0]?.['id']);
    const age = async (secs: number): Promise<void> => {
      await world.gate.stop();
      const statement = "UPDATE payments SET since = since - ? WHERE receipt = ? AND state = 'unknown'";
      assert.equal(plant(world.gate, statement, secs, id), 1);
      await world.gate.restart();
      await rowsOf(world, payment.payer);
    };
    // A notice that was taken just before an end of the object comes again, with the same id.
    const told = (type: string): Set<unknown> => {
      const notices = about(id)
        .map(expectSigned)
        .filter((notice) => notice['type'] === type);
      return new Set(notices.map((notice) => notice['id']));
    };
    await age(700);
    await eventually('the notice', () => told('payment.unknown_overdue').size > 0);
    await world.gate.restart();
    await rowsOf(world, payment.payer);
    await age(2000);
    // A re-send that an end of the object has cut holds the row until its lease is over.
    await eventually('the review', () => told('payment.manual').size > 0);
    // The row was made older twice, so that its doubt began at two times; the restart between them told nothing new.
    await eventually('both notices', () => told('payment.unknown_overdue').size >= 2);
    assert.deepEqual([told('payment.unknown_overdue').size, told('payment.manual').size], [2, 1]);
  });
});

describe('webhook for people', () => {
  let world: World;
  let listener: Listener;
  const persist = mkdtempSync(join(tmpdir(), 'farebox-slack-'));
  let refused = 1;
  before(async () => {
    // As Slack answers: `ok`, or an error as a word.
    listener = await Listener.start(() => ((refused -= 1) >= 0 ? [429, 'rate_limited'] : [200, 'ok']));
    world = await openWorld({
      persist,
      vars: {
        WEBHOOK_URL: `${listener.url}/services/T0/B0/key`,
        WEBHOOK_FORM: 'slack',
        WEBHOOK_GATE_URL: 'https://api.example.com',
        RECOVERY: { settle_secs: 2, resend_secs: [1], chain_secs: [1, 1], refund_secs: 5, manual_secs: 2000 },
      },
    });
  });
  after(async () => {
    await world.stop();
    await listener.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  it('gets a sentence with the money and a link, without a signature, and again until it is taken', async () => {
    const target = `/before/told-${nextNumber()}`;
    world.origin.script(target, { status: 500 });
    const payment = await payFor(world, target);
    const answer = await send(world, target, payment);
    assert.equal(jsonOf(answer)['code'], 'refund_due', answer.text);
    const id = String(jsonOf(answer)['payment']);
    await eventually('two tries', () => listener.taken.length >= 2);
    const [first, second] = listener.taken as [Taken, Taken];
    assert.deepEqual([second.text, second.target], [first.text, '/services/T0/B0/key']);
    assert.ok(second.atMs - first.atMs > 1_000, 'not at once');
    assert.deepEqual([first.headers['content-type'], first.headers['farebox-signature']], ['application/json', undefined]);
    const sentence = `Wallet \`${PAY_TO}\` owes \`0.01 USDC\` on \`Base Sepolia\` to \`${payment.payer.toLowerCase()}\` for payment \`${id}\` of \`/before/*\` (\`origin\`): if it is yours, refund or waive it at https://api.example.com/_farebox/desk/#payment?id=${id}`;
    assert.deepEqual(JSON.parse(first.text), { text: sentence });
    // What was taken is not sent again: a later notice of the same alarm comes alone.
    const later = await payFor(world, target);
    world.origin.script(target, { status: 500 });
    const owed = String(jsonOf(await send(world, target, later))['payment']);
    await eventually('the later notice', () => listener.taken.some(({ text }) => text.includes(owed)));
    assert.equal(listener.taken.filter(({ text }) => text.includes(id)).length, 2);
  });
});

describe('purge', () => {
  let world: World;
  const persist = mkdtempSync(join(tmpdir(), 'farebox-purge-'));
  const secret = [['Idempotency-Key', 'p'.repeat(30)]] as const;
  before(async () => {
    world = await openWorld({ persist, vars: { KEEP_RESPONSES_HOURS: 1, KEEP_PAYMENTS_DAYS: 1 } });
  });
  after(async () => {
    await world.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  // I-12
  it('removes what is old and at rest, and nothing else', async () => {
    const targets = ['response', 'row', 'valid', 'owed', 'young', 'unsent', 'unfetched', 'forgotten'] as const;
    const paid = new Map<string, { id: string; target: string; payment: Awaited<ReturnType<typeof payFor>> }>();
    for (const name of targets) {
      const target = `/${name === 'owed' ? 'before' : 'after'}/purge-${name}`;
      if (name === 'owed') world.origin.script(target, { status: 500 });
      const payment = await payFor(world, target);
      const answer = await send(world, target, payment, { headers: secret });
      assert.equal(answer.status, name === 'owed' ? 502 : 200, answer.text);
      paid.set(name, { id: String((await rowsOf(world, payment.payer))[0]?.['id']), target, payment });
    }
    const of = (name: string): { id: string; target: string; payment: Awaited<ReturnType<typeof payFor>> } => {
      const found = paid.get(name);
      assert.ok(found);
      return found;
    };
    await world.gate.stop();
    const day = 86_400;
    const age = (name: string, updated: number, validBefore: number): void => {
      const statement = 'UPDATE payments SET updated = updated - ?, valid_before = valid_before - ? WHERE receipt = ?';
      assert.equal(plant(world.gate, statement, updated, validBefore, of(name).id), 1);
    };
    age('response', 2 * 3600, 0);
    age('row', 2 * day, 2 * day);
    age('valid', 2 * day, 0);
    age('owed', 2 * day, 2 * day);
    age('unsent', 2 * 3600, 0);
    age('unfetched', 2 * 3600, 2 * 3600);
    // As a version before this one has left it.
    age('forgotten', 20 * day, 20 * day);
    for (const name of ['unsent', 'unfetched', 'forgotten'])
      assert.equal(plant(world.gate, 'UPDATE payments SET handed = 0 WHERE receipt = ?', of(name).id), 1);
    assert.ok(plant(world.gate, PURGE_NOW) > 0);
    await world.gate.restart();
    const rows = async (name: string): Promise<number> => (await rowsOf(world, of(name).payment.payer)).length;
    await eventually('the old row is gone', async () => (await rows('row')) === 0);
    for (const name of ['response', 'valid', 'owed', 'young', 'unsent', 'unfetched', 'forgotten']) assert.equal(await rows(name), 1, name);
    const again = (name: string): ReturnType<typeof send> => send(world, of(name).target, of(name).payment, { headers: secret });
    await eventually('the old response is gone', async () => jsonOf(await again('response'))['code'] === 'payment_already_delivered');
    const young = await again('young');
    assert.equal(young.status, 200, young.text);
    assert.equal(young.headers['payment-replayed'], 'true');
    // What nobody has received is owed once it can be fetched no more.
    for (const name of ['unfetched', 'forgotten']) {
      const [row] = await rowsOf(world, of(name).payment.payer);
      assert.deepEqual([row?.['state'], row?.['reason']], ['refund_due', 'not_fetched'], name);
      expectProblem(await again(name), { status: 409, code: 'refund_due' });
    }
    // Until then it stays, and nothing says that it was served.
    const receipt = (): ReturnType<typeof world.gate.raw> => world.gate.raw('GET', `/_farebox/receipts/${of('unsent').id}`, secret);
    expectProblem(await receipt(), { status: 409, code: 'payment_in_progress', retryAfter: 2 });
    const unsent = await again('unsent');
    assert.deepEqual([unsent.status, unsent.headers['payment-replayed']], [200, 'true'], unsent.text);
    assert.equal((await receipt()).status, 200);
  });

  it('forgets where a payment was begun under a new number of objects once it has expired', async () => {
    await world.gate.restart('dispose', { vars: { LEDGER_SHARDS: '2,1' } });
    const payers = [freshPayer(), freshPayer()];
    const target = '/after/purge-moved';
    const payOnce = async (payer: Payer): Promise<void> => {
      const payment = await payFor(world, target, { payer });
      expectPaid(await send(world, target, payment), payment);
    };
    for (const payer of payers) await payOnce(payer);
    const marked = (statement: string): number => plant(world.gate, statement, String(payers[0]?.address.toLowerCase()));
    await world.gate.stop();
    assert.equal(plant(world.gate, 'SELECT key FROM moved'), 2);
    assert.equal(marked('UPDATE moved SET until = until - 100000 WHERE payer = ?'), 1);
    await eventually('the old mark is gone', async () => {
      plant(world.gate, PURGE_NOW);
      await world.gate.restart();
      await payOnce(freshPayer());
      await world.gate.stop();
      return marked('SELECT key FROM moved WHERE payer = ?') === 0;
    });
    assert.ok(plant(world.gate, 'SELECT key FROM moved') >= 2, 'the others stay');
  });
});

describe('the room of a ledger object', () => {
  let world: World;
  let listener: Listener;
  const persist = mkdtempSync(join(tmpdir(), 'farebox-room-'));
  before(async () => {
    listener = await Listener.start(() => [204, '']);
    world = await openWorld({
      persist,
      vars: { WEBHOOK_URL: `${listener.url}/hook`, LEDGER_SHARDS: 1, LEDGER_MAX_MB: 1 },
      secrets: { WEBHOOK_SECRET: SECRET },
    });
  });
  after(async () => {
    await world.stop();
    await listener.stop();
    rmSync(persist, { recursive: true, force: true });
  });

  const metric = async (name: string): Promise<number> => {
    const { text } = await ask(world, 'metrics');
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
  };

  /** Lets this many bytes of answers be stored in the object. */
  const fill = async (bytes: number): Promise<void> => {
    await world.gate.stop();
    const statement =
      "INSERT INTO responses SELECT '0x' || hex(randomblob(20)), hex(randomblob(32)), '200', 'x', zeroblob(?), unixepoch() FROM payments LIMIT 1";
    assert.equal(plant(world.gate, statement, bytes), 1);
    assert.ok(plant(world.gate, PURGE_NOW) > 0);
    loseAlarms(world.gate);
    await world.gate.restart();
  };

  //
  it('is told when it is scarce, and when it is used up nothing begins', async () => {
    const first = await payFor(world, '/before/room');
    expectPaid(await send(world, '/before/room', first), first);
    assert.equal(await metric('farebox_ledger_limit_bytes'), 1_000_000);
    const empty = await metric('farebox_ledger_bytes');
    assert.ok(empty > 20_000 && empty < 300_000, String(empty));

    await fill(850_000 - empty);
    const full = await metric('farebox_ledger_largest_bytes');
    assert.ok(full > 800_000 && full < 950_000, String(full));
    const second = await payFor(world, '/before/room');
    expectPaid(await send(world, '/before/room', second), second);
    await eventually('the notice', () => listener.taken.length > 0);
    const notice = JSON.parse(listener.taken[0]?.text ?? '') as JsonObject;
    assert.equal(notice['type'], 'ledger.room');
    const { bytes, limit, percent, days_left } = notice['data'] as JsonObject;
    assert.deepEqual([limit, percent, days_left], [1_000_000, Math.floor(Number(bytes) / 10_000), null]);

    await fill(150_000);
    const third = await payFor(world, '/before/room');
    expectProblem(await send(world, '/before/room', third), { status: 503, code: 'ledger_full', retryAfter: 60 });
    assert.ok(!world.facilitator.settled.has(`${third.payer}:${third.nonce}`));
    const charged = [...world.facilitator.settled].length;
    assert.equal(charged, 2);
    // What was bought is still there.
    const again = await send(world, '/before/room', second);
    assert.equal(again.status, 409, again.text);
  });
});
