/** Lists of all skills: they are as the object has them, and strangers who look at them cost it next to nothing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { root } from '../../scripts/steps.mjs';
import { eventually } from '../support/eventually.ts';
import { besideStrangers } from '../support/hostile/beside.ts';
import { costly } from '../support/hostile/costs.ts';
import { forwarded, Market, newOwner, OPERATOR, signed } from './support/worker.ts';

const LIMIT = { timeout: 120_000 };
const LIST = '/api/marketplace/skills';
/** All that is made of all skills. */
const VIEWS = [LIST, '/', '/SKILL.md', `${LIST}?name=a`, '/?q=a', '/?page=2'];

const skill = (id: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  skillId: id,
  name: id,
  callUrl: 'http://127.0.0.1:9/x',
  price: '$0.01',
  ...more,
});

/** Waits until the gate's table is written, and the object knows it. */
const settled = (market: Market) =>
  eventually('the table has what is listed', async () => !(await market.ask('GET', '/')).text.includes('Published a moment ago'));

describe('lists of skills', LIMIT, () => {
  let market: Market;
  const owner = newOwner();
  before(async () => {
    market = await Market.start();
    assert.equal((await market.publish(owner, skill('a-first'))).status, 201);
    await settled(market);
  });
  after(() => market.stop());

  //
  it('ask the object for its edition alone while nothing changes, whatever the query is', async () => {
    for (const path of VIEWS) await market.ask('GET', path);
    await market.asked();
    for (const path of [...VIEWS, `${LIST}?name=b`, '/?q=b', '/?page=3']) assert.equal((await market.ask('GET', path)).status, 200, path);
    assert.deepEqual(await market.asked(), { edition: VIEWS.length + 3 });
  });

  //
  it('are read once for all who ask at the same time', async () => {
    assert.equal((await market.publish(owner, skill('a-second'))).status, 201);
    await eventually('it is sold', () => market.kv.paths().includes('/s/a-second'));
    await settled(market);
    await market.kill();
    const told = await Promise.all(Array.from({ length: 48 }, (_, n) => market.ask('GET', VIEWS[n % VIEWS.length] ?? LIST)));
    assert.deepEqual([...new Set(told.map(({ status }) => status))], [200]);
    assert.deepEqual(await market.asked(), { edition: 48, skills: 1 });
  });

  //
  it('are not read for a look at one skill', async () => {
    await market.asked();
    const told = await Promise.all(['/skills/a-first', '/skills/a-first/SKILL.md', '/skills/none'].map((path) => market.ask('GET', path)));
    assert.deepEqual(
      told.map(({ status, text }) => [status, text.includes('a-second')]),
      [
        [200, false],
        [200, false],
        [404, false],
      ],
    );
    assert.deepEqual(await market.asked(), { offered: 3 });
  });

  it('have the beginning of a long description, and its own page and the list for programs have all', async () => {
    const description = `${'word '.repeat(50)}${'\u00e9'.repeat(10)} the end`;
    assert.equal((await market.publish(owner, skill('a-long', { description }))).status, 201);
    const has = async (path: string) => (await market.ask('GET', path)).text.includes('the end');
    assert.deepEqual(await Promise.all(['/', '/SKILL.md', LIST, '/skills/a-long', '/skills/a-long/SKILL.md'].map(has)), [
      false,
      false,
      true,
      true,
      true,
    ]);
    assert.ok((await market.ask('GET', '/')).text.includes(`word ${'\u00e9'.repeat(3)}\u2026</bdi>`));
  });
});

describe('lists of many skills', LIMIT, () => {
  let market: Market;
  const MANY = 610;
  before(async () => {
    market = await Market.start();
    const owners = Array.from({ length: MANY / 10 }, newOwner);
    // What takes most room as text within text.
    const description = `${'"'.repeat(4000)} zebra`;
    for (const [number, owner] of owners.entries()) {
      const from = { 'cf-connecting-ip': `192.0.2.${number}` };
      for (let count = 0; count < 10; count += 1) {
        const id = `s-${String(number * 10 + count).padStart(3, '0')}`;
        const { status, text } = await market.publish(owner, skill(id, { description, charges: 'seller' }), from);
        assert.equal(status, 201, text);
      }
    }
  });
  after(() => market.stop());

  //
  it('are read in parts, and have each skill once, the newest first', async () => {
    await market.asked();
    const ids = (await market.ask('GET', LIST)).json.skills.map(({ id }: { id: string }) => id);
    assert.deepEqual(
      ids,
      Array.from({ length: MANY }, (_, number) => `s-${String(MANY - 1 - number).padStart(3, '0')}`),
    );
    assert.deepEqual(await market.asked(), { edition: 1, skills: Math.ceil(MANY / 100) });
    assert.match((await market.ask('GET', '/?q=zebra')).text, /610 skills/, 'also words after the beginning');
  });

  //
  it('are read on for those who wait when whoever began has left', async () => {
    await market.kill();
    await market.delay({ skills: 400 });
    const left = new AbortController();
    const first = market.ask('GET', LIST, { signal: left.signal }).catch(() => 'left');
    await eventually('it reads', async () => (await market.asked())['skills'] === 1);
    left.abort();
    assert.equal(await first, 'left');
    assert.equal((await market.ask('GET', '/')).status, 200);
    assert.deepEqual(await market.asked(), { edition: 1, skills: Math.ceil(MANY / 100) - 1 }, 'the other parts, for both');
    await market.delay({});
  });

  //
  it('are searched by strangers, and a look at one skill takes no ten times as long as beside as many such looks', async () => {
    const look = () => market.ask('GET', `${LIST}/s-001`);
    const alike = await besideStrangers(look, look);
    for (const path of ['/?q=zzz', '/?q=zebra&page=9', `${LIST}?name=zzz`]) {
      assert.equal((await market.ask('GET', path)).status, 200, path);
      const beside = await besideStrangers(look, () => market.ask('GET', path));
      assert.ok(beside < 10 * alike, `${path}: ${beside} ms, and ${alike} ms beside looks`);
    }
  });

  //
  it('cost no stranger much, whatever they ask for', async () => {
    const attacked = [{ worker: 'market', url: market.url, shapes: [], names: ['s-001'], secrets: new Map() }] as const;
    assert.deepEqual(await costly(attacked, [market.pid]), []);
  });

  //
  it('are not read again at once after a failure', async () => {
    await market.kill();
    await market.delay({ skills: null });
    await market.asked();
    const began = performance.now();
    const told = await Promise.all(Array.from({ length: 40 }, () => market.ask('GET', LIST)));
    assert.deepEqual([...new Set(told.map(({ status }) => status))], [503]);
    const { skills = 0 } = await market.asked();
    const secs = (performance.now() - began) / 1_000;
    assert.ok(skills >= 1 && skills <= secs + 2, `${skills} reads in ${secs} s: one for each of those who wait is 40`);
    await market.delay({});
    assert.equal((await market.ask('GET', LIST)).status, 200);
  });
});

describe('lists of what was sold in the shapes of the original', LIMIT, () => {
  //
  it('are read one after another, and for a fifth of the time', async () => {
    const market = await Market.start({ vars: { COMPATIBILITY: 'open-stellar', MOCK: true } });
    try {
      await market.delay({ original: 100 });
      await market.asked();
      const began = performance.now();
      const paths = ['/api/protocol/x402/subscriptions', '/api/protocol/x402/receipts?q=a', '/api/protocol/x402/receipts?q=b'];
      const told = Array.from({ length: 30 }, (_, n) => market.ask('GET', paths[n % paths.length] ?? ''));
      await Promise.race(told);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const { original = 0 } = await market.asked();
      const secs = (performance.now() - began) / 1_000;
      assert.ok(original >= 1 && original <= 2 * secs + 2, `${original} reads of 100 ms in ${secs} s`);
      await market.delay({});
      assert.deepEqual([...new Set((await Promise.all(told)).map(({ status }) => status))], [200]);
    } finally {
      await market.stop();
    }
  });
});

describe('turns at what costs much', LIMIT, () => {
  //
  it('are taken by networks one after another, and who asks most gives way', async () => {
    const market = await Market.start({ vars: { COMPATIBILITY: 'open-stellar', MOCK: true } });
    try {
      await market.delay({ original: 20 });
      const ask = (network: string) => market.ask('GET', '/api/protocol/x402/subscriptions', { headers: { 'cf-connecting-ip': network } });
      let served = 0;
      const crowd = Array.from({ length: 80 }, () =>
        ask('192.0.2.1').then((answer) => {
          if (answer.status === 200) served += 1;
          return answer;
        }),
      );
      await eventually('the crowd waits', () => served > 0);
      const before = served;
      const others = await Promise.all(['192.0.2.2', '192.0.2.3'].map(ask));
      assert.deepEqual(
        others.map(({ status }) => status),
        [200, 200],
      );
      assert.ok(served - before <= 4, `${served - before} of the crowd had a turn before two others`);
      const told = await Promise.all(crowd);
      const refused = told.filter(({ status }) => status === 429);
      assert.ok(refused.length >= 15 && refused.length <= 20, `${refused.length} of 80 gave way`);
      assert.deepEqual([refused[0]?.json.code, refused[0]?.headers.get('retry-after')], ['rate_limited', '2']);
      assert.ok(told.every(({ status }) => status === 200 || status === 429));
    } finally {
      await market.stop();
    }
  });
});

describe('what changes the lists', LIMIT, () => {
  let market: Market;
  const owner = newOwner();
  before(async () => {
    market = await Market.start({ vars: { LISTING_FEE: '$1.00' } });
  });
  after(() => market.stop());

  /** The prices at which each view has the skill; none if it is not there. */
  async function seen(id: string): Promise<(string | undefined)[]> {
    const [list, page, document] = await Promise.all([LIST, '/', '/SKILL.md'].map((path) => market.ask('GET', path)));
    return [
      list?.json.skills.find((one: { id: string }) => one.id === id)?.price,
      page?.text.match(new RegExp(`id="${id}".*?class="price">([0-9.]+) `))?.[1],
      document?.text.match(new RegExp(`skills/${id}/SKILL.md>\\): ([0-9.]+) `))?.[1],
    ];
  }
  const NOWHERE = [undefined, undefined, undefined];
  const asOwner = async (method: string, path: string, action: string, body: Record<string, unknown>) =>
    market.ask(method, path, { body: await signed(action, owner, { payTo: owner.address, description: 'Says it', ...body }, 'new') });

  //
  it('is in them at once: the fee, a new version, what was taken back, and what came again', async () => {
    assert.deepEqual(await seen('new'), NOWHERE);
    assert.equal((await market.publish(owner, skill('new'))).status, 201);
    assert.deepEqual(await seen('new'), NOWHERE, 'the fee is not paid');
    const told = { amount: '1000000', payment: 'fee', transaction: `0x${'1'.repeat(64)}` };
    assert.equal((await market.ask('POST', '/fees/new', { headers: forwarded('POST', '/fees/new', told), body: '{}' })).status, 200);
    assert.deepEqual(await seen('new'), ['0.01', '0.01', '0.01']);

    const next = skill('new', { version: '2.0.0', price: '$0.02' });
    assert.equal((await asOwner('POST', `${LIST}/new/versions`, 'version', next)).status, 201);
    assert.deepEqual(await seen('new'), ['0.02', '0.02', '0.02']);
    await settled(market);
    assert.deepEqual(await seen('new'), ['0.02', '0.02', '0.02']);

    const env = { PATH: process.env['PATH'], FAREBOX_URL: market.url, FAREBOX_OPERATOR_TOKEN: OPERATOR };
    const words = [join(root, 'pkg/dist/cli/main.js'), 'takeback', 'new', '--reason', 'a test'];
    const said = execFileSync(process.execPath, words, { env, encoding: 'utf8' });
    assert.match(said, /^id: new$/m);
    assert.deepEqual(await seen('new'), NOWHERE);
  });
});
