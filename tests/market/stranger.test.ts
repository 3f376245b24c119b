/**
 * Somebody who proves nothing asks each route of the gate, the treasury, the market and the exchange, from many networks and at several hours. What
 * docs/limits.md says of others holds: nothing of theirs is refused, ended or shown, they are slowed by no more than its factor, and storage and calls
 * stay within its bounds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';

import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

import { type ExchangeWorld, LIVE, signedPayment, startExchangeWorld } from '../../demo/exchange-world.mjs';
import { signedSkill } from '../../demo/skill-proof.mjs';
import type { Switch } from '../../demo/switch.mjs';
import { costly } from '../support/hostile/costs.ts';
import type { Json, Shape } from '../support/hostile/mutate.ts';
import { documentedRoutes, pathOf, type Worker } from '../support/hostile/routes.ts';
import { type Attacked, attack, middleOf, requestsTo } from '../support/hostile/stranger.ts';
import { TO, requestsOf as toTreasury } from '../treasury/support/requests.ts';
import { freshPayer, pay } from '../worker/support/payer.ts';
import type { HeaderRow } from '../worker/support/raw.ts';
import { requestsOf as toExchange } from './exchange/requests.ts';
import { Deal, PRICE } from './exchange/support.ts';
import { earned, plainSkill, type SkillsWorld, startSkillsWorld, untilSold } from './market.ts';
import { SKILLS, requestsOf as toMarket } from './support/requests.ts';

const LIMIT = { timeout: 300_000 };
/** Requests of a round that all begin at once, and of one some hours later. */
const REQUESTS = 2_000;
const LATER = 500;
/** As docs/limits.md says; what is quick anyway may be as slow as a busy machine makes it. */
const FACTOR = 10;
const LEAST_MS = 5_000;
const MIB = 1024 * 1024;
const ALARM_BYTES = 32 * 1024;
const HOUR_SECS = 3_600;
/** New wallets of a stranger, each with a payment that it cannot make, and how often the worlds let a gate read the chain for one of these. */
const WALLETS = 12;
const READS_A_SEC = 3;
/** Objects of the gate's ledger, and the one that counts what is logged. */
const OBJECTS = 17;
const NOBODY = { agent: '', key: '', lookup: '', payouts: '', operator: '' };

describe('a stranger at the gate, the market and the treasury', { concurrency: 1 }, () => {
  let world: SkillsWorld;
  let attacked: readonly Attacked[];
  let skill: Awaited<ReturnType<typeof plainSkill>>;
  let link: string;
  let seed = 0;
  before(async () => {
    world = await startSkillsWorld({ vars: { COMPATIBILITY: 'open-stellar' } });
    skill = await plainSkill(world, 'deliver');
    await untilSold(world, skill.id);
    const bought = await world.invoke('agent-1', skill.id, { payload: { of: 'the victim' }, key: 'of-the-victim' });
    assert.equal(bought.status, 200, bought.text);
    const made = await operate('POST', '/api/v6/pay/a2a/payment/create', {
      organization: 'acme',
      type: 'charge',
      network: 'eip155:84532',
      symbol: 'USDC',
      recipient: TO,
      amount: '0.01',
    });
    link = made.json.data.paymentId;
    const published: Json[] = await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const account = privateKeyToAccount(generatePrivateKey());
        const free = {
          skillId: `free-${index}`,
          name: 'Free',
          description: 'Of a new wallet',
          callUrl: `${world.sellers.url}/deliver/free-${index}`,
          price: '$0.01',
          payTo: account.address,
          agentId: skill.id,
        };
        return (await signedSkill({ market: world.url, action: 'publish', skill: free, account, now: world.now() })) as Json;
      }),
    );
    // Their own wallet signs for the skill of another.
    const rogue = privateKeyToAccount(generatePrivateKey());
    const forged = async (action: 'version' | 'deactivate' | 'rotate', more: Record<string, unknown> = {}): Promise<Json> =>
      (await signedSkill({
        market: world.url,
        action,
        id: skill.id,
        skill: { payTo: skill.seller.address, ...more },
        account: rogue,
        now: world.now(),
      })) as Json;
    const secrets = new Map([
      ["the operator's token", world.tokens.operator],
      ['the token of look-ups', world.tokens.lookup],
      ['the secret of gate and market', world.tokens.origin],
      ["an agent's token", await world.tokenOf('agent-1')],
      ["an agent's key", world.agents[0]?.bootstrapKey ?? 'none'],
      ['what a seller signs with', skill.published.json.secret],
      ["an agent's payload", 'the victim'],
      ['an answer', 'skill executed'],
      ["a wallet's key", world.wallet.privateKey.slice(2)],
    ]);
    const names = [
      skill.id,
      bought.json.ledgerId,
      bought.json.receipt.txHash,
      'agent-1',
      'acme',
      skill.seller.address,
      'rcpt_of-a-stranger',
    ];
    const shapes = toMarket({
      agent: 'agent-1',
      skills: [skill.id],
      entry: bought.json.ledgerId,
      published,
      wallet: rogue.address,
      changes: {
        id: skill.id,
        version: await forged('version', { price: '$9.00', version: '9.0.0' }),
        deactivate: await forged('deactivate'),
        rotate: await forged('rotate'),
      },
      tokens: { agent: '', operator: '' },
    });
    const tokens = NOBODY;
    attacked = [
      {
        worker: 'gate',
        url: world.url,
        shapes: (await payments(`${world.url}/s/${skill.id}`, world.wallet.address)).map(shapeOf(`/s/${skill.id}`)),
        names,
        secrets,
      },
      { worker: 'market', url: world.market.url, shapes, names, secrets, own: [`POST ${SKILLS}`] },
      { worker: 'market', url: world.url, shapes, names, secrets, isThrough: true },
      {
        worker: 'treasury',
        url: world.treasury.url,
        shapes: toTreasury({
          organization: 'acme',
          agent: 'agent-1',
          merchant: world.charging.url,
          wallet: 'main',
          receipt: 'rcpt_x',
          links: [`${link.slice(0, -1)}${link.endsWith('0') ? '1' : '0'}`, link],
          tokens,
        }),
        names,
        secrets,
      },
    ];
  }, LIMIT);
  after(() => world?.stop());

  const operate = (method: string, path: string, body?: unknown) =>
    world.ask(method, path, {
      base: world.treasury.url,
      headers: { authorization: `Bearer ${world.tokens.operator}` },
      ...(body === undefined ? {} : { body }),
    });
  /** What others have, as they and the operator see it. */
  const standing = async () => {
    const agent = { authorization: `Bearer ${await world.tokenOf('agent-1')}` };
    const answers = await Promise.all([
      world.ask('GET', `/api/marketplace/skills/${skill.id}`),
      world.ask('GET', '/api/marketplace/invocations?agentId=agent-1', { headers: agent }),
      world.ask('GET', '/api/marketplace/agents/agent-1/spend', { headers: agent }),
      ...['', '/agents', '/agents/agent-1/bootstrap-keys', '/agents/agent-1/runtime-tokens', '/budgets', '/reviews', '/decisions'].map(
        (path) => operate('GET', `/api/organizations/acme${path}`),
      ),
      world.ask('GET', `/api/v6/pay/a2a/p/${link}/status`, { base: world.treasury.url }),
    ]);
    return answers.map(({ status, text }) => [status, text]);
  };
  const stored = async () => ({
    gate: await world.gate.stored(),
    market: await world.market.stored(),
    treasury: await world.treasury.stored(),
  });
  const invoke = async (turn: string): Promise<void> => {
    const { result, paid } = await earned(world, skill.seller, () => world.invoke('agent-1', skill.id, { payload: { turn } }));
    assert.deepEqual([result.status, paid], [200, 250_000n], result.text);
  };

  it('asks every route that docs/limits.md names, whose methods are those that are allowed', LIMIT, async () => {
    await covers(attacked, ['gate', 'market', 'treasury'], { authorization: `Bearer ${world.tokens.operator}` });
  });

  // I-20
  it('leaves what others have as it is, storage and calls within their bounds', LIMIT, async (t) => {
    const [before, had] = [await standing(), await stored()];
    const called = callsOf(world.switches);
    for (const [hours, requests] of [
      [0, REQUESTS],
      [1, LATER],
      [24, LATER],
    ] as const) {
      if (hours > 0) await world.wait(hours * HOUR_SECS);
      const said = await attack((seed += 1), attacked, requests);
      bounded(t, `${hours} h later`, said, had, await stored(), called, callsOf(world.switches));
      if (hours === 0) assert.deepEqual(await standing(), before);
    }
  });

  //
  it('asks for nothing that costs more than looks do, however long a request is', LIMIT, async () => {
    assert.deepEqual(await costly(attacked, [world.gate.pid, world.market.pid, world.treasury.pid]), []);
  });

  // I-25
  it("slows an agent's purchase by no more than its factor, and refuses none", LIMIT, async (t) => {
    await slowed(t, invoke, (until) => attack((seed += 1), attacked, 0, until));
  });
});

describe('a stranger at the exchange', { concurrency: 1 }, () => {
  const SEATS = 100;
  const PROMPT = 'prompt of the victim';
  let world: ExchangeWorld;
  let attacked: readonly Attacked[];
  let deal: Deal;
  let job: { readonly id: string; readonly token: string };
  let seed = 100;
  before(async () => {
    world = await startExchangeWorld();
    const [seller, buyer] = [await world.seller({ capability: 'shared', capacity: SEATS }), await world.wallet()];
    deal = await ordered(seller, buyer, PROMPT);
    const paid = await deal.verify();
    assert.equal(paid.status, 200, paid.text);
    job = { id: paid.json.job_id, token: paid.json.job_token };
    assert.equal((await deal.call('start', job.id)).status, 200);
    const rogue = privateKeyToAccount(generatePrivateKey());
    const identity = world.issuer.token({ sub: 'rogue', agent_id: 'rogue', wallet_address: rogue.address, exp: world.now() + HOUR_SECS });
    const foreign = { quote: deal.quote.payment_id, payment: deal.payment };
    const secrets = new Map([
      ["the operator's token", world.tokens.operator],
      ['the secret of gate and market', world.tokens.origin],
      ['the token of payouts', world.tokens.payouts],
      ['the token of refunds', world.tokens.refunds],
      ['the secret of notices', world.tokens.webhook],
      ["the escrow wallet's key", world.escrow.privateKey.slice(2)],
      ["a seller's session", seller.token],
      ["a buyer's token", job.token],
      ["a buyer's prompt", PROMPT],
    ]);
    const names = [job.id, foreign.quote, seller.wallet.address, buyer.address, 'shared'];
    const shapes = toExchange({
      capabilities: ['shared', 'pretended'],
      seller: { address: seller.wallet.address, agent: seller.agent },
      pretender: seller.wallet,
      buyer: buyer.address,
      jobs: [job.id, job.id],
      fingerprints: [deal.quote.fingerprint, deal.quote.fingerprint],
      foreign,
      tokens: { seller: identity, pretender: '', job: '', identity },
    });
    // The payment stands on the chain for all to read, and its buyer's order is one that can be guessed.
    const replayed = (): Shape => ({
      method: 'POST',
      path: '/api/v1/jobs/verify',
      headers: { 'x-payment': deal.payment },
      body: {
        fingerprint: deal.quote.fingerprint,
        payload: { buyer_id: buyer.address, capability: 'shared', prompt: PROMPT, network_profile: LIVE },
      },
    });
    const open = await world.quote(rogue, 'a stranger', { capability: 'shared' });
    const till = `/till/${open.json.payment_id}`;
    const sold = (await payments(`${world.gate.url}${till}`, buyer.address)).map(shapeOf(till));
    attacked = [
      { worker: 'exchange', url: world.url, shapes: [...shapes, replayed, replayed], names, secrets },
      { worker: 'gate', url: world.gate.url, shapes: sold, names, secrets },
      { worker: 'treasury', url: world.treasury.url, shapes: [], names: [...names, 'exchange', 'escrow'], secrets },
    ];
  }, LIMIT);
  after(() => world?.stop());

  async function ordered(seller: Deal['seller'], buyer: Deal['buyer'], prompt: string): Promise<Deal> {
    const quote = await world.quote(buyer, prompt, { capability: 'shared' });
    assert.equal(quote.status, 402, quote.text);
    const payload = { buyer_id: buyer.address, capability: 'shared', prompt, network_profile: LIVE };
    return new Deal(
      world,
      seller,
      buyer,
      quote.json,
      await signedPayment(world, buyer, quote.json),
      { fingerprint: quote.json.fingerprint, payload },
      await world.chain.balanceOf(buyer.address),
    );
  }
  const stored = async () => ({
    market: await world.market.stored(),
    gate: await world.gate.stored(),
    treasury: await world.treasury.stored(),
  });

  it('asks every route that docs/limits.md names, whose methods are those that are allowed', LIMIT, () =>
    covers(attacked, ['exchange'], {}),
  );

  // I-20
  it('leaves a job and its seller as they are, and storage within its bounds', LIMIT, async (t) => {
    const had = await stored();
    const called = callsOf(world.switches);
    const said = await attack((seed += 1), attacked, REQUESTS);
    bounded(t, 'at the exchange', said, had, await stored(), called, callsOf(world.switches));
    const { json } = await world.ask('GET', `/api/v1/jobs/${job.id}`, { headers: { authorization: `Bearer ${job.token}` } });
    assert.equal(json.status, 'running', JSON.stringify(json));
    assert.equal((await world.call(deal.seller, 'sellers/heartbeat')).status, 200);
    const done = await deal.call('complete', job.id);
    assert.deepEqual([done.status, await deal.paid()], [200, PRICE], done.text);
  });

  //
  it('asks for nothing that costs more than looks do, however long a request is', LIMIT, async () => {
    assert.deepEqual(await costly(attacked, [world.gate.pid, world.market.pid, world.treasury.pid]), []);
  });

  // I-25
  it("slows a buyer's job by no more than its factor, and refuses none", LIMIT, async (t) => {
    const one = async (turn: string): Promise<void> => {
      const bought = await ordered(deal.seller, await world.wallet(), `prompt ${turn}`);
      const paid = await bought.verify();
      assert.equal(paid.status, 200, paid.text);
      assert.equal((await bought.call('start', paid.json.job_id)).status, 200);
      const done = await bought.call('complete', paid.json.job_id);
      assert.deepEqual([done.status, done.json.status], [200, 'done'], done.text);
    };
    // What went before may have taken longer than the minute for which a seller counts as there.
    assert.equal((await world.call(deal.seller, 'sellers/heartbeat')).status, 200);
    await slowed(t, one, (until) => attack((seed += 1), attacked, 0, until));
  });
});

type Stored = Readonly<Record<'gate' | 'market' | 'treasury', { readonly bytes: number; readonly objects: number }>>;
type Calls = { readonly facilitator: number; readonly node: number; readonly at: number };
const callsOf = ({ facilitator, node }: { readonly facilitator: Switch; readonly node: Switch }): Calls => ({
  facilitator: facilitator.counts.seen,
  node: node.counts.seen,
  at: performance.now(),
});

/** Holds what an honest party does among strangers to its time alone. */
async function slowed(
  t: TestContext,
  one: (turn: string) => Promise<void>,
  among: (until: Promise<void>) => Promise<unknown>,
): Promise<void> {
  const quietMs = await middleOf((turn) => one(`quiet ${turn}`));
  let busyMs = 0;
  await among(
    middleOf((turn) => one(`busy ${turn}`)).then((ms) => {
      busyMs = ms;
    }),
  );
  t.diagnostic(`${quietMs.toFixed(0)} ms alone, ${busyMs.toFixed(0)} ms among strangers`);
  assert.ok(busyMs <= Math.max(FACTOR * quietMs, LEAST_MS), `${quietMs} ms alone, ${busyMs} ms among strangers`);
}

/** Storage and calls of a round are those of docs/limits.md. */
function bounded(
  t: TestContext,
  when: string,
  { asked, statuses }: Awaited<ReturnType<typeof attack>>,
  had: Stored,
  now: Stored,
  called: Calls,
  calls: Calls,
): void {
  const left = (worker: keyof Stored) => ({
    bytes: now[worker].bytes - had[worker].bytes,
    objects: now[worker].objects - had[worker].objects,
  });
  const secs = Math.ceil((calls.at - called.at) / 1_000);
  const made = { facilitator: calls.facilitator - called.facilitator, node: calls.node - called.node };
  t.diagnostic(
    `${when}, ${asked} requests: ${statuses}; left ${JSON.stringify({ gate: left('gate'), market: left('market'), treasury: left('treasury') })}, calls ${JSON.stringify(made)}`,
  );
  // Nothing is theirs; its alarm follows what others have paid.
  assert.ok(left('treasury').bytes <= ALARM_BYTES && left('treasury').objects === 0, JSON.stringify(left('treasury')));
  // At most those of the other profile, and of the skills, whose page is `/`.
  assert.ok(left('market').bytes <= MIB && left('market').objects <= 2, JSON.stringify(left('market')));
  assert.ok(left('gate').bytes <= 2 * MIB && now.gate.objects <= OBJECTS, JSON.stringify(left('gate')));
  // What is not known yet is read again as long as it lasts: on a slow machine longer.
  const reads = WALLETS * READS_A_SEC * secs;
  assert.ok(made.facilitator <= REQUESTS / 10 && made.node <= REQUESTS / 2 + reads, `${JSON.stringify(made)} in ${secs} s`);
}

/** Payments of new wallets without money, and some in another's name: what a stranger can sign. */
async function payments(url: string, victim: string): Promise<readonly HeaderRow[]> {
  const unpaid = await fetch(url, { method: 'POST', body: '{}' });
  await unpaid.body?.cancel();
  const required = JSON.parse(Buffer.from(unpaid.headers.get('payment-required') ?? '', 'base64').toString());
  const own = Array.from(
    { length: WALLETS },
    async (_, index) => (await pay(freshPayer(), required, { version: index % 2 === 0 ? 1 : 2 })).row,
  );
  const forged = Array.from({ length: 6 }, async () => (await pay(freshPayer(), required, { signed: { from: victim } })).row);
  return Promise.all([...own, ...forged]);
}

const shapeOf =
  (path: string) =>
  ([name, value]: HeaderRow) =>
  (): Shape => ({ method: 'POST', path, headers: { [name]: value }, body: {} });

/** Every documented route is asked, and a path that is asked by a method that it has not names those that the document has. */
async function covers(attacked: readonly Attacked[], workers: readonly Worker[], headers: Record<string, string>): Promise<void> {
  for (const worker of workers) {
    const [of] = attacked.filter((it) => it.worker === worker);
    const routes = documentedRoutes(worker);
    assert.ok(of !== undefined && requestsTo([of]).length >= routes.length);
    const random = { below: () => 0, pick: <T>(all: readonly T[]): T => all[0] as T, bytes: (length: number) => Buffer.alloc(length, 7) };
    const asked = requestsTo([of]).map(({ shape }) => shape(random));
    assert.deepEqual(
      routes.filter((route) => !asked.some(({ method, path }) => method === route.method && pathOf(routes, path) === route.path)),
      [],
    );
    for (const path of new Set(routes.map((route) => route.path))) {
      const sample = asked.find((it) => pathOf(routes, it.path) === path)?.path ?? '';
      const answer: Response = await fetch(`${of.url}${sample}`, { method: 'PROPFIND', headers });
      await answer.body?.cancel();
      const methods = routes
        .filter((route) => route.path === path)
        .map(({ method }) => method)
        .sort();
      if (answer.status === 405) assert.deepEqual(answer.headers.get('allow')?.split(', ').sort(), methods, `${worker} ${path}`);
    }
  }
}
