// Gates whose ledger is copied from one to the next: the same chain, facilitator, origin, address and secrets, each with rows of its own.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Chain, startChain } from '../../demo/chain.mjs';
import { startFacilitator } from '../../demo/facilitator.mjs';
import { FAILING, gateVars } from '../../demo/gate.mjs';
import { startOrigin } from '../../demo/origin.mjs';
import { freePort } from '../../demo/server.mjs';
import { type Gate, startGate } from '../../scripts/miniflare.mjs';
import { root } from '../../scripts/steps.mjs';
import { payingFetch } from './clients.ts';

export const TOKEN = 'operator-token-of-the-copies-0123456789';
export const SECRETS = { GATE_SECRET: 'g'.repeat(40), LEDGER_SALT: 's'.repeat(40), OPERATOR_TOKEN: TOKEN };
/** A route that is sold by session. */
const SESSION = { path: '/report/live', methods: ['GET'], price: '$0.01', session_delay_secs: 900 };
/** Variables of a gate that sells nothing. */
export const CLOSED = { ROUTES: [{ path: '/closed', price: 'free' }], DEFAULT: 'deny' };

export type Ran = { readonly code: number | null; readonly err: string };

export class Copying {
  readonly folder = mkdtempSync(join(tmpdir(), 'farebox-copies-'));
  readonly #gates = new Set<Gate>();

  private constructor(
    readonly chain: Chain,
    readonly facilitator: Awaited<ReturnType<typeof startFacilitator>>,
    readonly origin: Awaited<ReturnType<typeof startOrigin>>,
    readonly port: number,
  ) {}

  static async start(): Promise<Copying> {
    const chain = await startChain();
    return new Copying(chain, await startFacilitator({ chain }), await startOrigin(), await freePort());
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  vars(): Record<string, unknown> {
    const vars = gateVars(this);
    return { ...vars, ROUTES: [...vars.ROUTES, FAILING], RPC_URL: this.chain.url };
  }

  /** The same of a gate that sells by session, too: nothing is restored into it. */
  withSessions(): Record<string, unknown> {
    const vars = this.vars();
    return { ...vars, ROUTES: [...(vars['ROUTES'] as unknown[]), SESSION] };
  }

  /** Starts a gate with the rows of this name, in the place of the one before. */
  async gate(rows: string, vars: object = {}, secrets: object = {}): Promise<Gate> {
    await this.ended();
    const started = await startGate({
      build: 'build',
      port: this.port,
      persist: this.at(`rows-${rows}`),
      vars: { ...this.vars(), ...vars },
      secrets: { ...SECRETS, ...secrets },
    } as never);
    this.#gates.add(started);
    return started;
  }

  /** Ends the gate that runs. */
  async ended(): Promise<void> {
    for (const gate of this.#gates) await gate.stop();
    this.#gates.clear();
  }

  async stop(): Promise<void> {
    await this.ended();
    await this.origin.stop();
    await this.facilitator.stop();
    await this.chain.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs a command of the package against the gate. */
  run(words: readonly string[], { token = TOKEN, url = this.url, began = (_: ChildProcess): void => {} } = {}): Promise<Ran> {
    const [name = '', ...rest] = words;
    const child = spawn(process.execPath, [join(root, 'pkg/dist/cli/main.js'), name, ...rest, '--at', url], {
      env: { ...process.env, FAREBOX_OPERATOR_TOKEN: token },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    began(child);
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => (err += part));
    return new Promise((resolve) => child.once('close', (code) => resolve({ code, err })));
  }

  /** Restores a copy, and kills the command when it asks for this deed for so many times. */
  async killed(source: string, deed: string, times: number): Promise<void> {
    let [asked, kill] = [0, (): void => {}];
    const proxy = createServer((incoming, answer) => {
      if (incoming.url?.includes(`do=${deed}`) === true && ++asked === times) {
        kill();
        return answer.destroy();
      }
      const passed = request(`${this.url}${incoming.url}`, { method: incoming.method ?? 'GET', headers: incoming.headers }, (said) => {
        answer.writeHead(said.statusCode ?? 500, said.headers);
        said.pipe(answer);
      });
      passed.once('error', () => answer.destroy());
      incoming.pipe(passed);
      return undefined;
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { code } = await this.run(['restore', source], {
      url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
      began: (child) => {
        kill = () => child.kill('SIGKILL');
      },
    });
    proxy.close();
    assert.equal(code, null, 'it was killed');
  }

  /** Pays for a path, and returns the answer with the payment. */
  async pay(path: string, payer = this.chain.accounts.payer): Promise<{ status: number; payment: string }> {
    let payment = '';
    const noting = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
      const request = new Request(input, init);
      payment = request.headers.get('payment-signature') ?? payment;
      return fetch(request);
    };
    const answer = await payingFetch(noting as typeof fetch, payer)(`${this.url}${path}`);
    await answer.arrayBuffer();
    return { status: answer.status, payment };
  }

  /** Shows a payment once more: status and code. */
  async show(path: string, payment: string): Promise<readonly [number, unknown]> {
    const answer = await fetch(`${this.url}${path}`, { headers: { 'payment-signature': payment } });
    const text = await answer.text();
    return [answer.status, /"code":"(\w+)"/.exec(text)?.[1] ?? text.length];
  }

  get operator(): Record<string, string> {
    return { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  }

  async ask(path: string, more: RequestInit = {}): Promise<string> {
    const answer = await fetch(`${this.url}/_farebox/${path}`, { headers: { authorization: `Bearer ${TOKEN}` }, ...more });
    assert.equal(answer.status, 200, path);
    return answer.text();
  }

  /** All that an operator reads of the books. */
  async books(): Promise<Readonly<Record<string, string>>> {
    const paths = ['export?format=jsonl', 'export?format=csv&of=channels', 'audit', 'payments?state=refund_due', 'failures', 'totals'];
    const books: Record<string, string> = {};
    for (const path of paths) books[path] = await this.ask(path);
    books['metrics'] = (await this.ask('metrics'))
      .split('\n')
      .filter((line) => line.startsWith('farebox_payments_total'))
      .join('\n');
    return books;
  }
}
