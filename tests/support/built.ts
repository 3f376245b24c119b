/** A built Worker in workerd, with what it stores, asked as programs without a client do. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { startWatched } from '../../scripts/children.mjs';
import { Log, LogLevel, Miniflare, type WorkerOptions } from './miniflare.ts';

export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly json: any };

/** Starts of workerd are in turn: each is told apart from the others by when it came. */

export abstract class Built {
  url = '';
  pid = -1;
  logs = '';
  protected miniflare: Miniflare | undefined;
  readonly #name: string;
  readonly #folder: string;

  protected constructor(name: string) {
    this.#name = name;
    this.#folder = mkdtempSync(join(tmpdir(), `farebox-${name}-`));
  }

  /** What the Worker is made of and bound to, at each start. */
  protected abstract options(): object;

  /** Starts workerd on what is stored, at the same address as before. */
  async begin(): Promise<void> {
    const { started, pids } = await startWatched(() => this.#begin());
    this.url = started.origin;
    this.pid = pids[0] ?? -1;
  }

  #begin(): Promise<URL> {
    this.miniflare = new Miniflare({
      host: '127.0.0.1',
      port: this.url === '' ? 0 : Number(new URL(this.url).port),
      cf: false,
      log: new Log(LogLevel.NONE),
      defaultPersistRoot: this.#folder,
      handleRuntimeStdio: (out, err) => {
        for (const stream of [out, err])
          stream.on('data', (piece: Buffer) => {
            this.logs += String(piece);
          });
      },
      workers: [{ name: this.#name, compatibilityDate: '2026-04-01', ...this.options() } as unknown as WorkerOptions],
    });
    return this.miniflare.ready;
  }

  /** Ends workerd as a lost machine would, and starts it again, once this was done to what it keeps. */
  async kill(change: (folder: string) => void = () => {}): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    await this.miniflare?.dispose();
    change(this.#folder);
    await this.begin();
  }

  async stop(): Promise<void> {
    await this.miniflare?.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async ask(
    method: string,
    path: string,
    { token, body, headers = {}, signal }: { token?: string; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      redirect: 'manual',
      ...(signal === undefined ? {} : { signal }),
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: response.status, headers: response.headers, text, json };
  }
}

/** The modules of a build, as workerd takes them. */
export function modulesIn(build: string): object[] {
  const folder = resolve(build);
  return [
    { type: 'ESModule', path: 'index.js', contents: readFileSync(join(folder, 'index.js'), 'utf8') },
    { type: 'CompiledWasm', path: 'index_bg.wasm', contents: readFileSync(join(folder, 'index_bg.wasm')) },
  ];
}
