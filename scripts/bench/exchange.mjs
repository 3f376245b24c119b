// A market day of the exchange, over HTTP: 50 sellers and 200 buyers make 1,000 jobs of the profile that pretends its money.
//
// Each seat is counted from the 402 that holds it until just before its seller delivers, so that a seat that was sold twice is seen. A
// reader of the public feed sees each job's events in their order, and how long after the call each comes. Processor time is what the
// scheduler has accounted to the Worker's process while quotes are asked for one after the other. Matching is what a quote among all
// sellers takes more than one of a capability that a single seller has, in turns.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { feedLatency, median } from '../../demo/exchange-feeds.mjs';
import { startIssuer } from '../../demo/exchange-world.mjs';
import { startMarket } from '../market.mjs';
import { Processor } from './processor.mjs';
import { expect } from './rounds.mjs';

/** @typedef {import('./scenarios.mjs').Stage} Stage */
/** @typedef {import('./scenarios.mjs').Line} Line */
/** @typedef {{id: string, agent: string, token: string, busy: number, most: number}} BenchSeller */

/**
 * Plays the day.
 *
 * @param {Stage} stage
 * @returns {Promise<Line[]>}
 */
export async function exchangeDay({ choice }) {
  const folder = mkdtempSync(join(tmpdir(), 'farebox-bench-exchange-'));
  const issuer = await startIssuer();
  const wallet = () => privateKeyToAccount(generatePrivateKey()).address;
  const market = await startMarket({
    build: join(choice.build ?? 'build', 'market'),
    persist: folder,
    vars: {
      MARKET_URL: 'https://exchange.example.com',
      NETWORK,
      TEST_NETWORKS_ONLY: 'true',
      EXCHANGE_PROFILES: [{ profile: PROFILE, network: NETWORK, hold: 'mock', bonds: wallet() }],
      IDENTITY: { issuer: issuer.name, jwks: issuer.url },
    },
    secrets: { EXCHANGE_SECRET: randomBytes(32).toString('hex') },
  });

  /**
   * @param {string} path
   * @param {Record<string, unknown>} body
   * @param {Record<string, string>} [headers]
   */
  const post = async (path, body, headers = {}) => {
    const answer = await fetch(`${market.url}/api/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ network_profile: PROFILE, ...body }),
    });
    return { status: answer.status, json: /** @type {any} */ (await answer.json()) };
  };
  /** @type {(seller: BenchSeller, path: string, more?: Record<string, unknown>) => ReturnType<typeof post>} */
  const call = (seller, path, more = {}) => post(path, { seller_id: seller.id, ...more }, { authorization: `Bearer ${seller.token}` });
  const right = (/** @type {{status: number, json: any}} */ answer, /** @type {number} */ status) => {
    expect(answer.status === status, `exchange: ${answer.status} ${JSON.stringify(answer.json).slice(0, 300)}`);
    return answer.json;
  };

  try {
    /** @type {Map<string, BenchSeller>} */
    const sellers = new Map();
    for (let count = 0; count <= SELLERS; count += 1) {
      const capability = count < SELLERS ? 'llm' : ALONE;
      const id = wallet();
      const seller = { id, agent: `agent-${count}`, token: '', busy: 0, most: 0 };
      right(
        await post('sellers/register', {
          seller_id: id,
          capability,
          price_per_task: PRICES[count % PRICES.length],
          capacity: count < SELLERS ? CAPACITY : QUOTES,
          passport_agent_id: seller.agent,
        }),
        200,
      );
      const token = issuer.token({
        sub: seller.agent,
        agent_id: seller.agent,
        wallet_address: id,
        exp: Math.floor(Date.now() / 1000) + 600,
      });
      const opened = await post(
        'sellers/session',
        { seller_id: id, passport_agent_id: seller.agent },
        { authorization: `Bearer ${token}` },
      );
      seller.token = right(opened, 200).seller_session_token;
      right(await call(seller, 'sellers/heartbeat'), 200);
      sellers.set(id.toLowerCase(), seller);
    }

    const feed = await feedLatency(market, PROFILE);
    const done = { jobs: 0, refused: 0, oversold: 0, wrong: 0 };
    /** @type {number[]} */
    const waits = [];
    /** When each job was paid, by its id. */
    const paidAt = new Map();
    let open = true;
    const work = async (/** @type {BenchSeller} */ seller) => {
      while (open) {
        const { jobs = [] } = (await call(seller, 'sellers/jobs')).json;
        if (jobs.length === 0) await pause(20);
        for (const { job_id: id, payload, status } of jobs) {
          if (status !== 'paid') continue;
          const at = paidAt.get(id);
          if (at !== undefined) waits.push(performance.now() - at);
          right(await feed.timed('RUNNING', id, () => call(seller, `jobs/${id}/start`)), 200);
          seller.busy -= 1;
          right(await call(seller, `jobs/${id}/complete`, { result: { text: `${payload.prompt} done` } }), 200);
        }
      }
    };
    const buy = async (/** @type {number} */ number) => {
      const [buyer, client] = [wallet(), { 'cf-connecting-ip': `10.1.${number >> 8}.${number & 255}` }];
      for (let turn = 0; turn < JOBS / BUYERS; turn += 1) {
        const payload = { buyer_id: buyer, capability: 'llm', prompt: `job ${number}/${turn}` };
        let quote = await post('jobs/quote', payload, client);
        while (quote.status === 503) {
          done.refused += 1;
          await pause(25);
          quote = await post('jobs/quote', payload, client);
        }
        const { fingerprint, seller_id: sold } = right(quote, 402);
        const seller = sellers.get(sold.toLowerCase());
        if (seller !== undefined) {
          seller.busy += 1;
          seller.most = Math.max(seller.most, seller.busy);
          if (seller.busy > CAPACITY) done.oversold += 1;
        }
        const verify = { fingerprint, tx_hash: `0x${randomBytes(8).toString('hex')}`, payload: { network_profile: PROFILE, ...payload } };
        const { job_id: id, job_token: token } = right(await post('jobs/verify', verify), 200);
        paidAt.set(id, performance.now());
        for (let job; job?.status !== 'done'; await pause(15)) {
          const read = await fetch(`${market.url}/api/v1/jobs/${id}`, { headers: { authorization: `Bearer ${token}` } });
          job = await read.json();
          expect(read.status === 200 && job.status !== 'failed', `exchange: a job is ${JSON.stringify(job)}`);
          if (job.status === 'done' && job.result?.text !== `${payload.prompt} done`) done.wrong += 1;
        }
        done.jobs += 1;
      }
    };
    const began = performance.now();
    const working = [...sellers.values()].map(work);
    const beating = setInterval(() => {
      for (const seller of sellers.values()) call(seller, 'sellers/heartbeat').catch(() => {});
    }, 20_000);
    await Promise.all(Array.from({ length: BUYERS }, (_, number) => buy(number)));
    open = false;
    clearInterval(beating);
    await Promise.all(working);
    const secs = (performance.now() - began) / 1000;
    expect(done.jobs === JOBS && done.wrong === 0, `exchange: ${JSON.stringify(done)}`);
    for (let turn = 0; feed.all().length < JOBS && turn < 100; turn += 1) await pause(50);
    const disordered = [...paidAt.keys()].filter(
      (id) => !isWhole(feed.feed.lines.filter(({ line }) => line.jobId === id).map(({ line }) => line.type)),
    );
    expect(disordered.length === 0, `exchange: the feed of ${disordered[0]} is not ${EVENTS}`);
    await feed.stop();
    for (const seller of sellers.values()) right(await call(seller, 'sellers/heartbeat'), 200);
    const processor = new Processor(market.pid);
    let client = 0;
    /** @type {(capability: string) => Promise<number>} */
    const quoted = async (capability) => {
      const before = processor.nanoseconds();
      client += 1;
      const asked = { buyer_id: wallet(), capability, prompt: `alone ${client}` };
      right(await post('jobs/quote', asked, { 'cf-connecting-ip': `172.16.${client >> 8}.${client & 255}` }), 402);
      return (processor.nanoseconds() - before) / 1e6;
    };
    /** @type {number[]} */
    const among = [];
    /** @type {number[]} */
    const alone = [];
    for (let count = 0; count < QUOTES; count += 1) {
      among.push(await quoted('llm'));
      alone.push(await quoted(ALONE));
    }
    const [amongMs, aloneMs, feedMs] = [median(among), median(alone), feed.median()];
    const matchMs = amongMs - aloneMs;
    return [
      {
        scenario: `exchange, processor time of matching among ${SELLERS} sellers`,
        unit: 'ms',
        ours: matchMs,
        goal: '≤ 2 ms',
        met: matchMs <= 2,
      },
      { scenario: 'exchange, processor time of a whole quote among them', unit: 'ms', ours: amongMs, goal: '', met: null },
      { scenario: `exchange, seats sold twice in ${JOBS} jobs`, unit: 'seats', ours: done.oversold, goal: '0', met: done.oversold === 0 },
      { scenario: 'exchange, jobs a second', unit: 'jobs/s', ours: JOBS / secs, goal: '', met: null },
      { scenario: 'exchange, paid until its seller is shown it by poll, median', unit: 'ms', ours: median(waits), goal: '', met: null },
      { scenario: 'exchange, from a call to its event at a reader of the feed, median', unit: 'ms', ours: feedMs, goal: '', met: null },
    ];
  } finally {
    await market.stop();
    await issuer.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string[]} types of a job's events, as they came */
const isWhole = (types) => types.filter((type) => EVENTS.includes(type)).join() === EVENTS.join();
const pause = (/** @type {number} */ ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

const PROFILE = 'demo-testnet';
const NETWORK = 'eip155:84532';
const SELLERS = 50;
/** Seats of each. */
const CAPACITY = 3;
const BUYERS = 200;
const JOBS = 1_000;
const QUOTES = 100;
/** A capability of one seller. */
const ALONE = 'ocr';
/** What the feed tells of a job, once each and in this order. */
const EVENTS = ['PAID', 'RUNNING', 'DONE'];
const PRICES = ['0.005', '0.006', '0.0075'];
