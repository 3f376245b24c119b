/** Feeds over HTTP by real clients: who may read which, nothing lost or doubled, and readers that do not read. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';

import { EventSource, WebSocket } from 'undici';
import { feedLatency, followFeed, median } from '../../../demo/exchange-feeds.mjs';
import { type ExchangeWorld, LIVE, MOCK, type OnlineSeller, startExchangeWorld } from '../../../demo/exchange-world.mjs';
import { eventually } from '../../support/eventually.ts';

const LIMIT = { timeout: 120_000 };
const BUYER = { address: '0x1111111111111111111111111111111111111111' };
const STREAM = { accept: 'text/event-stream' };

let world: ExchangeWorld;
let number = 0;
before(async () => {
  world = await startExchangeWorld();
}, LIMIT);
after(() => world?.stop());

/** A job of the profile that pretends, paid. */
const bought = async (capability: string) => {
  number += 1;
  const prompt = `secret prompt ${number}`;
  const quote = await world.quote(BUYER, prompt, { profile: MOCK, capability });
  assert.equal(quote.status, 402, quote.text);
  const payload = { buyer_id: BUYER.address, capability, prompt, network_profile: MOCK };
  const paid = await world.ask('POST', '/api/v1/jobs/verify', {
    body: { fingerprint: quote.json.fingerprint, tx_hash: `0xabc${String(number).padStart(3, '0')}`, payload },
  });
  assert.equal(paid.status, 200, paid.text);
  return { id: paid.json.job_id as string, token: paid.json.job_token as string };
};
const done = async (seller: OnlineSeller, id: string) => {
  assert.equal((await world.call(seller, `jobs/${id}/start`)).status, 200);
  const answer = await world.call(seller, `jobs/${id}/complete`, { result: { text: 'secret result' } });
  assert.equal(answer.status, 200, answer.text);
};
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const types = (feed: ReturnType<typeof followFeed>) => feed.lines.map(({ line }) => line.type);
const sellerFeed = (seller: OnlineSeller, base = world.url) =>
  `${base}/api/v1/sellers/feed?seller_id=${seller.wallet.address}&network_profile=${seller.profile}`;
const jobFeed = (id: string) => `${world.url}/api/v1/jobs/${id}/feed`;
const publicFeed = (profile = MOCK) => `${world.url}/api/v1/feed?network_profile=${profile}`;
const status = async (url: string, headers: Record<string, string> = {}) => {
  const controller = new AbortController();
  const response = await fetch(url, { headers: { ...STREAM, ...headers }, signal: controller.signal });
  controller.abort();
  return response.status;
};
/** What a WebSocket is told, and its ends. */
const socket = async (url: string, headers: Record<string, string>) => {
  const opened = new WebSocket(url.replace('http', 'ws'), { headers });
  const told: any[] = [];
  const ends: number[] = [];
  opened.addEventListener('message', ({ data }) => told.push(JSON.parse(String(data))));
  opened.addEventListener('close', ({ code }) => ends.push(code));
  opened.addEventListener('error', () => ends.push(-1));
  await eventually('it is open', () => told.length > 0 || ends.length > 0);
  return { socket: opened, told, ends };
};

/** A WebSocket by hand, whose bytes can be seen: programs that wait for the end of the connection tell of no code before it. */
const rawSocket = async (url: string, headers: Record<string, string>) => {
  const { hostname, port, pathname, search } = new URL(url);
  const connection = connect(Number(port), hostname);
  let bytes = '';
  connection.setEncoding('latin1').on('data', (piece: string) => {
    bytes += piece;
  });
  const more = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  connection.write(
    `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`,
  );
  await eventually('it is a WebSocket', () => bytes.includes('\r\n\r\n'));
  assert.match(bytes, /^HTTP\/1.1 101 /);
  return {
    told: () => bytes,
    /** Sends so many messages of one letter. */
    say: (count: number) => connection.write(Buffer.alloc(7 * count, Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]))),
    /** Answers the Close frame with one of the same code. */
    close: () => connection.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x0f, 0xad])),
  };
};

describe('a feed', { timeout: 300_000 }, () => {
  it("tells a seller by WebSocket of its job within a second, and of no other seller's", async () => {
    const [seller, other] = [
      await world.seller({ profile: MOCK, capability: 'ws' }),
      await world.seller({ profile: MOCK, capability: 'other' }),
    ];
    const { socket: open, told } = await socket(sellerFeed(seller), bearer(seller.token));
    assert.deepEqual([told[0].type, told[0].networkProfile], ['READY', MOCK]);
    const theirs = await bought('other');
    const began = performance.now();
    const { id } = await bought('ws');
    await eventually('it hears of the job', () => told.some(({ type, jobId }) => type === 'PAID' && jobId === id));
    assert.ok(performance.now() - began < 1_000, `${performance.now() - began} ms`);
    open.send('1');
    await done(seller, id);
    await done(other, theirs.id);
    await eventually('it hears of the end', () => told.some(({ type }) => type === 'RELEASE_SKIPPED'));
    assert.deepEqual(
      told.slice(1).map(({ type }) => type),
      ['MATCHING', 'PAID', 'RUNNING', 'DONE', 'RELEASE_SKIPPED'],
    );
    assert.ok(told.slice(1).every(({ sellerId }) => sellerId === seller.wallet.address.toLowerCase()));
    open.close();
  });

  it('tells a buyer of its job by server-sent events from the first one on', async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'sse' });
    const { id, token } = await bought('sse');
    const feed = followFeed(jobFeed(id), { headers: bearer(token) });
    await feed.ready;
    await done(seller, id);
    await eventually('all came', () => feed.lines.length === 4);
    await feed.stop();
    assert.deepEqual(types(feed), ['PAID', 'RUNNING', 'DONE', 'RELEASE_SKIPPED']);
  });

  it('of a seller or a job is for its token alone, in its profile alone', async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'own' });
    const other = await world.seller({ profile: LIVE, capability: 'own' });
    const { id, token } = await bought('own');
    assert.deepEqual(
      [
        await status(sellerFeed(seller)),
        await status(sellerFeed(seller), bearer(other.token)),
        await status(sellerFeed(seller), bearer('x.y.z')),
        await status(sellerFeed({ ...seller, profile: LIVE }), bearer(seller.token)),
        await status(sellerFeed(seller), bearer(seller.token)),
        await status(jobFeed(id)),
        await status(jobFeed(id), bearer(seller.token)),
        await status(jobFeed(id), bearer(token)),
        await status(jobFeed(`${id.slice(0, -1)}${(parseInt(id.at(-1) ?? '0', 16) ^ 1).toString(16)}`), bearer(token)),
        await status(publicFeed(), { 'last-event-id': 'x' }),
        await status(`${world.url}/api/v1/feed?network_profile=x`),
        await status(publicFeed('live-mainnet' as never)),
      ],
      [403, 403, 403, 403, 200, 403, 403, 200, 403, 400, 400, 500],
    );
    const { ends } = await socket(sellerFeed(seller), bearer(other.token));
    assert.ok(ends.length > 0);
    await done(seller, id);
  });

  it("of a profile is public and has no prompt, result, buyer or token, for a browser's EventSource too", async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'public' });
    const source = new EventSource(publicFeed());
    const told: string[] = [];
    source.addEventListener('message', ({ data }: any) => told.push(data));
    await eventually('it is open', () => source.readyState === 1);
    const { id, token } = await bought('public');
    await done(seller, id);
    await eventually('all came', () => told.some((text) => JSON.parse(text).type === 'RELEASE_SKIPPED'));
    source.close();
    for (const secret of ['secret', BUYER.address, token, seller.token]) assert.ok(!told.join().includes(secret), secret);
    assert.deepEqual(
      told.map((text) => JSON.parse(text).type),
      ['MATCHING', 'PAID', 'RUNNING', 'DONE', 'RELEASE_SKIPPED'],
    );
  });

  it('goes on after the Worker was killed, and loses and doubles no event', async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'killed', capacity: 50 });
    const feed = followFeed(sellerFeed(seller), { headers: bearer(seller.token), cursor: '0' });
    await feed.ready;
    let ids: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (let job = 0; job < 4; job += 1) {
        const { id } = await bought('killed');
        ids = [...ids, id];
        await done(seller, id);
      }
      if (round < 2) {
        await world.market.kill();
        await world.market.restart();
      }
    }
    await eventually('all came', () => types(feed).filter((type) => type === 'RELEASE_SKIPPED').length === ids.length);
    await feed.stop();
    assert.ok(feed.state.opened >= 2, `${feed.state.opened}`);
    const numbers = feed.lines.map(({ line }) => Number(line.cursor));
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
    for (const id of ids)
      assert.deepEqual(
        feed.lines.filter(({ line }) => line.jobId === id).map(({ line }) => line.type),
        ['PAID', 'RUNNING', 'DONE', 'RELEASE_SKIPPED'],
      );
  });

  it('is polled oldest first where nothing else goes', async () => {
    const page = async (cursor: string) => (await world.ask('GET', `/api/v1/feed?network_profile=${MOCK}&cursor=${cursor}`)).json;
    let [cursor, seen] = ['0', [] as number[]];
    for (;;) {
      const { events, cursor: next } = await page(cursor);
      if (events.length === 0) break;
      seen = [...seen, ...events.map((event: any) => Number(event.cursor))];
      cursor = next;
    }
    assert.deepEqual(
      seen,
      seen.map((_, at) => at + 1),
    );
    assert.ok(seen.length > 64);
  });

  it('that no one reads delays no job, and gives all of it later', async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'slow', capacity: 100 });
    const stuck = await Promise.all(Array.from({ length: 8 }, () => fetch(publicFeed(), { headers: { ...STREAM, ...world.client() } })));
    const { socket: silent, told } = await socket(publicFeed(), {});
    const times: number[] = [];
    for (let job = 0; job < 30; job += 1) {
      const { id } = await bought('slow');
      const began = performance.now();
      await done(seller, id);
      times.push(performance.now() - began);
    }
    assert.ok(median(times) < 500, `${median(times)} ms`);
    await eventually('who says nothing has its window', () => told.length === 65);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(told.length, 65, 'and no more');
    const last = told.at(-1).cursor;
    const resumed = followFeed(publicFeed(), { cursor: last });
    await eventually('it goes on', () => types(resumed).filter((type) => type === 'RELEASE_SKIPPED').length >= 17);
    assert.equal(resumed.lines[0]?.line.cursor, String(Number(last) + 1));
    await resumed.stop();
    silent.close();
    const [first] = stuck;
    let text = '';
    const decoder = new TextDecoder();
    const reader = first?.body?.getReader();
    while (text.split('"RELEASE_SKIPPED"').length <= 30) {
      const { value, done: over } = await reader!.read();
      if (over) break;
      text += decoder.decode(value, { stream: true });
    }
    const numbers = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    assert.deepEqual(
      numbers.slice(1),
      numbers.slice(1).map((_, at) => Number(numbers[1]) + at),
      'each once, in order',
    );
    for (const response of stuck) response.body?.cancel().catch(() => undefined);
    await reader?.cancel();
  });

  it('goes on beyond its window for a WebSocket that answers', async () => {
    const { socket: open, told, ends } = await socket(`${publicFeed()}&cursor=0`, {});
    open.addEventListener('message', () => open.send('got'));
    open.send('got');
    const { cursor } = (await world.ask('GET', `/api/v1/feed?network_profile=${MOCK}`)).json;
    await eventually('all came', () => told.at(-1).cursor === cursor);
    assert.deepEqual(
      told.slice(1).map((line) => Number(line.cursor)),
      Array.from({ length: Number(cursor) }, (_, at) => at + 1),
    );
    assert.deepEqual(ends, []);
    open.close();
  });

  //
  it('lets a WebSocket go that says more than there is to answer, and hears nothing of it any more', async () => {
    const feed = await rawSocket(publicFeed(), { 'cf-connecting-ip': '10.77.0.4' });
    await eventually('it is open', () => feed.told().includes('"READY"'));
    feed.say(16);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(!feed.told().includes('one answer'), 'so many it may say');
    const seller = await world.seller({ profile: MOCK, capability: 'loud' });
    feed.say(100_000);
    await eventually('it is closed', () => feed.told().endsWith('\u0003\u00f0one answer to a line is enough'));
    await bought('loud');
    assert.equal((await world.call(seller, 'sellers/heartbeat')).status, 200);
    assert.ok(feed.told().endsWith('is enough'), 'no line after it');
    feed.close();
  });

  it('is one of 64 of a network address', async () => {
    const headers = { 'cf-connecting-ip': '10.77.0.1' };
    const open = await Promise.all(Array.from({ length: 64 }, () => fetch(publicFeed(LIVE), { headers: { ...STREAM, ...headers } })));
    assert.ok(open.every((response) => response.status === 200));
    const refused = await world.ask('GET', `/api/v1/feed?network_profile=${LIVE}`, { headers: { ...STREAM, ...headers } });
    assert.deepEqual([refused.status, refused.json.code, refused.headers.get('retry-after')], [429, 'FEED_LIMIT_REACHED', '60']);
    assert.equal((await world.ask('GET', `/api/v1/feed?network_profile=${LIVE}`, { headers })).status, 200, 'a poll is not refused');
    assert.equal(await status(publicFeed(LIVE), { 'cf-connecting-ip': '10.77.0.2' }), 200);
    // Those who have proven who they are have places of their own.
    const seller = await world.seller({ profile: MOCK, capability: 'crowded' });
    const all = await Promise.all(Array.from({ length: 64 }, () => fetch(publicFeed(), { headers: { ...STREAM, ...headers } })));
    assert.deepEqual(
      [await status(publicFeed(), headers), await status(sellerFeed(seller), { ...headers, ...bearer(seller.token) })],
      [429, 200],
    );
    await Promise.all(all.map((response) => response.body?.cancel()));
    await Promise.all(open.map((response) => response.body?.cancel()));
  });

  it('of a seller ends with its session', async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'ends' });
    const { socket: open, told } = await socket(sellerFeed(seller), bearer(seller.token));
    assert.equal(told.length, 1);
    await world.wait(901);
    const token = await world.session(seller);
    assert.equal((await world.call({ ...seller, token }, 'sellers/heartbeat')).status, 200);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.equal(told.length, 1, 'no line comes after it');
    open.close();
  });

  it('that the exchange closes is told why, whatever else is open, and counts no more', async () => {
    const headers = { 'cf-connecting-ip': '10.77.0.3' };
    const streams = await Promise.all(Array.from({ length: 8 }, () => fetch(publicFeed(), { headers: { ...STREAM, ...headers } })));
    const seller = await world.seller({ profile: MOCK, capability: 'closing', capacity: 50 });
    const feed = await rawSocket(publicFeed(), headers);
    await eventually('it is open', () => feed.told().includes('"READY"'));
    for (let job = 0; job < 15; job += 1) await done(seller, (await bought('closing')).id);
    // A Close frame: its code, and what to do. The platform leaves the connection to the reader then.
    await eventually('it is closed', () => feed.told().endsWith('\u000f\u00adanswer, or come back with your cursor'));
    const more = await Promise.all(Array.from({ length: 55 }, () => fetch(publicFeed(), { headers: { ...STREAM, ...headers } })));
    assert.ok(more.every((response) => response.status === 200));
    assert.equal(await status(publicFeed(), headers), 429, 'with it there are 64');
    feed.close();
    await eventually('its place is free', async () => (await status(publicFeed(), headers)) === 200);
    await Promise.all([...streams, ...more].map((response) => response.body?.cancel()));
  });

  it('tells in a few milliseconds', async () => {
    const seller = await world.seller({ profile: MOCK, capability: 'latency', capacity: 50 });
    const latency = await feedLatency(world, MOCK);
    for (let job = 0; job < 20; job += 1) {
      const { id } = await bought('latency');
      await latency.timed('RUNNING', id, () => world.call(seller, `jobs/${id}/start`));
    }
    await eventually('all came', () => latency.all().length === 20);
    console.log(`feed latency, call to reader: ${latency.median().toFixed(1)} ms (median of 20)`);
    assert.ok(latency.median() < 250);
    await latency.stop();
  });
});
