/**
 * Runs the built Worker inside workerd and captures all it prints.
 *
 * Requests go to a direct socket of workerd, so that nothing rewrites a target or a header before the Worker sees it.
 * `probe: true` puts a thin module in front that counts the calls and the writes of the ledger object and can make it
 * fail, counts what the isolate fetches, and sets its clock ahead.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { startWatched } from '../../../scripts/children.mjs';
import { Log, LogLevel, Miniflare, type MiniflareOptions } from '../../support/miniflare.ts';

import { PRICER_WORKER } from './pricer.ts';
import { type Answer, Connection, type HeaderRow, type RawRequest } from './raw.ts';

export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

export type GateOptions = {
  readonly vars: Readonly<Record<string, Value>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** Folder of the built Worker [`build`]. */
  readonly build?: string;
  /** Folder that keeps the objects; without one a new folder is used and removed at the end. */
  readonly persist?: string;
  readonly probe?: boolean;
  /** Payments of one network in a minute, by the platform's own rate limit bound as `RATE_LIMITER`. */
  readonly perMinute?: number;
  /** Runs a second Worker on the same objects, as while a deployment rolls out: the variables in which it differs. */
  readonly beside?: Readonly<Record<string, Value>>;
  /** A Worker in front of an origin, bound as `ORIGIN` or standing where the zone's server stands. */
  readonly worker?: { readonly as: 'bound' | 'zone'; readonly origin: string; readonly facilitator: string };
  /** Binds a KV namespace as `CONFIG`; this is its key `routes` in the beginning, unless null. */
  readonly config?: string | null;
  /** Binds a Worker as `PRICER`, which does what the server at this URL tells. */
  readonly prices?: string;
};

/** What reads of the KV namespace do; a probe is needed. */
export type StoreMode = 'ok' | 'down' | 'hang';

/** What a restart changes: each replaces variables or secrets of the same name. */
export type Changes = Pick<Partial<GateOptions>, 'vars' | 'secrets' | 'beside'>;

/**
 * `down`: fails before doing anything; `lost`: does it, then fails; `unkept`: answers, but what it wrote cannot be kept;
 * `fetch`: is asked as Workers of an earlier version do; `earlier`: answers as an object of an earlier version.
 */
export type LedgerMode = 'ok' | 'down' | 'lost' | 'overloaded' | 'unkept' | 'fetch' | 'earlier';

export type LedgerCounts = {
  readonly calls: number;
  readonly objects: number;
  readonly asked: readonly string[];
  /** Rows by table, other writes by the name of their call. */
  readonly writes: Readonly<Record<string, number>>;
  /** URLs that were fetched, by Worker and objects. */
  readonly fetched: readonly string[];
  /** How many fetches each alarm of an object made, and how many of them went on at once. */
  readonly alarms: readonly { readonly fetched: number; readonly atOnce: number }[];
  /** When counts were handed over, milliseconds of the Worker's clock; they are in no other number but the writes. */
  readonly handovers: readonly number[];
};

export class Gate {
  url = '';
  /** Where the second Worker listens, if there is one. */
  besideUrl = '';
  readonly logs: string[] = [];
  readonly persist: string;
  #options: GateOptions;
  readonly #ownFolder: boolean;
  #miniflare: Miniflare | undefined;
  pids: readonly number[] = [];
  #stored = false;

  private constructor(options: GateOptions) {
    this.#options = options;
    this.#ownFolder = options.persist === undefined;
    this.persist = options.persist ?? mkdtempSync(join(tmpdir(), 'farebox-gate-'));
  }

  static async start(options: GateOptions): Promise<Gate> {
    const gate = new Gate(options);
    await gate.#run().catch(async (error: unknown) => {
      await gate.stop();
      throw error;
    });
    return gate;
  }

  /** Sends one request on its own connection. */
  async raw(method: string, target: string, headers: readonly HeaderRow[] = [], body?: RawRequest['body']): Promise<Answer> {
    const connection = await this.connect();
    try {
      return await connection.send({ method, target, headers, ...(body === undefined ? {} : { body }) });
    } finally {
      connection.close();
    }
  }

  connect(url = this.url): Promise<Connection> {
    return Connection.open(url);
  }

  async stop(): Promise<void> {
    await this.#miniflare?.dispose();
    this.#miniflare = undefined;
    if (this.#ownFolder) rmSync(this.persist, { recursive: true, force: true });
  }

  /** Ends workerd and starts it again on the same folder; `kill` ends it without warning. */
  async restart(how: 'dispose' | 'kill' = 'dispose', changes: Changes = {}): Promise<void> {
    const { vars, secrets } = this.#options;
    this.#options = { ...this.#options, ...changes, vars: { ...vars, ...changes.vars }, secrets: { ...secrets, ...changes.secrets } };
    if (how === 'kill') for (const pid of this.pids) process.kill(pid, 'SIGKILL');
    await this.#miniflare?.dispose();
    await this.#run();
  }

  /** Counts since the last call with a mode; with `at` the mode concerns only the call of that number, or so many from there. */
  async ledger(mode?: LedgerMode, at = 0, times = 1): Promise<LedgerCounts> {
    const answer = await this.raw('GET', `/__probe/ledger${mode === undefined ? '' : `?mode=${mode}&at=${at}&times=${times}`}`);
    return JSON.parse(answer.text) as LedgerCounts;
  }

  /** Writes the stored route table, or removes it. */
  async store(table: string | null): Promise<void> {
    const store = (await this.#miniflare?.getKVNamespace('CONFIG', 'gate')) as unknown as Store;
    await (table === null ? store.delete('routes') : store.put('routes', table));
  }

  /** How often the table was read so far; with a mode, what reads do from now on. */
  async reads(mode?: StoreMode): Promise<number> {
    return Number((await this.raw('GET', `/__probe/store${mode === undefined ? '' : `?mode=${mode}`}`)).text);
  }

  /** What objects were asked, with the jurisdiction and the location that each call named. A probe is needed. */
  async homes(): Promise<readonly (readonly [asked: string, jurisdiction: string | null, location: string | null])[]> {
    return JSON.parse((await this.raw('GET', '/__probe/homes')).text) as [string, string | null, string | null][];
  }

  /** Sets the Worker's clock ahead, and its objects' with it; gives its time, unix seconds. A probe is needed. */
  async ahead(secs: number): Promise<number> {
    return Number((await this.raw('GET', `/__probe/clock?secs=${secs}`)).text);
  }

  /** Runs the scheduled trigger. */
  async scheduled(): Promise<string> {
    const worker = await this.#miniflare?.getWorker();
    const trigger = worker as unknown as { scheduled(options: { cron: string }): Promise<{ outcome: string }> } | undefined;
    return (await trigger?.scheduled({ cron: '*/15 * * * *' }))?.outcome ?? 'not running';
  }

  get printed(): string {
    return this.logs.join('');
  }

  async #run(): Promise<void> {
    ({ pids: this.pids } = await startWatched(() => this.#start()));
  }

  async #start(): Promise<void> {
    this.#miniflare = new Miniflare(miniflareOptions(this.#options, this.persist, (text) => this.logs.push(text)));
    await this.#miniflare.ready;
    if (typeof this.#options.config === 'string' && !this.#stored) await this.store(this.#options.config);
    this.#stored = true;
    const url = await this.#miniflare.unsafeGetDirectURL('gate');
    this.url = url.origin;
    if (this.#options.beside !== undefined) this.besideUrl = (await this.#miniflare.unsafeGetDirectURL('beside')).origin;
  }
}

type Store = { put(key: string, value: string): Promise<void>; delete(key: string): Promise<void> };

class CapturingLog extends Log {
  readonly #keep: (text: string) => void;

  constructor(keep: (text: string) => void) {
    super(LogLevel.VERBOSE);
    this.#keep = keep;
  }

  protected override log(message: string): void {
    this.#keep(`${message}\n`);
  }
}

function miniflareOptions(options: GateOptions, persist: string, keep: (text: string) => void): MiniflareOptions {
  const build = resolve(options.build ?? process.env['FAREBOX_BUILD'] ?? 'build');
  if (!existsSync(join(build, 'index.js'))) throw new Error(`no Worker in ${build}: run the build first`);
  const modules = readdirSync(build)
    .filter((name) => name.endsWith('.js') || name.endsWith('.wasm'))
    .sort((a, b) => Number(b === 'index.js') - Number(a === 'index.js'))
    .map((name) =>
      name.endsWith('.wasm')
        ? { type: 'CompiledWasm' as const, path: join(build, name), contents: readFileSync(join(build, name)) }
        : { type: 'ESModule' as const, path: join(build, name), contents: readFileSync(join(build, name), 'utf8') },
    );
  const probe = { type: 'ESModule' as const, path: join(build, 'probe-entry.js'), contents: PROBE };
  const tally = { type: 'ESModule' as const, path: join(build, 'tally.mjs'), contents: readFileSync('scripts/tally.mjs', 'utf8') };
  const worker = { modulesRoot: build, compatibilityDate: '2026-04-01', unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] };
  const bindings = { ...options.vars, ...options.secrets };
  const ledger = { className: 'Ledger', useSQLite: true };
  const priced: Record<string, string> = options.prices === undefined ? {} : { PRICER: 'pricer' };
  return {
    cf: false,
    host: '127.0.0.1',
    port: 0,
    log: new CapturingLog(keep),
    handleRuntimeStdio: (stdout, stderr) => {
      stdout.on('data', (piece: Buffer) => keep(piece.toString('utf8')));
      stderr.on('data', (piece: Buffer) => keep(piece.toString('utf8')));
    },
    defaultPersistRoot: persist,
    workers: [
      {
        ...worker,
        name: 'gate',
        modules: options.probe === true ? [probe, tally, ...modules] : modules,
        durableObjects: { LEDGER: ledger },
        bindings: bindings as Record<string, never>,
        ...(options.config === undefined ? {} : { kvNamespaces: ['CONFIG'] }),
        serviceBindings: { ...priced, ...(options.worker?.as === 'bound' ? { ORIGIN: 'origin' } : {}) },
        ...(options.worker?.as === 'zone' ? { outboundService: 'origin' } : {}),
        ...(options.perMinute === undefined ? {} : { ratelimits: { RATE_LIMITER: { simple: { limit: options.perMinute, period: 60 } } } }),
      },
      ...(options.worker === undefined
        ? []
        : [
            {
              name: 'origin',
              compatibilityDate: worker.compatibilityDate,
              modules: [{ type: 'ESModule' as const, path: 'origin.mjs', contents: ORIGIN_WORKER }],
              bindings: { ORIGIN: options.worker.origin, FACILITATOR: options.worker.facilitator },
              serviceBindings: { GATE: 'gate' },
            },
          ]),
      ...(options.prices === undefined
        ? []
        : [
            {
              name: 'pricer',
              compatibilityDate: worker.compatibilityDate,
              modules: [{ type: 'ESModule' as const, path: 'pricer.mjs', contents: PRICER_WORKER }],
              bindings: { PRICES: options.prices },
            },
          ]),
      ...(options.beside === undefined
        ? []
        : [
            {
              ...worker,
              name: 'beside',
              modules,
              durableObjects: { LEDGER: { ...ledger, scriptName: 'gate' } },
              bindings: { ...bindings, ...options.beside } as Record<string, never>,
              serviceBindings: priced,
            },
          ]),
    ],
  };
}

/** Asks the scripted origin for everything that is not the facilitator's; some paths it answers by itself. */
const ORIGIN_WORKER = `
export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (url.origin === env.FACILITATOR) return fetch(request);
    if (url.pathname.endsWith('/worker-throws')) throw new Error('the origin Worker fails');
    if (url.pathname.endsWith('/worker-hangs')) return new Promise(() => { setInterval(() => {}, 1000); });
    if (url.pathname.endsWith('/comes-back')) return env.GATE.fetch(request);
    const headers = new Headers(request.headers);
    headers.set('x-url-asked', request.url);
    return fetch(env.ORIGIN + url.pathname + url.search, {
      method: request.method, headers, body: request.body, redirect: 'manual', signal: request.signal,
    });
  },
};
`;

const PROBE = `
import gate, { Ledger as Inner } from './index.js';
import { counted } from './tally.mjs';
let mode = 'ok';
let at = 0;
let times = 1;
let calls = 0;
const objects = new Set();
const asked = [];
const writes = {};
const fetched = [];
const alarms = [];
const handovers = [];
let going = 0;
let atOnce = 0;
const fetchOut = globalThis.fetch;
globalThis.fetch = async (resource, options) => {
  fetched.push(typeof resource === 'string' ? resource : resource.url);
  going += 1;
  atOnce = Math.max(atOnce, going);
  try {
    return await fetchOut(resource, options);
  } finally {
    going -= 1;
  }
};
export class Ledger extends Inner {
  constructor(state, env) {
    super(state, env);
    this.state = counted(state, writes);
    this.probedId = state.id.toString();
  }
  async ask(command, body) {
    // What a Worker hands over at its own time belongs to no case.
    if (/^.{0,9}"(count|operator":{"meter)"/.test(command)) {
      handovers.push(Date.now());
      return super.ask(command, body);
    }
    calls += 1;
    objects.add(this.probedId);
    asked.push(command.slice(0, 40));
    const fault = at === 0 || (at <= calls && calls < at + times) ? mode : 'ok';
    if (fault === 'down') throw new Error('probe: object down');
    if (fault === 'overloaded') throw Object.assign(new Error('Durable Object is overloaded.'), { overloaded: true });
    const answer = await super.ask(command, body);
    if (fault === 'lost') throw new Error('probe: answer lost');
    if (fault === 'unkept') {
      this.ctx.storage.sql.exec('CREATE TABLE first (id INTEGER PRIMARY KEY)');
      this.ctx.storage.sql.exec('CREATE TABLE second (id INTEGER REFERENCES first (id) DEFERRABLE INITIALLY DEFERRED)');
      this.ctx.storage.sql.exec('INSERT INTO second VALUES (1)');
    }
    return answer;
  }
  async alarm() {
    const before = fetched.length;
    atOnce = going;
    try {
      return await super.alarm();
    } finally {
      alarms.push({ fetched: fetched.length - before, atOnce });
    }
  }
}
let reads = 0;
let storeMode = 'ok';
class Store {
  constructor(kv) { this.kv = kv; }
  get(...words) {
    reads += 1;
    if (storeMode === 'down') throw new Error('probe: KV down');
    if (storeMode === 'hang') return new Promise(() => {});
    return this.kv.get(...words);
  }
}
const homes = [];
class Namespace {
  constructor(inner, jurisdiction) { this.inner = inner; this.home = jurisdiction ?? null; }
  // workerd has no jurisdictions: the objects are those without.
  jurisdiction(name) { return new Namespace(this.inner, name); }
  idFromName(name) { return this.inner.idFromName(name); }
  get(id, options) {
    const stub = this.inner.get(id, options);
    return { fetch: (...words) => stub.fetch(...words), ask: (command, body) => {
      if (mode === 'earlier') return stub.nothingOfThisName(command, body);
      const what = Object.keys(JSON.parse(command)).find((name) => name !== 'v');
      homes.push([/^.{0,9}"operator":{"meter"/.test(command) ? 'meters' : what, this.home, options?.locationHint ?? null]);
      return mode === 'fetch' ? askedByFetch(stub, command, body) : stub.ask(command, body);
    } };
  }
}
async function askedByFetch(stub, command, body) {
  const json = new TextEncoder().encode(command);
  const split = body === null ? {} : { 'farebox-split': String(json.byteLength) };
  const message = new Uint8Array([...json, ...(body ?? [])]);
  const response = await stub.fetch('https://ledger/', { method: 'POST', headers: split, body: message });
  const all = new Uint8Array(await response.arrayBuffer());
  const end = Number(response.headers.get('farebox-split') ?? all.length);
  const answer = new TextDecoder().decode(all.subarray(0, end));
  return { answer, body: end === all.length ? null : { whole: all.slice(end) } };
}
const probed = new WeakMap();
function around(env) {
  if (!probed.has(env)) {
    const store = env.CONFIG === undefined ? {} : { CONFIG: new Store(env.CONFIG) };
    probed.set(env, { ...env, ...store, LEDGER: new Namespace(env.LEDGER) });
  }
  return probed.get(env);
}
let ahead = 0;
const clock = Date.now;
Date.now = () => clock.call(Date) + ahead;
export default {
  scheduled: (controller, env, context) => gate.scheduled(controller, around(env), context),
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (url.pathname === '/__probe/homes') return Response.json(homes);
    if (url.pathname === '/__probe/clock') {
      ahead += 1000 * Number(url.searchParams.get('secs'));
      return Response.json(Math.floor(Date.now() / 1000));
    }
    if (url.pathname === '/__probe/store') {
      storeMode = url.searchParams.get('mode') ?? storeMode;
      return Response.json(reads);
    }
    if (url.pathname !== '/__probe/ledger') return gate.fetch(request, around(env), context);
    const counts = { calls, objects: objects.size, asked: [...asked], writes: { ...writes }, fetched: [...fetched], alarms: [...alarms], handovers: [...handovers] };
    const wanted = url.searchParams.get('mode');
    if (wanted) {
      mode = wanted; at = Number(url.searchParams.get('at')); times = Number(url.searchParams.get('times')); calls = 0; objects.clear();
      asked.length = fetched.length = alarms.length = handovers.length = 0;
      for (const name in writes) delete writes[name];
    }
    return Response.json(counts);
  },
};
`;
