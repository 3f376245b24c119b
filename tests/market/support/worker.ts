/** Runs the built market in workerd beside a small seller, treasury and gate of its own, and asks it as programs without a client do. */
import { createHmac } from 'node:crypto';

import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts';

import { signedSkill } from '../../../demo/skill-proof.mjs';
import { type Answer, Built, modulesIn } from '../../support/built.ts';

export type { Answer } from '../../support/built.ts';

export const OPERATOR = 'operator-token-of-the-tests-0123456789';
export const LOOKUP = 'lookup-token-of-the-tests-0123456789abcd';
export const ORIGIN_SECRET = 'origin-secret-of-the-tests-0123456789abcdef';
export const URL_OF_MARKET = 'http://127.0.0.1:1';
export const DRILL = process.env['FAREBOX_MARKET_DRILL_BUILD'] ?? 'build/market-drill';

export type Bound = (request: Request) => Promise<Response>;
export type Options = {
  readonly build?: string;
  readonly vars?: Readonly<Record<string, unknown>>;
  /** The treasury, the gate, and the KV namespace that they share. */
  readonly treasury?: Bound;
  readonly gate?: Bound;
  readonly kv?: Kv;
  /** What becomes of the archive's requests; without it there is no archive. */
  readonly bucket?: Bucket;
  /** The operator's Worker that knows agents. */
  readonly reputation?: Bound;
};

/** How an archive is: its own R2 bucket, which the test may spoil. */
export class Bucket {
  readonly asked: { readonly what: 'put' | 'get'; readonly name: string }[] = [];
  /** `pass`, `refuse`, `cut` (another text), `never` (nothing is done, and nothing answered) or `lost` (done, and never answered). */
  way: (what: 'put' | 'get') => 'pass' | 'refuse' | 'cut' | 'never' | 'lost' = () => 'pass';

  async answer(request: Request): Promise<Response> {
    const { what, name } = (await request.json()) as { what: 'put' | 'get'; name: string };
    this.asked.push({ what, name });
    return new Response(this.way(what));
  }
}

/** A stored route table that can be down, slow, or counted. */
export class Kv {
  /** All texts that were written, oldest first. */
  readonly written: string[] = [];
  /** When each was. */
  readonly times: number[] = [];
  /** The number under which the last was. */
  number = 0;
  /** Nothing can be written. */
  isDown = false;
  attempts = 0;
  /** Nothing can be read. */
  isMute = false;
  /** How often it was read. */
  reads = 0;

  get routes(): readonly { readonly path: string; readonly price?: unknown; readonly pay_to?: string }[] {
    const last = this.written.at(-1);
    return last === undefined ? [] : JSON.parse(last);
  }

  paths(): string[] {
    return this.routes.map(({ path }) => path);
  }

  /** What is told of the table that is stored. */
  async look(): Promise<Response> {
    this.reads += 1;
    const value = this.written.at(-1) ?? null;
    return this.isMute ? new Response(null, { status: 503 }) : Response.json({ value, metadata: { number: this.number } });
  }

  async put(text: string, number: number): Promise<Response> {
    this.attempts += 1;
    if (this.isDown) return new Response(null, { status: 503 });
    this.written.push(text);
    this.number = number;
    this.times.push(Date.now());
    return new Response(null, { status: 204 });
  }
}

export class Market extends Built {
  /** How far ahead its clock is from its next start on, seconds. */
  ahead = 0;
  readonly kv: Kv;
  readonly #options: Options;

  private constructor(options: Options) {
    super('market');
    this.#options = options;
    this.kv = options.kv ?? new Kv();
  }

  static async start(options: Options = {}): Promise<Market> {
    const market = new Market(options);
    await market.begin();
    return market;
  }

  protected override options() {
    const { build = 'build/market', vars, treasury = NOTHING, gate = NOTHING, bucket, reputation } = this.#options;
    const archive: Record<string, unknown> = bucket === undefined ? {} : { BUCKET: (request: Request) => bucket.answer(request) };
    const known: Record<string, unknown> = reputation === undefined ? {} : { REPUTATION: reputation };
    const services = {
      TREASURY: treasury,
      GATE: gate,
      TABLE: async (request: Request) => {
        if (request.method === 'GET') return this.kv.look();
        return this.kv.put(await request.text(), Number(request.headers.get('x-number')));
      },
      SELF: 'market',
      ...archive,
      ...known,
    };
    return {
      modules: [
        { type: 'ESModule', path: 'front.js', contents: FRONT.replace('AHEAD_MS', String(this.ahead * 1000)) },
        ...modulesIn(build),
      ],
      durableObjects: { SKILLS: { className: 'Skills', useSQLite: true } },
      ...(bucket === undefined ? {} : { r2Buckets: { ARCHIVE: 'archive' } }),
      serviceBindings: services,
      bindings: { ...VARIABLES, ...vars },
    };
  }

  /** The archive's objects by name. */
  async archived(): Promise<Map<string, string>> {
    const bucket: any = await this.miniflare?.getR2Bucket('ARCHIVE');
    const { objects } = await bucket.list();
    const texts: Promise<readonly [string, string]>[] = objects.map(async ({ key }: { key: string }) => [
      key,
      await (await bucket.get(key)).text(),
    ]);
    return new Map(await Promise.all(texts));
  }

  /** How often the object got each command since the last look at this. */
  async asked(): Promise<Readonly<Record<string, number>>> {
    return (await this.ask('GET', '/', { headers: { 'x-asked': '1' } })).json;
  }

  /** Makes the object answer these commands after so many milliseconds, and fail at those that have none. */
  async delay(ways: Readonly<Record<string, number | null>>): Promise<void> {
    await this.ask('GET', '/', { headers: { 'x-ways': JSON.stringify(ways) } });
  }

  /** Publishes a skill, signed by its owner. */
  async publish(owner: PrivateKeyAccount, skill: Record<string, unknown>, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask('POST', '/api/marketplace/skills', {
      body: await signed('publish', owner, { description: 'Says what came', payTo: owner.address, agentId: 'seller', ...skill }),
      headers,
    });
  }
}

/** A body with its owner's proof, for a market whose clock is so many seconds ahead. */
export function signed(
  action: string,
  owner: PrivateKeyAccount,
  skill: Record<string, unknown>,
  id?: string,
  ahead = 0,
): Promise<Record<string, unknown>> {
  const given = {
    market: URL_OF_MARKET,
    action,
    skill,
    account: owner,
    now: Math.floor(Date.now() / 1000) + ahead,
    ...(id === undefined ? {} : { id }),
  };
  return signedSkill(given as never) as Promise<Record<string, unknown>>;
}

export const USDC = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
export const PAYER = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';
/** What the gate says of a payment, in the order in which it signs it. */
export const NAMES = ['payer', 'payment', 'amount', 'asset', 'network', 'transaction'] as const;
export type Told = Partial<Record<(typeof NAMES)[number], string>>;

/** The header fields of a request that the gate forwards after this payment. */
export function forwarded(
  method: string,
  target: string,
  told: Told = {},
  secs = Math.floor(Date.now() / 1000),
  secret = ORIGIN_SECRET,
): Record<string, string> {
  const said: Told = { payer: PAYER, payment: 'payment-1', amount: '10000', asset: USDC, network: 'eip155:84532', ...told };
  const lines = [String(secs), method, target, ...NAMES.map((name) => said[name] ?? '')];
  const mac = createHmac('sha256', secret).update(lines.join('\n')).digest('hex');
  const fields = NAMES.filter((name) => (said[name] ?? '') !== '').map((name) => [`farebox-${name}`, said[name] ?? '']);
  return { ...Object.fromEntries(fields), 'farebox-signature-v2': `t=${secs},v2=${mac}` };
}

export const newOwner = (): PrivateKeyAccount => privateKeyToAccount(generatePrivateKey());

/** The market with its table in reach of the test, and its clock ahead. */
const FRONT = `
import * as inner from './index.js';
export * from './index.js';
const clock = Date.now;
const ahead = AHEAD_MS;
Date.now = () => clock.call(Date) + ahead;
const table = new WeakMap();
/** How often the object got each command since somebody looked. */
let asked = {};
/** After how many milliseconds each command of a kind is answered; it fails at null. */
let ways = {};
function told() {
  const before = asked;
  asked = {};
  return Response.json(before);
}
function bound(env) {
  let all = table.get(env);
  if (all === undefined) {
    class Store {
      async getWithMetadata() {
        const told = await env.TABLE.fetch('https://table/');
        if (!told.ok) throw new Error('the store is down');
        return told.json();
      }
      async put(_key, text, { metadata }) {
        const headers = { 'x-number': String(metadata.number) };
        const { ok } = await env.TABLE.fetch('https://table/', { method: 'POST', body: text, headers });
        if (!ok) throw new Error('the store is down');
      }
    }
    const { TABLE: _, SELF: __, BUCKET: faults, SKILLS: objects, ...rest } = env;
    const SKILLS = {
      idFromName: (name) => objects.idFromName(name),
      get: (id) => ({
        async ask(name, letter) {
          const { command } = JSON.parse(letter);
          const of = typeof command === 'string' ? command : Object.keys(command)[0];
          asked[of] = (asked[of] ?? 0) + 1;
          if (ways[of] === null) throw new Error('the object is down');
          if (ways[of] !== undefined) await new Promise((resolve) => setTimeout(resolve, ways[of]));
          return objects.get(id).ask(name, letter);
        },
      }),
    };
    const way = async (what, name) => (await faults.fetch('https://bucket/', { method: 'POST', body: JSON.stringify({ what, name }) })).text();
    class Archive {
      put(name, text, options) {
        return spoiled(() => way('put', name), (cut) => env.ARCHIVE.put(name, cut ? text.slice(1) : text, options));
      }
      get(name) {
        return spoiled(() => way('get', name), async (cut) => {
          const object = await env.ARCHIVE.get(name);
          return cut && object !== null ? { text: async () => (await object.text()).slice(1) } : object;
        });
      }
    }
    all = { ...rest, SKILLS, CONFIG: new Store(), ...(faults === undefined ? {} : { ARCHIVE: new Archive() }) };
    table.set(env, all);
  }
  return all;
}
async function spoiled(ask, run) {
  const way = await ask();
  if (way === 'refuse') throw new Error('the bucket is down');
  if (way === 'never') return new Promise(() => {});
  const done = await run(way === 'cut');
  return way === 'lost' ? new Promise(() => {}) : done;
}
export class Skills extends inner.Skills {
  constructor(state, env) {
    const set = state.storage.setAlarm.bind(state.storage);
    state.storage.setAlarm = (at, ...more) => set(Math.max(Number(at) - ahead, 1), ...more);
    super(state, bound(env));
  }
}
/** What a Worker sees that asks this one through a binding, as the gate does. */
async function seen(request, env) {
  const headers = new Headers(request.headers);
  headers.delete('x-seen');
  const { status, body } = await env.SELF.fetch(new Request(request, { headers }));
  let bytes = 0;
  try {
    for await (const piece of body) bytes += piece.byteLength;
    return Response.json({ status, bytes, end: 'whole' });
  } catch {
    return Response.json({ status, bytes, end: 'broken' });
  }
}
export default {
  fetch(request, env, context) {
    if (request.headers.has('x-asked')) return told();
    if (request.headers.has('x-ways')) return Response.json((ways = JSON.parse(request.headers.get('x-ways'))));
    return request.headers.has('x-seen') ? seen(request, env) : inner.default.fetch(request, bound(env), context);
  },
  scheduled: (controller, env, context) => inner.default.scheduled(controller, bound(env), context),
};
`;

const NOTHING: Bound = async () => new Response(null, { status: 503 });

const VARIABLES = {
  MARKET_URL: URL_OF_MARKET,
  MARKET_SECRET: 'market-secret-of-the-tests-0123456789abcdef',
  ORIGIN_SECRET,
  OPERATOR_TOKEN: OPERATOR,
  LOOKUP_TOKEN: LOOKUP,
  NETWORK: 'eip155:84532',
  PAY_TO: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  TEST_NETWORKS_ONLY: true,
  ALLOW_LOCAL_SELLERS: true,
};
