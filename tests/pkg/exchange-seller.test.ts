// A seller at a scripted exchange: what it works on, delivers and is told.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ShiftLog } from '../../pkg/dist/agent/exchange/shift-log.js';
import { SellerError, type SellerEvent, sellJobs } from '../../pkg/dist/agent/index.js';
import { memoryStore } from '../../pkg/dist/index.js';
import { startProgram } from './programs.ts';
import { asked, its, type Script, say } from './scripted-exchange.ts';
import { OTHER, PAYEE, TRANSACTION, USDC } from './shop.ts';

type Work = { id: string; status: string; done?: unknown; tries?: number };
const works: Work[] = [];
const session = { status: 'ok', seller_session_token: 's', expires_in_seconds: 900 };
const sellerScript: Script = ({ path, body }, response) => {
  const found = works.find(({ id }) => path.includes(`/jobs/${id}/`));
  if (path.endsWith('/session')) return say(response, 200, session);
  if (path.endsWith('sellers/jobs')) {
    const jobs = works
      .filter(({ status }) => status === 'paid' || status === 'running')
      .map(({ id, status }) => ({ job_id: id, status, payload: { prompt: id }, expires_at: new Date(Date.now() + 60_000).toISOString() }));
    return say(response, 200, { jobs });
  }
  if (found === undefined) return say(response, 200, { status: 'ok' });
  const wanted = path.endsWith('start') ? 'paid' : 'running';
  if (found.status !== wanted) return say(response, 409, { code: 'INVALID_JOB_STATE', error: 'x' });
  if (wanted === 'paid') found.status = 'running';
  else if ((found.tries = (found.tries ?? 0) + 1) < 2 && path.endsWith('complete'))
    return say(response, 500, { code: 'ESCROW_RELEASE_FAILED', error: 'not yet' });
  else Object.assign(found, { status: path.endsWith('fail') ? 'failed' : 'done', done: body.result ?? body.error });
  return say(response, 200, { job_id: found.id, status: found.status });
};
beforeEach(() => {
  works.length = 0;
});

const selling = (more: Partial<Parameters<typeof sellJobs>[0]> = {}): { events: SellerEvent[]; loop: ReturnType<typeof sellJobs> } => {
  const events: SellerEvent[] = [];
  const loop = sellJobs({
    url: its.url,
    profile: 'live-testnet',
    sellerId: OTHER,
    agentId: 'a',
    capability: 'llm',
    price: '0.005',
    identity: () => 'jwt',
    handler: (prompt) => `did ${prompt}`,
    endsOn: [],
    heartbeatMs: 40,
    pollMs: 20,
    onEvent: (event) => events.push(event),
    ...more,
  });
  loop.ended.catch(() => undefined);
  return { events, loop };
};
const until = async (holds: () => boolean): Promise<void> => {
  for (let turn = 0; !holds(); turn += 1) {
    assert.ok(turn < 1000, 'it never comes');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

//
test('the tokens of a seller go to an exchange over https, or to this machine', () => {
  const fetch = (): never => assert.fail('asked');
  for (const url of ['http://exchange.example', 'http://10.0.0.1', 'http://127.0.0.1.example'])
    assert.throws(() => selling({ url, fetch }), { code: 'invalid_options' }, url);
});

test('a seller does each job once, presses for its money, and goes offline once', async () => {
  its.script = sellerScript;
  works.push({ id: 'j1', status: 'paid' }, { id: 'j2', status: 'paid' });
  const { events, loop } = selling();
  await until(() => events.filter(({ type }) => type === 'completed').length === 2);
  await loop.stop();
  await loop.ended;
  assert.deepEqual(
    works.map(({ done }) => done),
    [{ text: 'did j1' }, { text: 'did j2' }],
  );
  assert.equal(asked.filter(({ path }) => path.endsWith('/start')).length, 2);
  assert.equal(asked.filter(({ path }) => path.endsWith('/offline')).length, 1);
  assert.equal(asked.at(-1)?.path, '/api/v1/sellers/offline');
  assert.deepEqual([events[0]?.type, events.at(-1)?.type], ['registered', 'offline']);
  assert.ok(asked.filter(({ path }) => path.endsWith('/heartbeat')).length > 1);
});

test('the program of docs/exchange.md sells a job as it stands, and ends by a signal', async () => {
  its.script = sellerScript;
  works.push({ id: 'j1', status: 'paid' });
  const names = { 'https://exchange.example.com': its.url, '0x7099…79C8': OTHER };
  const before = "const identityToken = () => 'jwt';\nconst summarize = async (text) => `the sum of ${text}`;\n";
  const { child, ended } = startProgram('docs/exchange.md', 'sellJobs', { names, before });
  await until(() => works[0]?.done !== undefined);
  child.kill('SIGTERM');
  const { code, err } = await ended;
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(works[0]?.done, { text: 'the sum of j1', meta: { model: 'small' } });
  assert.equal(asked.at(-1)?.path, '/api/v1/sellers/offline');
});

test('what was worked out is delivered by the next process, and is not worked out again', async () => {
  const store = memoryStore();
  let handled = 0;
  const handler = (prompt: string): string => {
    handled += prompt === 'hello' ? 0 : 1;
    return `did ${prompt}`;
  };
  works.push({ id: 'j1', status: 'paid' });
  // The exchange takes nothing more: as if the process died before it delivered.
  its.script = (it, response) => (it.path.endsWith('/complete') ? say(response, 503, {}) : sellerScript(it, response));
  const first = selling({ store, handler, graceMs: 50 });
  await until(() => asked.some(({ path }) => path.endsWith('/complete')));
  await first.loop.stop();
  its.script = sellerScript;
  const second = selling({ store, handler });
  await until(() => works[0]?.status === 'done');
  await second.loop.stop();
  assert.equal(handled, 1);
  assert.deepEqual(works[0]?.done, { text: 'did j1' });
});

test('a handler that fails, is late, or delivers nothing or too much fails its job with one clean line', async () => {
  its.script = sellerScript;
  works.push(
    { id: 'throws', status: 'paid' },
    { id: 'silent', status: 'paid' },
    { id: 'late', status: 'paid' },
    { id: 'long', status: 'paid' },
  );
  const handler = async (prompt: string): Promise<string> => {
    if (prompt === 'throws') throw new Error('no model\n    at /home/me/secret.js:1');
    if (prompt === 'late') await new Promise(() => undefined);
    if (prompt === 'long') return 'x'.repeat(64 * 1024);
    return prompt === 'hello' ? 'hi' : ' ';
  };
  const { loop } = selling({ handler, capacity: 4, taskMs: 300 });
  await until(() => works.every(({ status }) => status === 'failed'));
  await loop.stop();
  assert.deepEqual(
    works.map(({ done }) => done),
    ['no model', 'the handler delivered no text', 'the work took too long', 'the result is longer than 64 KiB'],
  );
});

//
test('a result that the exchange cannot read fails its job at once', async () => {
  its.script = (it, response) =>
    it.path.endsWith('/complete')
      ? say(response, 400, { code: 'INVALID_JSON', error: 'Request body must be valid JSON.' })
      : sellerScript(it, response);
  works.push({ id: 'j1', status: 'paid' });
  // Half of a character, as a text that is cut has it at its end.
  const { events, loop } = selling({ handler: (prompt) => (prompt === 'hello' ? 'hi' : '🙂'.slice(0, 1)) });
  await until(() => works[0]?.status === 'failed');
  await until(() => events.some(({ type }) => type === 'failed'));
  await loop.stop();
  assert.match(String(works[0]?.done), /^the exchange cannot take the result: .*valid JSON/);
  assert.equal(asked.filter(({ path }) => path.endsWith('/complete')).length, 1);
});

//
test('a session that the exchange does not open for a result fails no job, and the result is delivered once it does', async () => {
  let [refusals, isLeft] = [1, true];
  its.script = (it, response) => {
    if (it.path.endsWith('/complete') && isLeft) {
      isLeft = false;
      return say(response, 403, { code: 'SELLER_SESSION_INVALID', error: 'x' });
    }
    if (it.path.endsWith('/session') && !isLeft && (refusals -= 1) >= 0)
      return say(response, 400, { code: 'INVALID_REQUEST', error: 'price_per_task is below min_price' });
    return sellerScript(it, response);
  };
  works.push({ id: 'j1', status: 'paid' });
  const { loop } = selling();
  await until(() => works[0]?.status === 'done');
  await loop.stop();
  assert.ok(!asked.some(({ path }) => path.endsWith('/fail')));
});

test('what the exchange answers of the request itself fails no job', async () => {
  let refusals = 2;
  its.script = (it, response) =>
    it.path.endsWith('/complete') && (refusals -= 1) >= 0
      ? say(response, 400, { code: 'SOMETHING_ELSE', error: 'x' })
      : sellerScript(it, response);
  works.push({ id: 'j1', status: 'paid' });
  const { loop } = selling();
  await until(() => works[0]?.status === 'done');
  await loop.stop();
  assert.ok(!asked.some(({ path }) => path.endsWith('/fail')));
});

test('a job that was begun before is worked on to its end by the clock of the exchange', async () => {
  // An hour behind this machine, whose clock is wrong.
  const behind = 3_600_000;
  let [ends, deadline] = [0, 0];
  its.script = (it, response) => {
    if (!it.path.endsWith('sellers/jobs') || works[0]?.status !== 'running') return sellerScript(it, response);
    const now = Date.now();
    ends ||= now + 60_000;
    const expires = new Date(now - behind + 60_000).toISOString();
    const job = { job_id: 'j1', status: 'running', payload: { prompt: 'j1' }, expires_at: expires };
    return say(response, 200, { jobs: [job] }, { date: new Date(now - behind).toUTCString() });
  };
  works.push({ id: 'j1', status: 'running' });
  const handler: Parameters<typeof sellJobs>[0]['handler'] = async (prompt, job) => {
    if (prompt === 'j1') deadline = job.deadline;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return `did ${prompt}`;
  };
  const { loop } = selling({ handler });
  await until(() => works[0]?.done !== undefined);
  await loop.stop();
  assert.deepEqual(works[0]?.done, { text: 'did j1' });
  assert.ok(deadline > ends - 10_000 && deadline <= ends, `${deadline - ends} ms`);
});

test('what is sold is said with the proof, and an exchange that would sell anything else is left', async () => {
  its.script = (it, response) =>
    it.path.endsWith('/session')
      ? say(response, 200, { ...session, capability: 'llm', price_per_task: '0.005', capacity: 3 })
      : sellerScript(it, response);
  const right = selling({ price: '00.0050', capacity: 3 });
  await until(() => right.events.some(({ type }) => type === 'online'));
  await right.loop.stop();
  await right.loop.ended;
  const { body } = asked.find(({ path }) => path.endsWith('/session')) ?? assert.fail('it opens no session');
  assert.deepEqual([body.capability, body.price_per_task, body.capacity], ['llm', '00.0050', 3]);
  for (const other of [{ price: '0.0051' }, { capability: 'art' }, { capacity: 2 }]) {
    asked.length = 0;
    const wrong = selling({ capacity: 3, ...other });
    await assert.rejects(wrong.loop.ended, (error) => error instanceof SellerError && error.code === 'other_terms');
    assert.ok(!asked.some(({ path }) => path.endsWith('/heartbeat')), 'it is not there');
  }
});

test('no more jobs are worked on at once than the capacity', async () => {
  its.script = sellerScript;
  works.push(...['a', 'b', 'c', 'd'].map((id) => ({ id, status: 'paid' })));
  let now = 0;
  let most = 0;
  const handler = async (prompt: string): Promise<string> => {
    most = Math.max(most, (now += 1));
    await new Promise((resolve) => setTimeout(resolve, 40));
    now -= 1;
    return prompt;
  };
  const { loop } = selling({ handler, capacity: 2 });
  await until(() => works.every(({ status }) => status === 'done'));
  await loop.stop();
  assert.equal(most, 2);
});

test('a handler that cannot do the least work goes nowhere', async () => {
  const { loop } = selling({ handler: () => '' });
  await assert.rejects(loop.ended, (error) => error instanceof SellerError && error.code === 'self_check_failed');
  assert.equal(asked.length, 0);
});

//
test('three failures in a row, and a session that is refused, open a new session', async () => {
  let opened = 0;
  let fails = 0;
  its.script = (it, response) => {
    if (it.path.endsWith('/session')) opened += 1;
    if (it.path.endsWith('/heartbeat') && opened === 1) return say(response, 403, { code: 'SELLER_SESSION_INVALID', error: 'over' });
    if (it.path.endsWith('/heartbeat') && opened === 2 && (fails += 1) <= 3) return say(response, 500, {});
    return sellerScript(it, response);
  };
  const { loop, events } = selling();
  await until(() => events.some(({ type }) => type === 'online'));
  await loop.stop();
  assert.deepEqual([opened, fails], [3, 3]);
});

test('a bond is transferred once, and its token opens all later sessions', async () => {
  const store = memoryStore();
  let transfers = 0;
  its.script = (it, response) => {
    if (it.path.endsWith('/challenge'))
      return say(response, 200, {
        status: 'ok',
        challenge_id: 'c',
        to: PAYEE,
        asset: USDC,
        amount: '0.010007',
        amount_atomic: '10007',
        network: 'eip155:84532',
        expires_at: 'x',
      });
    if (it.path.endsWith('/session')) {
      if (it.body.tx_hash !== undefined) return say(response, 200, { ...session, seller_renewal_token: 'qdr_1' });
      return it.body.seller_renewal_token === 'qdr_1'
        ? say(response, 200, session)
        : say(response, 403, { code: 'PASSPORT_AUTH_REQUIRED', error: 'x' });
    }
    return sellerScript(it, response);
  };
  const options = {
    store,
    identity: undefined as never,
    bond: ({ amountAtomic, again }: { amountAtomic: string; again: boolean }) => {
      assert.deepEqual([amountAtomic, again], ['10007', false]);
      transfers += 1;
      return TRANSACTION;
    },
  };
  for (let turn = 0; turn < 2; turn += 1) {
    const { loop, events } = selling(options);
    await until(() => events.some(({ type }) => type === 'online'));
    await loop.stop();
  }
  assert.equal(transfers, 1);
});

test('a bond that was transferred is shown until the exchange takes it or says that it proves nothing', async () => {
  for (const [status, said, ends] of [
    [404, '<html>', undefined],
    [403, '{"error":"forbidden"}', undefined],
    [302, '', undefined],
    [400, '{"code":"INVALID_JSON","error":"x"}', 'INVALID_JSON'],
    [403, '{"code":"TX_TOKEN_TRANSFER_MISMATCH","error":"x"}', 'TX_TOKEN_TRANSFER_MISMATCH'],
  ] as const) {
    const store = memoryStore();
    let [transfers, refusals] = [0, 1];
    const taking = bonding({ status: 200, code: '' });
    its.script = (it, response) => {
      if (it.path.endsWith('/session') && it.body.tx_hash !== undefined && (refusals -= 1) >= 0) {
        response.writeHead(status, { 'content-type': 'text/html' }).end(said);
        return true;
      }
      return taking(it, response);
    };
    const bond = (): string => {
      transfers += 1;
      return TRANSACTION;
    };
    const sell = (): ReturnType<typeof selling> => selling({ store, identity: undefined as never, bond });
    if (ends !== undefined) await assert.rejects(sell().loop.ended, { code: ends });
    const { loop, events } = sell();
    if (ends === 'TX_TOKEN_TRANSFER_MISMATCH') {
      await assert.rejects(loop.ended, { code: 'bond_refused' });
    } else {
      await until(() => events.some(({ type }) => type === 'online'));
      await loop.stop();
    }
    assert.equal(transfers, 1, `${status} ${said}`);
  }
});

//
test('a job that is worked out is delivered, whatever a proxy says meanwhile', async () => {
  works.push({ id: 'j1', status: 'paid' });
  let refusals = 2;
  its.script = (it, response) => {
    if (it.path.endsWith('/complete') && (refusals -= 1) >= 0) {
      response.writeHead(404, { 'content-type': 'text/html' }).end('<html>');
      return true;
    }
    return sellerScript(it, response);
  };
  const { loop, events } = selling();
  await until(() => events.some(({ type }) => type === 'completed'));
  await loop.stop();
  assert.deepEqual(
    events.filter(({ type }) => type === 'dropped'),
    [],
  );
});

/** An exchange that asks for bonds, takes each, and answers a renewal token as told. */
const bonding = (renewed: { status: number; code: string }, more: Record<string, unknown> = {}): Script => {
  let challenges = 0;
  return (it, response) => {
    if (it.path.endsWith('/challenge')) {
      challenges += 1;
      const asks = {
        challenge_id: `c${challenges}`,
        to: PAYEE,
        asset: USDC,
        amount: '0.010007',
        amount_atomic: '10007',
        network: 'eip155:84532',
      };
      return say(response, 200, { status: 'ok', expires_at: 'x', ...asks, ...more });
    }
    if (!it.path.endsWith('/session')) return sellerScript(it, response);
    if (it.body.tx_hash !== undefined) return say(response, 200, { ...session, expires_in_seconds: 1, seller_renewal_token: 'qdr_1' });
    return say(response, renewed.status, { code: renewed.code, error: 'x' });
  };
};

for (const [status, code] of [
  [403, 'SELLER_BOND_CHALLENGE_EXPIRED'],
  [403, 'PASSPORT_AUTH_REQUIRED'],
  [403, 'SELLER_SESSION_INVALID'],
  [401, 'x'],
] as const) {
  test(`no other bond is transferred where the token of one is refused with ${status} ${code}, unless the seller says so`, async () => {
    const store = memoryStore();
    its.script = bonding({ status, code });
    const told: (readonly [string, number])[] = [];
    const bond = ({ challengeId, former }: { challengeId: string; former: number }): string => {
      told.push([challengeId, former]);
      return TRANSACTION;
    };
    const ends = (more: Partial<Parameters<typeof sellJobs>[0]> = {}): Promise<void> =>
      assert.rejects(
        selling({ store, identity: undefined as never, bond, ...more }).loop.ended,
        (error) => error instanceof SellerError && error.code === 'bond_refused',
      );
    // The first one in this process, and none in the next.
    for (let turn = 0; turn < 2; turn += 1) {
      await ends();
      assert.deepEqual(told, [['c1', 0]]);
    }
    await ends({ bonds: 2 });
    assert.deepEqual(told, [
      ['c1', 0],
      ['c2', 1],
    ]);
    await ends({ bonds: 2 });
    assert.equal(told.length, 2);
  });
}

//
test('no bond more than the seller allows is transferred where the exchange gives no session for one', async () => {
  const store = memoryStore();
  let transfers = 0;
  const bond = (): string => {
    transfers += 1;
    return TRANSACTION;
  };
  const taking = bonding({ status: 403, code: 'x' });
  its.script = (it, response) =>
    it.path.endsWith('/session') ? say(response, 403, { code: 'SELLER_BOND_CHALLENGE_EXPIRED', error: 'x' }) : taking(it, response);
  for (const [bonds, total] of [
    [0, 0],
    [1, 1],
    [1, 1],
    [3, 3],
    [3, 3],
  ] as const) {
    await assert.rejects(selling({ store, identity: undefined as never, bond, bonds }).loop.ended, { code: 'bond_refused' });
    assert.equal(transfers, total);
  }
});

//
test('a bond that an earlier process was asked for is transferred within the limits of the call that goes on, and to its exchange alone', async () => {
  const store = memoryStore();
  its.script = bonding({ status: 403, code: 'x' }, { amount: '5', amount_atomic: '5000000' });
  let asked = 0;
  const ends = (more: Partial<Parameters<typeof sellJobs>[0]>): Promise<unknown> => {
    const bond = (): string => {
      asked += 1;
      throw new Error('the wallet is closed');
    };
    return selling({ store, identity: undefined as never, bond, ...more }).loop.ended.then(
      () => undefined,
      (error: unknown) => error,
    );
  };
  assert.match(String(await ends({ maxBond: '5' })), /the wallet is closed/);
  for (const [more, code] of [
    [{}, 'bond_refused'],
    [{ maxBond: '4.99' }, 'bond_refused'],
    [{ maxBond: '5', bonds: 0 }, 'bond_refused'],
    [{ maxBond: '5', profile: 'live-mainnet' }, 'invalid_options'],
    [{ maxBond: '5', sellerId: PAYEE }, 'invalid_options'],
  ] as const) {
    const error = await ends(more);
    assert.ok(error instanceof SellerError, String(error));
    assert.deepEqual([error.code, asked], [code, 1], JSON.stringify(more));
  }
  assert.match(String(await ends({ maxBond: '5' })), /the wallet is closed/);
  assert.equal(asked, 2);
});

test('a token that is refused once is shown again by the next process', async () => {
  const store = memoryStore();
  let refuses = true;
  const refusing = bonding({ status: 403, code: 'PASSPORT_AUTH_REQUIRED' });
  its.script = (it, response) => {
    if (it.body?.seller_renewal_token === 'qdr_1' && !refuses) return say(response, 200, session);
    return refusing(it, response);
  };
  const options = { store, identity: undefined as never, bond: () => TRANSACTION };
  await assert.rejects(selling(options).loop.ended, { code: 'bond_refused' });
  refuses = false;
  const { loop, events } = selling(options);
  await until(() => events.some(({ type }) => type === 'online'));
  await loop.stop();
});

test('no bond is transferred on another kind of network, above its limit, or with amounts that disagree', async () => {
  for (const [profile, more, options] of [
    ['live-testnet', { network: 'eip155:8453' }, {}],
    ['demo-testnet', { network: 'eip155:1' }, {}],
    ['live-mainnet', {}, {}],
    ['live-testnet', { amount: '1.000001', amount_atomic: '1000001' }, {}],
    ['live-testnet', {}, { maxBond: '0.01' }],
    ['live-testnet', { amount_atomic: '1000700' }, {}],
  ] as const) {
    its.script = bonding({ status: 403, code: 'SELLER_NOT_APPROVED' }, more);
    let transfers = 0;
    const bond = (): string => {
      transfers += 1;
      return TRANSACTION;
    };
    const { loop } = selling({ profile, identity: undefined as never, bond, ...options });
    await assert.rejects(loop.ended, { code: 'bond_refused' });
    assert.equal(transfers, 0, JSON.stringify([profile, more, options]));
  }
});

test('a seller whose session is refused by whatever code ends, and hangs nowhere', async () => {
  for (const [status, code, again] of [
    [401, 'x', 200],
    [403, 'SELLER_SESSION_INVALID', 200],
    [403, 'SELLER_SIGNATURE_INVALID', 200],
    [404, 'SELLER_NOT_FOUND', 200],
    // It asks for a session to register for a session.
    [404, 'SELLER_NOT_FOUND', 401],
  ] as const) {
    asked.length = 0;
    its.script = (it, response) => {
      if (it.path.endsWith('/session')) return say(response, status, { code, error: 'x' });
      return it.path.endsWith('/register') && asked.length > 1
        ? say(response, again, { code: 'y', error: 'x' })
        : sellerScript(it, response);
    };
    const { loop } = selling();
    const late = new Promise((resolve) => setTimeout(resolve, 8_000, 'late'));
    const how = await Promise.race([loop.ended.catch((error: unknown) => error), late]);
    assert.ok(how instanceof SellerError, `${status} ${code}: ${String(how)}`);
    assert.ok(asked.length < 20, String(asked.length));
  }
});

test("what no asking changes ends the seller with the exchange's code", async () => {
  its.script = (it, response) =>
    it.path.endsWith('/register') && say(response, 400, { code: 'INVALID_REQUEST', error: 'capability must be a non-empty string.' });
  const { loop } = selling();
  await assert.rejects(loop.ended, (error) => error instanceof SellerError && error.code === 'INVALID_REQUEST' && error.status === 400);
});

test('the row of a job moves forward only, whichever process writes it', async () => {
  const store = memoryStore();
  const [one, other] = [new ShiftLog(store), new ShiftLog(store)];
  const at = Math.floor(Date.now() / 1000);
  const first = { id: 'j1', at, state: 'delivered', outcome: { result: 'first' } } as const;
  assert.equal((await one.keep({ id: 'j1', at, state: 'started' })).state, 'started');
  await one.keep({ id: 'j1', at, state: 'started' });
  await one.keep(first);
  assert.deepEqual(await other.keep({ id: 'j1', at, state: 'started' }), first);
  assert.deepEqual(await other.keep({ ...first, outcome: { result: 'second' } }), first);
  assert.deepEqual((await other.read()).jobs, [first]);
  await one.keep({ id: 'j1', at, state: 'over' });
  for (const state of ['started', 'delivered'] as const) assert.equal((await other.keep({ ...first, state })).state, 'over');
  assert.deepEqual((await other.read()).jobs, [{ id: 'j1', at, state: 'over' }]);
});

test('of two processes that work on one job, the slower one delivers what the other has worked out, or nothing', async () => {
  const store = memoryStore();
  const delivered: unknown[] = [];
  const worked: string[] = [];
  let isTaken = false;
  its.script = (one, response) => {
    if (!one.path.endsWith('/complete')) return sellerScript(one, response);
    delivered.push(one.body.result);
    // The exchange has it only once the slower process has worked it out, too.
    return isTaken ? sellerScript(one, response) : say(response, 500, { code: 'ESCROW_RELEASE_FAILED', error: 'not yet' });
  };
  works.push({ id: 'j1', status: 'running', tries: 1 });
  const after =
    (text: string, ms: number) =>
    async (prompt: string): Promise<string> => {
      if (prompt === 'hello') return 'hello';
      await new Promise((resolve) => setTimeout(resolve, ms));
      worked.push(text);
      return text;
    };
  const [fast, slow] = [selling({ store, handler: after('fast', 50) }), selling({ store, handler: after('slow', 250) })];
  await until(() => delivered.length > 0 && worked.includes('slow'));
  await new Promise((resolve) => setTimeout(resolve, 500));
  isTaken = true;
  await until(() => works[0]?.status === 'done');
  await Promise.all([fast.loop.stop(), slow.loop.stop()]);
  assert.ok(delivered.length > 1);
  assert.deepEqual(new Set(delivered.map((result) => JSON.stringify(result))), new Set(['{"text":"fast"}']));
  assert.equal((await new ShiftLog(store).read()).jobs[0]?.state, 'over');
});

test('a seller that is asked to end while its wallet signs transfers no bond', async () => {
  const store = memoryStore();
  for (const when of ['sign', 'challenge']) {
    const stop = new AbortController();
    its.script = ({ path }, response) => {
      if (path.endsWith('/challenge')) {
        if (when === 'challenge') stop.abort();
        return say(response, 200, {
          challenge_id: 'c',
          network: 'eip155:84532',
          to: PAYEE,
          asset: USDC,
          amount: '0.05',
          amount_atomic: '50000',
          expires_at: new Date(Date.now() + 60_000).toISOString(),
        });
      }
      return say(response, 200, { status: 'ok' });
    };
    const sign = (): string => {
      if (when === 'sign') stop.abort();
      return '0x';
    };
    const { loop } = selling({ identity: undefined as never, store, signal: stop.signal, sign, bond: () => assert.fail('transferred') });
    await loop.ended;
  }
  const { bond } = await new ShiftLog(store).read();
  assert.deepEqual([bond?.challenge['challenge_id'], bond?.transaction], ['c', undefined]);
});
