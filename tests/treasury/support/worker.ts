/** Runs the built treasury in workerd, and asks it as programs without a client do. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { workerdChildren } from '../../../scripts/children.mjs';
import { Log, LogLevel, Miniflare } from '../../support/miniflare.ts';

export const OPERATOR = 'operator-token-of-the-tests-0123456789';
export const VERSION = '0.1.0-alpha.22';
const BUILD = process.env['FAREBOX_TREASURY_BUILD'] ?? 'build/treasury';
export const DRILL = process.env['FAREBOX_TREASURY_DRILL_BUILD'] ?? 'build/treasury-drill';

/** A key that a configuration seeds. */
export const bootstrapKey = (organization: string, id: string): string => `fbk_${organization}_${id}_${'s3cret'.repeat(6)}`;

export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly json: any };
export type Options = {
  readonly build?: string;
  readonly vars?: Readonly<Record<string, unknown>>;
  /** Services bound under these names. */
  readonly bound?: Readonly<Record<string, (request: Request) => Promise<Response>>>;
};

export class Treasury {
  url = '';
  pid = -1;
  logs = '';
  readonly #options: Options;
  readonly #folder = mkdtempSync(join(tmpdir(), 'farebox-treasury-'));
  #miniflare: Miniflare | undefined;

  private constructor(options: Options) {
    this.#options = options;
  }

  static async start(options: Options = {}): Promise<Treasury> {
    const treasury = new Treasury(options);
    await treasury.begin();
    return treasury;
  }

  /** Starts workerd on what is stored, at the same address as before. */
  async begin(): Promise<void> {
    const folder = resolve(this.#options.build ?? BUILD);
    const before = workerdChildren();
    const modules = [
      { type: 'ESModule' as const, path: 'index.js', contents: readFileSync(join(folder, 'index.js'), 'utf8') },
      { type: 'CompiledWasm' as const, path: 'index_bg.wasm', contents: readFileSync(join(folder, 'index_bg.wasm')) },
    ];
    this.#miniflare = new Miniflare({
      host: '127.0.0.1',
      port: this.url === '' ? 0 : Number(new URL(this.url).port),
      cf: false,
      log: new Log(LogLevel.NONE),
      defaultPersistRoot: this.#folder,
      handleRuntimeStdio: (out, err) => {
        for (const stream of [out, err]) stream.on('data', (piece: Buffer) => { this.logs += String(piece); });
      },
      workers: [{
        name: 'treasury',
        compatibilityDate: '2026-04-01',
        modules,
        durableObjects: { TREASURY: { className: 'Treasury', useSQLite: true } },
        serviceBindings: { ...this.#options.bound } as Record<string, never>,
        bindings: { ...VARIABLES, ...this.#options.vars } as Readonly<Record<string, unknown>> as Record<string, string>,
      }],
    });
    this.url = (await this.#miniflare.ready).origin;
    this.pid = workerdChildren().find((pid) => !before.includes(pid)) ?? -1;
  }

  /** Ends workerd as a lost machine would, and starts it again. */
  async kill(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await this.#miniflare?.dispose();
    await this.begin();
  }

  async stop(): Promise<void> {
    await this.#miniflare?.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async ask(method: string, path: string, { token, body, headers = {} }: { token?: string; body?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}`, 'x-402flow-sdk-version': VERSION }), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    let json: unknown;
    try { json = JSON.parse(text); } catch { json = undefined; }
    return { status: response.status, headers: response.headers, text, json };
  }

  /** Asks as the operator. */
  operate(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.ask(method, `/api/organizations${path}`, { token: OPERATOR, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  }

  /** A runtime token for a seeded key. */
  async token(organization = 'acme', id = 'buyer'): Promise<string> {
    const answer = await this.ask('POST', '/api/sdk/runtime-tokens', { token: bootstrapKey(organization, id) });
    return String(answer.json?.token);
  }
}

export const ANVIL_KEY = `0x${'59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'}`;
const VARIABLES = {
  TREASURY_SECRET: randomBytes(32).toString('hex'),
  OPERATOR_TOKEN: OPERATOR,
  TEST_NETWORKS_ONLY: true,
  ALLOW_LOCAL_MERCHANTS: true,
  BUYER_KEY: bootstrapKey('acme', 'buyer'),
  OTHER_KEY: bootstrapKey('other', 'buyer'),
  WALLET_KEY: ANVIL_KEY,
  WALLETS: [{ name: 'main', networks: ['eip155:84532'], secret: 'WALLET_KEY' }],
  ORGANIZATIONS: [
    { name: 'acme', environment: 'test', policy: { allowedOrigins: ['https://api.example.com'] }, agents: [{ name: 'buyer', bootstrapKey: 'BUYER_KEY' }] },
    { name: 'other', environment: 'test', policy: {}, agents: [{ name: 'buyer', bootstrapKey: 'OTHER_KEY' }] },
  ],
};

/** Waits until something holds; it is asked for again and again. */
export async function eventually<T>(what: string, holds: () => Promise<T | undefined | false>): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const found = await holds();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}
